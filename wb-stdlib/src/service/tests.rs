use super::*;
use crate::machine::{Machine, changed};

const NGINX: &str = "/etc/init.d/nginx";

fn sysv(statuses: &[(i32, &str)]) -> Machine {
    Machine::new().file(NGINX, "#!/bin/sh\n").answer(NGINX, 0, "").answers("/etc/init.d/nginx status", statuses)
}

#[test]
fn a_running_service_is_left_alone() {
    let machine = sysv(&[(0, "")]);
    assert_eq!(machine.apply(|host| Ok(host.service("nginx").running()?)).unwrap(), Outcome::Unchanged);
    assert_eq!(machine.calls(), ["/etc/init.d/nginx status"]);
}

#[test]
fn a_stopped_service_is_started_and_looked_at_until_it_runs() {
    let machine = sysv(&[(3, ""), (3, ""), (3, ""), (0, "")]);
    let outcome = machine.apply(|host| Ok(host.service("nginx").running()?)).unwrap();
    assert_eq!(outcome, changed("start (it was stopped)"));
    assert_eq!(machine.calls()[..2], ["/etc/init.d/nginx status", "/etc/init.d/nginx start"]);
}

#[test]
fn a_service_that_does_not_stay_up_is_an_error() {
    let machine = sysv(&[(3, "")]);
    let error = machine.apply(|host| Ok(host.service("nginx").running()?)).unwrap_err();
    assert_eq!(error.to_string(), "the service `nginx` is stopped after `start`, which ended well");
}

#[test]
fn a_script_that_does_not_say_is_started_and_believed() {
    let machine = sysv(&[(4, "")]);
    let outcome = machine.apply(|host| Ok(host.service("nginx").running()?)).unwrap();
    assert_eq!(outcome, changed("start (it was in an unknown state)"));
}

#[test]
fn links_of_the_runlevels_say_what_is_enabled() {
    let machine = sysv(&[(0, "")]).file("/etc/rc2.d/S01nginx", "");
    assert_eq!(machine.apply(|host| Ok(host.service("nginx").enabled()?)).unwrap(), Outcome::Unchanged);
    machine.view(|host| host.service("nginx").is_enabled()).unwrap();
    let machine = sysv(&[(0, "")]).file("/etc/rc2.d/K01nginx", "");
    let error = machine.view(|host| host.service("nginx").is_enabled()).unwrap_err();
    assert_eq!(error.to_string(), "expected the service `nginx` to be enabled, found it disabled");
}

#[test]
fn a_service_is_enabled_through_update_rc_d() {
    let machine = sysv(&[(0, "")]).answer("update-rc.d", 0, "");
    let error = machine.apply(|host| Ok(host.service("nginx").enabled()?)).unwrap_err();
    assert_eq!(error.to_string(), "the service `nginx` is disabled after `enable`, which ended well");
    let calls: Vec<String> = machine.calls().into_iter().filter(|line| line.starts_with("update")).collect();
    assert_eq!(calls, ["update-rc.d nginx defaults", "update-rc.d nginx enable"]);
}

#[test]
fn systemd_is_asked_where_it_runs() {
    let show = "systemctl --no-ask-password --no-pager show";
    let machine = Machine::new().dir("/run/systemd/system").answer("systemctl", 0, "").answers(
        show,
        &[(0, "LoadState=loaded\nActiveState=inactive\n"), (0, "LoadState=loaded\nActiveState=active\n")],
    );
    let outcome = machine.apply(|host| Ok(host.service("nginx").running()?)).unwrap();
    assert_eq!(outcome, changed("start (it was stopped)"));
    assert!(machine.calls().contains(&"systemctl --no-ask-password --no-pager start -- nginx".to_owned()));
}

#[test]
fn a_missing_service_is_an_error_and_unknown_in_a_plan() {
    let machine = Machine::new();
    let error = machine.apply(|host| Ok(host.service("ngnix").running()?)).unwrap_err().to_string();
    assert_eq!(
        error,
        "there is no service `ngnix` on this host\nhint: `ls /etc/init.d` on the host shows those that there are"
    );
    machine.plan(|host| Ok(host.service("nginx").running()?)).unwrap();
    assert_eq!(machine.said(), "? service nginx running (cannot know: there is no service `nginx` yet)");
}

#[test]
fn a_plan_starts_nothing() {
    let machine = sysv(&[(3, "")]);
    let outcome = machine.plan(|host| Ok(host.service("nginx").running()?)).unwrap();
    assert_eq!(outcome, changed("start (it was stopped)"));
    assert_eq!(machine.calls(), ["/etc/init.d/nginx status"]);
}

#[test]
fn a_stopped_service_needs_no_reload() {
    let machine = sysv(&[(3, "")]);
    assert_eq!(machine.apply(|host| Ok(host.service("nginx").reloaded()?)).unwrap(), Outcome::Unchanged);
}

#[test]
fn a_name_with_a_slash_names_no_service() {
    let error = Machine::new().view(|host| host.service("../../bin/sh").is_running()).unwrap_err();
    assert_eq!(error.to_string(), "`../../bin/sh` is no name of a service");
}

#[test]
fn a_spec_says_what_it_found() {
    let error = sysv(&[(3, "")]).view(|host| host.service("nginx").is_running()).unwrap_err();
    assert_eq!(error.to_string(), "expected the service `nginx` to be running, found it stopped");
}

#[test]
fn a_spec_of_a_service_that_there_is_not_says_what_it_expected() {
    let error = Machine::new().view(|host| host.service("nginx").is_running()).unwrap_err();
    let expect = "expected the service `nginx` to be running: there is no service `nginx` on this host\nhint: ";
    assert!(format!("{error:#}").starts_with(expect), "{error:#}");
}

#[test]
fn a_masked_service_is_one_of_systemd() {
    let error = sysv(&[(0, "")]).apply(|host| Ok(host.service("nginx").masked()?)).unwrap_err().to_string();
    assert!(error.starts_with("the service `nginx` can't be masked: an init that runs scripts has no such"), "{error}");
    assert_eq!(sysv(&[(0, "")]).apply(|host| Ok(host.service("nginx").unmasked()?)).unwrap(), Outcome::Unchanged);
}

#[test]
fn what_starts_with_the_host_is_no_matter_of_programs() {
    let check = |machine: Machine| {
        assert_eq!(machine.apply(|host| Ok(host.service("nginx").enabled()?)).unwrap(), Outcome::Unchanged);
        assert!(machine.calls().is_empty(), "{:?}", machine.calls());
    };
    check(sysv(&[(0, "")]).file("/etc/rc2.d/S01nginx", ""));
    check(openrc(&[(0, "")]).file("/etc/runlevels/boot/nginx", ""));
    check(systemd("").file("/etc/systemd/system/multi-user.target.wants/nginx.service", ""));
    check(runit().file("/etc/service/nginx/run", ""));
}

#[test]
fn enabled_and_running_is_one_operation() {
    let machine = sysv(&[(3, ""), (0, "")]).file("/etc/rc3.d/S01nginx", "");
    let both = |host: &Host| Ok(host.service("nginx").enabled_and_running()?);
    assert_eq!(machine.apply(both).unwrap(), changed("start (it was stopped)"));
    assert!(machine.said().starts_with("+ service nginx enabled and running\n"), "{}", machine.said());
    assert_eq!(machine.apply(both).unwrap(), Outcome::Unchanged);
    let planned = sysv(&[(3, "")]).plan(both).unwrap();
    assert_eq!(planned, changed("enable (it was disabled)\nstart (it was stopped)"));
}

/// What the operations of the last run or plan would change.
fn signs(machine: &Machine) -> String {
    let lines = machine.said();
    lines.lines().filter(|line| !line.starts_with(' ')).filter_map(|line| line.chars().next()).collect()
}

#[test]
fn a_plan_knows_what_it_would_make_of_a_service() {
    let start = |root: &Path, _: &Command| {
        wb_core::system::files::write(root.join("proc/41/stat"), "41 (nginx) S 1 41", 0o644).unwrap();
    };
    let machine = sysv(&[(0, "")]).file("/run/nginx.pid", "41\n").dir("/proc/41");
    let machine = machine.does("/etc/init.d/nginx start", start).does("/etc/init.d/nginx restart", start);
    let machine = machine.does("/etc/init.d/nginx stop", |root, _| {
        wb_core::system::files::remove(root.join("proc/41/stat")).unwrap();
    });
    let act = |host: &Host| {
        let nginx = host.service("nginx").pidfile("/run/nginx.pid");
        for _ in 0..2 {
            nginx.running()?;
        }
        nginx.reloaded()?;
        for _ in 0..2 {
            nginx.stopped()?;
        }
        nginx.reloaded()?;
        nginx.restarted()?;
        nginx.running()?;
        Ok(())
    };
    machine.plan(act).unwrap();
    let planned = machine.said();
    assert_eq!((signs(&machine).as_str(), machine.calls()), ("+=++==+=", vec![]));
    machine.apply(act).unwrap();
    assert_eq!(machine.said(), planned);
}

#[test]
fn a_plan_knows_what_would_start_with_the_host() {
    let machine = systemd("");
    let act = |host: &Host| {
        for _ in 0..2 {
            host.service("nginx").enabled()?;
        }
        for _ in 0..2 {
            host.service("nginx").disabled()?;
        }
        for _ in 0..2 {
            host.service("nginx").masked()?;
        }
        host.service("nginx").unmasked()?;
        Ok(())
    };
    machine.plan(act).unwrap();
    assert_eq!(signs(&machine), "+=+=+=+");
    let by_both_names = |host: &Host| {
        host.service("nginx").enabled()?;
        host.service("nginx.service").enabled()?;
        Ok(())
    };
    machine.plan(by_both_names).unwrap();
    assert_eq!(signs(&machine), "+=");
    let of_its_file = machine.plan(|host| {
        host.service("nginx").stopped()?;
        Ok(host.service("nginx").pidfile("/run/nginx.pid").status()?)
    });
    assert_eq!(of_its_file.unwrap(), Status::Running, "what looks sees the host as it is");
}

#[test]
fn a_plan_starts_again_what_does_not_say_whether_it_runs() {
    let machine = sysv(&[(4, "")]);
    let act = |host: &Host| {
        host.service("nginx").running()?;
        host.service("nginx").running()?;
        Ok(())
    };
    machine.plan(act).unwrap();
    let planned = machine.said();
    machine.apply(act).unwrap();
    assert_eq!((signs(&machine).as_str(), machine.said()), ("++", planned));
}

#[test]
fn a_process_tells_of_a_service_whose_script_lies() {
    let machine = sysv(&[(0, "")]).file("/run/nginx.pid", "41\n");
    let status = |machine: &Machine, name: &'static str| {
        machine.view(move |host| Ok(host.service("nginx").pidfile("/run/nginx.pid").process(name).status()?)).unwrap()
    };
    assert_eq!(status(&machine, "nginx"), Status::Stopped);
    let machine = machine.file("/proc/41/stat", "41 (nginx) S 1 41");
    assert_eq!((status(&machine, "nginx"), status(&machine, "shop")), (Status::Running, Status::Stopped));
    let by_name = machine.view(|host| Ok(host.service("nginx").process("nginx").status()?)).unwrap();
    assert_eq!(by_name, Status::Running);
    assert!(machine.calls().is_empty());
}

#[test]
fn a_spec_may_expect_that_nothing_runs() {
    let machine = sysv(&[(3, "")]);
    machine.view(|host| host.service("nginx").is_stopped()).unwrap();
    machine.view(|host| host.service("nginx").is_disabled()).unwrap();
    let error = sysv(&[(0, "")]).view(|host| host.service("nginx").is_stopped()).unwrap_err();
    assert_eq!(error.to_string(), "expected the service `nginx` to be stopped, found it running");
}

#[test]
fn a_script_that_always_says_yes_is_found_out() {
    let error = sysv(&[(0, "")]).apply(|host| Ok(host.service("nginx").stopped()?)).unwrap_err().to_string();
    assert!(error.starts_with("the service `nginx` is running after `stop`, which ended well\nhint: "), "{error}");
}

#[test]
fn a_debt_knows_how_to_tell_whether_its_service_runs() {
    let machine = sysv(&[(3, "")]).file("/run/nginx.pid", "41\n").file("/proc/41/stat", "41 (nginx) S 1 41");
    machine
        .apply(|host| {
            let nginx = host.service("nginx").pidfile("/run/nginx.pid");
            host.file("/etc/nginx.conf").content("a").restarts(&nginx).present()?;
            Ok(owed::pay(*host, &[])?)
        })
        .unwrap();
    assert!(machine.calls().contains(&"/etc/init.d/nginx restart".to_owned()), "{:?}", machine.calls());
    assert!(machine.said().ends_with("service nginx restarted\n    restart (it was running)"), "{}", machine.said());
}

fn openrc(statuses: &[(i32, &str)]) -> Machine {
    sysv(statuses).file("/run/openrc/softlevel", "default").answer("rc-update", 0, "")
}

#[test]
fn openrc_asks_the_script_itself() {
    let machine = openrc(&[(3, ""), (3, ""), (0, "")]);
    let outcome = machine.apply(|host| Ok(host.service("nginx").running()?)).unwrap();
    assert_eq!(outcome, changed("start (it was stopped)"));
    assert!(machine.calls().contains(&"/etc/init.d/nginx start".to_owned()));
}

#[test]
fn what_has_crashed_under_openrc_is_started_all_the_same() {
    let machine = openrc(&[(32, ""), (32, ""), (0, "")]);
    machine.apply(|host| Ok(host.service("nginx").running()?)).unwrap();
    let acts: Vec<String> = machine.calls().into_iter().filter(|line| !line.ends_with("status")).collect();
    assert_eq!(acts, ["/etc/init.d/nginx zap", "/etc/init.d/nginx start"]);
}

#[test]
fn what_openrc_takes_for_started_is_started_where_a_process_says_otherwise() {
    let check = |script: &str, expect: &[&str]| {
        let machine = openrc(&[(0, "")]).file("/etc/init.d/nginx", script);
        machine.apply(|host| Ok(host.service("nginx").process("no-such-process").running()?)).unwrap_err();
        let acts: Vec<String> = machine.calls().into_iter().filter(|line| !line.ends_with("status")).collect();
        assert_eq!(acts, expect, "{script}");
    };
    check("#!/sbin/openrc-run\ncommand=/usr/sbin/nginx\n", &["/etc/init.d/nginx zap", "/etc/init.d/nginx start"]);
    check("#!/bin/sh\n### BEGIN INIT INFO\n", &["/etc/init.d/nginx start"]);
}

#[test]
fn openrc_forgets_a_service_in_the_runlevels_that_have_it() {
    let machine = openrc(&[(0, "")]).file("/etc/runlevels/boot/nginx", "").file("/etc/runlevels/default/nginx", "");
    let machine = machine.dir("/etc/runlevels/sysinit");
    machine.apply(|host| Ok(host.service("nginx").disabled()?)).unwrap_err();
    assert!(machine.calls().contains(&"rc-update delete nginx boot default".to_owned()), "{:?}", machine.calls());
    let machine = openrc(&[(0, "")]);
    machine.apply(|host| Ok(host.service("nginx").enabled()?)).unwrap_err();
    assert_eq!(machine.calls(), ["rc-update add nginx default"]);
}

fn runit() -> Machine {
    Machine::new().file("/proc/1/comm", "runit\n").dir("/etc/service").file("/etc/sv/nginx/run", "#!/bin/sh\n")
}

const DOWN: &str = "down: /etc/service/nginx: 1s";
const UP: &str = "run: /etc/service/nginx: (pid 41) 1s; run: log: (pid 40) 1s";

#[test]
fn a_service_of_runit_is_supervised_before_it_is_started() {
    let fail = (1, "fail: /etc/service/nginx: unable to change to service directory: file does not exist");
    let machine = runit().answers("sv status", &[fail, (0, DOWN), (0, UP)]).answer("sv -w 60 start", 0, "");
    let outcome = machine.apply(|host| Ok(host.service("nginx").running()?)).unwrap();
    assert_eq!(outcome, changed("start (it was stopped)"));
    assert!(machine.calls().contains(&"sv -w 60 start /etc/service/nginx".to_owned()));
    machine.view(|host| host.service("nginx").is_enabled()).unwrap_err();
    assert_eq!(machine.apply(|host| Ok(host.service("nginx").running()?)).unwrap(), Outcome::Unchanged);
}

#[test]
fn to_enable_a_service_of_runit_is_not_to_start_it() {
    let machine = runit().answer("sv status", 0, DOWN);
    assert_eq!(
        machine.apply(|host| Ok(host.service("nginx").enabled()?)).unwrap(),
        changed("enable (it was disabled)")
    );
    assert!(machine.calls().iter().all(|line| line == "sv status /etc/service/nginx"));
    assert_eq!(machine.apply(|host| Ok(host.service("nginx").enabled()?)).unwrap(), Outcome::Unchanged);
    machine.apply(|host| Ok(host.service("nginx").disabled()?)).unwrap();
    assert_eq!(machine.read("/etc/sv/nginx/down").as_deref(), Some(""));
    assert_eq!(machine.apply(|host| Ok(host.service("nginx").disabled()?)).unwrap(), Outcome::Unchanged);
}

#[test]
fn a_service_that_nobody_supervises_is_an_error() {
    let machine = runit().answer("sv status", 1, "warning: unable to open supervise/ok: file does not exist");
    let error = machine.apply(|host| Ok(host.service("nginx").running()?)).unwrap_err().to_string();
    assert!(
        error.starts_with("runit does not supervise the service `nginx`, 15 s after it was linked\nhint: "),
        "{error}"
    );
}

#[test]
fn an_init_script_under_runit_is_one() {
    let machine = sysv(&[(0, "")]).file("/proc/1/comm", "runit\n").dir("/etc/service");
    assert_eq!(machine.apply(|host| Ok(host.service("nginx").running()?)).unwrap(), Outcome::Unchanged);
    assert_eq!(machine.calls(), ["/etc/init.d/nginx status"]);
}

const SYSTEMCTL: &str = "systemctl --no-ask-password --no-pager";

/// With a packaged unit, of which systemd says this more.
fn systemd(said: &str) -> Machine {
    let said = format!("LoadState=loaded\nActiveState=active\nUnitFileState=disabled\n{said}");
    let machine = Machine::new().dir("/run/systemd/system").dir("/etc/systemd/system");
    machine.file("/lib/systemd/system/nginx.service", "").answer("systemctl", 0, "").answer(
        &format!("{SYSTEMCTL} show"),
        0,
        &said,
    )
}

/// What systemd was told, without what it was asked.
fn told(machine: &Machine) -> Vec<String> {
    let told = machine.calls().into_iter().filter_map(|line| line.strip_prefix(SYSTEMCTL).map(str::to_owned));
    told.filter(|line| !line.starts_with(" show")).collect()
}

#[test]
fn units_are_read_again_only_when_they_must_be() {
    let check = |machine: Machine, expect: &[&str]| {
        machine.apply(|host| Ok(host.service("nginx").restarted()?)).unwrap();
        assert_eq!(told(&machine), expect);
    };
    check(systemd("NeedDaemonReload=no\n"), &[" restart -- nginx"]);
    check(systemd("NeedDaemonReload=yes\n"), &[" daemon-reload", " restart -- nginx"]);
    let overridden = systemd("NeedDaemonReload=no\nFragmentPath=/lib/systemd/system/nginx.service\n");
    check(overridden.file("/etc/systemd/system/nginx.service", ""), &[" daemon-reload", " restart -- nginx"]);
    let crashed = systemd("").file("/run/wildebeest/daemon-reload", "");
    check(crashed, &[" daemon-reload", " restart -- nginx"]);
}

#[test]
fn a_unit_that_nobody_links_is_asked_for() {
    let machine = systemd("");
    machine.apply(|host| Ok(host.service("nginx").enabled()?)).unwrap_err();
    assert_eq!(told(&machine), [" enable -- nginx"]);
    let gone = systemd("").file("/etc/systemd/system/multi-user.target.wants/apache2.service", "");
    let gone = gone.answer(&format!("{SYSTEMCTL} show"), 0, "LoadState=not-found\n");
    assert!(gone.apply(|host| Ok(host.service("apache2").enabled()?)).is_err(), "its link leads nowhere");
}

#[test]
fn a_unit_that_does_not_say_when_it_starts_is_enabled_by_what_starts_it() {
    let alone = || systemd("UnitFileState=static\nWantedBy=\nTriggeredBy=\n");
    let started = || systemd("UnitFileState=static\nWantedBy=\nTriggeredBy=nginx.timer\n");
    let enabled = |host: &Host| Ok(host.service("nginx").enabled()?);
    let disabled = |host: &Host| Ok(host.service("nginx").disabled()?);
    assert_eq!(started().apply(enabled).unwrap(), Outcome::Unchanged);
    assert_eq!(alone().apply(disabled).unwrap(), Outcome::Unchanged);
    let machine = alone();
    let error = machine.apply(enabled).unwrap_err().to_string();
    assert!(error.starts_with("the service `nginx` can't be enabled: its unit does not say when it starts"), "{error}");
    assert!(error.contains("\nhint: the unit needs `[Install]`"), "{error}");
    assert_eq!(told(&machine), [""; 0]);
    let error = started().apply(disabled).unwrap_err().to_string();
    assert!(error.starts_with("the service `nginx` is enabled after `disable`, which ended well\nhint: "), "{error}");
    alone().view(|host| host.service("nginx").is_enabled()).unwrap_err();
}

#[test]
fn a_link_to_nothing_is_a_mask() {
    let machine = systemd("");
    let error = machine.apply(|host| Ok(host.service("nginx").masked()?)).unwrap_err();
    assert_eq!(error.to_string(), "the service `nginx` is not masked after `mask`, which ended well");
    assert_eq!(told(&machine), [" mask -- nginx"]);
    wb_core::system::files::link("/dev/null", machine.path("/etc/systemd/system/nginx.service")).unwrap();
    assert_eq!(machine.apply(|host| Ok(host.service("nginx").masked()?)).unwrap(), Outcome::Unchanged);
    machine.view(|host| host.service("nginx").is_masked()).unwrap();
    let error = machine.apply(|host| Ok(host.service("nginx").unmasked()?)).unwrap_err();
    assert_eq!(error.to_string(), "the service `nginx` is masked after `unmask`, which ended well");
}
