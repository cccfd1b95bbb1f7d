//! Unit tests of migrations: each is run by its name on a fake host, which is files in a directory, and commands that say
//! what they were told to. What a real host makes of a migration, they don't know.

use wb_stdlib::prelude::*;
use wb_stdlib::testing::{FakeHost, changed};

const WEB1: (&str, [&str; 2], &str) = ("web1", ["server", "web"], "192.0.2.11");
const WEB2: (&str, [&str; 2], &str) = ("web2", ["server", "web"], "2001:db8::12");

/// This host, with the two web servers.
fn with_webs(host: FakeHost) -> FakeHost {
    [WEB1, WEB2].into_iter().fold(host, |host, (name, roles, address)| host.with_other(name, &roles, address))
}

fn db1() -> FakeHost {
    let host = FakeHost::new("db1", &["server", "database"]).user("postgres").service("postgresql");
    with_webs(host.directory("/etc/postgresql/15/main/conf.d"))
}

fn lb1() -> FakeHost {
    let host = FakeHost::new("lb1", &["server", "load_balancer"]).service("haproxy").directory("/etc/haproxy");
    host.package("haproxy", "2.6.12-1").answer("haproxy -c", 0, "")
}

#[test]
fn base_packages_installs_what_is_missing_and_that_once() -> Result<()> {
    let host = FakeHost::new("web1", &["server", "web"]).package("ca-certificates", "20230311");
    let host = host.offers("curl", "7.88.1-10").offers("less", "590-2");
    host.run("base_packages")?;
    let calls = host.calls();
    assert!(calls.iter().any(|line| line.starts_with("apt-get ") && line.ends_with(" -- curl less")), "{calls:?}");
    host.spec("base_packages", "who_logs_in_sees_where")?;
    assert_eq!(changed(&host.run("base_packages")?), [""; 0]);
    Ok(())
}

#[test]
fn install_postgres_gives_it_a_share_of_the_memory() -> Result<()> {
    let host = db1().package("postgresql", "15+248").package("postgresql-client", "15+248");
    host.run("install_postgres")?;
    let tuning = host.read("/etc/postgresql/15/main/conf.d/tuning.conf").context("there is no tuning.conf")?;
    assert!(tuning.contains("shared_buffers = 256MB\neffective_cache_size = 1024MB\n"), "{tuning}");
    assert!(host.calls().contains(&"/etc/init.d/postgresql restart".to_owned()), "{:?}", host.calls());
    Ok(())
}

#[test]
fn install_postgres_asks_for_memory_first() {
    let host = db1().file("/proc/meminfo", "MemTotal: 262144 kB\n");
    let error = host.plan("install_postgres").unwrap_err();
    assert_eq!(error.to_string(), "required: 512 MiB of memory; db1 has 256");
}

#[test]
fn create_application_database_lets_the_web_servers_in() -> Result<()> {
    // What asks for user and database ends well: both are there.
    let host = db1().answer("setpriv", 0, "");
    let done = host.run("create_application_database")?;
    assert!(!changed(&done).iter().any(|what| what.starts_with("command")), "{done:?}");
    let access = host.read("/etc/postgresql/15/main/pg_hba.conf").context("there is no pg_hba.conf")?;
    assert!(access.contains(" 192.0.2.11/32 ") && access.contains(" 2001:db8::12/128 "), "{access}");
    Ok(())
}

#[test]
fn install_haproxy_knows_every_web_server() -> Result<()> {
    let host = with_webs(lb1());
    host.run("install_haproxy")?;
    host.spec("install_haproxy", "every_web_server_is_a_server_of_it")?;
    let error = lb1().run("install_haproxy").unwrap_err().to_string();
    assert_eq!(error, "required: at least one host with the role `web` in herd.toml");
    Ok(())
}

#[test]
fn name_hosts_leads_to_all_others() -> Result<()> {
    let host = FakeHost::new("lb1", &["server", "load_balancer"])
        .address("192.0.2.10")
        .settings(r#"{"network": {"hostname": "lb1.shop.example"}}"#)
        .with_other("db1", &["server", "database"], "192.0.2.20")
        .settings_of("db1", r#"{"network": {"hostname": "db1.shop.example"}}"#)
        .writes("hostname ", "/proc/sys/kernel/hostname", "lb1.shop.example\n");
    host.run("name_hosts")?;
    host.spec("name_hosts", "it_goes_by_its_name")?;
    host.spec("name_hosts", "all_names_lead_to_their_hosts")?;
    assert_eq!(changed(&host.run("name_hosts")?), [""; 0]);
    Ok(())
}
