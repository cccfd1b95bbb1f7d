use wb_stdlib::prelude::*;

struct Opaque;

#[settings]
struct SiteSettings {
    hostname: String,
    opaque: Opaque,
}

fn main() {}
