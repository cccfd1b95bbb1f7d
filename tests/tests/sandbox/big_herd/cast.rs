//! Who plays, and what the herd is told to do.

use wb_core::system::Command;
use wb_tests::stage::{Play, Stage, link};
use wb_xtask::demo::example;
use wb_xtask::demo::load::Pages;
use wb_xtask::scaffold::LinkSource;

pub(super) const HERD: [&str; 12] =
    ["lb1", "web1", "web2", "web3", "web4", "web5", "web6", "web7", "web8", "db1", "db2", "job1"];
pub(super) const WEBS: [&str; 8] = ["web1", "web2", "web3", "web4", "web5", "web6", "web7", "web8"];
pub(super) const DATABASES: [&str; 2] = ["db1", "db2"];
pub(super) const CANARY: &str = "db1";
pub(super) const RESTORED: &str = "web8";

/// A machine without a disk of its own.
pub(super) const CLONE: &str = "db3";

/// A quarter of the web servers: `max_out` of their role.
pub(super) const MAX_OUT: usize = 2;

/// The role of the web servers, with a gate, which asks the first host of the stage: the balancer.
const GATED: &str = r#"impl Role for Web {
    fn gate(host: &View) -> Result<()> {
        host.http("http://10.78.0.11/?asked-by-a-gate").answers(200)
    }

"#;

/// What the log of the web server has that answers a gate.
pub(super) const ASKED: &str = "asked-by-a-gate";

/// One stands on the web servers when requests begin, the other one when all is over.
pub(super) const PAGES: Pages = Pages { old: "The first page", new: "The second page" };

pub(super) fn set_stage() -> Stage {
    let begin = link("begin", include_str!("../../../fleet/begin.rs"));
    let stage = Stage::set(Play {
        name: "test-big-herd",
        hosts: &machines(),
        roles_of,
        roles: &roles(),
        links: example::up_to_the_first_page().into_iter().chain([begin]).collect(),
        packages: &example::PACKAGES,
        poll: "2s",
        operator: env!("CARGO_BIN_EXE_wb-operator"),
        ..Play::default()
    });
    let keep_all_values = "git config --file /srv/git/herd.git/config core.logAllRefUpdates always";
    stage.server().read(Command::shell(keep_all_values)).unwrap();
    stage
}

/// The herd, and where a clone will be.
pub(super) fn machines() -> Vec<&'static str> {
    HERD.into_iter().chain([CLONE]).collect()
}

fn roles_of(host: &str) -> &'static [&'static str] {
    match host.trim_end_matches(|c: char| c.is_ascii_digit()) {
        "lb" => &["server", "load_balancer"],
        "web" => &["server", "web"],
        "db" => &["server", "database"],
        _ => &["server"],
    }
}

/// The roles of the example fleet, but that a quarter of the web servers may be out at once, while the shop answers through
/// its balancer, and that they and the databases write down when they leave load and come back.
fn roles() -> String {
    let changes = [
        ("34%", "25%"),
        ("impl Role for Web {\n", GATED),
        ("drain(\"web\", host.name())?;", "drain(\"web\", host.name())?; write_down(host, \"leave\")?;"),
        ("ready(\"web\", host.name())?;", "ready(\"web\", host.name())?; write_down(host, \"rejoin\")?;"),
        ("impl Role for Database {}\n", include_str!("../../../fleet/database_role.rs")),
    ];
    with(example::ROLES, &changes)
}

fn with(text: &str, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "no `{from}` in {text}");
        text.replace(from, to)
    })
}

/// One deploy for all that happens. The web servers wait for each other between two of them, so that each is a leg.
pub(super) fn later_links() -> [LinkSource; 5] {
    let data = link("prepare_data", include_str!("../../../fleet/prepare_data.rs"));
    let gate = link("pass_the_gate", include_str!("../../../fleet/pass_the_gate.rs"));
    let stumble = link("stumble", include_str!("../../../fleet/stumble.rs"));
    let page = example::second_page().unwrap();
    let bridge = bridge(&gate);
    [data, gate, after_the_others(bridge), after_the_others(stumble), page]
}

/// A gate under other names.
fn bridge(gate: &LinkSource) -> LinkSource {
    let changes = [
        ("pass_the_gate", "pass_the_bridge"),
        ("/srv/open", "/srv/bridge"),
        ("echo gate", "echo bridge"),
        ("echo through", "echo over"),
    ];
    link("pass_the_bridge", &with(&gate.source, &changes))
}

fn after_the_others(link: LinkSource) -> LinkSource {
    let source = with(&link.source, &[("role = \"web\"", "role = \"web\", wait = all(\"web\")")]);
    LinkSource { source, ..link }
}
