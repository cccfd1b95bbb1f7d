//! What the compiler says of a macro that is used wrong, word for word. A case is a file of `ui/`.

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
fn the_signature_of_a_spec() {
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
