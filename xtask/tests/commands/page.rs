//! A page of the book, as somebody plays it through: every block of `sh,run` is run, and the `text` right below it is
//! what it must say. A block of Rust that begins with the comment `// PATH.rs` is written there.
//!
//! What a block says may differ from the page in sha1s, in the place of the home directory, where the page has `[..]`,
//! and in the lines for which it has `...`. A block of `sh,run,fails` must end with an error.

/// A page: what comes before its first section, and its sections.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) opening: Vec<Step>,
    pub(crate) sections: Vec<Section>,
}

/// What stands under a heading of the second level.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) title: String,
    pub(crate) steps: Vec<Step>,
}

/// Something that a reader does.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Run { line: usize, script: String, fails: bool, says: Option<String> },
    Write { path: String, text: String },
}

impl Page {
    pub(crate) fn parse(text: &str) -> Self {
        let mut page = Self::default();
        let mut lines = text.lines().enumerate().peekable();
        let mut follows_run = false;
        while let Some((index, line)) = lines.next() {
            if let Some(title) = line.strip_prefix("## ") {
                page.sections.push(Section { title: title.to_owned(), steps: Vec::new() });
            }
            if let Some(kind) = line.strip_prefix("```") {
                let block = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```");
                let block: String = block.map(|line| format!("{line}\n")).collect();
                page.block(kind, index + 1, block, follows_run);
                follows_run = kind.starts_with("sh,run");
            } else if !line.is_empty() {
                follows_run = false;
            }
        }
        page
    }

    fn block(&mut self, kind: &str, line: usize, block: String, follows_run: bool) {
        let steps = self.sections.last_mut().map_or(&mut self.opening, |section| &mut section.steps);
        match kind {
            "sh,run" | "sh,run,fails" => {
                steps.push(Step::Run { line, script: block, fails: kind.ends_with("fails"), says: None });
            }
            "text" if follows_run => {
                if let Some(Step::Run { says, .. }) = steps.last_mut() {
                    *says = Some(block);
                }
            }
            _ if kind.starts_with("rust") => steps.extend(written(&block)),
            _ => {}
        }
    }
}

/// Lines that begin with `# ` are for the compiler of the book alone.
fn written(block: &str) -> Option<Step> {
    let shown = block.lines().filter(|line| *line != "#" && !line.starts_with("# "));
    let text: String = shown.map(|line| format!("{line}\n")).collect();
    let path = text.lines().next()?.strip_prefix("// ")?.to_owned();
    path.ends_with(".rs").then_some(Step::Write { path, text })
}

/// Whether something was said as the page has it.
pub(crate) fn is_said(expect: &str, actual: &str) -> bool {
    let (expect, actual) = (masked(expect), masked(actual));
    lines_fit(&expect.trim_end().lines().collect::<Vec<_>>(), &actual.trim_end().lines().collect::<Vec<_>>())
}

fn lines_fit(expect: &[&str], actual: &[&str]) -> bool {
    match (expect, actual) {
        ([], []) => true,
        (["...", rest @ ..], _) => (0..=actual.len()).any(|skipped| lines_fit(rest, &actual[skipped..])),
        ([line, rest @ ..], [first, others @ ..]) => line_fits(line, first) && lines_fit(rest, others),
        _ => false,
    }
}

fn line_fits(pattern: &str, line: &str) -> bool {
    match pattern.trim_end().split_once("[..]") {
        None => pattern.trim_end() == line.trim_end(),
        Some((start, rest)) => line.strip_prefix(start).is_some_and(|line| {
            let mut ends = line.char_indices().map(|(index, _)| index).chain([line.len()]);
            ends.any(|end| line_fits(rest, &line[end..]))
        }),
    }
}

/// Sha1s, short or long, are as many zeros.
fn masked(text: &str) -> String {
    text.split_inclusive(|c: char| !c.is_ascii_alphanumeric()).map(masked_word).collect()
}

fn masked_word(word: &str) -> String {
    let digits = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
    let is_sha1 = matches!(digits.len(), 7 | 40) && digits.chars().all(|c| c.is_ascii_hexdigit());
    if is_sha1 { word.replace(digits, &"0".repeat(digits.len())) } else { word.to_owned() }
}

#[test]
fn a_page_is_what_to_run_what_to_write_and_what_it_says() {
    let text = "# T\n```sh,run\na\n```\n\n```text\nb\n```\n## S\n```sh,run,fails\nc\n```\nand\n```text\nd\n```\n\
                ```sh\ne\n```\n```rust\n# // no\n// a/b.rs\nfn f() {}\n```\n";
    let run = |line, script: &str, fails, says: Option<&str>| Step::Run {
        line,
        script: script.into(),
        fails,
        says: says.map(Into::into),
    };
    let write = Step::Write { path: "a/b.rs".into(), text: "// a/b.rs\nfn f() {}\n".into() };
    let section = Section { title: "S".into(), steps: vec![run(10, "c\n", true, None), write] };
    assert_eq!(Page::parse(text), Page { opening: vec![run(2, "a\n", false, Some("b\n"))], sections: vec![section] });
}

#[test]
fn what_differs_from_run_to_run_is_said_all_the_same() {
    let check = |expect: &str, actual: &str, fits| assert_eq!(is_said(expect, actual), fits, "{expect} | {actual}");
    check("a\n", "a", true);
    check("a", "b", false);
    check("`a` (1234567) b", "`a` (abcdef0) b", true);
    check("`a` (1234567) b", "`a` (abcdef) b", false);
    check("a [..] c", "a b b c", true);
    check("a [..] c", "a b b", false);
    check("a\n...\nd", "a\nb\nc\nd", true);
    check("a\n...\nd", "a\nb\nc", false);
    check("a\n...", "a", true);
}
