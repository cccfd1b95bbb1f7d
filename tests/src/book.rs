//! The Rust code of the book, compiled as doc tests.

macro_rules! pages {
    ($($page:ident),+) => {
        $(#[doc = include_str!(concat!("../../docs/src/", stringify!($page), ".md"))] mod $page {})+
    };
}

pages!(
    tutorial, migrations, testing, rolling, chain, cookbook, herd, packages, databases, security, fetching, run, edits,
    machine, users, services, balancers, files, facts
);
