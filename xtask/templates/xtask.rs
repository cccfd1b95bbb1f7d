//! The operator's commands: `cargo xtask --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    wb_xtask::main()
}
