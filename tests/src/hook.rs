//! Hooks of a remote: what a server does that is not as git's own.

use std::path::Path;

use wb_core::system::{Command, files};

/// Has a bare repository run these lines of shell at the hook `name`, until that file is removed.
///
/// A process of its own writes them. This one has many threads: what one of them starts while the file is open has it
/// open, too, for a moment, and meanwhile git can't run it ("Text file busy").
///
/// # Panics
/// When they can't be written.
pub fn hang(remote: &Path, name: &str, lines: &str) {
    let hooks = remote.join("hooks");
    files::create_dir(&hooks).expect("a directory");
    let write = Command::shell("cat >\"$0\" && chmod 755 \"$0\"").arg(hooks.join(name));
    write.stdin(format!("#!/bin/sh\n{lines}\n")).read().expect("a hook");
}
