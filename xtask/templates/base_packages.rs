use wb_stdlib::prelude::*;

/// What every server of ours has.
#[migration(role = "server")]
fn base_packages(host: &Host) -> Result<()> {
    host.packages(["ca-certificates", "git"]).installed()?;
    Ok(())
}

#[spec]
fn git_answers(host: &View) -> Result<()> {
    host.command("git --version").succeeds()
}
