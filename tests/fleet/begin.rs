use wb_stdlib::prelude::*;

/// The diary has a first word.
#[migration(role = "web")]
fn begin(host: &Host) -> Result<()> {
    host.shell("echo begin >>/srv/diary").run()?;
    Ok(())
}

#[spec]
fn a_diary_is_kept(host: &View) -> Result<()> {
    host.file("/srv/diary").contains("begin")
}
