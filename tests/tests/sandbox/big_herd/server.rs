//! The git server restarts while two hosts are out, is read-only for a while, and then drops connections.

use std::io::Read as _;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use wb_core::system::Command;
use wb_tests::stage::{Stage, each};

use super::cast::{WEBS, machines};
use super::{at, diary_has, holders, look_twice};

/// Who is out comes back into load without the server. Nobody leaves while nobody can claim, and when it is well again, all
/// goes on.
pub(super) fn is_ill(stage: &Stage) {
    let out = at(stage, "bridge");
    let others = || WEBS.into_iter().filter(move |web| !out.contains(web));
    let before: Vec<String> = others().map(|web| stage.diary(web)).collect();

    restarts(stage);
    each(out, |web| stage.on(web, "touch /srv/bridge"));
    out.iter().for_each(|web| diary_has(stage, web, "leave bridge over rejoin"));
    assert_eq!(holders(&stage.pool()), out.into(), "nobody can know yet");

    on_server(stage, &format!("{READ_ONLY}; service ssh start"));
    out.iter().for_each(|web| drop(stage.log_says(web, "refuses: [remote rejected] (unpacker error); unable to")));
    assert_eq!(holders(&stage.pool()), out.into());
    assert_eq!(others().map(|web| stage.diary(web)).collect::<Vec<_>>(), before, "nobody left");

    let before = drops(stage);
    on_server(stage, &format!("{}; {WRITABLE}", max_startups("1:100:1")));
    each(others(), |web| stage.on(web, "touch /srv/bridge"));
    all_are_dropped(stage, &before);
    // From now on it takes one at a time.
    all_look(stage);
    stage.wait("somebody to get through", || {
        others().any(|web| stage.diary(web).ends_with("over rejoin")).then_some(())
    });
    on_server(stage, &max_startups("1000"));
    all_look(stage);
    others().for_each(|web| diary_has(stage, web, "leave bridge over"));
}

/// The machine comes up again; git is not to be had yet.
fn restarts(stage: &Stage) {
    on_server(stage, "update-rc.d ssh disable");
    stage.server().kill().unwrap();
    stage.server().start().unwrap();
}

/// As long as somebody keeps sshd waiting, it drops everybody else. Who was about to be let in when that began still gets a
/// connection after it, so that connections are ended until each host was dropped.
fn all_are_dropped(stage: &Stage, before: &[usize]) {
    let _kept_waiting = stage.wait("sshd to take a connection", || keep_waiting(stage));
    let still =
        || machines().into_iter().zip(before.iter().zip(drops(stage))).filter(|(_, (before, now))| now <= before);
    stage.wait("all hosts to be dropped", || {
        on_server(stage, DROP);
        each(still(), |(host, _)| look_twice(stage, host));
        still().next().is_none().then_some(())
    });
}

/// How often each host was dropped. Of the same trouble it speaks once.
fn drops(stage: &Stage) -> Vec<usize> {
    machines().iter().map(|host| stage.log(host).matches("kex_exchange_identification").count()).collect()
}

/// A connection on which nothing is said; none where sshd drops it, because a host was faster.
fn keep_waiting(stage: &Stage) -> Option<TcpStream> {
    let (sshd, bound) = (SocketAddr::from((stage.server().address(), 22)), Duration::from_secs(5));
    let mut connection = stage.network().connect(sshd, bound).ok()?;
    let mut greeting = [0; 4];
    connection.set_read_timeout(Some(bound)).unwrap();
    connection.read_exact(&mut greeting).ok()?;
    (greeting == *b"SSH-").then_some(connection)
}

/// Who failed often is patient, and would not look for minutes.
fn all_look(stage: &Stage) {
    each(machines(), |host| stage.on(host, "service wildebeest reload"));
}

/// Ends the connections that hosts keep.
const DROP: &str = "kill $(pgrep -u git -x sshd) 2>/dev/null || true";
const READ_ONLY: &str = "cd /srv/git; mount --bind herd.git herd.git; mount -o remount,bind,ro herd.git";
const WRITABLE: &str = "mount -o remount,bind,rw /srv/git/herd.git";

fn max_startups(many: &str) -> String {
    let conf = "/etc/ssh/sshd_config.d/git.conf";
    // Whoever keeps it waiting may do so for ever.
    format!(
        "sed -i '/^LoginGraceTime /d; s/^MaxStartups .*/MaxStartups {many}\\nLoginGraceTime 0/' {conf}; service ssh restart"
    )
}

fn on_server(stage: &Stage, line: &str) {
    stage.server().read(Command::shell(line)).unwrap();
}
