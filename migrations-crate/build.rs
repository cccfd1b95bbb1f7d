//! Makes cargo notice new commits and new migrations.

fn main() {
    wb_core::registry::track();
}
