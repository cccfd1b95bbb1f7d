use wb_stdlib::prelude::*;

/// Somebody owns a directory.
#[migration(role = "server")]
fn NAME(host: &Host) -> Result<()> {
    host.group("wbNUMBER").gid(6000 + NUMBER).present()?;
    host.user("wbNUMBER").uid(6000 + NUMBER).group("wbNUMBER").shell("/bin/sh").without_home().present()?;
    host.directory("/srv/wb-NUMBER").owner("wbNUMBER").mode(0o750).present()?;
    Ok(())
}

#[spec]
fn it_is_theirs(host: &View) -> Result<()> {
    host.directory("/srv/wb-NUMBER").has_owner("wbNUMBER")?;
    Ok(())
}
