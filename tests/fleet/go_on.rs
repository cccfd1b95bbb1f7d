use wb_stdlib::prelude::*;

/// The diary goes on.
#[migration(role = "web")]
fn go_on(host: &Host) -> Result<()> {
    host.shell("echo on >>/srv/diary").run()?;
    Ok(())
}

#[spec]
fn the_diary_goes_on(host: &View) -> Result<()> {
    host.file("/srv/diary").contains("on")
}
