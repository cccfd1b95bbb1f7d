use wb_stdlib::prelude::*;

/// What every server of ours has.
#[migration(role = "server")]
fn base_packages(host: &Host) -> Result<()> {
    host.packages(["ca-certificates", "curl", "less"]).installed()?;
    host.file("/etc/motd").template(template!("motd", name = host.name())).present()?;
    Ok(())
}

#[spec]
fn programs_are_there(host: &View) -> Result<()> {
    host.command("curl --version").succeeds()?;
    host.command("less --version").succeeds()
}

#[spec]
fn who_logs_in_sees_where(host: &View) -> Result<()> {
    host.file("/etc/motd").contains(host.name())
}
