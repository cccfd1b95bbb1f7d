//! Errors that several commands meet, with the command that helps.

use std::collections::BTreeSet;

use wb_core::chain::{Mistake, nearest};
use wb_core::registry::{LogError, ObjectError, RegistryError};
use wb_core::system::quoted;

use crate::attestation::AttestationError;
use crate::chain_file::{ChainFileError, mended_name};
use crate::deploy::plan::Refusal;
use crate::draft::DraftError;
use crate::failure::Failure;
use crate::fleet::{Fleet, FleetError};
use crate::named::{Kind, Unknown};
use crate::operator::OperatorError;
use crate::signers;
use crate::signing_key::KeyError;
use crate::soundness::SoundnessError;
use crate::tell::NotTold;

/// The fleet can't be read.
pub(super) fn fleet(error: FleetError) -> Failure {
    match error {
        FleetError::NoWorkspace { .. } | FleetError::NoMigrations { .. } => {
            Failure::from(error).hint("cargo xtask init DIR")
        }
        FleetError::Herd { ref path, ref source } => {
            let hint = format!("vi +{} {}", source.line, quoted(&path.to_string_lossy()));
            Failure::refused(&error).hint(hint)
        }
        error => error.into(),
    }
}

/// Nobody knows what is wrong with the fleet.
pub(super) fn soundness(error: SoundnessError) -> Failure {
    match error {
        SoundnessError::Fleet(error) => fleet(error),
        error => error.into(),
    }
}

/// Where there is no role of a name, and none that is nearly it.
pub(super) fn edit_roles(fleet: &Fleet) -> String {
    format!("vi {}", quoted(&fleet.crate_dir.join("src/roles.rs").to_string_lossy()))
}

/// A draft that can't be written. `again` is the command line as it was.
pub(super) fn draft(error: DraftError, fleet: &Fleet, again: &str) -> Failure {
    match error {
        DraftError::Chain(error) => chain_file(error, fleet, again),
        DraftError::Used { ref name, ref byline, ref free } => {
            let other = replaced(again, option_of_name(again), name, free);
            Failure::usage(&error).hint(format_args!("git show {}", byline.sha1.short())).hint(other)
        }
        DraftError::NoSuch { ref name, ref meant } => {
            let meant = meant.as_ref().map(|meant| replaced(again, "--like", name, meant));
            Failure::usage(&error).hint(meant.unwrap_or_else(|| "cargo xtask chain".to_owned()))
        }
        DraftError::Likeness(error) => Failure::refused(error),
        error => error.into(),
    }
}

/// ` --role web`, as a shell takes it.
pub(super) fn option(name: &str, value: Option<&String>) -> String {
    value.map(|value| format!(" --{name} {}", quoted(value))).unwrap_or_default()
}

/// A command line with another word after `option`.
fn replaced(line: &str, option: &str, word: &str, other: &str) -> String {
    line.replacen(&format!("{option} {}", quoted(word)), &format!("{option} {}", quoted(other)), 1)
}

fn chain_file(error: ChainFileError, fleet: &Fleet, again: &str) -> Failure {
    match error {
        ChainFileError::Mistakes(mistakes) => all_mistakes(&mistakes),
        ChainFileError::Draft { ref draft } => {
            let hint = commit(draft);
            Failure::refused(error).hint(hint)
        }
        ChainFileError::Taken { .. } => Failure::usage(error).hint("cargo xtask chain"),
        ChainFileError::UnknownRole { ref role, ref known } => {
            let meant = nearest(role, known.iter().map(String::as_str));
            let instead = meant.map(|meant| replaced(again, "--role", role, meant));
            Failure::usage(&error).hint(instead.unwrap_or_else(|| edit_roles(fleet)))
        }
        ChainFileError::Name { ref name, .. } => Failure::usage(&error).hint_if(renamed(again, name)),
        error => error.into(),
    }
}

/// The command line with the name that is meant by one that is none, where it gave that.
fn renamed(again: &str, name: &str) -> Option<String> {
    let mended = mended_name(name)?;
    Some(replaced(again, option_of_name(again), name, &mended)).filter(|line| line != again)
}

/// What stands before the name of a draft.
fn option_of_name(line: &str) -> &'static str {
    if line.contains("--name ") { "--name" } else { "new" }
}

/// The command that makes a draft a link.
pub(super) fn commit(draft: &str) -> String {
    format!("git add --all && git commit -m 'Add the migration {draft}'")
}

/// A chain with mistakes, if it has any.
pub(super) fn mistakes(mistakes: &[Mistake]) -> Result<(), Failure> {
    match mistakes {
        [] => Ok(()),
        mistakes => Err(all_mistakes(mistakes)),
    }
}

/// All mistakes of a chain, each with what to do.
pub(super) fn all_mistakes(mistakes: &[Mistake]) -> Failure {
    Failure::all(mistakes.iter().map(|mistake| Failure::refused(mistake).hint(mistake.help())))
}

/// All reasons to refuse, each with the command that helps. `again` is the command line as it was.
pub(super) fn refusals(refusals: &[Refusal], again: &str) -> Failure {
    Failure::all(refusals.iter().map(|refusal| match refusal {
        Refusal::Unknown(missing) => unknown(missing, again),
        Refusal::OtherCanaries { hosts, .. } => Failure::refused(refusal).hint(with_canaries(again, hosts)),
        Refusal::Moved { .. } => Failure::refused(refusal).hint(again),
        Refusal::Untested { .. } => {
            Failure::refused(refusal).hint(refusal.hint()).hint(format_args!("{again} --untested"))
        }
        refusal => Failure::refused(refusal).hint(refusal.hint()),
    }))
}

/// The same deploy, with these hosts as canaries too.
fn with_canaries(line: &str, hosts: &BTreeSet<String>) -> String {
    let more: String = hosts.iter().map(|host| format!(" {}", quoted(host))).collect();
    let canary = format!(" --canary{more}");
    match line.contains(" --canary ") {
        true => line.replacen(" --canary", &canary, 1),
        false => line.replacen("cargo xtask deploy", &format!("cargo xtask deploy{canary}"), 1),
    }
}

/// No key to sign with.
pub(super) fn key(error: KeyError) -> Failure {
    let hint = match &error {
        KeyError::Missing { path } => format!("ssh-keygen -t ed25519 -f {}", quoted(&path.to_string_lossy())),
        KeyError::None { .. } => "ssh-keygen -t ed25519 -f ~/.ssh/id_ed25519".to_owned(),
    };
    Failure::from(error).hint(hint)
}

/// The remote, the log of changes, or who may append to it.
pub(super) fn operator(error: OperatorError) -> Failure {
    match error {
        OperatorError::Fleet(error) => fleet(error),
        OperatorError::NoRemote => Failure::from(error).hint("git remote add origin URL"),
        OperatorError::KeyNotAllowed { ref key, signers: ref list, ref principal }
        | OperatorError::TesterNotAllowed { ref key, testers: ref list, ref principal } => {
            let (public, list) = (signers::public_half(key), list.display());
            let line = format!(r#"{principal} namespaces=\"git\" $(cat {})"#, public.display());
            Failure::refused(&error).hint(format_args!("echo \"{line}\" >> {list}"))
        }
        OperatorError::Overtaken { .. } | OperatorError::Otherwise => Failure::refused(error),
        OperatorError::Rewound { .. } => Failure::refused(error).hint("cargo xtask changes recover"),
        OperatorError::Newest { ref source } => Failure::refused(&error).because(source).hint_if(unsigned(source)),
        OperatorError::Registry(error) => registry(error),
        OperatorError::Doubtful { number, .. } => Failure::from(error).hint(format!("cargo xtask changes {number}")),
        OperatorError::Key { ref key, .. } => {
            let hint = format!("ssh-add {}", key.display());
            Failure::from(error).hint(hint)
        }
        error => error.into(),
    }
}

/// What was tested, as far as that is known.
pub(super) fn attestation(error: AttestationError) -> Failure {
    match error {
        AttestationError::Operator(error) => operator(error),
        AttestationError::Registry(error) => registry(error),
        error @ (AttestationError::Overtaken { .. } | AttestationError::Unsigned) => Failure::refused(error),
        error => error.into(),
    }
}

/// What `--message` says.
pub(super) fn said(message: &str) -> Result<&str, Failure> {
    let said = message.trim();
    match said.lines().count() {
        0 => Err(Failure::usage("--message says nothing")),
        1 => Ok(said),
        _ => Err(Failure::usage("--message has more than one line")),
    }
}

/// The same, where it may be left out.
pub(super) fn said_if(message: Option<&str>) -> Result<Option<&str>, Failure> {
    message.map(said).transpose()
}

/// The herd was told nothing. `again` is the command line as it was.
pub(super) fn not_told<E>(error: NotTold<E>, again: &str, judged: impl Fn(E) -> Failure) -> Failure {
    match error {
        NotTold::Refused(refusal) => judged(refusal),
        NotTold::Operator(error @ (OperatorError::Overtaken { .. } | OperatorError::Otherwise)) => {
            Failure::refused(error).hint(again)
        }
        NotTold::Operator(error) => operator(error),
    }
}

/// There is nothing of a name that stands in the command line `again`.
pub(super) fn unknown(unknown: &Unknown, again: &str) -> Failure {
    let list = match unknown.kind {
        Kind::Host | Kind::Role => "cargo xtask status",
        Kind::Migration | Kind::Written => "cargo xtask chain",
    };
    let meant = unknown.meant.as_ref().map(|meant| with_word(again, &unknown.name, meant));
    Failure::usage(unknown).hint(meant.unwrap_or_else(|| list.to_owned()))
}

/// A command line with another word in place of one.
fn with_word(line: &str, word: &str, other: &str) -> String {
    let words = line.split(' ').map(|part| if part == quoted(word) { quoted(other) } else { part.into() });
    words.collect::<Vec<_>>().join(" ")
}

/// The remote can't be read, or told something.
fn registry(error: RegistryError) -> Failure {
    match error {
        RegistryError::Unreachable { ref url, .. } | RegistryError::Refused { ref url, .. } => {
            let hint = format!("git ls-remote {url}");
            Failure::from(error).hint(hint)
        }
        error => error.into(),
    }
}

fn unsigned(error: &LogError) -> Option<&'static str> {
    let about_signature =
        matches!(error, LogError::Object(ObjectError::Unsigned { .. } | ObjectError::Signature { .. }));
    about_signature.then_some("git log -p -- '*allowed_signers'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_canaries_are_the_only_difference() {
        let check = |line: &str, expect: &str| {
            let hosts = ["web1".to_owned(), "web2".to_owned()].into();
            assert_eq!(with_canaries(line, &hosts), expect);
        };
        let deploy = "cargo xtask deploy --canary";
        check(&format!("{deploy} db1 --bake 30m"), &format!("{deploy} web1 web2 db1 --bake 30m"));
        check("cargo xtask deploy --role database -m a", &format!("{deploy} web1 web2 --role database -m a"));
    }

    #[test]
    fn what_is_said_is_a_line() {
        let check = |message, expect: Result<&str, &str>| {
            assert_eq!(
                said(message).map_err(|failure| failure.problems[0].message.clone()),
                expect.map_err(str::to_owned)
            );
        };
        check(" a look ", Ok("a look"));
        check(" \n", Err("--message says nothing"));
        check("a\nlook", Err("--message has more than one line"));
        assert!(matches!(said_if(None), Ok(None)) && said_if(Some("")).is_err());
    }

    #[test]
    fn a_hint_differs_in_one_word_and_can_be_pasted() {
        let line = format!("cargo xtask new a{}", option("role", Some(&"my web".to_owned())));
        assert_eq!(line, "cargo xtask new a --role 'my web'");
        assert_eq!(replaced(&line, "--role", "my web", "web"), "cargo xtask new a --role web");
        assert_eq!(replaced(&line, "new", "a", "a_2"), "cargo xtask new a_2 --role 'my web'");
        assert_eq!(option("role", None), "");
    }

    #[test]
    fn a_name_that_is_none_is_mended_where_it_stands() {
        let check = |line: &str, name: &str, expect: Option<&str>| {
            assert_eq!(renamed(line, name).as_deref(), expect, "{line}");
        };
        let new = "cargo xtask new install-nginx --role web";
        check(new, "install-nginx", Some("cargo xtask new install_nginx --role web"));
        let words = "cargo xtask new 'Install nginx' --like install-nginx";
        check(words, "Install nginx", Some("cargo xtask new install_nginx --like install-nginx"));
        let apply = "cargo xtask apply page --role web --name my-page";
        check(apply, "my-page", Some("cargo xtask apply page --role web --name my_page"));
        check("cargo xtask apply page --role web", "my-page", None);
        check("cargo xtask new loop --role web", "loop", None);
    }
}
