//! Twelve hosts over real ssh, of which eight serve pages behind HAProxy, and what can happen to such a herd: a canary, a
//! clone, a cut cable, a death, a git server that is ill, a migration that fails, a backup that is put back. Clients ask
//! for pages the whole time.
//!
//! No request is excused. Six web servers at least bear load at every moment, so that each request has one that can answer
//! it; and what dies here is out of load when it dies, or is shut down as servers are, so that none is cut off either.

mod canary;
mod cast;
mod server;

use std::collections::BTreeSet;
use std::time::Duration;

use cast::{ASKED, HERD, MAX_OUT, PAGES, RESTORED, WEBS, machines};
use wb_core::system::Command;
use wb_tests::alone::alone;
use wb_tests::sight::says;
use wb_tests::stage::{Stage, each};
use wb_xtask::demo::balancer::Sampler;
use wb_xtask::demo::load::{Answer, Load};

#[test]
fn a_herd_of_twelve() {
    alone("big_herd::a_herd_of_twelve", || {
        let stage = cast::set_stage();
        stage.part("twelve hosts come up", come_up);
        let sampler = Sampler::start(stage.host("lb1").root().unwrap().join("run/haproxy/admin.sock"));
        let load = Load::start(stage.network(), stage.host("lb1").address(), PAGES);
        stage.add_links(&cast::later_links());
        stage.part("a canary goes first, and is cloned", canary::goes_first);
        stage.part("legs are cut short", legs_are_cut_short);
        stage.part("the git server is ill", server::is_ill);
        stage.part("a migration fails", a_migration_fails);
        stage.part("a backup is put back while all others stand still", a_backup_is_put_back);
        stage.part("the herd is well", the_herd_is_well);
        all_were_answered(&stage, load);
        assert_eq!(sampler.most_out(|_| true), MAX_OUT, "web servers were out at once, says HAProxy");
    });
}

fn come_up(stage: &Stage) {
    stage.part("they join", |stage| stage.join(&HERD));
    stage.deploy();
    let long = Duration::from_secs(420);
    stage.watch_within(long, "twelve hosts in load", |status| status.are_there(&HERD).then_some(()));
    WEBS.iter().for_each(|web| assert_eq!(stage.diary(web), "begin rejoin", "{web}"));
    stage.host(RESTORED).keep_disk("backup").unwrap();
}

/// Of the two web servers that are out, one loses its cable and the other one its power. Each of them keeps its own place,
/// and no other one. Meanwhile the clone gets a name of its own.
fn legs_are_cut_short(stage: &Stage) {
    let [cut, dead] = at(stage, "gate");
    let others = || WEBS.into_iter().filter(move |web| ![cut, dead].contains(web));
    stage.host(dead).kill().unwrap();
    stage.host(cut).partition(true).unwrap();
    stage.on(cut, "touch /srv/open");
    stage.diary_says(cut, "begin rejoin leave gate through");
    stage.log_says(cut, "can't rejoin");
    canary::the_clone_joins(stage);
    assert_eq!(holders(&stage.pool()), [cut, dead].into(), "who can't say that it is back in load keeps its place");
    others().for_each(|web| assert_eq!(stage.diary(web), "begin rejoin", "{web} leaves, and has no place"));

    stage.host(dead).start().unwrap();
    stage.diary_says(dead, "begin rejoin leave gate leave gate");
    each(others().chain([dead]), |web| stage.on(web, "touch /srv/open"));
    others().for_each(|web| stage.diary_says(web, "begin rejoin leave gate through rejoin"));
    stage.diary_says(dead, "begin rejoin leave gate leave gate through rejoin");
    stage.watch("all others to wait for the one that is cut off", |status| {
        let waits = |web: &str| status.phase(web).0 == "waiting" && status.phase(web).1.contains(cut);
        others().chain([dead]).all(waits).then_some(())
    });
    assert_eq!(holders(&stage.pool()), [cut].into(), "the others took turns at one place");
    stage.host(cut).partition(false).unwrap();
    diary_has(stage, cut, "leave gate through rejoin");
}

/// One host falls; a second one had begun by then, and gets through. The place that it gives back stays empty.
fn a_migration_fails(stage: &Stage) {
    let [falls, steps] = at(stage, "stumble");
    let others: Vec<&str> = WEBS.into_iter().filter(|web| ![falls, steps].contains(web)).collect();
    stage.on(falls, "touch /srv/stone /srv/step");
    let why = failed(stage, falls);
    stage.on(steps, "touch /srv/step");
    diary_has(stage, steps, "stumble stepped rejoin");
    stage.watch("the others to wait", |status| {
        no_more_begin(stage, &[falls, steps]);
        others.iter().all(|web| status.phase(web) == ("waiting", &why)).then_some(())
    });
    stage.wait("a place to be free", || (holders(&stage.pool()) == [falls].into()).then_some(()));
    each(&others, |web| look_twice(stage, web));
    no_more_begin(stage, &[falls, steps]);
    assert_eq!(holders(&stage.pool()), [falls].into(), "nobody takes the place");
    assert!(stage.diary(falls).ends_with("stumble"), "{falls} stays out of load: {}", stage.diary(falls));

    each(&others, |web| stage.on(web, "touch /srv/step"));
    stage.on(falls, "rm /srv/stone");
    says(&stage.operate(&["retry", falls]), 0, &[]);
    diary_has(stage, falls, "stumble stumble stepped rejoin");
    others.iter().for_each(|web| diary_has(stage, web, "leave stumble stepped rejoin"));
    stage.up_to_date(&machines());
}

/// Waits until a host failed; gives why others then wait.
fn failed(stage: &Stage, host: &str) -> String {
    stage.watch(&format!("{host} to fail"), |status| {
        let (phase, detail) = status.phase(host);
        let sha1 = detail.split(['(', ')']).nth(1)?;
        let fell = phase == "failed" && detail.contains(&format!("there is a stone on {host}"));
        fell.then(|| format!("`stumble` ({sha1}) failed on {host}"))
    })
}

fn no_more_begin(stage: &Stage, touched: &[&str]) {
    let begun = WEBS.into_iter().filter(|web| stage.diary(web).contains("stumble"));
    assert_eq!(begun.collect::<Vec<_>>(), touched, "no more hosts than these begin what failed on one of them");
}

/// When an agent says for the second time that it was told to look, its look of the first time is over.
fn look_twice(stage: &Stage, host: &str) {
    let told = || stage.log(host).matches("looks at once: it was told to").count();
    for _ in 0..2 {
        let before = told();
        stage.on(host, "service wildebeest reload");
        stage.wait("a look", || (told() > before).then_some(()));
    }
}

/// The disk is that of before all of this. Nobody else does anything, and it goes out of load once.
fn a_backup_is_put_back(stage: &Stage) {
    let others: Vec<&str> = machines().into_iter().filter(|host| *host != RESTORED).collect();
    each(&others, |host| stage.on(host, "service wildebeest stop"));
    shut_down(stage, RESTORED);
    boot_with(stage, RESTORED, "backup", false);
    stage.on(RESTORED, "touch /srv/open /srv/bridge /srv/step");
    stage.log_says(RESTORED, "takes its identity over, after a restore");
    stage.diary_says(RESTORED, "begin rejoin leave gate through bridge over stumble stepped rejoin");
    stage.up_to_date(&[RESTORED]);
    each(&others, |host| stage.on(host, "service wildebeest start"));
}

fn the_herd_is_well(stage: &Stage) {
    for web in WEBS {
        let diary = stage.diary(web);
        for word in ["begin", "through", "over", "stepped"] {
            assert_eq!(diary.matches(word).count(), 1, "{web} did all once: {diary}");
        }
        assert!(diary.ends_with("rejoin"), "{web}: {diary}");
    }
    stage.wait("a healthy herd", || (stage.operate(&["status"]).code == 0).then_some(()));
    says(&stage.operate(&["status"]), 0, &["13 of 13 hosts are at `serve_second_page`"]);
    for (role, most) in [("web", MAX_OUT), ("database", 1)] {
        let pools = stage.pools(role);
        let most_seen = pools.iter().map(|pool| holders(pool).len()).max();
        assert_eq!(most_seen, Some(most), "{pools:?}");
        assert_eq!(holders(&pools[0]), BTreeSet::new(), "all places were given back");
    }
    let asked = |web: &str| stage.on(web, &format!("sed -n '/{ASKED}/p' /var/log/nginx/access.log | wc -l"));
    let asked: usize = WEBS.into_iter().map(|web| asked(web).trim().parse::<usize>().unwrap()).sum();
    assert!(asked >= WEBS.len(), "{asked} times a gate asked the balancer, and each web server had three legs");
}

fn all_were_answered(stage: &Stage, load: Load) {
    let before = load.so_far().0;
    stage.wait("more requests", || (load.so_far().0 >= before + 100).then_some(()));
    let requests = load.end().unwrap();
    let failed: Vec<_> = requests.iter().filter(|request| request.answer.is_failed()).collect();
    stage.note(&format!("{} requests, {} failed", requests.len(), failed.len()));
    assert!(failed.is_empty(), "{failed:?}");
    assert!(requests[..before].iter().any(|request| request.answer == Answer::Old));
    assert!(requests[before + 10..].iter().all(|request| request.answer == Answer::New));
}

/// The two web servers that are out of load, once both have come so far.
fn at(stage: &Stage, word: &str) -> [&'static str; MAX_OUT] {
    stage.wait(&format!("two at the {word}"), || {
        let there: Vec<_> = WEBS.into_iter().filter(|web| stage.diary(web).ends_with(word)).collect();
        assert!(there.len() <= MAX_OUT, "more than {MAX_OUT} are out at the {word}: {}", there.join(", "));
        there.try_into().ok()
    })
}

fn diary_has(stage: &Stage, host: &str, words: &str) {
    let has = || stage.diary(host).contains(words);
    stage.wait(&format!("`{words}` in the diary of {host}"), || has().then_some(()));
}

/// Who is out, from the line for people.
fn holders(pool: &str) -> BTreeSet<&str> {
    let names = pool.split_once(": ").and_then(|(_, names)| names.strip_suffix(" out")).unwrap_or_default();
    names.split(", ").filter(|name| !["", "nobody"].contains(name)).collect()
}

fn boot_with(stage: &Stage, host: &str, disk: &str, other_hardware: bool) {
    let host = stage.host(host);
    host.kill().unwrap();
    host.put_disk(disk, other_hardware).unwrap();
    host.start().unwrap();
}

fn shut_down(stage: &Stage, host: &str) {
    // The connection may end before the command does.
    drop(stage.host(host).run(Command::shell("shutdown -h now")));
    stage.wait(&format!("{host} to go down"), || (!stage.host(host).is_up()).then_some(()));
}
