//! A status for Prometheus, in its text format: for the textfile collector of node_exporter.

use std::collections::BTreeMap;

use super::{HerdStatus, HostStatus, Phase};

/// The labels and the value of one sample.
type Sample = (Vec<(&'static str, String)>, u64);

/// A metric of the herd: all are gauges.
struct Metric {
    name: &'static str,
    help: &'static str,
    samples: fn(&HerdStatus) -> Vec<Sample>,
}

/// Sorted by what they are of.
const METRICS: [Metric; 23] = [
    Metric {
        name: "wildebeest_status_timestamp_seconds",
        help: "When the herd was looked at, in seconds since 1970.",
        samples: |herd| one(herd.time),
    },
    Metric {
        name: "wildebeest_change_number",
        help: "The number of the newest change.",
        samples: |herd| one(herd.change.unwrap_or_default()),
    },
    Metric {
        name: "wildebeest_settled",
        help: "Whether every host is well and at the target, and no canary is pending.",
        samples: |herd| one(herd.settled.into()),
    },
    Metric {
        name: "wildebeest_needs_people",
        help: "Whether the herd does not get to its target before somebody acts.",
        samples: |herd| one((herd.verdict == super::Verdict::NeedsPeople).into()),
    },
    Metric {
        name: "wildebeest_canary_pending",
        help: "Whether hosts go first, and the others do not follow yet.",
        samples: |herd| one(herd.canary.is_some().into()),
    },
    Metric {
        name: "wildebeest_holds",
        help: "How many holds there are, of the herd, of roles and of hosts.",
        samples: |herd| one(count(herd.holds.len())),
    },
    Metric {
        name: "wildebeest_newcomers",
        help: "How many machines enrolled and wait to be admitted.",
        samples: |herd| one(count(herd.newcomers.len())),
    },
    Metric { name: "wildebeest_hosts", help: "How many hosts there are in each phase.", samples: by_phase },
    Metric {
        name: "wildebeest_host_info",
        help: "Each host with its roles and the migration that it is at; always 1.",
        samples: |herd| herd.hosts.iter().map(info).collect(),
    },
    Metric {
        name: "wildebeest_host_up_to_date",
        help: "Whether the host is at the target, well, and has nothing to do.",
        samples: |herd| each(herd, |host| Some(host.is_settled().into())),
    },
    Metric {
        name: "wildebeest_host_healthy",
        help: "Whether nothing is wrong with the host.",
        samples: |herd| each(herd, |host| Some(host.healthy.into())),
    },
    Metric {
        name: "wildebeest_host_behind_links",
        help: "How many migrations the host has yet to run; missing where that is not known.",
        samples: |herd| each(herd, |host| host.behind.map(count)),
    },
    Metric {
        name: "wildebeest_host_failed",
        help: "Whether a migration failed on the host, by its last report, however old that is; missing where no report counts.",
        samples: |herd| each(herd, |host| host.failed.map(u64::from)),
    },
    Metric {
        name: "wildebeest_host_unknown",
        help: "Whether nobody knows what the host does: its last report is too old, or there is none.",
        samples: |herd| each(herd, |host| Some(matches!(host.phase, Phase::Unknown | Phase::Silent).into())),
    },
    Metric {
        name: "wildebeest_host_drifted_specs",
        help: "How many specs of completed migrations do not hold on the host any more.",
        samples: |herd| each(herd, |host| Some(count(host.drift.len()))),
    },
    Metric {
        name: "wildebeest_host_held",
        help: "Whether an operator holds the host.",
        samples: |herd| each(herd, |host| Some(host.held_by.is_some().into())),
    },
    Metric {
        name: "wildebeest_host_waiting_seconds",
        help: "For how long the host has waited for what it waits for; 0 where it does not wait.",
        samples: |herd| each(herd, |host| Some(waited(herd, host))),
    },
    Metric {
        name: "wildebeest_host_overdue",
        help: "Whether the host waits for longer than the migration says that it should.",
        samples: |herd| each(herd, |host| Some((host.phase == Phase::Overdue).into())),
    },
    Metric {
        name: "wildebeest_host_last_seen_timestamp_seconds",
        help: "When the host reported last, in seconds since 1970; missing where it never did.",
        samples: |herd| each(herd, |host| host.reported),
    },
    Metric {
        name: "wildebeest_host_verified_timestamp_seconds",
        help: "When all specs of the host were asked last, in seconds since 1970; missing where they never were.",
        samples: |herd| each(herd, |host| host.verified),
    },
    Metric {
        name: "wildebeest_host_accepted_change_number",
        help: "The number of the newest change that the host accepted; missing where there is none.",
        samples: |herd| each(herd, |host| host.change),
    },
    Metric {
        name: "wildebeest_role_out_of_load_hosts",
        help: "How many hosts of the role are out of load, by claims that count.",
        samples: |herd| herd.pools.iter().map(|pool| (role(&pool.role), count(pool.out))).collect(),
    },
    Metric {
        name: "wildebeest_role_out_of_load_limit_hosts",
        help: "How many hosts of the role may be out of load at once.",
        samples: |herd| herd.pools.iter().map(|pool| (role(&pool.role), count(pool.limit))).collect(),
    },
];

impl HerdStatus {
    /// All of it in Prometheus' text format.
    #[must_use]
    pub fn metrics(&self) -> String {
        let metric = |Metric { name, help, samples }: &Metric| {
            let samples =
                samples(self).into_iter().map(|(labels, value)| format!("{name}{} {value}\n", braced(&labels)));
            format!("# HELP {name} {help}\n# TYPE {name} gauge\n{}", samples.collect::<String>())
        };
        METRICS.iter().map(metric).collect()
    }
}

fn one(value: u64) -> Vec<Sample> {
    vec![(Vec::new(), value)]
}

fn count(things: usize) -> u64 {
    things.try_into().unwrap_or(u64::MAX)
}

fn role(name: &str) -> Vec<(&'static str, String)> {
    vec![("role", name.to_owned())]
}

fn each(herd: &HerdStatus, value: impl Fn(&HostStatus) -> Option<u64>) -> Vec<Sample> {
    let sample = |host: &HostStatus| Some((vec![("host", host.name.clone())], value(host)?));
    herd.hosts.iter().filter_map(sample).collect()
}

fn by_phase(herd: &HerdStatus) -> Vec<Sample> {
    let mut counts: BTreeMap<Phase, u64> = Phase::ALL.into_iter().map(|phase| (phase, 0)).collect();
    herd.hosts.iter().for_each(|host| *counts.entry(host.phase).or_default() += 1);
    counts.into_iter().map(|(phase, hosts)| (vec![("phase", phase.name().to_owned())], hosts)).collect()
}

fn info(host: &HostStatus) -> Sample {
    let roles = host.roles.iter().map(String::as_str).collect::<Vec<_>>().join(",");
    let labels = [
        ("host", host.name.clone()),
        ("roles", roles),
        ("migration", host.migration.clone().unwrap_or_default()),
        ("sha1", host.state.map(|state| state.to_string()).unwrap_or_default()),
    ];
    (labels.into(), 1)
}

fn waited(herd: &HerdStatus, host: &HostStatus) -> u64 {
    let waits = matches!(host.phase, Phase::Waiting | Phase::Overdue | Phase::Held);
    host.since.filter(|_| waits).map_or(0, |since| herd.time.saturating_sub(since))
}

fn braced(labels: &[(&'static str, String)]) -> String {
    if labels.is_empty() {
        return String::new();
    }
    let label = |(name, value): &(&str, String)| format!("{name}=\"{}\"", escaped(value));
    format!("{{{}}}", labels.iter().map(label).collect::<Vec<_>>().join(","))
}

/// A host may say anything.
fn escaped(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::tests::{Herd, eventful};
    use super::*;

    /// A strict reading of the text format: metrics with HELP and TYPE, each in one piece, with samples that differ in
    /// their labels. Gives each sample and its value.
    fn parse(text: &str) -> Result<BTreeMap<String, f64>, String> {
        let (mut samples, mut metrics, mut current) = (BTreeMap::new(), BTreeSet::new(), None);
        let mut lines = text.strip_suffix('\n').ok_or("the last line has no end")?.split('\n');
        while let Some(line) = lines.next() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, text) = help.split_once(' ').ok_or(line)?;
                let kind = lines.next().and_then(|line| line.strip_prefix("# TYPE "));
                if !is_name(name) || text.is_empty() || kind != Some(&format!("{name} gauge")) {
                    return Err(format!("no metric: {line}"));
                }
                if !metrics.insert(name.to_owned()) {
                    return Err(format!("{name} is there twice"));
                }
                current = Some(name.to_owned());
                continue;
            }
            let (name, rest) = line.split_at(line.find(['{', ' ']).ok_or(line)?);
            let value = labels(rest).ok_or(line)?.strip_prefix(' ').ok_or(line)?;
            if current.as_deref() != Some(name) {
                return Err(format!("{name} is not under its own heading"));
            }
            let value = value.parse::<f64>().map_err(|error| format!("{line}: {error}"))?;
            if samples.insert(line.rsplit_once(' ').ok_or(line)?.0.to_owned(), value).is_some() {
                return Err(format!("{line} is there twice"));
            }
        }
        Ok(samples)
    }

    fn is_name(name: &str) -> bool {
        let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_';
        name.starts_with(is_letter) && name.chars().all(|c| is_letter(c) || c.is_ascii_digit())
    }

    /// What comes after the labels, if there are any, and they are well formed.
    fn labels(text: &str) -> Option<&str> {
        let Some(mut rest) = text.strip_prefix('{') else { return Some(text) };
        loop {
            let (name, after) = rest.split_once("=\"")?;
            rest = quoted(after).filter(|_| is_name(name))?;
            match rest.split_at_checked(1)? {
                (",", more) => rest = more,
                ("}", more) => return Some(more),
                _ => return None,
            }
        }
    }

    /// What comes after the closing quote of a value.
    fn quoted(text: &str) -> Option<&str> {
        let mut letters = text.char_indices();
        while let Some((at, c)) = letters.next() {
            match c {
                '"' => return Some(&text[at + 1..]),
                '\\' => matches!(letters.next()?.1, '\\' | '"' | 'n').then_some(())?,
                _ => {}
            }
        }
        None
    }

    #[test]
    fn metrics_are_what_prometheus_reads() {
        let status = eventful().status();
        let metrics = parse(&status.metrics()).unwrap();
        let check = |sample: &str, expect| assert_eq!(metrics.get(sample).copied(), expect, "{sample}");
        check("wildebeest_change_number", Some(4.0));
        check("wildebeest_settled", Some(0.0));
        check("wildebeest_needs_people", Some(1.0));
        check(r#"wildebeest_hosts{phase="up to date"}"#, Some(1.0));
        check(r#"wildebeest_hosts{phase="leaving"}"#, Some(0.0));
        check(r#"wildebeest_host_behind_links{host="web2"}"#, Some(1.0));
        check(r#"wildebeest_host_behind_links{host="web5"}"#, None);
        check(r#"wildebeest_host_failed{host="web4"}"#, Some(1.0));
        check(r#"wildebeest_host_unknown{host="webb"}"#, Some(1.0));
        check(r#"wildebeest_host_drifted_specs{host="weba"}"#, Some(2.0));
        check(r#"wildebeest_host_waiting_seconds{host="web3"}"#, Some(600.0));
        check(r#"wildebeest_host_waiting_seconds{host="web2"}"#, Some(0.0));
        check(r#"wildebeest_host_last_seen_timestamp_seconds{host="web1"}"#, Some(1_000_000.0));
        check(r#"wildebeest_host_last_seen_timestamp_seconds{host="web7"}"#, None);
        check(r#"wildebeest_role_out_of_load_hosts{role="web"}"#, Some(2.0));
        check(r#"wildebeest_role_out_of_load_limit_hosts{role="web"}"#, Some(2.0));
        let hosts = |state: &str| metrics.keys().filter(|key| key.starts_with(state)).count();
        assert_eq!(hosts("wildebeest_host_info{"), status.hosts.len());
    }

    /// Only a report that says that the host goes on makes it 0: not one that is late, nor one that is lost.
    #[test]
    fn who_failed_has_failed_until_it_says_otherwise() {
        let check = |host: &str, change: fn(&mut Herd), expect: [Option<f64>; 3]| {
            let mut herd = Herd::new(&[host]);
            change(&mut herd);
            let metrics = parse(&herd.status().metrics()).unwrap();
            let names = [
                "wildebeest_host_failed{host=\"web1\"}",
                "wildebeest_host_unknown{host=\"web1\"}",
                "wildebeest_needs_people",
            ];
            assert_eq!(names.map(|name| metrics.get(name).copied()), expect, "{host}");
        };
        let (no, yes) = (Some(0.0), Some(1.0));
        let late = |herd: &mut Herd| herd.report("web1").time = 990_000;
        check("web1@2 failed", |_| (), [yes, no, yes]);
        check("web1@2 failed", late, [yes, yes, yes]);
        check("web1@2 failed", |herd| herd.report("web1").contested = true, [yes, no, yes]);
        check("web1@2 failed", |herd| herd.known.reports.clear(), [None, yes, no]);
        check("web1@2 runs", late, [no, yes, no]);
        let retried = |herd: &mut Herd| {
            herd.known.manifest.hosts.get_mut("web1").unwrap().retry = 4;
            herd.report("web1").time = 990_000;
        };
        check("web1@2 failed", retried, [yes, yes, no]);
    }

    #[test]
    fn a_host_may_say_anything() {
        let mut herd = Herd::new(&["web1@3"]);
        herd.report("web1").link = Some("a\"b\\c\nd{e=\"f\"} 1".into());
        let metrics = parse(&herd.status().metrics()).unwrap();
        let escaped = r#"migration="a\"b\\c\nd{e=\"f\"} 1""#;
        assert!(metrics.keys().any(|key| key.contains(escaped)), "{metrics:?}");
    }

    #[test]
    fn what_prometheus_does_not_read_is_not_read_here() {
        let check = |text: &str| assert!(parse(text).is_err(), "{text}");
        let heading = "# HELP a b\n# TYPE a gauge\n";
        assert!(parse(&format!("{heading}a 1\na{{b=\"c\"}} 2\n")).is_ok());
        for wrong in ["a 1", "b 1\n", "a x\n", "a{b} 1\n", "a{b=\"\"c} 1\n", "a{b=\"c\\d\"} 1\n", "a 1\na 2\n", "a1\n"]
        {
            check(&format!("{heading}{wrong}"));
        }
        check("a 1\n");
        check("# HELP a b\na 1\n");
        check(&format!("{heading}{heading}"));
    }
}
