fn main() {
    wb_core::registry::track();
}
