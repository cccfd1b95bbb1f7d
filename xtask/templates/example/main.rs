//! An example fleet: a load balancer, web servers and a database. What runs on its hosts is `wildebeest`, with all
//! migrations compiled in.

mod chain;
mod roles;
mod settings;
#[cfg(test)]
mod tests;

wb_stdlib::runner!();
