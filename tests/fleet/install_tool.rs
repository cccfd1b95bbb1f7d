use wb_stdlib::prelude::*;

/// The package that the host's settings name is installed.
#[migration(role = "web")]
fn install_tool(host: &Host) -> Result<()> {
    host.packages([host.settings_value::<String>("tool")?]).installed()?;
    host.shell("echo tool >>/srv/diary").run()?;
    Ok(())
}
