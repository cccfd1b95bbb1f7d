//! The same by the standard library, as a migration says it.

use std::rc::Rc;

use wb_core::context::{Context, HerdView, MemoryJournal, Mode};
use wb_core::system::System;
use wb_stdlib::prelude::*;

use crate::data;

/// Runs it as an agent runs a migration, but for the record.
pub fn apply(what: &str) -> Result<()> {
    let (system, herd) = (System::real(), HerdView { me: "bench".into(), members: Vec::new() });
    let context = Context::new(&system, Mode::Apply, &herd, Rc::new(MemoryJournal::default()));
    let host = Host::new(&context);
    match what {
        "files" => files(&host),
        "mixed" => mixed(&host),
        "install" => install(&host),
        _ => anyhow::bail!("there is nothing called {what}"),
    }
}

fn files(host: &Host) -> Result<()> {
    host.directory("/srv/wb-files").present()?;
    for number in 1..=data::FILES {
        let (name, port) = (format!("site{number}"), 8000 + number);
        let site = template!("site.conf", name = name, port = port);
        host.file(data::numbered(number)).template(site).owner("www-data").mode(0o640).present()?;
    }
    Ok(())
}

fn install(host: &Host) -> Result<()> {
    host.packages(data::SMALL).installed()?;
    Ok(())
}

fn mixed(host: &Host) -> Result<()> {
    host.packages(data::PACKAGES).installed()?;
    for number in data::twenty() {
        accounts_and_files(host, number)?;
    }
    for number in data::twenty() {
        host.edit(data::LINES_FILE).line(data::line(number)).or_create(0o644).present()?;
    }
    for name in data::SERVICES {
        let service = host.service(name);
        service.enabled()?;
        service.running()?;
    }
    for number in 1..=5 {
        let (name, schedule, command) = data::cron(number);
        host.cron(&name).schedule(schedule.as_str()).command(command).present()?;
    }
    for (key, value) in data::SYSCTL {
        host.sysctl(key).value(value).file("60-wb-bench").set()?;
    }
    Ok(())
}

fn accounts_and_files(host: &Host, number: usize) -> Result<()> {
    let ((group, gid), (user, uid)) = (data::group(number), data::user(number));
    host.group(&group).gid(gid).present()?;
    host.user(&user).uid(uid).group(&group).shell("/bin/sh").without_home().present()?;
    host.directory(data::directory(number)).owner(&user).mode(0o750).present()?;
    let (path, text) = data::plain(number);
    host.file(path).content(text).owner(&user).present()?;
    let (path, port) = data::templated(number);
    let site = template!("site.conf", name = user, port = port);
    host.file(path).template(site).owner(&user).mode(0o640).present()?;
    Ok(())
}
