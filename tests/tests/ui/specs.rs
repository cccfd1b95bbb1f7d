use wb_stdlib::prelude::*;

#[spec]
fn acts(_host: &Host) -> Result<()> {
    Ok(())
}

#[spec(role = "web")]
fn with_arguments(_host: &View) -> Result<()> {
    Ok(())
}

fn main() {}
