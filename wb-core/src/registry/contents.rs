//! Contents out of git's objects: one `git cat-file` for many.

use std::collections::{BTreeSet, HashMap};

use super::repository::Repository;
use crate::system::CommandError;

/// The objects of a repository.
pub(super) struct Objects<'a>(&'a Repository);

impl<'a> Objects<'a> {
    pub(super) fn of(repository: &'a Repository) -> Self {
        Self(repository)
    }

    /// The ids of files named as in `<commit>:<path>`, as far as there are such files.
    pub(super) fn ids(&self, names: Vec<String>) -> Result<HashMap<String, String>, CommandError> {
        let names: Vec<String> = names.into_iter().filter(|name| !name.contains('\n')).collect();
        let output = self.ask("--batch-check=%(objectname) %(objecttype)", &names)?;
        let output = String::from_utf8_lossy(&output);
        let id = |line: &str| line.strip_suffix(" blob").map(str::to_owned);
        Ok(names.into_iter().zip(output.lines()).filter_map(|(name, line)| Some((name, id(line)?))).collect())
    }

    /// The paths of the files below a directory of a commit, from the top of the repository. Links are none.
    pub(super) fn below(&self, commit: &str, directory: &str) -> Result<Vec<String>, CommandError> {
        let command = self.0.git().args(["ls-tree", "-r", "-z", "--full-tree", commit, "--", directory]);
        let output = command.run()?.success(&command)?.stdout;
        let file = |line: &str| {
            let (head, path) = line.split_once('\t')?;
            (head.starts_with("100") && path.starts_with(directory)).then(|| path.to_owned())
        };
        Ok(String::from_utf8_lossy(&output).split('\0').filter_map(file).collect())
    }

    /// The contents of files by their ids, as far as they are there.
    pub(super) fn blobs(&self, ids: impl Iterator<Item = String>) -> Result<HashMap<String, Vec<u8>>, CommandError> {
        let ids: Vec<String> = ids.collect::<BTreeSet<_>>().into_iter().collect();
        Ok(read(&self.ask("--batch", &ids)?))
    }

    /// Those of these paths that have a filter between what git stores and what lies in the work tree, as of git-lfs.
    pub(super) fn with_filter(&self, paths: &BTreeSet<String>) -> Result<BTreeSet<String>, CommandError> {
        if paths.is_empty() {
            return Ok(BTreeSet::new());
        }
        let stdin: String = paths.iter().map(|path| format!("{path}\0")).collect();
        let command = self.0.git().args(["check-attr", "-z", "--stdin", "filter"]).stdin(stdin);
        let output = command.run()?.success(&command)?.stdout;
        let output = String::from_utf8_lossy(&output);
        let fields: Vec<&str> = output.split('\0').collect();
        let has_one = |said: &&[&str]| !matches!(said[2], "unspecified" | "unset");
        Ok(fields.chunks_exact(3).filter(has_one).map(|said| said[0].to_owned()).collect())
    }

    /// What a checkout would write at `path` for this content. Nothing where its filter fails.
    pub(super) fn checked_out(&self, id: &str, path: &str) -> Result<Option<Vec<u8>>, CommandError> {
        let output = self.0.git().args(["cat-file", "--filters", &format!("--path={path}"), id]).run()?;
        Ok((output.code == 0).then_some(output.stdout))
    }

    fn ask(&self, how: &str, names: &[String]) -> Result<Vec<u8>, CommandError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let command = self.0.git().args(["cat-file", how]).stdin(names.join("\n") + "\n");
        Ok(command.run()?.success(&command)?.stdout)
    }
}

/// `<id> blob <size>`, then the content and a line break; or a line that says that there is none.
fn read(mut output: &[u8]) -> HashMap<String, Vec<u8>> {
    let mut blobs = HashMap::new();
    while let Some(end) = output.iter().position(|byte| *byte == b'\n') {
        let line = String::from_utf8_lossy(&output[..end]).into_owned();
        output = &output[end + 1..];
        let mut words = line.split(' ');
        if let (Some(id), Some("blob"), Some(Ok(size))) = (words.next(), words.next(), words.next().map(str::parse))
            && let Some((content, rest)) = output.split_at_checked(size)
        {
            blobs.insert(id.to_owned(), content.to_vec());
            output = rest.get(1..).unwrap_or_default();
        }
    }
    blobs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_are_read_by_their_size() {
        let blobs = read(b"a1 blob 3\nx\ny\na2 missing\na3 blob 0\n\na4 blob 9\ncut");
        assert_eq!(blobs, HashMap::from([("a1".into(), b"x\ny".to_vec()), ("a3".into(), Vec::new())]));
    }
}
