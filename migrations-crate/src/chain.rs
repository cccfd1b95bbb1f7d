//! The order of the migrations, oldest first.

wb_stdlib::chain!();
