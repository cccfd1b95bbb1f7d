//! What hosts are told otherwise, a line each: how far to go, who goes first, who is held, whose claim is freed, for whom
//! nobody waits, which runners there are, and whether they were tested.

use std::collections::BTreeSet;

use wb_core::chain::Sha1;
use wb_core::change::{Canary, Hold, Manifest, Whom};

use crate::calendar::lasting;

pub(super) fn lines(before: &Manifest, after: &Manifest) -> Vec<String> {
    let all = [target(before, after), canaries(before, after), holds(before, after), freed(before, after)];
    let runners = runners(before, after).into_iter().chain(untested(before, after));
    all.into_iter().flatten().chain(waived(before, after)).chain(runners).collect()
}

fn target(before: &Manifest, after: &Manifest) -> Vec<String> {
    let changed = before.target != after.target;
    let now = || format!("~ target: {}, was {}", named(after, after.target), named(before, before.target));
    changed.then(now).into_iter().collect()
}

fn named(manifest: &Manifest, target: Option<Sha1>) -> String {
    let link = target.and_then(|target| manifest.chain.get(target));
    link.map_or_else(|| "none".to_owned(), ToString::to_string)
}

fn canaries(before: &Manifest, after: &Manifest) -> Vec<String> {
    let old = before
        .canary
        .as_ref()
        .map(|canary| Canary { hosts: called_now(&canary.hosts, before, after), ..canary.clone() });
    let whom = |canary: &Canary| listed(&canary.hosts);
    let line = match (old, &after.canary) {
        (None, None) => None,
        (Some(old), None) => Some(format!("- canaries {}: they go where everyone goes", whom(&old))),
        (Some(old), Some(new)) if (Canary { change: new.change, ..old.clone() }) == *new => None,
        (Some(old), Some(new)) => {
            let was = format!("were {} to {}", whom(&old), named(before, Some(old.target)));
            Some(format!("~ canaries {}: {}; {was}", whom(new), aim(after, new)))
        }
        (None, Some(new)) => Some(format!("+ canaries {}: {}", whom(new), aim(after, new))),
    };
    line.into_iter().collect()
}

fn aim(after: &Manifest, canary: &Canary) -> String {
    let then = match canary.bake {
        None => "everyone else when that is promoted".to_owned(),
        Some(seconds) => format!("everyone else after {}, or when that is promoted", lasting(seconds)),
    };
    format!("to {}, {then}", named(after, Some(canary.target)))
}

/// The names that hosts of before have now. Those that left keep theirs.
fn called_now(hosts: &BTreeSet<String>, before: &Manifest, after: &Manifest) -> BTreeSet<String> {
    hosts.iter().map(|name| after.called_now(name, before).unwrap_or(name).to_owned()).collect()
}

fn holds(before: &Manifest, after: &Manifest) -> Vec<String> {
    let renamed = before.holds.iter().map(|hold| match &hold.whom {
        Whom::Host(name) => {
            let name = after.called_now(name, before).unwrap_or(name).to_owned();
            Hold { whom: Whom::Host(name), ..hold.clone() }
        }
        Whom::Herd | Whom::Role(_) | Whom::Other(_) => hold.clone(),
    });
    let old: Vec<Hold> = renamed.collect();
    let gone = old.iter().filter(|hold| !after.holds.contains(hold));
    let gone = gone.map(|hold| format!("- hold of {}, by change {}: {}", hold.whom, hold.change, hold.why));
    let new = after.holds.iter().filter(|hold| !old.contains(hold));
    gone.chain(new.map(|hold| format!("+ hold of {}: {}", hold.whom, hold.why))).collect()
}

fn freed(before: &Manifest, after: &Manifest) -> Vec<String> {
    let new = after.released.iter().filter(|release| !before.is_released(release.nonce));
    let hosts: BTreeSet<&str> = new.map(|release| release.host.as_str()).collect();
    hosts.into_iter().map(|host| format!("+ the claim of `{host}` counts for nothing")).collect()
}

fn waived(before: &Manifest, after: &Manifest) -> Vec<String> {
    let was = |link: Sha1, host: &str| {
        let mut known = before.waived.iter().filter(|waiver| waiver.link == link);
        known.any(|waiver| waiver.host == host || after.called_now(&waiver.host, before) == Some(host))
    };
    let new = after.waived.iter().filter(|waiver| !was(waiver.link, &waiver.host));
    new.map(|waiver| format!("+ {} does not wait for `{}`", named(after, Some(waiver.link)), waiver.host)).collect()
}

fn runners(before: &Manifest, after: &Manifest) -> Vec<String> {
    let new = after
        .runners
        .iter()
        .filter(|(platform, runner)| before.runners.get(*platform).is_none_or(|old| old.sha256 != runner.sha256));
    new.map(|(platform, runner)| format!("~ runner for {platform}: {}", runner.sha256.short())).collect()
}

fn untested(before: &Manifest, after: &Manifest) -> Option<String> {
    let line = match (before.untested, after.untested) {
        (false, true) => "+ untested: no test attests the runner",
        (true, false) => "- untested: a test attests the runner now",
        _ => return None,
    };
    Some(line.to_owned())
}

fn listed(hosts: &BTreeSet<String>) -> String {
    hosts.iter().map(|host| format!("`{host}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;
    use wb_core::chain::{Chain, Digest, Link};
    use wb_core::change::{HostManifest, Identity, Release, Runner, Waiver};

    use super::*;

    fn sha1(name: &str) -> Sha1 {
        Sha1::from_bytes([name.as_bytes()[0]; 20])
    }

    fn herd() -> Manifest {
        let host = |(name, n): (&str, u128)| {
            let identity = Some(Identity { uuid: Uuid::from_u128(n), key: String::new() });
            (name.to_owned(), HostManifest { identity, ..HostManifest::default() })
        };
        let link = |name: &str| Link::new(name, sha1(name), "web", Digest::of(b""));
        Manifest {
            chain: Chain::new(["a", "b"].map(link).to_vec()).unwrap(),
            hosts: [("web1", 1), ("web2", 2)].map(host).into(),
            target: Some(sha1("a")),
            ..Manifest::default()
        }
    }

    fn canary(hosts: &[&str], bake: Option<u64>) -> Option<Canary> {
        Some(Canary {
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
            target: sha1("b"),
            change: 0,
            bake,
        })
    }

    fn hold(whom: Whom) -> Hold {
        Hold { whom, change: 3, why: "a look".into() }
    }

    fn check(before: &Manifest, change: impl Fn(&mut Manifest), expect: &[&str]) -> Manifest {
        let mut after = before.clone();
        change(&mut after);
        assert_eq!(lines(before, &after), expect);
        assert_eq!(lines(&after, &after), [""; 0]);
        after
    }

    #[test]
    fn a_target_and_who_goes_first() {
        let herd = herd();
        check(&herd, |now| now.target = Some(sha1("b")), &["~ target: `b` (6262626), was `a` (6161616)"]);
        check(&herd, |now| now.target = None, &["~ target: none, was `a` (6161616)"]);
        let first = "+ canaries `web1`: to `b` (6262626), everyone else when that is promoted";
        let first = check(&herd, |now| now.canary = canary(&["web1"], None), &[first]);
        let more = "~ canaries `web1`, `web2`: to `b` (6262626), everyone else after 30m, or when that is promoted; were \
                    `web1` to `b` (6262626)";
        check(&first, |now| now.canary = canary(&["web1", "web2"], Some(1800)), &[more]);
        let promoted = ["~ target: `b` (6262626), was `a` (6161616)", "- canaries `web1`: they go where everyone goes"];
        check(&first, |now| (now.target, now.canary) = (Some(sha1("b")), None), &promoted);
    }

    #[test]
    fn who_is_held_and_who_goes_on() {
        let held = check(&herd(), |now| now.holds.push(hold(Whom::Herd)), &["+ hold of the herd: a look"]);
        let role = hold(Whom::Role("web".into()));
        check(&held, |now| now.holds.push(role.clone()), &["+ hold of the role web: a look"]);
        check(&held, |now| now.holds.clear(), &["- hold of the herd, by change 3: a look"]);
    }

    #[test]
    fn a_freed_claim_a_waiver_and_a_runner() {
        let release = |n| Release { change: 3, host: "web1".into(), nonce: Uuid::from_u128(n) };
        let freed = "+ the claim of `web1` counts for nothing";
        check(&herd(), |now| now.released = vec![release(1), release(2)], &[freed]);
        let waiver = Waiver { change: 3, link: sha1("b"), host: "web2".into() };
        check(&herd(), |now| now.waived = vec![waiver.clone()], &["+ `b` (6262626) does not wait for `web2`"]);
        let runner = Runner { sha256: Digest::of(b""), commit: Sha1::ZERO, reference: String::new() };
        let new = format!("~ runner for x86_64-linux: {}", runner.sha256.short());
        check(&herd(), |now| now.runners = [("x86_64-linux".to_owned(), runner.clone())].into(), &[&new]);
    }

    #[test]
    fn a_runner_that_nobody_tested() {
        let herd = check(&herd(), |now| now.untested = true, &["+ untested: no test attests the runner"]);
        check(&herd, |now| now.untested = false, &["- untested: a test attests the runner now"]);
    }

    #[test]
    fn another_name_is_no_other_order() {
        let mut before = herd();
        before.canary = canary(&["web1"], None);
        before.holds.push(hold(Whom::Host("web1".into())));
        before.waived.push(Waiver { change: 3, link: sha1("b"), host: "web1".into() });
        let renamed = |now: &mut Manifest| {
            let web1 = now.hosts.remove("web1").unwrap();
            now.hosts.insert("shop1".into(), web1);
            now.canary = canary(&["shop1"], None);
            now.holds[0].whom = Whom::Host("shop1".into());
            now.waived[0].host = "shop1".into();
        };
        check(&before, renamed, &[]);
    }
}
