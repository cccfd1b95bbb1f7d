//! The order of the migrations, oldest first. `cargo xtask new` adds to it.

wb_stdlib::chain!();
