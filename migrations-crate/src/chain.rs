//! The order of the migrations, oldest first.

mod base_packages;
mod install_postgres;

wb_stdlib::chain!();
