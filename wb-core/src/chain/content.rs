//! What a link says: its code, and the assets that it names.

use std::collections::BTreeMap;
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
    /// Of the bytes of each asset that the code names; nothing where there is no such file.
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

    /// The parts that are not as in `before`: `None` is the code, `Some` an asset that was named then and still is.
    #[must_use]
    pub fn changed_since(&self, before: &Self) -> Vec<Option<String>> {
        let assets = self.assets.iter().filter(|(name, now)| before.assets.get(*name).is_some_and(|then| then != *now));
        let code = (self.code != before.code).then_some(None);
        code.into_iter().chain(assets.map(|(name, _)| Some(name.clone()))).collect()
    }
}
