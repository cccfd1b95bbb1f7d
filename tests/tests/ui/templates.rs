use wb_stdlib::prelude::*;

fn configure(host: &Host) -> Result<()> {
    host.file("/etc/shop.conf").template(template!("shop.conf", memory = 1, cpus = 2)).present()?;
    host.file("/etc/shop.conf").template(template!("shop.conf", memory = 1)).present()?;
    host.file("/etc/shop.conf").template(template!("shop.conf", memory = 1, cpu = 2)).present()?;
    host.file("/etc/shop.conf").template(template!("shop.conf", memory = 1, cpus = 2, memory = 3)).present()?;
    host.file("/etc/shop.conf").template(template!("latin1.conf", memory = 1)).present()?;
    Ok(())
}

fn main() {}
