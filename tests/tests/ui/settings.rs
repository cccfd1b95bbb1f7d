use wb_stdlib::prelude::*;

#[settings(rolle = "web")]
struct Misspelt {
    hostname: String,
}

#[settings(role = "web", role = "web")]
struct Twice {
    hostname: String,
}

#[settings(part, name = "plan")]
struct NamedPart {
    hostname: String,
}

#[settings]
struct NoNames(String);

#[settings]
enum NoTable {
    Small,
}

#[settings]
struct Generic<T> {
    hostname: T,
}

#[settings(name = "no name")]
struct NoKey {
    hostname: String,
}

#[settings(role = "wbe")]
struct NoRole {
    hostname: String,
}

#[settings]
fn no_type() {}

#[settings(role = "web", name = "site")]
struct Sound {
    hostname: String,
    plan: Plan,
}

#[settings(part)]
enum Plan {
    Small,
    Large,
}

fn main() {
    no_type();
}
