//! Telling whoever started the agent that what comes next may start: systemd by its socket, scripts by a file with the
//! process id.

use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::time::Duration;

use clap::Args;

use crate::system::{environment, files, socket};

/// Who is told.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Ready {
    /// Write the process id to this file once the services that start after this one may come up.
    #[arg(long, value_name = "FILE")]
    pid_file: Option<PathBuf>,
}

/// A boot is held up by no more than this.
const BOUND: Duration = Duration::from_secs(25);

impl Ready {
    /// Tells it once `act` is done, or takes too long.
    pub(super) fn once<T>(self, act: impl FnOnce() -> T) -> T {
        let (done, is_done) = channel::<()>();
        let announcer = std::thread::Builder::new().name("ready".into()).spawn(move || {
            is_done.recv_timeout(BOUND).ok();
            self.tell();
        });
        let result = act();
        drop(done);
        // Without a thread nobody is told, and whoever waits goes on after a while.
        if let Ok(announcer) = announcer {
            announcer.join().ok();
        }
        result
    }

    /// Who can't be told does not need it.
    fn tell(&self) {
        if let Some(path) = environment::var("NOTIFY_SOCKET") {
            drop(socket::tell(&path, b"READY=1"));
        }
        if let Some(path) = &self.pid_file {
            drop(files::write(path, format!("{}\n", std::process::id()), 0o644));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_there_when_it_is_done_and_not_before() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pid");
        let ready = Ready { pid_file: Some(path.clone()) };
        assert!(!ready.once(|| files::exists(&path)));
        assert_eq!(files::read_text(&path).unwrap(), format!("{}\n", std::process::id()));
    }
}
