//! What is compiled into a runner, and a host's command line.

mod catalog;
mod cli;
mod drill;
mod enroll;
mod home;
mod install_service;
mod log;
mod program;
mod ready;
mod rekey;
mod serve;
mod show;
mod signals;

pub use catalog::{Catalog, CatalogError};
pub use cli::{main, main_of, with_causes};
pub use enroll::{EnrollError, Enrollment, enroll};
pub use home::{Home, HomeError, HostConfig};
pub use program::Program;
pub use rekey::{cloned, rekey, replace};

/// What a runner runs on, as changes and refs name it: `x86_64-linux`.
#[must_use]
pub fn platform() -> String {
    format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS)
}
