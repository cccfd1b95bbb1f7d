//! Holding a part of the herd, and letting it go on. Who is held ends the link that it is at, rejoins, and begins nothing,
//! until that very part of the herd is let go on.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;
use wb_core::change::{ChangeKind, Hold, Manifest, Whom};
use wb_core::report::Doing;
use wb_core::system::quoted;

use crate::known::Known;
use crate::named::{self, Unknown};
use crate::outlook::{waiting_for, waits_in_code};

/// Why nobody is held, or goes on.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum HoldError {
    /// The herd has no such host or role.
    #[error(transparent)]
    Unknown(#[from] Unknown),
    /// It is held.
    #[error("{} is held already, by change {}: {}", .0.whom, .0.change, .0.why)]
    Already(Hold),
    /// It is not held, though perhaps a part of it is, or more than it.
    #[error("{whom} is not held{}", instead(others))]
    NotHeld {
        /// What is not held.
        whom: Whom,
        /// What is.
        others: Vec<Hold>,
    },
}

/// The manifest that holds these; none: the whole herd.
///
/// # Errors
/// When there is no such host or role, or it is held already.
pub fn holding(known: &Known, whom: &BTreeSet<Whom>, why: &str) -> Result<Manifest, HoldError> {
    let mut manifest = known.manifest.next(ChangeKind::Hold);
    for whom in all_or(whom) {
        refuse_unknown(&known.manifest, &whom)?;
        if let Some(hold) = manifest.holds.iter().find(|hold| hold.whom == whom) {
            return Err(HoldError::Already(hold.clone()));
        }
        manifest.holds.push(Hold { whom, change: manifest.number, why: why.to_owned() });
    }
    manifest.message = message(whom, Some(why));
    Ok(manifest)
}

/// The manifest that lets these go on; none: the whole herd.
///
/// # Errors
/// When there is no such host or role, or it is not held.
pub fn resuming(known: &Known, whom: &BTreeSet<Whom>, why: Option<&str>) -> Result<Manifest, HoldError> {
    let mut manifest = known.manifest.next(ChangeKind::Resume);
    for whom in all_or(whom) {
        let Some(place) = manifest.holds.iter().position(|hold| hold.whom == whom) else {
            // A role may have left the code since it was held.
            refuse_unknown(&known.manifest, &whom)?;
            return Err(HoldError::NotHeld { whom, others: known.manifest.holds.clone() });
        };
        manifest.holds.remove(place);
    }
    manifest.message = message(whom, why);
    Ok(manifest)
}

/// These; none: the whole herd.
fn all_or(whom: &BTreeSet<Whom>) -> BTreeSet<Whom> {
    if whom.is_empty() { [Whom::Herd].into() } else { whom.clone() }
}

fn refuse_unknown(manifest: &Manifest, whom: &Whom) -> Result<(), Unknown> {
    match whom {
        Whom::Herd | Whom::Other(_) => Ok(()),
        Whom::Role(role) => named::role(manifest, role),
        Whom::Host(host) => named::host(manifest, host).map(drop),
    }
}

fn message(whom: &BTreeSet<Whom>, why: Option<&str>) -> String {
    let whom = match whom.is_empty() {
        true => Whom::Herd.to_string(),
        false => whom.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    };
    why.map_or(whom.clone(), |why| format!("{whom}: {why}"))
}

fn instead(others: &[Hold]) -> String {
    others.iter().map(|hold| format!("; {} is, by change {}: {}", hold.whom, hold.change, hold.why)).collect()
}

/// What a hold comes to for hosts, a line each: who begins nothing, who ends something first, who waits for these.
#[must_use]
pub fn begin_nothing(known: &Known, after: &Manifest) -> Vec<String> {
    let held = turned(known, after);
    let (amid, still): (Vec<&String>, Vec<&String>) = held.iter().partition(|host| is_amid(known, host));
    let ends = |host: &String| {
        let doing = known.reports.get(host).map(|report| report.doing.to_string()).unwrap_or_default();
        format!("`{host}` is amid something ({doing}): it ends that link, rejoins, and begins no other")
    };
    let still = line("begin nothing", &still);
    still.into_iter().chain(amid.into_iter().map(ends)).chain(waiting_for(known, &held)).collect()
}

/// What the end of a hold comes to for hosts, a line each: who goes on, and who does not, since more than one word holds it.
#[must_use]
pub fn go_on(known: &Known, after: &Manifest) -> Vec<String> {
    let ended = known.manifest.holds.iter().filter(|hold| !after.holds.contains(hold));
    let ended: Vec<&Hold> = ended.collect();
    let stays = |name: &String| {
        let other = after.hold_of(name).filter(|_| ended.iter().any(|hold| after.is_among(name, &hold.whom)))?;
        Some(format!("`{name}` stays held: {} is, by change {}: {}", other.whom, other.change, other.why))
    };
    let free = turned(known, after);
    line("go on", &free.iter().collect::<Vec<_>>()).into_iter().chain(after.hosts.keys().filter_map(stays)).collect()
}

/// The command that ends a hold.
#[must_use]
pub fn ended_by(whom: &Whom) -> String {
    match whom {
        Whom::Herd => "cargo xtask resume".to_owned(),
        Whom::Role(role) => format!("cargo xtask resume --role {}", quoted(role)),
        Whom::Host(host) => format!("cargo xtask resume {}", quoted(host)),
        Whom::Other(_) => "git pull, and resume with the xtask that knows it".to_owned(),
    }
}

/// A part of the herd that is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Held {
    /// Which, in words.
    pub whom: String,
    /// By the change of this number.
    pub change: u64,
    /// Why.
    pub why: String,
    /// Its hosts.
    pub hosts: Vec<String>,
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { whom, change, why, hosts } = self;
        let names: Vec<String> = hosts.iter().map(|host| format!("`{host}`")).collect();
        write!(f, "begin nothing: {}, as {whom} is held by change {change}: {why}", names.join(", "))
    }
}

/// The parts of the herd that are held, and have hosts.
#[must_use]
pub fn held(manifest: &Manifest) -> Vec<Held> {
    let held = manifest.holds.iter().map(|Hold { whom, change, why }| {
        let hosts = manifest.hosts.keys().filter(|name| manifest.is_among(name, whom)).cloned().collect();
        Held { whom: whom.to_string(), change: *change, why: why.clone(), hosts }
    });
    held.filter(|held| !held.hosts.is_empty()).collect()
}

/// The hosts that are held by one of both and not by the other.
fn turned(known: &Known, after: &Manifest) -> BTreeSet<String> {
    let is_held = |manifest: &Manifest, name: &String| manifest.hold_of(name).is_some();
    let turned = after.hosts.keys().filter(|name| is_held(&known.manifest, name) != is_held(after, name));
    turned.cloned().collect()
}

fn is_amid(known: &Known, host: &str) -> bool {
    let doing = known.reports.get(host).map(|report| &report.doing);
    let acts = matches!(doing, Some(Doing::Leaving { .. } | Doing::Running { .. } | Doing::Rebooting { .. }));
    acts || waits_in_code(known, host).is_some()
}

fn line(what: &str, hosts: &[&String]) -> Option<String> {
    let names: Vec<String> = hosts.iter().map(|host| format!("`{host}`")).collect();
    (!names.is_empty()).then(|| format!("{what}: {}", names.join(", ")))
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::known::tests::{known, lets_code_wait};

    fn whom(words: &[&str]) -> BTreeSet<Whom> {
        let one = |word: &&str| match word.split_once(':') {
            Some((_, role)) => Whom::Role(role.to_owned()),
            None => Whom::Host((*word).to_owned()),
        };
        words.iter().map(one).collect()
    }

    fn herd() -> Known {
        known("db1@theme web1@page web2@page")
    }

    /// The herd after these were held, one after the other.
    fn held(holds: &[&[&str]]) -> Known {
        let mut known = herd();
        for words in holds {
            known.manifest = holding(&known, &whom(words), "a look").unwrap();
        }
        known
    }

    fn check<T>(result: Result<Manifest, HoldError>, shown: impl Fn(&Manifest) -> T, expect: Result<T, &str>)
    where
        T: PartialEq + std::fmt::Debug,
    {
        let said = result.map(|manifest| shown(&manifest)).map_err(|error| error.to_string());
        assert_eq!(said, expect.map_err(str::to_owned));
    }

    #[test]
    fn a_part_of_the_herd_is_held_once() {
        let hold = |words: &[&[&str]], next: &[&str], expect: Result<&str, &str>| {
            check(holding(&held(words), &whom(next), "a look"), ToString::to_string, expect.map(str::to_owned));
        };
        hold(&[], &[], Ok("12 hold: the herd: a look"));
        hold(&[], &["web2", "role:database"], Ok("12 hold: the role database, web2: a look"));
        hold(&[&[]], &[], Err("the herd is held already, by change 12: a look"));
        hold(&[&["web1"], &["role:web"]], &["web1"], Err("web1 is held already, by change 12: a look"));
        hold(&[&[]], &["web1"], Ok("13 hold: web1: a look"));
        hold(&[], &["wbe1"], Err("the herd has no host `wbe1`, did you mean `web1`?"));
        hold(&[], &["role:databse"], Err("the herd has no role `databse`, did you mean `database`?"));
    }

    #[test]
    fn only_what_is_held_goes_on() {
        let resume = |words: &[&[&str]], next: &[&str], expect: Result<&str, &str>| {
            let result = resuming(&held(words), &whom(next), None);
            check(result, ToString::to_string, expect.map(str::to_owned));
        };
        resume(&[&[]], &[], Ok("13 resume: the herd"));
        resume(&[&["web1", "web2"]], &["web2"], Ok("13 resume: web2"));
        resume(&[], &[], Err("the herd is not held"));
        resume(&[&[]], &["web1"], Err("web1 is not held; the herd is, by change 12: a look"));
        let others = "the herd is not held; the role web is, by change 12: a look; db1 is, by change 13: a look";
        resume(&[&["role:web"], &["db1"]], &[], Err(others));
        resume(&[], &["wbe1"], Err("the herd has no host `wbe1`, did you mean `web1`?"));
    }

    #[test]
    fn what_it_comes_to_is_told() {
        let mut known = herd();
        known.reports.get_mut("web2").unwrap().doing = Doing::Running { link: "theme".into() };
        let after = holding(&known, &whom(&["role:web"]), "a look").unwrap();
        let amid = "`web2` is amid something (running `theme`): it ends that link, rejoins, and begins no other";
        assert_eq!(begin_nothing(&known, &after), ["begin nothing: `web1`", amid]);
        let held = held(&[&["role:web"], &["web1"]]);
        let after = resuming(&held, &whom(&["role:web"]), None).unwrap();
        assert_eq!(go_on(&held, &after), ["go on: `web2`", "`web1` stays held: web1 is, by change 13: a look"]);
        let after = resuming(&held, &whom(&["web1"]), None).unwrap();
        assert_eq!(go_on(&held, &after), ["`web1` stays held: the role web is, by change 12: a look"]);
    }

    #[test]
    fn who_is_held_is_listed() {
        let known = held(&[&["role:web"], &["db1"]]);
        let said: Vec<String> = super::held(&known.manifest).iter().map(ToString::to_string).collect();
        let web = "begin nothing: `web1`, `web2`, as the role web is held by change 12: a look";
        assert_eq!(said, [web, "begin nothing: `db1`, as db1 is held by change 13: a look"]);
    }

    #[test]
    fn who_waits_for_a_held_host_is_told() {
        let known = known("db1@page web1@tuning");
        let after = holding(&known, &whom(&["db1"]), "a look").unwrap();
        let waits = "`web1` waits: `theme` (0404040) waits for db1 at `page` (0202020)";
        assert_eq!(begin_nothing(&known, &after), ["begin nothing: `db1`", waits]);
    }

    #[test]
    fn who_waits_in_its_code_is_amid_something() {
        let mut known = known("db1@schema web1@tuning");
        let wait = lets_code_wait(&mut known);
        known.reports.get_mut("web1").unwrap().doing = Doing::from(&wait);
        let after = holding(&known, &whom(&["web1"]), "a look").unwrap();
        let amid = "`web1` is amid something (waits: `theme` (0404040) waits for db1 at the start): it ends that link, \
                    rejoins, and begins no other";
        assert_eq!(begin_nothing(&known, &after), [amid]);
    }
}
