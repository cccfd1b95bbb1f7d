use wb_stdlib::prelude::*;

const SERVICE: &str = "#!/bin/sh
[ \"$1\" = status ] || echo \"$1\" >>/srv/diary
";

/// A reboot cuts it in two.
#[migration(role = "web", timeout = "5m")]
fn reboot_in_the_middle(host: &Host) -> Result<()> {
    require!(host.file("/srv/cut").read()?.is_none(), "a host that this was never begun on");
    let before: String = host.step("before", |host| {
        host.shell("echo before >>/srv/diary").run()?;
        boot_id(host)
    })?;
    host.file("/etc/init.d/owed").content(SERVICE).mode(0o755).present()?;
    host.file("/srv/cut").content("cut\n").restarts(&host.service("owed")).present()?;
    host.reboot()?;
    host.step("after", |host| {
        host.shell("echo after >>/srv/diary").run()?;
        Ok(())
    })?;
    ensure!(boot_id(host)? != before, "this is the boot that it was begun in");
    Ok(())
}

fn boot_id(host: &Host) -> Result<String> {
    Ok(host.command("cat /proc/sys/kernel/random/boot_id").output()?.text())
}

#[spec]
fn it_was_cut(host: &View) -> Result<()> {
    host.file("/srv/cut").contains("cut")
}
