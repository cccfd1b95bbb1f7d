//! Ansible's modules and the standard library, over the same inputs, on two equal hosts: where both differ, it is on
//! purpose, and the book says so. Edits are compared in `tests/tests/edits.rs`.

use wb_tests::alone::beside_others;
use wb_tests::differential;

#[test]
fn ansible_and_the_standard_library_do_the_same() {
    beside_others("differential::ansible_and_the_standard_library_do_the_same", differential::hold);
}
