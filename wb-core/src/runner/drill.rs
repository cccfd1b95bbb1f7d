//! Drilling: one link on a machine that belongs to no herd, as `cargo xtask test` and `cargo xtask try` want it. Hosts
//! run links by signed changes alone; so all that is here first makes sure that this machine is none, and was made for
//! this.
//!
//! The record is that of any host, so that links find what they find there: which were begun, which steps are finished,
//! what is owed. From `run` to `done` a link is under way, and each `run` between takes it up with the same journal:
//! after a kill, after a reboot, and once more after its end, when it is to change nothing.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::catalog::Catalog;
use super::cli::Failure;
use super::home::{DEFAULT_CONFIG, DEFAULT_STATE, Home};
use super::program::Program;
use super::serve;
use crate::agent::phase::{Event, Leg, Phase};
use crate::agent::verify::{Promise, Verdict, promises, promises_since};
use crate::agent::{How, Record, Reports, Store, act_link, incarnation, preview_link};
use crate::chain::{ChainError, Link, Sha1, Wait, nearest};
use crate::context::{Debt, DebtAction, Everyone, HerdView, Journal, Lookout, NoSuch, Operation, Sight, awaits_reboot};
use crate::drill::{Answer, Ended, Said, Script};
use crate::plan::Course;
use crate::system::files::Lock;
use crate::system::{System, fault, files};

/// What is drilled.
#[derive(Debug, Args)]
pub(super) struct Drill {
    #[command(subcommand)]
    act: Act,
    /// As if the herd were told to go no further than to this link: a baseline after it is none yet.
    #[arg(long, global = true, value_name = "LINK")]
    goal: Option<String>,
    /// What befalls this process, as JSON.
    #[cfg(feature = "faults")]
    #[arg(long, global = true, value_name = "JSON")]
    faults: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Say what a link would do here. It takes no lock: beside a run it sees what that has done so far.
    Plan {
        /// The link.
        link: String,
    },
    /// Run a link, or take it up again.
    Run {
        /// The link.
        link: String,
    },
    /// Ask the specs that are to hold here. It takes no lock: beside a run it sees what that has done so far.
    Specs {
        /// The link that brought them; those of all that is done, where none is named.
        link: Option<String>,
    },
    /// Say that a link was run.
    Done {
        /// The link.
        link: String,
    },
}

/// Why nothing is drilled.
#[derive(Debug, thiserror::Error)]
pub(super) enum DrillError {
    #[error("this machine is a host of a herd, or was one, and nothing is drilled there: there is {}", path.display())]
    Host { path: PathBuf },
    #[error("nobody said that links are to be drilled on this machine: there is no {}", path.display())]
    NoScript { path: PathBuf },
    #[error("{} does not say what links are to see", path.display())]
    Script { path: PathBuf, source: serde_json::Error },
    #[error("this machine is to be `{me}`, and no member of its herd is called so")]
    Nobody { me: String },
    #[error("the chain of this runner has no link `{name}`{}", did_you_mean(meant.as_deref()))]
    NoSuch { name: String, meant: Option<String> },
    #[error("the code of {link} is not in this runner")]
    Gone { link: String },
    #[error("what was done here is none of this runner's chain")]
    Foreign(#[from] ChainError),
    #[error("{link} is behind this machine already")]
    Behind { link: String },
    #[error("{first} comes before {link}")]
    First { first: String, link: String },
    #[error("{link} is passed over here")]
    PassedOver { link: String },
    #[error("{link} is not under way: this machine is in the phase {phase}")]
    NotUnderWay { link: String, phase: &'static str },
    #[error("what came of it could not be said")]
    Unheard(#[source] io::Error),
    #[cfg(feature = "faults")]
    #[error("the faults can't be understood")]
    Faults(#[source] serde_json::Error),
    #[cfg(feature = "faults")]
    #[error("this is a release build, as hosts run them, and knows of no faults")]
    Release,
}

impl DrillError {
    pub(super) fn hint(&self) -> Option<String> {
        match self {
            Self::Host { .. } => Some("`wildebeest plan` shows what links would do here".into()),
            Self::NoScript { .. } => {
                Some("`cargo xtask test` and `cargo xtask try` make machines for it; a deploy is for hosts".into())
            }
            _ => None,
        }
    }
}

/// Drills, and says on standard output what comes of it. The exit code is 1 where the link failed, or a spec does not
/// hold.
pub(super) fn drill(home: &Home, program: &Program, drill: &Drill) -> Result<ExitCode, Failure> {
    let lines = Lines::to(io::stdout());
    let ended = drilled(home, program, drill, &|said| lines.say(said))?;
    lines.end()?;
    Ok(ExitCode::from(u8::from(ended.error.is_some())))
}

fn drilled(home: &Home, program: &Program, drill: &Drill, say: &dyn Fn(&Said)) -> Result<Ended, Failure> {
    let herd = herd_to_drill_in(home, &program.system)?;
    #[cfg(feature = "faults")]
    arm(drill.faults.as_deref())?;
    let ground = Ground::of(home, program, herd, drill.goal.as_deref())?;
    let ended = match &drill.act {
        Act::Plan { link } => ground.plan(ground.link(link)?, say)?,
        Act::Run { link } => ground.run(ground.link(link)?, say)?,
        Act::Specs { link: Some(link) } => ground.specs(Some(ground.link(link)?), say)?,
        Act::Specs { link: None } => ground.specs(None, say)?,
        Act::Done { link } => ground.done(ground.link(link)?)?,
    };
    say(&Said::Ended(ended.clone()));
    Ok(ended)
}

/// The herd that links are to see here. Nothing is drilled on a host, nor where nobody said so.
fn herd_to_drill_in(home: &Home, system: &System) -> Result<HerdView, Failure> {
    refuse_hosts(home, system)?;
    let path = home.drill_json();
    let text = files::read_optional(&path)?.ok_or_else(|| DrillError::NoScript { path: path.clone() })?;
    let script: Script = serde_json::from_slice(&text).map_err(|source| DrillError::Script { path, source })?;
    let herd = HerdView::from(script);
    match herd.myself().is_some() {
        true => Ok(herd),
        false => Err(DrillError::Nobody { me: herd.me }.into()),
    }
}

/// Refuses a machine that is a host, is about to be one, or was one. What a link does is done to the machine, wherever
/// the record of it is to lie: so it is looked at in the usual place, too, and there even the record of a drill is
/// another's.
fn refuse_hosts(home: &Home, system: &System) -> Result<(), Failure> {
    for path in [home.host_toml(), home.next().home.host_toml()] {
        if files::stat(&path)?.is_some() {
            return Err(DrillError::Host { path }.into());
        }
    }
    let record = Store::open(&home.record())?.record();
    if record.accepted.is_some() || record.in_service || record.reports != Reports::default() {
        return Err(DrillError::Host { path: home.record() }.into());
    }
    let usual = Home::new(DEFAULT_CONFIG, DEFAULT_STATE);
    let there = [usual.host_toml(), usual.next().home.host_toml(), usual.record()];
    for path in there.into_iter().filter(|path| *path != home.record()) {
        if system.stat(&path)?.is_some() {
            return Err(DrillError::Host { path }.into());
        }
    }
    Ok(())
}

/// Cargo may turn the crash points on in a build for release, when it builds something else that asks for them. That
/// one is not armed: a host may be given it.
#[cfg(feature = "faults")]
fn arm(plan: Option<&str>) -> Result<(), DrillError> {
    let Some(plan) = plan else { return Ok(()) };
    if !cfg!(debug_assertions) {
        return Err(DrillError::Release);
    }
    fault::arm(serde_json::from_str(plan).map_err(DrillError::Faults)?);
    Ok(())
}

/// What is said, a line each, at once: this process may be killed right after it.
struct Lines<W> {
    out: RefCell<W>,
    lost: RefCell<Option<io::Error>>,
}

impl<W: io::Write> Lines<W> {
    fn to(out: W) -> Self {
        Self { out: RefCell::new(out), lost: RefCell::default() }
    }

    /// After a line that was lost comes no other one: nobody is to take the rest for all.
    fn say(&self, said: &Said) {
        let is_whole = self.lost.borrow().is_none();
        if is_whole {
            *self.lost.borrow_mut() = self.write(said).err();
        }
    }

    fn write(&self, said: &Said) -> io::Result<()> {
        let line = serde_json::to_string(said)?;
        let mut out = self.out.borrow_mut();
        writeln!(out, "{line}")?;
        out.flush()
    }

    fn end(self) -> Result<(), DrillError> {
        self.lost.into_inner().map_or(Ok(()), |error| Err(DrillError::Unheard(error)))
    }
}

/// A machine to drill on.
struct Ground<'p> {
    home: &'p Home,
    program: &'p Program,
    herd: HerdView,
    roles: BTreeSet<String>,
    goal: Option<Sha1>,
}

impl<'p> Ground<'p> {
    fn of(home: &'p Home, program: &'p Program, herd: HerdView, goal: Option<&str>) -> Result<Self, DrillError> {
        let goal = match goal {
            Some(goal) => Some(named(&program.catalog, goal)?),
            None => program.catalog.chain().tip(),
        };
        let (goal, roles) = (goal.map(|link| link.sha1), herd.myself().map(|me| me.roles.clone()).unwrap_or_default());
        Ok(Self { home, program, herd, roles, goal })
    }

    /// A link whose code is here.
    fn link(&self, name: &str) -> Result<&'p Link, DrillError> {
        let link = named(&self.program.catalog, name)?;
        match link.gone {
            true => Err(DrillError::Gone { link: link.to_string() }),
            false => Ok(link),
        }
    }

    fn plan(&self, link: &Link, say: &dyn Fn(&Said)) -> Result<Ended, Failure> {
        let record = Store::open(&self.home.record())?.record();
        self.passed_over(&record, link)?;
        let Program { catalog, system, .. } = self.program;
        let preview = preview_link(catalog, link, system, &self.herd, &record, Rc::new(self.lookout()));
        preview.operations.into_iter().for_each(|operation| say(&Said::Operation { operation, passed: 0 }));
        Ok(Ended { ends: preview.ends, ..Ended::default() })
    }

    /// What fails is no failure of the record's: what a crash leaves is taken up again without anybody's word.
    fn run(&self, link: &Link, say: &dyn Fn(&Said)) -> Result<Ended, Failure> {
        let _lock = self.lock()?;
        let store = Rc::new(Store::open(&self.home.record())?);
        self.begin(&store, link)?;
        let boot_id = incarnation::read(&self.program.system).boot_id;
        let is_awaited = || awaits_reboot(&store.record().steps, link.sha1, &boot_id);
        let result = if is_awaited() { Ok(()) } else { self.act(&store, link, say) };
        let (record, reboot) = (store.record(), is_awaited());
        let steps = record.steps.iter().filter(|step| step.link == link.sha1).map(|step| step.name.clone()).collect();
        let error = result.err().filter(|_| !reboot);
        Ok(Ended { error, reboot, owed: record.debts.clone(), steps, ends: None })
    }

    fn act(&self, store: &Rc<Store>, link: &Link, say: &dyn Fn(&Said)) -> Result<(), String> {
        let heard = |operation: &Operation| {
            say(&Said::Operation { operation: operation.clone(), passed: fault::passed() });
        };
        let Program { catalog, system, .. } = self.program;
        let journal = Rc::clone(store) as Rc<dyn Journal>;
        act_link(catalog, link, system, &self.herd, journal, Rc::new(self.lookout()), Rc::new(heard))
    }

    /// Brings the record to where the link is under way, from wherever an earlier drill was cut short.
    fn begin(&self, store: &Store, link: &Link) -> Result<(), Failure> {
        let passed = self.passed_over(&store.record(), link)?;
        store.passed_over(&passed, self.now())?;
        loop {
            match store.record().phase.clone() {
                Phase::InLoad => store.happened(Event::LegPlanned(Leg { until: link.sha1, held: None }))?,
                Phase::Out { leg } if leg.until == link.sha1 => store.starts(link.sha1, 0)?,
                Phase::Out { .. } => store.happened(Event::LegDone)?,
                Phase::Running { link: running, .. } if running == link.sha1 => break,
                phase => return Err(not_under_way(link, &phase).into()),
            }
        }
        Ok(store.begin(link, self.program.catalog.terms(link.sha1))?)
    }

    /// The links that a host with this record passes over before it comes to this one.
    fn passed_over(&self, record: &Record, link: &Link) -> Result<Vec<Link>, DrillError> {
        let chain = self.program.catalog.chain();
        let course = Course::along(chain, self.goal, &self.roles, &record.past());
        let ahead = chain.after(record.state())?;
        let place = ahead.iter().position(|other| other.sha1 == link.sha1);
        let place = place.ok_or_else(|| DrillError::Behind { link: link.to_string() })?;
        match ahead[..=place].iter().find(|other| course.runs(other)) {
            Some(first) if first.sha1 == link.sha1 => Ok(ahead[..place].to_vec()),
            Some(first) => Err(DrillError::First { first: first.to_string(), link: link.to_string() }),
            None => Err(DrillError::PassedOver { link: link.to_string() }),
        }
    }

    fn specs(&self, link: Option<&Link>, say: &dyn Fn(&Said)) -> Result<Ended, Failure> {
        let Program { catalog, system, .. } = self.program;
        let promises = match link {
            Some(link) => promises_since(catalog, link, &self.roles),
            None => self.promises_of(&Store::open(&self.home.record())?.record())?,
        };
        let mut broken = 0;
        for promise in &promises {
            let verdict = promise.verdict(system, &self.herd);
            broken += usize::from(verdict.error.is_some());
            say(&Said::Spec(verdict.into()));
        }
        let error = (broken > 0).then(|| format!("{broken} of {} specs do not hold", promises.len()));
        Ok(Ended { error, ..Ended::default() })
    }

    /// What is to hold on a machine with this record, which is of this chain.
    fn promises_of(&self, record: &Record) -> Result<Vec<Promise>, DrillError> {
        let catalog = &self.program.catalog;
        catalog.chain().after(record.state())?;
        Ok(promises(catalog, record, &self.roles))
    }

    /// The link is behind this machine; also where that was said before. Not as long as something is owed: the end of
    /// its run pays that, and no later link is to do it.
    fn done(&self, link: &Link) -> Result<Ended, Failure> {
        let _lock = self.lock()?;
        let store = Store::open(&self.home.record())?;
        let owed = store.record().debts.clone();
        if let Some(error) = still_owed(&owed) {
            return Ok(Ended { error: Some(error), owed, ..Ended::default() });
        }
        loop {
            let record = store.record();
            let is_done = record.links.last().is_some_and(|last| last.sha1 == link.sha1 && last.how == How::Done);
            match &record.phase {
                Phase::Running { link: running, .. } if *running == link.sha1 => store.done(link, self.now())?,
                Phase::Out { .. } if is_done => store.happened(Event::LegDone)?,
                Phase::InLoad if is_done => return Ok(Ended::default()),
                phase => return Err(not_under_way(link, phase).into()),
            }
        }
    }

    /// The right to change the record. Who had it before may have made this machine a host.
    fn lock(&self) -> Result<Lock, Failure> {
        let lock = serve::lock(self.home)?;
        refuse_hosts(self.home, &self.program.system)?;
        Ok(lock)
    }

    fn lookout(&self) -> Aloud {
        Aloud(self.program.catalog.everyone(&self.herd))
    }

    fn now(&self) -> u64 {
        self.program.system.clock().now().as_secs()
    }
}

fn named<'c>(catalog: &'c Catalog, name: &str) -> Result<&'c Link, DrillError> {
    let links = catalog.chain().links();
    links.iter().find(|link| link.name == name).ok_or_else(|| {
        let meant = nearest(name, links.iter().map(|link| link.name.as_str())).map(str::to_owned);
        DrillError::NoSuch { name: name.to_owned(), meant }
    })
}

fn did_you_mean(meant: Option<&str>) -> String {
    meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default()
}

fn still_owed(debts: &[Debt]) -> Option<String> {
    let action = |debt: &Debt| match debt.action {
        DebtAction::Reload => "reload",
        DebtAction::Restart => "restart",
    };
    let named: Vec<String> = debts.iter().map(|debt| format!("a {} of `{}`", action(debt), debt.service)).collect();
    (!named.is_empty()).then(|| format!("still owed: {}", named.join(", ")))
}

fn not_under_way(link: &Link, phase: &Phase) -> DrillError {
    DrillError::NotUnderWay { link: link.to_string(), phase: phase.name() }
}

impl From<Verdict> for Answer {
    fn from(Verdict { link, role, spec, error, .. }: Verdict) -> Self {
        Self { link, role: role.map(str::to_owned), spec: spec.to_owned(), error }
    }
}

/// Everyone is there; what goes on amid the link is said on standard error, as an agent says it in its log.
struct Aloud(Everyone);

impl Lookout for Aloud {
    fn may_wait(&self) -> bool {
        self.0.may_wait()
    }

    fn every(&self) -> Duration {
        self.0.every()
    }

    fn look(&self, wait: &Wait) -> Result<Sight, NoSuch> {
        self.0.look(wait)
    }

    fn say(&self, line: &str) {
        drop(writeln!(io::stderr(), "{line}"));
    }
}

#[cfg(test)]
mod tests {
    use super::super::enroll::{EnrollError, Enrollment, enroll};
    use super::super::rekey::{rekey, replace};
    use super::*;
    use crate::context::{Code, Context, Migration, Mode, Outcome, Spec, Terms};
    use crate::system::files::Attributes;

    const ONE: &str = "1111111111111111111111111111111111111111";
    const TWO: &str = "2222222222222222222222222222222222222222";
    const THREE: &str = "3333333333333333333333333333333333333333";
    const FOUR: &str = "4444444444444444444444444444444444444444";
    const FIVE: &str = "5555555555555555555555555555555555555555";

    type Run = fn(&Context<'_>) -> anyhow::Result<()>;

    const fn migration(
        name: &'static str,
        role: &'static str,
        index: usize,
        sha1: &'static str,
        run: Run,
    ) -> Migration {
        let digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let run = Some(Code::Bare(run));
        Migration { name, role, sha1, digest, index, wait: None, replaces: None, terms: Terms::NONE, run }
    }

    /// Puts a file in its place.
    fn present(context: &Context<'_>, path: &str) -> anyhow::Result<()> {
        let is_there = context.system().read_file(path)?.is_some();
        if !is_there && context.mode() == Mode::Apply {
            context.system().write_file(path, "", Attributes::mode(0o644))?;
        }
        let outcome = if is_there { Outcome::Unchanged } else { Outcome::Changed { diff: None } };
        context.record(Operation { what: path.to_owned(), outcome });
        Ok(())
    }

    fn is_there(context: &Context<'_>, path: &str) -> anyhow::Result<bool> {
        Ok(context.system().read_file(path)?.is_some())
    }

    fn nginx(context: &Context<'_>) -> anyhow::Result<()> {
        present(context, "/nginx")?;
        let attempt = context.attempt().ok_or_else(|| anyhow::anyhow!("this is no link"))?;
        let step = attempt.step("initdb")?;
        if step.found::<()>()?.is_none() && context.mode() == Mode::Apply {
            present(context, "/initdb")?;
            step.finish(&())?;
        }
        anyhow::ensure!(!is_there(context, "/broken")?, "nginx -t says no");
        present(context, "/page")
    }

    fn kernel(context: &Context<'_>) -> anyhow::Result<()> {
        present(context, "/kernel")?;
        context.attempt().ok_or_else(|| anyhow::anyhow!("this is no link"))?.reboot()?;
        present(context, "/booted")
    }

    static BASE: Migration = migration("base", "server", 0, ONE, |context| present(context, "/base"));
    static SCHEMA: Migration = migration("schema", "database", 1, TWO, |context| present(context, "/schema"));
    static NGINX: Migration = migration("nginx", "web", 2, THREE, nginx);
    static KERNEL: Migration = migration("kernel", "web", 3, FOUR, kernel);
    static NGINX_NEXT: Migration = migration("nginx", "web", 1, THREE, nginx);
    static SCHEMA_LAST: Migration = migration("schema", "database", 2, TWO, |context| present(context, "/schema"));
    static JUNE: Migration = Migration {
        replaces: Some((THREE, FOUR)),
        ..migration("june", "web", 4, FIVE, |context| present(context, "/june"))
    };
    static SERVED: Spec = Spec::new("fleet::chain::nginx", "is_served", |context| {
        anyhow::ensure!(is_there(context, "/page")?, "expected a page, found none");
        Ok(())
    });
    static FIT: Spec = Spec::new("fleet::chain::nginx", "is_fit", |context| {
        anyhow::ensure!(!is_there(context, "/unfit")?, "expected an answer, found none");
        Ok(())
    })
    .of_role("web");

    static ROOM: Spec = Spec::new("fleet::roles", "has_room", |_| Ok(())).of_role("web");

    /// A machine that is to be `web1`, a host of the roles `server` and `web`.
    struct Place {
        dir: tempfile::TempDir,
        home: Home,
        program: Program,
    }

    impl Place {
        fn new() -> Self {
            Self::with(&[&BASE, &SCHEMA, &NGINX, &KERNEL])
        }

        fn with(links: &[&'static Migration]) -> Self {
            Self::that_asks(links, &[&SERVED, &FIT])
        }

        fn that_asks(links: &[&'static Migration], specs: &[&'static Spec]) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let home = Home::new(dir.path().join("etc"), dir.path().join("var"));
            let catalog = Catalog::new(links.iter().copied(), [], specs.iter().copied()).unwrap();
            let system = System::fake(dir.path().join("root"), crate::system::Script::new());
            let place = Self { dir, home, program: Program { catalog, system, digest: None, args: Vec::new() } };
            let herd = r#"{"me": "web1", "members": [{"name": "web1", "roles": ["server", "web"]}]}"#;
            place.write("etc/drill.json", herd);
            place.write("var/empty", "");
            place.write("root/proc/sys/kernel/random/boot_id", "one");
            place
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.dir.path().join(path);
            files::create_dir(path.parent().unwrap()).unwrap();
            files::write(path, text, 0o644).unwrap();
        }

        fn remove(&self, path: &str) {
            assert!(files::remove(self.dir.path().join(path)).unwrap(), "{path}");
        }

        fn record(&self) -> Rc<Record> {
            Store::open(&self.home.record()).unwrap().record()
        }

        /// What is said of `run nginx`, and the like, a line each.
        fn said(&self, words: &str) -> String {
            let (words, goal) = words.split_once(" to ").map_or((words, None), |(words, goal)| (words, Some(goal)));
            let (act, link) = words.split_once(' ').unwrap_or((words, ""));
            let link = link.to_owned();
            let act = match act {
                "plan" => Act::Plan { link },
                "run" => Act::Run { link },
                "specs" => Act::Specs { link: Some(link).filter(|link| !link.is_empty()) },
                _ => Act::Done { link },
            };
            let drill = Drill {
                act,
                goal: goal.map(str::to_owned),
                #[cfg(feature = "faults")]
                faults: None,
            };
            let lines = RefCell::new(Vec::new());
            let say = |said: &Said| lines.borrow_mut().push(line(said));
            let drilled = drilled(&self.home, &self.program, &drill, &say);
            let refused = drilled.err().map(|error| format!("refused: {error}"));
            lines.into_inner().into_iter().chain(refused).collect::<Vec<_>>().join("\n")
        }

        fn check(&self, words: &str, expect: &[&str]) {
            assert_eq!(self.said(words), expect.join("\n"), "{words}");
        }
    }

    fn line(said: &Said) -> String {
        match said {
            Said::Operation { operation, .. } => operation.to_string(),
            Said::Spec(Answer { spec, error, .. }) => format!("{spec}: {}", error.as_deref().unwrap_or("holds")),
            Said::Ended(ended) => serde_json::to_string(ended).unwrap(),
        }
    }

    const WELL: &str = r#"{"reboot":false}"#;
    const WITH_STEP: &str = r#"{"reboot":false,"steps":["initdb"]}"#;

    #[test]
    fn links_are_run_one_after_the_other_and_each_of_them_once_more() {
        let place = Place::new();
        place.check("run base", &["+ /base", WELL]);
        place.check("run base", &["= /base", WELL]);
        place.check("done base", &[WELL]);
        place.check("done base", &[WELL]);
        place.check("plan nginx", &["+ /nginx", "+ /page", WELL]);
        place.check("run nginx", &["+ /nginx", "+ /initdb", "+ /page", WITH_STEP]);
        place.check("run nginx", &["= /nginx", "= /page", WITH_STEP]);
        place.check("done nginx", &[WELL]);
        let record = place.record();
        let hows: Vec<How> = record.links.iter().map(|link| link.how).collect();
        assert_eq!((&hows[..], &record.phase), (&[How::Done, How::PassedOver, How::Done][..], &Phase::InLoad));
    }

    #[test]
    fn what_is_owed_is_paid_before_a_link_is_done() {
        let place = Place::new();
        place.said("run base");
        let owes = |debts: &[(DebtAction, &str)]| {
            let debts = debts.iter().map(|(action, service)| Debt { action: *action, service: (*service).into() });
            let debts: Vec<Debt> = debts.collect();
            Store::open(&place.home.record()).unwrap().update(|record| record.debts = debts).unwrap();
        };
        owes(&[(DebtAction::Restart, "nginx"), (DebtAction::Reload, "cron")]);
        let said = place.said("done base");
        assert!(said.starts_with(r#"{"error":"still owed: a restart of `nginx`, a reload of `cron`","#), "{said}");
        assert!(matches!(place.record().phase, Phase::Running { .. }));
        owes(&[]);
        place.check("done base", &[WELL]);
    }

    /// Whoever loses the first line that it is to write.
    #[derive(Default)]
    struct Hiccup {
        is_over: bool,
        heard: Vec<u8>,
    }

    impl io::Write for Hiccup {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if !std::mem::replace(&mut self.is_over, true) {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            self.heard.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_could_not_be_said_is_an_error_and_nothing_is_said_after_it() {
        let ended = Said::Ended(Ended::default());
        let lines = Lines::to(Vec::<u8>::new());
        lines.say(&ended);
        assert_eq!(lines.out.borrow().as_slice(), b"{\"ended\":{\"reboot\":false}}\n");
        assert!(lines.end().is_ok());
        let lines = Lines::to(Hiccup::default());
        lines.say(&ended);
        lines.say(&ended);
        assert_eq!(lines.out.borrow().heard, b"");
        assert_eq!(lines.end().unwrap_err().to_string(), "what came of it could not be said");
    }

    #[test]
    fn a_plan_touches_nothing() {
        let place = Place::new();
        place.check("plan base", &["+ /base", WELL]);
        let found = |below: &str| files::list(place.dir.path().join(below)).unwrap().len();
        assert_eq!((found("var"), found("root")), (1, 1));
    }

    #[test]
    fn what_failed_is_taken_up_again_with_the_same_journal() {
        let place = Place::new();
        place.check("run base", &["+ /base", WELL]);
        place.check("done base", &[WELL]);
        place.write("root/broken", "");
        let failed = r#"{"error":"nginx -t says no","reboot":false,"steps":["initdb"]}"#;
        place.check("run nginx", &["+ /nginx", "+ /initdb", failed]);
        assert!(matches!(place.record().phase, Phase::Running { .. }));
        place.remove("root/broken");
        place.check("plan nginx", &["= /nginx", "+ /page", WELL]);
        place.check("run nginx", &["= /nginx", "+ /page", WITH_STEP]);
    }

    #[test]
    fn a_reboot_is_asked_for_and_the_link_goes_on_in_the_next_boot() {
        static REBOOTS: Migration = migration("kernel", "web", 0, FOUR, kernel);
        let place = Place::with(&[&REBOOTS]);
        let reboots = r#"{"reboot":true,"steps":["reboot"]}"#;
        place.check("run kernel", &["+ /kernel", reboots]);
        place.check("run kernel", &[reboots]);
        place.write("root/proc/sys/kernel/random/boot_id", "two");
        let rebooted = r#"{"reboot":false,"steps":["reboot"]}"#;
        place.check("run kernel", &["= /kernel", "+ /booted", rebooted]);
        place.check("run kernel", &["= /kernel", "= /booted", rebooted]);
    }

    #[test]
    fn specs_are_asked_of_one_link_and_of_all_that_is_done() {
        let place = Place::new();
        for words in ["run base", "done base", "run nginx"] {
            place.said(words);
        }
        place.check("specs", &[WELL]);
        place.check("specs nginx", &["is_served: holds", "is_fit: holds", WELL]);
        place.said("done nginx");
        place.write("root/unfit", "");
        let broken = r#"{"error":"1 of 2 specs do not hold","reboot":false}"#;
        place.check("specs", &["is_served: holds", "is_fit: expected an answer, found none", broken]);
    }

    #[test]
    fn what_a_role_promises_in_no_link_s_file_is_asked_behind_the_last_link_of_the_host() {
        let place = Place::that_asks(&[&BASE, &NGINX_NEXT, &SCHEMA_LAST], &[&SERVED, &ROOM]);
        place.check("specs", &[WELL]);
        for words in ["run base", "done base", "run nginx"] {
            place.said(words);
            place.check("specs", &[WELL]);
        }
        place.said("done nginx");
        place.check("specs", &["is_served: holds", "has_room: holds", WELL]);
        place.check("specs base", &[WELL]);
    }

    #[test]
    fn links_come_in_their_order_and_only_those_of_the_host() {
        let place = Place::new();
        place.check("run nginx", &["refused: `base` (1111111) comes before `nginx` (3333333)"]);
        place.check("plan nginx", &["refused: `base` (1111111) comes before `nginx` (3333333)"]);
        place.check("run ngnix", &["refused: the chain of this runner has no link `ngnix`; did you mean `nginx`?"]);
        let idle = "refused: `base` (1111111) is not under way: this machine is in the phase InLoad";
        place.check("done base", &[idle]);
        place.said("run base");
        place.check("run nginx", &["refused: `base` (1111111) comes before `nginx` (3333333)"]);
        place.said("done base");
        place.check("run base", &["refused: `base` (1111111) is behind this machine already"]);
        place.check("run schema", &["refused: `schema` (2222222) is passed over here"]);
    }

    #[test]
    fn a_baseline_stands_for_links_unless_the_goal_is_before_it() {
        let place = || {
            let place = Place::with(&[&BASE, &SCHEMA, &NGINX, &KERNEL, &JUNE]);
            place.said("run base");
            place.said("done base");
            place
        };
        let fresh = place();
        fresh.check("run nginx", &["refused: `nginx` (3333333) is passed over here"]);
        fresh.check("run june", &["+ /june", WELL]);
        let replay = place();
        replay.check("run june to kernel", &["refused: `nginx` (3333333) comes before `june` (5555555)"]);
        replay.check("run nginx to kernel", &["+ /nginx", "+ /initdb", "+ /page", WITH_STEP]);
        replay.said("done nginx");
        replay.check("run kernel", &["+ /kernel", r#"{"reboot":true,"steps":["reboot"]}"#]);
        replay.check("run june", &["refused: `kernel` (4444444) comes before `june` (5555555)"]);
    }

    #[test]
    fn what_a_drill_that_was_killed_left_is_taken_up() {
        let place = Place::new();
        let leg = |n: u8| Leg { until: Sha1::from_bytes([n * 0x11; 20]), held: None };
        let left = |change: &dyn Fn(&mut Record)| {
            Store::open(&place.home.record()).unwrap().update(change).unwrap();
        };
        left(&|record| record.phase = Phase::Out { leg: leg(1) });
        place.check("run base", &["+ /base", WELL]);
        place.said("done base");
        left(&|record| record.phase = Phase::Out { leg: leg(1) });
        place.check("done base", &[WELL]);
        left(&|record| record.phase = Phase::Out { leg: leg(1) });
        place.check("run nginx", &["+ /nginx", "+ /initdb", "+ /page", WITH_STEP]);
    }

    /// Nothing is drilled after this was done to a machine that was made for it, and nothing is touched.
    fn refused(change: impl FnOnce(&Place), expect: &str) {
        let place = Place::new();
        change(&place);
        let before = place.record();
        for words in ["plan base", "run base", "specs", "done base"] {
            let said = place.said(words);
            assert!(said.starts_with("refused: ") && said.contains(expect), "{words}: {said}");
        }
        assert_eq!(place.record(), before);
        let touched = ["root/base", "var/agent.lock"].map(|path| files::exists(place.dir.path().join(path)));
        assert_eq!(touched, [false, false]);
    }

    #[test]
    fn nothing_is_drilled_on_a_host() {
        let host = "this machine is a host of a herd, or was one, and nothing is drilled there: there is ";
        refused(|place| place.write("etc/host.toml", ""), host);
        refused(|place| place.write("etc/next/host.toml", ""), host);
        let record = |change: &dyn Fn(&mut Record), place: &Place| {
            Store::open(&place.home.record()).unwrap().update(change).unwrap();
        };
        refused(|place| record(&|record| record.accepted = Some(Sha1::ZERO), place), host);
        refused(|place| record(&|record| record.in_service = true, place), host);
        refused(|place| record(&|record| record.reports.written = Some(Sha1::ZERO), place), host);
    }

    #[test]
    fn nothing_is_drilled_on_a_host_by_a_record_that_lies_elsewhere() {
        let check = |path: &str| {
            let there = format!("nothing is drilled there: there is /{path}");
            refused(|place| place.write(&format!("root/{path}"), ""), &there);
        };
        check("etc/wildebeest/host.toml");
        check("etc/wildebeest/next/host.toml");
        check("var/lib/wildebeest/record.json");
    }

    #[test]
    fn a_machine_that_becomes_a_host_meanwhile_is_drilled_no_more() {
        let place = Place::new();
        let herd = herd_to_drill_in(&place.home, &place.program.system).unwrap();
        let ground = Ground::of(&place.home, &place.program, herd, None).unwrap();
        let base = ground.link("base").unwrap();
        place.write("etc/host.toml", "");
        for error in [ground.run(base, &|_| ()).unwrap_err(), ground.done(base).unwrap_err()] {
            assert!(matches!(error, Failure::Drill(DrillError::Host { .. })), "{error}");
        }
        assert_eq!(*place.record(), Record::default());
        assert!(!files::exists(place.dir.path().join("root/base")));
    }

    /// How a machine is refused that is to be a host: by each way to an identity, and by its agent.
    fn refused_as_host(place: &Place) -> Vec<PathBuf> {
        let wanted = Enrollment {
            name: "web1".into(),
            remote: "/nowhere".into(),
            allowed_signers: "ana@example.org ssh-ed25519 AAAA".into(),
            poll: Duration::from_secs(1),
            runner: "/nowhere/wildebeest".into(),
        };
        let system = &place.program.system;
        let ways = [
            enroll(&place.home, &wanted, system).map(drop),
            replace(&place.home, &wanted, system).map(drop),
            rekey(&place.home, "web2", system).map(drop),
        ];
        let agent = serve::lock_of_host(&place.home).map(drop);
        let failures = ways.into_iter().map(|way| way.map_err(Failure::from)).chain([agent]);
        let found = failures.filter_map(|failure| match failure {
            Err(Failure::Enroll(EnrollError::Drilled { found, .. })) => Some(found),
            _ => None,
        });
        found.collect()
    }

    #[test]
    fn no_host_is_made_of_a_machine_that_links_were_drilled_on() {
        let place = Place::new();
        assert_eq!(refused_as_host(&place), vec![place.home.drill_json(); 4], "nobody knows what was drilled there");
        place.said("run base");
        place.remove("etc/drill.json");
        assert_eq!(refused_as_host(&place), vec![place.home.record(); 4], "a link was begun");
        assert!(!files::exists(place.home.host_toml()) && !files::exists(place.home.key()));
        place.remove("var/record.json");
        assert!(serve::lock_of_host(&place.home).is_ok(), "it begins with nothing behind it");
    }

    #[test]
    fn who_is_refused_is_told_what_to_do_instead() {
        let (host, none) = (DrillError::Host { path: "/a".into() }, DrillError::NoScript { path: "/a".into() });
        assert!(host.hint().unwrap().starts_with("`wildebeest plan`"));
        assert!(none.hint().unwrap().starts_with("`cargo xtask test`"));
    }

    #[test]
    fn nothing_is_drilled_where_nobody_said_so() {
        refused(|place| place.remove("etc/drill.json"), "there is no ");
        refused(|place| place.write("etc/drill.json", "{"), "does not say what links are to see");
        let other = r#"{"me": "web2", "members": [{"name": "web1", "roles": ["web"]}]}"#;
        refused(|place| place.write("etc/drill.json", other), "this machine is to be `web2`");
    }
}
