//! Steady HTTP requests, each on a connection of its own, none ever repeated.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use wb_core::runner::with_causes;
use wb_core::system::clock::{self, Clock as _};
use wb_core::system::socket;

use crate::sandbox::{Network, SandboxError};

/// What a request came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The page before the roll.
    Old,
    /// The page after it.
    New,
    /// No answer in time, another status than 200, or neither page: what came instead.
    Failed(String),
}

impl Answer {
    /// Whether it is no page.
    #[must_use]
    pub fn is_failed(&self) -> bool {
        matches!(self, Self::Failed(_))
    }
}

/// A request that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// When it began, since 1970.
    pub began: Duration,
    /// What it came to.
    pub answer: Answer,
}

/// What tells the pages apart.
#[derive(Debug, Clone, Copy)]
pub struct Pages {
    /// Stands in the page before the roll only.
    pub old: &'static str,
    /// Stands in the page after it only.
    pub new: &'static str,
}

/// A client that asks for the page again and again, from several threads.
#[derive(Debug)]
pub struct Load {
    ends: Arc<AtomicBool>,
    requests: Arc<Mutex<Vec<Request>>>,
    threads: Vec<JoinHandle<Result<(), SandboxError>>>,
}

/// An answer that takes longer is none. A machine that plays many hosts may be busy with others for seconds.
const PATIENCE: Duration = Duration::from_secs(15);

/// Four threads at this pace make a little under 40 requests a second.
const THREADS: usize = 4;
const PACE: Duration = Duration::from_millis(100);

impl Load {
    /// Starts asking `server` for its page.
    #[must_use]
    pub fn start(network: Network, server: Ipv4Addr, pages: Pages) -> Self {
        let (ends, requests) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let one = |_| {
            let (ends, requests) = (Arc::clone(&ends), Arc::clone(&requests));
            std::thread::spawn(move || {
                network.enter()?;
                while !ends.load(Ordering::Relaxed) {
                    let request = request(server, pages);
                    requests.lock().unwrap_or_else(PoisonError::into_inner).push(request);
                    clock::Real.sleep(PACE);
                }
                Ok(())
            })
        };
        Self { threads: (0..THREADS).map(one).collect(), ends, requests }
    }

    /// How many requests were made so far, and how many of them failed.
    #[must_use]
    pub fn so_far(&self) -> (usize, usize) {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        (requests.len(), requests.iter().filter(|request| request.answer.is_failed()).count())
    }

    /// Stops asking, and gives all requests in the order in which they ended.
    ///
    /// # Errors
    /// When a thread did not get into the network.
    pub fn end(mut self) -> Result<Vec<Request>, SandboxError> {
        self.ends.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        }
        Ok(std::mem::take(&mut *self.requests.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
    }
}

fn request(server: Ipv4Addr, pages: Pages) -> Request {
    let began = clock::Real.now();
    let question = format!("GET / HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n");
    let answer = socket::ask(&socket::address(&server.to_string(), 80), question.as_bytes(), PATIENCE);
    let answer = match answer {
        Ok(text) => judge(&String::from_utf8_lossy(&text), pages),
        Err(error) => Answer::Failed(with_causes(&error)),
    };
    Request { began, answer }
}

fn judge(text: &str, pages: Pages) -> Answer {
    let ok = text.split_whitespace().nth(1) == Some("200");
    match (ok, text.contains(pages.old), text.contains(pages.new)) {
        (true, true, false) => Answer::Old,
        (true, false, true) => Answer::New,
        _ => Answer::Failed(text.lines().next().unwrap_or("nothing").to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_one_of_the_pages_with_200() {
        let pages = Pages { old: "first", new: "second" };
        let check = |text: &str, expect| assert_eq!(judge(text, pages), expect, "{text}");
        check("HTTP/1.1 200 OK\r\n\r\nthe first page", Answer::Old);
        check("HTTP/1.1 200 OK\r\n\r\nthe second page", Answer::New);
        let failed = |said: &str| Answer::Failed(said.into());
        check("HTTP/1.1 503 Service Unavailable\r\n\r\nthe first page", failed("HTTP/1.1 503 Service Unavailable"));
        check("HTTP/1.1 200 OK\r\n\r\nWelcome to nginx!", failed("HTTP/1.1 200 OK"));
        check("HTTP/1.1 200 OK\r\n\r\nfirst and second", failed("HTTP/1.1 200 OK"));
        check("", failed("nothing"));
    }
}
