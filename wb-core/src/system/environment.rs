//! What this process was started with.
#![expect(clippy::disallowed_methods, reason = "this is the seam that the rest must use")]

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

/// A variable, when it is set, not empty, and UTF-8.
#[must_use]
pub fn var(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The command line, the program's name first.
#[must_use]
pub fn args() -> Vec<OsString> {
    std::env::args_os().collect()
}

/// The directory that relative paths start from.
///
/// # Errors
/// When it was removed, or can't be read.
pub fn current_dir() -> io::Result<PathBuf> {
    std::env::current_dir()
}

/// The file that this process was started from. After an atomic replacement it ends in ` (deleted)`.
///
/// # Errors
/// When `/proc` is not there.
pub fn current_exe() -> io::Result<PathBuf> {
    std::env::current_exe()
}

/// The directory for temporary files.
#[must_use]
pub fn temp_dir() -> PathBuf {
    std::env::temp_dir()
}

/// The number of the user that this process acts as.
#[must_use]
pub fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}
