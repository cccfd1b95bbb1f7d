//! A remote that is away, and takes longer to be so than hosts wait between two looks at it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use wb_core::agent::Agent;
use wb_core::context::{Context, Migration};
use wb_core::runner::Catalog;
use wb_core::system::command::Real;
use wb_core::system::{Clock, System, files};
use wb_tests::herd::{TestHerd, runner};
use wb_tests::links::{WEB, migration, write};

static FIRST: Migration =
    migration("first", "web", 0, "1111111111111111111111111111111111111111", |context| write(context, "first"));
static CUT_OFF: Migration = migration("cut_off", "web", 1, "2222222222222222222222222222222222222222", cut_off);
static AFTER_IT: Migration =
    migration("after_it", "web", 2, "3333333333333333333333333333333333333333", |context| write(context, "after_it"));

/// It stands still, but for ten seconds whenever somebody adds a byte to the file.
struct Waited(PathBuf);

impl Waited {
    fn times(&self) -> u64 {
        files::read_optional(&self.0).unwrap().unwrap_or_default().len() as u64
    }
}

impl Clock for Waited {
    fn now(&self) -> Duration {
        Duration::from_secs(1_000_000_000 + 10 * self.times())
    }

    fn passed(&self) -> Duration {
        self.now()
    }

    fn sleep(&self, _: Duration) {}
}

/// Takes its time, so that a look is due, and sees to it that git takes its time too, and fails. Twenty times will do.
fn cut_off(context: &Context<'_>) -> anyhow::Result<()> {
    let herd = files::canonical(context.system().path("/").join("../.."))?;
    let (remote, script) = (herd.join("remote.git").display().to_string(), herd.join("slow.sh"));
    files::write(&script, format!("cd {}; [ $(wc -c <waited) -gt 20 ] || printf x >>waited\n", herd.display()), 0o644)?;
    let config = herd.join("web1/var/herd.git/config");
    let away =
        format!("[protocol \"ext\"]\n allow = always\n[url \"ext::sh {}\"]\n insteadOf = {remote}\n", script.display());
    files::write(&config, files::read_text(&config)? + &away, 0o644)?;
    files::write(herd.join("waited"), "x", 0o644)?;
    write(context, "cut_off")
}

fn tick(herd: &TestHerd, catalog: &Catalog, waited: &Path) -> String {
    let root = herd.root("web1");
    let system = System::new(root, Real, Waited(waited.to_owned()));
    let mut agent = Agent::open(herd.home("web1"), catalog, &system, runner(), &|_| {}).unwrap();
    agent.tick().unwrap_err().to_string()
}

#[test]
fn who_is_cut_off_in_a_leg_goes_on_after_one_look() {
    let (first, all) = (Catalog::new([&FIRST], [&WEB], []).unwrap(), [&FIRST, &CUT_OFF, &AFTER_IT]);
    let all = Catalog::new(all, [&WEB], []).unwrap();
    let herd = TestHerd::new();
    herd.add(&[("web1", &["web"])]);
    herd.deploy(&first);
    herd.settle(&["web1"], &first, 9);
    herd.deploy(&all);
    let waited = herd.dir().join("waited");
    let error = tick(&herd, &all, &waited);
    assert!(error.starts_with("could not reach the remote"), "{error}");
    assert_eq!(herd.written("web1"), "first rejoin leave cut_off after_it rejoin");
    assert!(Waited(waited).times() < 9, "one look between the links, and pushes that fail");
}
