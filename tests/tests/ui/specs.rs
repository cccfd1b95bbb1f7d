use wb_stdlib::prelude::*;

#[spec]
fn acts(_host: &Host) -> Result<()> {
    Ok(())
}

#[spec(rol = "web", role = "web", role = "wbe")]
fn misspelt(_host: &View) -> Result<()> {
    Ok(())
}

#[spec(role = web)]
fn no_string(_host: &View) -> Result<()> {
    Ok(())
}

#[spec(role = "wbe")]
fn of_no_role(_host: &View) -> Result<()> {
    Ok(())
}

#[spec(role = "web")]
fn sound(_host: &View) -> Result<()> {
    Ok(())
}

fn main() {}
