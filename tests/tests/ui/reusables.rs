use wb_stdlib::prelude::*;

pub struct Args {
    pub days: u32,
}

#[reusable]
pub fn right(host: &Host, args: Args) -> Result<()> {
    let _ = (host.name(), args.days);
    Ok(())
}

#[reusable]
pub(crate) fn without_arguments(_host: &Host) -> Result<()> {
    Ok(())
}

#[reusable]
fn private(_host: &Host, _args: Args) -> Result<()> {
    Ok(())
}

#[reusable(role = "web")]
pub fn with_arguments(_host: &Host, _args: Args) -> Result<()> {
    Ok(())
}

#[reusable]
pub fn by_reference(_host: &Host, _args: &Args) -> Result<()> {
    Ok(())
}

#[reusable]
pub async fn all_wrong<T>(_days: u32, _host: &Host, _args: T) {}

#[reusable]
pub struct NoFunction;

fn main() {}
