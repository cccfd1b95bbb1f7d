//! The example fleet, as sources to make a repository of.

use crate::scaffold::{LinkSource, SourceFile};

/// What the example's roles are.
pub(super) const ROLES: &str = include_str!("../../../migrations-crate/src/roles.rs");

/// The links up to the first page, oldest first.
pub(super) fn up_to_the_first_page() -> Vec<LinkSource> {
    let mut links = all();
    links.pop();
    links
}

/// The link that changes the page.
pub(super) fn second_page() -> Option<LinkSource> {
    all().pop()
}

macro_rules! source {
    ($name:literal $(, $asset:literal)*) => {
        LinkSource {
            name: $name.to_owned(),
            source: include_str!(concat!("../../../migrations-crate/src/chain/", $name, ".rs")).to_owned(),
            files: vec![$(SourceFile {
                path: concat!("assets/", $asset).into(),
                content: include_bytes!(concat!("../../../migrations-crate/assets/", $asset)).to_vec(),
            }),*],
        }
    };
}

fn all() -> Vec<LinkSource> {
    vec![
        source!("base_packages", "motd"),
        source!("install_postgres", "tuning.conf"),
        source!("create_application_database", "pg_hba.conf"),
        source!("install_nginx"),
        source!("install_haproxy", "haproxy.cfg"),
        source!("serve_first_page", "first_page.html", "shop.conf"),
        source!("serve_second_page", "second_page.html"),
    ]
}
