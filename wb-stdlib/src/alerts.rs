//! Asking Prometheus which alerts fire: for a role's gate, which keeps the next host in load while something is wrong.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use crate::Look;
use crate::http::{Answer, HttpError, Request};

/// Why nobody can say that no alert fires.
#[derive(Debug, thiserror::Error)]
pub enum AlertsError {
    /// Some do.
    #[error("{}: {}", how_many(alerts.len()), list(alerts))]
    Firing {
        /// Which, in the order of their names.
        alerts: Vec<Alert>,
    },
    /// There is no answer.
    #[error("could not ask for alerts")]
    Http(#[from] HttpError),
    /// The answer is no list of alerts.
    #[error("{url} answered {answer} where it was asked for alerts")]
    Status {
        /// What was asked.
        url: String,
        /// What came.
        answer: Answer,
    },
    /// The answer can't be read.
    #[error("what {url} answered is no list of alerts")]
    Syntax {
        /// What was asked.
        url: String,
        /// Why.
        source: serde_json::Error,
    },
}

/// An alert.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Alert {
    /// What tells it from others; its name is the label `alertname`.
    pub labels: BTreeMap<String, String>,
    /// Whether it fires, or is `pending`.
    state: String,
    /// Since when, as Prometheus writes it.
    #[serde(rename = "activeAt", default)]
    pub since: String,
}

/// The alerts of a Prometheus. [`Look::alerts`] makes it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// /// Serves pages.
/// #[role(max_out = "25%")]
/// struct Web;
///
/// impl Role for Web {
///     fn gate(host: &View) -> Result<()> {
///         host.alerts("http://prometheus.example.org:9090").labelled("severity", "page").none_firing()?;
///         Ok(())
///     }
/// }
/// ```
#[must_use = "say what is expected: `.none_firing()?`"]
pub struct Alerts<A> {
    access: A,
    url: String,
    labels: BTreeMap<String, String>,
}

impl<A: Look> Alerts<A> {
    pub(crate) fn new(access: A, url: &str) -> Self {
        let url = format!("{}/api/v1/alerts", url.trim_end_matches('/'));
        Self { access, url, labels: BTreeMap::new() }
    }

    /// Counts only alerts that have this label with this value, as in `"severity", "page"`. Of several such words, all
    /// must fit.
    pub fn labelled(mut self, label: &str, value: &str) -> Self {
        self.labels.insert(label.to_owned(), value.to_owned());
        self
    }

    /// Checks that none fires. What is silenced in an Alertmanager fires all the same: Prometheus does not know of that.
    ///
    /// # Errors
    /// When some do, with their labels, or nobody can say.
    pub fn none_firing(&self) -> Result<(), AlertsError> {
        match self.firing()? {
            alerts if alerts.is_empty() => Ok(()),
            alerts => Err(AlertsError::Firing { alerts }),
        }
    }

    /// Those that fire, in the order of their names.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn what_fires(host: &View) -> Result<Vec<String>> {
    ///     let firing = host.alerts("http://prometheus.example.org:9090").labelled("job", "shop").firing()?;
    ///     Ok(firing.iter().map(|alert| format!("{} since {}", alert.name(), alert.since)).collect())
    /// }
    /// # let _ = what_fires as fn(&View) -> Result<Vec<String>>;
    /// ```
    ///
    /// # Errors
    /// When nobody can say.
    pub fn firing(&self) -> Result<Vec<Alert>, AlertsError> {
        let answer = Request::new(self.access, &self.url).get()?;
        let url = || self.url.clone();
        if answer.status != 200 {
            return Err(AlertsError::Status { url: url(), answer });
        }
        let all = parse(&answer.body).map_err(|source| AlertsError::Syntax { url: url(), source })?;
        Ok(firing(all, &self.labels))
    }
}

impl Alert {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.labels.get("alertname").map_or("an alert without a name", String::as_str)
    }
}

impl fmt::Display for Alert {
    /// Its name, with its other labels: `` `HighLatency` (job=shop, severity=page) ``.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.name())?;
        let others = self.labels.iter().filter(|(label, _)| *label != "alertname");
        let others: Vec<String> = others.map(|(label, value)| format!("{label}={value}")).collect();
        if !others.is_empty() {
            write!(f, " ({})", others.join(", "))?;
        }
        match self.since.split(['.', 'Z']).next().unwrap_or_default() {
            "" => Ok(()),
            since if self.since.ends_with('Z') => write!(f, " since {since}Z"),
            _ => write!(f, " since {}", self.since),
        }
    }
}

#[derive(Deserialize)]
struct Said {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    alerts: Vec<Alert>,
}

/// The alerts of an answer to `/api/v1/alerts`.
fn parse(body: &str) -> Result<Vec<Alert>, serde_json::Error> {
    serde_json::from_str::<Said>(body).map(|said| said.data.alerts)
}

/// Those of them that fire and have all these labels.
fn firing(alerts: Vec<Alert>, labels: &BTreeMap<String, String>) -> Vec<Alert> {
    let fits = |alert: &Alert| labels.iter().all(|(label, value)| alert.labels.get(label) == Some(value));
    let mut firing: Vec<Alert> =
        alerts.into_iter().filter(|alert| alert.state == "firing").filter(|alert| fits(alert)).collect();
    firing.sort_by(|one, other| (one.name(), one).cmp(&(other.name(), other)));
    firing
}

fn how_many(alerts: usize) -> String {
    if alerts == 1 { "an alert fires".to_owned() } else { format!("{alerts} alerts fire") }
}

fn list(alerts: &[Alert]) -> String {
    alerts.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Machine, serve};

    /// As Prometheus 2.42 of Debian 12 answers.
    const CAPTURED: &str = include_str!("alerts/captured.json");

    fn said(labels: &[(&str, &str)]) -> String {
        let labels = labels.iter().map(|(label, value)| ((*label).to_owned(), (*value).to_owned())).collect();
        list(&firing(parse(CAPTURED).unwrap(), &labels))
    }

    #[test]
    fn what_fires_is_named_with_its_labels() {
        let slow = "`HighLatency` (instance=192.0.2.11:80, job=shop, severity=page) since 2026-11-28T14:31:47Z";
        let disk = "`DiskFills` (instance=192.0.2.21:9100, job=node, mountpoint=/var, severity=ticket) since \
                    2026-11-28T14:31:47Z";
        assert_eq!(said(&[]), format!("{disk}; {slow}"));
        assert_eq!(said(&[("severity", "page")]), slow);
        assert_eq!(said(&[("severity", "page"), ("job", "node")]), "");
        assert_eq!(said(&[("severity", "ticket"), ("job", "node")]), disk);
    }

    #[test]
    fn what_is_no_list_of_alerts_is_an_error() {
        assert_eq!(parse(r#"{"status":"success","data":{"alerts":[]}}"#).unwrap(), []);
        for text in ["", "<html>", r#"{"status":"error","errorType":"internal","error":"x"}"#] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    fn ask(answer: &'static str) -> (String, Result<(), String>) {
        let url = format!("http://{}", serve(move |_: &str| answer.to_owned()));
        let asked = Machine::new().view(|host| Ok(host.alerts(&url).labelled("severity", "page").none_firing()?));
        (url, asked.map_err(|error| format!("{error:#}")))
    }

    #[test]
    fn a_gate_says_why_it_is_closed() {
        let firing = concat!("HTTP/1.0 200 OK\r\n\r\n", include_str!("alerts/captured.json"));
        assert!(ask(firing).1.unwrap_err().starts_with("an alert fires: `HighLatency` (instance=192.0.2.11:80, "));
        ask("HTTP/1.0 200 OK\r\n\r\n{\"status\":\"success\",\"data\":{\"alerts\":[]}}").1.unwrap();
        let (url, error) = ask("HTTP/1.0 503 Service Unavailable\r\n\r\nstarting");
        let expect = format!("{url}/api/v1/alerts answered 503 with `starting` where it was asked for alerts");
        assert_eq!(error.unwrap_err(), expect);
        let (url, error) = ask("HTTP/1.0 200 OK\r\n\r\n<html>");
        assert!(error.unwrap_err().starts_with(&format!("what {url}/api/v1/alerts answered is no list of alerts: ")));
        let asked = Machine::new().view(|host| Ok(host.alerts("ftp://127.0.0.1").none_firing()?));
        assert!(format!("{:#}", asked.unwrap_err()).starts_with("could not ask for alerts: `ftp://127.0.0.1/api/"));
    }
}
