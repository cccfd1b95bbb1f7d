use wb_stdlib::prelude::*;

/// nginx, before it has anything of ours to serve.
#[migration(role = "web")]
fn install_nginx(host: &Host) -> Result<()> {
    host.packages(["nginx"]).installed()?;
    let nginx = host.service("nginx");
    host.file("/etc/nginx/conf.d/quiet.conf").content("server_tokens off;\n").reloads(&nginx).present()?;
    nginx.enabled()?;
    nginx.running()?;
    Ok(())
}

#[spec]
fn nginx_runs(host: &View) -> Result<()> {
    host.service("nginx").is_running()?;
    host.service("nginx").is_enabled()?;
    host.port(80).is_listening()
}

#[spec]
fn the_configuration_is_valid(host: &View) -> Result<()> {
    host.command("nginx -t -q").succeeds()
}
