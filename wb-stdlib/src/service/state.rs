//! What a service is, what it is wanted to be, and what leads from the one to the other.

use std::fmt;

/// Whether a service runs, as far as its manager knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It runs.
    Running,
    /// It does not.
    Stopped,
    /// Its init script does not say, or it is on its way from one to the other.
    Unknown,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Unknown => "in an unknown state",
        }
    }
}

/// What can be done with a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Start it now.
    Start,
    /// Stop it now.
    Stop,
    /// Stop and start it.
    Restart,
    /// Let it read its configuration again.
    Reload,
    /// Let it start with the host.
    Enable,
    /// Don't let it start with the host.
    Disable,
    /// Let nobody start it.
    Mask,
    /// Let it be started again.
    Unmask,
}

impl Action {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Reload => "reload",
            Self::Enable => "enable",
            Self::Disable => "disable",
            Self::Mask => "mask",
            Self::Unmask => "unmask",
        }
    }

    /// What is asked to see whether it came to anything.
    pub(super) fn question(self) -> Question {
        match self {
            Self::Start | Self::Stop | Self::Restart | Self::Reload => Question::Status,
            Self::Enable | Self::Disable => Question::Enabled,
            Self::Mask | Self::Unmask => Question::Masked,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A side of a service. Each is asked for by itself: files tell of some, and only a program of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Question {
    Status,
    Enabled,
    Masked,
}

/// The answer to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    Status(Status),
    Enabled(bool),
    Masked(bool),
}

impl Found {
    /// What it answers.
    pub(crate) fn question(self) -> Question {
        match self {
            Self::Status(_) => Question::Status,
            Self::Enabled(_) => Question::Enabled,
            Self::Masked(_) => Question::Masked,
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Status(status) => status.word(),
            Self::Enabled(true) => "enabled",
            Self::Enabled(false) => "disabled",
            Self::Masked(true) => "masked",
            Self::Masked(false) => "not masked",
        }
    }
}

/// What a service can be told to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Running,
    Stopped,
    Restarted,
    Reloaded,
    Enabled,
    Disabled,
    Masked,
    Unmasked,
}

impl Wanted {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Restarted => "restarted",
            Self::Reloaded => "reloaded",
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::Masked => "masked",
            Self::Unmasked => "unmasked",
        }
    }

    pub(super) fn question(self) -> Question {
        match self {
            Self::Running | Self::Stopped | Self::Restarted | Self::Reloaded => Question::Status,
            Self::Enabled | Self::Disabled => Question::Enabled,
            Self::Masked | Self::Unmasked => Question::Masked,
        }
    }
}

/// What is to be done so that a service is as wanted. Where the status is unknown, the action is done: it changes
/// nothing when it was not needed.
pub(super) fn diff(found: Found, wanted: Wanted) -> Option<Action> {
    match (wanted, found) {
        (Wanted::Running, Found::Status(status)) => (status != Status::Running).then_some(Action::Start),
        (Wanted::Stopped, Found::Status(status)) => (status != Status::Stopped).then_some(Action::Stop),
        (Wanted::Restarted, _) => Some(Action::Restart),
        (Wanted::Reloaded, Found::Status(status)) => (status != Status::Stopped).then_some(Action::Reload),
        (Wanted::Enabled, Found::Enabled(enabled)) => (!enabled).then_some(Action::Enable),
        (Wanted::Disabled, Found::Enabled(enabled)) => enabled.then_some(Action::Disable),
        (Wanted::Masked, Found::Masked(masked)) => (!masked).then_some(Action::Mask),
        (Wanted::Unmasked, Found::Masked(masked)) => masked.then_some(Action::Unmask),
        // The answer to another question says nothing.
        _ => None,
    }
}

/// Whether a service is what the action was to make it.
pub(super) fn achieved(found: Found, action: Action) -> bool {
    match (action, found) {
        (Action::Start | Action::Restart | Action::Reload, Found::Status(status)) => status != Status::Stopped,
        (Action::Stop, Found::Status(status)) => status != Status::Running,
        (Action::Enable, Found::Enabled(enabled)) => enabled,
        (Action::Disable, Found::Enabled(enabled)) => !enabled,
        (Action::Mask, Found::Masked(masked)) => masked,
        (Action::Unmask, Found::Masked(masked)) => !masked,
        _ => false,
    }
}

/// What a service would be found to be after an action. One that does not say whether it runs does not say so then either.
pub(super) fn after(found: Found, action: Action) -> Found {
    match (action, found) {
        (_, Found::Status(Status::Unknown)) => found,
        (Action::Start | Action::Restart, Found::Status(_)) => Found::Status(Status::Running),
        (Action::Stop, Found::Status(_)) => Found::Status(Status::Stopped),
        (Action::Enable | Action::Disable, Found::Enabled(_)) => Found::Enabled(action == Action::Enable),
        (Action::Mask | Action::Unmask, Found::Masked(_)) => Found::Masked(action == Action::Mask),
        _ => found,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_as_wanted_needs_no_action() {
        let check = |found, wanted, expect| assert_eq!(diff(found, wanted), expect, "{found:?} {wanted:?}");
        check(Found::Status(Status::Running), Wanted::Running, None);
        check(Found::Status(Status::Stopped), Wanted::Running, Some(Action::Start));
        check(Found::Status(Status::Unknown), Wanted::Running, Some(Action::Start));
        check(Found::Status(Status::Unknown), Wanted::Stopped, Some(Action::Stop));
        check(Found::Status(Status::Stopped), Wanted::Reloaded, None);
        check(Found::Status(Status::Stopped), Wanted::Restarted, Some(Action::Restart));
        check(Found::Enabled(true), Wanted::Enabled, None);
        check(Found::Enabled(true), Wanted::Disabled, Some(Action::Disable));
        check(Found::Masked(false), Wanted::Masked, Some(Action::Mask));
        check(Found::Masked(false), Wanted::Unmasked, None);
    }

    #[test]
    fn what_an_action_would_make_of_a_service_is_known_before() {
        let check = |found, action: Action, expect| assert_eq!(after(found, action), expect, "{found:?} {action}");
        check(Found::Status(Status::Stopped), Action::Start, Found::Status(Status::Running));
        check(Found::Status(Status::Running), Action::Stop, Found::Status(Status::Stopped));
        check(Found::Status(Status::Running), Action::Reload, Found::Status(Status::Running));
        check(Found::Status(Status::Unknown), Action::Start, Found::Status(Status::Unknown));
        check(Found::Enabled(true), Action::Disable, Found::Enabled(false));
        check(Found::Masked(false), Action::Mask, Found::Masked(true));
    }

    #[test]
    fn an_action_is_judged_by_what_it_was_to_do() {
        let check = |action: Action, found, expect| assert_eq!(achieved(found, action), expect, "{action} {found:?}");
        check(Action::Start, Found::Status(Status::Unknown), true);
        check(Action::Start, Found::Status(Status::Stopped), false);
        check(Action::Stop, Found::Status(Status::Unknown), true);
        check(Action::Stop, Found::Status(Status::Running), false);
        check(Action::Enable, Found::Enabled(false), false);
        check(Action::Unmask, Found::Masked(false), true);
    }
}
