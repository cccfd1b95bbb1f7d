//! The agent as a service of four init systems, each of them real and in charge of its host: it is installed, told to
//! look, killed, stopped in the middle of a migration, started again, rebooted with its host, and removed.

use std::time::Duration;

use serde_json::Value;
use wb_core::system::clock::{Real, Stopwatch, wait_until};
use wb_core::system::{Command, Output};
use wb_operations::Init;
use wb_tests::alone::alone;
use wb_tests::inits;
use wb_tests::stage::{self, Play, Stage, link};
use wb_xtask::sandbox::Host;

/// One way to run the agent.
struct Service {
    host: &'static str,
    init: Init,
    /// What `install-service` writes.
    files: &'static str,
    start: &'static str,
    stop: &'static str,
    reload: &'static str,
    status: &'static str,
    log: &'static str,
    /// Whether the init starts again what was killed.
    supervised: bool,
    /// Has a service that bears load start at each boot; nothing where the init has no order to start services in.
    bearer: [&'static str; 2],
}

const SCRIPT: &str = "cat >/etc/init.d/varnish <<'END'
#!/bin/sh
### BEGIN INIT INFO
# Provides: varnish
# Required-Start: $remote_fs
# Required-Stop:
# Default-Start: 2 3 4 5
# Default-Stop:
### END INIT INFO
[ \"$1\" != start ] || echo bears >>/srv/diary
END
chmod +x /etc/init.d/varnish";

const UNIT: &str = "cat >/etc/systemd/system/varnish.service <<'END'
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'echo bears >>/srv/diary'
[Install]
WantedBy=multi-user.target
END
systemctl enable varnish";

static SERVICES: [Service; 4] = [
    Service {
        host: "sysv",
        init: Init::Sysv,
        files: "wrote /etc/init.d/wildebeest",
        start: "service wildebeest start",
        stop: "service wildebeest stop",
        reload: "service wildebeest reload",
        status: "service wildebeest status",
        log: "cat /var/log/wildebeest.log",
        supervised: false,
        bearer: [SCRIPT, "update-rc.d varnish defaults"],
    },
    Service {
        host: "systemd",
        init: Init::Systemd,
        files: "wrote /etc/systemd/system/wildebeest.service",
        start: "systemctl start wildebeest",
        stop: "systemctl stop wildebeest",
        reload: "systemctl reload wildebeest",
        status: "systemctl is-active wildebeest",
        log: "journalctl --unit wildebeest --output cat",
        supervised: true,
        bearer: [UNIT, ""],
    },
    Service {
        host: "openrc",
        init: Init::OpenRc,
        files: "wrote /etc/init.d/wildebeest",
        start: "rc-service wildebeest start",
        stop: "rc-service wildebeest stop",
        reload: "rc-service wildebeest reload",
        status: "rc-service wildebeest status",
        log: "cat /var/log/wildebeest.log",
        supervised: true,
        bearer: [SCRIPT, "rc-update add varnish default"],
    },
    Service {
        host: "runit",
        init: Init::Runit,
        files: "wrote /etc/sv/wildebeest/run",
        start: "sv start wildebeest",
        stop: "sv -w 30 stop wildebeest",
        reload: "sv reload wildebeest",
        status: "sv status wildebeest | grep ^run:",
        log: "cat /var/log/wildebeest/current",
        supervised: true,
        bearer: ["", ""],
    },
];

#[test]
fn the_agent_is_a_service() {
    alone("service::the_agent_is_a_service", || {
        if !inits::can_be_had(Init::Systemd) {
            eprintln!(
                "skipped: the service of systemd: it needs control groups of version 2, and none can be made here"
            );
        }
        let stage = Stage::set(Play {
            name: "test-service",
            hosts: &services().map(|service| service.host).collect::<Vec<_>>(),
            roles: &include_str!("../../fleet/roles.rs").replace("max_out = 1", "max_out = 4"),
            operator: env!("CARGO_BIN_EXE_wb-operator"),
            ..Play::default()
        });
        stage.part("four init systems", |stage| each(stage, other_init));
        stage.part("four hosts join", all_join);
        stage.part("the service is installed", |stage| each(stage, installed));
        stage.part("it is told to look", |stage| each(stage, told_to_look));
        stage.part("it logs for machines", |stage| each(stage, logged));
        stage.part("it is killed", |stage| each(stage, killed));
        stage.part("it is stopped while it waits", |stage| each(stage, stopped_while_it_waits));
        stage.part("it is stopped in the middle of a migration", |stage| {
            stage.add_links(&[link("pass_the_gate", include_str!("../../fleet/pass_the_gate.rs"))]);
            stage.deploy();
            each(stage, stopped_while_it_works);
        });
        stage.part("the power fails while it is out of load", |stage| each(stage, out_at_boot));
        stage.part("the host is rebooted", |stage| each(stage, rebooted));
        stage.part("the service is removed", |stage| each(stage, removed));
    });
}

/// Those that can be had on this machine.
fn services() -> impl Iterator<Item = &'static Service> {
    SERVICES.iter().filter(|service| inits::can_be_had(service.init))
}

fn each(stage: &Stage, act: fn(&Service, &Host)) {
    stage::each(services(), |service| act(service, stage.host(service.host)));
}

fn other_init(service: &Service, host: &Host) {
    inits::change(host, service.init);
}

fn all_join(stage: &Stage) {
    for service in services() {
        let host = service.host;
        stage.equip(host);
        assert_eq!(stage.enroll(host, host).code, 3, "the server does not know the key yet");
        stage.authorise(host);
        let enrolled = stage.enroll(host, host);
        assert!(enrolled.text().contains("wildebeest install-service"), "{enrolled:?}");
        assert_eq!(stage.operate(&["host", "admit", host]).code, 0);
    }
    stage.deploy();
}

fn installed(service: &Service, host: &Host) {
    let shown = on(host, "wildebeest install-service --dry-run");
    assert!(shown.contains("would write /etc/"), "{shown}");
    assert!(!runs(service, host), "nothing was done");
    let done = on(host, "wildebeest install-service");
    assert!(done.contains(service.files), "{done}");
    until("the service to run", service, host, || runs(service, host));
    until("its first words", service, host, || log_says(service, host, "follows ssh://") > 0);
    until("the tip", service, host, || diary(host) == "begin rejoin");
    assert_eq!(on(host, "wildebeest install-service"), "The service is installed already.");
    assert!(on(host, "wildebeest status").contains("`begin` ("), "the command line has no other home than the service");
}

fn told_to_look(service: &Service, host: &Host) {
    let before = pid(host);
    on(host, service.reload);
    until("the look", service, host, || log_says(service, host, "looks at once: it was told to") == 1);
    assert_eq!(pid(host), before);
}

const SECOND: &str = "cd /run/systemd/system
    printf '[Service]\\nType=oneshot\\nExecStart=/usr/local/bin/wildebeest once\\n' >second.service
    systemctl daemon-reload; systemctl start second";

/// What a second agent says, which may not run beside the first.
fn logged(service: &Service, host: &Host) {
    assert_eq!(run(host, "wildebeest once --log-format json --log-file /root/log").code, 3);
    let line: Value = serde_json::from_str(&on(host, "head -n 1 /root/log")).unwrap();
    assert_eq!((&line["level"], &line["host"]), (&"error".into(), &host.name().into()), "{line}");
    let message = line["message"].as_str().unwrap();
    assert!(message.starts_with("error: another agent of this host is running, as process "), "{message}");
    if service.init == Init::Systemd {
        run(host, SECOND);
        let errors = on(host, "journalctl --priority err --output cat");
        assert!(errors.contains("error: another agent of this host is running, as process "), "{errors}");
    }
}

fn killed(service: &Service, host: &Host) {
    let before = pid(host);
    on(host, &format!("kill -KILL {before}"));
    if service.supervised {
        until("another agent", service, host, || pid(host).parse::<u32>().is_ok() && pid(host) != before);
        until("its words", service, host, || log_says(service, host, "follows ssh://") == 2);
    } else {
        until("the end", service, host, || pid(host).is_empty());
        assert_eq!(run(host, service.status).code, 1, "dead, and its pid file is there");
        on(host, service.start);
    }
    assert!(runs(service, host));
}

fn stopped_while_it_waits(service: &Service, host: &Host) {
    let took = stop(service, host);
    assert!(took < Duration::from_secs(10), "{took:?}");
    on(host, service.start);
    until("the agent", service, host, || runs(service, host));
}

fn stopped_while_it_works(service: &Service, host: &Host) {
    until("the gate", service, host, || diary(host) == "begin rejoin leave gate");
    let took = stop(service, host);
    assert!((19..29).contains(&took.as_secs()), "{took:?}");
    assert_eq!(on(host, "pgrep -f '[/]srv/open' || true"), "", "its commands have ended too");
    for words in ["ends what still runs after 20 s", "ended in the middle of its work: the next start takes it up"] {
        assert_eq!(log_says(service, host, words), 1, "{words}\n{}", on(host, service.log));
    }
    assert_eq!(log_says(service, host, "failed "), 0, "an interruption is no failure");
    on(host, service.start);
    until("the gate again", service, host, || diary(host) == "begin rejoin leave gate gate");
}

/// Whoever was out of load leaves it again before what bears it starts.
fn out_at_boot(service: &Service, host: &Host) {
    on(host, &service.bearer.join("\n"));
    host.kill().unwrap();
    host.start().unwrap();
    let boot = if service.bearer[0].is_empty() { "leave" } else { "leave bears" };
    let at_gate = format!("begin rejoin leave gate gate {boot} gate");
    until("the boot in this order", service, host, || {
        // Once it has left, the agent and what bears load are in no order.
        diary(host) == at_gate || diary(host) == at_gate.replace("bears gate", "gate bears")
    });
    on(host, "touch /srv/open");
    until("the tip", service, host, || diary(host).ends_with(" through rejoin"));
}

fn rebooted(service: &Service, host: &Host) {
    let before = host.boot_id().unwrap();
    // The connection may end before the command does.
    drop(host.run(Command::shell("shutdown -r now || systemctl reboot")));
    host.wait_for_reboot(&before).unwrap();
    until("the agent", service, host, || runs(service, host) && !pid(host).is_empty());
}

fn removed(service: &Service, host: &Host) {
    on(host, "wildebeest uninstall-service");
    assert!(!runs(service, host) && pid(host).is_empty());
    assert_eq!(on(host, "wildebeest uninstall-service"), "No service is installed.");
    let left = on(host, "find /etc /usr /lib /run /var/lib -name '*wildebeest*' | sort");
    assert_eq!(left, "/etc/wildebeest\n/usr/local/bin/wildebeest\n/var/lib/wildebeest");
}

/// How long it took.
fn stop(service: &Service, host: &Host) -> Duration {
    let watch = Stopwatch::start();
    on(host, service.stop);
    assert!(!runs(service, host) && pid(host).is_empty());
    watch.elapsed()
}

fn on(host: &Host, line: &str) -> String {
    host.read(Command::shell(line)).unwrap_or_else(|error| panic!("{}: {error:?}", host.name()))
}

fn run(host: &Host, line: &str) -> Output {
    host.run(Command::shell(line)).unwrap()
}

fn runs(service: &Service, host: &Host) -> bool {
    run(host, service.status).code == 0
}

fn pid(host: &Host) -> String {
    on(host, "pgrep -f '^/usr/local/bin/wildebeest agent' || true")
}

fn diary(host: &Host) -> String {
    on(host, "cat /srv/diary 2>/dev/null || true").replace('\n', " ")
}

/// How often.
fn log_says(service: &Service, host: &Host, words: &str) -> usize {
    run(host, service.log).text().matches(words).count()
}

fn until(what: &str, service: &Service, host: &Host, mut holds: impl FnMut() -> bool) {
    let found = wait_until(&Real, Duration::from_secs(60), Duration::from_millis(100), || holds().then_some(()));
    let log = || run(host, service.log).text();
    assert!(found.is_some(), "waited in vain for {what} on {}\n{}\n{}", host.name(), diary(host), log());
}
