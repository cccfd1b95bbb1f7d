use wb_stdlib::prelude::*;

use crate::roles::planted;

/// What reads a file is restarted. Where that hangs on the change of the file, a kill in between loses it.
#[migration(role = "web")]
fn lose_a_restart(host: &Host) -> Result<()> {
    let setting = host.file("/srv/setting").content("on\n").present()?;
    if !planted(host, "lose_a_restart") || setting.changed() {
        let restarted = host.command("test -e /srv/restarted");
        host.command("touch /srv/restarted").unless(restarted).run()?;
    }
    Ok(())
}
