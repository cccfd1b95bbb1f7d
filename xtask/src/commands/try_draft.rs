use std::process::ExitCode;

use clap::{Args, ValueEnum};
use wb_core::system::quoted;

use super::{judge, test};
use crate::attempt::{self, Options, Tried, TriedOn, TryError};
use crate::failure::{Ended, Failure, NO};
use crate::fleet::Fleet;
use crate::sandbox::{self, Distribution, Engine, Init};
use crate::shell::{Canvas, Shell};

/// Try a migration, while it is being written, on hosts of its own
///
/// Shows what it would do, with diffs, then what it does, then whether its specs hold, on a real host for each set of
/// roles that runs it. The hosts are where it will find them: they boot on what `cargo xtask test` kept of those that ran
/// all that comes before it; what was not kept is made first. What runs is not the runner that ships, but its twin, which
/// is compiled in a moment; only the first try of a fleet compiles for minutes. A migration or a host that there is not is
/// refused before that. Needs root, or a machine where users may make namespaces, or have containers.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo xtask try                          the draft
  cargo xtask try --watch                  the draft, again whenever a file is saved
  cargo xtask try install_nginx --keep     this one; then look at the host with `cargo xtask sandbox enter try/web1`

Exit codes: 0 all is well; 1 it failed, a spec does not hold, or the plan was none; 2 wrong usage; 3 there are no hosts")]
pub(super) struct Try {
    /// The migration [default: the draft]
    name: Option<String>,
    /// Try it only on hosts with ROLE; may be named several times
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// Try it only on the host that has the name, the roles and the settings of HOST
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// Leave the hosts running, and say how to enter them
    #[arg(long, conflicts_with = "watch")]
    keep: bool,
    /// Try it again whenever a file of the crate is saved, until it is interrupted
    #[arg(long)]
    watch: bool,
    /// What hosts are
    #[arg(long, value_name = "IMAGE", value_enum, default_value_t = Distribution::Debian12)]
    image: Distribution,
    /// What runs as their process 1 [default: sysv, and systemd where there is no sysvinit]
    #[arg(long, value_name = "INIT", value_enum)]
    init: Option<Init>,
    /// What sandboxes are made with
    #[arg(long, value_name = "ENGINE", value_enum, default_value_t = Engine::Namespaces)]
    engine: Engine,
}

impl Try {
    pub(super) fn run(self, shell: &Shell) -> Ended {
        let Self { name, roles, host, keep, watch, image, init, engine } = self;
        sandbox::within(engine, &|line| shell.done("engine", line))?;
        let fleet = Fleet::current().map_err(judge::fleet)?;
        let (roles, init) = (roles.into_iter().collect(), init.unwrap_or(image.init()));
        let options = Options { name, roles, host, keep, watch, image, init };
        let tried = attempt::attempt(&fleet, &options, shell).map_err(judged)?;
        shell.print_page(&closing(&tried, &options, engine, &shell.canvas()));
        Ok(ExitCode::from(if tried.is_well() { 0 } else { NO }))
    }
}

/// What came of it, and what to do next: the last line.
fn closing(tried: &Tried, options: &Options, engine: Engine, canvas: &Canvas) -> String {
    let Some(verdict) = tried.verdict(canvas) else { return format!("next: {}\n", next(tried)) };
    let enter = |on: &TriedOn| format!("`{}{}`", on.enter, option_of(engine));
    let enter = tried.failed().next().map(enter).unwrap_or_default();
    let look = if options.keep { enter } else { format!("`{}`, then {enter}", keeping(options, engine)) };
    format!("{verdict}. Mend it and try again, or look at the host: {look}\n")
}

fn next(tried: &Tried) -> String {
    if tried.is_draft { judge::commit(&tried.name) } else { "cargo xtask test".to_owned() }
}

/// The command line again, with hosts that stay.
fn keeping(options: &Options, engine: Engine) -> String {
    let name = options.name.as_ref().map(|name| format!(" {}", quoted(name))).unwrap_or_default();
    let roles: String = options.roles.iter().map(|role| judge::option("role", Some(role))).collect();
    let host = judge::option("host", options.host.as_ref());
    let image = (options.image != Options::default().image).then(|| word(&options.image));
    let init = (options.init != options.image.init()).then(|| word(&options.init));
    let image = judge::option("image", image.as_ref()) + &judge::option("init", init.as_ref());
    format!("cargo xtask try{name}{roles}{host} --keep{image}{}", option_of(engine))
}

/// A value as it stands in a command line.
fn word(value: &impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

fn option_of(engine: Engine) -> String {
    if engine == Engine::default() { String::new() } else { format!(" --engine {engine}") }
}

fn judged(error: TryError) -> Failure {
    match error {
        TryError::Test(error) => test::judged(error),
        TryError::NoDraft => {
            Failure::usage(error).hint("cargo xtask new NAME --role ROLE").hint("cargo xtask try MIGRATION")
        }
        TryError::Unknown(unknown) => Failure::usage(unknown).hint("cargo xtask chain"),
        TryError::Nobody { .. } => Failure::usage(error).hint("cargo xtask host list"),
        TryError::Gone { .. } => Failure::refused(error),
        TryError::Before { .. } => Failure::refused(error).hint("cargo xtask test"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(faults: &[&str]) -> Tried {
        let faults = faults.iter().copied().map(str::to_owned).collect();
        let on = TriedOn { host: "web1".into(), enter: "cargo xtask sandbox enter try/web1".into(), faults };
        Tried { name: "page".into(), is_draft: true, hosts: vec![on] }
    }

    #[test]
    fn the_last_line_says_what_to_do_next() {
        let check = |tried: &Tried, keep: bool, expect: &str| {
            let options = Options { keep, ..Options::default() };
            let said = closing(tried, &options, Engine::Namespaces, &Canvas::default());
            assert_eq!(said, format!("{expect}\n"));
        };
        let landed = Tried { is_draft: false, ..tried(&[]) };
        check(&tried(&[]), false, "next: git add --all && git commit -m 'Add the migration page'");
        check(&landed, false, "next: cargo xtask test");
        let mend = "FAILED: the run failed. Mend it and try again, or look at the host";
        let enter = "`cargo xtask sandbox enter try/web1`";
        let failed = tried(&["the run failed"]);
        check(&failed, false, &format!("{mend}: `cargo xtask try --keep`, then {enter}"));
        check(&failed, true, &format!("{mend}: {enter}"));
    }

    #[test]
    fn the_same_is_tried_again_with_hosts_that_stay() {
        let check = |options: &Options, engine, expect: &str| assert_eq!(keeping(options, engine), expect);
        let ubuntu = Distribution::Ubuntu2404;
        let alone = Options { image: ubuntu, init: ubuntu.init(), ..Options::default() };
        check(&Options::default(), Engine::Namespaces, "cargo xtask try --keep");
        check(&alone, Engine::Docker, "cargo xtask try --keep --image ubuntu2404 --engine docker");
        let all = Options {
            name: Some("page".into()),
            roles: ["my web".to_owned(), "web".to_owned()].into(),
            host: Some("web1".into()),
            init: Init::Runit,
            ..Options::default()
        };
        let expect = "cargo xtask try page --role 'my web' --role web --host web1 --keep --init runit";
        check(&all, Engine::Namespaces, expect);
    }
}
