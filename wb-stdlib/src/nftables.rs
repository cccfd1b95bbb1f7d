//! nftables: the whole ruleset of a host, in one file that is checked before it counts.

mod input;
mod ruleset;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use similar::TextDiff;
use wb_core::context::Outcome;
use wb_core::system::files::{self, Attributes, FileError, Kind};
use wb_core::system::socket::{self, SocketError};
use wb_core::system::{Command, CommandError, clock};

use crate::ensure::{Difference, ensure};
use crate::facts::Distribution;
use crate::{Host, Look, Template, sshd};

/// Where most distributions have the ruleset, as Debian and Arch.
pub const PATH: &str = "/etc/nftables.conf";
/// Where those have it whose service `nftables` reads another file at each start, and those that are made from them.
const OTHER_PATHS: [(&str, &str); 2] = [("alpine", "/etc/nftables.nft"), ("fedora", "/etc/sysconfig/nftables.conf")];

/// How long one run of `nft` may take.
const NFT_BOUND: Duration = Duration::from_secs(60);
/// How long a server may take to be reached under new rules.
const REACH_BOUND: Duration = Duration::from_secs(15);
const REACH_PAUSE: Duration = Duration::from_secs(1);
/// How long one try may take.
const TRY_BOUND: Duration = Duration::from_secs(3);
/// The mode of a file that is new.
const NEW_MODE: u32 = 0o644;

/// What can go wrong with a ruleset.
#[derive(Debug, thiserror::Error)]
pub enum NftablesError {
    /// The path would mean something else in another directory.
    #[error(transparent)]
    Path(#[from] crate::file::FileError),
    /// Nothing was said.
    #[error("nothing says which rules nftables is to have\nhint: `.ruleset(…)` before `.loaded()?`")]
    NoRuleset,
    /// What was said has no rules, nor does it take any away.
    #[error(
        "the ruleset for {} says nothing\nhint: where no rules are wanted, `flush ruleset` says so, and see what its template \
         renders to",
        .path.display()
    )]
    Blank {
        /// Its file.
        path: PathBuf,
    },
    /// Loaded twice, it would have its rules twice.
    #[error(
        "the ruleset takes away nothing of what was loaded before, so that loading it again would double its rules\nhint: \
         begin it with `flush ruleset`, or with `table inet filter; delete table inet filter` for each of its tables"
    )]
    Adds,
    /// Nobody could come in over ssh. The old rules count.
    #[error(
        "under the new rules nobody could come in over ssh: they drop what comes in, and no rule accepts port {port}\nhint: \
         `tcp dport {port} accept` in the chain of input, or `.even_without_ssh()` for a host that is reached in another way, \
         or whose rule for it stands in a file that is included"
    )]
    LocksOut {
        /// Where sshd listens.
        port: u16,
    },
    /// `nft` refused it. The old rules count.
    #[error("the ruleset for {} is refused", .path.display())]
    Refused {
        /// Where it was to stand.
        path: PathBuf,
        /// What `nft` said.
        source: CommandError,
    },
    /// `nft` can't be asked.
    #[error(
        "could not ask `nft` for what is loaded\nhint: Debian has it in the package `nftables`; it wants to be root"
    )]
    Look(#[source] CommandError),
    /// Under the new rules a server can't be reached. The old rules count again.
    #[error("under the new rules {address} can't be reached, so the old ones were loaded again")]
    CutOff {
        /// Whom.
        address: String,
        /// Why.
        source: SocketError,
    },
    /// Under the new rules a server can't be reached, and they count all the same.
    #[error(
        "under the new rules {address} can't be reached, and the old ones could not be loaded again\nhint: they stand in {}: on \
         the host, `nft flush ruleset` and `nft -f` with that file load them", .kept.display()
    )]
    NotBack {
        /// Whom.
        address: String,
        /// Where the old rules stand.
        kept: PathBuf,
        /// Why they can't be loaded.
        source: CommandError,
    },
    /// What is loaded could not be loaded again. It counts.
    #[error(
        "the rules that are loaded now could not be loaded again, if the new ones cut this host off\nhint: `nft` can't write \
         down all that iptables has made; leave `.keeps_reaching(…)` out where that is known to go well"
    )]
    NoWayBack(#[source] CommandError),
    /// A server can't be reached under the old rules either.
    #[error(
        "{address} can't be reached, already before new rules were loaded\nhint: mend that first, or leave `.keeps_reaching(…)` out"
    )]
    OutOfReach {
        /// Whom.
        address: String,
        /// Why.
        source: SocketError,
    },
    /// Loaded, and not there.
    #[error("`nft` loaded the ruleset, but there is no table {}", .tables.join(", "))]
    NotSo {
        /// Tables of it.
        tables: Vec<String>,
    },
    /// Something else than a file is at its path.
    #[error("{} is to be a file, and is something else\nhint: remove it first, in this migration, if nobody needs it", .path.display())]
    InTheWay {
        /// Where.
        path: PathBuf,
    },
    /// The file system failed.
    #[error(transparent)]
    File(#[from] FileError),
}

/// The ruleset of this host. [`Look::nftables`] makes it.
///
/// A ruleset is loaded by the kernel as a whole or not at all: at no moment is the host open, or shut. It is checked
/// (`nft -c`), loaded, and then written to its file, so that one that can't be loaded never waits for the next start, and
/// one that cuts the host off is gone after a reboot. The service `nftables` loads the file at each start: enable it.
///
/// Whether the rules are as wanted is told by the file, and whether they were loaded by the tables that there are: rules
/// that somebody changed by hand in a table of the ruleset are not seen.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// const RULES: &str = "
/// flush ruleset
/// table inet filter {
///     chain input {
///         type filter hook input priority filter; policy drop;
///         ct state established,related accept
///         iif lo accept
///         meta l4proto { icmp, ipv6-icmp } accept
///         tcp dport { 22, 80, 443 } accept
///     }
/// }
/// ";
///
/// fn let_in_what_is_served(host: &Host) -> Result<()> {
///     host.packages(["nftables"]).installed()?;
///     host.nftables().ruleset(RULES).keeps_reaching("git.example.org:22").loaded()?;
///     Ok(())
/// }
///
/// fn there_is_a_filter(host: &View) -> Result<()> {
///     host.nftables().has_table("inet filter")
/// }
/// # let host = wb_stdlib::testing::web1().answer("nft list tables", 0, "");
/// # host.rehearse(let_in_what_is_served).asks(there_is_a_filter);
/// ```
#[must_use = "say what is to be so: `.ruleset(…).loaded()?`"]
pub struct Nftables<A> {
    access: A,
    path: PathBuf,
    ruleset: Option<String>,
    reaches: Vec<String>,
    even_without_ssh: bool,
}

impl<A: Look> Nftables<A> {
    pub(crate) fn new(access: A) -> Self {
        let path = path_of(&access.facts().distribution).into();
        Self { access, path, ruleset: None, reaches: Vec::new(), even_without_ssh: false }
    }

    /// Checks that this table is loaded: `inet filter`, `ip nat`.
    ///
    /// # Errors
    /// When it is not, or `nft` can't be asked.
    pub fn has_table(&self, table: &str) -> Result<()> {
        let loaded = self.tables()?;
        anyhow::ensure!(
            loaded.iter().any(|one| one == table),
            "expected the nftables table {table}, found {}",
            if loaded.is_empty() { "none at all".to_owned() } else { loaded.join(", ") }
        );
        Ok(())
    }

    fn tables(&self) -> Result<Vec<String>, NftablesError> {
        let said = self.access.context().system().read_command(&nft().args(["list", "tables"]));
        said.map(|said| ruleset::listed(&said)).map_err(NftablesError::Look)
    }
}

impl Nftables<Host<'_>> {
    /// All rules, as `nft -f` reads them. They begin with taking away what was there: `flush ruleset`.
    pub fn ruleset(mut self, ruleset: impl Into<String>) -> Self {
        self.ruleset = Some(ruleset.into());
        self
    }

    /// All rules, from a file of `assets/`.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn let_in_one_port(host: &Host) -> Result<()> {
    ///     let rules = template!("nftables.conf", port = 8080);
    ///     host.nftables().template(rules).path("/etc/nftables/main.nft").even_without_ssh().loaded()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().answer("nft list tables", 0, "").rehearse(let_in_one_port);
    /// ```
    pub fn template(self, template: Template) -> Self {
        self.ruleset(String::from(template))
    }

    /// Where they are written to, an absolute path; otherwise where the service `nftables` of the distribution reads
    /// them: [`PATH`], `/etc/nftables.nft` on Alpine, `/etc/sysconfig/nftables.conf` on Fedora and its kin.
    pub fn path(mut self, path: impl AsRef<Path>) -> Self {
        self.path = path.as_ref().to_owned();
        self
    }

    /// Under the new rules this host still reaches this server, as in `git.example.org:22`; else the old rules are loaded
    /// again, and the operation fails.
    pub fn keeps_reaching(mut self, address: impl Into<String>) -> Self {
        self.reaches.push(address.into());
        self
    }

    /// The rules may leave nobody who can come in over ssh: for hosts that are reached in another way.
    pub fn even_without_ssh(mut self) -> Self {
        self.even_without_ssh = true;
        self
    }

    /// These rules are loaded, and stand in the file for the next start.
    ///
    /// # Errors
    /// When `nft` refuses them, or they cut the host off, or drop what comes in and accept no port of sshd; the old ones then
    /// count, and stand in the file.
    pub fn loaded(self) -> Result<Outcome, NftablesError> {
        crate::file::check_path(&self.path)?;
        let wanted = self.ruleset.as_deref().ok_or(NftablesError::NoRuleset)?;
        if wanted.trim().is_empty() {
            return Err(NftablesError::Blank { path: self.path });
        }
        if !ruleset::starts_anew(wanted) {
            return Err(NftablesError::Adds);
        }
        let what = format!("nftables {} loaded", self.path.display());
        let old = self.found()?;
        let missing = match self.missing(wanted) {
            Err(NftablesError::Look(CommandError::NotFound { .. })) if self.access.plans() => {
                return ensure(self.access, &what, Difference::Unknown("there is no `nft` yet".into()), || Ok(()));
            }
            missing => missing?,
        };
        let difference = difference(old.as_deref(), wanted, &missing, &self.path);
        if difference != Difference::None {
            self.expect_a_way_in(wanted)?;
        }
        ensure(self.access, &what, difference, || self.load(old.as_deref(), wanted))
    }

    /// Somebody can come in over ssh, where there is an sshd.
    fn expect_a_way_in(&self, wanted: &str) -> Result<(), NftablesError> {
        let ports = sshd::ports(self.access.system())?;
        match ports.into_iter().find(|port| input::shuts(wanted, *port)) {
            Some(port) if !self.even_without_ssh => Err(NftablesError::LocksOut { port }),
            _ => Ok(()),
        }
    }

    fn found(&self) -> Result<Option<String>, NftablesError> {
        let system = self.access.system();
        match system.stat(&self.path)?.map(|stat| stat.kind) {
            None => Ok(None),
            Some(Kind::File) => {
                Ok(system.read_file(&self.path)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
            }
            Some(_) => Err(NftablesError::InTheWay { path: self.path.clone() }),
        }
    }

    /// The tables of the ruleset that are not loaded.
    fn missing(&self, wanted: &str) -> Result<Vec<String>, NftablesError> {
        let loaded = self.tables()?;
        Ok(ruleset::tables(wanted).into_iter().filter(|table| !loaded.contains(table)).collect())
    }

    /// The file comes last: as long as it is not as wanted, all of this is done again.
    fn load(&self, old: Option<&str>, wanted: &str) -> Result<(), NftablesError> {
        let (system, path) = (self.access.system(), &self.path);
        let refused = |source| NftablesError::Refused { path: path.clone(), source };
        system.read_command(&nft().args(["-c", "-f", "-"]).stdin(wanted)).map_err(refused)?;
        self.reach().map_err(|(address, source)| NftablesError::OutOfReach { address, source })?;
        let before = self.keep_what_is_loaded()?;
        system.read_command(&nft().args(["-f", "-"]).stdin(wanted)).map_err(refused)?;
        if let Err((address, source)) = self.reach_at_last() {
            let back = system.read_command(&nft().args(["-f", "-"]).stdin(anew(&before.unwrap_or_default())));
            let kept = self.before();
            back.map_err(|source| NftablesError::NotBack { address: address.clone(), kept, source })?;
            self.forget_what_was_loaded()?;
            return Err(NftablesError::CutOff { address, source });
        }
        let tables = self.missing(wanted)?;
        if !tables.is_empty() {
            return Err(NftablesError::NotSo { tables });
        }
        if old != Some(wanted) {
            let mode = system.stat(path)?.map_or(NEW_MODE, |stat| stat.mode);
            system.write_file(path, wanted, Attributes::mode(mode))?;
        }
        self.forget_what_was_loaded()
    }

    /// What is loaded, and can be loaded again, on the disk: who was cut off, and is killed before the old rules are back, finds
    /// them there.
    fn keep_what_is_loaded(&self) -> Result<Option<String>, NftablesError> {
        if self.reaches.is_empty() {
            return Ok(None);
        }
        let system = self.access.system();
        if let Some(kept) = system.read_file(self.before())? {
            return Ok(Some(String::from_utf8_lossy(&kept).into_owned()));
        }
        let loaded = system.read_command(&nft().args(["list", "ruleset"])).map_err(NftablesError::Look)?;
        let check = nft().args(["-c", "-f", "-"]).stdin(anew(&loaded));
        system.read_command(&check).map_err(NftablesError::NoWayBack)?;
        system.write_file(self.before(), &loaded, Attributes::mode(0o600))?;
        Ok(Some(loaded))
    }

    fn forget_what_was_loaded(&self) -> Result<(), NftablesError> {
        match self.reaches.is_empty() {
            true => Ok(()),
            false => Ok(files::remove(self.access.system().path(self.before())).map(drop)?),
        }
    }

    fn before(&self) -> PathBuf {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        self.path.with_file_name(format!(".{name}.before"))
    }

    /// Whom it does not reach, and why.
    fn reach(&self) -> Result<(), (String, SocketError)> {
        // Who was cut off by an earlier run of this reaches nobody, and is not to stop for that.
        if files::exists(self.access.system().path(self.before())) {
            return Ok(());
        }
        self.reach_at_last()
    }

    fn reach_at_last(&self) -> Result<(), (String, SocketError)> {
        let clock = self.access.system().clock();
        self.reaches.iter().try_for_each(|address| {
            let mut last = None;
            let reached = clock::wait_until(clock, REACH_BOUND, REACH_PAUSE, || {
                socket::reach(address, TRY_BOUND).map_err(|error| last = Some(error)).ok()
            });
            match (reached, last) {
                (None, Some(error)) => Err((address.clone(), error)),
                _ => Ok(()),
            }
        })
    }
}

fn path_of(distribution: &Distribution) -> &'static str {
    let is = |name: &str| distribution.id == name || distribution.like.iter().any(|like| like == name);
    OTHER_PATHS.into_iter().find(|(name, _)| is(name)).map_or(PATH, |(_, path)| path)
}

/// Rules, in the place of all that there are.
fn anew(rules: &str) -> String {
    format!("flush ruleset\n{rules}")
}

fn nft() -> Command {
    Command::new("nft").env("LC_ALL", "C.UTF-8").timeout(NFT_BOUND)
}

fn difference(old: Option<&str>, wanted: &str, missing: &[String], path: &Path) -> Difference {
    let path = path.display().to_string();
    let content = (old != Some(wanted)).then(|| {
        let before = old.map_or("/dev/null", |_| path.as_str());
        let diff = TextDiff::from_lines(old.unwrap_or_default(), wanted);
        diff.unified_diff().context_radius(3).header(before, &path).to_string().trim_end_matches('\n').to_owned()
    });
    let lines: Vec<String> = match content {
        Some(content) => vec![content],
        None => missing.iter().map(|table| format!("table {table} is not loaded")).collect(),
    };
    if lines.is_empty() { Difference::None } else { Difference::Some(Some(lines.join("\n"))) }
}

#[cfg(test)]
mod tests;
