use wb_stdlib::prelude::*;

use crate::roles::planted;

/// There is what was promised.
#[migration(role = "promiser")]
fn make_a_promise(host: &Host) -> Result<()> {
    host.file("/srv/promise").content("kept\n").present()?;
    Ok(())
}

#[spec]
fn the_promise_is_kept(host: &View) -> Result<()> {
    host.file(if planted(host) { "/srv/never" } else { "/srv/promise" }).exists()
}
