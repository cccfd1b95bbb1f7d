use wb_stdlib::prelude::*;

#[role]
pub struct WithoutLimit;

#[role(max_out = "0%", name = "No Name")]
pub struct Nothing;

#[role(max_out = "half", maxout = 1)]
pub struct Half;

#[role(max_out = 0)]
pub struct Zero;

#[role(max_out = 1, max_failed = 0, windows = ["Sat 22:00-04:00", "Sam 22-04"])]
pub struct Wrong;

#[role(max_out = 1, max_failed = "2", windows = "daily 02:00-03:00")]
pub struct NoList;

#[role(max_out = 1, windows = [])]
pub struct Never;

#[role(max_out = 1, max_failed = 2, windows = ["Sat,Sun 22:00-04:00", "daily 02:00-03:00"])]
pub struct Sound;

impl Role for Sound {}

#[role(max_out = 1)]
pub struct Generic<T>(T);

#[role(max_out = 1)]
fn no_struct() {}

fn main() {
    no_struct();
}
