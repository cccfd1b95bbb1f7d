//! Rows of passwd(5), shadow(5), group(5) and gshadow(5), and what is wrong with them; nothing where they are right.

/// The row of a name, where there is just one.
pub fn row<'a>(table: &'a str, name: &str) -> Result<&'a str, String> {
    let mut rows = table.lines().filter(|row| row.split(':').next() == Some(name));
    match (rows.next(), rows.next()) {
        (Some(row), None) => Ok(row),
        (Some(_), Some(_)) => Err("it has two rows".to_owned()),
        (None, _) => Err("it has no row".to_owned()),
    }
}

pub fn group(row: &str, name: &str, gid: u32) -> Option<String> {
    differs(row, &format!("{name}:x:{gid}:"))
}

/// A user with the home that there would be and `/bin/sh`; any group is right where none is said.
pub fn user(row: &str, name: &str, uid: u32, gid: Option<u32>) -> Option<String> {
    let its_own = || row.split(':').nth(3).unwrap_or_default().to_owned();
    let gid = gid.map_or_else(its_own, |gid| gid.to_string());
    differs(row, &format!("{name}:x:{uid}:{gid}::/home/{name}:/bin/sh"))
}

/// A user who never had a password, and whose row is as useradd(8) of Debian makes it.
pub fn without_password(row: &str, name: &str) -> Option<String> {
    let days = row.split(':').nth(2).filter(|days| days.parse::<u32>().is_ok()).unwrap_or("DAYS");
    differs(row, &format!("{name}:!:{days}:0:99999:7:::"))
}

pub fn group_without_password(row: &str, name: &str) -> Option<String> {
    differs(row, &format!("{name}:!::"))
}

/// A user whose password somebody might know.
pub fn lets_somebody_in(row: &str) -> Option<String> {
    let password = row.split(':').nth(1).unwrap_or_default();
    (!password.starts_with(['!', '*'])).then(|| "it has a password".to_owned())
}

fn differs(row: &str, wanted: &str) -> Option<String> {
    (row != wanted).then(|| format!("its row is `{row}` and not `{wanted}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_row() {
        let table = "anna:x:1:\nanna2:x:2:\nben:x:3:\nben:x:3:\n";
        let check = |name, expect: Result<&str, &str>| assert_eq!(row(table, name), expect.map_err(str::to_owned));
        check("anna", Ok("anna:x:1:"));
        check("ben", Err("it has two rows"));
        check("ann", Err("it has no row"));
    }

    #[test]
    fn each_field_of_a_user_counts() {
        let right = "anna:x:7:8::/home/anna:/bin/sh";
        assert_eq!(user(right, "anna", 7, Some(8)), None);
        for wrong in [
            "anna:x:6:8::/home/anna:/bin/sh",
            "anna:x:7:9::/home/anna:/bin/sh",
            "anna:x:7:8:Anna:/home/anna:/bin/sh",
            "anna:x:7:8::/srv/anna:/bin/sh",
            "anna:x:7:8::/home/anna:/bin/bash",
            "anna::7:8::/home/anna:/bin/sh",
        ] {
            assert_eq!(user(wrong, "anna", 7, Some(8)), Some(format!("its row is `{wrong}` and not `{right}`")));
        }
    }

    #[test]
    fn any_group_is_right_where_none_is_said() {
        assert_eq!(user("anna:x:7:9::/home/anna:/bin/sh", "anna", 7, None), None);
        assert!(user("anna:x:6:9::/home/anna:/bin/sh", "anna", 7, None).is_some());
        assert!(user("anna", "anna", 7, None).is_some());
    }

    #[test]
    fn nobody_has_a_password() {
        let check = |row, expect: [bool; 2]| {
            assert_eq!([without_password(row, "anna").is_none(), lets_somebody_in(row).is_none()], expect, "{row}");
        };
        check("anna:!:20778:0:99999:7:::", [true, true]);
        check("anna:*:20778:0:99999:7:::", [false, true]);
        check("anna:!::0:99999:7:::", [false, true]);
        check("anna::20778:0:99999:7:::", [false, false]);
        check("anna:$y$hash:20778:0:99999:7:::", [false, false]);
    }

    #[test]
    fn groups_have_no_members() {
        assert_eq!((group("web:x:9:", "web", 9), group_without_password("web:!::", "web")), (None, None));
        assert!(group("web:x:9:anna", "web", 9).is_some() && group_without_password("web:!::anna", "web").is_some());
    }
}
