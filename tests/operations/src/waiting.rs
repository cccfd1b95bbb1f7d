//! Waits for a real nginx.

use wb_stdlib::prelude::*;

use crate::Case;

pub(crate) static CASES: &[Case] = &[Case {
    name: "for_nginx",
    packages: &["nginx-light"],
    prepare: "nginx -s stop 2>/dev/null || true; while [ -e /run/nginx.pid ]; do sleep 0.1; done
        rm -f /srv/large /srv/pipe /srv/passing /srv/passed; mkfifo /srv/pipe; truncate -s 50M /srv/large; echo at the end >>/srv/large",
    run: |host| {
        let (bound, log) = (Duration::from_secs(20), host.log("/var/log/nginx/access.log"));
        host.service("nginx").running()?;
        host.wait_up_to(bound).for_file("/run/nginx.pid")?;
        host.wait_up_to(bound).for_text("/srv/large", "at the end")?;
        host.file("/srv/large").contains("at the end")?;
        ensure!(host.file("/srv/pipe").contains("x").is_err(), "what nobody writes to is not read");
        ensure!(host.file("/srv/pipe").exists().is_err(), "a pipe is no file");
        host.wait_up_to(bound).for_process(&host.pidfile("/run/nginx.pid"))?;
        host.wait_up_to(bound).for_process(&host.process("nginx"))?;
        host.wait_up_to(bound).for_port(80)?;
        host.wait_up_to(bound).for_no_port(81)?;
        host.wait_up_to(bound).for_answer(&host.http("http://127.0.0.1/").with_body("nginx"), 200)?;
        log.says("GET / HTTP/1.1", bound)?;
        host.wait_up_to(bound).for_success(&host.command("test -e /usr/sbin/nginx"))?;
        host.wait_up_to(bound).for_no_process(&host.process("apache2"))?;
        let passing = "touch /srv/passing /srv/passed; (sleep 1; rm /srv/passing) >/dev/null 2>&1 &";
        host.shell(passing).creates("/srv/passed").run()?;
        host.wait_up_to(bound).for_no_file("/srv/passing")?;
        // A plan would only say that it can't know.
        if host.command("test -e /run/nginx.pid").succeeds().is_ok() {
            let hung = host.wait_up_to(Duration::from_secs(1)).for_success(&host.command("sleep 29"));
            ensure!(hung.is_err(), "a wait ends, whatever its command does");
        }
        Ok(())
    },
    check: "[ -e /run/nginx.pid ]",
    unforeseen: &["wait for"],
    ..Case::DEFAULT
}];
