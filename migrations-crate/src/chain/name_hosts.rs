use wb_stdlib::prelude::*;

use crate::settings::NetworkSettings;

/// Each host goes by its full name, and knows all others by theirs and by the short ones of the herd.
#[migration(role = "server")]
fn name_hosts(host: &Host) -> Result<()> {
    host.hostname(&host.settings::<NetworkSettings>()?.hostname).set()?;
    for other in host.herd().role("server").hosts() {
        let NetworkSettings { hostname } = other.settings()?;
        host.hosts_entry(&hostname).alias(other.name()).address(other.address()?).present()?;
    }
    Ok(())
}

#[spec]
fn it_goes_by_its_name(host: &View) -> Result<()> {
    host.hostname(&host.settings::<NetworkSettings>()?.hostname).is_set()
}

#[spec]
fn all_names_lead_to_their_hosts(host: &View) -> Result<()> {
    for other in host.herd().role("server").hosts() {
        host.hosts_entry(&other.settings::<NetworkSettings>()?.hostname).leads_to(other.address()?)?;
    }
    Ok(())
}
