//! The other hosts of a fake one's herd: they have all behind them that anybody waits for.

use std::time::Duration;

use wb_core::chain::Wait;
use wb_core::context::{HerdView, Lookout, NoSuch, Sight};
use wb_core::runner::Catalog;

/// All that there is to wait for.
pub(super) struct Others<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) herd: &'a HerdView,
}

impl Others<'_> {
    fn has_role(&self, role: &str) -> bool {
        self.catalog.role(role).is_some() || self.herd.members.iter().any(|member| member.roles.contains(role))
    }

    fn has_link(&self, name: &str) -> bool {
        self.catalog.chain().links().iter().any(|link| link.name == name)
    }
}

impl Lookout for Others<'_> {
    fn may_wait(&self) -> bool {
        true
    }

    fn every(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn look(&self, wait: &Wait) -> Result<Sight, NoSuch> {
        match &wait.reached {
            _ if !self.has_role(wait.role()) => Err(NoSuch::Role(wait.role().to_owned())),
            Some(name) if !self.has_link(name) => Err(NoSuch::Link(name.clone())),
            _ => Ok(Sight::default()),
        }
    }
}
