//! A text made of a template.

/// The text that `template!` made of a file of `assets/` and its variables: what `.template(…)` of a file takes, of a
/// unit, an init script or a ruleset.
///
/// ```
/// use wb_stdlib::Template;
/// use wb_stdlib::prelude::*;
///
/// let tuning = template!("tuning.conf", memory = 512);
/// assert_eq!((tuning.name(), tuning.text()), ("tuning.conf", "shared_buffers = 512MB\n"));
/// assert_eq!(tuning, Template::new("tuning.conf", "shared_buffers = 512MB\n".to_owned()));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    name: &'static str,
    text: String,
}

impl Template {
    /// The text of the template `name`, rendered.
    #[must_use]
    pub fn new(name: &'static str, text: String) -> Self {
        Self { name, text }
    }

    /// The file's name in `assets/`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The rendered text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl From<Template> for Vec<u8> {
    fn from(template: Template) -> Self {
        template.text.into_bytes()
    }
}

impl From<Template> for String {
    fn from(template: Template) -> Self {
        template.text
    }
}
