//! A directory of `assets/` in the runner.

/// The files that `assets!` embeds: a directory of `assets/`, with all below it.
///
/// ```
/// use wb_stdlib::Assets;
///
/// const SITE: Assets = Assets::new("site", &[("css/shop.css", b"body {}"), ("index.html", b"<h1>Shop</h1>")]);
/// assert_eq!(SITE.get("index.html"), Some(&b"<h1>Shop</h1>"[..]));
/// assert_eq!((SITE.name(), SITE.files().len()), ("site", 2));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assets {
    name: &'static str,
    files: &'static [(&'static str, &'static [u8])],
}

impl Assets {
    /// The files of the directory `name`, by their paths below it, sorted by them.
    #[must_use]
    pub const fn new(name: &'static str, files: &'static [(&'static str, &'static [u8])]) -> Self {
        Self { name, files }
    }

    /// The directory's name in `assets/`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The files, each by its path below the directory, with its bytes, sorted by path.
    #[must_use]
    pub fn files(&self) -> &'static [(&'static str, &'static [u8])] {
        self.files
    }

    /// The bytes of one of them, by its path below the directory.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&'static [u8]> {
        self.files.iter().find(|(name, _)| *name == path).map(|(_, bytes)| *bytes)
    }
}
