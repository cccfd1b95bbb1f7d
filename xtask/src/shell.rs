//! All printing. What was asked for goes to standard output; how the work goes, to standard error.

use std::cell::RefCell;
use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write};
use std::rc::Rc;
use std::time::Duration;

use console::Term;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use wb_core::system::environment;

use crate::failure::Failure;

/// Where a command prints, and how.
pub struct Shell {
    out: Stream,
    err: Stream,
    progress: bool,
    screen: bool,
}

/// A place where pages of text are shown: a file by default, which has no width and no colour.
#[derive(Debug, Clone, Copy, Default)]
pub struct Canvas {
    /// How many letters a line has.
    pub width: Option<usize>,
    /// How many lines there are.
    pub height: Option<usize>,
    /// Whether it knows colours.
    pub colour: bool,
}

/// How a line is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As any other.
    Plain,
    /// All is well.
    Good,
    /// To be kept in sight.
    Careful,
    /// Something is wrong.
    Bad,
}

impl Canvas {
    /// The text as it is meant, where colours are known. It must not command a terminal itself.
    #[must_use]
    pub fn paint(&self, tone: Tone, text: &str) -> String {
        let colour = match tone {
            Tone::Plain => None,
            Tone::Good => Some(GREEN),
            Tone::Careful => Some(YELLOW),
            Tone::Bad => Some(RED),
        };
        colour.filter(|_| self.colour).map_or_else(|| text.to_owned(), |colour| painted(colour, text))
    }
}

impl Shell {
    /// The standard streams, in colour and with progress bars where they are a terminal.
    #[must_use]
    pub fn standard() -> Self {
        let (terminal, out) = (io::stderr().is_terminal(), io::stdout().is_terminal());
        let is_able = environment::var("TERM").is_none_or(|term| term != "dumb");
        let colour = |terminal: bool| terminal && is_able && environment::var("NO_COLOR").is_none();
        Self {
            out: Stream::new(io::stdout(), colour(out)),
            err: Stream::new(io::stderr(), colour(terminal)),
            progress: terminal && is_able,
            screen: out && is_able,
        }
    }

    /// A shell that keeps what is printed, without colour, and the place to read it from.
    #[must_use]
    pub fn captured() -> (Self, Captured) {
        let captured = Captured::default();
        let shell = Self {
            out: Stream::new(captured.clone(), false),
            err: Stream::new(captured.clone(), false),
            progress: false,
            screen: false,
        };
        (shell, captured)
    }

    /// As [`Shell::captured`], where standard output is a terminal, of no size.
    #[cfg(test)]
    pub(crate) fn captured_screen() -> (Self, Captured) {
        let (shell, captured) = Self::captured();
        (Self { screen: true, ..shell }, captured)
    }

    /// Where pages of what was asked for are shown.
    #[must_use]
    pub fn canvas(&self) -> Canvas {
        let size = Term::stdout().size_checked().filter(|_| self.screen);
        Canvas {
            width: size.map(|(_, columns)| columns.into()),
            height: size.map(|(lines, _)| lines.into()),
            colour: self.out.colour,
        }
    }

    /// Pages of what was asked for that were made for [`Shell::canvas`].
    pub fn print_page(&self, page: &str) {
        self.out.write(page);
    }

    /// The whole terminal, for pages that take each other's place; nothing where standard output is none.
    #[must_use]
    pub fn screen(&self) -> Option<Screen<'_>> {
        self.screen.then(|| {
            self.out.write(ENTER);
            Screen { shell: self }
        })
    }

    /// A line of what was asked for.
    pub fn print(&self, line: impl Display) {
        self.out.write(&plain(format_args!("{line}\n")));
    }

    /// Text of what was asked for, as it is.
    pub fn print_text(&self, text: impl Display) {
        self.out.write(&plain(text));
    }

    /// How a text changes, as a unified diff.
    pub fn print_diff(&self, diff: &str) {
        let line = |line: &str| match line.as_bytes().first() {
            Some(b'+') => self.out.paint(GREEN, &plain(line)),
            Some(b'-') => self.out.paint(RED, &plain(line)),
            Some(b'@') => self.out.paint(CYAN, &plain(line)),
            _ => plain(line),
        };
        diff.lines().for_each(|text| self.out.write(&format!("{}\n", line(text))));
    }

    /// Whether somebody at the terminal says yes; nothing where nobody can be asked.
    #[must_use]
    pub fn confirm(&self, question: impl Display) -> Option<bool> {
        if !self.progress || !io::stdin().is_terminal() {
            return None;
        }
        self.err.write(&format!("{} [y/N] ", plain(question)));
        let mut answer = String::new();
        io::stdin().read_line(&mut answer).ok()?;
        Some(matches!(answer.trim(), "y" | "yes"))
    }

    /// Data for programs, as JSON on lines that people can read too.
    pub fn print_json(&self, data: &impl Serialize) {
        match serde_json::to_string_pretty(data) {
            Ok(text) => self.print(text),
            Err(error) => self.fail(&Failure::environment("could not write the result as JSON").because(&error)),
        }
    }

    /// Something is done: `created herd/migrations`.
    pub fn done(&self, verb: &str, what: impl Display) {
        self.err.write(&format!("{} {}\n", self.err.paint(GREEN, verb), plain(what)));
    }

    /// Something to know that stops nothing.
    pub fn note(&self, what: impl Display) {
        self.err.write(&format!("{} {}\n", self.err.paint(CYAN, "note:"), plain(what)));
    }

    /// Something to look at that stops nothing.
    pub fn warn(&self, what: impl Display) {
        self.err.write(&format!("{} {}\n", self.err.paint(YELLOW, "warning:"), plain(what)));
    }

    /// Says why the command gives up.
    pub fn fail(&self, failure: &Failure) {
        for problem in &failure.problems {
            self.err.write(&format!("{} {}\n", self.err.paint(RED, "error:"), plain(&problem.message)));
            for cause in &problem.causes {
                self.err.write(&format!("  caused by: {}\n", plain(cause)));
            }
            for hint in &problem.hints {
                self.err.write(&format!("{} {}\n", self.err.paint(CYAN, "hint:"), plain(hint)));
            }
        }
    }

    /// Begins something that may take a while: a moving line on a terminal, else a plain one.
    #[must_use]
    pub fn begin(&self, what: impl Into<String>) -> Progress {
        self.progress(what, None)
    }

    /// As [`Shell::begin`], with a bar of `total` steps.
    #[must_use]
    pub fn begin_steps(&self, what: impl Into<String>, total: u64) -> Progress {
        self.progress(what, Some(total))
    }

    fn progress(&self, what: impl Into<String>, total: Option<u64>) -> Progress {
        let what = what.into();
        if !self.progress {
            self.err.write(&format!("{what} …\n"));
            return Progress { bar: ProgressBar::hidden() };
        }
        let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
        let template = match total {
            Some(_) => "{msg} [{bar:24}] {pos}/{len} {elapsed}",
            None => "{spinner} {msg} {elapsed}",
        };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner());
        let bar = bar.with_style(style).with_message(what);
        bar.enable_steady_tick(Duration::from_millis(120));
        Progress { bar }
    }
}

/// A terminal that shows one page at a time. It is as it was before when this is dropped.
pub struct Screen<'a> {
    shell: &'a Shell,
}

/// To another screen than the one with the history, without a cursor, and with long lines cut.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const LEAVE: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";

impl Screen<'_> {
    /// Shows a page, as far as there is room for it.
    pub fn show(&self, page: &str) {
        self.shell.out.write(&over(page, self.shell.canvas().height));
    }
}

impl Drop for Screen<'_> {
    fn drop(&mut self) {
        self.shell.out.write(LEAVE);
    }
}

/// What puts a page over the one before: each line is written over, and nothing flickers.
fn over(page: &str, height: Option<usize>) -> String {
    let lines: Vec<&str> = page.lines().collect();
    let room = height.unwrap_or(usize::MAX).max(2) - 1;
    let hidden = lines.len().saturating_sub(room).min(lines.len());
    let shown = if hidden == 0 { lines.len() } else { room - 1 };
    let more = (hidden > 0).then(|| format!("… {} more lines\x1b[K\n", lines.len() - shown));
    let text: String = lines[..shown].iter().map(|line| format!("{line}\x1b[K\n")).collect();
    format!("\x1b[H{text}{}\x1b[J", more.unwrap_or_default())
}

/// Something under way. It leaves the terminal when it is dropped.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Says where it is now.
    pub fn at(&self, what: impl Into<String>) {
        self.bar.set_message(what.into());
    }

    /// So many steps are done.
    pub fn reached(&self, steps: u64) {
        self.bar.set_position(steps);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// What a captured shell printed, both streams as they came.
#[derive(Debug, Clone, Default)]
pub struct Captured(Rc<RefCell<Vec<u8>>>);

impl Captured {
    /// All of it so far.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.borrow()).into_owned()
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Text without what a terminal would obey: hosts and remotes say what they like.
#[must_use]
pub fn plain(text: impl Display) -> String {
    let kept = |c: &char| !c.is_control() || matches!(c, '\n' | '\t');
    text.to_string().chars().filter(kept).collect()
}

const RED: &str = "1;31";
const GREEN: &str = "1;32";
const YELLOW: &str = "1;33";
const CYAN: &str = "1;36";

struct Stream {
    to: RefCell<Box<dyn Write>>,
    colour: bool,
}

impl Stream {
    fn new(to: impl Write + 'static, colour: bool) -> Self {
        Self { to: RefCell::new(Box::new(to)), colour }
    }

    /// A reader that has gone away (`… | head`) is no reason to fail.
    fn write(&self, text: &str) {
        let mut to = self.to.borrow_mut();
        drop(to.write_all(text.as_bytes()).and_then(|()| to.flush()));
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        match self.colour {
            true => painted(colour, text),
            false => text.to_owned(),
        }
    }
}

fn painted(colour: &str, text: &str) -> String {
    format!("\x1b[{colour}m{text}\x1b[0m")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The lines that stand on a terminal that got this, up to the last one that is not empty. It knows plain letters, and
    /// what a screen says to it.
    pub(crate) fn shown(text: &str) -> Vec<String> {
        let (mut lines, mut line, mut column) = (vec![Vec::new()], 0, 0);
        let text = text.replace(ENTER, "").replace(LEAVE, "");
        let mut rest = text.as_str();
        while let Some(next) = rest.chars().next() {
            if let Some(after) = rest.strip_prefix("\x1b[H") {
                (line, column, rest) = (0, 0, after);
            } else if let Some(after) = rest.strip_prefix("\x1b[K") {
                lines[line].truncate(column);
                rest = after;
            } else if let Some(after) = rest.strip_prefix("\x1b[J") {
                lines[line].truncate(column);
                lines.truncate(line + 1);
                rest = after;
            } else if let Some(after) = rest.strip_prefix('\n') {
                (line, column, rest) = (line + 1, 0, after);
                lines.resize(lines.len().max(line + 1), Vec::new());
            } else {
                assert!(!next.is_control(), "{rest:?}");
                let end = lines[line].len().min(column + 1);
                lines[line].splice(column..end, [next]);
                (column, rest) = (column + 1, &rest[next.len_utf8()..]);
            }
        }
        let last = lines.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
        lines[..last].iter().map(|line| line.iter().collect()).collect()
    }

    #[test]
    fn nothing_is_left_of_the_page_before() {
        let pages = ["", "a\n", "abc\n", "a\nbcd\n", "abc\nb\n", "abc\nde\nf\n", "a\n\nb\nccc\nd\n"];
        for (before, after) in pages.iter().flat_map(|before| pages.map(|after| (before, after))) {
            for height in [None, Some(0), Some(2), Some(3), Some(5), Some(9)] {
                let (one, other) = (over(before, height), over(after, height));
                let seen = shown(&format!("{ENTER}{one}{other}"));
                assert_eq!(seen, shown(&other), "{before:?} {after:?} {height:?}");
                let room = height.unwrap_or(usize::MAX).max(2) - 1;
                assert!(seen.len() <= room, "the line below the last one must stay on the terminal: {seen:?}");
                if after.lines().count() <= room {
                    assert_eq!(seen, after.lines().collect::<Vec<_>>());
                }
            }
        }
    }

    #[test]
    fn a_failure_reads_as_error_cause_and_hint() {
        let (shell, captured) = Shell::captured();
        let cause = io::Error::other("disk full");
        shell.fail(&Failure::environment("could not write `a`").because(&cause).hint("df -h"));
        assert_eq!(captured.text(), "error: could not write `a`\n  caused by: disk full\nhint: df -h\n");
    }

    #[test]
    fn foreign_text_commands_no_terminal() {
        let (shell, captured) = Shell::captured();
        shell.print("a\x1b]0;b\x07\r\tc");
        shell.warn("\x1b[2Jd");
        assert_eq!(captured.text(), "a]0;b\tc\nwarning: [2Jd\n");
    }

    #[test]
    fn a_page_is_put_over_the_one_before_as_far_as_there_is_room() {
        let check = |page, height, expect: &str| {
            let seen = over(page, height).replace("\x1b[K", "").replace("\x1b[H", "").replace("\x1b[J", "$");
            assert_eq!(seen, expect);
        };
        check("a\nb\n", None, "a\nb\n$");
        check("a\nb\n", Some(3), "a\nb\n$");
        check("a\nb\nc\n", Some(3), "a\n… 2 more lines\n$");
        check("a\nb\nc\n", Some(0), "… 3 more lines\n$");
        check("", Some(9), "$");
    }

    #[test]
    fn a_terminal_is_left_as_it_was() {
        let (shell, captured) = Shell::captured_screen();
        let screen = shell.screen().unwrap();
        screen.show("a\n");
        drop(screen);
        assert_eq!(captured.text(), format!("{ENTER}\x1b[Ha\x1b[K\n\x1b[J{LEAVE}"));
    }

    #[test]
    fn without_a_terminal_progress_is_a_plain_line() {
        let (shell, captured) = Shell::captured();
        let progress = shell.begin("building the runner");
        progress.at("more");
        drop(progress);
        assert_eq!(captured.text(), "building the runner …\n");
    }

    #[test]
    fn colour_stands_around_the_first_word_only() {
        let stream = Stream::new(io::sink(), true);
        assert_eq!(stream.paint(RED, "error:"), "\x1b[1;31merror:\x1b[0m");
    }
}
