//! What HAProxy itself says of its servers, asked again and again on its admin socket.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use wb_core::system::clock::{self, Clock as _};
use wb_core::system::socket;

/// A server that went out of load or came back, as HAProxy saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// Its name.
    pub server: String,
    /// Whether it is out of load now.
    pub out: bool,
}

/// Samples HAProxy's statistics until it is dropped.
#[derive(Debug)]
pub struct Sampler {
    ends: Arc<AtomicBool>,
    seen: Arc<Mutex<BTreeSet<Outs>>>,
    turns: Receiver<Turn>,
    thread: Option<JoinHandle<()>>,
}

/// The servers that were out at one moment.
type Outs = BTreeSet<String>;

const EVERY: Duration = Duration::from_millis(25);

impl Sampler {
    /// Starts sampling the HAProxy whose admin socket is at `socket`.
    #[must_use]
    pub fn start(socket: PathBuf) -> Self {
        let (ends, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(BTreeSet::new())));
        let (send, turns) = channel();
        let shared = (Arc::clone(&ends), Arc::clone(&seen));
        let thread = std::thread::spawn(move || {
            let mut before = BTreeMap::new();
            while !shared.0.load(Ordering::Relaxed) {
                clock::Real.sleep(EVERY);
                let Some(now) = sample(&socket) else { continue };
                shared.1.lock().unwrap_or_else(PoisonError::into_inner).insert(outs(&now));
                let told = turned(&before, &now).into_iter().all(|turn| send.send(turn).is_ok());
                if !told {
                    return;
                }
                before = now;
            }
        });
        Self { ends, seen, turns, thread: Some(thread) }
    }

    /// Who turned since this was last asked.
    #[must_use]
    pub fn turns(&self) -> Vec<Turn> {
        self.turns.try_iter().collect()
    }

    /// The greatest number of servers that were out at once so far, of those that count.
    #[must_use]
    pub fn most_out(&self, counts: impl Fn(&str) -> bool) -> usize {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter().map(|outs| outs.iter().filter(|server| counts(server)).count()).max().unwrap_or(0)
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn sample(socket: &Path) -> Option<BTreeMap<String, bool>> {
    let answer = socket::ask_local(socket, b"show stat\n", Duration::from_secs(2)).ok()?;
    Some(servers_out(&String::from_utf8_lossy(&answer)))
}

/// The servers in the CSV of `show stat`, and whether each one is out: in any other state than `UP`.
fn servers_out(csv: &str) -> BTreeMap<String, bool> {
    let mut lines = csv.lines();
    let heading: Vec<&str> = lines.next().unwrap_or_default().trim_start_matches("# ").split(',').collect();
    let column = |name: &str| heading.iter().position(|column| *column == name);
    let (Some(server), Some(status)) = (column("svname"), column("status")) else { return BTreeMap::new() };
    let rows = lines.map(|line| line.split(',').collect::<Vec<_>>());
    let rows = rows.filter_map(|row| Some((*row.get(server)?, *row.get(status)?)));
    let web = rows.filter(|(server, _)| server.starts_with("web"));
    web.map(|(server, status)| (server.to_owned(), !status.starts_with("UP"))).collect()
}

fn outs(servers: &BTreeMap<String, bool>) -> Outs {
    servers.iter().filter(|(_, out)| **out).map(|(server, _)| server.clone()).collect()
}

fn turned(before: &BTreeMap<String, bool>, now: &BTreeMap<String, bool>) -> Vec<Turn> {
    let turned = now.iter().filter(|(server, out)| before.get(*server).is_some_and(|was| was != *out));
    turned.map(|(server, out)| Turn { server: server.clone(), out: *out }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CSV: &str = "# pxname,svname,scur,status,weight\nfront,FRONTEND,1,OPEN,\npages,web1,0,UP,1\n\
        pages,web2,0,DRAIN,0\npages,web3,0,UP 1/2,1\npages,BACKEND,0,UP,2\nadmin,socket,0,no check,1\n\n";

    #[test]
    fn a_server_that_is_not_up_is_out() {
        let servers = servers_out(CSV);
        let servers: Vec<(&str, bool)> = servers.iter().map(|(name, out)| (name.as_str(), *out)).collect();
        assert_eq!(servers, [("web1", false), ("web2", true), ("web3", false)]);
        assert_eq!(servers_out("").len(), 0);
    }

    #[test]
    fn a_turn_is_a_change() {
        let (before, now) =
            (servers_out(CSV), servers_out(&CSV.replace("DRAIN", "UP").replace("web1,0,UP", "web1,0,DRAIN")));
        let turn = |server: &str, out| Turn { server: server.into(), out };
        assert_eq!(turned(&before, &now), [turn("web1", true), turn("web2", false)]);
        assert_eq!(turned(&BTreeMap::new(), &now), []);
    }
}
