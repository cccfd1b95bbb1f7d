use wb_stdlib::prelude::*;

/// Waits until somebody opens the gate.
#[migration(role = "web")]
fn pass_the_gate(host: &Host) -> Result<()> {
    host.shell("echo gate >>/srv/diary").run()?;
    host.shell("for _ in $(seq 1200); do [ -e /srv/open ] && exit; sleep 0.1; done; exit 1").run()?;
    host.shell("echo through >>/srv/diary").run()?;
    Ok(())
}

#[spec]
fn the_gate_is_open(host: &View) -> Result<()> {
    host.file("/srv/open").exists()
}
