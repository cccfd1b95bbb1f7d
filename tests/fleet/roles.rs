//! What the hosts of the bad day can be.

use wb_stdlib::prelude::*;

/// Serves nothing, and keeps a diary of when it would have.
#[role(max_out = 1)]
pub struct Web;

impl Role for Web {
    fn leave(host: &Host) -> Result<()> {
        host.shell("echo leave >>/srv/diary").run()?;
        Ok(())
    }

    fn rejoin(host: &Host) -> Result<()> {
        host.shell("echo rejoin >>/srv/diary").run()?;
        Ok(())
    }
}
