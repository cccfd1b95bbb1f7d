//! A status as a page for people: what needs them first, and what is well in a line where there is much of it.

use wb_core::chain::some_of;

use super::{CanaryStatus, HerdStatus, HolderStatus, HostStatus, Phase, PoolStatus, Verdict};
use crate::calendar::{ago, span};
use crate::shell::{Canvas, Tone};
use crate::table::{Table, one_line};

/// So many hosts are listed in any case.
const LISTED: usize = 24;

impl HerdStatus {
    /// As text for this place. Of many hosts, those that are well are counted, unless `all` are to be listed.
    #[must_use]
    pub fn page(&self, all: bool, canvas: &Canvas) -> String {
        let mut lines = self.hosts_in_lines(all, canvas);
        lines.extend(self.claims(canvas));
        lines.extend(self.told());
        lines.push(canvas.paint(self.tone(), &self.summary()));
        lines.extend(self.hints().into_iter().map(|hint| format!("hint: {hint}")));
        lines.extend(self.newcomers.iter().map(|name| self.newcomer(name)));
        lines.extend(self.untold());
        lines.iter().map(|line| format!("{line}\n")).collect()
    }

    fn hosts_in_lines(&self, all: bool, canvas: &Canvas) -> Vec<String> {
        let is_short = all || self.hosts.len() <= LISTED;
        let (listed, well): (Vec<&HostStatus>, Vec<&HostStatus>) =
            self.hosts.iter().partition(|host| is_short || !host.is_well());
        let mut lines = if listed.is_empty() { Vec::new() } else { self.table(listed, canvas) };
        if !well.is_empty() {
            lines.push(format!("{} hosts are well and up to date; --all lists them", well.len()));
        }
        lines
    }

    /// As lines of a table, those that need people first.
    fn table(&self, mut hosts: Vec<&HostStatus>, canvas: &Canvas) -> Vec<String> {
        hosts.sort_by_key(|host| host.rank());
        let columns = ["host", "roles", "state", "behind", "phase", "since", "last seen"];
        let without = |dropped: &[&str]| {
            let kept: Vec<&str> = columns.into_iter().filter(|column| !dropped.contains(column)).collect();
            self.columns(&hosts, &kept)
        };
        let [whole, narrow, narrowest] =
            [without(&[]), without(&["roles"]), without(&["roles", "last seen", "behind"])];
        let fits = |table: &&Table| canvas.width.is_none_or(|width| table.width() <= width);
        [&whole, &narrow].into_iter().find(fits).unwrap_or(&narrowest).lines(canvas)
    }

    fn columns(&self, hosts: &[&HostStatus], columns: &[&str]) -> Table {
        let mut table = Table::new(columns);
        for host in hosts {
            let cells = columns.iter().map(|column| self.cell(host, column));
            table.row_with(host.tone(), cells, &host.detail);
        }
        table
    }

    fn cell(&self, host: &HostStatus, column: &str) -> String {
        match column {
            "host" if host.canary => format!("{} (canary)", host.name),
            "host" => host.name.clone(),
            "roles" => host.roles.iter().map(String::as_str).collect::<Vec<_>>().join("+"),
            "state" => host.at(),
            "behind" => host.behind.map_or_else(|| "?".to_owned(), |behind| behind.to_string()),
            "phase" => host.phase.name().to_owned(),
            "since" => host.since.map_or_else(|| "?".to_owned(), |since| span(self.time.saturating_sub(since))),
            _ => host.reported.map_or_else(|| "never".to_owned(), |time| ago(self.time, time)),
        }
    }

    /// Who is out of load, role by role.
    fn claims(&self, canvas: &Canvas) -> Vec<String> {
        let taken: Vec<_> = self.pools.iter().filter(|pool| !pool.holders.is_empty()).collect();
        if taken.is_empty() {
            return Vec::new();
        }
        let mut table = Table::new(&["out of load", "host", "since", "phase"]);
        for pool in taken {
            let role = format!("{}: {} of {}", pool.role, pool.out, pool.limit);
            let roles = std::iter::once(role).chain(std::iter::repeat(String::new()));
            for (role, holder) in roles.zip(&pool.holders) {
                let phase = holder.phase.map_or("gone", Phase::name);
                let cells = [role, holder.host.clone(), span(self.time.saturating_sub(holder.since)), phase.to_owned()];
                table.row_with(Tone::Plain, cells, &reason(holder));
            }
        }
        [String::new()].into_iter().chain(table.lines(canvas)).chain([String::new()]).collect()
    }

    /// What an operator told beside the target.
    fn told(&self) -> Vec<String> {
        let lost =
            self.lost_change.map(|number| format!("the remote has lost change {number}, which was seen from here"));
        let damage =
            |pool: &PoolStatus| Some(one_line(&format!("the pool of {} {}", pool.role, pool.damage.as_ref()?)));
        let damaged = self.pools.iter().filter_map(damage);
        let canary = self.canary.iter().flat_map(|canary| self.canaries(canary));
        let held = self
            .holds
            .iter()
            .map(|hold| one_line(&format!("hold: {}, by change {}: {}", hold.whom, hold.change, hold.why)));
        let waived = self.waived.iter().map(|waiver| {
            let link = format!("`{}` ({})", waiver.migration, waiver.link.short());
            format!("waived: {link} does not wait for {}, by change {}", waiver.host, waiver.change)
        });
        let untested = self.untested.then(|| "untested: a runner was deployed that no test attests".to_owned());
        lost.into_iter().chain(damaged).chain(canary).chain(held).chain(waived).chain(untested).collect()
    }

    fn canaries(&self, canary: &CanaryStatus) -> Vec<String> {
        let target = format!("`{}` ({})", canary.migration, canary.target.short());
        let then = match (canary.bake, canary.left) {
            (None, _) => "until somebody promotes".to_owned(),
            (Some(bake), None) => format!("to bake for {} once all have passed", span(bake)),
            (Some(bake), Some(left)) => format!("baking for {}, {} to go", span(bake), span(left)),
        };
        let host = |(host, passed): (&String, &Option<u64>)| match passed {
            Some(passed) => format!("  {host} passed {}", ago(self.time, *passed)),
            None => format!("  {host} has not passed"),
        };
        std::iter::once(format!("canary: up to {target}, {then}")).chain(canary.hosts.iter().map(host)).collect()
    }

    fn tone(&self) -> Tone {
        match self.verdict {
            Verdict::Settled => Tone::Good,
            Verdict::OnItsWay => Tone::Plain,
            Verdict::NeedsPeople => Tone::Bad,
        }
    }

    fn newcomer(&self, name: &str) -> String {
        match self.hosts.iter().any(|host| host.admitted && host.name == *name) {
            true => format!(
                "another machine enrolled as `{name}`; if that takes the place of a lost one: cargo xtask host admit {name} --replace"
            ),
            false => format!("`{name}` enrolled and waits; next: cargo xtask host admit {name}"),
        }
    }

    /// Who stands in `herd.toml` only. Whose machine enrolled has a line of its own.
    fn untold(&self) -> Option<String> {
        let names: Vec<String> = self.unannounced.difference(&self.newcomers).cloned().collect();
        let first = names.first()?;
        let (stand, on) = if names.len() == 1 { ("stands", "on") } else { ("stand", "for each, as for the first: on") };
        Some(format!(
            "note: {} {stand} in herd.toml only; next: {on} the machine: wildebeest enroll --name {first} …, then cargo xtask host admit {first}",
            some_of(&names)
        ))
    }
}

impl HostStatus {
    fn rank(&self) -> (bool, bool, Phase) {
        (!self.needs_people, self.healthy, self.phase)
    }

    fn tone(&self) -> Tone {
        match (self.needs_people, self.healthy, self.phase) {
            (true, _, Phase::Held | Phase::Expected) => Tone::Careful,
            (true, ..) | (_, false, Phase::Failed) => Tone::Bad,
            (_, false, _) => Tone::Careful,
            _ => Tone::Plain,
        }
    }
}

/// What a host is out for, and whether that counts.
fn reason(holder: &HolderStatus) -> String {
    match holder.freed_by {
        Some(change) if holder.detail.is_empty() => format!("freed by change {change}"),
        Some(change) => format!("freed by change {change}; {}", holder.detail),
        None => holder.detail.clone(),
    }
}
