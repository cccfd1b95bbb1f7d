use wb_stdlib::herd::Peer;
use wb_stdlib::prelude::*;

const CONFIGURATION: &str = "/etc/haproxy/haproxy.cfg";

/// HAProxy in front of the web servers, which may take themselves out of load through its runtime API.
#[migration(role = "load_balancer", wait = all("web"))]
fn install_haproxy(host: &Host) -> Result<()> {
    let webs = host.herd().role("web");
    require!(webs.hosts().count() > 0, "at least one host with the role `web` in herd.toml");

    host.packages(["haproxy"]).installed()?;
    let haproxy = host.service("haproxy");
    host.file(CONFIGURATION)
        .template(template!("haproxy.cfg", servers = servers(host)?, web_servers = webs.addresses()?.join(" ")))
        .validated_by(["haproxy", "-c", "-f"])
        .reloads(&haproxy)
        .present()?;
    haproxy.enabled()?;
    haproxy.running()?;
    Ok(())
}

/// A line for each web server. The servers are called as the hosts are: `leave` and `rejoin` count on that.
fn servers(host: &Host) -> Result<String> {
    let line = |web: Peer<'_>| Ok(format!("    server {} {}:80", web.name(), web.address()?));
    let lines: Result<Vec<String>> = host.herd().role("web").hosts().map(line).collect();
    Ok(lines?.join("\n"))
}

#[spec]
fn haproxy_runs(host: &View) -> Result<()> {
    host.service("haproxy").is_running()?;
    host.port(80).is_listening()?;
    host.port(9999).is_listening()
}

#[spec]
fn the_configuration_is_valid(host: &View) -> Result<()> {
    host.command("haproxy -c -f").arg(CONFIGURATION).succeeds()
}

#[spec]
fn every_web_server_is_a_server_of_it(host: &View) -> Result<()> {
    for web in host.herd().role("web").hosts() {
        host.file(CONFIGURATION).contains(&format!("server {} {}:80", web.name(), web.address()?))?;
    }
    Ok(())
}
