//! The links by which init starts and stops services in a runlevel.

/// What is wrong with those of a service, which is to have one, of this sign. Each has a name and leads somewhere.
pub fn wrong(links: &[(String, String)], service: &str, sign: char) -> Option<String> {
    let own: Vec<&(String, String)> = links.iter().filter(|(name, _)| service_of(name) == Some(service)).collect();
    match own.as_slice() {
        [] => Some(format!("{service} has no link")),
        [(name, target)] if name.starts_with(sign) && *target == format!("../init.d/{service}") => None,
        others => Some(format!("{service} has the links {others:?}")),
    }
}

/// The service of a link: that of `S01cron` is `cron`.
fn service_of(link: &str) -> Option<&str> {
    let (number, service) = link.strip_prefix(['S', 'K'])?.split_at_checked(2)?;
    number.bytes().all(|digit| digit.is_ascii_digit()).then_some(service)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_has_one_link_of_the_right_sign() {
        let check = |links: &[(&str, &str)], expect: Option<&str>| {
            let links: Vec<_> = links.iter().map(|(name, target)| ((*name).to_owned(), (*target).to_owned())).collect();
            assert_eq!(wrong(&links, "cron", 'S').as_deref(), expect);
        };
        let right = ("S01cron", "../init.d/cron");
        check(&[("README", ""), ("S02cronie", "../init.d/cronie"), right], None);
        check(&[("README", "")], Some("cron has no link"));
        check(&[("K01cron", "../init.d/cron")], Some(r#"cron has the links [("K01cron", "../init.d/cron")]"#));
        check(&[("S01cron", "../init.d/other")], Some(r#"cron has the links [("S01cron", "../init.d/other")]"#));
        check(
            &[right, ("K01cron", "../init.d/cron")],
            Some(r#"cron has the links [("S01cron", "../init.d/cron"), ("K01cron", "../init.d/cron")]"#),
        );
    }

    #[test]
    fn what_has_no_number_is_no_link() {
        let check = |link, expect| assert_eq!(service_of(link), expect);
        check("S01cron", Some("cron"));
        check("K20cron", Some("cron"));
        check("README", None);
        check("Scron", None);
        check("S1", None);
    }
}
