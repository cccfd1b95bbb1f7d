use wb_core::context::Debts as _;

use super::*;
use crate::machine::{Machine, changed};

const PATH: &str = "/etc/nginx/conf.d/shop.conf";
const SHOP: &str = "upstream shop {\n    server 127.0.0.1:8001 weight=2; # blue\n    server 127.0.0.1:8002;\n}\n\
                    server {\n    server_name shop.example.org;\n}\n";

fn balancer() -> Machine {
    let script = "/etc/init.d/nginx";
    Machine::new().file(PATH, SHOP).file(script, "").answer(script, 0, "").answer("nginx -t", 0, "")
}

fn down(machine: &Machine) -> anyhow::Result<Outcome> {
    machine.apply(|host| Ok(host.nginx_upstream(PATH).down("127.0.0.1:8001")?))
}

#[test]
fn a_server_is_marked_in_its_line() {
    let check = |line: &str, server: &str, down, expect: Option<&str>| {
        assert_eq!(mark(line, server, down).as_deref(), expect, "{line}");
    };
    check("server a:1;\n", "a:1", true, Some("server a:1 down;\n"));
    check("  server a:1 weight=2 ; # a;b\n", "a:1", true, Some("  server a:1 weight=2 down; # a;b\n"));
    check("server a:1 down;\n", "a:1", true, Some("server a:1 down;\n"));
    check("server a:1 down weight=2;\n", "a:1", false, Some("server a:1 weight=2;\n"));
    check("server a:1  weight=2\tdown;", "a:1", false, Some("server a:1  weight=2;"));
    check(
        "server a:1 backup;\nserver b:1;\nserver a:1;\n",
        "a:1",
        true,
        Some("server a:1 backup down;\nserver b:1;\nserver a:1 down;\n"),
    );
    check("server a:11;\n#server a:1;\nserver_name a:1;\nserver { listen 80; }\n", "a:1", true, None);
    check(
        "server unix:/run/shop.sock fail_timeout=9s;",
        "unix:/run/shop.sock",
        true,
        Some("server unix:/run/shop.sock fail_timeout=9s down;"),
    );
    check("", "a:1", true, None);
}

#[test]
fn a_server_is_taken_out_and_put_back() {
    let machine = balancer();
    assert_eq!(down(&machine).unwrap(), changed("it was up"));
    assert_eq!(machine.read(PATH).unwrap(), SHOP.replace("weight=2;", "weight=2 down;"));
    let acts: Vec<String> = machine.calls().into_iter().filter(|line| !line.ends_with("status")).collect();
    assert_eq!(acts, ["nginx -t", "/etc/init.d/nginx reload"]);
    assert_eq!(machine.journal.owed(), []);
    assert_eq!(down(&machine).unwrap(), Outcome::Unchanged);
    let error = machine.view(|host| host.nginx_upstream(PATH).is_up("127.0.0.1:8001")).unwrap_err();
    assert_eq!(error.to_string(), format!("expected the server 127.0.0.1:8001 to be up in {PATH}, found it down"));
    let outcome = machine.apply(|host| Ok(host.nginx_upstream(PATH).up("127.0.0.1:8001")?)).unwrap();
    assert_eq!(outcome, changed("it was down"));
    assert_eq!(machine.read(PATH).as_deref(), Some(SHOP));
}

#[test]
fn a_reload_that_was_cut_short_is_made_up_for() {
    let machine = balancer();
    down(&machine).unwrap();
    let machine = machine.owing(DebtAction::Reload, "nginx");
    assert_eq!(down(&machine).unwrap(), changed("nginx has not read that yet"));
    assert_eq!(machine.journal.owed(), []);
    assert_eq!(down(&machine).unwrap(), Outcome::Unchanged);
}

#[test]
fn what_nginx_refuses_is_changed_back() {
    let machine = balancer().answer("nginx -t", 1, "no live upstreams");
    let error = down(&machine).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("nginx refuses its configuration with {PATH} as it is to be; the file is as it was")
    );
    assert_eq!(machine.journal.owed(), []);
    assert_eq!(machine.read(PATH).as_deref(), Some(SHOP));
}

#[test]
fn a_plan_changes_nothing() {
    let machine = balancer();
    let outcome = machine.plan(|host| Ok(host.nginx_upstream(PATH).down("127.0.0.1:8001")?)).unwrap();
    assert_eq!(outcome, changed("it was up"));
    assert_eq!(machine.read(PATH).as_deref(), Some(SHOP));
    assert!(machine.calls().iter().all(|line| line.ends_with(" status")), "{:?}", machine.calls());
    let nowhere = Machine::new();
    nowhere.plan(|host| Ok(host.nginx_upstream(PATH).down("a:1")?)).unwrap();
    assert!(nowhere.said().ends_with("(cannot know: there is no file /etc/nginx/conf.d/shop.conf yet)"));
}

#[test]
fn what_is_not_there_is_named() {
    let error = balancer().apply(|host| Ok(host.nginx_upstream(PATH).down("127.0.0.1:80")?)).unwrap_err().to_string();
    assert!(error.contains("its servers are `127.0.0.1:8001`, `127.0.0.1:8002`\nhint: "), "{error}");
    let error = Machine::new().apply(|host| Ok(host.nginx_upstream(PATH).up("a:1")?)).unwrap_err();
    assert_eq!(error.to_string(), format!("there is no file {PATH} with an upstream"));
    let machine = Machine::new().dir("/etc/nginx/conf.d");
    files::link("/srv/shop.conf", machine.path(PATH)).unwrap();
    let error = machine.apply(|host| Ok(host.nginx_upstream(PATH).up("a:1")?)).unwrap_err().to_string();
    assert!(error.contains("is to be a file, and is a symbolic link"), "{error}");
}

#[test]
fn the_last_requests_of_old_workers_are_waited_for() {
    let machine = balancer()
        .file("/proc/41/stat", "41 (nginx) S 1")
        .file("/proc/41/cmdline", "nginx: worker process is shutting down\0");
    let drained =
        |host: &Host| Ok(host.nginx_upstream(PATH).drained_within(Duration::from_secs(30)).down("127.0.0.1:8001")?);
    let error = machine.apply(drained).unwrap_err();
    assert_eq!(error.to_string(), "nginx still serves what it began before it was reloaded, 30 s ago");
    let machine = machine.file("/proc/41/cmdline", "nginx: worker process\0");
    assert_eq!(machine.apply(drained).unwrap(), Outcome::Unchanged);
}
