//! What a check of a test passes by: plain data in, a [`Difference`] out where it fails.
//!
//! Each rule is one that a migration can break without anybody noticing on the day it is written: its plan is no plan, it
//! does again what is done, or it loses what it owes when it is killed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use wb_core::context::{Operation, Outcome};

use super::allow::Allowed;
use crate::sandbox::{Entry, Kind, Touch, Touched, Tree};

/// How something is not what it was to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// In lines.
    pub lines: Vec<String>,
    /// What helps.
    pub hint: Option<String>,
}

impl Difference {
    /// A heading, and below it these, one or more lines each.
    pub fn of(heading: impl Into<String>, items: impl IntoIterator<Item = impl fmt::Display>) -> Self {
        Self { lines: items.into_iter().flat_map(|item| lines_of(&item)).collect(), hint: None }.under(heading)
    }

    /// This one, below a heading.
    #[must_use]
    pub fn under(self, heading: impl Into<String>) -> Self {
        let below = self.lines.into_iter().map(|line| format!("  {line}"));
        Self { lines: std::iter::once(heading.into()).chain(below).collect(), ..self }
    }

    /// This one and, after it, another; the hint of the first counts.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let lines = self.lines.into_iter().chain(other.lines).collect();
        Self { lines, hint: self.hint.or(other.hint) }
    }

    /// This one, with what helps.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

impl fmt::Display for Difference {
    /// The lines, without what helps.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines.join("\n"))
    }
}

fn lines_of(item: &impl fmt::Display) -> Vec<String> {
    item.to_string().lines().map(str::to_owned).collect()
}

const NOT_THERE_YET: &str = "what an operation makes is not there yet in a plan: code that looks for it by itself, and \
                             acts by what it finds, does something else in a run";

/// A run did what its plan had said, operation by operation. Where the plan could not know, `excused` says whether that is
/// all right, and then anything may have come of it; what comes after that may be something else too, and so may what comes
/// after the place where the plan `ends`. The notes say where that was so.
///
/// # Errors
/// At the first operation that is another one.
pub fn plan(
    planned: &[Operation],
    ends: Option<&str>,
    done: &[Operation],
    excused: &dyn Fn(&Operation) -> bool,
) -> Result<Vec<String>, Difference> {
    let pairs = planned.iter().zip(done);
    let same = pairs.take_while(|(planned, done)| foretells(planned, done, excused)).count();
    let (left, more) = (&planned[same..], &done[same..]);
    if left.is_empty() && (more.is_empty() || ends.is_some()) {
        return Ok(ends.map(|why| ended(same, why)).into_iter().collect());
    }
    match planned[..same].iter().find_map(doubt) {
        Some(doubt) => Ok(vec![format!("{doubt}, {}", unforeseen(left, more, excused))]),
        None => Err(untrue(same, left, more)),
    }
}

fn foretells(planned: &Operation, done: &Operation, excused: &dyn Fn(&Operation) -> bool) -> bool {
    planned == done || (planned.what == done.what && doubt(planned).is_some() && excused(planned))
}

/// From which operation on a plan could not know what comes, and why.
fn doubt(operation: &Operation) -> Option<String> {
    match &operation.outcome {
        Outcome::Unknown { why } => {
            Some(format!("from `{}` on, which the plan marked with `?` ({why})", operation.what))
        }
        Outcome::Changed { .. } | Outcome::Unchanged => None,
    }
}

/// What became of the rest of a plan that could not know it.
fn unforeseen(left: &[Operation], more: &[Operation], excused: &dyn Fn(&Operation) -> bool) -> String {
    let mut missed: Vec<&Operation> = left.iter().collect();
    let mut beyond: Vec<&Operation> = Vec::new();
    for done in more {
        match missed.iter().position(|planned| foretells(planned, done, excused)) {
            Some(place) => {
                missed.remove(place);
            }
            None => beyond.push(done),
        }
    }
    match (beyond.as_slice(), missed.as_slice()) {
        ([], []) => "the run did what the plan says, in another order".to_owned(),
        ([], missed) => format!("the run did not come to what the plan says: {}", named(missed)),
        (beyond, _) => format!("the run did what the plan could not foresee: {}", named(beyond)),
    }
}

/// So many operations are named.
const NAMED: usize = 2;

/// Some operations in a line, without what they change in files.
fn named(operations: &[&Operation]) -> String {
    let name = |operation: &&Operation| {
        let lines = operation.to_string();
        format!("`{}`", lines.lines().next().unwrap_or_default())
    };
    let names = operations.iter().take(NAMED).map(name).collect::<Vec<_>>().join(", ");
    match operations.len().saturating_sub(NAMED) {
        0 => names,
        more => format!("{names} and {more} more"),
    }
}

fn ended(same: usize, why: &str) -> String {
    match same {
        0 => format!("the plan says nothing: {why}"),
        _ => format!("the plan ends after {}: {why}", operations(same)),
    }
}

fn untrue(same: usize, left: &[Operation], more: &[Operation]) -> Difference {
    let nothing = || "nothing more".to_owned();
    let first = |of: &[Operation]| [of.first().map_or_else(nothing, ToString::to_string)];
    let said = Difference::of("the plan said:", first(left));
    let mut difference = said.and(Difference::of("and this was done:", first(more))).hint(NOT_THERE_YET);
    if same > 0 {
        difference.lines.push(format!("{} before that came as the plan said", operations(same)));
    }
    difference
}

fn operations(count: usize) -> String {
    format!("{count} operation{}", if count == 1 { "" } else { "s" })
}

/// What a reboot that a link asks for is called.
const REBOOTED: &str = "host rebooted";

/// What a link did that rebooted its host, as one run: in each boot it begins at its first line, and finds what it did before.
#[must_use]
pub fn joined(legs: &[Vec<Operation>]) -> Vec<Operation> {
    let mut whole: Vec<Operation> = Vec::new();
    for leg in legs {
        let more = beyond(&whole, leg);
        // Only the boot after it tells that it came.
        let came = more.iter().map(|operation| match operation.what == REBOOTED {
            true => Operation { outcome: Outcome::Changed { diff: None }, ..operation.clone() },
            false => operation.clone(),
        });
        whole.extend(came.collect::<Vec<_>>());
    }
    whole
}

/// The operations of a leg after those that were there before. What a finished step did is not there again.
fn beyond<'a>(before: &[Operation], leg: &'a [Operation]) -> &'a [Operation] {
    let mut left = before.iter();
    let known = leg.iter().take_while(|operation| left.any(|known| known.what == operation.what)).count();
    &leg[known..]
}

const LOOK_FIRST: &str = "let it look before it acts, as operations do and a command `.unless(…)` does; where it \
                          can't, `rerun = \"why not\"` in its attribute says so";

/// A run of what is done already changes nothing.
///
/// # Errors
/// With what changed.
pub fn again(done: &[Operation]) -> Result<(), Difference> {
    let changes: Vec<&Operation> = changed(done).collect();
    if changes.is_empty() {
        return Ok(());
    }
    Err(Difference::of("it was run once more, and changed something:", changes).hint(LOOK_FIRST))
}

fn changed(operations: &[Operation]) -> impl Iterator<Item = &Operation> {
    operations.iter().filter(|operation| operation.outcome.changed())
}

const ONLY_LOOK: &str = "operations only look in a plan; Rust code that writes by itself, and programs that it starts, \
                         know of none";

/// A plan touches nothing.
///
/// # Errors
/// With the paths that it touched.
pub fn glass(touched: &[Touched]) -> Result<(), Difference> {
    let line = |touched: &Touched| format!("{} {}", sign(touched.how), touched.path.display());
    match touched {
        [] => Ok(()),
        touched => Err(Difference::of("the plan touched:", touched.iter().map(line)).hint(ONLY_LOOK)),
    }
}

fn sign(how: Touch) -> char {
    match how {
        Touch::Made => '+',
        Touch::Changed => '~',
        Touch::Removed => '-',
    }
}

/// As [`glass`], by what all paths were like before and after, a line for each.
///
/// # Errors
/// With the lines that are not in both.
pub fn untouched(before: &str, after: &str) -> Result<(), Difference> {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let (before, after) = (lines(before), lines(after));
    let touched: Vec<&String> = before.symmetric_difference(&after).collect();
    if touched.is_empty() { Ok(()) } else { Err(Difference::of("the plan touched:", touched).hint(ONLY_LOOK)) }
}

const OWE_IT: &str = "the next run finds that nothing changes, and does not come to what hangs on a change: let no \
                      operation hang on that of another; `.restarts(&service)` and `.reloads(&service)` of a file are \
                      owed until they are done";

/// What a run does when nothing comes in between is done in the end, too, where it was killed and run again: each operation
/// by which the `whole` run changed something is said by one of the other `runs`, as often, be it that it is so already.
///
/// # Errors
/// With the operations that were lost, and where it was killed.
pub fn lost(whole: &[Operation], runs: &[&[Operation]], cut_after: &str) -> Result<(), Difference> {
    let mut said = Said::by(runs);
    let lost: Vec<&Operation> = changed(whole).filter(|operation| !said.take(operation)).collect();
    if lost.is_empty() {
        return Ok(());
    }
    let heading = format!("it was killed {cut_after}, and the run after that never came to:");
    Err(Difference::of(heading, lost).hint(OWE_IT))
}

/// What one whole run did and another said, too. What is called otherwise each time is missed by nobody.
#[must_use]
pub fn always(one: &[Operation], other: &[Operation]) -> Vec<Operation> {
    let mut said = Said::by(&[other]);
    one.iter().filter(|operation| said.take(operation)).cloned().collect()
}

/// How often operations were said. Each time counts once.
struct Said<'a>(BTreeMap<&'a str, usize>);

impl<'a> Said<'a> {
    fn by(runs: &[&'a [Operation]]) -> Self {
        let mut said = BTreeMap::<&'a str, usize>::new();
        for operation in runs.iter().copied().flatten() {
            *said.entry(&operation.what).or_default() += 1;
        }
        Self(said)
    }

    fn take(&mut self, operation: &Operation) -> bool {
        match self.0.get_mut(operation.what.as_str()) {
            Some(left) if *left > 0 => {
                *left -= 1;
                true
            }
            _ => false,
        }
    }
}

/// So many paths are listed.
const LISTED: usize = 40;

/// Two disks are the same, but for what is allowed, and all that a list allows is needed. In the lines, `-` is what the first
/// disk has, and the second as its image has it, if at all; `+` the other way round; `~` what both have otherwise.
///
/// # Errors
/// With the paths that differ, and the lines of the list that nobody needs.
pub fn trees(one: &Tree, other: &Tree, allowed: &Allowed) -> Result<(), Difference> {
    let different = different(one, other);
    let wrong: Vec<&Path> = different.iter().copied().filter(|path| !allowed.covers(path)).collect();
    let mut lines: Vec<String> =
        wrong.iter().take(LISTED).map(|path| told(path, one.get(*path), other.get(*path))).collect();
    if wrong.len() > LISTED {
        lines.push(format!("and {} more", wrong.len() - LISTED));
    }
    lines.extend(allowed.idle(&different).iter().map(|line| {
        format!("line {} of the list allows `{}`, and nothing that differs is called so", line.number, line.glob)
    }));
    if lines.is_empty() { Ok(()) } else { Err(Difference { lines, hint: None }) }
}

/// The paths at which two disks differ.
#[must_use]
pub fn different<'a>(one: &'a Tree, other: &'a Tree) -> Vec<&'a Path> {
    let paths: BTreeSet<&Path> = one.keys().chain(other.keys()).map(PathBuf::as_path).collect();
    paths.into_iter().filter(|path| one.get(*path) != other.get(*path)).collect()
}

fn told(path: &Path, one: Option<&Entry>, other: Option<&Entry>) -> String {
    let path = path.display();
    match (one, other) {
        (Some(one), None) => format!("- {path}: {}", in_full(one)),
        (None, Some(other)) => format!("+ {path}: {}", in_full(other)),
        (Some(one), Some(other)) if one.kind == other.kind => format!("~ {path}: {}", facets(one, other).join("; ")),
        (Some(one), Some(other)) => format!("~ {path}: {} and {}", in_full(one), in_full(other)),
        (None, None) => path.to_string(),
    }
}

fn in_full(entry: &Entry) -> String {
    let kind = match entry.kind {
        Kind::File => "file",
        Kind::Directory => "directory",
        Kind::Link => "link",
        Kind::Other => "device, socket or pipe",
        Kind::Gone => return "gone".to_owned(),
    };
    format!("{kind} {:04o} {}:{}", entry.mode, entry.uid, entry.gid)
}

/// What two of one kind have otherwise.
fn facets(one: &Entry, other: &Entry) -> Vec<String> {
    let facet = |of: &dyn Fn(&Entry) -> String| {
        let (one, other) = (of(one), of(other));
        (one != other).then(|| format!("{one} and {other}"))
    };
    let facets = [
        facet(&|entry| format!("mode {:04o}", entry.mode)),
        facet(&|entry| format!("owner {}:{}", entry.uid, entry.gid)),
        match one.kind {
            Kind::Link => facet(&|entry| format!("leads to {}", entry.content)),
            _ => (one.content != other.content).then(|| "another content".to_owned()),
        },
    ];
    facets.into_iter().flatten().collect()
}

/// Two hosts have the same packages, as their `/var/lib/dpkg/status` says. In the lines, `-` is what only the first has, `+`
/// what only the second has.
///
/// # Errors
/// With the packages that are not on both, in this version and this state.
pub fn packages(one: &str, other: &str) -> Result<(), Difference> {
    let (one, other) = (installed(one), installed(other));
    let only = |sign: char, of: &BTreeSet<String>, not: &BTreeSet<String>| {
        of.difference(not).map(|package| format!("{sign} package {package}")).collect::<Vec<_>>()
    };
    let lines = [only('-', &one, &other), only('+', &other, &one)].concat();
    if lines.is_empty() { Ok(()) } else { Err(Difference { lines, hint: None }) }
}

/// `nginx:amd64 1.22.1-9 (install ok installed)`.
fn installed(status: &str) -> BTreeSet<String> {
    let package = |paragraph: &str| {
        let field = |name: &str| {
            let value = paragraph.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            value.unwrap_or_default().trim().to_owned()
        };
        let (name, kind, version) = (field("Package"), field("Architecture"), field("Version"));
        (!name.is_empty()).then(|| format!("{name}:{kind} {version} ({})", field("Status")))
    };
    status.split("\n\n").filter_map(package).collect()
}

#[cfg(test)]
mod tests;
