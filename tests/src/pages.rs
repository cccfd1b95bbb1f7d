//! A runner with the links of a herd that is measured, for a script that names itself first: `pages "$0" "$@"`. So the
//! file that travels is a small one.

use std::path::Path;
use std::process::ExitCode;

use wb_core::chain::Digest;
use wb_core::context::{Context, Migration, Role};
use wb_core::runner::{Catalog, Program, main_of};
use wb_core::system::{System, environment, files};
use wb_tests::links::migration;
use wb_xtask::bench::HOST_PLACE;

static WEB: Role = Role { name: "web", ..Role::PLAIN };
static FIRST: Migration =
    migration("first", "web", 0, "a100000000000000000000000000000000000000", |context| leave(context, "first"));
static SECOND: Migration =
    migration("second", "web", 1, "b200000000000000000000000000000000000000", |context| leave(context, "second"));

fn leave(_: &Context<'_>, name: &str) -> anyhow::Result<()> {
    let place = environment::var(HOST_PLACE).unwrap_or_default();
    Ok(files::write(Path::new(&place).join(name), name, 0o644)?)
}

fn main() -> ExitCode {
    let args = environment::args().split_off(1);
    let script = args.first().cloned().unwrap_or_default();
    let (Ok(script), Ok(catalog)) = (files::read(script), Catalog::new([&FIRST, &SECOND], [&WEB], [])) else {
        return ExitCode::FAILURE;
    };
    main_of(&Program { catalog, system: System::real(), digest: Some(Digest::of(&script)), args })
}
