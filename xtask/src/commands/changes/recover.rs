use clap::Args;
use wb_core::system::quoted;

use crate::changes::recover::{self, Choice, RecoverError, Recovery};
use crate::commands::judge;
use crate::failure::Failure;
use crate::operator::Operator;
use crate::shell::Shell;

/// Bring back the log of a git server that was restored from a backup
///
/// Pushes the longest log that counts: out of this machine's memory of the remote, or where signed reports say that it
/// ends. It only adds to the log that the remote has. Where two logs are known, and neither is the beginning of the other,
/// both are shown and nothing is changed. Runners that the newest change names are pushed back too, where this machine has
/// them. Hosts put back what is theirs by themselves.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 brought back, or nothing is lost; 1 the log has forked, does not count, has moved, or hosts follow the other
side; 2 --keep names no side, or not one alone; 3 no remote")]
pub(super) struct Recover {
    /// Drop what stands at the end of the remote's log and is signed by nobody in allowed_signers
    #[arg(long)]
    drop_unsigned: bool,
    /// Where the log has forked, keep the side that ends with this commit, by its first 7 digits at least, and give up what
    /// the other one has
    #[arg(long, value_name = "COMMIT")]
    keep: Option<String>,
    /// Show what would be brought back, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Recover {
    pub(super) fn run(&self, operator: &Operator, shell: &Shell) -> Result<(), Failure> {
        let choice = Choice { drop_unsigned: self.drop_unsigned, keep: self.keep.clone() };
        let recovery = recover::look(operator, &choice).map_err(|error| judged(error, shell))?;
        if !self.json {
            show(&recovery, operator.registry().url(), shell);
        }
        if !self.dry_run {
            recover::carry_out(operator, &recovery).map_err(|error| judged(error, shell))?;
        }
        match self.json {
            true => shell.print_json(&recovery),
            false => shell.print(self.end(&recovery)),
        }
        Ok(())
    }

    fn end(&self, recovery: &Recovery) -> String {
        let Some(newest) = &recovery.newest else {
            return "nobody knows of any change; next: cargo xtask deploy".to_owned();
        };
        let nothing_lost = recovery.runners.is_empty() && recovery.nowhere.is_empty();
        let said = match (recovery.is_whole(), self.dry_run) {
            (true, _) if nothing_lost => "nothing is lost: the log ends with change",
            (true, _) => "nothing can be brought back from here: the log ends with change",
            (false, true) => {
                return format!("nothing was changed; next: cargo xtask changes recover{}", self.options());
            }
            (false, false) => "brought back: the log ends with change",
        };
        let next = if recovery.runners.iter().any(|lost| !lost.is_here) { "deploy" } else { "status" };
        format!("{said} {newest}; next: cargo xtask {next}")
    }

    fn options(&self) -> String {
        let keep = self.keep.as_ref().map(|keep| format!(" --keep {}", quoted(keep))).unwrap_or_default();
        format!("{keep}{}", if self.drop_unsigned { " --drop-unsigned" } else { "" })
    }
}

fn show(recovery: &Recovery, url: &str, shell: &Shell) {
    let witnesses = if recovery.witnesses.is_empty() { "nobody".to_owned() } else { recovery.witnesses.join(", ") };
    recovery.lost.iter().for_each(|change| shell.print(format_args!("+ change {change}, known to {witnesses}")));
    recovery.given_up.iter().for_each(|change| shell.print(format_args!("- change {change}: say it again")));
    if let Some(dropped) = recovery.dropped {
        shell.print(format_args!("- {}, which nobody signed whose word counts", dropped.short()));
    }
    for lost in &recovery.runners {
        let (platform, sha256) = (&lost.platform, lost.runner.sha256.short());
        match lost.is_here {
            true => shell.print(format_args!("+ runner for {platform}: {sha256}")),
            false => shell.warn(format_args!(
                "the runner for {platform}, {sha256}, is neither on the remote nor here: hosts that have it go on, and \
                 others wait for a deploy"
            )),
        }
    }
    for (witness, commit) in &recovery.nowhere {
        let url = quoted(url);
        let push = format!("git -C /var/lib/wildebeest/herd.git push {url} {commit}:refs/wildebeest/changes");
        let short = commit.short();
        shell.warn(format_args!(
            "{witness} knows a log up to {short}, and no change that counts is found there; it may be able to: {push}"
        ));
    }
}

fn judged(error: RecoverError, shell: &Shell) -> Failure {
    match error {
        RecoverError::Forked(ref fork) => {
            shell.print_text(fork);
            let ends = fork.sides.iter().filter_map(|side| side.changes.last());
            let keep = ends.map(|last| format!("cargo xtask changes recover --keep {} --dry-run", last.commit.short()));
            keep.fold(Failure::refused(&error), Failure::hint)
        }
        RecoverError::Doubtful { ref witnesses, ref source, .. } => {
            let failure = Failure::refused(&error).because(&**source).hint("git log -p -- '*allowed_signers'");
            failure.hint_if(witnesses.is_empty().then_some("cargo xtask changes recover --drop-unsigned"))
        }
        RecoverError::NoSuch { .. } | RecoverError::Vague { .. } | RecoverError::Several { .. } => {
            Failure::usage(error).hint("cargo xtask changes recover --dry-run")
        }
        RecoverError::Followed { .. } => Failure::refused(error).hint("cargo xtask changes recover --dry-run"),
        RecoverError::Moved => Failure::refused(error).hint("cargo xtask changes recover"),
        RecoverError::Operator(error) => judge::operator(error),
    }
}
