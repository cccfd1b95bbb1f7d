//! Which init system runs here: a pure function of what is seen.

use super::{FileError, System};

/// An init system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "runtime", derive(clap::ValueEnum))]
pub enum Init {
    /// Scripts in /etc/init.d, as the Linux Standard Base describes them.
    Lsb,
    /// A systemd unit.
    Systemd,
    /// An OpenRC script, supervised by supervise-daemon.
    Openrc,
    /// A runit service directory.
    Runit,
}

/// What is seen of a machine's init system.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// The name of the program that is process 1.
    pub first: String,
    /// systemd has booted the machine.
    pub systemd: bool,
    /// OpenRC has.
    pub openrc: bool,
    /// There is a directory of init scripts.
    pub scripts: bool,
}

impl Facts {
    /// Looks at a machine.
    ///
    /// # Errors
    /// When a path is there and can't be looked at.
    pub fn of(system: &System) -> Result<Self, FileError> {
        let there = |path: &str| system.stat(path).map(|found| found.is_some());
        let first = system.read_file("/proc/1/comm")?.unwrap_or_default();
        Ok(Self {
            first: String::from_utf8_lossy(&first).trim().to_owned(),
            systemd: there("/run/systemd/system")?,
            openrc: there("/run/openrc/softlevel")?,
            scripts: there("/etc/init.d")?,
        })
    }
}

/// The init system that has these facts.
#[must_use]
pub fn detect(facts: &Facts) -> Option<Init> {
    match facts.first.as_str() {
        // systemd's own test, see sd_booted(3).
        _ if facts.systemd => Some(Init::Systemd),
        "runit" | "runit-init" | "runsvdir" => Some(Init::Runit),
        "openrc-init" => Some(Init::Openrc),
        _ if facts.openrc => Some(Init::Openrc),
        "init" if facts.scripts => Some(Init::Lsb),
        _ => None,
    }
}

/// The directory of the services that runit supervises.
///
/// # Errors
/// When a path is there and can't be looked at.
pub fn runit_directory(system: &System) -> Result<&'static str, FileError> {
    for directory in ["/etc/service", "/var/service", "/service", "/etc/runit/runsvdir/current"] {
        if system.stat(directory)?.is_some() {
            return Ok(directory);
        }
    }
    Ok("/etc/service")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_init_system_is_the_one_that_runs() {
        let check = |first: &str, seen: &[&str], expect| {
            let seen = |what| seen.contains(&what);
            let (systemd, openrc, scripts) = (seen("systemd"), seen("openrc"), seen("scripts"));
            let facts = Facts { first: first.into(), systemd, openrc, scripts };
            assert_eq!(detect(&facts), expect, "{facts:?}");
        };
        check("systemd", &["systemd", "scripts"], Some(Init::Systemd));
        check("init", &["systemd", "scripts"], Some(Init::Systemd));
        check("init", &["scripts"], Some(Init::Lsb));
        check("init", &["scripts", "openrc"], Some(Init::Openrc));
        check("openrc-init", &["scripts"], Some(Init::Openrc));
        check("runit", &["scripts"], Some(Init::Runit));
        check("runsvdir", &[], Some(Init::Runit));
        check("init", &[], None);
        check("bash", &["scripts"], None);
    }

    #[test]
    fn runit_supervises_the_first_directory_that_is_there() {
        use crate::system::{Script, files};
        let dir = tempfile::tempdir().unwrap();
        let system = System::fake(dir.path(), Script::new());
        assert_eq!(runit_directory(&system).unwrap(), "/etc/service");
        files::create_dir(dir.path().join("var/service")).unwrap();
        assert_eq!(runit_directory(&system).unwrap(), "/var/service");
    }

    #[test]
    fn facts_are_seen_in_files() {
        use crate::system::{Script, files};
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in [("proc/1/comm", "init\n"), ("run/openrc/softlevel", "default"), ("etc/init.d/a", "")] {
            files::create_dir(dir.path().join(path).parent().unwrap()).unwrap();
            files::write(dir.path().join(path), text, 0o644).unwrap();
        }
        let facts = Facts::of(&System::fake(dir.path(), Script::new())).unwrap();
        assert_eq!(facts, Facts { first: "init".into(), systemd: false, openrc: true, scripts: true });
    }
}
