use wb_stdlib::prelude::*;

/// The databases get ready, when they are told to, for what the web servers will want of them.
#[migration(role = "database")]
fn prepare_data(host: &Host) -> Result<()> {
    host.shell("echo data >>/srv/diary").run()?;
    host.shell("for _ in $(seq 1200); do [ -e /srv/open ] && exit; sleep 0.1; done; exit 1").run()?;
    host.command("createdb --owner shop orders").user("postgres").run()?;
    host.shell("echo prepared >>/srv/diary").run()?;
    Ok(())
}

#[spec]
fn the_data_is_there(host: &View) -> Result<()> {
    host.command("psql -XAtc").args(["SELECT 1", "orders"]).user("postgres").succeeds()
}
