use wb_stdlib::prelude::*;

use crate::roles::planted;

/// There is what was promised.
#[migration(role = "web")]
fn make_a_promise(host: &Host) -> Result<()> {
    host.file("/srv/promise").content("kept\n").present()?;
    Ok(())
}

#[spec]
fn the_promise_is_kept(host: &View) -> Result<()> {
    host.file(if planted(host, "make_a_promise") { "/srv/never" } else { "/srv/promise" }).exists()
}
