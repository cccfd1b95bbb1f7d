use wb_stdlib::prelude::*;

/// What a new host of the role is, once it has run this in place of what came before, in a sentence.
#[baseline(role = "{{role}}", replaces = "{{replaces}}")]
fn {{name}}(host: &Host) -> Result<()> {
    // In place of:
{{replaced}}    let _ = host; // Say here what these came to, as in: host.packages(["nginx"]).installed()?;
    Ok(())
}
