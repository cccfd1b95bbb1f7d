//! Reboots that migrations ask for. The link has written down that it wants one, and in which boot; the agent asks the
//! machine for it, and does nothing else until the machine goes down. In the next boot the link runs again.

use std::time::Duration;

use super::act::Step;
use super::{Agent, AgentError, pace};
use crate::chain::{Link, Sha1};
use crate::context::awaits_reboot;
use crate::report::Doing;
use crate::system::{Command, System};

/// When this process asked the machine to reboot, by [`Clock::passed`](crate::system::Clock::passed).
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked(Duration);

impl Agent<'_> {
    /// Whether a link wants a reboot that has not come.
    pub(super) fn awaits_reboot(&self, link: Sha1) -> bool {
        awaits_reboot(&self.store.record().steps, link, &self.here().boot_id)
    }

    /// Asks the machine to reboot, and again when it does not.
    pub(super) fn reboot(&mut self, link: &Link) -> Result<Step, AgentError> {
        let now = self.system.clock().passed();
        let before = self.reboot.map(|Asked(at)| now.saturating_sub(at));
        let trouble = match pace::asks_for_reboot(before) {
            true => self.ask_for_reboot(link, before),
            false => None,
        };
        Step::until(Doing::Rebooting { link: link.name.clone(), trouble })
    }

    fn ask_for_reboot(&mut self, link: &Link, before: Option<Duration>) -> Option<String> {
        self.journal.say(&format!("reboots, as {link} asks"));
        let asked = ask(self.system);
        self.reboot = asked.is_ok().then(|| Asked(self.system.clock().passed()));
        let late = before.map(|before| format!("was asked to {} s ago, and is still up", before.as_secs()));
        let trouble = asked.err().or(late);
        if let Some(trouble) = &trouble {
            self.journal.say(&format!("can't reboot: {trouble}"));
        }
        trouble
    }
}

const BOUND: Duration = Duration::from_secs(30);

/// Asks whoever is process 1 to end all services in good order, and to boot again.
fn ask(system: &System) -> Result<(), String> {
    let ways = ways(system.path("/run/systemd/system").is_dir());
    let mut errors = Vec::new();
    for way in ways {
        let mut words = way.split(' ');
        let command = Command::new(words.next().unwrap_or_default()).args(words).timeout(BOUND);
        match system.read_command(&command) {
            Ok(_) => return Ok(()),
            Err(error) => errors.push(error.to_string()),
        }
    }
    Err(errors.join("; "))
}

fn ways(has_systemd: bool) -> &'static [&'static str] {
    match has_systemd {
        true => &["systemctl --no-block reboot", "shutdown -r now", "reboot"],
        false => &["shutdown -r now", "reboot"],
    }
}
