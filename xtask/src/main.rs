//! The operator's commands: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    wb_xtask::main()
}
