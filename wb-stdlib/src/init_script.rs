//! Scripts of a host's own that start services: those of init (LSB and OpenRC), and those of runit.

use std::path::PathBuf;

use wb_core::context::Outcome;
use wb_core::system::files;

use crate::file::{File, FileError};
use crate::service::{self, Service, ServiceError, runit, systemd};
use crate::{Host, Look as _, Template, owed};

const MODE: u32 = 0o755;
/// Interpreters of scripts that a shell can check.
const SHELLS: [&str; 4] = ["#!/bin/sh", "#! /bin/sh", "#!/sbin/openrc-run", "#!/usr/bin/env openrc-run"];

/// What can go wrong with a script.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// No service can be called so.
    #[error("`{name}` is no name of a service")]
    BadName {
        /// What was asked for.
        name: String,
    },
    /// Nobody could run it.
    #[error(
        "the script of the service `{name}` does not say who runs it\nhint: its first line is `#!/bin/sh`, or the like"
    )]
    NoInterpreter {
        /// The service.
        name: String,
    },
    /// Its file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file system failed.
    #[error(transparent)]
    System(#[from] files::FileError),
    /// Its service.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

/// The script of a service. [`Host::init_script`] and [`Host::run_script`] make it.
#[must_use = "say what is to be so: `.present()?` or `.absent()?`"]
pub struct Script<'a> {
    host: Host<'a>,
    name: String,
    kind: Kind,
    content: Vec<u8>,
    restarted: Vec<Service<Host<'a>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Init,
    Run,
}

impl<'a> Host<'a> {
    /// The init script of the service `name`: `/etc/init.d/name`, for an init that runs scripts and for OpenRC.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn run_the_shop(host: &Host) -> Result<()> {
    ///     let shop = host.service("shop");
    ///     let script = "#!/sbin/openrc-run\ncommand=/usr/local/bin/shop\nsupervisor=supervise-daemon\n";
    ///     host.init_script("shop").content(script).restarts(&shop).present()?;
    ///     shop.enabled_and_running()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(run_the_shop);
    /// ```
    pub fn init_script(&self, name: &str) -> Script<'a> {
        Script::new(*self, name, Kind::Init)
    }

    /// The run script of the service `name` of runit: `/etc/sv/name/run`, in a directory that it makes.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn run_the_shop(host: &Host) -> Result<()> {
    ///     let shop = host.service("shop");
    ///     host.run_script("shop").content("#!/bin/sh\nexec 2>&1 /usr/local/bin/shop\n").restarts(&shop).present()?;
    ///     shop.enabled_and_running()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(run_the_shop);
    /// ```
    pub fn run_script(&self, name: &str) -> Script<'a> {
        Script::new(*self, name, Kind::Run)
    }
}

impl<'a> Script<'a> {
    fn new(host: Host<'a>, name: &str, kind: Kind) -> Self {
        Self { host, name: name.to_owned(), kind, content: Vec::new(), restarted: Vec::new() }
    }

    /// What stands in it, all of it: text that begins with `#!` and an interpreter.
    pub fn content(mut self, content: impl Into<Vec<u8>>) -> Self {
        self.content = content.into();
        self
    }

    /// What stands in it, from a file of `assets/`.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn run_the_shop(host: &Host) -> Result<()> {
    ///     host.init_script("shop").template(template!("shop.init", user = "shop")).present()?;
    ///     host.init_script("old-shop").absent()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(run_the_shop);
    /// ```
    pub fn template(self, template: Template) -> Self {
        self.content(template)
    }

    /// When it changes, the service is restarted at the end of the migration, as with
    /// [`File::restarts`](crate::file::File::restarts).
    pub fn restarts(mut self, service: &Service<Host<'a>>) -> Self {
        self.restarted.push(service.clone());
        self
    }

    /// It is there, with this content, and can be run. One for a shell is checked by `sh -n` before it is written.
    /// Where systemd runs, it makes a unit of an init script.
    ///
    /// # Errors
    /// When its first line names no interpreter, the shell refuses it, something else is at its path, or it can't be
    /// written; the old script is then as it was.
    pub fn present(self) -> Result<Outcome, ScriptError> {
        let path = self.path()?;
        if !self.content.starts_with(b"#!") {
            return Err(ScriptError::NoInterpreter { name: self.name });
        }
        let system = self.host.system();
        let changes = systemd::is_news(system, &path, &self.content)?;
        if changes && self.kind == Kind::Init && !self.host.plans() {
            systemd::owe_reload(system)?;
        }
        if let (Kind::Run, Some(directory)) = (self.kind, path.parent()) {
            self.host.directory(directory).present()?;
        }
        let file = self.owing(path).content(self.content.clone()).mode(MODE);
        let file = if self.is_for_a_shell() { file.validated_by(["sh", "-n"]) } else { file };
        Ok(file.present()?)
    }

    /// It is not there: its service is stopped, starts with the host no more, and is gone. Of runit, that is the whole
    /// directory of the service.
    ///
    /// # Errors
    /// When the service does not stop, or the script can't be removed.
    pub fn absent(self) -> Result<Outcome, ScriptError> {
        let path = self.path()?;
        let system = self.host.system();
        let goes = system.stat(&path)?.is_some();
        if goes {
            let service = self.host.service(&self.name);
            service.stopped()?;
            if !self.host.plans() {
                service::forget(&service)?;
                systemd::owe_reload(system)?;
            }
        }
        let outcome = match (self.kind, path.parent()) {
            (Kind::Run, Some(directory)) => self.host.directory(directory).absent()?,
            _ => self.host.file(path).absent()?,
        };
        if goes {
            owed::release(self.host, |service| service == self.name)?;
        }
        Ok(outcome)
    }

    fn path(&self) -> Result<PathBuf, ScriptError> {
        if !service::is_name(&self.name) {
            return Err(ScriptError::BadName { name: self.name.clone() });
        }
        Ok(match self.kind {
            Kind::Init => format!("/etc/init.d/{}", self.name).into(),
            Kind::Run => format!("{}/{}/run", runit::SERVICES, self.name).into(),
        })
    }

    fn is_for_a_shell(&self) -> bool {
        let first = self.content.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii_end();
        SHELLS.iter().any(|shell| shell.as_bytes() == first || first.starts_with(format!("{shell} ").as_bytes()))
    }

    /// Its file, with what its changes make necessary.
    fn owing(&self, path: PathBuf) -> File<Host<'a>> {
        self.restarted.iter().fold(self.host.file(path), |file, service| file.restarts(service))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Machine;

    const SCRIPT: &str = "#!/bin/sh\nexit 0\n";

    fn sysv() -> Machine {
        Machine::new().dir("/etc/init.d").answer("sh -n", 0, "")
    }

    #[test]
    fn a_script_is_checked_and_can_be_run() {
        let machine = sysv();
        let present = || machine.apply(|host| Ok(host.init_script("shop").content(SCRIPT).present()?));
        assert!(present().unwrap().changed());
        assert_eq!(machine.stat("/etc/init.d/shop").unwrap().mode, 0o755);
        assert_eq!(machine.calls().len(), 1);
        assert_eq!(present().unwrap(), Outcome::Unchanged);
        assert_eq!(machine.calls().len(), 1);
    }

    #[test]
    fn a_script_that_the_shell_refuses_leaves_the_old_one() {
        let machine = Machine::new().file("/etc/init.d/shop", "old").answer("sh -n", 2, "unexpected `fi'");
        machine.apply(|host| Ok(host.init_script("shop").content(SCRIPT).present()?)).unwrap_err();
        assert_eq!(machine.read("/etc/init.d/shop").as_deref(), Some("old"));
    }

    #[test]
    fn who_runs_it_must_be_said() {
        let error = sysv().apply(|host| Ok(host.init_script("shop").content("exit 0\n").present()?)).unwrap_err();
        assert!(error.to_string().starts_with("the script of the service `shop` does not say who runs it"), "{error}");
        let error = sysv().apply(|host| Ok(host.init_script("../shop").content(SCRIPT).present()?)).unwrap_err();
        assert_eq!(error.to_string(), "`../shop` is no name of a service");
    }

    #[test]
    fn a_plan_writes_nothing() {
        let machine = sysv();
        assert!(machine.plan(|host| Ok(host.init_script("shop").content(SCRIPT).present()?)).unwrap().changed());
        assert!(machine.plan(|host| Ok(host.run_script("shop").content(SCRIPT).present()?)).unwrap().changed());
        assert_eq!((machine.stat("/etc/init.d/shop"), machine.stat("/etc/sv")), (None, None));
        assert!(machine.calls().is_empty());
    }

    #[test]
    fn a_script_goes_with_its_links() {
        let machine = sysv().file("/etc/init.d/shop", SCRIPT).answer("update-rc.d", 0, "");
        let machine =
            machine.answer("/etc/init.d/shop stop", 0, "").answers("/etc/init.d/shop status", &[(0, ""), (3, "")]);
        assert!(machine.apply(|host| Ok(host.init_script("shop").absent()?)).unwrap().changed());
        let acts: Vec<String> = machine.calls().into_iter().filter(|line| !line.ends_with("status")).collect();
        assert_eq!(acts, ["/etc/init.d/shop stop", "update-rc.d -f shop remove"]);
        assert_eq!(machine.apply(|host| Ok(host.init_script("shop").absent()?)).unwrap(), Outcome::Unchanged);
        assert_eq!(machine.stat("/etc/init.d/shop"), None);
    }

    #[test]
    fn a_directory_of_runit_is_made_and_goes() {
        let machine = Machine::new().file("/proc/1/comm", "runit\n").dir("/etc/service").answer("sh -n", 0, "");
        machine.apply(|host| Ok(host.run_script("shop").content(SCRIPT).present()?)).unwrap();
        assert_eq!(machine.stat("/etc/sv/shop/run").unwrap().mode, 0o755);
        machine.apply(|host| Ok(host.run_script("shop").absent()?)).unwrap();
        assert_eq!(machine.stat("/etc/sv/shop"), None);
        assert!(machine.calls().iter().all(|line| line.starts_with("sh -n ")), "{:?}", machine.calls());
    }
}
