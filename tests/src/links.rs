//! Links for herds in one process.

use wb_core::context::{Code, Context, MaxOut, Migration, Role, Terms};
use wb_core::system::files::Attributes;

/// What a link or a role of these tests runs.
pub type Act = fn(&Context<'_>) -> anyhow::Result<()>;

/// The digest of links that are never amended.
pub const DIGEST: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// A role whose hosts take turns, and write down that they leave load and rejoin.
pub static WEB: Role = Role {
    name: "web",
    max_out: MaxOut::Hosts(1),
    leave: |context| write(context, "leave"),
    rejoin: |context| write(context, "rejoin"),
    ..Role::PLAIN
};

/// A link that waits for nobody.
#[must_use]
pub const fn migration(
    name: &'static str,
    role: &'static str,
    index: usize,
    sha1: &'static str,
    run: Act,
) -> Migration {
    Migration {
        name,
        role,
        sha1,
        digest: DIGEST,
        index,
        wait: None,
        replaces: None,
        terms: Terms::NONE,
        run: Some(Code::Bare(run)),
    }
}

/// Adds a word to the host's file `written`.
///
/// # Errors
/// When it can't be read or written.
pub fn write(context: &Context<'_>, word: &str) -> anyhow::Result<()> {
    let mut text = context.system().read_file("/written")?.unwrap_or_default();
    text.extend(format!("{word} ").bytes());
    Ok(context.system().write_file("/written", text, Attributes::mode(0o644))?)
}
