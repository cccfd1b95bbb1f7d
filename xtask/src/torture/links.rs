//! The links that a tortured host runs, by generations of the runner: each kind of work that a crash may cut short.
//!
//! What a link leaves behind on the disk is known, so that a link that is done by the record can be looked for.

use anyhow::{Result, bail};
use wb_core::context::{Code, Context, MaxOut, Migration, Role, Spec, Terms};
use wb_core::runner::{Catalog, CatalogError};
use wb_core::system::{Command, files};
use wb_stdlib::__private::OfHost;
use wb_stdlib::{Host, Look as _, require};

use super::journal::{Entry, note};

/// The role of the tortured host.
pub const ROLE: &str = "web";

/// Where this lies on the host, `flaky` fails.
pub const BROKEN: &str = "/srv/broken";

/// The generations of the runner that are deployed one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Generation {
    /// The host is in service with it when a round begins.
    First,
    /// It brings the links that are tortured.
    Second,
    /// It has `flaky` amended, and one link more.
    Third,
}

impl Generation {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::First, Self::Second, Self::Third];

    /// Its name in files and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::First => "1",
            Self::Second => "2",
            Self::Third => "3",
        }
    }

    /// The generation of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|generation| generation.name() == name)
    }

    /// What is compiled into it.
    ///
    /// # Errors
    /// When that is no chain.
    pub fn catalog(self) -> Result<Catalog, CatalogError> {
        let links: &[&'static Migration] = match self {
            Self::First => &[&BASE],
            Self::Second => &[&BASE, &SCHEMA, &CONFIG, &TABLES, &FLAKY, &KERNEL, &SITE, &LAST],
            Self::Third => &[&BASE, &SCHEMA, &CONFIG, &TABLES, &FLAKY_AMENDED, &KERNEL, &SITE, &LAST, &EXTRA],
        };
        Catalog::new(links.iter().copied(), [&WEB], [&ANSWERS, &PAGE])
    }
}

/// What must be on the disk once a link is done: paths and what is in them.
#[must_use]
pub fn leaves(link: &str) -> &'static [(&'static str, &'static str)] {
    match link {
        "base" => &[("/srv/base", "base\n")],
        "config" => &[("/etc/app.conf", "workers = 4\n")],
        "tables" => &[("/srv/tables", "created\nfilled\n")],
        "flaky" => &[("/srv/flaky", "answers\n")],
        "kernel" => &[("/srv/kernel", "6.1\n")],
        "site" => &[("/srv/site/index", "<h1>Shop</h1>\n"), ("/etc/site.conf", "root = /srv/site\n")],
        "last" => &[("/srv/last", "last\n")],
        "extra" => &[("/srv/extra", "extra\n")],
        _ => &[],
    }
}

/// The service action that a link owes for a change that it makes.
#[must_use]
pub fn owes(link: &str) -> Option<&'static str> {
    match link {
        "config" => Some("app reload"),
        "site" => Some("app restart"),
        _ => None,
    }
}

const DIGEST: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const AMENDED: &str = "ffb0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

const fn link(name: &'static str, index: usize, sha1: &'static str, run: &'static OfHost) -> Migration {
    let run = Some(Code::Wrapped(run));
    Migration { name, role: ROLE, sha1, digest: DIGEST, index, wait: None, replaces: None, terms: Terms::NONE, run }
}

static BASE: Migration = link("base", 0, "b100000000000000000000000000000000000000", &OfHost(base));
static SCHEMA: Migration = Migration {
    role: "database",
    ..link("schema", 1, "b200000000000000000000000000000000000000", &OfHost(|_| Ok(())))
};
static CONFIG: Migration = link("config", 2, "c200000000000000000000000000000000000000", &OfHost(config));
static TABLES: Migration = link("tables", 3, "d300000000000000000000000000000000000000", &OfHost(tables));
static FLAKY: Migration = link("flaky", 4, "e400000000000000000000000000000000000000", &OfHost(flaky));
static FLAKY_AMENDED: Migration =
    Migration { digest: AMENDED, ..link("flaky", 4, "e400000000000000000000000000000000000000", &OfHost(mended)) };
static KERNEL: Migration = link("kernel", 5, "f500000000000000000000000000000000000000", &OfHost(kernel));
static SITE: Migration = link("site", 6, "a600000000000000000000000000000000000000", &OfHost(site));
static LAST: Migration = link("last", 7, "a700000000000000000000000000000000000000", &OfHost(last));
static EXTRA: Migration = link("extra", 8, "a800000000000000000000000000000000000000", &OfHost(extra));

static WEB: Role = Role {
    name: ROLE,
    max_out: MaxOut::Hosts(1),
    gate: |context| asks_the_service(context),
    leave: |context| {
        asks_the_service(context)?;
        note(&Entry::Leave);
        Ok(())
    },
    rejoin: |context| {
        asks_the_service(context)?;
        note(&Entry::Rejoin);
        Ok(())
    },
    ..Role::PLAIN
};

static ANSWERS: Spec = Spec::new("torture::chain::config", "answers", answers);
static PAGE: Spec = Spec::new("torture::chain::flaky", "page", page);

fn answers(context: &Context<'_>) -> Result<()> {
    asks_the_service(context)?;
    note(&Entry::Vouched("config".into()));
    Ok(())
}

fn page(context: &Context<'_>) -> Result<()> {
    let (path, content) = leaves("flaky")[0];
    if context.system().read_file(path)?.as_deref() != Some(content.as_bytes()) {
        bail!("the page is missing");
    }
    note(&Entry::Vouched("flaky".into()));
    Ok(())
}

fn asks_the_service(context: &Context<'_>) -> Result<()> {
    context.system().read_command(&Command::new("/etc/init.d/app").arg("status"))?;
    Ok(())
}

/// A link's code between the lines that tell of it.
fn told(name: &str, code: impl FnOnce() -> Result<()>) -> Result<()> {
    note(&Entry::Began(name.to_owned()));
    code()?;
    note(&Entry::Ended(name.to_owned()));
    Ok(())
}

fn present(host: &Host, name: &str) -> Result<()> {
    for (path, content) in leaves(name) {
        host.file(path).content(*content).present()?;
    }
    Ok(())
}

/// A precondition that holds, and tells that it was asked.
fn ask(link: &str) -> bool {
    note(&Entry::Required(link.to_owned()));
    true
}

fn base(host: &Host) -> Result<()> {
    told("base", || {
        host.directory("/srv").present()?;
        present(host, "base")
    })
}

fn config(host: &Host) -> Result<()> {
    told("config", || {
        let app = host.service("app");
        let (path, content) = leaves("config")[0];
        host.file(path).content(content).mode(0o640).reloads(&app).present()?;
        Ok(())
    })
}

fn tables(host: &Host) -> Result<()> {
    told("tables", || {
        require!(ask("tables"), "a host that nothing was done to");
        let created: String = host.step("create", |_| {
            note(&Entry::Step("tables/create".into()));
            Ok("created".into())
        })?;
        let filled: String = host.step("fill", |host| {
            host.directory("/srv/rows").present()?;
            note(&Entry::Step("tables/fill".into()));
            Ok("filled".into())
        })?;
        host.file("/srv/tables").content(format!("{created}\n{filled}\n")).present()?;
        Ok(())
    })
}

fn flaky(host: &Host) -> Result<()> {
    told("flaky", || {
        if host.file(BROKEN).read()?.is_some() {
            note(&Entry::Failed("flaky".into()));
            bail!("the page is missing");
        }
        present(host, "flaky")
    })
}

fn mended(host: &Host) -> Result<()> {
    told("flaky", || present(host, "flaky"))
}

fn kernel(host: &Host) -> Result<()> {
    told("kernel", || {
        present(host, "kernel")?;
        host.reboot()?;
        Ok(())
    })
}

fn site(host: &Host) -> Result<()> {
    told("site", || {
        let app = host.service("app");
        host.directory("/srv/site").present()?;
        for (path, content) in leaves("site") {
            host.file(path).content(*content).restarts(&app).present()?;
        }
        host.link("/srv/current").to("/srv/site")?;
        Ok(())
    })
}

fn last(host: &Host) -> Result<()> {
    told("last", || {
        host.file("/srv/old").absent()?;
        host.file("/srv/base").mode(0o600).present()?;
        present(host, "last")
    })
}

fn extra(host: &Host) -> Result<()> {
    told("extra", || present(host, "extra"))
}

/// The links of a catalog whose work is not on the disk under `root`.
pub fn missing<'a>(root: &std::path::Path, links: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let is_there = |(path, content): &(&str, &str)| {
        let path = root.join(path.trim_start_matches('/'));
        files::read_optional(path).is_ok_and(|found| found.as_deref() == Some(content.as_bytes()))
    };
    let links = links.into_iter().filter(|link| !leaves(link).iter().all(is_there));
    links.map(str::to_owned).collect()
}
