//! Processes of the host, as the kernel lists them.

use std::path::{Path, PathBuf};

use anyhow::Result;
use wb_core::system::System;
use wb_core::system::files::FileError;

use crate::Look;
use crate::processes::{self, NAME};

/// A process, by its name or by the file that has its number. [`Look::process`] and [`Look::pidfile`] make it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn the_shop_runs(host: &View) -> Result<()> {
///     host.process("shop").is_running()?;
///     ensure!(host.process("shop-worker").pids()?.len() >= 4, "there are fewer than 4 workers");
///     host.process("shop-migrate").is_absent()?;
///     host.pidfile("/run/nginx.pid").is_running()
/// }
/// # wb_stdlib::testing::web1().asks(the_shop_runs);
/// ```
#[must_use = "say what is expected: `.is_running()?`"]
pub struct Process<A> {
    access: A,
    by: By,
}

enum By {
    Name(String),
    Pidfile(PathBuf),
}

impl<A: Look> Process<A> {
    pub(crate) fn named(access: A, name: &str) -> Self {
        Self { access, by: By::Name(name.to_owned()) }
    }

    pub(crate) fn of_pidfile(access: A, path: &Path) -> Self {
        Self { access, by: By::Pidfile(path.to_owned()) }
    }

    /// The numbers of the processes that there are of it. One that has ended, and that nobody has taken note of yet, is
    /// none.
    ///
    /// # Errors
    /// When they can't be listed, or its file can't be read.
    pub fn pids(&self) -> Result<Vec<u32>, FileError> {
        match &self.by {
            By::Name(name) => {
                let called = processes::all(self.system())?.filter(|process| is_called(self.system(), process, name));
                Ok(called.map(|process| process.number).collect())
            }
            By::Pidfile(path) => {
                let text = self.system().read_file(path)?.unwrap_or_default();
                let pid = String::from_utf8_lossy(&text).trim().parse().ok();
                let process = pid.and_then(|pid| processes::one(self.system(), pid));
                Ok(process.map(|process| process.number).into_iter().collect())
            }
        }
    }

    /// Checks that it runs.
    ///
    /// # Errors
    /// When it does not.
    pub fn is_running(&self) -> Result<()> {
        anyhow::ensure!(!self.pids()?.is_empty(), "expected {} to run, found none", self.word());
        Ok(())
    }

    /// Checks that it does not run.
    ///
    /// # Errors
    /// When it does, with its numbers.
    pub fn is_absent(&self) -> Result<()> {
        let pids = self.pids()?;
        anyhow::ensure!(pids.is_empty(), "expected {} not to run, found {}", self.word(), list(&pids));
        Ok(())
    }

    /// What it is called in messages.
    pub(crate) fn word(&self) -> String {
        match &self.by {
            By::Name(name) => format!("the process `{name}`"),
            By::Pidfile(path) => format!("the process of {}", path.display()),
        }
    }

    fn system(&self) -> &System {
        self.access.context().system()
    }
}

pub(crate) fn list(pids: &[u32]) -> String {
    pids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Whether a process is called so. Of a long name the kernel keeps the beginning, and its command line the whole.
fn is_called(system: &System, process: &processes::Process, name: &str) -> bool {
    if !process.is(name) || name.len() <= NAME {
        return process.is(name);
    }
    let line = system.read_file(format!("/proc/{}/cmdline", process.number)).ok().flatten().unwrap_or_default();
    let program = line.split(|byte| *byte == 0).next().unwrap_or_default();
    let program = String::from_utf8_lossy(program).into_owned();
    Path::new(&program).file_name().is_some_and(|found| found == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Machine;

    fn machine() -> Machine {
        let stat =
            |pid: u32, name: &str, state: char| (format!("/proc/{pid}/stat"), format!("{pid} ({name}) {state} 1 1\n"));
        let stats = [
            stat(1, "init", 'S'),
            stat(20, "nginx", 'S'),
            stat(21, "nginx", 'S'),
            stat(30, "shop", 'Z'),
            stat(40, "prometheus-node", 'S'),
        ];
        let machine = Machine::new()
            .file("/proc/40/cmdline", "/usr/bin/prometheus-node-exporter\0--web\0")
            .file("/proc/meminfo", "");
        stats.iter().fold(machine, |machine, (path, text)| machine.file(path, text))
    }

    #[test]
    fn processes_are_found_by_their_names() {
        let pids = |name: &str| machine().view(|host| Ok(host.process(name).pids()?)).unwrap();
        assert_eq!(pids("nginx"), [20, 21]);
        assert_eq!(pids("ngin"), [] as [u32; 0]);
        assert_eq!(pids("shop"), [] as [u32; 0]);
        assert_eq!(pids("prometheus-node-exporter"), [40]);
        assert_eq!(pids("prometheus-node-other"), [] as [u32; 0]);
    }

    #[test]
    fn processes_are_found_by_their_files() {
        let pids = |text: &str| {
            machine().file("/run/a.pid", text).view(|host| Ok(host.pidfile("/run/a.pid").pids()?)).unwrap()
        };
        assert_eq!(pids("20\n"), [20]);
        for text in ["30\n", "99\n", "", "x", "-1"] {
            assert_eq!(pids(text), [] as [u32; 0], "{text}");
        }
        assert_eq!(machine().view(|host| Ok(host.pidfile("/run/none.pid").pids()?)).unwrap(), [] as [u32; 0]);
    }

    #[test]
    fn specs_say_what_they_found() {
        let machine = machine();
        machine.view(|host| host.process("nginx").is_running()).unwrap();
        machine.view(|host| host.process("shop").is_absent()).unwrap();
        let error = machine.view(|host| host.process("shop").is_running()).unwrap_err();
        assert_eq!(error.to_string(), "expected the process `shop` to run, found none");
        let error = machine.view(|host| host.process("nginx").is_absent()).unwrap_err();
        assert_eq!(error.to_string(), "expected the process `nginx` not to run, found 20, 21");
    }
}
