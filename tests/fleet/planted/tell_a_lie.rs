use wb_stdlib::prelude::*;

use crate::roles::planted;

/// There are two files. A plan that looks whether there is the first one sees that it is not there yet.
#[migration(role = "web")]
fn tell_a_lie(host: &Host) -> Result<()> {
    host.file("/srv/one").content("one\n").present()?;
    if !planted(host, "tell_a_lie") || std::path::Path::new("/srv/one").exists() {
        host.file("/srv/two").content("two\n").present()?;
    }
    Ok(())
}
