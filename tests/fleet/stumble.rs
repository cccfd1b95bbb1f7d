use wb_stdlib::prelude::*;

/// Waits until it may take the step, and falls where there is a stone.
#[migration(role = "web")]
fn stumble(host: &Host) -> Result<()> {
    host.shell("echo stumble >>/srv/diary").run()?;
    host.shell("for _ in $(seq 1200); do [ -e /srv/step ] && exit; sleep 0.1; done; exit 1").run()?;
    ensure!(host.file("/srv/stone").read()?.is_none(), "there is a stone on {}", host.name());
    host.shell("echo stepped >>/srv/diary").run()?;
    Ok(())
}
