use clap::Args;
use wb_core::system::{Command, files, quoted};

use super::judge;
use super::new::warn_of_branch;
use crate::draft::{self, DraftError, Names};
use crate::failure::Failure;
use crate::fleet::Fleet;
use crate::reusable::{self, Reusable, ReusableError};
use crate::shell::Shell;
use crate::table::Table;

/// Write a migration that applies a reusable function
///
/// A function with `#[reusable]`, anywhere in the crate but in src/chain, is the body of many migrations: each
/// application is a link of its own, with its values in it. Values are checked against the fields of the struct that the
/// function takes. Those of a list stand with commas between them, or each for itself; durations are as in 90s or 2h 30m;
/// a value of a type that is not known here is Rust. Without a name all reusable functions are listed. Nothing is
/// committed.
#[derive(Debug, Args)]
pub(super) struct Apply {
    /// The name of the function
    #[arg(requires = "role")]
    reusable: Option<String>,
    /// Whose hosts run it
    #[arg(long)]
    role: Option<String>,
    /// What the migration is called, where it is not the function's name with the next free number
    #[arg(long)]
    name: Option<String>,
    /// A value for each field: days=30
    #[arg(value_name = "KEY=VALUE", last = true)]
    values: Vec<String>,
}

impl Apply {
    pub(super) fn run(self, shell: &Shell) -> Result<(), Failure> {
        let fleet = Fleet::current().map_err(judge::fleet)?;
        let read = |path: &std::path::Path| files::read_text(fleet.crate_dir.join(path)).ok();
        let all = reusable::reusables(&read).map_err(|error| self.judged(error, None))?;
        let Some(name) = &self.reusable else {
            list(&all, shell);
            return Ok(());
        };
        let reusable = reusable::find(all, name).map_err(|error| self.judged(error, None))?;
        let drafted = |error| judge::draft(error, &fleet, &self.line());
        let names = draft::before(&fleet).and_then(|before| Names::of(&before)).map_err(drafted)?;
        let name = self.name.clone().unwrap_or_else(|| names.numbered(&reusable.name, 1));
        let role = self.role.as_deref().unwrap_or_default();
        let text = reusable.link(&name, role, &self.values).map_err(|error| self.judged(error, Some(&reusable)))?;
        self.write(&fleet, &names, &name, &text, shell).map_err(drafted)
    }

    fn write(&self, fleet: &Fleet, names: &Names, name: &str, text: &str, shell: &Shell) -> Result<(), DraftError> {
        let path = draft::write(fleet, names, name, self.role.as_deref().unwrap_or_default(), text)?;
        // Where there is no rustfmt, it is laid out well enough.
        drop(Command::new("rustfmt").args(["--edition", "2024"]).arg(&path).dir(&fleet.crate_dir).run());
        shell.done("wrote", path.display());
        warn_of_branch(names, name, shell);
        shell.print(format_args!("next: look at it, then {}", judge::commit(name)));
        Ok(())
    }

    fn judged(&self, error: ReusableError, of: Option<&Reusable>) -> Failure {
        match error {
            ReusableError::Unknown { ref name, ref known } => {
                let meant = reusable::meant(name, known).map(|meant| self.line().replacen(&quoted(name), meant, 1));
                Failure::usage(&error).hint(meant.unwrap_or_else(|| "cargo xtask apply --help".to_owned()))
            }
            ReusableError::Values { misfits, .. } => {
                let failure = Failure::all(misfits.iter().map(Failure::usage));
                failure.hint_if(of.map(|reusable| format!("{}{}", self.line(), reusable.usage())))
            }
            error => Failure::refused(error),
        }
    }

    /// The command line without its values, for hints that differ in one word.
    fn line(&self) -> String {
        let options = judge::option("role", self.role.as_ref()) + &judge::option("name", self.name.as_ref());
        format!("cargo xtask apply {}{options}", quoted(self.reusable.as_deref().unwrap_or_default()))
    }
}

fn list(all: &[Reusable], shell: &Shell) {
    if all.is_empty() {
        return shell.print("no function of the crate has `#[reusable]`");
    }
    let mut table = Table::new(&["name", "fields", ""]);
    all.iter().for_each(|reusable| table.row([reusable.name.clone(), reusable.fields(), reusable.about.clone()]));
    shell.print_text(table);
}
