//! What a change changes, for people: the difference between its manifest and the one before.

mod orders;

use std::collections::BTreeSet;
use std::fmt;

use wb_core::chain::{Chain, Link};
use wb_core::change::{HostManifest, Manifest, RolePolicy};

/// The difference between two manifests.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Difference {
    /// Links that are new at the end of the chain, and whether any host has their role.
    pub links: Vec<NewLink>,
    /// Links whose code is gone, and was there before.
    pub gone: Vec<Link>,
    /// Links that say something else than before.
    pub amended: Vec<Link>,
    /// A line for each thing that is told otherwise: how far to go, who goes first, who is held, for whom nobody waits.
    pub orders: Vec<String>,
    /// A line for each host that is new, gone, or another than before.
    pub hosts: Vec<String>,
    /// A line for each role that is new, gone, or takes turns differently.
    pub roles: Vec<String>,
}

/// A link that the herd has not been told of before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLink {
    /// The link.
    pub link: Link,
    /// How many hosts have its role.
    pub hosts: usize,
    /// The first and the last link that it replaces, where it is a baseline.
    pub replaces: Option<(Link, Link)>,
}

impl Difference {
    /// What `after` says and `before` does not.
    #[must_use]
    pub fn between(before: &Manifest, after: &Manifest) -> Self {
        let with_role = |role: &str| after.hosts.values().filter(|host| host.roles.contains(role)).count();
        let new = after.chain.links().iter().skip(before.chain.links().len());
        let new = new.map(|link| NewLink {
            link: link.clone(),
            hosts: with_role(&link.role),
            replaces: replaced(&after.chain, link),
        });
        let had_code = |link: &&Link| before.chain.get(link.sha1).is_some_and(|before| !before.gone);
        let gone = after.chain.links().iter().filter(|link| link.gone).filter(had_code).cloned().collect();
        let amended = after
            .chain
            .links()
            .iter()
            .filter(|link| before.chain.get(link.sha1).is_some_and(|before| before.digest != link.digest));
        Self {
            links: new.collect(),
            gone,
            amended: amended.cloned().collect(),
            orders: orders::lines(before, after),
            hosts: hosts(before, after),
            roles: roles(before, after),
        }
    }

    /// Whether the two say the same.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// All of it, a line each.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.to_string().lines().map(str::to_owned).collect()
    }
}

impl fmt::Display for Difference {
    /// A line for each new link, host and role, and one for what is gone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for NewLink { link, hosts, replaces } in &self.links {
            let whom = match hosts {
                0 => format!("role `{}`, which no host has: all pass it over", link.role),
                1 => format!("role `{}`, 1 host", link.role),
                _ => format!("role `{}`, {hosts} hosts", link.role),
            };
            match replaces {
                None => writeln!(f, "+ migration {link} for {whom}")?,
                Some((first, last)) => writeln!(
                    f,
                    "+ baseline {link} for {whom}: new hosts run it in place of {first} to {last}; who has begun these ends \
                     them, and passes it over"
                )?,
            }
        }
        if let (Some(first), Some(last)) = (self.gone.first(), self.gone.last()) {
            let count = self.gone.len();
            let gone = if count == 1 { first.to_string() } else { format!("{count} migrations, {first} to {last}") };
            writeln!(f, "- code of {gone}: a host that is amid these runs the last runner that has it")?;
        }
        self.amended.iter().try_for_each(|link| writeln!(f, "~ migration {link}: amended"))?;
        let lines = self.orders.iter().chain(&self.hosts).chain(&self.roles);
        lines.into_iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

fn replaced(chain: &Chain, link: &Link) -> Option<(Link, Link)> {
    let range = link.replaces?;
    Some((chain.get(range.from)?.clone(), chain.get(range.to)?.clone()))
}

fn hosts(before: &Manifest, after: &Manifest) -> Vec<String> {
    let names: BTreeSet<&String> = before.hosts.keys().chain(after.hosts.keys()).collect();
    let lines = names.into_iter().filter_map(|name| match (before.hosts.get(name), after.hosts.get(name)) {
        (None, Some(new)) if renamed(new, before).is_some() => None,
        (None, Some(new)) => Some(format!("+ host `{name}`: {}", listed(&new.roles))),
        (Some(old), None) => Some(match renamed(old, after) {
            Some(new) => format!("~ host `{name}`: called `{new}`"),
            None => format!("- host `{name}`"),
        }),
        (Some(old), Some(new)) if old != new => {
            Some(format!("~ host `{name}`: {}", changes(old, new, after).join(", ")))
        }
        _ => None,
    });
    lines.collect()
}

/// What the machine of a host is called in another manifest.
fn renamed<'m>(host: &HostManifest, other: &'m Manifest) -> Option<&'m str> {
    let identity = host.identity.as_ref()?;
    other.host_of(identity.uuid).map(|(name, _)| name)
}

fn changes(old: &HostManifest, new: &HostManifest, after: &Manifest) -> Vec<String> {
    let adopted = new.adopt.as_ref().filter(|adoption| old.adopt.as_ref() != Some(adoption));
    let adopted = adopted.and_then(|adoption| after.chain.get(adoption.link));
    let address = |host: &HostManifest| host.address.clone().unwrap_or_else(|| "none".into());
    let changed = [
        (old.roles != new.roles).then(|| format!("roles {} to {}", listed(&old.roles), listed(&new.roles))),
        (old.address != new.address).then(|| format!("address {} to {}", address(old), address(new))),
        (old.settings != new.settings).then(|| "settings".to_owned()),
        (old.identity != new.identity).then(|| "admitted".to_owned()),
        (old.retry != new.retry).then(|| "tries again what failed".to_owned()),
        adopted.map(|link| format!("{link} was done by hand")),
    ];
    changed.into_iter().flatten().collect()
}

fn roles(before: &Manifest, after: &Manifest) -> Vec<String> {
    let names: BTreeSet<&String> = before.roles.keys().chain(after.roles.keys()).collect();
    let lines = names.into_iter().filter_map(|name| match (before.roles.get(name), after.roles.get(name)) {
        (None, Some(new)) => Some(format!("+ role `{name}`: {}", terms(new, None).join(", "))),
        (Some(_), None) => Some(format!("- role `{name}`")),
        (Some(old), Some(new)) if old != new => Some(format!("~ role `{name}`: {}", terms(new, Some(old)).join(", "))),
        _ => None,
    });
    lines.collect()
}

/// How the hosts of a role take turns, or what is different about that.
fn terms(new: &RolePolicy, old: Option<&RolePolicy>) -> Vec<String> {
    let usual = RolePolicy::new(new.max_out);
    let was = |now: String, was: Option<String>| was.map_or(now.clone(), |was| format!("{now}, was {was}"));
    let windows = |policy: &RolePolicy| match policy.windows.is_empty() {
        true => "at any time".to_owned(),
        false => policy.windows.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and "),
    };
    let max_out = format!("at most {} out", new.max_out);
    let max_failed = format!("{} failed stop the others", new.max_failed);
    let before = old.unwrap_or(&usual);
    let different = [
        (old.is_none_or(|old| old.max_out != new.max_out))
            .then(|| was(max_out, old.map(|old| old.max_out.to_string()))),
        (before.max_failed != new.max_failed).then(|| was(max_failed, old.map(|old| old.max_failed.to_string()))),
        (before.windows != new.windows).then(|| was(windows(new), old.map(windows))),
    ];
    different.into_iter().flatten().collect()
}

fn listed(roles: &BTreeSet<String>) -> String {
    match roles.is_empty() {
        true => "no role".to_owned(),
        false => roles.iter().map(String::as_str).collect::<Vec<_>>().join("+"),
    }
}

#[cfg(test)]
mod tests {
    use wb_core::chain::{Digest, Range, Sha1};
    use wb_core::change::Adoption;
    use wb_core::context::MaxOut;

    use super::*;

    fn host(roles: &[&str], address: Option<&str>) -> HostManifest {
        HostManifest {
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
            address: address.map(str::to_owned),
            ..HostManifest::default()
        }
    }

    fn manifest(links: &[(&str, &str)], hosts: &[(&str, HostManifest)], max_out: u32) -> Manifest {
        let link = |(name, role): &(&str, &str)| {
            Link::new(*name, Sha1::from_bytes([name.as_bytes()[0]; 20]), *role, Digest::of(b""))
        };
        Manifest {
            chain: Chain::new(links.iter().map(link).collect()).unwrap(),
            hosts: hosts.iter().map(|(name, host)| ((*name).to_owned(), host.clone())).collect(),
            roles: [("web".to_owned(), RolePolicy::new(MaxOut::Hosts(max_out)))].into(),
            ..Manifest::default()
        }
    }

    fn check(before: &Manifest, after: &Manifest, expect: &str) {
        assert_eq!(Difference::between(before, after).to_string(), expect);
    }

    #[test]
    fn links_say_whom_they_are_for() {
        let before = manifest(&[("a", "web")], &[("web1", host(&["web"], None))], 1);
        let after = manifest(&[("a", "web"), ("b", "web"), ("c", "db")], &[("web1", host(&["web"], None))], 1);
        let b = "+ migration `b` (6262626) for role `web`, 1 host\n";
        let c = "+ migration `c` (6363636) for role `db`, which no host has: all pass it over\n";
        check(&before, &after, &format!("{b}{c}"));
        assert!(Difference::between(&after, &after).is_empty());
    }

    #[test]
    fn a_baseline_says_who_runs_it_and_what_is_gone() {
        let web1 = [("web1", host(&["web"], None))];
        let before = manifest(&[("a", "web"), ("b", "web")], &web1, 1);
        let mut after = manifest(&[("a", "web"), ("b", "web"), ("c", "web")], &web1, 1);
        let mut links = after.chain.links().to_vec();
        links[2].replaces = Some(Range { from: links[0].sha1, to: links[1].sha1 });
        after.chain = Chain::new(links.clone()).unwrap();
        let baseline = "+ baseline `c` (6363636) for role `web`, 1 host: new hosts run it in place of `a` (6161616) to `b` \
                        (6262626); who has begun these ends them, and passes it over\n";
        check(&before, &after, baseline);
        links[0].gone = true;
        let later = Manifest { chain: Chain::new(links.clone()).unwrap(), ..after.clone() };
        let runs = "a host that is amid these runs the last runner that has it\n";
        check(&after, &later, &format!("- code of `a` (6161616): {runs}"));
        links[1].gone = true;
        let later = Manifest { chain: Chain::new(links).unwrap(), ..after.clone() };
        check(&after, &later, &format!("- code of 2 migrations, `a` (6161616) to `b` (6262626): {runs}"));
        assert!(Difference::between(&later, &later).is_empty());
    }

    #[test]
    fn an_amended_link_is_told() {
        let before = manifest(&[("a", "web"), ("b", "web")], &[], 1);
        let mut links = before.chain.links().to_vec();
        links[1].digest = Digest::of(b"other");
        let after = Manifest { chain: Chain::new(links).unwrap(), ..before.clone() };
        check(&before, &after, "~ migration `b` (6262626): amended\n");
    }

    #[test]
    fn how_a_role_takes_turns_is_told() {
        let before = manifest(&[], &[], 1);
        let mut after = before.clone();
        let web = after.roles.get_mut("web").unwrap();
        (web.max_failed, web.windows) = (3, vec!["Sat 22:00-04:00".parse().unwrap()]);
        let changed = "3 failed stop the others, was 1, Sat 22:00-04:00, was at any time\n";
        check(&before, &after, &format!("~ role `web`: {changed}"));
        let new = "+ role `web`: at most 1 out, 3 failed stop the others, Sat 22:00-04:00\n";
        check(&Manifest::default(), &after, new);
    }

    #[test]
    fn what_a_host_is_asked_is_told() {
        let before = manifest(&[("a", "web")], &[("web1", host(&["web"], None))], 1);
        let mut after = before.clone();
        let web1 = after.hosts.get_mut("web1").unwrap();
        (web1.retry, web1.adopt) = (5, Some(Adoption { change: 5, link: before.chain.links()[0].sha1 }));
        check(&before, &after, "~ host `web1`: tries again what failed, `a` (6161616) was done by hand\n");
    }

    #[test]
    fn hosts_and_roles_say_what_is_different() {
        let before = manifest(&[], &[("web1", host(&["web"], None)), ("web2", host(&["web"], None))], 1);
        let after = manifest(&[], &[("web1", host(&["db", "web"], Some("10.0.0.1"))), ("web3", host(&[], None))], 2);
        let web1 = "~ host `web1`: roles web to db+web, address none to 10.0.0.1\n";
        let rest = "- host `web2`\n+ host `web3`: no role\n~ role `web`: at most 2 out, was 1\n";
        check(&before, &after, &format!("{web1}{rest}"));
    }
}
