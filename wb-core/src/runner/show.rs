//! What a host's command line prints.

use serde_json::{Value, json};

use super::catalog::Catalog;
use super::cli::{Failure, with_causes};
use super::home::Home;
use super::program::Program;
use super::{platform, serve};
use crate::agent::phase::Phase;
use crate::agent::{Agent, How, LinkRecord, Record, Store, preview, verify as asked};
use crate::calendar::moment;
use crate::chain::{Link, Sha1};
use crate::context::{self, Spec};
use crate::report::{Doing, Drift};

/// The compiled chain, and what this host did of it.
pub(super) fn chain(home: &Home, catalog: &Catalog, as_json: bool) -> Result<String, Failure> {
    let record = Store::open(&home.record())?.record();
    let done: Vec<LinkRecord> = record.links.iter().chain(&record.ahead).cloned().collect();
    let (links, roles, failed) = (catalog.chain().links(), catalog.policies(), failed(&record));
    if as_json {
        let value = json!({
            "platform": platform(),
            "chain": links,
            "roles": roles,
            "reruns": catalog.reruns(),
            "specs": specs(catalog),
            "done": done,
            "failed": failed,
        });
        return Ok(value.to_string());
    }
    let rows = links.iter().enumerate().map(|(index, link)| row(index, link, &done, failed));
    Ok(rows.collect::<Vec<_>>().join("\n"))
}

/// All specs, each with the link in whose file it stands, and the role that it is of.
fn specs(catalog: &Catalog) -> Vec<Value> {
    let named = |link: Option<&Link>, spec: &Spec| json!({ "link": link.map(|link| &link.name), "name": spec.name, "role": spec.role });
    let links = catalog.chain().links().iter();
    let of_links = links.flat_map(|link| catalog.specs_of(&link.name).map(move |spec| named(Some(link), spec)));
    of_links.chain(catalog.specs_of_roles().map(|(spec, link)| named(link, spec))).collect()
}

/// The link at which this host failed, and stays.
fn failed(record: &Record) -> Option<Sha1> {
    match &record.phase {
        Phase::Failed { failure, .. } => Some(failure.link),
        _ => None,
    }
}

fn row(index: usize, link: &Link, done: &[LinkRecord], failed: Option<Sha1>) -> String {
    let how = done.iter().find(|record| record.sha1 == link.sha1).map(|record| match record.how {
        How::Done => "done",
        How::PassedOver => "passed over",
        How::Adopted => "done by hand",
    });
    let how = how.or((failed == Some(link.sha1)).then_some("failed"));
    let (baseline, gone) = (link.replaces.map(|_| "baseline"), link.gone.then_some("code gone"));
    let mark = [how, baseline, gone].into_iter().flatten().collect::<Vec<_>>().join(", ");
    let sha1 = if link.is_draft() { "draft".to_owned() } else { link.sha1.short() };
    format!("{:>4}  {sha1:<7}  {:<32}  {:<16}  {mark}", index + 1, link.name, link.role).trim_end().to_owned()
}

/// The settings of a herd that do not fit the code that reads them.
pub(super) fn unfit(catalog: &Catalog, text: &str) -> Result<String, Failure> {
    let unfit = context::unfit(text, catalog.settings().iter().copied())?;
    Ok(json!(unfit).to_string())
}

/// The version of this runner.
pub(super) fn version(catalog: &Catalog, as_json: bool) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let tip = catalog.chain().tip();
    if as_json {
        return json!({ "version": version, "platform": platform(), "tip": tip.map(|link| link.sha1) }).to_string();
    }
    let tip = tip
        .map_or_else(|| "no links".to_owned(), |link| format!("{} links up to {link}", catalog.chain().links().len()));
    format!("wildebeest {version} for {}, {tip}", platform())
}

/// Where this host is, and whether nothing is wrong.
pub(super) fn status(home: Home, program: &Program, as_json: bool) -> Result<(String, bool), Failure> {
    let (quiet, catalog) = (|_: &str| {}, &program.catalog);
    let mut agent = serve::look(home, program, &quiet)?;
    let (record, next) = (agent.record(), agent.upcoming()?);
    let notices = agent.notices();
    let disputed = agent.dispute().map_err(Failure::Agent)?;
    let doing = disputed.unwrap_or_else(|| preview::doing(&agent, &next, catalog));
    let outlook = preview::outlook(&record.phase, notices);
    let (healthy, drift) = (doing.is_healthy() && agent.drift().is_empty(), agent.drift());
    let state = record.links.last();
    if as_json {
        let change = agent.change().map(|change| change.manifest.number);
        let value = json!({
            "name": agent.config().name,
            "roles": preview::roles(&agent),
            "state": state.map(|link| link.sha1),
            "migration": state.map(|link| &link.name),
            "in_service": record.in_service,
            "change": change,
            "phase": record.phase.name(),
            "doing": doing,
            "drift": drift,
            "next": outlook,
            "remote": { "url": agent.config().remote, "away": notices.away },
        });
        return Ok((value.to_string(), healthy));
    }
    let at =
        state.map_or_else(|| "the start of the chain".to_owned(), |l| format!("`{}` ({})", l.name, l.sha1.short()));
    let mut lines = vec![
        format!("host     {}", agent.config().name),
        format!("roles    {}", preview::roles(&agent).join(", ")),
        format!("state    {at}"),
        format!("service  {}", if record.in_service { "in service" } else { "never in service yet" }),
        format!("change   {}", agent.change().map_or_else(|| "none".to_owned(), |change| change.manifest.to_string())),
        format!("phase    {}", word(&record, &doing, drift)),
        format!("now      {doing}"),
        format!("next     {outlook}"),
    ];
    lines.extend(
        drift.iter().map(|drift| format!("drift    {} since {}: {}", drift.named(), moment(drift.since), drift.error)),
    );
    if let Some(away) = &notices.away {
        let (lasted, since) = (away.lasted(program.system.clock().now().as_secs()), moment(away.since));
        let what = if away.refuses { "refuses" } else { "not reached" };
        lines.push(format!("remote   {what} for {lasted}, since {since}: {}", away.error));
    }
    Ok((lines.join("\n"), healthy))
}

/// What this host does in a word, as `cargo xtask status` says it. The phase on disk has a name for each of the agent's acts.
fn word(record: &Record, doing: &Doing, drift: &[Drift]) -> &'static str {
    match doing {
        _ if record.contested.is_some() => "contested",
        Doing::UpToDate if !drift.is_empty() => "drifted",
        doing => doing.word(),
    }
}

/// What the specs of all that this host completed say, and whether all of them hold. Those of its roles that are not asked
/// yet are named, too.
pub(super) fn verify(home: Home, program: &Program, as_json: bool) -> Result<(String, bool), Failure> {
    let quiet = |_: &str| {};
    let agent = serve::look(home, program, &quiet)?;
    let verdicts = asked::all(&agent, &program.catalog, &program.system);
    let later = asked::later(&agent, &program.catalog);
    let broken = verdicts.iter().filter(|verdict| verdict.error.is_some()).count();
    if as_json {
        let name = &agent.config().name;
        let value = json!({ "name": name, "holds": broken == 0, "specs": verdicts, "not_yet": later });
        return Ok((value.to_string(), broken == 0));
    }
    let last = summary(verdicts.len(), broken, later.len());
    let lines = verdicts.iter().map(ToString::to_string).chain(later.iter().map(ToString::to_string));
    Ok((lines.chain([last]).collect::<Vec<_>>().join("\n"), broken == 0))
}

/// What came of so many specs.
fn summary(all: usize, broken: usize, later: usize) -> String {
    match (all, broken) {
        (0, _) if later > 0 => "No spec is to hold here yet.".to_owned(),
        (0, _) => "No spec is to hold here: nothing that this host completed has one, nor have its roles.".to_owned(),
        (all, 0) => format!("{all} of {all} specs hold."),
        (all, broken) => format!("{} of {all} specs hold. Next: mend it here, or by a migration.", all - broken),
    }
}

/// What the next links would change here.
pub(super) fn plan(home: Home, program: &Program, as_json: bool) -> Result<String, Failure> {
    let (quiet, catalog) = (|_: &str| {}, &program.catalog);
    let mut agent: Agent<'_> = serve::look(home, program, &quiet)?;
    let next = agent.upcoming()?;
    let previews = preview::links(&agent, catalog, &program.system);
    if as_json {
        return Ok(json!({ "next": preview::doing(&agent, &next, catalog).to_string(), "links": previews }).to_string());
    }
    let mut lines: Vec<String> = previews.iter().map(ToString::to_string).collect();
    match agent.has_news() {
        Ok(false) => {}
        Ok(true) => {
            lines.push("The remote has changes that this host has not accepted yet: see `wildebeest once`.".into())
        }
        Err(error) => lines.push(format!("Whether there are newer changes is not known: {}.", with_causes(&error))),
    }
    lines.push(match previews.is_empty() {
        true => format!("Nothing to run here: {}.", preview::doing(&agent, &next, catalog)),
        false => "+ would change, = no change, ? cannot know until it runs. Nothing was changed.".to_owned(),
    });
    Ok(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::{Code, Migration, Terms};

    static PAGE: Migration = Migration {
        name: "page",
        role: "web",
        sha1: "1111111111111111111111111111111111111111",
        digest: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        index: 0,
        wait: None,
        replaces: None,
        terms: Terms { rerun: Some("it asks for the time"), ..Terms::NONE },
        run: Some(Code::Bare(|_| Ok(()))),
    };
    static SERVED: Spec = Spec::new("fleet::chain::page", "served", |_| Ok(()));
    static ANSWERS: Spec = Spec::new("fleet::chain::page", "answers", |_| Ok(())).of_role("web");
    static ROOM: Spec = Spec::new("fleet::roles", "has_room", |_| Ok(())).of_role("web");

    #[test]
    fn programs_get_all_of_the_chain() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::new(dir.path(), dir.path());
        let catalog = Catalog::new([&PAGE], [], [&SERVED, &ANSWERS, &ROOM]).unwrap();
        let says: Value = serde_json::from_str(&chain(&home, &catalog, true).unwrap()).unwrap();
        assert_eq!(says["reruns"], json!({ "page": "it asks for the time" }));
        let specs = json!([
            { "link": "page", "name": "served", "role": null },
            { "link": "page", "name": "answers", "role": "web" },
            { "link": null, "name": "has_room", "role": "web" },
        ]);
        assert_eq!(says["specs"], specs);
        let rest = [&says["chain"][0]["name"], &says["done"], &says["failed"]];
        assert_eq!(rest, [&json!("page"), &json!([]), &json!(null)]);
    }

    #[test]
    fn the_end_says_how_many_specs_hold_and_whether_more_are_to_come() {
        let check = |(all, broken, later), expect: &str| assert_eq!(summary(all, broken, later), expect);
        check((0, 0, 0), "No spec is to hold here: nothing that this host completed has one, nor have its roles.");
        check((0, 0, 1), "No spec is to hold here yet.");
        check((2, 0, 1), "2 of 2 specs hold.");
        check((3, 1, 0), "2 of 3 specs hold. Next: mend it here, or by a migration.");
    }
}
