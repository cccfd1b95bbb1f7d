use wb_stdlib::prelude::*;

use crate::roles::planted;

/// A visit is counted, but the first one only.
#[migration(role = "web")]
fn count_visits(host: &Host) -> Result<()> {
    let count = host.shell("echo visit >>/srv/visits");
    let counted = host.shell("grep -qx visit /srv/visits");
    if planted(host, "count_visits") { count.run()? } else { count.unless(counted).run()? };
    Ok(())
}
