mod change;
mod rename;
mod retire;
mod tag;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;
use wb_core::chain::nearest;
use wb_core::herd::{Herd, HostEntry};
use wb_core::registry::{SigningKey, resolve};
use wb_core::system::{files, quoted};

use super::judge;
use crate::admission::{self, AdmitError, Admitted, Wanted};
use crate::chain_file::ChainFileError;
use crate::failure::Failure;
use crate::fleet::{Fleet, FleetError, HERD_FILE};
use crate::herd_file::{self, EditError, NewHost};
use crate::named::did_you_mean;
use crate::operator::{Operator, OperatorError, SIGNERS_FILE};
use crate::shell::Shell;
use crate::signing_key;
use crate::table::Table;

/// Add hosts to the herd, admit machines, retire, rename and tag them, list all
#[derive(Debug, Args)]
pub(super) struct Host {
    #[command(subcommand)]
    command: HostCommand,
}

#[derive(Debug, Subcommand)]
enum HostCommand {
    Add(Add),
    Admit(Admit),
    Retire(retire::Retire),
    Rename(rename::Rename),
    Tag(tag::Tag),
    List(List),
}

/// Write a host into herd.toml
///
/// Prints what to run on the machine. Nothing is committed.
#[derive(Debug, Args)]
struct Add {
    /// What people call it
    name: String,
    /// What it is; may be given several times
    #[arg(long = "role", required = true, value_name = "ROLE")]
    roles: Vec<String>,
    /// Where other hosts reach it: an IP address or a name
    #[arg(long)]
    address: Option<String>,
}

/// Accept machines that enrolled
///
/// Compare each fingerprint that this prints with the one of the machine's key: ssh-keygen -l -f
/// /etc/wildebeest/host_key.pub
#[derive(Debug, Args)]
struct Admit {
    /// The names that they enrolled under; each is a change of its own
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    /// The fingerprint of its key, where several machines enrolled under that one name
    #[arg(long, value_name = "SHA256:…")]
    fingerprint: Option<String>,
    /// Let each take the place of the machine that has its name now, and is lost
    #[arg(long)]
    replace: bool,
    /// In a line, why
    #[arg(long, short, value_name = "WHY")]
    message: Option<String>,
    /// The SSH key to sign with; else git's user.signingkey (with gpg.format=ssh), else one of ~/.ssh
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

/// List all hosts
#[derive(Debug, Args)]
struct List {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Host {
    pub(super) fn run(self, shell: &Shell) -> Result<(), Failure> {
        match self.command {
            HostCommand::Add(command) => command.run(shell),
            HostCommand::Admit(command) => command.run(shell),
            HostCommand::Retire(command) => command.run(shell),
            HostCommand::Rename(command) => command.run(shell),
            HostCommand::Tag(command) => command.run(shell),
            HostCommand::List(command) => command.run(shell),
        }
    }
}

impl Add {
    fn run(self, shell: &Shell) -> Result<(), Failure> {
        let fleet = Fleet::current().map_err(judge::fleet)?;
        check_roles(&fleet, &self.roles, |role| format!("cargo xtask host add {} --role {role}", self.name))?;
        let path = fleet.herd_path();
        let host = NewHost { name: &self.name, roles: &self.roles, address: self.address.as_deref() };
        let text = herd_file::with_host(&files::read_text(&path)?, &host).map_err(|error| not_edited(error, &path))?;
        files::write(&path, text, 0o644)?;
        shell.done("added", format_args!("`{}` to {}", self.name, path.display()));
        let remote = Operator::of(&fleet).map_or_else(|_| "URL".to_owned(), |o| o.registry().url().to_owned());
        let name = &self.name;
        shell.print(format_args!(
            "next: {}\nthen copy {SIGNERS_FILE} and the runner to the machine, and run there:\n  \
             wildebeest enroll --name {name} --remote {remote} --allowed-signers {SIGNERS_FILE}",
            commit_line(&format!("Add the host {name}"), &path)
        ));
        Ok(())
    }
}

/// A source file that does not parse is no reason to refuse: `check` says what is wrong there.
fn check_roles<'a>(
    fleet: &Fleet,
    roles: impl IntoIterator<Item = &'a String>,
    instead: impl Fn(&str) -> String,
) -> Result<(), Failure> {
    let Some(known) = resolve(&fleet.crate_dir)?.written.roles else { return Ok(()) };
    let Some(role) = roles.into_iter().find(|role| !known.contains(*role)) else { return Ok(()) };
    let unknown = ChainFileError::UnknownRole { role: role.clone(), known: known.clone() };
    let meant = nearest(role, known.iter().map(String::as_str));
    Err(Failure::usage(&unknown).hint(meant.map(instead).unwrap_or_else(|| judge::edit_roles(fleet))))
}

/// The command that commits the file of the herd, and nothing else that differs.
fn commit_line(message: &str, path: &Path) -> String {
    format!("git commit --message '{message}' -- {}", quoted(&path.to_string_lossy()))
}

fn not_edited(error: EditError, path: &Path) -> Failure {
    match error {
        EditError::Taken(_) => Failure::usage(error).hint("cargo xtask host list"),
        EditError::Name(_) | EditError::Address(_) => Failure::usage(error),
        EditError::Herd(source) => judge::fleet(FleetError::Herd { path: path.to_owned(), source }),
        EditError::Toml(_) => Failure::refused(format_args!("{HERD_FILE}: {error}")),
    }
}

fn no_host(name: &str, meant: Option<&str>) -> String {
    format!("the herd has no host `{name}`{}", did_you_mean(meant))
}

impl Admit {
    fn run(self, shell: &Shell) -> Result<(), Failure> {
        if self.fingerprint.is_some() && self.names.len() > 1 {
            return Err(Failure::usage("--fingerprint is of one machine, and several are named"));
        }
        let why = judge::said_if(self.message.as_deref())?;
        let fleet = Fleet::current().map_err(judge::fleet)?;
        let herd = fleet.herd().map_err(judge::fleet)?;
        let entries = self.names.iter().map(|name| entry(&fleet, &herd, name)).collect::<Result<Vec<_>, _>>()?;
        let operator = Operator::of(&fleet).map_err(judge::operator)?;
        let key = SigningKey::new(signing_key::find(self.key.clone(), operator.tree()).map_err(judge::key)?);
        let mut failures = Vec::new();
        let wanted = Wanted { fingerprint: self.fingerprint.as_deref(), replaces: self.replace, why };
        for (name, entry) in self.names.iter().zip(entries) {
            match admission::admit(&operator, name, entry, wanted, &key, shell) {
                Ok(admitted) => show_admitted(name, &admitted, shell),
                // Who can't be asked or told of one can't be of another.
                Err(AdmitError::Operator(error)) => return Err(judge::operator(error)),
                Err(error) => failures.push(not_admitted(error, Some(operator.registry().url()))),
            }
        }
        if !failures.is_empty() {
            return Err(Failure::all(failures));
        }
        shell.print("next: cargo xtask status");
        Ok(())
    }
}

/// What herd.toml says of a host.
fn entry<'a>(fleet: &Fleet, herd: &'a Herd, name: &str) -> Result<&'a HostEntry, Failure> {
    let missing = || {
        let meant = nearest(name, herd.hosts.keys().map(String::as_str)).map(str::to_owned);
        not_admitted(AdmitError::NotInHerd { name: name.to_owned(), meant }, None)
    };
    let entry = herd.hosts.get(name).ok_or_else(missing)?;
    check_roles(fleet, &entry.roles, |role| format!("cargo xtask host add {name} --role {role}"))?;
    Ok(entry)
}

fn show_admitted(name: &str, admitted: &Admitted, shell: &Shell) {
    match admitted {
        Admitted::Now { change, fingerprint } => {
            shell.print(format_args!("admitted `{name}`, whose key is {fingerprint}"));
            shell.print(format_args!("change {}, signed by {}", change.manifest, change.signer));
        }
        Admitted::Before { fingerprint } => {
            shell.print(format_args!("`{name}` is admitted already; its key is {fingerprint}"));
        }
    }
}

fn not_admitted(error: AdmitError, remote: Option<&str>) -> Failure {
    match &error {
        AdmitError::NotInHerd { name, .. } => {
            let hint = format!("cargo xtask host add {name} --role ROLE");
            Failure::usage(error).hint(hint)
        }
        AdmitError::NotEnrolled { name } => {
            let remote = remote.unwrap_or("URL");
            let hint = format!("wildebeest enroll --name {name} --remote {remote} --allowed-signers {SIGNERS_FILE}");
            Failure::refused(error).hint(hint)
        }
        AdmitError::Several { name, .. } => {
            let hint = format!("cargo xtask host admit {name} --fingerprint SHA256:…");
            Failure::refused(error).hint(hint)
        }
        AdmitError::Taken { name, .. } => {
            let hint = format!("if that one is lost: cargo xtask host admit {name} --replace");
            Failure::refused(error).hint(hint)
        }
        AdmitError::Operator(_) | AdmitError::Fingerprint { .. } => match error {
            AdmitError::Operator(error) => judge::operator(error),
            error => error.into(),
        },
    }
}

/// A host in the list.
#[derive(Debug, Serialize)]
struct Listed {
    name: String,
    roles: Vec<String>,
    address: Option<String>,
    machine: &'static str,
    fingerprint: Option<String>,
}

impl List {
    fn run(self, shell: &Shell) -> Result<(), Failure> {
        let fleet = Fleet::current().map_err(judge::fleet)?;
        let herd = fleet.herd().map_err(judge::fleet)?;
        let known = Known::ask(&fleet, shell)?;
        let hosts: Vec<Listed> = herd
            .hosts
            .iter()
            .map(|(name, entry)| {
                let (machine, fingerprint) = known.machine(name);
                let roles = entry.roles.iter().cloned().collect();
                Listed { name: name.clone(), roles, address: entry.address.clone(), machine, fingerprint }
            })
            .collect();
        match self.json {
            true => shell.print_json(&hosts),
            false => shell.print_text(table(&hosts)),
        }
        Ok(())
    }
}

fn table(hosts: &[Listed]) -> Table {
    let mut table = Table::new(&["name", "roles", "address", "machine", "key"]);
    for host in hosts {
        table.row([
            host.name.clone(),
            host.roles.join("+"),
            host.address.clone().unwrap_or_default(),
            host.machine.to_owned(),
            host.fingerprint.clone().unwrap_or_default(),
        ]);
    }
    table
}

/// What the remote knows of machines: who is admitted, who enrolled.
struct Known {
    operator: Option<Operator>,
    manifest: wb_core::change::Manifest,
}

impl Known {
    /// A herd without a remote has a list too.
    fn ask(fleet: &Fleet, shell: &Shell) -> Result<Self, Failure> {
        let operator = match Operator::of(fleet) {
            Ok(operator) => operator,
            Err(OperatorError::NoRemote) => {
                shell.note("there is no remote yet, so no machine can have enrolled");
                return Ok(Self { operator: None, manifest: wb_core::change::Manifest::default() });
            }
            Err(error) => return Err(judge::operator(error)),
        };
        operator.fetch().map_err(judge::operator)?;
        let newest = operator.newest().map_err(judge::operator)?;
        Ok(Self { operator: Some(operator), manifest: newest.map(|change| change.manifest).unwrap_or_default() })
    }

    fn machine(&self, name: &str) -> (&'static str, Option<String>) {
        let print = |key: &str| admission::fingerprint_of(name, key).ok();
        if let Some(identity) = self.manifest.hosts.get(name).and_then(|host| host.identity.as_ref()) {
            return ("admitted", print(&identity.key));
        }
        let newcomers = self.operator.iter().flat_map(|o| o.registry().newcomers(Some(&self.manifest)));
        match newcomers.flatten().find(|report| report.name == name) {
            Some(report) => ("enrolled", print(&report.key)),
            None => ("none yet", None),
        }
    }
}
