use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::Value;
use wb_core::system::clock::{Clock as _, Real};

use crate::calendar::ago;
use crate::failure::{Ended, Failure, NO};
use crate::sandbox::{self, Cleaned, Cleaning, Elevation, Engine, Kept, Layers, NoHost, Seen};
use crate::shell::Shell;
use crate::table::Table;

/// Enter hosts of sandboxes, list them, and remove what is left of them
#[derive(Debug, Args)]
pub(super) struct Sandbox {
    #[command(subcommand)]
    command: SandboxCommand,
}

#[derive(Debug, Subcommand)]
enum SandboxCommand {
    Enter(Enter),
    List(List),
    Clean(Clean),
}

/// Open a shell in a host of a sandbox, or run a command there
///
/// As root of that host, with its processes, files and network. The host is of a demo or a test that is under way, or
/// that was left running with `--keep`. What migrations and people do there stays in the host; a host is no prison for
/// a program that wants out.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo xtask sandbox enter web1
  cargo xtask sandbox enter demo/web1 -- tail -f /var/log/wildebeest.log

Exit codes: that of the command; 1 the host is off; 2 no such host; 3 this user may not enter sandboxes")]
struct Enter {
    /// The name of the host, and before it, where several herds have a host of that name, the herd: demo/web1
    host: String,
    /// What to run there [default: a shell]
    #[arg(value_name = "COMMAND", last = true)]
    command: Vec<String>,
    /// What sandboxes are made with
    #[arg(long, value_name = "ENGINE", value_enum, default_value_t = Engine::Namespaces)]
    engine: Engine,
}

/// List all hosts of sandboxes on this machine
///
/// A herd that was ended by force, as by a power cut, is listed until its disks are removed: by the next start of the
/// same herd, or by `cargo xtask sandbox clean`.
#[derive(Debug, Args)]
struct List {
    /// List the layers instead: disks of hosts that were kept for later runs
    #[arg(long)]
    layers: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// What sandboxes are made with
    #[arg(long, value_name = "ENGINE", value_enum, default_value_t = Engine::Namespaces)]
    engine: Engine,
}

/// End herds of sandboxes that were left running, and remove their disks
///
/// A herd that a process holds, such as a demo that is under way, stays, and so does what hosts may have booted from, or
/// may boot from soon: a test uses images and layers from its begin to its end.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 clean; 1 something is in use and stays; 3 something can't be removed")]
struct Clean {
    /// Remove the root file systems that hosts boot from, too: the next one is built anew
    #[arg(long)]
    images: bool,
    /// Remove the layers, too: the next test runs all migrations
    #[arg(long)]
    layers: bool,
    /// Remove all of that, and the packages that hosts downloaded
    #[arg(long)]
    all: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// What sandboxes are made with
    #[arg(long, value_name = "ENGINE", value_enum, default_value_t = Engine::Namespaces)]
    engine: Engine,
}

impl Sandbox {
    pub(super) fn run(self, shell: &Shell) -> Ended {
        match self.command {
            SandboxCommand::Enter(command) => command.run(),
            SandboxCommand::List(command) => command.run(shell),
            SandboxCommand::Clean(command) => command.run(shell),
        }
    }
}

impl Enter {
    fn run(self) -> Ended {
        let census = census(self.engine)?;
        let off = || NoHost::Off { name: self.host.clone() };
        let found = sandbox::named(&census, &self.host);
        let entered = found.and_then(|host| host.enter(&self.command).ok_or_else(off)).map_err(not_entered)?;
        Err(entered.exec().into())
    }
}

fn not_entered(error: NoHost) -> Failure {
    match &error {
        NoHost::Unknown { .. } => Failure::usage(error).hint("cargo xtask sandbox list"),
        NoHost::Several { all, .. } => {
            let hint = all.first().map(|name| format!("cargo xtask sandbox enter {name}"));
            Failure::usage(error).hint_if(hint)
        }
        NoHost::Off { .. } => Failure::refused(error),
    }
}

impl List {
    fn run(self, shell: &Shell) -> Ended {
        if self.layers {
            within(self.engine, shell)?;
            become_who_sees()?;
            self.print_layers(shell)?;
        } else {
            self.print_hosts(&census(self.engine)?, shell);
        }
        Ok(ExitCode::SUCCESS)
    }

    fn print_hosts(&self, census: &[Seen], shell: &Shell) {
        if self.json {
            shell.print_json(&census);
        } else if census.is_empty() {
            shell.print("There is no sandbox on this machine.");
        } else {
            shell.print_text(hosts(census));
        }
    }

    fn print_layers(&self, shell: &Shell) -> Result<(), Failure> {
        let kept = Layers::open(&sandbox::cache_dir())?.list()?;
        if self.json {
            shell.print_json(&kept);
        } else if kept.is_empty() {
            shell.print("No layer is kept.");
        } else {
            shell.print_text(layers(&kept, Real.now().as_secs()));
        }
        Ok(())
    }
}

fn hosts(census: &[Seen]) -> Table {
    let mut table = Table::new(&["herd", "host", "address", "state", "held"]);
    for seen in census {
        let held = if seen.busy { "by a process" } else { "by nobody" };
        for host in &seen.hosts {
            let state = if host.shell.is_some() { "on" } else { "off" };
            table.row([
                seen.herd.clone(),
                host.name.clone(),
                host.address.to_string(),
                state.to_owned(),
                held.to_owned(),
            ]);
        }
        if seen.hosts.is_empty() {
            let state = if seen.running { "no host yet" } else { "its disks are left" };
            table.row([seen.herd.clone(), String::new(), String::new(), state.to_owned(), held.to_owned()]);
        }
    }
    table
}

fn layers(kept: &[Kept], now: u64) -> Table {
    let mut table = Table::new(&["layer", "of", "after", "MiB", "used"]);
    for layer in kept {
        let said = |about: Option<&Value>| about.and_then(Value::as_str).unwrap_or_default().to_owned();
        let (of, after) = (layer.about.get("host"), layer.about.pointer("/link/name"));
        let room = (layer.bytes >> 20).to_string();
        table.row([layer.key.clone(), said(of), said(after), room, ago(now, layer.used)]);
    }
    table
}

impl Clean {
    fn run(self, shell: &Shell) -> Ended {
        let cleaned = self.clean(shell)?;
        if self.json {
            shell.print_json(&cleaned);
            return Ok(if cleaned.is_whole() { ExitCode::SUCCESS } else { ExitCode::from(NO) });
        }
        let lines = cleaned.lines();
        lines.iter().for_each(|line| shell.print(line));
        if !cleaned.is_whole() {
            return Err(Failure::all(stays(&cleaned)));
        }
        if lines.is_empty() {
            shell.print("Nothing was left.");
        }
        Ok(ExitCode::SUCCESS)
    }

    fn clean(&self, shell: &Shell) -> Result<Cleaned, Failure> {
        let Self { images, layers, all, engine, .. } = *self;
        let wished = Cleaning { images: images || all, layers: layers || all, packages: all };
        // What hosts leave in a container goes with it; what they share does not.
        if wished != Cleaning::default() {
            within(engine, shell)?;
        } else if !sandbox::within_running(engine)? {
            return Ok(Cleaned::default());
        }
        match sandbox::elevate()? {
            Elevation::Impossible(line) => Err(Failure::environment(line)),
            _ => Ok(sandbox::clean(wished)?),
        }
    }
}

/// Goes on where the sandboxes are made.
fn within(engine: Engine, shell: &Shell) -> Result<(), Failure> {
    Ok(sandbox::within(engine, &|line| shell.done("engine", line))?)
}

/// All herds that this engine has.
fn census(engine: Engine) -> Result<Vec<Seen>, Failure> {
    if !sandbox::within_running(engine)? {
        return Ok(Vec::new());
    }
    become_who_sees()?;
    Ok(sandbox::census())
}

/// A line for each thing that was to go.
fn stays(cleaned: &Cleaned) -> Vec<Failure> {
    let held = |herd: &String| Failure::refused(format_args!("the herd {herd} stays: a process holds it"));
    let used = || Failure::refused("images, layers and packages stay: a process, or a herd elsewhere, uses them");
    cleaned.busy.iter().map(held).chain(cleaned.in_use.then(used)).collect()
}

/// Sandboxes of root are seen by root only; those in a user namespace by the user, from outside of it.
fn become_who_sees() -> Result<(), Failure> {
    match sandbox::elevation() {
        Elevation::Root | Elevation::UserNamespaces => Ok(()),
        Elevation::Impossible(line) => Err(Failure::environment(line)),
        Elevation::Sudo => Ok(sandbox::elevate().map(drop)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_can_not_be_entered_is_told_with_what_helps() {
        let check = |error: NoHost, code: ExitCode, hints: &[&str]| {
            let failure = not_entered(error);
            assert_eq!(failure.problems[0].hints, hints);
            assert_eq!(format!("{:?}", failure.exit_code()), format!("{code:?}"));
        };
        let name = || "web1".to_owned();
        check(NoHost::Unknown { name: name(), meant: None }, ExitCode::from(2), &["cargo xtask sandbox list"]);
        let several = NoHost::Several { name: name(), all: vec!["demo/web1".into(), "test/web1".into()] };
        check(several, ExitCode::from(2), &["cargo xtask sandbox enter demo/web1"]);
        check(NoHost::Off { name: name() }, ExitCode::from(1), &[]);
    }

    #[test]
    fn what_stays_is_told() {
        let told = |cleaned: &Cleaned| -> Vec<String> {
            stays(cleaned).into_iter().map(|failure| failure.problems[0].message.clone()).collect()
        };
        let busy = vec!["demo".to_owned(), "test".to_owned()];
        let held = ["the herd demo stays: a process holds it", "the herd test stays: a process holds it"];
        assert_eq!(told(&Cleaned { busy, ..Cleaned::default() }), held);
        let used = "images, layers and packages stay: a process, or a herd elsewhere, uses them";
        assert_eq!(told(&Cleaned { in_use: true, ..Cleaned::default() }), [used]);
        assert_eq!(told(&Cleaned::default()), [""; 0]);
    }

    #[test]
    fn a_layer_is_told_by_what_was_said_of_it() {
        let about = serde_json::json!({ "host": "web1", "link": { "name": "install_nginx" } });
        let kept = |key: &str, about| Kept { key: key.into(), before: None, bytes: 3 << 20, made: 0, used: 60, about };
        assert_eq!(
            layers(&[kept("ab12", about), kept("herd-cd", Value::Null)], 180).to_string(),
            "layer    of    after          MiB  used\n\
             ab12     web1  install_nginx  3    2m ago\n\
             herd-cd                       3    2m ago\n"
        );
    }
}
