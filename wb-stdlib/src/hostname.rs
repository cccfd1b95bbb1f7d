//! The name of the machine: now, at each boot, and in `/etc/hosts`.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use wb_core::context::{Context, Outcome};
use wb_core::system::files::{FileError, Kind};
use wb_core::system::{Command, CommandError, System};

use crate::ensure::{Difference, ensure};
use crate::foresight::{self, Thing};
use crate::hosts;
use crate::look::Access as _;
use crate::text_file::{TextFile, TextFileError};
use crate::{Host, Look};

const PATH: &str = "/etc/hostname";
const LIVE: &str = "/proc/sys/kernel/hostname";
/// Debian's address for the own name, so that it leads somewhere without a network.
const OWN_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 1, 1));
const BOUND: Duration = Duration::from_secs(60);

/// What can go wrong with the name of the machine.
#[derive(Debug, thiserror::Error)]
pub enum HostnameError {
    /// No machine can be called so.
    #[error("`{}` is no name of a machine: {why}", .name.escape_debug())]
    BadName {
        /// What was asked for.
        name: String,
        /// Why not.
        why: &'static str,
    },
    /// It can't be seen.
    #[error("could not look at the name of this machine")]
    Look(#[source] FileError),
    /// A file can't be read or written.
    #[error(transparent)]
    File(#[from] TextFileError),
    /// The machine does not take the name now.
    #[error("could not give this machine the name `{name}`, which it has from the next boot on")]
    Act {
        /// The name.
        name: String,
        /// Why.
        source: CommandError,
    },
    /// That ended well, and it is not so.
    #[error("this machine was to be called `{name}`, and that ended well, but it is called `{found}`")]
    NotSo {
        /// The name.
        name: String,
        /// What it is called.
        found: String,
    },
}

impl From<FileError> for HostnameError {
    fn from(error: FileError) -> Self {
        Self::File(error.into())
    }
}

/// The name of the machine. [`Look::hostname`] makes it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn name_it(host: &Host) -> Result<()> {
///     let name: String = host.settings_value("network.hostname")?;
///     host.hostname(&name).in_hosts().set()?;
///     Ok(())
/// }
///
/// fn it_has_its_name(host: &View) -> Result<()> {
///     host.hostname(&host.settings_value::<String>("network.hostname")?).is_set()
/// }
/// # wb_stdlib::testing::web1().rehearse(name_it).asks(it_has_its_name);
/// ```
#[must_use = "say what is to be so: `.set()?`"]
pub struct Hostname<A> {
    access: A,
    name: String,
    in_hosts: bool,
}

impl<A: Look> Hostname<A> {
    pub(crate) fn new(access: A, name: &str) -> Self {
        Self { access, name: name.to_owned(), in_hosts: false }
    }

    /// Checks that the machine is called so now.
    ///
    /// # Errors
    /// When it is not.
    pub fn is_set(&self) -> Result<()> {
        let found = live(self.system())?;
        anyhow::ensure!(found == self.name, "expected this machine to be called `{}`, found `{found}`", self.name);
        Ok(())
    }

    fn system(&self) -> &System {
        self.access.context().system()
    }
}

impl Hostname<Host<'_>> {
    /// The name, and what stands before its first dot, lead to 127.0.1.1, as on Debian: it leads somewhere without a
    /// network. Other names of that address go.
    pub fn in_hosts(mut self) -> Self {
        self.in_hosts = true;
        self
    }

    /// The machine is called so, now and after each boot.
    ///
    /// The files go first. Who runs already may have asked for the old name, and know it until it is restarted.
    ///
    /// # Errors
    /// When no machine can be called so, a file can't be edited, or the machine does not take the name.
    pub fn set(self) -> Result<Outcome, HostnameError> {
        check_name(&self.name)?;
        let context = self.access.context();
        let (file, live) = (TextFile::by_now(context, PATH)?, live_by_now(context)?);
        let hosts = if self.in_hosts { Some(TextFile::by_now(context, hosts::PATH)?) } else { None };
        let wanted = hosts.as_ref().map(|hosts| hosts::with_address(hosts.text(), OWN_ADDRESS, &self.names()));
        let text = format!("{}\n", self.name);
        let (in_hosts, is_said) = (hosts.as_ref().zip(wanted.as_deref()), said(file.text()) == Some(&self.name));
        let lines = [
            in_hosts.and_then(|(hosts, wanted)| hosts.diff(wanted)),
            if is_said { None } else { file.diff(&text) },
            (live != self.name).then(|| format!("now: {live} -> {}", self.name)),
        ];
        let difference = Difference::of_lines(lines.into_iter().flatten());
        let difference = hosts.iter().chain([&file]).fold(difference, |difference, file| file.known(difference));
        let mut texts = in_hosts.into_iter().chain((!is_said).then_some((&file, text.as_str())));
        texts.try_for_each(|(file, text)| file.foresee(context, text))?;
        let named = Thing::File(foresight::new_stat(Kind::File, 0o644), self.name.clone().into());
        foresight::put(context, Path::new(LIVE), named);
        ensure(self.access, &format!("hostname {} set", self.name), difference, || {
            if let Some((hosts, wanted)) = in_hosts {
                hosts.write(wanted)?;
            }
            if !is_said {
                file.write(&text)?;
            }
            if live == self.name { Ok(()) } else { self.tell() }
        })
    }

    fn names(&self) -> Vec<String> {
        match self.name.split_once('.') {
            Some((short, _)) => vec![self.name.clone(), short.to_owned()],
            None => vec![self.name.clone()],
        }
    }

    /// Not every systemd has a bus on which hostnamectl could ask, and not every host has `hostname`.
    fn tell(&self) -> Result<(), HostnameError> {
        let system = self.system();
        let told = match system.read_command(&Command::new("hostname").arg(&self.name).timeout(BOUND)) {
            Err(CommandError::NotFound { .. }) => {
                let hostnamectl = Command::new("hostnamectl").args(["--no-ask-password", "set-hostname", &self.name]);
                system.read_command(&hostnamectl.timeout(BOUND))
            }
            told => told,
        };
        told.map_err(|source| HostnameError::Act { name: self.name.clone(), source })?;
        match live(system)? {
            found if found == self.name => Ok(()),
            found => Err(HostnameError::NotSo { name: self.name.clone(), found }),
        }
    }
}

fn live(system: &System) -> Result<String, HostnameError> {
    trimmed(system.read_file(LIVE))
}

/// How the machine would be called by now in a plan.
fn live_by_now(context: &Context<'_>) -> Result<String, HostnameError> {
    trimmed(foresight::read(context, Path::new(LIVE)))
}

fn trimmed(found: Result<Option<Vec<u8>>, FileError>) -> Result<String, HostnameError> {
    let found = found.map_err(HostnameError::Look)?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&found).trim().to_owned())
}

/// The name that the text of `/etc/hostname` says: its first line that is no comment.
fn said(text: &str) -> Option<&str> {
    text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))
}

/// As RFC 1123 has it, and as long as the kernel takes it.
fn check_name(name: &str) -> Result<(), HostnameError> {
    let bad = |why| Err(HostnameError::BadName { name: name.to_owned(), why });
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let mut labels = name.split('.');
    match name {
        _ if name.len() > 64 => bad("it has more than 64 letters"),
        _ if !name.chars().all(plain) => bad("names have letters, digits, `-` and dots"),
        _ if labels.clone().any(|label| label.is_empty() || label.len() > 63) => {
            bad("its parts have from 1 to 63 letters")
        }
        _ if labels.any(|label| label.starts_with('-') || label.ends_with('-')) => {
            bad("no part starts or ends with `-`")
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use wb_core::system::files;

    use super::*;
    use crate::machine::{Machine, changed};

    fn machine() -> Machine {
        Machine::new().file(PATH, "old\n").file(LIVE, "old\n").file(hosts::PATH, "127.0.0.1 localhost\n127.0.1.1 old\n")
    }

    fn takes(machine: Machine, command: &str) -> Machine {
        machine.does(command, |root, command| {
            let name = command.line().split(' ').next_back().unwrap().to_owned();
            files::write(root.join("proc/sys/kernel/hostname"), name + "\n", 0o644).unwrap();
        })
    }

    fn set(host: &Host) -> Result<Outcome> {
        Ok(host.hostname("web1.example.org").in_hosts().set()?)
    }

    #[test]
    fn the_name_holds_everywhere() {
        let machine = takes(machine(), "hostname ");
        let diff = "/etc/hosts\n- 127.0.1.1 old\n+ 127.0.1.1 web1.example.org web1\n/etc/hostname\n- old\n\
                    + web1.example.org\nnow: old -> web1.example.org";
        assert_eq!(machine.apply(set).unwrap(), changed(diff));
        assert_eq!(machine.read(PATH).as_deref(), Some("web1.example.org\n"));
        assert_eq!(machine.apply(set).unwrap(), Outcome::Unchanged);
        assert_eq!(machine.calls(), ["hostname web1.example.org"]);
        machine.view(|host| host.hostname("web1.example.org").is_set()).unwrap();
    }

    #[test]
    fn a_plan_names_nothing() {
        let machine = machine();
        let before = machine.snapshot();
        assert!(machine.plan(set).unwrap().changed());
        assert_eq!((machine.snapshot(), machine.calls()), (before, vec![]));
    }

    #[test]
    fn hostnamectl_is_asked_where_there_is_no_hostname() {
        let machine = takes(machine(), "hostnamectl");
        machine.apply(set).unwrap();
        assert_eq!(machine.calls()[1], "hostnamectl --no-ask-password set-hostname web1.example.org");
    }

    #[test]
    fn comments_are_no_names() {
        assert_eq!(said("# a\n\nweb1\nweb2\n"), Some("web1"));
        assert_eq!(said(""), None);
        let machine = machine().file(PATH, "# ours\nold\n");
        assert_eq!(machine.apply(|host| Ok(host.hostname("old").set()?)).unwrap(), Outcome::Unchanged);
    }

    #[test]
    fn a_machine_that_does_not_take_its_name_is_an_error() {
        let check = |machine: Machine, expect: &str| {
            assert_eq!(machine.apply(set).unwrap_err().to_string(), expect);
        };
        let expect = "could not give this machine the name `web1.example.org`, which it has from the next boot on";
        check(machine().answer("hostname", 1, "you must be root"), expect);
        let expect = "this machine was to be called `web1.example.org`, and that ended well, but it is called `old`";
        check(machine().answer("hostname", 0, ""), expect);
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let machine = machine();
        let check = |name: &str, expect: &str| {
            let error = machine.apply(|host| Ok(host.hostname(name).set()?)).unwrap_err().to_string();
            assert_eq!(error, format!("`{}` is no name of a machine: {expect}", name.escape_debug()));
        };
        check("", "its parts have from 1 to 63 letters");
        check("a b", "names have letters, digits, `-` and dots");
        check("a\nb", "names have letters, digits, `-` and dots");
        check("web_1", "names have letters, digits, `-` and dots");
        check("-web", "no part starts or ends with `-`");
        check("web-.example", "no part starts or ends with `-`");
        check(&"a.".repeat(33), "it has more than 64 letters");
        assert_eq!(machine.calls(), [""; 0]);
    }
}
