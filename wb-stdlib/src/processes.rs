//! The processes of a host, as the kernel shows them: no program is asked.

use wb_core::system::System;
use wb_core::system::files::{self, FileError};

/// The longest name of a process that the kernel keeps, in bytes.
pub(crate) const NAME: usize = 15;

/// A process that runs, or sleeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) number: u32,
    name: String,
}

impl Process {
    /// Whether it is called so, as far as the kernel keeps names.
    pub(crate) fn is(&self, name: &str) -> bool {
        self.name.as_bytes() == &name.as_bytes()[..name.len().min(NAME)]
    }

    /// Its command line, which it may have written anew, with blanks between the arguments.
    pub(crate) fn line(&self, system: &System) -> String {
        let bytes = system.read_file(format!("/proc/{}/cmdline", self.number)).ok().flatten().unwrap_or_default();
        String::from_utf8_lossy(&bytes).replace('\0', " ").trim_end().to_owned()
    }
}

/// All processes.
pub(crate) fn all(system: &System) -> Result<impl Iterator<Item = Process>, FileError> {
    let proc = system.path("/proc");
    let paths = if files::exists(&proc) { files::list(proc)? } else { Vec::new() };
    let numbers = paths.into_iter().filter_map(|path| path.file_name()?.to_str()?.parse().ok());
    Ok(numbers.filter_map(move |number| one(system, number)))
}

/// The process with this number. One that is about to end is none: its status can't be read, or says so.
pub(crate) fn one(system: &System, number: u32) -> Option<Process> {
    let status = system.read_file(format!("/proc/{number}/stat")).ok()??;
    let name = parse(&String::from_utf8_lossy(&status))?;
    Some(Process { number, name })
}

/// Reads proc_pid_stat(5): `41 (nginx) S 1 …`. The name may have any character in it.
fn parse(text: &str) -> Option<String> {
    let (_, rest) = text.split_once('(')?;
    let (name, rest) = rest.rsplit_once(')')?;
    let state = rest.trim_start().chars().next()?;
    (!['Z', 'X', 'x'].contains(&state)).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::Access as _;
    use crate::machine::Machine;

    #[test]
    fn names_are_read_from_what_the_kernel_shows() {
        let check = |text: &str, expect: Option<&str>| assert_eq!(parse(text).as_deref(), expect, "{text}");
        check("41 (nginx) S 1 41 41 0 -1 4194624 1097", Some("nginx"));
        check("42 (a) b (c)) R 1 42", Some("a) b (c)"));
        check("43 (nginx) Z 1 43", None);
        check("", None);
    }

    #[test]
    fn processes_are_found_by_number_and_by_name() {
        let machine = Machine::new()
            .file("/proc/41/stat", "41 (nginx) S 1 41")
            .file("/proc/41/cmdline", "nginx: worker process is shutting down\0")
            .file("/proc/99/stat", "99 (shop-with-a-lon) S 1 99")
            .file("/proc/uptime", "1 1\n");
        let look = |host: &crate::View| {
            let system = host.context().system();
            let found: Vec<Process> = all(system)?.collect();
            assert_eq!(found.iter().map(|process| process.number).collect::<Vec<_>>(), [41, 99]);
            assert!(found[0].is("nginx") && !found[0].is("ngin") && found[1].is("shop-with-a-long-name"));
            assert_eq!(found[0].line(system), "nginx: worker process is shutting down");
            assert_eq!(one(system, 7), None);
            Ok(())
        };
        machine.view(look).unwrap();
    }
}
