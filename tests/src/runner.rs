//! A runner without migrations, for tests of how one runner takes the place of another.

use std::process::ExitCode;

fn main() -> ExitCode {
    wb_core::runner::main()
}
