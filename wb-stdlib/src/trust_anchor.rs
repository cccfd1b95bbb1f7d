//! Trust anchors: certificates of authorities that the whole host believes, beside those of its distribution.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use sha2::{Digest as _, Sha256};
use wb_core::context::Outcome;
use wb_core::system::files::{self, Attributes, FileError, Kind};
use wb_core::system::{Command, CommandError, System};

use crate::ensure::{Difference, ensure};
use crate::pem::{self, Block};
use crate::{Host, Look};

/// How long the bundle may take to be made anew. Java's store is made with it.
const UPDATE_BOUND: Duration = Duration::from_secs(300);

/// What can go wrong with a trust anchor.
#[derive(Debug, thiserror::Error)]
pub enum TrustAnchorError {
    /// Nothing can be called so.
    #[error("`{}` is no name of a trust anchor\nhint: names have letters, digits, `-`, `_` and `.`, and begin with a letter or digit", name.escape_debug())]
    BadName {
        /// What was asked for.
        name: String,
    },
    /// It is no certificate, or several.
    #[error(
        "what was given for the trust anchor `{name}` is not one certificate in PEM\nhint: each certificate is an anchor of its own"
    )]
    NotOne {
        /// Which one.
        name: String,
    },
    /// Nothing was said.
    #[error(
        "nothing says which certificate the trust anchor `{name}` is\nhint: `.certificate(asset!(\"ca.pem\"))` before `.present()?`"
    )]
    NoCertificate {
        /// Which one.
        name: String,
    },
    /// There is no store for them.
    #[error("this host has no store of trust anchors\nhint: distributions have it in the package `ca-certificates`")]
    NoStore,
    /// The bundle can't be made anew.
    #[error("could not make the bundle of trust anchors anew, for `{name}`")]
    Update {
        /// Because of which one.
        name: String,
        /// Why.
        source: CommandError,
    },
    /// The bundle was made anew, and it is not so.
    #[error("the bundle of trust anchors was made anew, and `{name}` is {found}")]
    NotSo {
        /// Which one.
        name: String,
        /// Whether it is in it.
        found: &'static str,
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

/// Where a family of distributions has its anchors, and how it makes a bundle of them.
struct Store {
    directory: &'static str,
    extension: &'static str,
    bundle: &'static str,
    update: &'static [&'static str],
    /// After one was taken away.
    update_without: &'static [&'static str],
    /// Where there is a link to each, which stays when it was taken away by hand.
    links: Option<&'static str>,
}

/// Red Hat's, SUSE's, Arch's, and that of Debian, Ubuntu and Alpine. The first whose directory is there counts.
const STORES: [Store; 4] = [
    Store {
        directory: "/etc/pki/ca-trust/source/anchors",
        extension: "pem",
        bundle: "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        update: &["update-ca-trust", "extract"],
        update_without: &["update-ca-trust", "extract"],
        links: None,
    },
    Store {
        directory: "/etc/pki/trust/anchors",
        extension: "pem",
        bundle: "/var/lib/ca-certificates/ca-bundle.pem",
        update: &["update-ca-certificates"],
        update_without: &["update-ca-certificates"],
        links: None,
    },
    Store {
        directory: "/etc/ca-certificates/trust-source/anchors",
        extension: "pem",
        bundle: "/etc/ca-certificates/extracted/tls-ca-bundle.pem",
        update: &["update-ca-trust"],
        update_without: &["update-ca-trust"],
        links: None,
    },
    Store {
        directory: "/usr/local/share/ca-certificates",
        extension: "crt",
        bundle: "/etc/ssl/certs/ca-certificates.crt",
        update: &["update-ca-certificates"],
        update_without: &["update-ca-certificates", "--fresh"],
        links: Some("/etc/ssl/certs"),
    },
];

/// The certificates of a bundle, in base64.
struct Bundle(BTreeSet<String>);

impl Bundle {
    fn parse(bytes: &[u8]) -> Self {
        Self(pem::blocks(bytes).into_iter().map(|block| block.base64).collect())
    }
}

impl Store {
    fn of(system: &System) -> Result<&'static Self, TrustAnchorError> {
        for store in &STORES {
            if system.stat(store.directory)?.is_some_and(|stat| stat.kind == Kind::Directory) {
                return Ok(store);
            }
        }
        Err(TrustAnchorError::NoStore)
    }

    /// Whether the bundle has a certificate.
    fn has(&self, system: &System, certificate: &Block) -> Result<bool, FileError> {
        let bundle = system.parsed(self.bundle, Bundle::parse)?;
        Ok(bundle.is_some_and(|bundle| bundle.0.contains(&certificate.base64)))
    }
}

/// A trust anchor. [`Look::trust_anchor`] makes it.
///
/// The certificate is a file in the store of the distribution (`/usr/local/share/ca-certificates`,
/// `/etc/pki/ca-trust/source/anchors` …), and in the bundle that programs read, which the distribution's own program makes
/// of all of them. Both are looked at, so that what was cut short in between is done by the next run; one that is taken away
/// is written down, beside the bundle, until the bundle was made without it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn believe_ourselves(host: &Host, root: &[u8]) -> Result<()> {
///     host.packages(["ca-certificates"]).installed()?;
///     host.trust_anchor("example-root").certificate(root).present()?; // such as `asset!("root.pem")`
///     host.trust_anchor("example-root-2019").absent()?;
///     Ok(())
/// }
///
/// fn we_are_believed(host: &View, root: &[u8]) -> Result<()> {
///     host.trust_anchor("example-root").certificate(root).is_trusted()
/// }
/// # let root = wb_stdlib::testing::samples::CERTIFICATE.as_bytes();
/// # let host = wb_stdlib::testing::web1();
/// # host.rehearse(|host| believe_ourselves(host, root)).asks(|host| we_are_believed(host, root));
/// ```
#[must_use = "say what is to be so: `.certificate(…).present()?` or `.absent()?`"]
pub struct TrustAnchor<A> {
    access: A,
    name: String,
    pem: Option<Vec<u8>>,
}

impl<A: Look> TrustAnchor<A> {
    pub(crate) fn new(access: A, name: String) -> Self {
        Self { access, name, pem: None }
    }

    /// The certificate, one, in PEM.
    pub fn certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.pem = Some(pem.into());
        self
    }

    /// Checks that the bundle which programs read has the certificate.
    ///
    /// # Errors
    /// When it has not, or no certificate was said.
    pub fn is_trusted(&self) -> Result<()> {
        let certificate = self.wanted()?;
        let there = Store::of(self.system())?.has(self.system(), &certificate)?;
        anyhow::ensure!(there, "expected the trust anchor `{}` in the bundle of this host, found none", self.name);
        Ok(())
    }

    fn wanted(&self) -> Result<Block, TrustAnchorError> {
        let name = || self.name.clone();
        let pem = self.pem.as_deref().ok_or_else(|| TrustAnchorError::NoCertificate { name: name() })?;
        one(pem).ok_or_else(|| TrustAnchorError::NotOne { name: name() })
    }

    fn system(&self) -> &System {
        self.access.context().system()
    }
}

impl TrustAnchor<Host<'_>> {
    /// The host believes what this authority signs.
    ///
    /// # Errors
    /// When it is not one certificate, the host has no store, or the bundle can't be made anew.
    pub fn present(self) -> Result<Outcome, TrustAnchorError> {
        check_name(&self.name)?;
        let certificate = self.wanted()?;
        let what = format!("trust anchor {} present", self.name);
        let Some(store) = self.store()? else { return self.unknown(&what) };
        let (path, pem) = (self.path(store), self.pem.as_deref().unwrap_or_default());
        let is_written = self.found(&path)?.as_deref() == Some(pem);
        let difference = match (is_written, store.has(self.system(), &certificate)?) {
            (true, true) => Difference::None,
            (true, false) => Difference::Some(Some("not in the bundle yet".into())),
            (false, _) => Difference::Some(Some(format!("sha256 {}", fingerprint(&certificate)))),
        };
        ensure(self.access, &what, difference, || {
            if !is_written {
                self.system().write_file(&path, pem, Attributes::mode(0o644))?;
            }
            self.update(store.update)?;
            match store.has(self.system(), &certificate)? {
                true => Ok(()),
                false => Err(TrustAnchorError::NotSo { name: self.name.clone(), found: "not in it" }),
            }
        })
    }

    /// The host does not believe it, unless the distribution does. Say the certificate, too, where it is known: then the
    /// bundle is looked at as well.
    ///
    /// # Errors
    /// When the bundle can't be made anew, or still has the certificate that was said.
    pub fn absent(self) -> Result<Outcome, TrustAnchorError> {
        check_name(&self.name)?;
        let certificate = if self.pem.is_some() { Some(self.wanted()?) } else { None };
        let what = format!("trust anchor {} absent", self.name);
        let Some(store) = self.store()? else { return self.unknown(&what) };
        let path = self.path(store);
        let is_bundled = || -> Result<bool, TrustAnchorError> {
            match &certificate {
                Some(certificate) => Ok(store.has(self.system(), certificate)?),
                None => Ok(false),
            }
        };
        let is_written = self.found(&path)?.is_some();
        let is_left = is_written || self.is_going(store)? || self.leaves_a_link(store)? || is_bundled()?;
        let difference = if is_left { Difference::Some(None) } else { Difference::None };
        ensure(self.access, &what, difference, || {
            let going = self.going(store);
            self.system().write_file(&going, "", Attributes::mode(0o600))?;
            files::remove(self.system().path(&path))?;
            self.update(store.update_without)?;
            if is_bundled()? {
                return Err(TrustAnchorError::NotSo { name: self.name.clone(), found: "still in it" });
            }
            Ok(files::remove(self.system().path(going)).map(drop)?)
        })
    }

    /// The store; in a plan there may be none yet.
    fn store(&self) -> Result<Option<&'static Store>, TrustAnchorError> {
        match Store::of(self.system()) {
            Err(TrustAnchorError::NoStore) if self.access.plans() => Ok(None),
            store => store.map(Some),
        }
    }

    fn unknown(&self, what: &str) -> Result<Outcome, TrustAnchorError> {
        let why = "this host has no store of trust anchors yet".into();
        ensure(self.access, what, Difference::Unknown(why), || Ok(()))
    }

    fn path(&self, store: &Store) -> PathBuf {
        PathBuf::from(store.directory).join(format!("{}.{}", self.name, store.extension))
    }

    /// While this is there, the bundle may still have an anchor that was taken away. Programs that make bundles take the old
    /// one's place last.
    fn going(&self, store: &Store) -> PathBuf {
        Path::new(store.bundle).with_file_name(format!(".{}.going", self.name))
    }

    fn is_going(&self, store: &Store) -> Result<bool, TrustAnchorError> {
        Ok(self.system().stat(self.going(store))?.is_some())
    }

    fn found(&self, path: &PathBuf) -> Result<Option<Vec<u8>>, TrustAnchorError> {
        match self.system().stat(path)?.map(|stat| stat.kind) {
            None => Ok(None),
            Some(Kind::File) => Ok(self.system().read_file(path)?),
            Some(_) => Err(TrustAnchorError::InTheWay { path: path.clone() }),
        }
    }

    /// Whether an update is still to take its link away.
    fn leaves_a_link(&self, store: &Store) -> Result<bool, TrustAnchorError> {
        let Some(links) = store.links else { return Ok(false) };
        let link = self.system().path(links).join(format!("{}.pem", self.name));
        let is_link = files::stat(&link)?.is_some_and(|stat| stat.kind == Kind::Link);
        Ok(is_link && files::read_link(&link)? == self.path(store))
    }

    fn update(&self, words: &[&str]) -> Result<(), TrustAnchorError> {
        let update = Command::new(words[0]).args(&words[1..]).env("LC_ALL", "C.UTF-8").timeout(UPDATE_BOUND);
        let ended = self.system().read_command(&update);
        ended.map(drop).map_err(|source| TrustAnchorError::Update { name: self.name.clone(), source })
    }
}

/// The one certificate of a text.
fn one(pem: &[u8]) -> Option<Block> {
    let blocks = pem::blocks(pem);
    let [block] = blocks.as_slice() else { return None };
    (block.label == "CERTIFICATE" && block.bytes().is_some_and(|der| der.len() > 64 && der[0] == 0x30))
        .then(|| block.clone())
}

/// As `openssl x509 -fingerprint -sha256` has it, without colons.
fn fingerprint(certificate: &Block) -> String {
    let digest = Sha256::digest(certificate.bytes().unwrap_or_default());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn check_name(name: &str) -> Result<(), TrustAnchorError> {
    let good = name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.len() <= 200
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if good { Ok(()) } else { Err(TrustAnchorError::BadName { name: name.to_owned() }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::fixtures::CERTIFICATE;
    use crate::machine::{Machine, changed};

    const DIGEST: &str = "sha256 a12508b561308507947f4ae69621a5ffe9bce849eada70d2f74b5c21850720d2";
    const ANCHOR: &str = "/usr/local/share/ca-certificates/own.crt";
    const BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";

    fn debian() -> Machine {
        Machine::new().dir("/usr/local/share/ca-certificates").dir("/etc/ssl/certs")
    }

    fn present(host: &Host) -> Result<Outcome> {
        Ok(host.trust_anchor("own").certificate(CERTIFICATE).present()?)
    }

    #[test]
    fn an_anchor_that_is_bundled_starts_no_program() {
        let machine = debian().file(ANCHOR, CERTIFICATE).file(BUNDLE, &format!("# all\n{CERTIFICATE}"));
        assert_eq!(machine.apply(present).unwrap(), Outcome::Unchanged);
        assert_eq!(machine.calls(), [""; 0]);
        machine.view(|host| host.trust_anchor("own").certificate(CERTIFICATE).is_trusted()).unwrap();
    }

    #[test]
    fn a_new_anchor_is_written_and_bundled() {
        let machine = debian().answer("update-ca-certificates", 0, "").file(BUNDLE, CERTIFICATE);
        assert_eq!(machine.apply(present).unwrap(), changed(DIGEST));
        assert_eq!(
            (machine.read(ANCHOR).as_deref(), machine.calls()),
            (Some(CERTIFICATE), vec!["update-ca-certificates".into()])
        );
    }

    #[test]
    fn one_that_was_written_and_not_bundled_is_bundled() {
        let machine = debian().file(ANCHOR, CERTIFICATE).answer("update-ca-certificates", 0, "");
        assert_eq!(machine.plan(present).unwrap(), changed("not in the bundle yet"));
        let error = machine.apply(present).unwrap_err().to_string();
        assert_eq!(error, "the bundle of trust anchors was made anew, and `own` is not in it");
    }

    #[test]
    fn each_distribution_has_its_store() {
        let check = |directory: &str, extension: &str, update: &str| {
            let machine = Machine::new().dir(directory).answer(update, 0, "");
            machine.apply(present).unwrap_err();
            assert_eq!(machine.calls(), [update]);
            assert!(machine.read(&format!("{directory}/own.{extension}")).is_some());
        };
        check("/etc/pki/ca-trust/source/anchors", "pem", "update-ca-trust extract");
        check("/etc/pki/trust/anchors", "pem", "update-ca-certificates");
        check("/etc/ca-certificates/trust-source/anchors", "pem", "update-ca-trust");
        check("/usr/local/share/ca-certificates", "crt", "update-ca-certificates");
    }

    #[test]
    fn an_anchor_is_taken_away() {
        let absent = |host: &Host| Ok(host.trust_anchor("own").absent()?);
        let machine = debian().file(ANCHOR, CERTIFICATE).answer("update-ca-certificates", 0, "");
        assert!(machine.apply(absent).unwrap().changed());
        assert_eq!((machine.read(ANCHOR), machine.calls()), (None, vec!["update-ca-certificates --fresh".into()]));
        assert_eq!(machine.apply(absent).unwrap(), Outcome::Unchanged);
        files::link(ANCHOR, machine.path("/etc/ssl/certs/own.pem")).unwrap();
        assert!(machine.plan(absent).unwrap().changed());
    }

    #[test]
    fn one_that_was_taken_away_is_written_down_until_the_bundle_is_made() {
        let absent = |host: &Host| Ok(host.trust_anchor("own").absent()?);
        let machine = debian().file(ANCHOR, CERTIFICATE).answers("update-ca-certificates", &[(137, ""), (0, "")]);
        machine.apply(absent).unwrap_err();
        assert_eq!(machine.read(ANCHOR), None);
        let before = machine.snapshot();
        assert!(machine.plan(absent).unwrap().changed());
        assert_eq!(machine.snapshot(), before);
        assert!(machine.apply(absent).unwrap().changed());
        assert_eq!(machine.calls().len(), 2);
        assert_eq!(machine.apply(absent).unwrap(), Outcome::Unchanged);
        assert!(machine.snapshot().keys().all(|path| !path.contains("going")));
    }

    #[test]
    fn a_plan_cannot_know_what_a_package_would_bring() {
        let machine = Machine::new();
        machine.plan(present).unwrap();
        let said = "? trust anchor own present (cannot know: this host has no store of trust anchors yet)";
        assert_eq!(machine.said(), said);
        assert!(matches!(machine.apply(present).unwrap_err().downcast_ref(), Some(TrustAnchorError::NoStore)));
    }

    #[test]
    fn only_one_certificate_is_an_anchor() {
        let machine = debian();
        let check = |name: &'static str, pem: String| {
            machine.apply(|host| Ok(host.trust_anchor(name).certificate(pem).present()?)).unwrap_err();
        };
        check("own", String::new());
        check("own", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n".into());
        check("own", format!("{CERTIFICATE}{CERTIFICATE}"));
        check("own", CERTIFICATE.replace("CERTIFICATE", "PRIVATE KEY"));
        check("../own", CERTIFICATE.into());
        check("-own", CERTIFICATE.into());
        machine.apply(|host| Ok(host.trust_anchor("own").present()?)).unwrap_err();
        assert_eq!(machine.read(ANCHOR), None);
    }
}
