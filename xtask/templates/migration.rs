use wb_stdlib::prelude::*;

/// What holds on every host of the role once this has run, in a sentence.
#[migration(role = "{{role}}")]
fn {{name}}(host: &Host) -> Result<()> {
    let _ = host; // Say here what is to be so, as in: host.packages(["nginx"]).installed()?;
    Ok(())
}
