//! What runs on hosts: `wildebeest`, with all migrations compiled in.

mod chain;
mod roles;

wb_stdlib::runner!();
