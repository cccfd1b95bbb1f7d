use wb_stdlib::prelude::*;

/// The daemon before has a configuration, and has read it.
#[migration(role = "server")]
fn NAME(host: &Host) -> Result<()> {
    let daemon = host.service("wb-daemon-OTHER");
    host.file("/etc/wb-daemon-OTHER.conf").content("number = OTHER\n").restarts(&daemon).present()?;
    Ok(())
}

#[spec]
fn it_is_configured(host: &View) -> Result<()> {
    host.file("/etc/wb-daemon-OTHER.conf").contains("number = OTHER")?;
    host.service("wb-daemon-OTHER").is_running()
}
