use wb_stdlib::prelude::*;

/// The page, and what it is made of.
#[migration(role = "web")]
fn write_page(host: &Host) -> Result<()> {
    for name in ["page", "footer", "sketch"] {
        host.file(format!("/srv/{name}")).content("page\n").mode(0o644).present()?;
    }
    Ok(())
}
