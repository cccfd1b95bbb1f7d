//! Every operation of the standard library, against the real programs.

use wb_operations::ROOMS;
use wb_tests::alone::alone_with_quick_builds;
use wb_tests::trial;

#[test]
fn operations_do_what_they_say() {
    alone_with_quick_builds("operations::operations_do_what_they_say", || {
        let rooms: Vec<String> = ROOMS.iter().filter_map(wrong).collect();
        assert!(rooms.is_empty(), "{}", rooms.join("\n\n"));
    });
}

/// What is wrong in a room, so that the others are tried all the same.
fn wrong(room: &'static wb_operations::Room) -> Option<String> {
    let panic = std::panic::catch_unwind(|| trial::hold(room)).err()?;
    let said = panic.downcast_ref::<String>().cloned();
    Some(said.unwrap_or_else(|| format!("the room {} went wrong", room.name)))
}
