//! Files: their content, owner, group and mode.

mod acl;
mod attributes;
mod capability;
mod difference;
mod end;
mod error;
mod extended;
mod place;
mod search;
mod trial;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use wb_core::context::{Context, DebtAction, Outcome};
use wb_core::system::files::{self, Attributes, Kind, Stat};
use wb_core::system::{Command, System};

use crate::ensure::{Difference, ensure};
use crate::foresight::{self, Thing};
use crate::owed::Owes;
use crate::service::Service;
use crate::{Host, Look, Template, owner};
pub(crate) use attributes::{Resolved, Wanted};
pub(crate) use end::{End, end_of};
pub use error::FileError;
pub use error::KindWord;
pub(crate) use extended::{Extended, Settled, take_over};
pub(crate) use place::{check_path, clear, missing_parent, mounted_below, refuse_mounts, refuse_through, replaced};
pub(crate) use search::search;
pub(crate) use trial::{Trial, difference_of_nothing};

/// The mode of a file that nobody said a mode for.
const NEW_MODE: u32 = 0o644;
/// The largest file that is read at once, in bytes.
const LARGEST: u64 = 256 << 20;
/// How long a command may take to look at new content.
const VALIDATION_BOUND: Duration = Duration::from_secs(300);

/// A file. [`Look::file`] makes it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn tune(host: &Host) -> Result<()> {
///     let postgres = host.service("postgresql");
///     host.file("/etc/postgresql/15/main/conf.d/tuning.conf")
///         .content(format!("shared_buffers = {}MB\n", host.facts().memory_mib / 4))
///         .owner("postgres")
///         .mode(0o640)
///         .restarts(&postgres)
///         .present()?;
///     Ok(())
/// }
/// # wb_stdlib::testing::web1().rehearse(tune);
/// ```
#[must_use = "say what is to be so: `.present()?` or `.absent()?`"]
pub struct File<A> {
    access: A,
    path: PathBuf,
    content: Option<Vec<u8>>,
    wanted: Wanted,
    extended: Extended,
    /// The template of its content, where that rendered to nothing.
    blank: Option<&'static str>,
    /// Whether what stands in it must not be shown, where somebody said so.
    private: Option<bool>,
    through_links: bool,
    replacing: bool,
    owes: Owes,
    validation: Option<Vec<String>>,
    /// What judges it where it is.
    in_place: Vec<String>,
}

impl<A: Look> File<A> {
    pub(crate) fn new(access: A, path: &Path) -> Self {
        Self {
            access,
            path: path.to_owned(),
            content: None,
            wanted: Wanted::default(),
            extended: Extended::default(),
            blank: None,
            private: None,
            through_links: false,
            replacing: false,
            owes: Owes::default(),
            validation: None,
            in_place: Vec::new(),
        }
    }

    /// Its content, or nothing where there is no file. One of more than 256 MiB is an error: all of it would be in memory.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn version_of_the_shop(host: &Host) -> Result<String> {
    ///     let version = host.file("/srv/shop/VERSION").read()?.context("the shop is not installed")?;
    ///     Ok(String::from_utf8(version)?)
    /// }
    /// # assert_eq!(wb_stdlib::testing::web1().file("/srv/shop/VERSION", "1.2").finds(version_of_the_shop), "1.2");
    /// ```
    ///
    /// # Errors
    /// When it is there and can't be read, or is too large.
    pub fn read(&self) -> Result<Option<Vec<u8>>, FileError> {
        check_path(&self.path)?;
        match self.system().stat_of_end(&self.path)? {
            Some(Stat { size, kind: Kind::File, .. }) if size > LARGEST => {
                Err(FileError::TooLarge { path: self.path.clone(), size })
            }
            _ => Ok(self.system().read_file(&self.path)?),
        }
    }

    /// Checks that it is there: a file, or what a link leads to.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn the_shop_is_configured(host: &View) -> Result<()> {
    ///     let conf = host.file("/etc/shop.conf");
    ///     conf.exists()?;
    ///     host.file("/etc/shop.conf.d/debug.conf").is_absent()?;
    ///     conf.contains("port = 8080")?;
    ///     conf.has_mode(0o640)?;
    ///     conf.has_owner("root")?;
    ///     conf.has_group("shop")?;
    ///     conf.has_acl("user:anna:r--")?;
    ///     host.file("/usr/local/bin/shop").has_capabilities("cap_net_bind_service=ep")
    /// }
    /// # wb_stdlib::testing::web1().asks(the_shop_is_configured);
    /// ```
    ///
    /// # Errors
    /// When there is nothing, or no file.
    pub fn exists(&self) -> Result<()> {
        check_path(&self.path)?;
        let path = self.path.display();
        match self.system().stat_of_end(&self.path)?.map(|stat| stat.kind) {
            Some(Kind::File) => Ok(()),
            Some(kind) => anyhow::bail!("expected the file {path}, found {}", KindWord(kind)),
            None => anyhow::bail!("expected the file {path}, found nothing there"),
        }
    }

    /// Checks that nothing is there, neither a file nor anything else; a link that leads nowhere is something.
    ///
    /// # Errors
    /// When there is something.
    pub fn is_absent(&self) -> Result<()> {
        check_path(&self.path)?;
        let path = self.path.display();
        match self.system().stat(&self.path)? {
            None => Ok(()),
            Some(found) => anyhow::bail!("expected nothing at {path}, found {}", KindWord(found.kind)),
        }
    }

    /// Checks that `text` stands in it.
    ///
    /// # Errors
    /// When it does not, with the start of what does, unless only its owner may read that; or when there is no file.
    pub fn contains(&self, text: &str) -> Result<()> {
        check_path(&self.path)?;
        let path = self.path.display();
        match search(self.system(), &self.path, text)? {
            None => anyhow::bail!("expected `{text}` in {path}, found no such file"),
            Some(found) if found.has_it => Ok(()),
            Some(found) => anyhow::bail!("expected `{text}` in {path}, found{}", found.shown()),
        }
    }

    /// Checks that its permission bits are these, as in `0o640`. A link is not followed.
    ///
    /// # Errors
    /// When they are others, or there is nothing.
    pub fn has_mode(&self, mode: u32) -> Result<()> {
        let (path, found) = (self.path.display(), self.looked_at()?.mode);
        anyhow::ensure!(found == mode, "expected {path} with mode {mode:04o}, found {found:04o}");
        Ok(())
    }

    /// Checks that it is this user's, by name or number. A link is not followed.
    ///
    /// # Errors
    /// When it is another's, there is nothing, or no such user.
    pub fn has_owner(&self, user: &str) -> Result<()> {
        let (path, found) = (self.path.display(), self.looked_at()?.uid);
        let wanted = owner::user(self.system(), user)?.uid;
        anyhow::ensure!(found == wanted, "expected {path} of user {user} ({wanted}), found it to be of user {found}");
        Ok(())
    }

    /// Checks that it is of this group, by name or number. A link is not followed.
    ///
    /// # Errors
    /// When it is of another, there is nothing, or no such group.
    pub fn has_group(&self, group: &str) -> Result<()> {
        let (path, found) = (self.path.display(), self.looked_at()?.gid);
        let wanted = owner::group(self.system(), group)?;
        anyhow::ensure!(
            found == wanted,
            "expected {path} of group {group} ({wanted}), found it to be of group {found}"
        );
        Ok(())
    }

    /// Checks that its access control list has this entry, as [`File::acl`] takes it.
    ///
    /// # Errors
    /// When it has not, or the entry is none.
    pub fn has_acl(&self, entry: &str) -> Result<()> {
        let path = self.path.display();
        let has = extended::has_acl(self.system(), &self.path, entry)?;
        anyhow::ensure!(has, "expected `{entry}` in the access control list of {path}, found no such entry");
        Ok(())
    }

    /// Checks that it has these capabilities and no others, as [`File::capabilities`] takes them.
    ///
    /// # Errors
    /// When it has others.
    pub fn has_capabilities(&self, capabilities: &str) -> Result<()> {
        let path = self.path.display();
        match extended::has_capabilities(self.system(), &self.path, capabilities)? {
            Ok(()) => Ok(()),
            Err(found) => anyhow::bail!("expected {path} with the capabilities {capabilities}, found {found}"),
        }
    }

    fn looked_at(&self) -> Result<Stat> {
        check_path(&self.path)?;
        let found = self.system().stat(&self.path)?;
        found.ok_or_else(|| anyhow::anyhow!("expected the file {}, found nothing there", self.path.display()))
    }

    fn system(&self) -> &System {
        self.access.context().system()
    }
}

impl File<Host<'_>> {
    /// This one, at another path.
    pub(crate) fn at(mut self, path: &Path) -> Self {
        self.path = path.to_owned();
        self
    }

    /// What stands in it, all of it: text or bytes. Without this, what stands in it stays, and a new file is empty.
    pub fn content(mut self, content: impl Into<Vec<u8>>) -> Self {
        self.content = Some(content.into());
        self
    }

    /// What stands in it, from a file of `assets/`: `.template(template!("site.conf", name = "shop"))`.
    /// One that renders to nothing is an error: `.content("")` empties a file.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn tune(host: &Host) -> Result<()> {
    ///     let tuning = template!("tuning.conf", memory = host.facts().memory_mib / 4);
    ///     host.file("/etc/postgresql/15/main/conf.d/tuning.conf").template(tuning).group("postgres").present()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(tune);
    /// ```
    pub fn template(mut self, template: Template) -> Self {
        self.blank = template.text().trim().is_empty().then(|| template.name());
        self.content(template)
    }

    /// Whose it is, by name or number. Without this, a new file is root's.
    pub fn owner(mut self, user: impl Into<String>) -> Self {
        self.wanted.owner = Some(user.into());
        self
    }

    /// Its group, by name or number.
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.wanted.group = Some(group.into());
        self
    }

    /// Its permission bits, as in `0o640`, up to `0o7777`. Without this, a new file has `0o644`.
    pub fn mode(mut self, mode: u32) -> Self {
        self.wanted.mode = Some(mode);
        self
    }

    /// One entry of its access control list, as in `user:anna:r-x`, `group:ops:rw-` or `mask::r--`: names or numbers, and
    /// rights in letters or as a digit. Can be said several times; entries that nobody names stay. The mask is as wide as
    /// the widest entry, unless it is said; it then stands in the mode in the place of the group's rights, which
    /// [`File::mode`] still says.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn let_anna_read_the_log(host: &Host) -> Result<()> {
    ///     host.file("/var/log/shop.log").mode(0o640).acl("user:anna:r--").present()?;
    ///     host.file("/var/log/old.log").exact_acl().present()?; // has no entries by name any more
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().user("anna").rehearse(let_anna_read_the_log);
    /// ```
    pub fn acl(mut self, entry: impl Into<String>) -> Self {
        self.extended.acl.push(entry.into());
        self
    }

    /// It has no entry of this user or group in its access control list: `user:anna`, `group:ops`. Can be said several times.
    /// Where that had one, the mask is as wide as the widest entry that is left. What is new has no entries but those of
    /// [`File::acl`], whatever its directory gives to new files. Whom nobody knows any more is named by number.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn keep_anna_out_of_the_log(host: &Host) -> Result<()> {
    ///     host.file("/var/log/shop.log").without_acl("user:anna").present()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().user("anna").rehearse(keep_anna_out_of_the_log);
    /// ```
    pub fn without_acl(mut self, whose: impl Into<String>) -> Self {
        self.extended.without_acl.push(whose.into());
        self
    }

    /// Its access control list has no other entries by name than those of [`File::acl`]: none at all without them.
    pub fn exact_acl(mut self) -> Self {
        self.extended.exact_acl = true;
        self
    }

    /// What it may do as a program, whoever starts it, as setcap(8) takes it: `cap_net_bind_service=ep`. With `""` it
    /// may nothing of the kind. Without this, capabilities stay until the content changes.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn let_it_listen_on_port_80(host: &Host) -> Result<()> {
    ///     host.file("/usr/local/bin/shop").mode(0o755).capabilities("cap_net_bind_service=ep").present()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(let_it_listen_on_port_80);
    /// ```
    pub fn capabilities(mut self, capabilities: impl Into<String>) -> Self {
        self.extended.capabilities = Some(capabilities.into());
        self
    }

    /// What stands in it is never shown: plans, logs and reports say that it differs, and not how. That is so anyway where
    /// its mode, the old or the new, lets nobody read it but its owner and its group: `0o600`, `0o640`.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn say_what_is_shown(host: &Host, customers: &str) -> Result<()> {
    ///     host.file("/srv/shop/customers.csv").content(customers).mode(0o644).private().present()?;
    ///     host.file("/etc/shop/limits").content("sessions = 40\n").mode(0o640).shown().present()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(|host| say_what_is_shown(host, "Anna\n"));
    /// ```
    pub fn private(mut self) -> Self {
        self.private = Some(true);
        self
    }

    /// How what stands in it differs is shown, though not everybody may read the file.
    pub fn shown(mut self) -> Self {
        self.private = Some(false);
        self
    }

    /// Where a symbolic link is at its path, what that leads to is meant. Without this, a link is in the way. A link on the way
    /// that belongs neither to root nor to whose that is where it leads is an error: who made it must not lead root there.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn links_in_the_way(host: &Host) -> Result<()> {
    ///     host.file("/srv/shop/current.conf").through_links().content("port = 8080\n").present()?; // the link stays
    ///     host.file("/etc/resolv.conf").replacing().content("nameserver 192.0.2.53\n").present()?; // the link goes
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(links_in_the_way);
    /// ```
    pub fn through_links(mut self) -> Self {
        self.through_links = true;
        self
    }

    /// What else is at its path goes: a link, an empty directory, a device. A directory with something in it does not.
    pub fn replacing(mut self) -> Self {
        self.replacing = true;
        self
    }

    /// When it changes, the service is reloaded at the end of the migration: once, and also when the migration is
    /// cut short, by the next run.
    pub fn reloads(mut self, service: &Service<Host<'_>>) -> Self {
        self.owes.add(DebtAction::Reload, service);
        self
    }

    /// When it changes, the service is restarted at the end of the migration, as with [`File::reloads`].
    pub fn restarts(mut self, service: &Service<Host<'_>>) -> Self {
        self.owes.add(DebtAction::Restart, service);
        self
    }

    /// New content takes the place of the old only when this command, with the path of a file that has the new
    /// content as its last argument, succeeds within 5 minutes: `.validated_by(["haproxy", "-c", "-f"])`.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn balance(host: &Host, config: &str) -> Result<()> {
    ///     let haproxy = host.service("haproxy");
    ///     host.file("/etc/haproxy/haproxy.cfg")
    ///         .content(config)
    ///         .validated_by(["haproxy", "-c", "-f"])
    ///         .reloads(&haproxy)
    ///         .present()?;
    ///     host.file("/etc/haproxy/haproxy.cfg.old").absent()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(|host| balance(host, "global\n"));
    /// ```
    pub fn validated_by<W: Into<String>>(mut self, command: impl IntoIterator<Item = W>) -> Self {
        self.validation = Some(command.into_iter().map(Into::into).collect());
        self
    }

    /// New content stays only when this command, which is told no path, succeeds within 5 minutes: for a file that means
    /// something only where it is, beside others, as a part of a configuration does. Where the command fails, the old file is
    /// back at once, with all that it had, or there is none again. Until then everybody sees the new one, so where
    /// [`File::validated_by`] can judge a file, that is better. A run that is killed in between leaves the new one, and the
    /// next run lets it be judged; the old one has a name in the same directory meanwhile, `.NAME.before-check`.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn serve_the_shop(host: &Host) -> Result<()> {
    ///     let nginx = host.service("nginx");
    ///     host.file("/etc/nginx/conf.d/shop.conf")
    ///         .content("server { root /srv/shop; }\n")
    ///         .validated_in_place_by(["nginx", "-t"])
    ///         .reloads(&nginx)
    ///         .present()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(serve_the_shop);
    /// ```
    pub fn validated_in_place_by<W: Into<String>>(mut self, command: impl IntoIterator<Item = W>) -> Self {
        self.in_place = command.into_iter().map(Into::into).collect();
        self
    }

    /// It is there, with this content, owner, group, mode, access control list and capabilities. It is replaced at once or
    /// not at all; new content keeps the list that the old file had.
    ///
    /// # Errors
    /// When something else is at its path, the directory or the owner is not there, the content is refused by
    /// [`File::validated_by`] or [`File::validated_in_place_by`], or it can't be written; the old file is then as it was.
    pub fn present(self) -> Result<Outcome, FileError> {
        let what = format!("file {} present", self.path.display());
        self.present_as(&what)
    }

    /// It is there, as what another operation is about.
    pub(crate) fn present_as(mut self, what: &str) -> Result<Outcome, FileError> {
        check_path(&self.path)?;
        if let Some(template) = self.blank {
            return Err(FileError::Blank { path: self.path, template });
        }
        if self.through_links {
            self.path = end_of(self.context(), &self.path)?;
        }
        let (found, other) = self.found()?;
        if let Some(why) = self.unknown(found, other)? {
            return ensure(self.access, what, Difference::Unknown(why), || Ok(()));
        }
        let mut resolved = self.wanted.resolve(self.context())?;
        let settled = self.extended.settle(self.system(), &self.path, found, &mut resolved, NEW_MODE)?;
        let difference = self.difference(found, other, &resolved, &settled)?;
        self.write_debts_down(&difference)?;
        self.foresee(found, &resolved, &difference);
        ensure(self.access, what, difference, || self.write(found, other, &resolved, &settled))
    }

    /// It is not there.
    ///
    /// # Errors
    /// When a directory is at its path, or it can't be removed. [`Host::path`] is for what may be anything.
    pub fn absent(self) -> Result<Outcome, FileError> {
        check_path(&self.path)?;
        let difference = match foresight::stat(self.context(), &self.path)?.map(|stat| stat.kind) {
            None => difference_of_nothing(self.context(), &self.path)?,
            Some(Kind::Directory) => return Err(self.in_the_way(Kind::Directory)),
            Some(_) => Difference::Some(None),
        };
        self.write_debts_down(&difference)?;
        if difference != Difference::None {
            foresight::put(self.context(), &self.path, Thing::Nothing);
        }
        let what = format!("file {} absent", self.path.display());
        ensure(self.access, &what, difference, || {
            files::remove(self.system().path(&self.path))?;
            // A run that was killed left it, or none did.
            drop(files::remove(self.system().path(self.candidate())));
            Ok(Trial::new(self.system(), &self.path).end()?)
        })
    }

    /// Whether a run before put new content at `path` and was killed before that was judged.
    pub(crate) fn is_on_trial(&self, path: &Path) -> Result<bool, FileError> {
        Ok(!self.in_place.is_empty() && Trial::new(self.system(), path).is_on()?)
    }

    /// The file that is there, or would be in a plan; or what else is, and may be replaced.
    fn found(&self) -> Result<(Option<Stat>, Option<Stat>), FileError> {
        Ok(match foresight::stat(self.context(), &self.path)? {
            Some(stat) if stat.kind != Kind::File => (None, Some(stat)),
            found => (found, None),
        })
    }

    /// What a plan can't know yet.
    fn unknown(&self, found: Option<Stat>, other: Option<Stat>) -> Result<Option<String>, FileError> {
        if found.or(other).is_none()
            && let Some(why) = missing_parent(self.access, &self.path)?
        {
            return Ok(Some(why));
        }
        if !self.access.plans() {
            return Ok(None);
        }
        let content = self.content.as_ref().and_then(|_| foresight::unknown_in(self.context(), &self.path));
        match self.wanted.missing_owner(self.context(), found)?.or(content) {
            None => self.extended.unknown(self.context(), &self.path),
            why => Ok(why),
        }
    }

    fn difference(
        &self,
        found: Option<Stat>,
        other: Option<Stat>,
        resolved: &Resolved,
        settled: &Settled,
    ) -> Result<Difference, FileError> {
        let replaced = |stat| replaced(self.context(), &self.path, stat, "a file", self.replacing);
        let replaced = other.map(replaced).transpose()?;
        let content = match (found, &self.content) {
            (None, wanted) => difference::content(None, wanted.as_deref().unwrap_or_default(), &self.path),
            (Some(stat), Some(wanted)) if !self.has_content(stat)? => self.content_difference(stat, wanted)?,
            (Some(_), _) => None,
        };
        let content = if self.is_private(found) { content.map(|_| difference::WITHHELD.to_owned()) } else { content };
        let attributes = resolved.diff(found).into_iter().chain(settled.diff().iter().cloned());
        let left = self.is_on_trial(&self.path)?.then(|| trial::LEFT.to_owned());
        let lines: Vec<String> = replaced.into_iter().chain(content).chain(attributes).chain(left).collect();
        Ok(if lines.is_empty() { Difference::None } else { Difference::Some(Some(lines.join("\n"))) })
    }

    /// Whether not everybody may read what it has or had: that must not stand in logs and reports either.
    fn is_private(&self, found: Option<Stat>) -> bool {
        let modes = [self.wanted.mode, found.map(|stat| stat.mode)];
        self.private.unwrap_or_else(|| modes.into_iter().flatten().any(|mode| mode & 0o007 == 0))
    }

    /// Whether the content is as wanted. It is read only when its length leaves that open.
    fn has_content(&self, found: Stat) -> Result<bool, FileError> {
        match &self.content {
            None => Ok(true),
            Some(wanted) if found.size != wanted.len() as u64 => Ok(false),
            Some(wanted) => Ok(self.now()?.as_ref() == Some(wanted)),
        }
    }

    fn content_difference(&self, found: Stat, wanted: &[u8]) -> Result<Option<String>, FileError> {
        if found.size > difference::LONGEST {
            return Ok(Some(difference::sizes(found.size, wanted.len())));
        }
        let old = self.now()?.unwrap_or_default();
        Ok(difference::content(Some(&old), wanted, &self.path))
    }

    /// Lets operations that come later in a plan see the file as it would be.
    fn foresee(&self, found: Option<Stat>, resolved: &Resolved, difference: &Difference) {
        if !self.access.plans() || *difference == Difference::None {
            return;
        }
        let stat = resolved.stat(Kind::File, found, NEW_MODE);
        match (&self.content, found) {
            (None, Some(found)) => foresight::dress(self.context(), &self.path, Stat { size: found.size, ..stat }),
            (content, _) => {
                let content = content.clone().unwrap_or_default();
                let stat = Stat { size: content.len() as u64, ..stat };
                foresight::put(self.context(), &self.path, Thing::File(stat, content));
            }
        }
    }

    fn context(&self) -> &Context<'_> {
        crate::look::Access::context(&self.access)
    }

    /// What stands in it now, or would in a plan.
    fn now(&self) -> Result<Option<Vec<u8>>, files::FileError> {
        foresight::read(self.context(), &self.path)
    }

    fn write_debts_down(&self, difference: &Difference) -> Result<(), FileError> {
        match difference {
            Difference::Some(_) => self.owes.write_down(self.context()),
            Difference::None | Difference::Unknown(_) => Ok(()),
        }
        .map_err(|source| FileError::Owe { path: self.path.clone(), source })
    }

    fn write(
        &self,
        found: Option<Stat>,
        other: Option<Stat>,
        resolved: &Resolved,
        settled: &Settled,
    ) -> Result<(), FileError> {
        let trial = Trial::new(self.system(), &self.path);
        let put = |other| self.put(found, other, resolved, settled);
        if !self.is_to_be_tried(found)? {
            put(other)?;
            // Who said nothing of a trial has no use for what one left.
            return Ok(trial.end()?);
        }
        trial.begin()?;
        let tried = put(other.filter(|other| other.kind != Kind::Directory)).and_then(|()| self.try_in_place());
        let ended = if tried.is_ok() { trial.end() } else { trial.undo() };
        ended?;
        tried
    }

    /// Whether a command is to judge it in its place: new content, and what nobody has judged yet.
    fn is_to_be_tried(&self, found: Option<Stat>) -> Result<bool, FileError> {
        match found {
            _ if self.in_place.is_empty() => Ok(false),
            Some(stat) if self.has_content(stat)? => self.is_on_trial(&self.path),
            _ => Ok(true),
        }
    }

    fn put(
        &self,
        found: Option<Stat>,
        other: Option<Stat>,
        resolved: &Resolved,
        settled: &Settled,
    ) -> Result<(), FileError> {
        let (system, path) = (self.system(), &self.path);
        if let Some(stat) = found
            && self.has_content(stat)?
        {
            let differs = !resolved.diff(found).is_empty();
            if differs {
                resolved.set(system, path)?;
            }
            return settled.set(system, path, differs);
        }
        let content = self.content.as_deref().unwrap_or_default();
        self.validate(content)?;
        let xattrs = settled.over(system, path, found)?;
        let directory = other.filter(|other| other.kind == Kind::Directory);
        if let Some(directory) = directory {
            clear(system, path, directory)?;
        }
        let written = system.write_file_with(path, content, resolved.over(found, NEW_MODE), &xattrs);
        if let (Err(_), Some(directory)) = (&written, directory) {
            drop(place::make_again(system, path, directory));
        }
        written.map_err(|error| match xattrs.first() {
            Some(xattr) => extended::unsupported(error, xattr.name),
            None => error.into(),
        })
    }

    fn validate(&self, content: &[u8]) -> Result<(), FileError> {
        let Some([program, args @ ..]) = self.validation.as_deref() else { return Ok(()) };
        let candidate = self.candidate();
        self.system().write_file(&candidate, content, Attributes::mode(0o600))?;
        let validation = Command::new(program).args(args).arg(&candidate).timeout(VALIDATION_BOUND);
        let said = self.system().read_command(&validation);
        files::remove(self.system().path(&candidate))?;
        said.map(drop).map_err(|source| FileError::Refused { path: self.path.clone(), source })
    }

    /// Where new content lies that a command looks at.
    fn candidate(&self) -> PathBuf {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        self.path.with_file_name(format!(".{name}.candidate"))
    }

    fn try_in_place(&self) -> Result<(), FileError> {
        let Some((program, args)) = self.in_place.split_first() else { return Ok(()) };
        let said = self.system().read_command(&Command::new(program).args(args).timeout(VALIDATION_BOUND));
        said.map(drop).map_err(|source| FileError::Refused { path: self.path.clone(), source })
    }

    fn in_the_way(&self, kind: Kind) -> FileError {
        FileError::InTheWay { path: self.path.clone(), wanted: "a file", found: KindWord(kind) }
    }
}

#[cfg(test)]
mod tests;
