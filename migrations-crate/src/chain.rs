//! The order of the migrations, oldest first.

mod base_packages;
mod install_postgres;
mod create_application_database;

wb_stdlib::chain!();
