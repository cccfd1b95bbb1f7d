//! Blocks of lines between two markers.

use std::ops::Range;

use super::lines::{self, Lines};
use super::place::{Place, Which};
use super::{Change, Edit, Unfit};

/// A block between two markers: the edit of [`Edit::block`] and [`Edit::without_block`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    name: String,
    text: Option<String>,
    comment: String,
    markers: Option<(String, String)>,
    place: Place,
    which: Which,
}

impl Block {
    pub(super) fn new(name: String, text: Option<String>) -> Self {
        let (place, which) = (Place::default(), Which::default());
        Self { name, text, comment: "#".into(), markers: None, place, which }
    }

    fn markers(&self) -> (String, String) {
        let Self { comment, name, .. } = self;
        let named = || (format!("{comment} BEGIN wildebeest: {name}"), format!("{comment} END wildebeest: {name}"));
        self.markers.clone().unwrap_or_else(named)
    }

    /// All lines that are to be there, markers included.
    fn wanted(&self) -> Result<Vec<&str>, Unfit> {
        let lines: Vec<&str> = self.text.as_deref().map(|text| text.lines().collect()).unwrap_or_default();
        let (begin, end) = self.markers();
        let why = match () {
            () if lines::has_end(&begin) || lines::has_end(&end) => "a marker has a line end in it",
            () if begin == end => "its markers are the same",
            () if lines.iter().any(|line| *line == begin || *line == end) => "it has one of its markers in it",
            () if lines.iter().any(|line| lines::has_end(line)) => "it has a line end within a line",
            () => return Ok(lines),
        };
        Err(Unfit::BadText { what: "the block", why })
    }

    fn put(&self, text: &[u8], lines: &mut Lines<'_>, body: &[&str]) -> Result<(), Unfit> {
        let at = self.place.of(text, lines, self.which)?;
        let (begin, end) = self.markers();
        let all = [begin.as_str()].into_iter().chain(body.iter().copied()).chain([end.as_str()]);
        all.enumerate().for_each(|(nth, line)| lines.insert(at + nth, line.as_bytes()));
        Ok(())
    }
}

impl Change for Block {
    fn change(&self, text: &[u8]) -> Result<Option<Vec<u8>>, Unfit> {
        let wanted = self.wanted()?;
        let mut lines = Lines::of(text);
        let found = blocks(&lines, &self.markers())?;
        let kept = found.first().filter(|_| self.text.is_some()).cloned();
        found.into_iter().skip(usize::from(kept.is_some())).rev().for_each(|block| lines.remove(block));
        match kept {
            Some(block) => fill(&mut lines, block.start + 1..block.end - 1, &wanted),
            None if self.text.is_some() => self.put(text, &mut lines, &wanted)?,
            None => {}
        }
        Ok(lines.changed())
    }

    fn name(&self) -> String {
        let with = if self.text.is_some() { "the" } else { "without the" };
        format!("{with} block `{}`", self.name)
    }
}

/// All blocks with these markers, from first to last marker.
fn blocks(lines: &Lines<'_>, (begin, end): &(String, String)) -> Result<Vec<Range<usize>>, Unfit> {
    let alone = |marker: &str, at: usize| Err(Unfit::HalfBlock { marker: marker.to_owned(), line: at + 1 });
    let (mut blocks, mut open) = (Vec::new(), None);
    for (at, body) in lines.bodies().enumerate() {
        if body == begin.as_bytes() {
            if let Some(first) = open.replace(at) {
                return alone(begin, first);
            }
        } else if body == end.as_bytes() {
            let Some(first) = open.take() else { return alone(end, at) };
            blocks.push(first..at + 1);
        }
    }
    open.map_or(Ok(blocks), |first| alone(begin, first))
}

/// Makes the lines of `range` be these.
fn fill(lines: &mut Lines<'_>, range: Range<usize>, wanted: &[&str]) {
    let common = range.len().min(wanted.len());
    for (at, line) in range.clone().zip(wanted) {
        lines.set(at, line.as_bytes());
    }
    lines.remove(range.start + common..range.end);
    for (nth, line) in wanted.iter().enumerate().skip(common) {
        lines.insert(range.start + nth, line.as_bytes());
    }
}

impl<A> Edit<A, Block> {
    /// What begins a comment in this file, before the words of the markers. Without this, it is `#`.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn put_ours_where_it_belongs(host: &Host) -> Result<()> {
    ///     let limits = "memory_limit = 256M\n";
    ///     host.edit("/etc/php.ini").block("limits", limits).commented(";").after(r"^\[PHP\]").first().present()?;
    ///     host.edit("/srv/shop/web.xml")
    ///         .block("filter", "<filter/>\n")
    ///         .between("<!-- begin: filter -->", "<!-- end: filter -->")
    ///         .before("^</web-app>")
    ///         .present()?;
    ///     host.edit("/etc/motd").block("notice", "This host belongs to the shop.\n").at_start().present()?;
    ///     Ok(())
    /// }
    /// # let host = wb_stdlib::testing::web1().file("/etc/php.ini", "[PHP]\n").file("/etc/motd", "Welcome.\n");
    /// # host.file("/srv/shop/web.xml", "<web-app>\n</web-app>\n").rehearse(put_ours_where_it_belongs);
    /// ```
    pub fn commented(mut self, start: impl Into<String>) -> Self {
        self.last.comment = start.into();
        self
    }

    /// The markers, in full: for comments that have an end, as in XML, and for blocks that another tool has begun, as
    /// in `.between("# BEGIN ANSIBLE MANAGED BLOCK", "# END ANSIBLE MANAGED BLOCK")`.
    pub fn between(mut self, begin: impl Into<String>, end: impl Into<String>) -> Self {
        self.last.markers = Some((begin.into(), end.into()));
        self
    }

    /// Of several lines that match, in [`after`](Edit::after) and [`before`](Edit::before), the first counts.
    pub fn first(mut self) -> Self {
        self.last.which = Which::First;
        self
    }

    /// Where it is not there yet, it goes behind the last line that the regular expression matches. It is an error when
    /// none does.
    pub fn after(mut self, pattern: impl Into<String>) -> Self {
        self.last.place = Place::After(pattern.into());
        self
    }

    /// Where it is not there yet, it goes before the last line that the regular expression matches. It is an error when
    /// none does.
    pub fn before(mut self, pattern: impl Into<String>) -> Self {
        self.last.place = Place::Before(pattern.into());
        self
    }

    /// Where it is not there yet, it is the start of the file.
    pub fn at_start(mut self) -> Self {
        self.last.place = Place::Start;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: &str = "# BEGIN wildebeest: b";
    const END: &str = "# END wildebeest: b";

    fn block(text: &str) -> Block {
        Block::new("b".into(), Some(text.into()))
    }

    fn check(block: &Block, text: &str, expect: Option<&str>) {
        let full = |text: &str| text.replace("<<", BEGIN).replace(">>", END);
        let changed = block.change(full(text).as_bytes()).unwrap();
        assert_eq!(changed.map(|text| String::from_utf8(text).unwrap()), expect.map(full), "{block:?} in {text:?}");
    }

    #[test]
    fn a_block_is_added_once() {
        check(&block("x\ny\n"), "a\n", Some("a\n<<\nx\ny\n>>\n"));
        check(&block("x\ny"), "a\n<<\nx\ny\n>>\nz", None);
        check(&block(""), "a", Some("a\n<<\n>>\n"));
        check(&block("x"), "a\r\n", Some("a\r\n<<\r\nx\r\n>>\r\n"));
    }

    #[test]
    fn what_is_between_its_markers_is_replaced() {
        check(&block("x\ny"), "<<\nx\n>>\n", Some("<<\nx\ny\n>>\n"));
        check(&block("x"), "<<\ny\nz\n>>", Some("<<\nx\n>>"));
        check(&block("x\n"), "<<\nx\n>>\na\n<<\nx\n>>\nb\n", Some("<<\nx\n>>\na\nb\n"));
    }

    #[test]
    fn a_block_goes_with_its_markers() {
        let gone = Block::new("b".into(), None);
        check(&gone, "a\n<<\nx\n>>\nb\n", Some("a\nb\n"));
        check(&gone, "a\n", None);
    }

    #[test]
    fn new_blocks_go_where_it_is_said() {
        check(&Block { place: Place::Start, ..block("x") }, "a\n", Some("<<\nx\n>>\na\n"));
        check(&Block { place: Place::Before("^b".into()), ..block("x") }, "a\nb\n", Some("a\n<<\nx\n>>\nb\n"));
    }

    #[test]
    fn half_blocks_and_blocks_that_end_themselves_are_refused() {
        let check = |block: &Block, text: &str, expect: &str| {
            let error = block.change(text.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(expect), "{error}");
        };
        check(&block("x"), &format!("a\n{BEGIN}\nx\n"), &format!("the marker `{BEGIN}` in line 2 stands alone"));
        check(&block("x"), &format!("{END}\n"), &format!("the marker `{END}` in line 1 stands alone"));
        check(&block("x"), &format!("{BEGIN}\n{BEGIN}\n{END}\n"), &format!("the marker `{BEGIN}` in line 1"));
        check(&block(END), "", "the block can't be written: it has one of its markers in it");
        check(&Block::new("a\nb".into(), None), "", "the block can't be written: a marker has a line end in it");
    }
}
