use wb_stdlib::prelude::*;

/// Nobody goes on before all have the page.
#[migration(role = "web", rolling = false, rerun = "it does nothing")]
fn meet(host: &Host) -> Result<()> {
    host.wait_until(all("web").reached("as_of_june").within(Duration::from_mins(5)))?;
    Ok(())
}
