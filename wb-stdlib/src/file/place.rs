//! Where a path leads, and what is in the way there.

use std::path::{Component, Path, PathBuf};

use wb_core::context::Operation;
use wb_core::system::System;
use wb_core::system::files::{self, Kind, Stat};

use super::{FileError, KindWord};
use crate::Host;
use crate::look::Access as _;

/// Paths are absolute, and say plainly where they lead.
pub(crate) fn check_path(path: &Path) -> Result<(), FileError> {
    let plain = path.is_absolute() && !path.components().any(|part| part == Component::ParentDir);
    if plain { Ok(()) } else { Err(FileError::BadPath { path: path.to_owned() }) }
}

/// The directory that `path` is to be in, when it is not there: an error, and in a plan the reason why it can't tell,
/// unless an operation before makes it.
pub(crate) fn missing_parent(host: Host<'_>, path: &Path) -> Result<Option<String>, FileError> {
    let Some(parent) = path.parent().filter(|_| path.has_root()) else { return Ok(None) };
    if is_directory(host.system(), path, parent)? {
        return Ok(None);
    }
    if !host.plans() {
        return Err(FileError::NoDirectory { parent: parent.to_owned(), path: path.to_owned() });
    }
    let unknown = !is_planned(host, parent);
    Ok(unknown.then(|| format!("there is no directory {} yet", parent.display())))
}

/// Whether an operation of this plan makes the directory, perhaps as one above another.
fn is_planned(host: Host<'_>, directory: &Path) -> bool {
    let made = |what: &str| -> Option<PathBuf> {
        let rest = what.strip_prefix("directory ")?;
        let synced = rest.split_once(" synced with assets/").map(|(path, _)| path);
        Some(rest.strip_suffix(" present").or(synced)?.into())
    };
    let planned = |operation: &Operation| {
        operation.outcome.changed() && made(&operation.what).is_some_and(|made| made.starts_with(directory))
    };
    host.context().operations().iter().any(planned)
}

/// Whether `directory` is there. A path that can lead nowhere is an error: something else is where it needs a directory.
fn is_directory(system: &System, path: &Path, directory: &Path) -> Result<bool, FileError> {
    let through = |file: &Path| FileError::Through { path: path.to_owned(), file: file.to_owned() };
    match system.stat(directory)?.map(|stat| stat.kind) {
        Some(Kind::Directory) => Ok(true),
        // A link to a directory is one for all that is in it.
        Some(Kind::Link) => Ok(files::stat(system.path(directory).join("."))?.is_some()),
        Some(Kind::File | Kind::Other) => Err(through(directory)),
        None => {
            let above =
                directory.ancestors().skip(1).find_map(|above| system.stat(above).transpose().map(|s| (above, s)));
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

/// What is at `path`, where it is not to be, when it may be replaced: a line that says so.
pub(crate) fn replaced(
    system: &System,
    path: &Path,
    found: Stat,
    wanted: &'static str,
    replacing: bool,
) -> Result<String, FileError> {
    if !replacing {
        return Err(FileError::InTheWay { path: path.to_owned(), wanted, found: KindWord(found.kind) });
    }
    if found.kind == Kind::Directory && !files::list(system.path(path))?.is_empty() {
        return Err(FileError::NotEmpty { path: path.to_owned(), wanted });
    }
    Ok(format!("replaces {}", KindWord(found.kind)))
}

/// Refuses to remove the directory at `path` where another file system is mounted at or below it.
pub(crate) fn refuse_mounts(system: &System, path: &Path) -> Result<(), FileError> {
    match mounted_below(system, path)? {
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
