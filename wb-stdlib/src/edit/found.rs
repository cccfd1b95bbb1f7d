//! The file that is there, at the end of all links.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use wb_core::context::Context;
use wb_core::system::System;
use wb_core::system::files::{self, Kind, Stat};

use super::{EditError, LARGEST};
use crate::file::{End, FileError, KindWord, check_path};
use crate::foresight;

const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";
const UTF16_MARKS: [&[u8]; 2] = [b"\xff\xfe", b"\xfe\xff"];

/// The longest file that is kept, so that the next edits of it need not read it again.
const KEPT: u64 = 64 * 1024;

/// What stands in a file.
struct Content(Vec<u8>);

/// What there is to edit.
pub(super) struct Found {
    /// Where it is: where links lead, at last.
    pub(super) path: PathBuf,
    content: Option<Arc<Content>>,
}

impl Found {
    pub(super) fn of(context: &Context<'_>, path: &Path) -> Result<Self, EditError> {
        check_path(path)?;
        let system = context.system();
        let End { path, stat, .. } = End::by_now(context, path)?;
        if let Some(why) = foresight::unknown_in(context, &path) {
            return Err(EditError::NotYet { why });
        }
        let Some(stat) = stat else { return Ok(Self { path, content: None }) };
        if stat.kind != Kind::File {
            return Err(FileError::InTheWay { path, wanted: "a file", found: KindWord(stat.kind) }.into());
        }
        if stat.size > LARGEST {
            return Err(EditError::TooLarge { path, size: stat.size });
        }
        let content = match foresight::is_as_found(context, &path) {
            true => read(system, &path, stat),
            false => foresight::read(context, &path).map(|content| content.map(|bytes| Arc::new(Content(bytes)))),
        };
        let content = content.map_err(FileError::from)?;
        let is_utf16 = |content: &Arc<Content>| UTF16_MARKS.iter().any(|mark| content.0.starts_with(mark));
        if content.as_ref().is_some_and(is_utf16) {
            return Err(EditError::Utf16 { path });
        }
        Ok(Self { path, content })
    }

    pub(super) fn is_missing(&self) -> bool {
        self.content.is_none()
    }

    /// Its text, without the mark that some programs put before UTF-8.
    pub(super) fn text(&self) -> &[u8] {
        let content = self.content.as_ref().map(|content| content.0.as_slice()).unwrap_or_default();
        content.strip_prefix(UTF8_MARK).unwrap_or(content)
    }

    /// The content that has `text` for its text.
    pub(super) fn whole(&self, text: Vec<u8>) -> Vec<u8> {
        match &self.content {
            Some(content) if content.0.starts_with(UTF8_MARK) => [UTF8_MARK, &text].concat(),
            _ => text,
        }
    }
}

fn read(system: &System, path: &Path, stat: Stat) -> Result<Option<Arc<Content>>, files::FileError> {
    if stat.size <= KEPT {
        return system.parsed(path, |bytes| Content(bytes.to_vec()));
    }
    Ok(system.read_file(path)?.map(|bytes| Arc::new(Content(bytes))))
}
