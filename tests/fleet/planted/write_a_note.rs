use wb_stdlib::prelude::*;

use crate::roles::planted;

/// There is a note, which no plan writes.
#[migration(role = "writer")]
fn write_a_note(host: &Host) -> Result<()> {
    if planted(host) {
        std::fs::write("/srv/note", "noted\n")?;
    }
    host.file("/srv/page").content("page\n").present()?;
    Ok(())
}
