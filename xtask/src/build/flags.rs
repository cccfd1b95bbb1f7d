//! What rustc is told beside what cargo tells it.

use toml_edit::Array;
use wb_core::system::{Command, environment};

/// What parts the flags of [`ENCODED`], so that there may be spaces in them.
const PART: &str = "\x1f";

/// The variable of cargo that goes before all other words about flags.
const ENCODED: &str = "CARGO_ENCODED_RUSTFLAGS";

/// The flags that the environment has. They would hide those of a command line.
pub(super) fn own() -> Option<Vec<String>> {
    let encoded = environment::var(ENCODED).map(|flags| flags.split(PART).map(str::to_owned).collect());
    encoded.or_else(|| Some(environment::var("RUSTFLAGS")?.split_whitespace().map(str::to_owned).collect()))
}

/// Has cargo give these flags to rustc for what is built for `triple`, after the `own` ones of the environment.
pub(super) fn told(cargo: Command, triple: &str, flags: &[String], own: Option<&[String]>) -> Command {
    match own {
        _ if flags.is_empty() => cargo,
        Some(own) => cargo.env(ENCODED, [own, flags].concat().join(PART)),
        // A variable that is there and empty would hide them, too.
        None => {
            let listed: Array = flags.iter().map(String::as_str).collect();
            let cargo = cargo.env_remove(ENCODED).env_remove("RUSTFLAGS");
            cargo.arg("--config").arg(format!("target.{triple}.rustflags={listed}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(flags: &[&str], own: Option<&[&str]>, line: &str, variable: Option<&str>) {
        let owned = |flags: &[&str]| flags.iter().map(|flag| (*flag).to_owned()).collect::<Vec<_>>();
        let own = own.map(owned);
        let command = told(Command::new("cargo"), "x86_64-unknown-linux-musl", &owned(flags), own.as_deref());
        assert_eq!(command.line(), line);
        assert_eq!(command.variable(ENCODED).and_then(|flags| flags.to_str()), variable);
    }

    #[test]
    fn flags_are_told_where_nothing_hides_them() {
        let config = |flags: &str| format!("cargo --config 'target.x86_64-unknown-linux-musl.rustflags={flags}'");
        check(&["-Ca", "-C=b c"], None, &config(r#"["-Ca", "-C=b c"]"#), None);
        check(&["-Ca"], Some(&["-g", "-Cb"]), "cargo", Some("-g\x1f-Cb\x1f-Ca"));
        check(&[], Some(&["-g"]), "cargo", None);
        check(&[], None, "cargo", None);
    }
}
