use wb_stdlib::prelude::*;

/// PostgreSQL, tuned for its host's memory.
#[migration(role = "database")]
fn install_postgres(host: &Host) -> Result<()> {
    let facts = host.facts();
    require!(facts.distribution.codename == "bookworm", "Debian 12 and its PostgreSQL 15; {} has another", host.name());
    require!(facts.memory_mib >= 512, "512 MiB of memory; {} has {}", host.name(), facts.memory_mib);

    host.packages(["postgresql", "postgresql-client"]).installed()?;
    let postgres = host.service("postgresql");
    host.file("/etc/postgresql/15/main/conf.d/tuning.conf")
        .template(template!("tuning.conf", shared = facts.memory_mib / 8, cache = facts.memory_mib / 2))
        .owner("postgres")
        .group("postgres")
        .mode(0o640)
        .restarts(&postgres)
        .present()?;
    postgres.enabled()?;
    postgres.running()?;
    Ok(())
}

#[spec]
fn accepts_connections(host: &View) -> Result<()> {
    host.service("postgresql").is_running()?;
    host.command("pg_isready").succeeds()
}

#[spec]
fn is_tuned(host: &View) -> Result<()> {
    let tuned = "psql -XAtc 'SHOW work_mem' | grep -qx 8MB";
    host.shell(tuned).user("postgres").succeeds()
}
