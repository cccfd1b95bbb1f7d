use wb_stdlib::prelude::*;

/// A configuration has ten parts.
#[migration(role = "server")]
fn NAME(host: &Host) -> Result<()> {
    host.directory("/etc/wb-NUMBER").mode(0o755).present()?;
    for part in 0..10 {
        let path = format!("/etc/wb-NUMBER/{part}.conf");
        host.file(&path).content(format!("part = {part}\n")).mode(0o640).present()?;
    }
    Ok(())
}

#[spec]
fn the_last_part_is_there(host: &View) -> Result<()> {
    host.file("/etc/wb-NUMBER/9.conf").contains("part = 9")
}
