use std::net::IpAddr;

use wb_stdlib::command::Command;
use wb_stdlib::prelude::*;

const DIRECTORY: &str = "/etc/postgresql/15/main";

/// The shop's user and database, which the web servers reach over the network.
///
/// The user can't log in before it has a password, and a password has no place in a repository: set it with
/// `\password shop` in `psql`, as the user `postgres`.
#[migration(role = "database")]
fn create_application_database(host: &Host) -> Result<()> {
    host.command("createuser shop").user("postgres").unless(finds(host, "rolname FROM pg_roles")).run()?;
    host.command("createdb --owner shop shop")
        .user("postgres")
        .unless(finds(host, "datname FROM pg_database"))
        .run()?;

    let postgres = host.service("postgresql");
    host.file(format!("{DIRECTORY}/conf.d/network.conf"))
        .content("listen_addresses = '*'\n")
        .owner("postgres")
        .group("postgres")
        .mode(0o640)
        .restarts(&postgres)
        .present()?;
    host.file(format!("{DIRECTORY}/pg_hba.conf"))
        .template(template!("pg_hba.conf", web_servers = entries(host)?))
        .owner("postgres")
        .group("postgres")
        .mode(0o640)
        .reloads(&postgres)
        .present()?;
    Ok(())
}

/// Ends well when `shop` is among what the query gives.
fn finds<A: Look>(host: &A, query: &str) -> Command<A> {
    host.shell(&format!("psql -XAtc 'SELECT {query}' | grep -qx shop")).user("postgres")
}

/// A line for each web server.
fn entries(host: &Host) -> Result<String> {
    let addresses = host.herd().role("web").addresses()?;
    let line = |address: &str| format!("host    shop      shop      {:<22}  scram-sha-256", range(address));
    Ok(addresses.into_iter().map(line).collect::<Vec<_>>().join("\n"))
}

/// An address alone, as PostgreSQL writes it; a name stays a name.
fn range(address: &str) -> String {
    match address.parse() {
        Ok(IpAddr::V4(_)) => format!("{address}/32"),
        Ok(IpAddr::V6(_)) => format!("{address}/128"),
        Err(_) => address.to_owned(),
    }
}

#[spec]
fn the_database_is_there(host: &View) -> Result<()> {
    finds(host, "rolname FROM pg_roles").succeeds()?;
    host.command("psql -XAtc").args(["SELECT 1", "shop"]).user("postgres").succeeds()
}

#[spec]
fn web_servers_are_let_in(host: &View) -> Result<()> {
    host.port(5432).is_listening()?;
    for address in host.herd().role("web").addresses()? {
        host.file(format!("{DIRECTORY}/pg_hba.conf")).contains(address)?;
    }
    let understood = "! psql -XAtc 'SELECT error FROM pg_hba_file_rules WHERE error IS NOT NULL' | grep .";
    host.shell(understood).user("postgres").succeeds()
}
