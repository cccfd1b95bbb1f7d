//! What the compiler says of a macro that is used wrong, word for word. A case is a file of `ui/`.

use wb_core::system::files;
use wb_tests::fleet::Fleet;

fn check(case: &str, text: &str) {
    let Some(fleet) = Fleet::of_source(case, text) else { return };
    insta::assert_snapshot!(case, fleet.said());
}

#[test]
fn the_arguments_of_a_migration() {
    check("migration_arguments", include_str!("ui/migration_arguments.rs"));
}

#[test]
fn the_arguments_of_a_baseline() {
    check("baseline_arguments", include_str!("ui/baseline_arguments.rs"));
}

#[test]
fn the_signature_of_a_migration() {
    check("migration_signature", include_str!("ui/migration_signature.rs"));
}

#[test]
fn the_signature_and_the_arguments_of_a_spec() {
    check("specs", include_str!("ui/specs.rs"));
}

#[test]
fn the_signature_of_a_reusable() {
    check("reusables", include_str!("ui/reusables.rs"));
}

#[test]
fn the_arguments_of_a_role() {
    check("roles", include_str!("ui/roles.rs"));
}

#[test]
fn macros_in_places_that_are_not_theirs() {
    check("misplaced", include_str!("ui/misplaced.rs"));
}

#[test]
fn the_tables_of_settings() {
    check("settings", include_str!("ui/settings.rs"));
}

/// Which other types could be read, and how many there are, is of the crates that there are: only the first words count.
#[test]
fn a_setting_that_can_not_be_read() {
    let source = include_str!("ui/unreadable_settings.rs");
    let Some(fleet) = Fleet::of_source("unreadable_settings", source) else { return };
    let said = fleet.said();
    assert!(said.starts_with("error[E0277]: the trait bound `Opaque: "), "{said}");
    assert!(said.contains("Deserialize<'de>` is not satisfied\n"), "{said}");
    assert!(said.contains("src/main.rs:8:13"), "{said}");
}

#[test]
fn directories_of_assets() {
    let Some(fleet) = Fleet::of_source("assets", include_str!("ui/assets.rs")) else { return };
    fleet.repository.write("assets/site/index.html", "<h1>Shop</h1>\n");
    fleet.repository.write("assets/site.conf", "gzip on;\n");
    fleet.repository.write("assets/empty/.DS_Store", "");
    fleet.repository.write("assets/linked/index.html", "<h1>Shop</h1>\n");
    files::link("index.html", fleet.repository.top().join("assets/linked/shop.html")).expect("a link");
    insta::assert_snapshot!("assets", fleet.said());
}

#[test]
fn the_values_of_templates() {
    let Some(fleet) = Fleet::of_source("templates", include_str!("ui/templates.rs")) else { return };
    fleet.repository.write("assets/shop.conf", "memory {{ memory }}\ncpus {{ cpus }}\n");
    let latin1 = fleet.repository.top().join("assets/latin1.conf");
    files::write(latin1, b"caf\xe9 {{ memory }}\n", 0o644).expect("a template");
    insta::assert_snapshot!("templates", fleet.said());
}

#[test]
fn a_value_that_is_no_text() {
    let Some(fleet) = Fleet::of_source("opaque_value", include_str!("ui/opaque_value.rs")) else { return };
    fleet.repository.write("assets/shop.conf", "memory {{ memory }}\n");
    let said = fleet.said();
    assert!(
        said.starts_with("error[E0277]: `Opaque` doesn't implement `std::fmt::Display`\n --> src/main.rs:6:"),
        "{said}"
    );
}
