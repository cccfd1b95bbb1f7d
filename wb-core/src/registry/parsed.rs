//! What source files said when they were last parsed, by the digest of their bytes.
//!
//! It is forgotten when the code that reads sources changes: its own text is part of the first line.

use std::collections::HashMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::memory;
use super::repository::Repository;
use crate::chain::{Content, DIGEST_VERSION, Declared, Digest, Inside, Outside, Sha1, Source};
use crate::system::files;

const READERS: [&str; 11] = [
    include_str!("../chain.rs"),
    include_str!("../chain/baseline.rs"),
    include_str!("../chain/content.rs"),
    include_str!("../chain/source.rs"),
    include_str!("../chain/source/inside.rs"),
    include_str!("../chain/source/role.rs"),
    include_str!("../chain/source/wait.rs"),
    include_str!("../chain/wait.rs"),
    include_str!("../chain/digest.rs"),
    include_str!("../chain/facts.rs"),
    include_str!("sources.rs"),
];

const END: &str = "end\n";

/// What a file says by itself: its assets are names only.
#[derive(Debug, Clone)]
pub(super) struct Parsed {
    pub(super) blob: Sha1,
    pub(super) source: Source,
}

/// The files that were parsed in a work tree.
#[derive(Debug, Default)]
pub(super) struct ParsedFiles {
    known: HashMap<String, String>,
    /// The lines of the files that are there now.
    lines: String,
    is_new: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    blob: Sha1,
    migrations: Vec<Declared>,
    code: Digest,
    assets: Vec<String>,
    outside: Vec<Outside>,
    inside: Inside,
}

impl ParsedFiles {
    pub(super) fn recall(repository: Option<&Repository>) -> Self {
        let read = |repository| {
            let bytes = files::read_optional(memory::file(repository, "sources")).ok()??;
            let text = String::from_utf8(bytes).ok()?;
            let lines = text.strip_prefix(&first_line())?.strip_suffix(END)?;
            let known = lines.lines().filter_map(|line| line.split_once(' '));
            Some(known.map(|(digest, line)| (digest.to_owned(), line.to_owned())).collect())
        };
        Self { known: repository.and_then(read).unwrap_or_default(), ..Self::default() }
    }

    /// What these bytes say.
    pub(super) fn look_up(
        &mut self,
        bytes: &[u8],
        parse: impl Fn(&[u8]) -> Result<Parsed, String>,
    ) -> Result<Parsed, String> {
        let digest = Digest::of(bytes).to_string();
        let known = self.known.get(&digest).and_then(|line| Some((decode(line)?, line.clone())));
        let (parsed, line) = match known {
            Some(known) => known,
            None => {
                self.is_new = true;
                let parsed = parse(bytes)?;
                let line = encode(&parsed);
                (parsed, line)
            }
        };
        let _ = writeln!(self.lines, "{digest} {line}");
        Ok(parsed)
    }

    /// Keeps what is there now, where that is not known already.
    pub(super) fn keep(self, repository: Option<&Repository>) {
        if let Some(repository) = repository.filter(|_| self.is_new) {
            let text = format!("{}{}{END}", first_line(), self.lines);
            memory::store(repository, "sources", &text);
        }
    }
}

fn first_line() -> String {
    let readers = READERS.map(|text| Digest::of(text.as_bytes()).to_string()).concat();
    format!("wildebeest sources 1 {DIGEST_VERSION} {}\n", Digest::of(readers.as_bytes()))
}

fn encode(parsed: &Parsed) -> String {
    let Source { migrations, content, outside, inside, with_unix_lines: _ } = parsed.source.clone();
    let assets = content.assets.into_keys().collect();
    let line = Line { blob: parsed.blob, migrations, code: content.code, assets, outside, inside };
    serde_json::to_string(&line).unwrap_or_default()
}

fn decode(line: &str) -> Option<Parsed> {
    let Line { blob, migrations, code, assets, outside, inside } = serde_json::from_str(line).ok()?;
    let assets = assets.into_iter().map(|name| (name, None)).collect();
    let source = Source { migrations, content: Content { code, assets }, with_unix_lines: None, outside, inside };
    Some(Parsed { blob, source })
}
