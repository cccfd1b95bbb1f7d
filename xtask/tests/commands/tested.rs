//! What was tested, as this machine and the remote have it: whose word counts, and about which runner.

use std::path::Path;

use wb_core::chain::{Chain, Digest, Link, Sha1};
use wb_core::registry::{Mirror as _, NewCommit, Pushed, RefName, RefUpdate, SigningKey, generate, public_key};
use wb_core::system::files;
use wb_xtask::attestation::{self, Attestation, Found};
use wb_xtask::fleet::Fleet;
use wb_xtask::operator::{Operator, TESTERS_FILE};

use crate::office::Office;
use crate::support::Scratch;

const PLATFORM: &str = "x86_64-linux";
const RUNNER: &[u8] = b"a runner";

/// A chain of one link.
fn chain(n: u8) -> Chain {
    Chain::new(vec![Link::new("page", Sha1::from_bytes([n; 20]), "server", Digest::of(b"page"))]).unwrap()
}

fn made(n: u8, time: u64) -> Attestation {
    Attestation {
        sha256: Digest::of(b""),
        platform: PLATFORM.into(),
        triple: "x86_64-unknown-linux-musl".into(),
        source: Sha1::from_bytes([9; 20]),
        tip: chain(n).tip().map(|link| link.sha1),
        chain: chain(n),
        runner: None,
        image: "debian12".into(),
        wildebeest: "0.1.0".into(),
        time,
        no_roll: None,
        results: Vec::new(),
    }
}

/// A fleet, and an operator at it, who knows its lists as they are now.
fn at(dir: &Path) -> (Fleet, Operator) {
    let fleet = Fleet::around(dir).unwrap();
    let operator = Operator::of(&fleet).unwrap();
    (fleet, operator)
}

/// A key for tests, which these fleets know as `ci@localhost`.
fn tester(office: &Office, fleets: &[&Path]) -> SigningKey {
    let key = generate(&office.scratch.path("ci"), "ci").unwrap();
    let line = format!("ci@localhost {}\n", public_key(key.path()).unwrap());
    for fleet in fleets {
        files::write(fleet.join("migrations").join(TESTERS_FILE), &line, 0o644).unwrap();
    }
    key
}

/// Who attests this runner, whether that was here, and whether it counts.
fn who(operator: &Operator, runner: &[u8]) -> Option<(String, bool, bool)> {
    let found = attestation::of(operator, PLATFORM, Digest::of(runner)).unwrap()?;
    let counts = found.counts();
    Some((found.signer.unwrap_or_default(), found.is_own, counts))
}

/// Puts a commit where a word about this runner has its place, as whoever may push can.
fn put(operator: &Operator, runner: &[u8], commit: Sha1) {
    let name = RefName::Tested { platform: PLATFORM.into(), sha256: Digest::of(runner) };
    let registry = operator.registry();
    registry.fetch(&[name.to_string()]).unwrap();
    let expected = registry.get(&name).unwrap();
    assert_eq!(registry.push(&[RefUpdate { name, expected, new: Some(commit) }]).unwrap(), Pushed::Won);
}

#[test]
fn what_was_tested_here_counts_and_what_lies_on_the_remote_where_somebody_signed_it_who_may() {
    let office = Office::new();
    let [bens, carls, dinas] = ["bens", "carls", "dinas"].map(|name| office.clone_of_fleet(name));
    let ci = tester(&office, &[bens.as_path(), carls.as_path()]);
    let stranger = generate(&office.scratch.path("stranger"), "stranger").unwrap();
    let ((fleet, ana), (bens, ben), (_, carl), (_, dina)) = (at(&office.fleet), at(&bens), at(&carls), at(&dinas));
    let of = |signer: &str, is_own, counts| Some((signer.to_owned(), is_own, counts));
    assert_eq!((who(&ana, RUNNER), who(&carl, RUNNER)), (None, None));
    let kept = |time, key| attestation::record(Some(&ana), &fleet, &made(1, time), RUNNER, key, false).unwrap();
    let unsigned = kept(1, None);
    assert_eq!((who(&ana, RUNNER), who(&carl, RUNNER)), (of("", true, true), None), "nothing was pushed");
    put(&ana, RUNNER, unsigned);
    assert_eq!(who(&carl, RUNNER), of("", false, false), "whoever may push may put that there");
    put(&ana, RUNNER, kept(2, Some(&stranger)));
    assert_eq!(who(&carl, RUNNER), of("", false, false));
    attestation::record(Some(&ben), &bens, &made(1, 3), RUNNER, Some(&ci), true).unwrap();
    assert_eq!(who(&carl, RUNNER), of("ci@localhost", false, true), "it took the place of what does not count");
    assert_eq!(who(&dina, RUNNER), of("", false, false), "her list does not name that key");
    attestation::record(Some(&ana), &fleet, &made(1, 4), RUNNER, Some(&office.key), true).unwrap();
    assert_eq!(who(&carl, RUNNER), of("ana@localhost", false, true), "who may tell the herd may say this, too");
    assert_eq!(who(&carl, b"another runner"), None);
    let runners = office.scratch.git(&office.fleet, &["ls-remote", "origin", "refs/wildebeest/runners/*"]);
    assert_eq!(runners.lines().count(), 1, "the same bytes lie there once: {runners}");
}

#[test]
fn what_would_count_for_nobody_takes_no_place_on_the_remote() {
    let office = Office::new();
    let stranger = generate(&office.scratch.path("stranger"), "stranger").unwrap();
    let ((fleet, ana), (_, ben)) = (at(&office.fleet), at(&office.clone_of_fleet("bens")));
    let push = |time, key| attestation::record(Some(&ana), &fleet, &made(1, time), RUNNER, key, true);
    push(1, Some(&office.key)).unwrap();
    let unsigned = push(2, None).unwrap_err().to_string();
    assert_eq!(unsigned, "what is pushed for others to believe has to be signed, and there is no key");
    let strange = push(3, Some(&stranger)).unwrap_err().to_string();
    assert!(strange.ends_with(" nor in allowed_signers: nobody would believe what it attests"), "{strange}");
    let ana_signed = Some(("ana@localhost".to_owned(), false, true));
    assert_eq!(who(&ben, RUNNER), ana_signed, "her word of before still stands");
    let usage = office.xtask(&["test", "--push"]);
    assert!(usage.contains("--key <FILE>") && usage.ends_with("exit code 2"), "{usage}");
}

#[test]
fn a_word_about_another_runner_is_none() {
    let office = Office::new();
    let (fleet, ana) = at(&office.fleet);
    let commit = attestation::record(Some(&ana), &fleet, &made(1, 1), RUNNER, Some(&office.key), true).unwrap();
    put(&ana, b"another", commit);
    assert_eq!(who(&ana, b"another"), None, "its name says so, and it does not");
    let told = ana.registry().refs("refs/wildebeest/runners/").unwrap().into_values().next().unwrap();
    put(&ana, b"a third", told);
    assert_eq!(who(&ana, b"a third"), None, "this is no attestation at all");
}

#[test]
fn what_somebody_signed_for_another_purpose_attests_nothing() {
    const FILE: &str = "attestation.json";
    let office = Office::new();
    let ((fleet, ana), (_, ben)) = (at(&office.fleet), at(&office.clone_of_fleet("bens")));
    let word = attestation::record(Some(&ana), &fleet, &made(1, 1), RUNNER, Some(&office.key), false).unwrap();
    let objects = ana.registry().objects();
    let told = objects.read(word).unwrap();
    let text = objects.text(&told, FILE).unwrap().unwrap();
    assert_eq!(told.message, format!("Tested the runner {} for {PLATFORM}\n", Digest::of(RUNNER)));
    let check = |message: &str, others: &[&str], parent: Option<Sha1>, expect| {
        let all = others.iter().map(|name| ((*name).to_owned(), Vec::new()));
        let files = all.chain([(FILE.to_owned(), text.clone().into_bytes())]).collect();
        let author = ("Ana".to_owned(), "ana@localhost".to_owned());
        let new = NewCommit { message: message.to_owned(), files, parent, author, ..NewCommit::default() };
        put(&ana, RUNNER, objects.write(&new, Some(&office.key)).unwrap());
        assert_eq!(who(&ben, RUNNER).is_some(), expect, "{message} {others:?} {parent:?}");
    };
    check(&told.message, &[], None, true);
    check(&told.message, &["README.md"], None, false);
    check(&told.message, &[], Some(word), false);
    check("Add a fixture\n", &[], None, false);
    check(&format!("{}, and more\n", told.message.trim_end()), &[], None, false);
}

#[test]
fn without_a_remote_this_machine_keeps_it() {
    let scratch = Scratch::new();
    let dir = scratch.fleet();
    let fleet = Fleet::around(&dir).unwrap();
    let record = |push| attestation::record(None, &fleet, &made(1, 1), RUNNER, None, push);
    record(false).unwrap();
    assert!(record(true).unwrap_err().to_string().starts_with("there is no remote: "));
    let remote = scratch.path("herd.git").display().to_string();
    scratch.git(&dir, &["init", "--quiet", "--bare", &remote]);
    scratch.git(&dir, &["remote", "add", "origin", &remote]);
    assert_eq!(who(&at(&dir).1, RUNNER), Some((String::new(), true, true)));
}

#[test]
fn the_newest_for_a_chain_is_found_and_the_very_bytes_with_it() {
    let office = Office::new();
    let (fleet, ana) = at(&office.fleet);
    let record = |n, time, bytes: &[u8]| {
        attestation::record(Some(&ana), &fleet, &made(n, time), bytes, Some(&office.key), true).unwrap();
    };
    record(1, 20, b"second");
    record(1, 10, b"first");
    record(2, 30, b"of another chain");
    let (_, ben) = at(&office.clone_of_fleet("bens"));
    let newest = |operator: &Operator| attestation::newest_for(operator, PLATFORM, &chain(1)).unwrap();
    let found = newest(&ben);
    let told = |found: &Found| (found.attestation.time, found.signer.as_deref() == Some("ana@localhost"));
    assert_eq!(found.iter().map(told).collect::<Vec<_>>(), [(20, true), (10, true)]);
    let second = &found[0].attestation;
    assert_eq!(attestation::runner(&ben, second).unwrap(), b"second");
    let pretended = Attestation { sha256: Digest::of(b"else"), ..second.clone() };
    let error = attestation::runner(&ben, &pretended).unwrap_err().to_string();
    let (was, is) = (Digest::of(b"else").short(), Digest::of(b"second").short());
    assert_eq!(error, format!("the runner {was} was tested, and the remote has {is} in its place"));

    let (_, carl) = at(&office.clone_of_fleet("carls"));
    let reference = second.runner.as_ref().unwrap().reference.as_str();
    let herd = office.scratch.path("herd.git");
    office.scratch.git(&herd, &["update-ref", "-d", reference]);
    let error = attestation::runner(&carl, &newest(&carl)[0].attestation).unwrap_err().to_string();
    assert_eq!(error, format!("the runner {is} was tested, and is not on the remote"));
    office.scratch.git(&herd, &["update-ref", reference, &found[0].commit.to_string()]);
    record(1, 20, b"second");
    let runner = attestation::runner(&carl, &newest(&carl)[0].attestation).unwrap();
    assert_eq!(runner, b"second", "the next test puts it back, whatever lies there");
}
