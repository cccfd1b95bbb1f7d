use wb_stdlib::prelude::*;

struct Opaque;

fn configure(host: &Host) -> Result<()> {
    host.file("/etc/shop.conf").template(template!("shop.conf", memory = Opaque)).present()?;
    Ok(())
}

fn main() {}
