//! What the commands share that play rounds from seeds: which rounds, how many at once, and where what came of them goes.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use wb_core::system::files;

use crate::failure::{Ended, NO};

/// Which rounds are played, and where the result goes.
#[derive(Debug, Args)]
pub(super) struct Rounds {
    /// The seed of the first round
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(super) seed: u64,
    /// How many rounds
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(super) rounds: usize,
    /// How many rounds at once [default: as many as there are processors]
    #[arg(long, value_name = "J")]
    jobs: Option<usize>,
    /// Write the result to FILE as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl Rounds {
    /// How many rounds are played at once.
    pub(super) fn jobs(&self) -> usize {
        self.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
    }

    /// Writes down what came of them, where that is asked for; the exit code says whether it is `ok`.
    pub(super) fn end(&self, outcome: &impl Serialize, ok: bool) -> Ended {
        if let Some(path) = &self.json {
            let text = serde_json::to_string_pretty(outcome).unwrap_or_default();
            files::write(path, text + "\n", 0o644)?;
        }
        Ok(ExitCode::from(if ok { 0 } else { NO }))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        rounds: Rounds,
    }

    fn rounds(args: &[&str]) -> Rounds {
        Cli::try_parse_from([&["torture"], args].concat()).unwrap().rounds
    }

    #[test]
    fn as_many_rounds_are_played_at_once_as_there_are_processors() {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        assert_eq!(rounds(&[]).jobs(), processors);
        assert_eq!(rounds(&["--jobs", "3"]).jobs(), 3);
    }

    #[test]
    fn what_came_of_them_is_written_down_whether_it_is_well_or_not() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let rounds = rounds(&["--json", &file.path().display().to_string()]);
        for ok in [true, false] {
            let code = rounds.end(&serde_json::json!({ "ok": ok }), ok).unwrap();
            assert_eq!(code, ExitCode::from(u8::from(!ok)));
            assert_eq!(files::read_text(file.path()).unwrap(), format!("{{\n  \"ok\": {ok}\n}}\n"));
        }
    }
}
