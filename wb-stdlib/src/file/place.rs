//! Where a path leads, and what is in the way there.

use std::path::{Component, Path, PathBuf};

use wb_core::context::Context;
use wb_core::system::System;
use wb_core::system::files::{self, Kind, Stat};

use super::{FileError, KindWord};
use crate::look::Access as _;
use crate::{Host, foresight};

/// Paths are absolute, and say plainly where they lead.
pub(crate) fn check_path(path: &Path) -> Result<(), FileError> {
    let plain = path.is_absolute() && !path.components().any(|part| part == Component::ParentDir);
    if plain { Ok(()) } else { Err(FileError::BadPath { path: path.to_owned() }) }
}

/// The directory that `path` is to be in, when it is not there: an error, and in a plan the reason why it can't tell,
/// unless an operation before makes it.
pub(crate) fn missing_parent(host: Host<'_>, path: &Path) -> Result<Option<String>, FileError> {
    let Some(parent) = path.parent().filter(|_| path.has_root()) else { return Ok(None) };
    if let Some(why) = foresight::unknown_at(host.context(), path) {
        return Ok(Some(why));
    }
    if is_directory(host.context(), path, parent)? {
        return Ok(None);
    }
    if !host.plans() {
        return Err(FileError::NoDirectory { parent: parent.to_owned(), path: path.to_owned() });
    }
    Ok(Some(format!("there is no directory {} yet", parent.display())))
}

/// Refuses a path at which no directory can be made: it leads through something else.
pub(crate) fn refuse_through(context: &Context<'_>, path: &Path) -> Result<(), FileError> {
    path.parent().map_or(Ok(()), |parent| is_directory(context, path, parent).map(drop))
}

/// Whether `directory` is there. A path that can lead nowhere is an error: something else is where it needs a directory.
fn is_directory(context: &Context<'_>, path: &Path, directory: &Path) -> Result<bool, FileError> {
    let through = |file: &Path| FileError::Through { path: path.to_owned(), file: file.to_owned() };
    match foresight::stat(context, directory)?.map(|stat| stat.kind) {
        Some(Kind::Directory) => Ok(true),
        // A link to a directory is one for all that is in it.
        Some(Kind::Link) => match foresight::end(context, directory) {
            Some(end) => is_directory(context, path, &end),
            None => Ok(files::stat(context.system().path(directory).join("."))?.is_some()),
        },
        Some(Kind::File | Kind::Other) => Err(through(directory)),
        None => {
            let stat = |above: &Path| foresight::stat(context, above).transpose();
            let above = directory.ancestors().skip(1).find_map(|above| stat(above).map(|s| (above, s)));
            match above {
                Some((above, Ok(Stat { kind: Kind::File | Kind::Other, .. }))) => Err(through(above)),
                _ => Ok(false),
            }
        }
    }
}

/// Makes room for something else than what is at `path`: a directory only when nothing is in it.
pub(crate) fn clear(system: &System, path: &Path, found: Stat) -> Result<(), FileError> {
    let at = system.path(path);
    match found.kind {
        Kind::Directory => Ok(files::remove_empty_dir(at)?),
        Kind::File | Kind::Link | Kind::Other => Ok(files::remove(at).map(drop)?),
    }
}

/// Makes the directory again that has made room.
pub(super) fn make_again(system: &System, path: &Path, found: Stat) -> Result<(), files::FileError> {
    let at = system.path(path);
    files::create_dir(&at)?;
    files::set_owner(&at, Some(found.uid), Some(found.gid))?;
    files::set_mode(&at, found.mode)
}

/// What is at `path`, where it is not to be, when it may be replaced: a line that says so.
pub(crate) fn replaced(
    context: &Context<'_>,
    path: &Path,
    found: Stat,
    wanted: &'static str,
    replacing: bool,
) -> Result<String, FileError> {
    if !replacing {
        return Err(FileError::InTheWay { path: path.to_owned(), wanted, found: KindWord(found.kind) });
    }
    if found.kind == Kind::Directory && !foresight::names(context, path)?.is_empty() {
        return Err(FileError::NotEmpty { path: path.to_owned(), wanted });
    }
    Ok(format!("replaces {}", KindWord(found.kind)))
}

/// Refuses to remove the directory at `path` where another file system is mounted at or below it.
pub(crate) fn refuse_mounts(context: &Context<'_>, path: &Path) -> Result<(), FileError> {
    // Nothing is mounted in one that would only be there by now.
    let is_new = foresight::replaced(context, path).is_some();
    match if is_new { None } else { mounted_below(context.system(), path)? } {
        Some(mount) => Err(FileError::Mounted { path: path.to_owned(), mount }),
        None => Ok(()),
    }
}

/// Where another file system is mounted, at or below what is at `path`.
pub(crate) fn mounted_below(system: &System, path: &Path) -> Result<Option<PathBuf>, files::FileError> {
    let Some(mounts) = system.read_file("/proc/self/mountinfo")? else { return Ok(None) };
    let mounts = String::from_utf8_lossy(&mounts).into_owned();
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(4)).map(crate::facts::unescaped);
    // The kernel names no links that lead there; one at the path itself is removed as such.
    let path = match (path.parent(), path.file_name()) {
        (Some(directory), Some(name)) => system.real_path(directory)?.join(name),
        _ => path.to_owned(),
    };
    Ok(points.map(PathBuf::from).find(|point| point.starts_with(&path)))
}
