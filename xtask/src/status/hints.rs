//! What to do next, in commands: for each kind of trouble, of the hosts that have it, the first one, so that a page about a
//! large herd stays short.

use std::collections::BTreeMap;

use wb_core::change::Whom;
use wb_core::herd::is_name;
use wb_core::plan::Stop;
use wb_core::registry::RefName;
use wb_core::system::quoted;

use super::{CanaryStatus, Damage, HerdStatus, HostStatus, Phase, PoolStatus, ways_out};
use crate::calendar;
use crate::hold;
use crate::table::one_line;

impl HerdStatus {
    /// What to do next, in commands. Of whoever needs people, there is one at least.
    #[must_use]
    pub fn hints(&self) -> Vec<String> {
        let mut hints: Vec<String> =
            self.lost_change.map(|_| "cargo xtask changes recover".to_owned()).into_iter().collect();
        hints.extend(self.pools.iter().find_map(|pool| self.mended(pool)));
        hints.extend(self.failures().into_iter().flat_map(|(host, at)| ways_out(host, at, &self.deploy())));
        hints.extend(self.of_hosts());
        hints.extend(self.lost().map(|host| format!("if {host} is dead: cargo xtask release {host} -m '…'")));
        hints.extend(self.holding().into_iter().map(|whom| format!("to end the hold: {}", hold::ended_by(whom))));
        hints.extend(self.canary.as_ref().and_then(CanaryStatus::promoted_by));
        let is_deployed = self.target.is_some() || self.canary.is_some();
        hints.extend((!is_deployed).then(|| "cargo xtask deploy".to_owned()));
        hints
    }

    /// What brings a migration that was mended to all hosts, and lets nobody go further than they were told to.
    fn deploy(&self) -> String {
        let until = || self.until.as_ref().map(|link| format!(" --until {link}")).unwrap_or_default();
        format!("cargo xtask deploy{}", self.canary.as_ref().map_or_else(until, CanaryStatus::deployed_by))
    }

    /// How a pool that nobody can claim from is begun anew: meanwhile nobody leaves, and who is out claims again by itself.
    fn mended(&self, PoolStatus { role, damage, .. }: &PoolStatus) -> Option<String> {
        let (remote, name) = (quoted(&one_line(&self.remote)), quoted(&format!(":{}", RefName::Out(role.clone()))));
        let anew = format!(
            "cargo xtask hold -m '…'; git push {remote} {name}; and once all who are out are listed again, cargo xtask resume"
        );
        Some(match damage.as_ref()? {
            Damage::Unreadable { .. } => format!("to begin the pool of {role} anew: {anew}"),
            Damage::Ahead { change } => {
                let log = format!("to bring change {change} back: cargo xtask changes recover");
                format!("{log}; where nobody knows it, to begin the pool of {role} anew: {anew}")
            }
        })
    }

    fn of_hosts(&self) -> impl Iterator<Item = String> {
        let mut first: BTreeMap<Trouble, &HostStatus> = BTreeMap::new();
        // Others may want the places that some hold.
        let (holders, others): (Vec<_>, Vec<_>) = self.hosts.iter().partition(|host| self.holds_place(host));
        for host in holders.into_iter().chain(others) {
            if let Some(trouble) = self.trouble(host) {
                first.entry(trouble).or_insert(host);
            }
        }
        first.into_iter().filter_map(|(trouble, host)| match trouble {
            Trouble::Clock if self.holds_place(host) => Some(host.clock_or_death()),
            trouble => host.way_out(trouble),
        })
    }

    /// Whether it is out of load by a claim that counts.
    fn holds_place(&self, host: &HostStatus) -> bool {
        let mut holders = self.pools.iter().flat_map(|pool| &pool.holders);
        holders.any(|holder| holder.counts && holder.host == host.name)
    }

    fn trouble(&self, host: &HostStatus) -> Option<Trouble> {
        Some(match host.phase {
            Phase::Contested => Trouble::Contested,
            Phase::Stopped if self.lacks_a_pool(host) => return None,
            Phase::Stopped if !host.waits_for.is_empty() => Trouble::Missing,
            Phase::Stopped => Trouble::Stopped,
            Phase::Drifted => Trouble::Drifted,
            Phase::Unknown if self.is_ahead(host) => Trouble::Clock,
            Phase::Unknown => Trouble::Late,
            Phase::Silent => Trouble::Silent,
            Phase::Overdue => Trouble::Overdue,
            Phase::Expected if !self.newcomers.contains(&host.name) => Trouble::Expected,
            _ => return None,
        })
    }

    /// Whether all that is wrong with a host that stopped is a damaged pool, which has a hint of its own.
    fn lacks_a_pool(&self, host: &HostStatus) -> bool {
        let mut damaged = self.pools.iter().filter(|pool| pool.damage.is_some());
        damaged.any(|pool| Stop::is_of_pool(&host.detail, &pool.role))
    }

    /// Whether nobody knows what the host does, since its report comes from the future.
    fn is_ahead(&self, host: &HostStatus) -> bool {
        host.phase == Phase::Unknown && host.reported > Some(self.time)
    }

    /// What holds hosts that could go on otherwise, or try again.
    fn holding(&self) -> Vec<&Whom> {
        let is_kept =
            |host: &HostStatus| host.phase == Phase::Held || (host.phase == Phase::Failed && host.held_by.is_some());
        let is_held = |whom: &Whom| {
            self.hosts.iter().any(|host| match whom {
                _ if !is_kept(host) => false,
                Whom::Herd | Whom::Other(_) => true,
                Whom::Role(role) => host.roles.contains(role),
                Whom::Host(name) => *name == host.name,
            })
        };
        self.holds.iter().map(|hold| &hold.whom).filter(|whom| is_held(whom)).collect()
    }

    /// The hosts that nobody hears of and that hold a place which others may want. One whose report comes from the future
    /// may well be alive.
    fn lost(&self) -> impl Iterator<Item = &str> {
        let is_silent = |host: &HostStatus| match host.phase {
            Phase::Unknown => !self.is_ahead(host),
            phase => phase == Phase::Silent,
        };
        let lost = self.hosts.iter().filter(move |host| is_silent(host) && self.holds_place(host));
        lost.map(|host| host.name.as_str())
    }

    /// The links at which something failed, each with the first host.
    fn failures(&self) -> Vec<(&str, &str)> {
        let mut failures: Vec<(&str, &str)> = Vec::new();
        for (host, at) in self.failed() {
            if failures.iter().all(|(_, other)| *other != at) {
                failures.push((host, at));
            }
        }
        failures
    }
}

impl CanaryStatus {
    /// The options of a deploy to the same canaries, as far and with the same bake.
    fn deployed_by(&self) -> String {
        let hosts: String = self.hosts.keys().map(|name| format!(" {name}")).collect();
        let bake = self.bake.map(|bake| format!(" --bake {}", calendar::word(bake)));
        let until = self.until.as_ref().map(|link| format!(" --until {link}"));
        format!(" --canary{hosts}{}{}", bake.unwrap_or_default(), until.unwrap_or_default())
    }

    fn promoted_by(&self) -> Option<String> {
        let promote = if self.stuck { "cargo xtask promote --now -m '…'" } else { "cargo xtask promote" };
        self.needs_people().then(|| promote.to_owned())
    }
}

/// What is wrong with a host, by what people can do about it. What needs them most comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Trouble {
    Contested,
    Stopped,
    /// It must not go on before others are where it wants them.
    Missing,
    Drifted,
    /// It has not reported for too long.
    Late,
    /// Its clock, or the one here, is wrong.
    Clock,
    Silent,
    Overdue,
    Expected,
}

impl HostStatus {
    /// What ends its trouble, where people can.
    fn way_out(&self, trouble: Trouble) -> Option<String> {
        let name = &self.name;
        let waive = || {
            let (link, host) = (self.next.as_ref()?, self.waits_for.first().filter(|host| is_name(host))?);
            Some(format!("if `{link}` shall not wait for {host}: cargo xtask waive {link} {host} -m '…'"))
        };
        Some(match trouble {
            Trouble::Contested => {
                format!("on the true {name}: wildebeest keep; on the copy: wildebeest rekey --name NAME")
            }
            Trouble::Stopped | Trouble::Late => format!("on {name}: wildebeest status"),
            Trouble::Drifted => format!("on {name}: wildebeest verify"),
            Trouble::Clock => self.clock(),
            Trouble::Silent => format!("if {name} is gone for good: cargo xtask host retire {name}"),
            Trouble::Missing => waive().unwrap_or_else(|| format!("on {name}: wildebeest status")),
            Trouble::Overdue => waive()?,
            Trouble::Expected => {
                format!("on the machine: wildebeest enroll --name {name} …, then cargo xtask host admit {name}")
            }
        })
    }

    fn clock(&self) -> String {
        format!("one of two clocks is wrong, compare: date -u here, and date -u on {}", self.name)
    }

    /// A dead host's report stays in the future for as long as its clock was ahead, and its place is taken meanwhile.
    fn clock_or_death(&self) -> String {
        format!("{}; if it is dead: cargo xtask release {} --force -m '…'", self.clock(), self.name)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use wb_core::chain::Wait;
    use wb_core::change::{Hold, Manifest};
    use wb_core::report::Doing;

    use super::super::tests::{Herd, link};
    use super::super::{Known, Verdict};
    use super::*;

    fn check(hosts: &[&str], change: impl Fn(&mut Herd), expect: &[&str]) {
        let mut herd = Herd::new(hosts);
        change(&mut herd);
        assert_eq!(herd.status().hints(), expect, "{hosts:?}");
    }

    #[test]
    fn whoever_needs_people_says_what_they_can_do() {
        let as_it_is = |_: &mut Herd| ();
        check(&["web1@3", "web2@2 runs"], as_it_is, &[]);
        let keep = "on the true web1: wildebeest keep; on the copy: wildebeest rekey --name NAME";
        check(&["web1@3"], |herd| herd.report("web1").contested = true, &[keep]);
        check(&["web1@9 stopped", "web2@9 stopped"], as_it_is, &["on web1: wildebeest status"]);
        check(&["web7"], as_it_is, &["if web7 is gone for good: cargo xtask host retire web7"]);
        let enroll = "on the machine: wildebeest enroll --name web9 …, then cargo xtask host admit web9";
        check(&["web9"], as_it_is, &[enroll]);
        check(&["web9"], |herd| herd.newcomers.extend(["web9".to_owned()]), &[]);
        let waive = "if `second_page` shall not wait for web2: cargo xtask waive second_page web2 -m '…'";
        check(&["web1@2 overdue", "web2@2 runs"], as_it_is, &[waive]);
        check(&["web1@2 missed", "web2@2 runs"], as_it_is, &[waive]);
        check(&["web1@9 missed", "web2@2 runs"], as_it_is, &["on web1: wildebeest status"]);
        let both = ["on web0: wildebeest status", waive];
        check(&["web0@9 stopped", "web1@2 missed", "web2@2 runs"], as_it_is, &both);
    }

    #[test]
    fn what_is_mended_is_deployed_without_letting_anybody_go_further() {
        let deploy = |first: &[&str], target: u8, bake: Option<u64>| {
            let mut herd = Herd::new(&["web1@2 failed", "web2@2", "web3@1"]);
            let hosts = first.iter().map(|&host| host.to_owned()).collect();
            let canary = wb_core::change::Canary { hosts, target: link(target).sha1, change: 0, bake };
            if first.is_empty() {
                herd.known.manifest.target = Some(canary.target);
            } else {
                herd.known.manifest.canary = Some(canary);
            }
            herd.status().hints().into_iter().find(|hint| hint.contains("amend")).unwrap()
        };
        let check = |first: &[&str], target: u8, bake: Option<u64>, expect: &str| {
            let amend = "or mend the migration, then cargo xtask amend second_page --why '…', and cargo xtask deploy";
            assert_eq!(deploy(first, target, bake), format!("{amend}{expect}"));
        };
        check(&[], 3, None, "");
        check(&[], 2, None, " --until install_nginx");
        check(&["web1", "web2"], 3, None, " --canary web1 web2");
        check(&["web2"], 3, Some(1800), " --canary web2 --bake 30m");
        check(&["web1"], 2, Some(5400), " --canary web1 --bake 1h30m --until install_nginx");
    }

    #[test]
    fn whose_clock_is_wrong_may_be_alive_and_is_released_by_force_only() {
        let clock = "one of two clocks is wrong, compare: date -u here, and date -u on web1; if it is dead: cargo xtask \
                     release web1 --force -m '…'";
        let (look, release) = ("on web2: wildebeest status", "if web2 is dead: cargo xtask release web2 -m '…'");
        let out = |ahead: &'static [&str], late: &'static [&str]| {
            move |herd: &mut Herd| {
                for (since, host) in (999_000..).zip(["web1", "web2"]) {
                    herd.claim(host, since);
                }
                ahead.iter().for_each(|host| herd.report(host).time = 2_000_000);
                late.iter().for_each(|host| herd.report(host).time = 990_000);
            }
        };
        let hosts = ["web1@2 runs", "web2@2 runs"];
        check(&hosts, out(&[], &[]), &[]);
        check(&hosts, out(&["web1"], &[]), &[clock]);
        check(&hosts, out(&[], &["web2"]), &[look, release]);
        check(&hosts, out(&["web1"], &["web2"]), &[look, clock, release]);
        let in_load = "one of two clocks is wrong, compare: date -u here, and date -u on web0";
        let ahead = |herd: &mut Herd| herd.report("web0").time = 2_000_000;
        check(&["web0@3"], ahead, &[in_load]);
        let both = |herd: &mut Herd| {
            ahead(herd);
            out(&["web1"], &[])(herd);
        };
        check(&["web0@3", "web1@2 runs", "web2@2 runs"], both, &[clock]);
    }

    #[test]
    fn a_pool_that_nobody_can_claim_from_is_begun_anew() {
        let anew = "cargo xtask hold -m '…'; git push git@example.com:herd.git :refs/wildebeest/out/web; and once all who \
                    are out are listed again, cargo xtask resume";
        let check = |change: fn(&mut Known), expect: Option<(&str, String)>| {
            let mut herd = Herd::new(&["web1@3", "web2@3"]);
            herd.known.remote = "git@example.com:herd.git".into();
            change(&mut herd.known);
            let status = herd.status();
            let verdict = if expect.is_some() { Verdict::NeedsPeople } else { Verdict::Settled };
            let (said, hint) = expect.unzip();
            assert_eq!((status.verdict, status.hints()), (verdict, hint.into_iter().collect::<Vec<_>>()));
            let (text, json) = (status.text(), serde_json::to_value(&status.pools[0]).unwrap());
            assert_eq!(json.get("damage").and_then(|damage| damage.as_str()), said);
            assert!(said.is_none_or(|said| text.contains(&format!("the pool of web {said}\n"))), "{text}");
        };
        let damaged = |known: &mut Known| known.damaged.extend([("web".into(), "it is none".into())]);
        check(damaged, Some(("can't be read: it is none", format!("to begin the pool of web anew: {anew}"))));
        check(|_| (), None);
        check(|known| known.pools.entry("web".into()).or_default().change = 4, None);
        check(|known| known.pools.entry("mail".into()).or_default().change = 9, None);
        let ahead = format!(
            "to bring change 9 back: cargo xtask changes recover; where nobody knows it, to begin the pool of web anew: {anew}"
        );
        let names = "names change 9, which there is not";
        check(|known| known.pools.entry("web".into()).or_default().change = 9, Some((names, ahead)));
    }

    #[test]
    fn who_stopped_only_for_a_damaged_pool_has_its_hint() {
        let hints = |is_damaged: bool, why: &str| {
            let mut herd = Herd::new(&["web1@2 stopped", "web2@3"]);
            herd.report("web1").doing = Doing::stopped(why);
            herd.known.damaged.extend(is_damaged.then(|| ("web".into(), "it is none".into())));
            assert!(herd.status().hosts[0].needs_people, "{why}");
            herd.status().hints()
        };
        let check = |is_damaged, why: &str, of_pool, of_host| {
            let hints = hints(is_damaged, why);
            let begin = |start: &str| hints.iter().filter(|hint| hint.starts_with(start)).count();
            let counts = (begin("to begin the pool of web anew: "), begin("on web1: wildebeest status"));
            assert_eq!((counts, hints.len()), ((of_pool, of_host), of_pool + of_host), "{why}: {hints:?}");
        };
        let stop = |role: &str| Stop::Pool { role: role.into(), why: "it is none".into() }.to_string();
        check(true, &stop("web"), 1, 0);
        check(false, &stop("web"), 0, 1);
        check(true, &stop("mail"), 1, 1);
        check(true, "the state 0909090 is not in the chain", 1, 1);
    }

    #[test]
    fn a_hold_is_ended_by_the_words_that_began_it() {
        let held = |whom: Whom| {
            move |herd: &mut Herd| {
                herd.known.manifest.holds.push(Hold { whom: whom.clone(), change: 4, why: "a look".into() });
            }
        };
        let resume = "to end the hold: cargo xtask resume web1";
        check(
            &["web1@2 failed"],
            |herd| {
                held(Whom::Host("web1".into()))(herd);
                herd.known.manifest.hosts.get_mut("web1").unwrap().retry = 3;
                assert!(herd.status().hosts[0].needs_people, "nothing is tried again before the hold ends");
            },
            &[resume],
        );
        let check = |whom, expect: &[&str]| check(&["web1@2 held", "web2@2 waits"], held(whom), expect);
        check(Whom::Herd, &["to end the hold: cargo xtask resume"]);
        check(Whom::Role("web".into()), &["to end the hold: cargo xtask resume --role web"]);
        check(Whom::Host("web1".into()), &["to end the hold: cargo xtask resume web1"]);
        check(Whom::Host("web2".into()), &[]);
    }

    #[test]
    fn where_nothing_is_deployed_or_the_log_was_rewound_people_must_act() {
        let known = Known { manifest: Manifest { number: 2, ..Manifest::default() }, ..Known::default() };
        let status = HerdStatus::of(&known, BTreeSet::new());
        assert_eq!((status.verdict, status.hints()), (Verdict::NeedsPeople, vec!["cargo xtask deploy".to_owned()]));
        let mut herd = Herd::new(&["web1@3"]);
        herd.known.lost = Some(5);
        let status = herd.status();
        assert_eq!(
            (status.verdict, status.hints()),
            (Verdict::NeedsPeople, vec!["cargo xtask changes recover".to_owned()])
        );
        assert!(status.text().contains("the remote has lost change 5, which was seen from here\n"));
    }

    #[test]
    fn canaries_that_wait_for_one_another_are_promoted_all_the_same() {
        let mut herd = Herd::new(&["web1@2 waits", "web2@2 waits", "web3@1"]);
        let hosts = ["web1".to_owned(), "web2".to_owned()].into();
        let manifest = &mut herd.known.manifest;
        manifest.target = Some(link(1).sha1);
        manifest.canary = Some(wb_core::change::Canary { hosts, target: link(3).sha1, change: 0, bake: Some(60) });
        assert_eq!(herd.status().verdict, Verdict::OnItsWay, "for a place in a pool they wait");
        let mut links = herd.known.manifest.chain.links().to_vec();
        links[2].wait = Some(Wait::all("web"));
        herd.known.manifest.chain = wb_core::chain::Chain::new(links).unwrap();
        let status = herd.status();
        let promote = "cargo xtask promote --now -m '…'".to_owned();
        assert_eq!((status.verdict, status.hints()), (Verdict::NeedsPeople, vec![promote]));
        let mut links = herd.known.manifest.chain.links().to_vec();
        links[2].inside = links[2].wait.take().into_iter().collect();
        herd.known.manifest.chain = wb_core::chain::Chain::new(links).unwrap();
        assert_eq!(herd.status().verdict, Verdict::NeedsPeople, "in their code, too");
        herd.report("web3").accepted = Some(3);
        assert_eq!(herd.status().verdict, Verdict::OnItsWay, "one may still go on");
    }
}
