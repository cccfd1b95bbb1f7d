//! Waiting on the host itself: for a port, a file, a process, an answer.

use std::path::Path;
use std::time::Duration;

use wb_core::context::Outcome;

use crate::Host;
use crate::command::Command;
use crate::file::search;
use crate::http::Request;
use crate::look::{Access as _, Look as _};
use crate::port;
use crate::process::{self, Process};

/// How far two looks are apart.
const PAUSE: Duration = Duration::from_millis(200);
/// How long the last look may take, whatever is left of the wait.
const LAST_LOOK: Duration = Duration::from_secs(1);

/// Why a wait was in vain.
#[derive(Debug, thiserror::Error)]
pub enum WaitingError {
    /// It is not so, all the time.
    #[error("expected {what} within {} s, found {found}", bound.as_secs())]
    TooLong {
        /// What was waited for.
        what: String,
        /// How long.
        bound: Duration,
        /// What there was in the end.
        found: String,
    },
    /// Nobody can see whether it is so.
    #[error("could not see whether there is {what}")]
    Blind {
        /// What was waited for.
        what: String,
        /// Why.
        source: anyhow::Error,
    },
}

/// A wait with its end. [`Host::wait_up_to`] makes it.
#[must_use = "say for what: `.for_port(5432)?`"]
pub struct Waiting<'a> {
    host: Host<'a>,
    bound: Duration,
}

/// What a look saw: that it is so, or what there is instead.
type Sight = Result<Option<String>, anyhow::Error>;

impl<'a> Host<'a> {
    /// Waits for something on this host, for so long at most: `host.wait_up_to(Duration::from_secs(30)).for_port(5432)?`.
    ///
    /// The migration's own `timeout` counts meanwhile. A plan looks once and waits for nothing: what is not so yet may be so
    /// by then.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn start_the_shop(host: &Host) -> Result<()> {
    ///     let minute = Duration::from_mins(1);
    ///     host.service("shop").running()?;
    ///     host.wait_up_to(minute).for_port(8080)?;
    ///     host.wait_up_to(minute).for_file("/run/shop/ready")?;
    ///     host.wait_up_to(minute).for_text("/var/lib/shop/state", "migrated")?;
    ///     host.wait_up_to(minute).for_success(&host.command("shop check"))?;
    ///     host.wait_up_to(minute).for_no_process(&host.process("shop-migrate"))?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(start_the_shop);
    /// ```
    pub fn wait_up_to(&self, bound: Duration) -> Waiting<'a> {
        Waiting { host: *self, bound }
    }
}

impl<'a> Waiting<'a> {
    /// Until somebody listens on this TCP port, from 1 to 65535, on whatever address of the host.
    ///
    /// # Errors
    /// When nobody does in time, with the ports on which somebody does.
    pub fn for_port(&self, number: u16) -> Result<Outcome, WaitingError> {
        self.until(format!("a listener on port {number}"), || {
            let found = self.host.port(number).listening()?;
            Ok((!found.contains(&number)).then(|| format!("listeners on {}", port::listed(&found))))
        })
    }

    /// Until nobody listens on this TCP port.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn let_the_old_one_end(host: &Host) -> Result<()> {
    ///     let minute = Duration::from_mins(1);
    ///     host.wait_up_to(minute).for_no_port(8080)?;
    ///     host.wait_up_to(minute).for_no_file("/run/shop/lock")?;
    ///     host.service("shop").running()?;
    ///     host.wait_up_to(minute).for_process(&host.process("shop-worker"))?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(let_the_old_one_end);
    /// ```
    ///
    /// # Errors
    /// When somebody does all the time.
    pub fn for_no_port(&self, number: u16) -> Result<Outcome, WaitingError> {
        self.until(format!("no listener on port {number}"), || {
            Ok(self.host.port(number).listening()?.contains(&number).then(|| "one".to_owned()))
        })
    }

    /// Until there is something at this absolute path: a file, a directory, a socket.
    ///
    /// # Errors
    /// When there is nothing in time, or nobody can see that.
    pub fn for_file(&self, path: impl AsRef<Path>) -> Result<Outcome, WaitingError> {
        let path = path.as_ref();
        self.until(path.display().to_string(), || {
            let is_there = self.host.system().stat(path)?.is_some();
            Ok((!is_there).then(|| "nothing there".to_owned()))
        })
    }

    /// Until there is nothing at this absolute path.
    ///
    /// # Errors
    /// When there is something all the time, or nobody can see that.
    pub fn for_no_file(&self, path: impl AsRef<Path>) -> Result<Outcome, WaitingError> {
        let path = path.as_ref();
        self.until(format!("nothing at {}", path.display()), || {
            let is_there = self.host.system().stat(path)?.is_some();
            Ok(is_there.then(|| "it there".to_owned()))
        })
    }

    /// Until this text stands in the file at this path. For what a log says *from now on*, see [`Host::log`].
    ///
    /// # Errors
    /// When it does not in time, or the file can't be read.
    pub fn for_text(&self, path: impl AsRef<Path>, text: &str) -> Result<Outcome, WaitingError> {
        let path = path.as_ref();
        self.until(format!("`{text}` in {}", path.display()), || {
            Ok(match search(self.host.system(), path, text)? {
                None => Some("no such file".to_owned()),
                Some(found) => (!found.has_it).then(|| format!("{} bytes without it", found.length)),
            })
        })
    }

    /// Until this process runs.
    ///
    /// # Errors
    /// When it does not in time.
    pub fn for_process(&self, process: &Process<Host<'a>>) -> Result<Outcome, WaitingError> {
        self.until(process.word(), || Ok(process.pids()?.is_empty().then(|| "none".to_owned())))
    }

    /// Until this process has ended, and all others of that name.
    ///
    /// # Errors
    /// When one of them runs all the time, with their numbers.
    pub fn for_no_process(&self, process: &Process<Host<'a>>) -> Result<Outcome, WaitingError> {
        self.until(format!("the end of {}", process.word()), || {
            let pids = process.pids()?;
            Ok((!pids.is_empty()).then(|| process::list(&pids)))
        })
    }

    /// Until the server answers with this status, and what else is expected of it.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn wait_for_the_shop(host: &Host) -> Result<()> {
    ///     let health = host.http("http://127.0.0.1:8080/health").with_body("ok");
    ///     host.wait_up_to(Duration::from_mins(1)).for_answer(&health, 200)?;
    ///     Ok(())
    /// }
    /// # let _ = wait_for_the_shop as fn(&Host) -> Result<()>;
    /// ```
    ///
    /// # Errors
    /// When it does not in time, with what it answers.
    pub fn for_answer(&self, request: &Request<Host<'a>>, status: u16) -> Result<Outcome, WaitingError> {
        self.until_within(request.expectation(status), |left| match request.get_within(left) {
            Ok(answer) if request.fits(&answer, &[status]) => Ok(None),
            Ok(answer) => Ok(Some(answer.to_string())),
            Err(error) if error.is_final() => Err(error.into()),
            Err(error) => Ok(Some(chain(&error.into()))),
        })
    }

    /// Until this command, which only looks, ends well. It gets no more time than is left of the wait, but a second. A plan
    /// runs it once.
    ///
    /// # Errors
    /// When it does not in time, with how it ended, or can't be started.
    pub fn for_success(&self, command: &Command<Host<'a>>) -> Result<Outcome, WaitingError> {
        let what = format!("success of `{}`", command.line());
        self.until_within(what, |left| match command.output_expected_within(left) {
            Ok(_) => Ok(None),
            Err(error) if error.is_end() => Ok(Some(error.to_string())),
            Err(error) => Err(error.into()),
        })
    }

    fn until(&self, what: String, mut look: impl FnMut() -> Sight) -> Result<Outcome, WaitingError> {
        self.until_within(what, |_| look())
    }

    /// Looks again and again, and says each time how long that may take.
    fn until_within(&self, what: String, mut look: impl FnMut(Duration) -> Sight) -> Result<Outcome, WaitingError> {
        let end = self.now().saturating_add(self.bound);
        let recorded = |outcome| Ok(self.host.record(&format!("wait for {what}"), outcome));
        loop {
            let left = end.saturating_sub(self.now()).max(LAST_LOOK);
            let found = match look(left) {
                Ok(None) => return recorded(Outcome::Unchanged),
                Ok(Some(found)) if self.host.plans() => {
                    return recorded(Outcome::Unknown { why: format!("found {found}") });
                }
                Err(error) if self.host.plans() => return recorded(Outcome::Unknown { why: chain(&error) }),
                Ok(Some(found)) => found,
                Err(source) => return Err(WaitingError::Blind { what, source }),
            };
            if self.now() >= end {
                return Err(WaitingError::TooLong { what, bound: self.bound, found });
            }
            self.host.context().pause(PAUSE);
        }
    }

    fn now(&self) -> Duration {
        self.host.system().clock().passed()
    }
}

fn chain(error: &anyhow::Error) -> String {
    format!("{error:#}").lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Machine, serve};

    const SECOND: Duration = Duration::from_secs(1);
    const LISTENS: &str = "sl local rem st\n 0: 00000000:1F90 00000000:0000 0A 0\n";

    fn wait(machine: &Machine, wait: impl Fn(&Host, Waiting) -> Result<Outcome, WaitingError>) -> String {
        match machine.apply(|host| Ok(wait(host, host.wait_up_to(SECOND))?)) {
            Ok(_) => machine.said(),
            Err(error) => format!("{error:#}"),
        }
    }

    fn plan(machine: &Machine, wait: impl Fn(&Host, Waiting) -> Result<Outcome, WaitingError>) -> String {
        machine.plan(|host| Ok(wait(host, host.wait_up_to(SECOND))?)).unwrap();
        machine.said()
    }

    #[test]
    fn a_wait_may_have_no_end() {
        let machine = Machine::new().file("/a", "x");
        let found = machine.apply(|host| Ok(host.wait_up_to(Duration::MAX).for_file("/a")?));
        assert_eq!(found.unwrap(), Outcome::Unchanged);
    }

    #[test]
    fn a_port_is_listened_on_or_not() {
        let machine = Machine::new().file("/proc/net/tcp", LISTENS);
        assert_eq!(wait(&machine, |_, wait| wait.for_port(8080)), "= wait for a listener on port 8080");
        let expect = "expected a listener on port 80 within 1 s, found listeners on 8080";
        assert_eq!(wait(&machine, |_, wait| wait.for_port(80)), expect);
        assert_eq!(wait(&machine, |_, wait| wait.for_no_port(80)), "= wait for no listener on port 80");
        let expect = "expected no listener on port 8080 within 1 s, found one";
        assert_eq!(wait(&machine, |_, wait| wait.for_no_port(8080)), expect);
        let expect = "? wait for a listener on port 80 (cannot know: found listeners on 8080)";
        assert_eq!(plan(&machine, |_, wait| wait.for_port(80)), expect);
    }

    #[test]
    fn a_file_is_there_or_not_or_says_something() {
        let machine = Machine::new().file("/a", "one two\n");
        assert_eq!(wait(&machine, |_, wait| wait.for_file("/a")), "= wait for /a");
        assert_eq!(wait(&machine, |_, wait| wait.for_file("/b")), "expected /b within 1 s, found nothing there");
        assert_eq!(wait(&machine, |_, wait| wait.for_no_file("/b")), "= wait for nothing at /b");
        assert_eq!(
            wait(&machine, |_, wait| wait.for_no_file("/a")),
            "expected nothing at /a within 1 s, found it there"
        );
        assert_eq!(wait(&machine, |_, wait| wait.for_text("/a", "two")), "= wait for `two` in /a");
        let expect = "expected `three` in /a within 1 s, found 8 bytes without it";
        assert_eq!(wait(&machine, |_, wait| wait.for_text("/a", "three")), expect);
        assert_eq!(
            wait(&machine, |_, wait| wait.for_text("/b", "x")),
            "expected `x` in /b within 1 s, found no such file"
        );
        let machine = machine.dir("/d");
        wb_core::system::Command::new("mkfifo").arg(machine.path("/fifo")).read().unwrap();
        for path in ["/d", "/fifo"] {
            let blind = wait(&machine, |_, wait| wait.for_text(path, "x"));
            assert!(blind.starts_with(&format!("could not see whether there is `x` in {path}: ")), "{blind}");
        }
    }

    #[test]
    fn a_process_runs_or_not() {
        let machine = Machine::new().file("/proc/7/stat", "7 (shop) S 1\n");
        assert_eq!(
            wait(&machine, |host, wait| wait.for_process(&host.process("shop"))),
            "= wait for the process `shop`"
        );
        let expect = "expected the process `nginx` within 1 s, found none";
        assert_eq!(wait(&machine, |host, wait| wait.for_process(&host.process("nginx"))), expect);
        let expect = "expected the end of the process `shop` within 1 s, found 7";
        assert_eq!(wait(&machine, |host, wait| wait.for_no_process(&host.process("shop"))), expect);
    }

    #[test]
    fn a_server_answers_so_in_the_end() {
        let mut answers = vec!["HTTP/1.0 503 No\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\nfine"];
        let next = move |_: &str| if answers.len() > 1 { answers.remove(0) } else { answers[0] }.to_owned();
        let url = format!("http://{}/", serve(next));
        let machine = Machine::new();
        assert_eq!(
            wait(&machine, |host, wait| wait.for_answer(&host.http(&url), 200)),
            format!("= wait for {url} to answer 200")
        );
        let expect = format!("expected {url} to answer 404 within 1 s, found 200 with `fine`");
        assert_eq!(wait(&machine, |host, wait| wait.for_answer(&host.http(&url), 404)), expect);
        let nobody = wait(&machine, |host, wait| wait.for_answer(&host.http("http://127.0.0.1:1/"), 200));
        assert!(nobody.contains("within 1 s, found could not ask http://127.0.0.1:1/: "), "{nobody}");
        let never = wait(&machine, |host, wait| wait.for_answer(&host.http("ftp://a"), 200));
        assert!(never.starts_with("could not see whether there is ftp://a to answer 200"), "{never}");
    }

    #[test]
    fn a_command_and_a_server_get_no_more_than_what_is_left() {
        use wb_core::system::Command;
        let expect = |seconds| Command::new("slow").dir("/").timeout(Duration::from_secs(seconds));
        let check = |bound: u64, own: u64, seconds: u64| {
            let machine = Machine::new().does("slow", move |_, found| assert_eq!(*found, expect(seconds)));
            let slow = |host: &Host| {
                let slow = host.command("slow").timeout(Duration::from_secs(own));
                Ok(host.wait_up_to(Duration::from_secs(bound)).for_success(&slow)?)
            };
            machine.apply(slow).unwrap();
            machine.plan(slow).unwrap();
        };
        check(30, 600, 30);
        check(30, 5, 5);
        check(0, 600, 1);
        let url = format!(
            "http://{}/",
            serve(|_| loop {
                std::thread::park()
            })
        );
        let silent = wait(&Machine::new(), |host, _| host.wait_up_to(Duration::ZERO).for_answer(&host.http(&url), 200));
        assert!(silent.contains(" within 0 s, found ") && silent.contains(" in time"), "{silent}");
    }

    #[test]
    fn a_command_ends_well_in_the_end() {
        let machine = Machine::new().answers("check", &[(1, "not yet"), (0, "")]).answer("never", 1, "no");
        assert_eq!(
            wait(&machine, |host, wait| wait.for_success(&host.command("check"))),
            "= wait for success of `check`"
        );
        let expect = "expected success of `never` within 1 s, found `never` ended with exit code 1: no";
        assert_eq!(wait(&machine, |host, wait| wait.for_success(&host.command("never"))), expect);
        let never = wait(&machine, |host, wait| wait.for_success(&host.command("none")));
        assert!(never.starts_with("could not see whether there is success of `none`: the program `none`"), "{never}");
        let planned = plan(&machine, |host, wait| wait.for_success(&host.command("none")));
        assert!(planned.starts_with("? wait for success of `none` (cannot know: the program `none` is"), "{planned}");
    }
}
