//! What operators say beside deploys, as they read it, and two of them at once.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt::{Debug, Display};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use wb_core::chain::{Chain, Digest, Link, Sha1, Wait};
use wb_core::change::{Canary, Manifest, RolePolicy, Whom};
use wb_core::context::MaxOut;
use wb_core::pool::{Claim, Pool};
use wb_core::registry::{Mirror as _, Pushed, RefName, RefUpdate};
use wb_core::system::files;
use wb_xtask::canary::promoting;
use wb_xtask::deploy::difference::Difference;
use wb_xtask::hold::{HoldError, holding, resuming};
use wb_xtask::known::Known;
use wb_xtask::members::{retiring, tagging};
use wb_xtask::operator::OperatorError;
use wb_xtask::shell::Shell;
use wb_xtask::tell::{NotTold, Told, tell};

use crate::office::Office;

fn sha1(n: u8) -> Sha1 {
    Sha1::from_bytes([n; 20])
}

/// Two servers that were told to reach `page`. The chain goes on with `theme`, which waits for all servers.
fn office() -> Office {
    let office = Office::new();
    for name in ["web1", "web2"] {
        office.scratch.xtask(&office.fleet, &["host", "add", name, "--role", "server"]);
        office.enroll(name);
        office.admit(name);
    }
    let link = |n, name: &str| Link::new(name, sha1(n), "server", Digest::of(name.as_bytes()));
    office.tell(|manifest| {
        let theme = Link { wait: Some(Wait::all("server")), ..link(2, "theme") };
        manifest.chain = Chain::new(vec![link(1, "page"), theme]).unwrap();
        manifest.target = Some(sha1(1));
        manifest.message = "the first page".into();
        manifest.roles.insert("server".into(), RolePolicy::new(MaxOut::Hosts(1)));
    });
    office
}

#[test]
fn hosts_are_held_and_go_on() {
    let office = office();
    insta::assert_snapshot!(office.signed(&["hold", "wbe1", "-m", "a look"]), @"
    error: the herd has no host `wbe1`, did you mean `web1`?
    hint: cargo xtask hold web1 --message 'a look'
    exit code 2
    ");
    insta::assert_snapshot!(office.signed(&["hold", "--role", "sever", "-m", "a look"]), @"
    error: the herd has no role `sever`, did you mean `server`?
    hint: cargo xtask hold --role server --message 'a look'
    exit code 2
    ");
    insta::assert_snapshot!(office.signed(&["hold", "web1", "-m", " "]), @"
    error: --message says nothing
    exit code 2
    ");
    insta::assert_snapshot!(office.signed(&["hold", "web1", "-m", "a look", "--dry-run"]), @"
    + hold of web1: a look
    begin nothing: `web1`
    nothing was told; next: cargo xtask hold web1 --message 'a look' --key SCRATCH/key
    exit code 0
    ");
    insta::assert_snapshot!(office.signed(&["hold", "web1", "-m", "a look"]), @"
    + hold of web1: a look
    begin nothing: `web1`
    change 4 hold: web1: a look, signed by ana@localhost
    next: cargo xtask status
    exit code 0
    ");
    insta::assert_snapshot!(office.signed(&["hold", "web1", "-m", "a look"]), @"
    error: web1 is held already, by change 4: a look
    hint: cargo xtask resume web1
    exit code 1
    ");
    insta::assert_snapshot!(office.signed(&["hold", "-m", "a sale", "--json"]), @r#"
    {
      "change": 5,
      "known": false,
      "dry_run": false,
      "difference": [
        "+ hold of the herd: a sale"
      ],
      "meaning": [
        "begin nothing: `web2`"
      ]
    }
    exit code 0
    "#);
    insta::assert_snapshot!(office.signed(&["resume", "web2"]), @"
    error: web2 is not held; web1 is, by change 4: a look; the herd is, by change 5: a sale
    hint: cargo xtask resume web1
    hint: cargo xtask resume
    exit code 1
    ");
    insta::assert_snapshot!(office.signed(&["resume"]), @"
    - hold of the herd, by change 5: a sale
    go on: `web2`
    `web1` stays held: web1 is, by change 4: a look
    change 6 resume: the herd, signed by ana@localhost
    next: cargo xtask status
    exit code 0
    ");
    insta::assert_snapshot!(office.signed(&["resume", "web1", "-m", "all is well"]), @"
    - hold of web1, by change 4: a look
    go on: `web1`
    change 7 resume: web1: all is well, signed by ana@localhost
    next: cargo xtask status
    exit code 0
    ");
    assert!(office.newest().holds.is_empty());
}

#[test]
fn what_canaries_have_is_promoted() {
    let office = office();
    insta::assert_snapshot!(office.signed(&["promote"]), @"
    error: no canaries go first now, so there is nothing to promote: everyone is told to reach `page` (0000000)
    hint: cargo xtask deploy --canary HOST
    exit code 1
    ");
    office.tell(|manifest| {
        manifest.canary = Some(Canary { hosts: ["web1".to_owned()].into(), target: sha1(2), change: 0, bake: None });
    });
    insta::assert_snapshot!(office.signed(&["promote"]), @"
    error: the canaries have not passed yet: `web1` at the start, waits to be admitted
    hint: cargo xtask status
    hint: cargo xtask promote --now --message WHY
    exit code 1
    ");
    insta::assert_snapshot!(office.signed(&["host", "rename", "web1", "shop1"]), @"
    ~ host `web1`: called `shop1`
    change 5 rename: web1 to shop1, signed by ana@localhost
    next: git commit --message 'Call web1 shop1' -- SCRATCH/fleet/migrations/herd.toml
    edited SCRATCH/fleet/migrations/herd.toml
    exit code 0
    ");
    insta::assert_snapshot!(office.signed(&["promote", "--now", "-m", "a hole is open"]), @"
    ~ target: `theme` (0000000), was `page` (0000000)
    - canaries `shop1`: they go where everyone goes
    go to `theme` (0000000) too: `web2`
    change 6 promote: `theme` (0000000), before shop1 had passed: a hole is open, signed by ana@localhost
    next: cargo xtask status
    exit code 0
    ");
    assert_eq!((office.newest().target, office.newest().canary), (Some(sha1(2)), None));
}

/// Lets a host hold a place in the pool of its role.
fn claim(office: &Office, host: &str) {
    let (operator, manifest) = (office.operator(), office.newest());
    let uuid = manifest.hosts[host].identity.as_ref().unwrap().uuid;
    let holders = vec![Claim { host: host.to_owned(), uuid, nonce: uuid, since: 0 }];
    let pool = Pool { holders, change: manifest.number, nonce: uuid };
    let commit = operator.registry().write_pool("server", &pool, host, Duration::ZERO).unwrap();
    let update = RefUpdate { name: RefName::Out("server".into()), expected: None, new: Some(commit) };
    assert_eq!(operator.registry().push(&[update]).unwrap(), Pushed::Won);
}

#[test]
fn a_pool_that_is_none_is_named_with_what_begins_it_anew() {
    let (office, pool) = (office(), "refs/wildebeest/out/server");
    let operator = office.operator();
    let new = operator.registry().write_state("web1", "page", sha1(1), Duration::ZERO).unwrap();
    let update = RefUpdate { name: RefName::Out("server".into()), expected: None, new: Some(new) };
    assert_eq!(operator.registry().push(&[update]).unwrap(), Pushed::Won);
    let status = office.xtask(&["status"]);
    let told: Vec<&str> = status.lines().filter(|line| line.contains("the pool of server")).collect();
    insta::assert_snapshot!(told.join("\n"), @"
    the pool of server can't be read: `message` in the commit 0000000 is no pool
    hint: to begin the pool of server anew: cargo xtask hold -m '…'; git push SCRATCH/herd.git :refs/wildebeest/out/server; and once all who are out are listed again, cargo xtask resume
    ");
    assert!(status.ends_with("exit code 4"), "{status}");
    office.scratch.git(&office.fleet, &["push", "--quiet", operator.registry().url(), &format!(":{pool}")]);
    assert!(!office.xtask(&["status"]).contains("the pool of server"));
}

/// How long ago a host reported differs from run to run.
fn timeless(said: &str) -> String {
    let words = said.split(' ').map(|word| match word.strip_suffix('s') {
        Some(seconds) if seconds.parse::<u32>().is_ok() => "0s",
        _ => word,
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_claim_is_freed_and_a_wait_is_waived() {
    let office = office();
    insta::assert_snapshot!(office.signed(&["release", "web2", "-m", "it burnt"]), @"
    error: `web2` holds no place in any pool
    hint: cargo xtask status
    exit code 1
    ");
    claim(&office, "web2");
    insta::assert_snapshot!(timeless(&office.signed(&["release", "web2", "-m", "it burnt"])), @"
    error: `web2` reported 0s ago, so it may be alive and out of load; it says: waits to be admitted
    hint: cargo xtask status
    hint: cargo xtask release web2 --force --message 'it burnt'
    exit code 1
    ");
    insta::assert_snapshot!(timeless(&office.signed(&["release", "web2", "-m", "it burnt", "--force"])), @"
    + the claim of `web2` counts for nothing
    a place in the pool of server is free; as `web2` may be out of load too, 2 of server may be out at once
    when `web2` comes back it begins no further link, and rejoins if its specs pass
    change 4 release: web2, which reported 0s ago: it burnt, signed by ana@localhost
    next: cargo xtask status
    exit code 0
    ");
    insta::assert_snapshot!(office.signed(&["release", "web2", "-m", "it burnt", "--force"]), @"
    error: `web2` holds no place in any pool that counts: change 4 freed it
    hint: cargo xtask status
    exit code 1
    ");
    insta::assert_snapshot!(office.signed(&["waive", "page", "web2", "-m", "it burnt"]), @"
    error: `page` (0000000) waits for nobody
    hint: cargo xtask chain
    exit code 1
    ");
    insta::assert_snapshot!(office.signed(&["waive", "teme", "web2", "-m", "it burnt"]), @"
    error: no migration `teme` is deployed, did you mean `theme`?
    hint: cargo xtask waive theme web2 --message 'it burnt'
    exit code 2
    ");
    insta::assert_snapshot!(office.signed(&["waive", "theme", "web2", "-m", "it burnt"]), @"
    + `theme` (0000000) does not wait for `web2`
    change 5 waive: `theme` (0000000) does not wait for web2: it burnt, signed by ana@localhost
    next: cargo xtask status
    exit code 0
    ");
    insta::assert_snapshot!(office.signed(&["waive", "theme", "web2", "-m", "it burnt"]), @"
    error: `theme` (0000000) does not wait for `web2`, as change 5 says
    hint: cargo xtask status
    exit code 1
    ");
    office.signed(&["host", "retire", "web2"]);
    let manifest = office.newest();
    assert_eq!((manifest.released, manifest.waived), (vec![], vec![]));
}

/// Ben, who tells the herd what he likes right before Ana's word arrives.
struct Race<'a> {
    office: &'a Office,
    bens: PathBuf,
}

impl<'a> Race<'a> {
    fn new(office: &'a Office) -> Self {
        Self { office, bens: office.clone_of_fleet("bens") }
    }

    fn ben(&self, args: &[&str]) {
        let key = self.office.key.path().display().to_string();
        let ben = self.office.scratch.xtask(&self.bens, &[args, &["--key", &key]].concat());
        assert_eq!(ben.code, 0, "{}", ben.error_text());
    }

    /// What comes of Ana's word, and what is printed, where Ben comes first.
    fn run<E: Display>(
        &self,
        ben: impl Fn(),
        ana: impl Fn(&Known) -> Result<Manifest, E>,
    ) -> (Result<Told, NotTold<E>>, String) {
        let (operator, (shell, said), first) = (self.office.operator(), Shell::captured(), Cell::new(true));
        let next = |known: &Known| {
            let next = ana(known);
            if first.replace(false) {
                ben();
            }
            next
        };
        let shown = |known: &Known, after: &Manifest| Difference::between(&known.manifest, after).lines();
        let known = Known::ask(&operator, &shell).unwrap();
        (tell(&operator, known, &self.office.key, &shell, next, shown), said.text())
    }

    /// What Ana says comes to something else after what Ben said, so that she is told, and nothing else is.
    fn refuse<E: Display + Debug>(&self, ben: impl Fn(), ana: impl Fn(&Known) -> Result<Manifest, E>) -> String {
        let (told, said) = self.run(ben, ana);
        let otherwise = OperatorError::Otherwise.to_string();
        assert_eq!(told.as_ref().map_err(ToString::to_string), Err(otherwise), "{told:?}");
        said
    }
}

#[test]
fn of_two_operators_at_once_nothing_is_lost() {
    let office = office();
    let race = Race::new(&office);
    let hold = |known: &Known, host: &str| holding(known, &[Whom::Host(host.to_owned())].into(), "a look");
    let (told, said) = race.run(|| race.ben(&["hold", "web2", "-m", "ben is first"]), |known| hold(known, "web1"));
    let Ok(Told::Now(change)) = told else { panic!("{told:?}") };
    assert_eq!(change.manifest.to_string(), "5 hold: web1: a look");
    let held: Vec<String> = change.manifest.holds.iter().map(|hold| hold.whom.to_string()).collect();
    assert_eq!(held, ["web2", "web1"], "nothing of either is lost");
    insta::assert_snapshot!(said, @"
    note: the herd was told something else meanwhile:
      change 4 hold: web2: ben is first, by wildebeest <wildebeest@localhost>, signed by ana@localhost
        + hold of web2: ben is first
    ");
    let (refused, _) = race.run(|| (), |known| hold(known, "web2"));
    assert!(matches!(refused, Err(NotTold::Refused(HoldError::Already(_)))), "{refused:?}");
}

#[test]
fn nobody_signs_what_they_have_not_seen() {
    let office = office();
    let race = Race::new(&office);
    let roles = |roles: &[&str]| roles.iter().map(|role| (*role).to_owned()).collect::<BTreeSet<_>>();
    let tag = |known: &Known| Ok::<_, HoldError>(tagging(&known.manifest, "web1", &roles(&["server", "database"])));
    let cache = || office.tell(|now| now.hosts.get_mut("web1").unwrap().roles = roles(&["server", "cache"]));
    race.refuse(cache, tag);
    assert_eq!(office.newest().hosts["web1"].roles, roles(&["server", "cache"]), "Ben's role stays");

    let canary = |target| Some(Canary { hosts: roles(&["web1"]), target: sha1(target), change: 0, bake: None });
    office.tell(|now| now.canary = canary(1));
    let said = race.refuse(|| office.tell(|now| now.canary = canary(2)), |known| promoting(known, true, None));
    assert!(said.contains("~ canaries `web1`: to `theme`"), "{said}");
    assert_eq!(office.newest().target, Some(sha1(1)), "nobody gets what no canary has run");

    race.ben(&["hold", "-m", "a sale"]);
    let again = || {
        race.ben(&["resume"]);
        race.ben(&["hold", "-m", "the disks are full"]);
    };
    race.refuse(again, |known| resuming(known, &BTreeSet::new(), None));
    assert_eq!(office.newest().holds[0].why, "the disks are full", "the new hold stays");
}

/// Lets the remote take a change, break the connection before it says so, and then run this.
fn break_after(office: &Office, then: &str) {
    let remote = office.scratch.path("herd.git");
    let hook = remote.join("hooks/reference-transaction");
    let text = format!(
        "#!/bin/sh\n[ \"$1\" = committed ] && [ -z \"$ONCE\" ] && grep -q changes || exit 0\nexport ONCE=1\n\
         rm hooks/reference-transaction\n{then}\nkill -9 $PPID\n"
    );
    files::create_dir(remote.join("hooks")).unwrap();
    files::write(&hook, text, 0o755).unwrap();
}

#[test]
fn a_change_that_the_remote_took_is_told_although_nobody_heard_so() {
    let office = office();
    let other = "git update-ref refs/wildebeest/changes \
                 $(GIT_AUTHOR_NAME=b GIT_AUTHOR_EMAIL=b GIT_COMMITTER_NAME=b GIT_COMMITTER_EMAIL=b \
                 git commit-tree -m other -p refs/wildebeest/changes refs/wildebeest/changes^{tree})";
    break_after(&office, other);
    let said = office.signed(&["hold", "web1", "-m", "a look"]);
    assert!(said.contains("change 4 hold: web1: a look, signed by ana@localhost\nnext"), "{said}");
}

#[test]
fn where_nobody_knows_whether_a_change_was_told_that_is_said() {
    let office = office();
    break_after(&office, "mv $PWD $PWD.gone");
    let said = office.signed(&["hold", "web1", "-m", "a look"]);
    let unknown =
        "error: nobody knows whether the herd was told change 4: the remote did not say so, and can't be asked\n";
    assert!(said.contains(unknown), "{said}");
    assert!(said.contains("hint: cargo xtask changes 4\n") && said.ends_with("exit code 3"), "{said}");
}

#[test]
fn what_others_told_first_is_not_told_again() {
    let office = office();
    let race = Race::new(&office);
    let gone = BTreeSet::from(["web2".to_owned()]);
    let retire = |known: &Known| Ok::<_, HoldError>(retiring(&known.manifest, &gone));
    let (told, _) = race.run(|| race.ben(&["host", "retire", "web2"]), retire);
    let Ok(Told::Before(change)) = told else { panic!("{told:?}") };
    assert_eq!((change.manifest.number, office.newest().number), (4, 4));
}

#[test]
fn canaries_that_make_no_sense_are_refused_before_anything_is_built() {
    let office = Office::new();
    for name in ["web1", "web2"] {
        office.scratch.xtask(&office.fleet, &["host", "add", name, "--role", "server"]);
    }
    office.enroll("web1");
    office.admit("web1");
    office.scratch.git(&office.fleet, &["add", "--all"]);
    office.scratch.git(&office.fleet, &["commit", "--quiet", "-m", "Two hosts"]);
    let deploy = |args: &[&str]| office.signed(&[&["deploy"], args].concat());
    insta::assert_snapshot!(deploy(&["--bake", "30m"]), @"
    error: --bake is for canaries, and there are none
    hint: cargo xtask deploy --bake 30m --key SCRATCH/key --canary HOST
    exit code 2
    ");
    insta::assert_snapshot!(deploy(&["--bake", "soon", "--canary", "web1"]), @"
    error: invalid value 'soon' for '--bake <TIME>': expected number at 0

    For more information, try '--help'.
    exit code 2
    ");
    insta::assert_snapshot!(deploy(&["--canary", "wbe1", "--bake", "90m", "-m", "a try"]), @"
    asking SCRATCH/herd.git …
    error: the herd has no host `wbe1`, did you mean `web1`?
    hint: cargo xtask deploy --canary web1 --bake 1h30m --message 'a try' --key SCRATCH/key
    exit code 2
    ");
    insta::assert_snapshot!(deploy(&["--canary", "web1", "web2"]), @"
    asking SCRATCH/herd.git …
    error: `web2` is not admitted, so it can't be a canary
    hint: cargo xtask host admit web2
    exit code 1
    ");
    insta::assert_snapshot!(deploy(&["--role", "cache"]), @"
    asking SCRATCH/herd.git …
    error: the herd has no role `cache`
    hint: cargo xtask status
    exit code 2
    ");
    insta::assert_snapshot!(deploy(&["--until", "bse_packages"]), @"
    asking SCRATCH/herd.git …
    error: the chain has no migration `bse_packages`, did you mean `base_packages`?
    hint: cargo xtask deploy --until base_packages --key SCRATCH/key
    exit code 2
    ");
    assert_eq!(office.newest().number, 1, "nothing was told");
}

/// When a change was made differs from run to run.
fn undated(said: &str) -> String {
    let words = said.split(' ').map(|word| match word.trim_end_matches(',') {
        date if date.len() == 20 && date.ends_with('Z') => word.replace(date, "2001-09-09T01:46:40Z"),
        _ => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn the_log_says_who_said_what() {
    let office = office();
    office.signed(&["hold", "web1", "-m", "a look"]);
    insta::assert_snapshot!(undated(&office.xtask(&["changes"])), @"
    #  when                  author      signed by      kind    hosts   message
    4  2001-09-09T01:46:40Z  wildebeest  ana@localhost  hold    0 of 2  web1: a look
    3  2001-09-09T01:46:40Z  wildebeest  ana@localhost  deploy  0 of 2  the first page
    2  2001-09-09T01:46:40Z  wildebeest  ana@localhost  admit   0 of 2  web2
    1  2001-09-09T01:46:40Z  wildebeest  ana@localhost  admit   0 of 1  web1
    next: cargo xtask changes 4
    exit code 0
    ");
    insta::assert_snapshot!(undated(&office.xtask(&["changes", "4"])), @"
    change 4 hold: web1: a look
    by wildebeest <wildebeest@localhost>, signed by ana@localhost, at 2001-09-09T01:46:40Z, commit 0000000
    + hold of web1: a look
    host  outcome       when
    web1  not seen yet
    web2  not seen yet
    0 of 2 hosts have it behind them; next: cargo xtask status
    exit code 0
    ");
    insta::assert_snapshot!(undated(&office.xtask(&["changes", "3"])), @"
    change 3 deploy: the first page
    by wildebeest <wildebeest@localhost>, signed by ana@localhost, at 2001-09-09T01:46:40Z, commit 0000000
    + migration `page` (0000000) for role `server`, 2 hosts
    + migration `theme` (0000000) for role `server`, 2 hosts
    ~ target: `page` (0000000), was none
    + role `server`: at most 1 out
    host  outcome       when
    web1  not seen yet
    web2  not seen yet
    0 of 2 hosts have it behind them; next: cargo xtask status
    exit code 0
    ");
    insta::assert_snapshot!(undated(&office.xtask(&["changes", "--full"])), @"
    change 4 hold: web1: a look
    by wildebeest <wildebeest@localhost>, signed by ana@localhost, at 2001-09-09T01:46:40Z, commit 0000000
    + hold of web1: a look
    host  outcome       when
    web1  not seen yet
    web2  not seen yet
    0 of 2 hosts have it behind them

    change 3 deploy: the first page
    by wildebeest <wildebeest@localhost>, signed by ana@localhost, at 2001-09-09T01:46:40Z, commit 0000000
    + migration `page` (0000000) for role `server`, 2 hosts
    + migration `theme` (0000000) for role `server`, 2 hosts
    ~ target: `page` (0000000), was none
    + role `server`: at most 1 out
    host  outcome       when
    web1  not seen yet
    web2  not seen yet
    0 of 2 hosts have it behind them

    change 2 admit: web2
    by wildebeest <wildebeest@localhost>, signed by ana@localhost, at 2001-09-09T01:46:40Z, commit 0000000
    + host `web2`: server
    host  outcome       when
    web1  not seen yet
    web2  not seen yet
    0 of 2 hosts have it behind them

    change 1 admit: web1
    by wildebeest <wildebeest@localhost>, signed by ana@localhost, at 2001-09-09T01:46:40Z, commit 0000000
    + host `web1`: server
    host  outcome       when
    web1  not seen yet
    0 of 1 hosts have it behind them

    next: cargo xtask status
    exit code 0
    ");
    insta::assert_snapshot!(office.xtask(&["changes", "9"]), @"
    error: there is no change 9: they go from 1 to 4
    hint: cargo xtask changes
    exit code 2
    ");
    let json = |args: &[&str]| -> Value {
        let said = office.scratch.xtask(&office.fleet, args).text();
        serde_json::from_str(&said).unwrap()
    };
    let full = json(&["changes", "4", "--json"]);
    let said = (&full["kind"], &full["signer"], &full["hosts"][0]["outcome"]);
    assert_eq!(said, (&"hold".into(), &"ana@localhost".into(), &"not_seen".into()));
    let all = json(&["changes", "--json"]);
    assert_eq!((all.as_array().unwrap().len(), &all[0]), (4, &full), "each as the one");
    assert_eq!(all[0]["hosts"][1], serde_json::json!({"host": "web2", "outcome": "not_seen", "seen": null}));
    files::write(office.fleet.join("migrations/allowed_signers"), "", 0o644).unwrap();
    let listed = office.xtask(&["changes"]);
    assert_eq!(listed.matches("nobody who counts").count(), 4, "{listed}");
    let full = office.xtask(&["changes", "4"]);
    assert!(full.contains("signed by nobody who counts") && full.contains("no report of it counts"), "{full}");
}
