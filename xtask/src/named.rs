//! What an operator names: hosts, roles and migrations that the herd has, or the name that was perhaps meant.

use wb_core::chain::{Link, nearest};
use wb_core::change::{HostManifest, Manifest};

/// There is nothing of that name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{}", kind.missing(name), did_you_mean(meant.as_deref()))]
pub struct Unknown {
    /// What it should be.
    pub kind: Kind,
    /// The name.
    pub name: String,
    /// The name that was perhaps meant.
    pub meant: Option<String>,
}

/// What a name is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A host of the herd.
    Host,
    /// A role that any host has, or any code is written for.
    Role,
    /// A link that was deployed.
    Migration,
    /// A link of the chain as it is written.
    Written,
}

impl Kind {
    fn missing(self, name: &str) -> String {
        match self {
            Self::Host => format!("the herd has no host `{name}`"),
            Self::Role => format!("the herd has no role `{name}`"),
            Self::Migration => format!("no migration `{name}` is deployed"),
            Self::Written => format!("the chain has no migration `{name}`"),
        }
    }
}

/// The host of that name.
///
/// # Errors
/// When there is none.
pub fn host<'a>(manifest: &'a Manifest, name: &str) -> Result<&'a HostManifest, Unknown> {
    manifest.hosts.get(name).ok_or_else(|| unknown(Kind::Host, name, manifest.hosts.keys().map(String::as_str)))
}

/// Whether the herd has that role.
///
/// # Errors
/// When it has not.
pub fn role(manifest: &Manifest, name: &str) -> Result<(), Unknown> {
    let roles = || manifest.roles.keys().chain(manifest.hosts.values().flat_map(|host| &host.roles));
    match roles().any(|role| role == name) {
        true => Ok(()),
        false => Err(unknown(Kind::Role, name, roles().map(String::as_str))),
    }
}

/// The link of that name.
///
/// # Errors
/// When none was deployed.
pub fn link<'a>(manifest: &'a Manifest, name: &str) -> Result<&'a Link, Unknown> {
    let links = manifest.chain.links();
    let names = || links.iter().map(|link| link.name.as_str());
    links.iter().find(|link| link.name == name).ok_or_else(|| unknown(Kind::Migration, name, names()))
}

fn unknown<'a>(kind: Kind, name: &str, there: impl IntoIterator<Item = &'a str>) -> Unknown {
    Unknown { kind, name: name.to_owned(), meant: nearest(name, there).map(str::to_owned) }
}

/// The end of a message that names what there is not.
pub(crate) fn did_you_mean(meant: Option<&str>) -> String {
    meant.map(|meant| format!(", did you mean `{meant}`?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use wb_core::chain::{Chain, Digest, Sha1};
    use wb_core::change::RolePolicy;
    use wb_core::context::MaxOut;

    use super::*;

    #[test]
    fn what_there_is_not_is_perhaps_something_else() {
        let web = HostManifest { roles: ["web".to_owned()].into(), ..HostManifest::default() };
        let page = Link::new("page", Sha1::from_bytes([1; 20]), "web", Digest::of(b""));
        let herd = Manifest {
            hosts: [("web1".to_owned(), web)].into(),
            roles: [("database".to_owned(), RolePolicy::new(MaxOut::Hosts(1)))].into(),
            chain: Chain::new(vec![page]).unwrap(),
            ..Manifest::default()
        };
        assert!(host(&herd, "web1").is_ok() && role(&herd, "web").is_ok() && role(&herd, "database").is_ok());
        assert_eq!(link(&herd, "page").unwrap().name, "page");
        let check = |said: Option<Unknown>, expect: &str| assert_eq!(said.unwrap().to_string(), expect);
        check(host(&herd, "wbe1").err(), "the herd has no host `wbe1`, did you mean `web1`?");
        check(host(&herd, "balancer").err(), "the herd has no host `balancer`");
        check(role(&herd, "databse").err(), "the herd has no role `databse`, did you mean `database`?");
        check(link(&herd, "pgae").err(), "no migration `pgae` is deployed, did you mean `page`?");
    }
}
