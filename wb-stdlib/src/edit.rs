//! Edits of files whose rest is somebody else's: lines, blocks, options, values.
//!
//! An [`Edit`] names a file and all that is to be so in it. The file is read once, and written once or not at all. What no
//! edit names stays as it is, byte for byte: comments, blank lines, the order, bytes that are no UTF-8, CRLF line ends, a
//! missing line end at the end.
//!
//! - The file keeps its owner, group and mode. It is replaced as a whole, so other hard links to it keep what it was.
//! - A symbolic link stays one: the file that it leads to is edited. A link that belongs neither to root nor to the owner
//!   of that file is refused, since whoever made it could choose what root writes to.
//! - A file of more than [`LARGEST`] bytes is refused, and one in UTF-16.
//! - To edit twice is to edit once. Edits of which that is not true, as `replace("a", "aa")`, are refused.
//!
//! | what is to be so | how it is said |
//! | --- | --- |
//! | a line, in place of what matches | [`line`](Edit::line), [`matching`](Edit::matching) |
//! | a line is gone | [`without_line`](Edit::without_line), [`without_lines`](Edit::without_lines) |
//! | a block between two markers | [`block`](Edit::block), [`without_block`](Edit::without_block) |
//! | all that matches is something else | [`replace`](Edit::replace) |
//! | `key = value` in a `[section]` | [`section`](Edit::section), [`option`](Edit::option) |
//! | `KEY=value`, as a shell reads it | [`variable`](Edit::variable) |
//! | `Key value`, as sshd reads it | [`directive`](Edit::directive) |
//! | a value in TOML, JSON, YAML | [`toml`](Edit::toml), [`json`](Edit::json), [`yaml`](Edit::yaml) |

mod assignment;
mod block;
mod change;
mod directive;
mod error;
mod found;
mod json;
mod line;
mod lines;
mod pattern;
mod place;
mod replacement;
mod row;
mod section;
mod toml;
mod tree;
mod variable;
mod way;
mod yaml;

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Serialize;
use wb_core::context::Outcome;

use crate::ensure::{Difference, ensure};
use crate::file::File;
use crate::service::Service;
use crate::{Host, Look};
pub use block::Block;
pub use change::{Change, Settled};
pub use directive::Directive;
pub use error::{EditError, Unfit};
use found::Found;
pub use line::Line;
pub use section::Section;
use tree::Tree;

/// The longest file that is edited, in bytes: 16 MiB.
pub const LARGEST: u64 = 16 * 1024 * 1024;

/// Edits of one file. [`Look::edit`] makes it; `L` is the edit that was said last, of which the next words may say more.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn harden_ssh(host: &Host) -> Result<()> {
///     let ssh = host.service("ssh");
///     host.edit("/etc/ssh/sshd_config")
///         .directive("PermitRootLogin", "no")
///         .directive("PasswordAuthentication", "no")
///         .validated_by(["sshd", "-t", "-f"])
///         .reloads(&ssh)
///         .present()?;
///     host.edit("/etc/hosts").line("192.0.2.7 db").matching(r"\sdb$").present()?;
///     Ok(())
/// }
/// # wb_stdlib::testing::web1().rehearse(harden_ssh);
/// ```
#[must_use = "say that it is to be so: `.present()?`, or in a spec `.is_present()?`"]
pub struct Edit<A, L = Settled> {
    access: A,
    path: PathBuf,
    file: File<A>,
    new_mode: Option<u32>,
    earlier: Vec<Box<dyn Change>>,
    last: L,
}

impl<A: Look> Edit<A> {
    pub(crate) fn new(access: A, path: &Path) -> Self {
        let file = File::new(access, path);
        Self { access, path: path.to_owned(), file, new_mode: None, earlier: Vec::new(), last: Settled }
    }
}

impl<A: Look, L: Change + 'static> Edit<A, L> {
    /// The line `text` is there. Where no line is like it, it is added at the end of the file, or where
    /// [`after`](Edit::after), [`before`](Edit::before) or [`at_start`](Edit::at_start) says.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn name_the_database(host: &Host) -> Result<()> {
    ///     host.edit("/etc/hosts")
    ///         .line("192.0.2.7 db").matching(r"\sdb$")
    ///         .line("192.0.2.8 cache").after(r"^192\.0\.2\.7\s")
    ///         .present()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(name_the_database);
    /// ```
    pub fn line(self, text: impl Into<String>) -> Edit<A, Line> {
        self.then(Line::new(text.into()))
    }

    /// No line is `text`.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn forget_the_old_database(host: &Host) -> Result<()> {
    ///     host.edit("/etc/hosts").without_line("192.0.2.9 old-db").without_lines(r"\sold-(web|cache)$").present()?;
    ///     Ok(())
    /// }
    /// # let host = wb_stdlib::testing::web1().file("/etc/hosts", "192.0.2.9 old-db\n192.0.2.8 old-web\n");
    /// # host.rehearse(forget_the_old_database);
    /// ```
    pub fn without_line(self, text: impl Into<String>) -> Edit<A> {
        self.settled(line::Gone::Exact(text.into()))
    }

    /// No line matches the regular expression `pattern`, in the syntax of the crate `regex`, anywhere in the line.
    pub fn without_lines(self, pattern: impl Into<String>) -> Edit<A> {
        self.settled(line::Gone::Matching(pattern.into()))
    }

    /// The lines of `text` are there, between a line `# BEGIN wildebeest: name` and a line `# END wildebeest: name`. Where
    /// these are, what is between them is replaced; else the block is added at the end of the file, or where
    /// [`after`](Edit::after), [`before`](Edit::before) or [`at_start`](Edit::at_start) says.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn name_all_databases(host: &Host) -> Result<()> {
    ///     let lines = host.herd().role("database").addresses()?.join(" db\n");
    ///     host.edit("/etc/hosts").block("databases", format!("{lines} db\n")).without_block("caches").present()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(name_all_databases);
    /// ```
    pub fn block(self, name: impl Into<String>, text: impl Into<String>) -> Edit<A, Block> {
        self.then(Block::new(name.into(), Some(text.into())))
    }

    /// There is no block `name`, and no markers of it.
    pub fn without_block(self, name: impl Into<String>) -> Edit<A, Block> {
        self.then(Block::new(name.into(), None))
    }

    /// Each match of the regular expression `pattern` is `with`, in which `$1` and `${name}` stand for groups, and `$$`
    /// for a dollar. `^` and `$` match at lines.
    ///
    /// What is replaced must not match again: `.replace("a", "aa")` would never come to rest, and is refused.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn move_the_mirror(host: &Host) -> Result<()> {
    ///     let (old, new) = (r"http://deb\.example\.org/", "https://deb.example.com/");
    ///     host.edit("/etc/apt/sources.list").replace(old, new).present()?;
    ///     Ok(())
    /// }
    /// # let list = "deb http://deb.example.org/debian bookworm main\n";
    /// # wb_stdlib::testing::web1().file("/etc/apt/sources.list", list).rehearse(move_the_mirror);
    /// ```
    pub fn replace(self, pattern: impl Into<String>, with: impl Into<String>) -> Edit<A> {
        self.settled(replacement::Replacement::new(pattern.into(), with.into()))
    }

    /// The section `[name]` of an INI file is there, with what the next words say of its options. A new section is added
    /// at the end of the file.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn tune_mariadb(host: &Host) -> Result<()> {
    ///     host.edit("/etc/mysql/mariadb.conf.d/50-server.cnf")
    ///         .section("mysqld")
    ///         .option("bind-address", "0.0.0.0")
    ///         .flag("skip-name-resolve")
    ///         .without_option("query_cache_size")
    ///         .present()?;
    ///     Ok(())
    /// }
    /// # let (path, text) = ("/etc/mysql/mariadb.conf.d/50-server.cnf", "[mysqld]\nquery_cache_size = 16M\n");
    /// # wb_stdlib::testing::web1().file(path, text).rehearse(tune_mariadb);
    /// ```
    pub fn section(self, name: impl Into<String>) -> Edit<A, Section> {
        self.then(Section::new(Some(name.into())))
    }

    /// What the next words say is of the options before the first section.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn tune_rsync(host: &Host) -> Result<()> {
    ///     let rsync = host.edit("/etc/rsyncd.conf");
    ///     rsync.before_sections().option("timeout", "600").without_section("old-shop").present()?;
    ///     Ok(())
    /// }
    /// # let host = wb_stdlib::testing::web1().file("/etc/rsyncd.conf", "[old-shop]\npath = /srv/old-shop\n");
    /// # host.rehearse(tune_rsync);
    /// ```
    pub fn before_sections(self) -> Edit<A, Section> {
        self.then(Section::new(None))
    }

    /// There is no section `[name]`, nor what is in it. Comments right above the next section belong to that, and stay.
    pub fn without_section(self, name: impl Into<String>) -> Edit<A> {
        self.settled(section::Gone(name.into()))
    }

    /// The variable `name` has `value`, in a file that a shell or systemd reads: `/etc/default/…`, `/etc/environment`.
    /// Of several assignments the last counts, and is edited; `export`, indentation and a comment behind it stay. The
    /// value is taken as it is: it is quoted where that is needed, and nothing in it is expanded.
    ///
    /// A new assignment goes behind the first commented one of that name, or to the end of the file.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn boot_at_once(host: &Host) -> Result<()> {
    ///     host.edit("/etc/default/grub")
    ///         .variable("GRUB_TIMEOUT", "0")
    ///         .variable("GRUB_CMDLINE_LINUX", "quiet console=ttyS0")
    ///         .without_variable("GRUB_HIDDEN_TIMEOUT")
    ///         .present()?;
    ///     host.command("update-grub").run()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().file("/etc/default/grub", "GRUB_TIMEOUT=5\n").rehearse(boot_at_once);
    /// ```
    pub fn variable(self, name: impl Into<String>, value: impl Into<String>) -> Edit<A> {
        self.settled(variable::Variable::new(name.into(), Some(value.into())))
    }

    /// The variable `name` is not assigned.
    pub fn without_variable(self, name: impl Into<String>) -> Edit<A> {
        self.settled(variable::Variable::new(name.into(), None))
    }

    /// The one directive `key` has `value`, in a file of `Key value` lines: `sshd_config`, `login.defs`, `chrony.conf`.
    /// The first one is edited, and others of that key are removed. Keys are the same in upper and lower case; a `=`
    /// between key and value, indentation and blanks stay.
    ///
    /// A new directive goes behind the first commented one of that key, which stays, or to the end of the file; and in
    /// any case before the first `Match` or `Host`, which begin blocks of ssh: for what is in these, see
    /// [`under`](Edit::under).
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn let_backups_in(host: &Host) -> Result<()> {
    ///     host.edit("/etc/ssh/sshd_config")
    ///         .directive("PasswordAuthentication", "no")
    ///         .directive("ForceCommand", "/usr/bin/rrsync /srv").under("Match User backup")
    ///         .validated_by(["sshd", "-t", "-f"])
    ///         .present()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(let_backups_in);
    /// ```
    pub fn directive(self, key: impl Into<String>, value: impl Into<String>) -> Edit<A, Directive> {
        self.directives(key, [value])
    }

    /// The directives `key` have these values, in this order: `.directives("Port", ["22", "2222"])`.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn listen_on_two_ports(host: &Host) -> Result<()> {
    ///     let sshd = host.edit("/etc/ssh/sshd_config");
    ///     sshd.directives("Port", ["22", "2222"]).without_directive("ListenAddress").present()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(listen_on_two_ports);
    /// ```
    pub fn directives<V: Into<String>>(
        self,
        key: impl Into<String>,
        values: impl IntoIterator<Item = V>,
    ) -> Edit<A, Directive> {
        self.then(Directive::new(key.into(), values.into_iter().map(Into::into).collect()))
    }

    /// There is no directive `key`.
    pub fn without_directive(self, key: impl Into<String>) -> Edit<A, Directive> {
        self.directives(key, [""; 0])
    }

    /// The value at `path` of a TOML file: keys with dots between them, quoted where they have dots of their own, and places in
    /// lists, as in `servers[0].port`. Tables that are not there are made; an item of a list must be there.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn use_systemd_cgroups(host: &Host) -> Result<()> {
    ///     host.edit("/etc/containerd/config.toml")
    ///         .toml(r#"plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options.SystemdCgroup"#, true)
    ///         .toml("imports", ["/etc/containerd/conf.d/*.toml"])
    ///         .without_toml("debug.address")
    ///         .present()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().file("/etc/containerd/config.toml", "version = 2\n").rehearse(use_systemd_cgroups);
    /// ```
    pub fn toml(self, path: impl Into<String>, value: impl Serialize) -> Edit<A> {
        self.settled(Tree::new(toml::FORMAT, path.into(), value))
    }

    /// There is nothing at `path` of a TOML file. Comments right above it go with it.
    pub fn without_toml(self, path: impl Into<String>) -> Edit<A> {
        self.settled(Tree::gone(toml::FORMAT, path.into()))
    }

    /// The value at `path` of a JSON file, with or without comments and trailing commas. Paths are written as for
    /// [`toml`](Edit::toml). Objects that are not there are made.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn rotate_logs_of_containers(host: &Host) -> Result<()> {
    ///     host.edit("/etc/docker/daemon.json")
    ///         .json("log-opts.max-size", "10m")
    ///         .json("live-restore", true)
    ///         .without_json("experimental")
    ///         .or_create(0o644)
    ///         .present()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(rotate_logs_of_containers);
    /// ```
    pub fn json(self, path: impl Into<String>, value: impl Serialize) -> Edit<A> {
        self.settled(Tree::new(json::FORMAT, path.into(), value))
    }

    /// There is nothing at `path` of a JSON file.
    pub fn without_json(self, path: impl Into<String>) -> Edit<A> {
        self.settled(Tree::gone(json::FORMAT, path.into()))
    }

    /// The value at `path` of a YAML file of one document. Paths are written as for [`toml`](Edit::toml). Mappings that
    /// are not there are made. Strings are quoted where some version of YAML would read something else, as in `"no"`.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn name_the_cluster(host: &Host) -> Result<()> {
    ///     host.edit("/etc/elasticsearch/elasticsearch.yml")
    ///         .yaml(r#""cluster.name""#, "shop")
    ///         .yaml("xpack.security.enabled", true)
    ///         .without_yaml("discovery.type")
    ///         .present()?;
    ///     Ok(())
    /// }
    /// # let (path, text) = ("/etc/elasticsearch/elasticsearch.yml", "path:\n  data: /srv/elasticsearch\n");
    /// # wb_stdlib::testing::web1().file(path, text).rehearse(name_the_cluster);
    /// ```
    pub fn yaml(self, path: impl Into<String>, value: impl Serialize) -> Edit<A> {
        self.settled(Tree::new(yaml::FORMAT, path.into(), value))
    }

    /// There is nothing at `path` of a YAML file.
    pub fn without_yaml(self, path: impl Into<String>) -> Edit<A> {
        self.settled(Tree::gone(yaml::FORMAT, path.into()))
    }

    /// Where there is no file, it is made, with these permission bits, as in `0o644`. Without this, a missing file is
    /// an error, but for edits that only remove.
    pub fn or_create(mut self, mode: u32) -> Self {
        self.new_mode = Some(mode);
        self
    }

    /// Checks that the file is as these edits make it.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn root_stays_out(host: &View) -> Result<()> {
    ///     host.edit("/etc/ssh/sshd_config").directive("PermitRootLogin", "no").is_present()
    /// }
    /// # wb_stdlib::testing::web1().asks(root_stays_out);
    /// ```
    ///
    /// # Errors
    /// When one of them would change it, or can't be made.
    pub fn is_present(self) -> Result<()> {
        let (found, path) = (self.found()?, self.path.display());
        if self.edited(found.text())?.is_none() {
            return Ok(());
        }
        anyhow::ensure!(!found.is_missing(), "expected {path}, found nothing there");
        anyhow::bail!("expected {} in {path}, found it otherwise", self.first_to_change(found.text()));
    }

    fn then<N>(self, next: N) -> Edit<A, N> {
        let Self { access, path, file, new_mode, mut earlier, last } = self;
        earlier.push(Box::new(last));
        Edit { access, path, file, new_mode, earlier, last: next }
    }

    fn settled(self, change: impl Change + 'static) -> Edit<A> {
        self.then(change).then(Settled)
    }

    fn found(&self) -> Result<Found, EditError> {
        Found::of(self.access.context(), &self.path)
    }

    fn changes(&self) -> impl Iterator<Item = &dyn Change> {
        self.earlier.iter().map(|change| change.as_ref() as &dyn Change).chain([&self.last as &dyn Change])
    }

    /// The text after all edits, or nothing when it is as wanted.
    fn edited(&self, text: &[u8]) -> Result<Option<Vec<u8>>, EditError> {
        let Some(once) = self.pass(text)? else { return Ok(None) };
        match self.pass(&once)? {
            Some(_) => Err(EditError::Restless { path: self.path.clone(), edit: self.first_to_change(&once) }),
            None => Ok(Some(once)),
        }
    }

    fn pass(&self, text: &[u8]) -> Result<Option<Vec<u8>>, EditError> {
        let mut edited: Option<Vec<u8>> = None;
        for change in self.changes() {
            let before = edited.as_deref().unwrap_or(text);
            if let Some(after) = change.change(before).map_err(|source| self.unfit(change, source))? {
                edited = Some(after);
            }
        }
        Ok(edited.filter(|edited| edited != text))
    }

    /// The first edit that changes this text.
    fn first_to_change(&self, text: &[u8]) -> String {
        let mut changes = self.changes();
        let first = changes.find(|change| matches!(change.change(text), Ok(Some(_)) | Err(_)));
        first.map(|change| change.name()).unwrap_or_default()
    }

    fn unfit(&self, change: &dyn Change, source: Unfit) -> EditError {
        EditError::Unfit { path: self.path.clone(), edit: change.name(), source }
    }
}

impl<L: Change + 'static> Edit<Host<'_>, L> {
    /// When the file changes, the service is reloaded at the end of the migration, as with [`File::reloads`].
    pub fn reloads(mut self, service: &Service<Host<'_>>) -> Self {
        self.file = self.file.reloads(service);
        self
    }

    /// When the file changes, the service is restarted at the end of the migration, as with [`File::reloads`].
    pub fn restarts(mut self, service: &Service<Host<'_>>) -> Self {
        self.file = self.file.restarts(service);
        self
    }

    /// What stands in the file is never shown, as with [`File::private`].
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn set_the_password(host: &Host, password: &str) -> Result<()> {
    ///     let shop = host.service("shop");
    ///     host.edit("/etc/default/shop").variable("PASSWORD", password).private().restarts(&shop).present()?;
    ///     host.edit("/etc/shop/limits").variable("SESSIONS", "40").shown().present()?;
    ///     Ok(())
    /// }
    /// # let host = wb_stdlib::testing::web1().file("/etc/default/shop", "PASSWORD=old\n");
    /// # host.file("/etc/shop/limits", "SESSIONS=20\n").rehearse(|host| set_the_password(host, "new"));
    /// ```
    pub fn private(mut self) -> Self {
        self.file = self.file.private();
        self
    }

    /// How the file differs is shown, though not everybody may read it, as with [`File::shown`].
    pub fn shown(mut self) -> Self {
        self.file = self.file.shown();
        self
    }

    /// The edited file takes the place of the old only when this command accepts it, as with [`File::validated_by`].
    pub fn validated_by<W: Into<String>>(mut self, command: impl IntoIterator<Item = W>) -> Self {
        self.file = self.file.validated_by(command);
        self
    }

    /// The edited file stays only when this command accepts it where it is, as with [`File::validated_in_place_by`].
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn listen_elsewhere(host: &Host) -> Result<()> {
    ///     let nginx = host.service("nginx");
    ///     let edit = host.edit("/etc/nginx/conf.d/shop.conf").replace("listen 80;", "listen 8080;");
    ///     edit.validated_in_place_by(["nginx", "-t"]).reloads(&nginx).present()?;
    ///     Ok(())
    /// }
    /// # let host = wb_stdlib::testing::web1().file("/etc/nginx/conf.d/shop.conf", "server { listen 80; }\n");
    /// # host.rehearse(listen_elsewhere);
    /// ```
    pub fn validated_in_place_by<W: Into<String>>(mut self, command: impl IntoIterator<Item = W>) -> Self {
        self.file = self.file.validated_in_place_by(command);
        self
    }

    /// The file is as these edits make it. It is replaced at once or not at all.
    ///
    /// # Errors
    /// When there is no file and nobody said [`or_create`](Edit::or_create); when an edit does not fit the file; or when
    /// it can't be read or written. The old file is then as it was.
    pub fn present(self) -> Result<Outcome, EditError> {
        let what = format!("edit {} present", self.path.display());
        match self.wanted() {
            Ok(Some((found, text))) => self.write(&what, &found, text),
            Ok(None) => ensure(self.access, &what, Difference::None, || Ok(())),
            Err(error) => match error.passing().filter(|_| self.access.plans()) {
                Some(why) => ensure(self.access, &what, Difference::Unknown(why), || Ok(())),
                None => Err(error),
            },
        }
    }

    /// What there is and what is to be there, where that differs.
    fn wanted(&self) -> Result<Option<(Found, Vec<u8>)>, EditError> {
        let found = self.found()?;
        let missing = found.is_missing() && self.new_mode.is_none();
        if missing && self.access.plans() {
            return Err(EditError::NoFile { path: found.path });
        }
        match self.edited(found.text())? {
            Some(_) if missing => Err(EditError::NoFile { path: found.path }),
            Some(text) => Ok(Some((found, text))),
            None if !found.is_missing() && self.file.is_on_trial(&found.path)? => {
                let text = found.text().to_owned();
                Ok(Some((found, text)))
            }
            None => Ok(None),
        }
    }

    fn write(self, what: &str, found: &Found, text: Vec<u8>) -> Result<Outcome, EditError> {
        let file = self.file.at(&found.path);
        let file = match self.new_mode.filter(|_| found.is_missing()) {
            Some(mode) => file.mode(mode),
            None => file,
        };
        Ok(file.content(found.whole(text)).present_as(what)?)
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
