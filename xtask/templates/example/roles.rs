//! What the hosts of the fleet are. Migrations are written for roles, never for hosts.

use wb_stdlib::prelude::*;

/// Every host. It has no load of its own.
#[role(max_out = "100%")]
struct Server;

impl Role for Server {}

/// Takes requests from outside and gives them to the web servers, with HAProxy.
#[role(max_out = 1)]
struct LoadBalancer;

impl Role for LoadBalancer {}

/// Serves pages with nginx, behind the load balancers. One of three may be out at a time.
#[role(max_out = "34%")]
struct Web;

impl Role for Web {
    fn leave(host: &Host) -> Result<()> {
        for balancer in host.balancers("load_balancer")? {
            balancer.drain("web", host.name())?;
        }
        Ok(())
    }

    fn rejoin(host: &Host) -> Result<()> {
        for balancer in host.balancers("load_balancer")? {
            balancer.ready("web", host.name())?;
        }
        Ok(())
    }
}

/// Keeps the application's data, with PostgreSQL.
#[role(max_out = 1)]
struct Database;

impl Role for Database {}
