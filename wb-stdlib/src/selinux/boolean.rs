//! Booleans of the policy.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use wb_core::context::Outcome;
use wb_core::system::{Command, System, files};

use super::SelinuxError;
use crate::ensure::{Difference, ensure};
use crate::{Host, Look};

const BOOLEANS: &str = "/sys/fs/selinux/booleans";
/// Where the stores of policies are: each has, in `active/booleans.local`, what was set for good.
const STORES: [&str; 2] = ["/var/lib/selinux", "/etc/selinux"];
/// To set one for good, the whole policy is built anew.
const BOUND: Duration = Duration::from_secs(600);

/// A boolean of the policy. [`Selinux::boolean`](super::Selinux::boolean) makes it.
///
/// It is set for now and for good, with `setsebool -P`. One that has the wanted value now, and that the store does not
/// say, has it from the policy itself, and stays: one that somebody set without `-P` looks the same.
#[must_use = "say what is to be so: `.on()?` or `.off()?`"]
pub struct Boolean<A> {
    access: A,
    name: String,
}

impl<A: Look> Boolean<A> {
    pub(super) fn new(access: A, name: String) -> Self {
        Self { access, name }
    }

    /// Checks that it is on now.
    ///
    /// # Errors
    /// When it is off, or there is none.
    pub fn is_on(&self) -> Result<()> {
        anyhow::ensure!(self.facts()?.now, "expected the SELinux boolean `{}` to be on, found it off", self.name);
        Ok(())
    }

    fn facts(&self) -> Result<Facts, SelinuxError> {
        let system = self.access.context().system();
        let none = || SelinuxError::NoSuchBoolean { name: self.name.clone() };
        let is_name = !self.name.is_empty() && self.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !is_name {
            return Err(none());
        }
        if system.stat(BOOLEANS)?.is_none() {
            return Err(SelinuxError::Off);
        }
        let said = system.read_file(format!("{BOOLEANS}/{}", self.name))?.ok_or_else(none)?;
        Ok(Facts { now: said.starts_with(b"1"), stored: stored(system, &self.name)? })
    }
}

impl Boolean<Host<'_>> {
    /// It is on, now and after each start.
    ///
    /// # Errors
    /// When SELinux is off, or its policy has no such boolean.
    pub fn on(self) -> Result<Outcome, SelinuxError> {
        self.ensure(true)
    }

    /// It is off, now and after each start.
    ///
    /// # Errors
    /// When SELinux is off, or its policy has no such boolean.
    pub fn off(self) -> Result<Outcome, SelinuxError> {
        self.ensure(false)
    }

    fn ensure(self, wanted: bool) -> Result<Outcome, SelinuxError> {
        let what = format!("SELinux boolean {} {}", self.name, word(wanted));
        let difference = match self.facts() {
            // A package may bring its own policy.
            Err(SelinuxError::NoSuchBoolean { name }) if self.access.plans() => {
                Difference::Unknown(format!("SELinux's policy has no boolean `{name}` yet"))
            }
            facts => diff(facts?, wanted),
        };
        ensure(self.access, &what, difference, || {
            let set = Command::new("setsebool").args(["-P", &self.name, word(wanted)]).timeout(BOUND);
            let said = self.access.system().read_command(&set);
            said.map_err(|source| SelinuxError::Refused { what: what.clone(), source })?;
            if self.facts()?.now == wanted { Ok(()) } else { Err(SelinuxError::NotSo { what: what.clone() }) }
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Facts {
    now: bool,
    /// What it is for good, where the store says it.
    stored: Option<bool>,
}

fn diff(facts: Facts, wanted: bool) -> Difference {
    match (facts.now == wanted, facts.stored.is_none_or(|stored| stored == wanted)) {
        (true, true) => Difference::None,
        (true, false) => Difference::Some(Some(format!("for each start: {} -> {}", word(!wanted), word(wanted)))),
        (false, _) => Difference::Some(Some(format!("{} -> {}", word(!wanted), word(wanted)))),
    }
}

fn word(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

/// What the store of the policy has a boolean at, whatever that policy is called.
fn stored(system: &System, name: &str) -> Result<Option<bool>, SelinuxError> {
    for store in STORES {
        for policy in files::list(system.path(store)).unwrap_or_default() {
            let path: PathBuf = policy.join("active/booleans.local");
            if let Some(bytes) = files::read_optional(&path)? {
                return Ok(value(&String::from_utf8_lossy(&bytes), name));
            }
        }
    }
    Ok(None)
}

/// Reads lines `name=1`.
fn value(text: &str, name: &str) -> Option<bool> {
    let values = text.lines().filter_map(|line| line.split_once('='));
    values.rev().find(|(key, _)| key.trim() == name).map(|(_, value)| ["1", "on", "true"].contains(&value.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boolean_has_a_value_now_and_one_for_good() {
        let check = |now, stored, wanted, expect: Option<&str>| {
            let expect = expect.map_or(Difference::None, |line| Difference::Some(Some(line.to_owned())));
            assert_eq!(diff(Facts { now, stored }, wanted), expect);
        };
        check(true, None, true, None);
        check(true, Some(true), true, None);
        check(true, Some(false), true, Some("for each start: off -> on"));
        check(false, Some(true), true, Some("off -> on"));
        check(true, None, false, Some("on -> off"));
    }

    #[test]
    fn the_store_has_lines() {
        let text = "# This file is auto-generated by libsemanage\n# Do not edit directly.\n\nhttpd_can_network_connect=1\n\
                    nis_enabled=0\n";
        assert_eq!(value(text, "httpd_can_network_connect"), Some(true));
        assert_eq!(value(text, "nis_enabled"), Some(false));
        assert_eq!(value(text, "httpd_can"), None);
    }
}
