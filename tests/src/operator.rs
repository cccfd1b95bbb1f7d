//! The operator's commands, as a fleet's own `xtask` crate has them.

use std::process::ExitCode;

fn main() -> ExitCode {
    wb_xtask::main()
}
