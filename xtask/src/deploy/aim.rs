//! How far a deploy tells hosts to go, and who goes first.

use std::collections::BTreeSet;

use wb_core::chain::{Link, Sha1};
use wb_core::change::{Canary, Manifest};

use super::plan::Refusal;
use crate::named::{self, Kind, Unknown};

/// What an operator says of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Aim {
    /// The hosts that go first, by name.
    pub canaries: BTreeSet<String>,
    /// The roles whose hosts all go first.
    pub roles: BTreeSet<String>,
    /// The link to reach, by its name; else the newest.
    pub until: Option<String>,
    /// After how many seconds at which all canaries are well everyone follows by itself.
    pub bake: Option<u64>,
}

impl Aim {
    /// The canaries, in the herd that `manifest` has; none: everyone goes at once.
    fn chosen(&self, manifest: &Manifest) -> Result<BTreeSet<String>, Refusal> {
        let mut chosen = BTreeSet::new();
        for name in &self.canaries {
            if named::host(manifest, name)?.identity.is_none() {
                return Err(Refusal::NotAdmitted { host: name.clone() });
            }
            chosen.insert(name.clone());
        }
        for role in &self.roles {
            named::role(manifest, role)?;
            let before = chosen.len();
            chosen.extend(manifest.admitted(role).map(str::to_owned));
            if chosen.len() == before {
                return Err(Refusal::NoCanaries { role: role.clone() });
            }
        }
        Ok(chosen)
    }
}

/// The manifest with this aim, where `before` was told last. Canaries whose bake is over have made theirs everyone's.
///
/// # Errors
/// When there is nobody or nothing of a name, or somebody would have to go back.
pub fn aiming(before: &Manifest, has_baked: bool, manifest: Manifest, aim: &Aim) -> Result<Manifest, Refusal> {
    let baked = before.canary.as_ref().filter(|_| has_baked).map(|canary| canary.target);
    let (told, pending) = (baked.or(before.target), before.canary.as_ref().filter(|_| !has_baked));
    let end = match &aim.until {
        // Here the chain is the one to be deployed.
        Some(name) => {
            let link = named::link(&manifest, name);
            Some(link.map_err(|unknown| Unknown { kind: Kind::Written, ..unknown })?.sha1)
        }
        None => manifest.chain.tip().map(|link| link.sha1),
    };
    let canaries = aim.chosen(&manifest)?;
    let forgotten = pending.map(|pending| forgotten(&manifest, pending, &canaries)).unwrap_or_default();
    if !canaries.is_empty() && !forgotten.is_empty() {
        return Err(Refusal::OtherCanaries { hosts: forgotten, named: canaries });
    }
    not_back(&manifest, "everyone", told, end)?;
    if let Some(pending) = pending {
        let whom = pending.hosts.iter().cloned().collect::<Vec<_>>().join(", ");
        not_back(&manifest, &whom, Some(pending.target), end)?;
    }
    let (target, canary) = match (end, canaries.is_empty()) {
        (Some(target), false) if end != told => {
            (told, Some(Canary { hosts: canaries, target, change: manifest.number, bake: aim.bake }))
        }
        (_, false) => return Err(Refusal::NothingFirst { link: named(&manifest, end) }),
        (_, true) => (end, None),
    };
    Ok(Manifest { target, canary, ..manifest })
}

/// The aim of a manifest, in a line.
#[must_use]
pub fn said(manifest: &Manifest) -> String {
    let to = |target: Option<Sha1>| {
        named(manifest, target).map_or_else(|| "no migrations yet".to_owned(), |link| link.to_string())
    };
    match &manifest.canary {
        None => to(manifest.target),
        Some(canary) if canary.hosts.len() > 4 => {
            format!("{} first on {} hosts", to(Some(canary.target)), canary.hosts.len())
        }
        Some(canary) => {
            let hosts: Vec<&str> = canary.hosts.iter().map(String::as_str).collect();
            format!("{} first on {}", to(Some(canary.target)), hosts.join(", "))
        }
    }
}

/// The pending canaries that are still in the herd, and not among these.
fn forgotten(manifest: &Manifest, pending: &Canary, canaries: &BTreeSet<String>) -> BTreeSet<String> {
    let there = pending.hosts.iter().filter(|host| manifest.hosts.contains_key(*host));
    there.filter(|host| !canaries.contains(*host)).cloned().collect()
}

fn not_back(manifest: &Manifest, whom: &str, told: Option<Sha1>, end: Option<Sha1>) -> Result<(), Refusal> {
    let place = |target: Option<Sha1>| target.and_then(|target| manifest.chain.position(target));
    match (named(manifest, told), named(manifest, end)) {
        (Some(told), Some(now)) if place(end) < place(Some(told.sha1)) => {
            Err(Refusal::Back { whom: whom.to_owned(), told, now })
        }
        _ => Ok(()),
    }
}

fn named(manifest: &Manifest, target: Option<Sha1>) -> Option<Box<Link>> {
    target.and_then(|target| manifest.chain.get(target)).cloned().map(Box::new)
}

#[cfg(test)]
mod tests {
    use wb_core::plan::has_baked;

    use super::*;
    use crate::known::tests::known;

    fn aim(canaries: &[&str], until: Option<&str>) -> Aim {
        let canaries = canaries.iter().map(|host| (*host).to_owned()).collect();
        Aim { canaries, until: until.map(str::to_owned), ..Aim::default() }
    }

    /// A herd that was told to reach `target`, of the chain `schema`, `page`, `tuning`, `theme`, and canaries as `web1>theme`.
    fn herd(target: &str, canaries: &[&str]) -> Manifest {
        let mut manifest = known("db1@page web1@page web2@page").manifest;
        let sha1 = |name: &str| named::link(&manifest, name).unwrap().sha1;
        let canary = |first: &&str| Canary {
            hosts: canaries.iter().map(|canary| canary.split_once('>').unwrap().0.to_owned()).collect(),
            target: sha1(first.split_once('>').unwrap().1),
            change: 0,
            bake: None,
        };
        (manifest.canary, manifest.target) = (canaries.first().map(canary), Some(sha1(target)));
        manifest
    }

    /// `web1>theme, else page`.
    fn shown(manifest: &Manifest) -> String {
        let named = |target: Sha1| manifest.chain.get(target).unwrap().name.as_str();
        let canary = manifest.canary.as_ref().map(|canary| {
            let hosts: Vec<&str> = canary.hosts.iter().map(String::as_str).collect();
            format!("{}>{}, else ", hosts.join("+"), named(canary.target))
        });
        format!("{}{}", canary.unwrap_or_default(), manifest.target.map_or("nothing", named))
    }

    fn check(before: &Manifest, aim: &Aim, expect: Result<&str, &str>) {
        let after = aiming(before, false, before.next(wb_core::change::ChangeKind::Deploy), aim);
        if let Ok(after) = &after {
            assert!(after.follows(Some(before)).is_ok(), "{:?}", after.follows(Some(before)));
        }
        let said = after.as_ref().map(shown).map_err(ToString::to_string);
        assert_eq!(said, expect.map(str::to_owned).map_err(str::to_owned), "{aim:?}");
    }

    #[test]
    fn everyone_goes_to_the_newest_or_to_the_named_link() {
        let told = herd("page", &[]);
        check(&told, &aim(&[], None), Ok("theme"));
        check(&told, &aim(&[], Some("tuning")), Ok("tuning"));
        check(&told, &aim(&[], Some("page")), Ok("page"));
        let back = "everyone was told to reach `page` (0202020), and `schema` (0101010) is before it";
        check(&told, &aim(&[], Some("schema")), Err(back));
        check(&told, &aim(&[], Some("tunning")), Err("the chain has no migration `tunning`, did you mean `tuning`?"));
    }

    #[test]
    fn canaries_go_first_and_everyone_else_stays() {
        let told = herd("page", &[]);
        check(&told, &aim(&["web1"], None), Ok("web1>theme, else page"));
        check(&told, &aim(&["web1", "db1"], Some("tuning")), Ok("db1+web1>tuning, else page"));
        let web = Aim { roles: ["web".to_owned()].into(), ..Aim::default() };
        check(&told, &web, Ok("web1+web2>theme, else page"));
        let first = "everyone was told to reach `page` (0202020) already: canaries have nothing to go first with";
        check(&told, &aim(&["web1"], Some("page")), Err(first));
        let nothing = Manifest { target: None, ..told.clone() };
        check(&nothing, &aim(&["web1"], None), Ok("web1>theme, else nothing"));
    }

    #[test]
    fn who_can_be_no_canary_is_refused() {
        let mut told = herd("page", &[]);
        check(&told, &aim(&["wbe1"], None), Err("the herd has no host `wbe1`, did you mean `web1`?"));
        told.hosts.get_mut("web2").unwrap().identity = None;
        check(&told, &aim(&["web2"], None), Err("`web2` is not admitted, so it can't be a canary"));
        let role = |role: &str| Aim { roles: [role.to_owned()].into(), ..Aim::default() };
        check(&told, &role("wbe"), Err("the herd has no role `wbe`, did you mean `web`?"));
        told.hosts.get_mut("web1").unwrap().identity = None;
        check(&told, &role("web"), Err("no host of role `web` is admitted, so there are no canaries"));
    }

    #[test]
    fn canaries_that_are_pending_go_on_or_are_joined_by_everyone() {
        let pending = herd("schema", &["web1>tuning"]);
        check(&pending, &aim(&["web1"], None), Ok("web1>theme, else schema"));
        check(&pending, &aim(&["web1", "web2"], Some("tuning")), Ok("web1+web2>tuning, else schema"));
        check(&pending, &aim(&[], None), Ok("theme"));
        check(&pending, &aim(&[], Some("tuning")), Ok("tuning"));
        let back = "web1 was told to reach `tuning` (0303030), and `page` (0202020) is before it";
        check(&pending, &aim(&[], Some("page")), Err(back));
        check(&pending, &aim(&["web1"], Some("page")), Err(back));
        let other = "`web1` goes first since an earlier deploy: name it too, or promote that first";
        check(&pending, &aim(&["web2"], None), Err(other));
    }

    #[test]
    fn an_aim_is_said_in_a_line() {
        let check = |herd: &Manifest, expect: &str| assert_eq!(said(herd), expect);
        check(&herd("page", &[]), "`page` (0202020)");
        check(&herd("page", &["web1>theme", "web2>theme"]), "`theme` (0404040) first on web1, web2");
        check(&Manifest::default(), "no migrations yet");
    }

    #[test]
    fn what_has_baked_is_everyones() {
        let mut known = known("db1@page web1@tuning web2@page");
        known.manifest = herd("schema", &["web1>tuning"]);
        let canary = Canary { bake: Some(60), ..known.manifest.canary.clone().unwrap() };
        assert!(has_baked(&known.manifest, &canary, &known.reports, 60));
        let after = aiming(&known.manifest, true, known.manifest.clone(), &aim(&["web2"], None)).unwrap();
        assert_eq!(shown(&after), "web2>theme, else tuning");
    }
}
