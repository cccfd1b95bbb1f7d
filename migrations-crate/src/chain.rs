//! The order of the migrations, oldest first.

mod base_packages;

wb_stdlib::chain!();
