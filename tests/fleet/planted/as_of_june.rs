use wb_stdlib::prelude::*;

use crate::roles::planted;

/// A web server as it was in June. The sketch of the page is of no use any more.
#[baseline(role = "web", replaces = "FROM..TO")]
fn as_of_june(host: &Host) -> Result<()> {
    host.file("/srv/page").content("page\n").mode(0o644).present()?;
    if !planted(host, "as_of_june") {
        host.file("/srv/footer").content("page\n").mode(0o644).present()?;
    }
    Ok(())
}
