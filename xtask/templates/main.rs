//! What runs on hosts: `wildebeest`, with all migrations compiled in.

mod chain;
mod roles;
#[cfg(test)]
mod tests;

wb_stdlib::runner!();
