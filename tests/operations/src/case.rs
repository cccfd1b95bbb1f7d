//! A case: an operation, or a few, on a host that was prepared for it.

use anyhow::{Result, bail, ensure};
use wb_stdlib::{Host, Look as _};

/// An operation of the standard library, as a real host runs it. What nobody says is as in [`Case::DEFAULT`].
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// What it is called: unique in its room.
    pub name: &'static str,
    /// What runs as process 1 of its hosts.
    pub init: Init,
    /// Packages of Debian 12 that its hosts have. They share them, and their disks, with the other cases of the room.
    pub packages: &'static [&'static str],
    /// A line or more of shell, by which root brings the host to where the case begins.
    pub prepare: &'static str,
    /// The operations.
    pub run: fn(&Host) -> Result<()>,
    /// A line or more of shell, which succeeds once they were done.
    pub check: &'static str,
    /// What a plan can't know: each a beginning of what an operation is called.
    pub unforeseen: &'static [&'static str],
    /// What changes by itself meanwhile, and so may change while a plan is made: absolute paths, with all below.
    pub restless: &'static [&'static str],
    /// Why a second run changes something all the same, where it does.
    pub rerun: Option<&'static str>,
}

/// What runs as process 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Init {
    /// Debian's sysvinit.
    Sysv,
    /// systemd.
    Systemd,
    /// sysvinit, with OpenRC for the services.
    OpenRc,
    /// runit.
    Runit,
}

impl Case {
    /// A case that does nothing, under sysvinit.
    pub const DEFAULT: Self = Self {
        name: "",
        init: Init::Sysv,
        packages: &[],
        prepare: "",
        run: |_| Ok(()),
        check: "",
        unforeseen: &[],
        restless: &[],
        rerun: None,
    };
}

/// It is an error, and says so with these words: those that name what it is about among them.
pub(crate) fn refuses<T>(result: Result<T, impl Into<anyhow::Error>>, words: &str) -> Result<()> {
    let Err(error) = result else { bail!("it was not refused, with `{words}`") };
    let said = format!("{:#}", error.into());
    ensure!(said.contains(words), "expected an error with `{words}`, found: {said}");
    Ok(())
}

/// What a spec would find is what a line of shell says.
pub(crate) fn agrees(host: &Host, line: &str, found: Result<()>) -> Result<()> {
    let said = host.shell(line).succeeds();
    match (found, said) {
        (Ok(()), Err(error)) => bail!("it was found to be so, and not by `{line}`: {error:#}"),
        (Err(error), Ok(())) => bail!("it is so by `{line}`, and was not found to be: {error:#}"),
        _ => Ok(()),
    }
}

/// A function of shell, `served ONE TWO`, that makes services of init scripts: they always run, and each leaves a file of
/// its name in `/run` when it is told to reload.
macro_rules! served {
    () => {
        "served() {
            for name; do
                printf '#!/bin/sh\\n[ \"$1\" != reload ] || touch /run/%s\\n' \"$name\" >\"/etc/init.d/$name\"
                chmod 755 \"/etc/init.d/$name\"; rm -f \"/run/$name\"
            done
        }
        "
    };
}

pub(crate) use served;
