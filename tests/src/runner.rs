//! A runner with no links: for tests of what every runner does.

use std::process::ExitCode;

fn main() -> ExitCode {
    wb_core::runner::main()
}
