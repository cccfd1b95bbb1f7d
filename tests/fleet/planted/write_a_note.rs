use wb_stdlib::prelude::*;

use crate::roles::planted;

/// There is a note, which no plan writes.
#[migration(role = "web")]
fn write_a_note(host: &Host) -> Result<()> {
    if planted(host, "write_a_note") {
        std::fs::write("/srv/note", "noted\n")?;
    }
    host.file("/srv/board").content("board\n").present()?;
    Ok(())
}
