use wb_stdlib::prelude::*;

use crate::roles::planted;

/// The last file is there on all hosts, and not only on the first.
#[migration(role = "web")]
fn break_the_second(host: &Host) -> Result<()> {
    host.file("/srv/last").content("last\n").present()?;
    let is_broken = planted(host, "break_the_second") && host.name() == "web2";
    ensure!(!is_broken, "there is no way on from {}", host.name());
    Ok(())
}
