use wb_stdlib::prelude::*;

/// One of the small packages. No mirror has it, so that nobody is to look for it there.
const PACKAGE: &str = "wb-small-OTHER";

/// A small package is there.
#[migration(role = "server")]
fn NAME(host: &Host) -> Result<()> {
    host.packages([PACKAGE]).installed()?;
    Ok(())
}

#[spec]
fn it_is_installed(host: &View) -> Result<()> {
    host.package(PACKAGE).is_installed()
}
