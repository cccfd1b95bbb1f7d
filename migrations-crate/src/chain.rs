//! The order of the migrations, oldest first.

mod base_packages;
mod install_postgres;
mod create_application_database;
mod install_nginx;
mod install_haproxy;
mod serve_first_page;
mod serve_second_page;
mod name_hosts;

wb_stdlib::chain!();
