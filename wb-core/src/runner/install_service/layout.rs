//! What each init system wants: files, commands that enable and start them, and commands that undo that.

use crate::runner::signals::{FINISH, GIVE_WAY};
use crate::system::Command;
use crate::system::init::Init;

/// What stands in every file of ours.
pub(super) const MARK: &str = "Written by `wildebeest install-service`; `wildebeest uninstall-service` removes it.";

/// What goes into the files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Settings {
    /// Where the runner is installed.
    pub(super) runner: String,
    /// More arguments for the agent.
    pub(super) args: Vec<String>,
    /// More services that bear load.
    pub(super) before: Vec<String>,
    /// The directory that runit watches.
    pub(super) runit: String,
}

/// All that there is to do for one init system.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) files: Vec<Template>,
    /// A directory that is ours as a whole.
    pub(super) directory: Option<&'static str>,
    /// A link that starts the service, and where it leads.
    pub(super) link: Option<(String, &'static str)>,
    /// After a file was written anew.
    pub(super) reload: Option<Command>,
    pub(super) install: Vec<Act>,
    pub(super) uninstall: Vec<Command>,
    /// After the files are gone.
    pub(super) forget: Option<Command>,
    /// The command that makes a running agent take over what changed.
    pub(super) restart: &'static str,
}

/// A file.
#[derive(Debug)]
pub(super) struct Template {
    pub(super) path: &'static str,
    pub(super) text: String,
    pub(super) mode: u32,
}

/// A command, and one that says whether it is needed: it succeeds when not.
#[derive(Debug)]
pub(super) struct Act {
    pub(super) done: Command,
    pub(super) command: Command,
}

/// Services that bear load on many hosts. Those that are not there are no matter.
const BEARERS: [&str; 14] = [
    "apache2",
    "caddy",
    "haproxy",
    "httpd",
    "keepalived",
    "lighttpd",
    "mariadb",
    "memcached",
    "mysql",
    "nginx",
    "postgresql",
    "redis",
    "redis-server",
    "varnish",
];

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How long an agent may take to end, and some time for what is slow.
const STOP: u64 = FINISH.as_secs() + GIVE_WAY.as_secs() + 5;

pub(super) fn layout(init: Init, settings: &Settings) -> Layout {
    match init {
        Init::Lsb => lsb(settings),
        Init::Systemd => systemd(settings),
        Init::Openrc => openrc(settings),
        Init::Runit => runit(settings),
    }
}

fn lsb(settings: &Settings) -> Layout {
    let script = settings.fill(include_str!("templates/wildebeest.init"), "");
    Layout {
        files: vec![Template { path: "/etc/init.d/wildebeest", text: script, mode: 0o755 }],
        directory: None,
        link: None,
        reload: None,
        install: vec![
            act(Command::shell(ENABLED), Command::shell(ENABLE)),
            act(words("/etc/init.d/wildebeest status"), words("/etc/init.d/wildebeest start")),
        ],
        uninstall: vec![words("/etc/init.d/wildebeest stop"), Command::shell(DISABLE)],
        forget: None,
        restart: "/etc/init.d/wildebeest restart",
    }
}

const ENABLED: &str = "ls /etc/rc[2-5].d /etc/rc.d/rc[2-5].d 2>/dev/null | grep -q '^S[0-9]*wildebeest$'";

/// Debian's tool, else Red Hat's.
const ENABLE: &str = "if command -v update-rc.d >/dev/null; then update-rc.d wildebeest defaults; \
    else chkconfig --add wildebeest; fi";
const DISABLE: &str = "if command -v update-rc.d >/dev/null; then update-rc.d -f wildebeest remove; \
    else chkconfig --del wildebeest; fi";

fn systemd(settings: &Settings) -> Layout {
    let unit = settings.fill(include_str!("templates/wildebeest.service"), ".service");
    Layout {
        files: vec![Template { path: "/etc/systemd/system/wildebeest.service", text: unit, mode: 0o644 }],
        directory: None,
        link: None,
        reload: Some(words("systemctl daemon-reload")),
        install: vec![
            act(words("systemctl is-enabled --quiet wildebeest"), words("systemctl enable wildebeest")),
            act(words("systemctl is-active --quiet wildebeest"), words("systemctl start wildebeest")),
        ],
        uninstall: vec![words("systemctl disable --now wildebeest")],
        forget: Some(words("systemctl daemon-reload")),
        restart: "systemctl restart wildebeest",
    }
}

fn openrc(settings: &Settings) -> Layout {
    let script = settings.fill(include_str!("templates/wildebeest.openrc"), "");
    Layout {
        files: vec![Template { path: "/etc/init.d/wildebeest", text: script, mode: 0o755 }],
        directory: None,
        link: None,
        reload: None,
        install: vec![
            act(words("test -e /etc/runlevels/default/wildebeest"), words("rc-update add wildebeest default")),
            act(words("rc-service wildebeest status"), words("rc-service wildebeest start")),
        ],
        uninstall: vec![words("rc-service wildebeest stop"), words("rc-update delete wildebeest default")],
        forget: None,
        restart: "rc-service wildebeest restart",
    }
}

fn runit(settings: &Settings) -> Layout {
    let file = |path, text, mode| Template { path, text: settings.fill(text, ""), mode };
    let link = format!("{}/wildebeest", settings.runit);
    Layout {
        files: vec![
            file("/etc/sv/wildebeest/finish", include_str!("templates/finish"), 0o755),
            file("/etc/sv/wildebeest/log/run", include_str!("templates/log-run"), 0o755),
            file("/etc/sv/wildebeest/run", include_str!("templates/run"), 0o755),
        ],
        directory: Some(RUNIT),
        install: vec![act(
            Command::shell(format!("sv status {link} | grep -q ^run:")),
            Command::shell(format!("{} sv start {link}", supervised(&link))),
        )],
        link: Some((link, RUNIT)),
        reload: None,
        // The link is gone by then, so that runit's own supervisor ends for good.
        uninstall: vec![words(&format!("sv -w {STOP} force-shutdown {RUNIT}"))],
        forget: None,
        restart: "sv restart wildebeest",
    }
}

const RUNIT: &str = "/etc/sv/wildebeest";

/// runit looks for new links every five seconds.
fn supervised(link: &str) -> String {
    format!("for _ in $(seq 100); do ! sv status {link} >/dev/null || break; sleep 0.1; done;")
}

impl Settings {
    fn fill(&self, template: &str, suffix: &str) -> String {
        let more = self.before.iter().map(String::as_str).filter(|name| !BEARERS.contains(name));
        let before: Vec<String> = BEARERS.into_iter().chain(more).map(|name| format!("{name}{suffix}")).collect();
        let args: String = self.args.iter().map(|arg| format!(" {arg}")).collect();
        let parts = [
            ("@MARK@", MARK),
            ("@RUNNER@", &self.runner),
            ("@ARGS@", &args),
            ("@BEFORE@", &before.join(" ")),
            ("@PATH@", PATH),
            ("@STOP@", &STOP.to_string()),
        ];
        parts.iter().fold(template.to_owned(), |text, (name, value)| text.replace(name, value))
    }
}

fn act(done: Command, command: Command) -> Act {
    Act { done, command }
}

fn words(line: &str) -> Command {
    let mut words = line.split(' ');
    Command::new(words.next().unwrap_or_default()).args(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings {
            runner: "/usr/local/bin/wildebeest".into(),
            args: Vec::new(),
            before: vec!["nginx".into(), "gitea".into()],
            runit: "/etc/service".into(),
        }
    }

    #[test]
    fn the_texts() {
        for init in [Init::Lsb, Init::Systemd, Init::Openrc, Init::Runit] {
            for file in layout(init, &settings()).files {
                insta::assert_snapshot!(
                    file.path.trim_start_matches('/').replace('/', "-") + &format!("-{init:?}"),
                    file.text
                );
            }
        }
    }

    #[test]
    fn nothing_is_left_to_fill_in_and_every_file_is_marked() {
        let settings = Settings { args: vec!["--state".into(), "/srv/wb".into()], ..settings() };
        for init in [Init::Lsb, Init::Systemd, Init::Openrc, Init::Runit] {
            for file in layout(init, &settings).files {
                assert!(!file.text.contains('@') && file.text.contains(MARK), "{}", file.text);
                assert!(!file.text.contains(" agent") || file.text.contains(" --state /srv/wb"), "{}", file.text);
            }
        }
    }

    #[test]
    fn the_scripts_are_shell() {
        for init in [Init::Lsb, Init::Openrc, Init::Runit] {
            for file in layout(init, &settings()).files {
                Command::new("sh").arg("-n").stdin(file.text).read().unwrap();
            }
        }
    }
}
