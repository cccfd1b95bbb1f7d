//! Boots a herd and holds it until its standard input ends: `cargo run -p wb-xtask --example herd -- web1 web2`.
//! `--scratch NAME`, first, keeps it apart from others. With `--keep` it leaves the herd running; with `--stop` it ends one that was left.

use std::io::Read as _;
use std::net::Ipv4Addr;
use std::process::ExitCode;

use wb_core::system::environment;
use wb_xtask::sandbox::{Elevation, Herd, Image, cache_dir, elevate, ensure_tools, probe, scratch_dir};

fn main() -> anyhow::Result<ExitCode> {
    let say = |line: &str| eprintln!("{line}");
    if let Elevation::Impossible(line) = elevate()? {
        say(&line);
        return Ok(ExitCode::from(3));
    }
    let args: Vec<String> = environment::args().iter().skip(1).map(|arg| arg.to_string_lossy().into_owned()).collect();
    let (scratch, args) = match args.as_slice() {
        [option, name, rest @ ..] if option == "--scratch" => (scratch_dir(name), rest.to_vec()),
        _ => (scratch_dir("example"), args),
    };
    if args == ["--stop"] {
        say(if Herd::stop(&scratch)? { "stopped" } else { "nothing was running" });
        return Ok(ExitCode::SUCCESS);
    }
    ensure_tools(&say)?;
    let probe = probe(&scratch);
    probe.missing.iter().for_each(|missing| say(&missing.to_string()));
    if !probe.possible() {
        return Ok(ExitCode::from(3));
    }
    let image = Image::debian12(&cache_dir(), &say)?;
    let herd = Herd::start(&image, &scratch, "10.77.0.0/24".parse()?)?;
    if !herd.has_way_out() {
        say("the hosts have no way out to the package mirrors");
    }
    for (name, last) in args.iter().filter(|arg| *arg != "--keep").zip(11..) {
        let host = herd.boot(name, Ipv4Addr::new(10, 77, 0, last))?;
        say(&format!("{name} is up at {}: {}", host.address(), host.shell_line()?));
    }
    if args.iter().any(|arg| arg == "--keep") {
        herd.leave_running()?;
    } else {
        std::io::stdin().read_to_end(&mut Vec::new())?;
    }
    Ok(ExitCode::SUCCESS)
}
