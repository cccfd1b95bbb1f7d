//! What a link says: its code, and the assets that it names.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::Digest;

/// The version of the rules that digests follow. It stands in the lock: digests of other versions can't be compared.
pub const DIGEST_VERSION: u32 = 1;

/// What a migration's file says, part by part.
///
/// ```
/// use wb_core::chain::{Content, Digest};
/// let mut content = Content::new(Digest::of(b"fn install_nginx() {}"));
/// let before = content.digest();
/// content.assets.insert("nginx.conf".into(), Some(Digest::of(b"worker_processes 1;")));
/// assert_ne!(content.digest(), before);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Of the code, independent of its formatting.
    pub code: Digest,
    /// Of the bytes of each asset that the code names; nothing where there is no such file. A directory has a name that
    /// ends with `/`, and no digest: its files are assets by themselves.
    pub assets: BTreeMap<String, Option<Digest>>,
}

impl Content {
    /// Code that names no assets.
    #[must_use]
    pub fn new(code: Digest) -> Self {
        Self { code, assets: BTreeMap::new() }
    }

    /// The digest of the link: of its code and all its assets.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut text = format!("link {DIGEST_VERSION}\ncode {}\n", self.code);
        for (name, digest) in &self.assets {
            let digest = digest.map_or_else(|| "absent".to_owned(), |digest| digest.to_string());
            let _ = writeln!(text, "asset {digest} {name:?}");
        }
        Digest::of(text.as_bytes())
    }

    /// The parts that are not as in `before`: `None` is the code, `Some` an asset that was named then and still is, or a
    /// directory of such in which a file is new or gone.
    #[must_use]
    pub fn changed_since(&self, before: &Self) -> Vec<Option<String>> {
        let mut changed: BTreeSet<Option<String>> = BTreeSet::new();
        let differs =
            |(name, now): &(&String, &Option<Digest>)| before.assets.get(*name).is_some_and(|then| then != *now);
        changed.extend(self.assets.iter().filter(differs).map(|(name, _)| Some(name.clone())));
        for directory in self.assets.keys().filter(|name| name.ends_with('/') && before.assets.contains_key(*name)) {
            let files = |content: &Self| -> BTreeSet<String> {
                content.assets.keys().filter(|name| name.starts_with(directory.as_str())).cloned().collect()
            };
            if files(self) != files(before) {
                changed.insert(Some(directory.clone()));
            }
        }
        let code = (self.code != before.code).then_some(None);
        code.into_iter().chain(changed).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_changes_with_each_of_its_files() {
        let content = |files: &[(&str, &str)]| {
            let mut content = Content::new(Digest::of(b"code"));
            content.assets.insert("site/".into(), None);
            content.assets.extend(files.iter().map(|(name, text)| ((*name).into(), Some(Digest::of(text.as_bytes())))));
            content
        };
        let before = content(&[("site/a", "1"), ("site/b", "1")]);
        let check = |files: &[(&str, &str)], expect: &[&str]| {
            let now = content(files);
            let expect: Vec<_> = expect.iter().map(|name| Some((*name).to_owned())).collect();
            assert_eq!(now.changed_since(&before), expect);
            assert_eq!(now.digest() == before.digest(), expect.is_empty());
        };
        check(&[("site/a", "1"), ("site/b", "1")], &[]);
        check(&[("site/a", "2"), ("site/b", "1")], &["site/a"]);
        check(&[("site/a", "1")], &["site/"]);
        check(&[("site/a", "1"), ("site/b", "2"), ("site/c", "1")], &["site/", "site/b"]);
    }
}
