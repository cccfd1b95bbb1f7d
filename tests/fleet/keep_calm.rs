use wb_stdlib::prelude::*;

/// Panics where the host's settings don't say that it is to be calm.
#[migration(role = "web")]
fn keep_calm(host: &Host) -> Result<()> {
    assert!(host.settings_value::<bool>("calm")?, "this host is not calm");
    host.shell("echo calm >>/srv/diary").run()?;
    Ok(())
}
