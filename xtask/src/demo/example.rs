//! The example fleet, as sources to make a repository of. They are copies, so that this crate is whole without the
//! example; a test keeps them equal to it.

use crate::scaffold::{LinkSource, SourceFile};

/// What its links install.
pub const PACKAGES: [&str; 7] =
    ["ca-certificates", "curl", "less", "postgresql", "postgresql-client", "nginx", "haproxy"];

/// What the example's roles are.
pub const ROLES: &str = include_str!("../../templates/example/roles.rs");

/// Its unit tests. They are of links up to the first page, and of that which gives hosts their names.
pub const TESTS: &str = include_str!("../../templates/example/tests.rs");

/// The links up to the first page, oldest first.
#[must_use]
pub fn up_to_the_first_page() -> Vec<LinkSource> {
    let mut links = all();
    links.truncate(FIRST_PAGE);
    links
}

/// The link that changes the page.
#[must_use]
pub fn second_page() -> Option<LinkSource> {
    all().into_iter().nth(FIRST_PAGE)
}

/// The link that gives hosts their names. It needs [`settings`].
#[must_use]
pub fn names() -> Option<LinkSource> {
    all().pop()
}

/// The types of what `herd.toml` says of hosts, and where the compiler hears of them.
#[must_use]
pub fn settings() -> Vec<SourceFile> {
    let file = |path: &str, text: &str| SourceFile { path: path.into(), content: text.into() };
    vec![
        file("src/main.rs", include_str!("../../templates/example/main.rs")),
        file("src/settings.rs", include_str!("../../templates/example/settings.rs")),
    ]
}

/// How many links the first page is served after.
const FIRST_PAGE: usize = 6;

macro_rules! source {
    ($name:literal $(, $asset:literal)*) => {
        LinkSource {
            name: $name.to_owned(),
            source: include_str!(concat!("../../templates/example/chain/", $name, ".rs")).to_owned(),
            files: vec![$(SourceFile {
                path: concat!("assets/", $asset).into(),
                content: include_bytes!(concat!("../../templates/example/assets/", $asset)).to_vec(),
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
        source!("name_hosts"),
    ]
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use wb_core::system::files;

    use super::*;

    #[test]
    fn the_copies_are_equal_to_the_example_fleet() {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations-crate");
        if !files::exists(&example) {
            return; // A fleet that carries Wildebeest with it has its own migrations.
        }
        let source = |path: String| files::read(example.join(path)).unwrap();
        for (path, copy) in [("src/roles.rs", ROLES), ("src/tests.rs", TESTS)] {
            assert!(source(path.into()) == copy.as_bytes(), "cp migrations-crate/{path} xtask/templates/example/");
        }
        for file in settings() {
            let path = file.path.display().to_string();
            assert!(source(path.clone()) == file.content, "cp migrations-crate/{path} xtask/templates/example/");
        }
        for link in all() {
            let path = format!("src/chain/{}.rs", link.name);
            assert!(
                source(path.clone()) == link.source.as_bytes(),
                "cp migrations-crate/{path} xtask/templates/example/chain/"
            );
            for file in &link.files {
                let path = file.path.display().to_string();
                assert!(
                    source(path.clone()) == file.content,
                    "cp migrations-crate/{path} xtask/templates/example/assets/"
                );
            }
        }
        let (links, copies) = (files::list(example.join("src/chain")).unwrap().len(), all().len());
        assert_eq!(links, copies, "every migration of the example has its copy");
    }
}
