use wb_stdlib::prelude::*;

fn publish(host: &Host) -> Result<()> {
    host.directory("/srv/site").synced(assets!("site")).present()?;
    host.directory("/srv/site").synced(assets!("sites")).present()?;
    host.directory("/srv/site").synced(assets!("site.conf")).present()?;
    host.directory("/srv/site").synced(assets!("empty")).present()?;
    host.directory("/srv/site").synced(assets!("linked")).present()?;
    host.directory("/srv/site").synced(assets!("../site")).present()?;
    host.file("/srv/site.conf").content(asset!("site.config")).present()?;
    Ok(())
}

fn main() {}
