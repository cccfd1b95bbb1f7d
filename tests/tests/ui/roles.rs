use wb_stdlib::prelude::*;

#[role]
pub struct WithoutLimit;

#[role(max_out = "0%", name = "No Name")]
pub struct Nothing;

#[role(max_out = "half", maxout = 1)]
pub struct Half;

#[role(max_out = 0)]
pub struct Zero;

#[role(max_out = 1)]
pub struct Generic<T>(T);

#[role(max_out = 1)]
fn no_struct() {}

fn main() {
    no_struct();
}
