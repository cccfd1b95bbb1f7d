//! An outcome as JUnit's XML, which every server of builds reads: a suite for each set of roles, a case for each check.
//! There is only what the schemas know that people hold such files against.

use std::collections::BTreeMap;

use super::outcome::{Outcome, Tested, Verdict, count};
use crate::ci::Tally;

/// The whole document.
#[must_use]
pub fn junit(outcome: &Outcome) -> String {
    let mut suites = BTreeMap::<String, Vec<&Tested>>::new();
    for tested in &outcome.tested {
        suites.entry(suite_of(tested)).or_default().push(tested);
    }
    let suites: String = suites.iter().map(|(name, cases)| suite(name, cases, outcome)).collect();
    let cut_short = outcome.cut_short.as_deref().map(cut_short);
    let counts = counts(&outcome.tally(), u64::from(cut_short.is_some()), outcome.seconds);
    let (head, end) = ("<?xml version=\"1.0\" encoding=\"UTF-8\"?>", cut_short.unwrap_or_default());
    format!("{head}\n<testsuites name=\"cargo xtask test\" {counts}>\n{suites}{end}</testsuites>\n")
}

/// That a test did not come to its end is a case of its own: who reads this looks at nothing else.
fn cut_short(why: &str) -> String {
    let counts = counts_of_suite(&Tally::default(), 1, 0.0);
    let case = "    <testcase classname=\"test\" name=\"it comes to its end\" time=\"0.000\">";
    let error = format!("      <error message=\"{}\"/>", escape(&why.replace('\n', " ")));
    format!("  <testsuite name=\"test\" {counts}>\n{case}\n{error}\n    </testcase>\n  </testsuite>\n")
}

/// The roles of the host; for what is of no host, the fleet.
fn suite_of(tested: &Tested) -> String {
    let roles: Vec<&str> = tested.roles.iter().map(String::as_str).collect();
    if roles.is_empty() { "fleet".to_owned() } else { roles.join("+") }
}

fn suite(name: &str, cases: &[&Tested], outcome: &Outcome) -> String {
    let seconds = cases.iter().map(|case| case.seconds).sum();
    let counts = counts_of_suite(&count(cases.iter().copied()), 0, seconds);
    let mut seen = BTreeMap::new();
    let cases: String = cases.iter().map(|tested| case(tested, &name_of(tested, &mut seen), outcome)).collect();
    format!("  <testsuite name=\"{}\" {counts}>\n{cases}  </testsuite>\n", escape(name))
}

/// What is said of a suite.
fn counts_of_suite(tally: &Tally, errors: u64, seconds: f64) -> String {
    format!("{} skipped=\"{}\"", counts(tally, errors, seconds), tally.skipped)
}

/// What is said of all suites together, too.
fn counts(tally: &Tally, errors: u64, seconds: f64) -> String {
    let Tally { passed, failed, skipped } = tally;
    let all = passed + failed + skipped + errors;
    format!("tests=\"{all}\" failures=\"{failed}\" errors=\"{errors}\" time=\"{seconds:.3}\"")
}

/// What a case is called on its host. Of two with one name some readers know only the first: later ones have a number.
fn name_of(tested: &Tested, seen: &mut BTreeMap<String, usize>) -> String {
    let times = seen.entry(tested.name()).or_default();
    *times += 1;
    match *times {
        1 => tested.name_on_host(),
        times => format!("{} ({times})", tested.name_on_host()),
    }
}

fn case(tested: &Tested, name: &str, outcome: &Outcome) -> String {
    let host = if tested.host.is_empty() { "fleet" } else { tested.host.as_str() };
    let (host, name) = (escape(host), escape(name));
    let open = format!("    <testcase classname=\"{host}\" name=\"{name}\" time=\"{:.3}\"", tested.seconds);
    let inside = [verdict(&tested.verdict), layer(tested), log(tested, outcome)].concat();
    if inside.is_empty() { format!("{open}/>\n") } else { format!("{open}>\n{inside}    </testcase>\n") }
}

fn layer(tested: &Tested) -> String {
    let said = "      <system-out>found in an earlier test, of whose host there is a layer</system-out>\n";
    if tested.from_layer { said.to_owned() } else { String::new() }
}

fn verdict(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Passed => String::new(),
        Verdict::Failed { what, hint } => {
            let first = escape(what.lines().next().unwrap_or_default());
            let hint = hint.as_ref().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
            format!("      <failure message=\"{first}\">{}</failure>\n", escape(&format!("{what}{hint}")))
        }
        Verdict::Ignored { why } | Verdict::NotRun { why } => {
            format!("      <skipped message=\"{}\"/>\n", escape(&why.replace('\n', " ")))
        }
    }
}

/// The end of a host's log, where it has to do with a failure.
fn log(tested: &Tested, outcome: &Outcome) -> String {
    let log = outcome.log_of(tested).filter(|_| matches!(tested.verdict, Verdict::Failed { .. }));
    log.map(|log| format!("      <system-out>{}</system-out>\n", escape(&log.tail))).unwrap_or_default()
}

/// Text that stands for itself in XML, which has no way to say most control characters.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(letter),
            '\u{fffe}' | '\u{ffff}' => {}
            letter if letter.is_control() => {}
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::super::outcome::Check;
    use super::super::outcome::tests::{outcome, tested};
    use super::*;

    /// Whether each tag that is opened is closed, in its order, and nothing else looks like one.
    fn is_sound(xml: &str) -> bool {
        let mut open = Vec::new();
        for tag in xml.split('<').skip(1) {
            let Some((tag, _text)) = tag.split_once('>') else { return false };
            let name = tag.split([' ', '/', '?']).find(|word| !word.is_empty()).unwrap_or_default();
            let is_alone = tag.ends_with('/') || tag.starts_with('?');
            if tag.starts_with('/') && open.pop() != Some(name) {
                return false;
            }
            if !tag.starts_with('/') && !is_alone {
                open.push(name);
            }
        }
        open.is_empty()
    }

    /// What there may be, what it lies in, and which attributes it may have, as `junit-10.xsd` of Jenkins has it; but
    /// for `error`, which that calls otherwise than all who read it.
    const ELEMENTS: [(&str, &str, &[&str]); 7] = [
        ("testsuites", "", &["name", "tests", "failures", "errors", "time"]),
        ("testsuite", "testsuites", &["name", "tests", "failures", "errors", "time", "skipped"]),
        ("testcase", "testsuite", &["classname", "name", "time"]),
        ("failure", "testcase", &["message"]),
        ("error", "testcase", &["message"]),
        ("skipped", "testcase", &["message"]),
        ("system-out", "testcase", &[]),
    ];

    /// The first tag that is not to be there, or not with its attributes.
    fn unknown(xml: &str) -> Option<&str> {
        let mut open = Vec::new();
        for (tag, _text) in xml.split('<').skip(1).filter_map(|tag| tag.split_once('>')) {
            if tag.starts_with('/') {
                open.pop();
            } else if !tag.starts_with('?') {
                let name = tag.split([' ', '/']).next().unwrap_or_default();
                let above = open.last().copied().unwrap_or_default();
                let known = ELEMENTS.iter().find(|known| (known.0, known.1) == (name, above));
                let words = tag.split('"').step_by(2);
                let mut said = words.filter_map(|words| words.strip_suffix('=')?.rsplit(' ').next());
                if known.is_none_or(|known| said.any(|attribute| !known.2.contains(&attribute))) {
                    return Some(tag);
                }
                if !tag.ends_with('/') {
                    open.push(name);
                }
            }
        }
        None
    }

    #[test]
    fn what_no_schema_knows_is_seen() {
        let check = |xml: &str, expect: Option<&str>| assert_eq!(unknown(xml), expect, "{xml}");
        let suites = |inside: &str| format!("<?xml?><testsuites name=\"=\"><testsuite>{inside}</testsuite>");
        check(&suites("<testcase classname=\"a\" name=\"b\"/>"), None);
        check(&suites("<testcase><skipped message=\"c\"/></testcase>"), None);
        check(&suites("<skipped/>"), Some("skipped/"));
        check(&suites("<testcase><properties></properties></testcase>"), Some("properties"));
        check(&suites("<testcase host=\"a\"/>"), Some("testcase host=\"a\"/"));
        check("<testsuites skipped=\"1\"/>", Some("testsuites skipped=\"1\"/"));
    }

    #[test]
    fn an_outcome_is_a_document() {
        let xml = junit(&outcome());
        assert!(is_sound(&xml), "{xml}");
        assert_eq!(unknown(&xml), None);
        insta::assert_snapshot!(xml, @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="cargo xtask test" tests="7" failures="1" errors="0" time="2.000">
          <testsuite name="fleet" tests="1" failures="0" errors="0" time="0.250" skipped="0">
            <testcase classname="fleet" name="chain" time="0.250"/>
          </testsuite>
          <testsuite name="server+web" tests="6" failures="1" errors="0" time="1.500" skipped="2">
            <testcase classname="web1" name="a::run" time="0.250">
              <system-out>found in an earlier test, of whose host there is a layer</system-out>
            </testcase>
            <testcase classname="web1" name="b::plan" time="0.250"/>
            <testcase classname="web1" name="b::spec runs" time="0.250"/>
            <testcase classname="web1" name="b::rerun" time="0.250">
              <failure message="it was run once more, and changed something:">it was run once more, and changed something:
          + file /a &lt;b&gt;
        hint: look first</failure>
              <system-out>b failed[1m
        </system-out>
            </testcase>
            <testcase classname="web2" name="b::rerun" time="0.250">
              <skipped message="it adds &amp; adds"/>
            </testcase>
            <testcase classname="web1" name="c::run" time="0.250">
              <skipped message="web1 failed before"/>
            </testcase>
          </testsuite>
        </testsuites>
        "#);
    }

    #[test]
    fn a_test_that_was_cut_short_is_no_good_one() {
        let xml = junit(&Outcome { cut_short: Some("no <room>\nleft".into()), ..Outcome::default() });
        assert!(is_sound(&xml), "{xml}");
        assert_eq!(unknown(&xml), None);
        insta::assert_snapshot!(xml, @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="cargo xtask test" tests="1" failures="0" errors="1" time="0.000">
          <testsuite name="test" tests="1" failures="0" errors="1" time="0.000" skipped="0">
            <testcase classname="test" name="it comes to its end" time="0.000">
              <error message="no &lt;room&gt; left"/>
            </testcase>
          </testsuite>
        </testsuites>
        "#);
    }

    #[test]
    fn no_two_cases_of_a_host_have_one_name() {
        let run = |host: &str, verdict| tested(host, Some("b"), Check::Run, verdict);
        let failed = Verdict::Failed { what: "it could not be recorded as done:".into(), hint: None };
        let tested = vec![run("web1", Verdict::Passed), run("web2", Verdict::Passed), run("web1", failed)];
        let xml = junit(&Outcome { tested, ..Outcome::default() });
        let cases = xml.lines().filter_map(|line| line.trim_start().strip_prefix("<testcase "));
        let cases = cases.filter_map(|case| case.split(" time=").next());
        let expect = [("web1", "b::run"), ("web2", "b::run"), ("web1", "b::run (2)")];
        let expect = expect.map(|(host, name)| format!("classname=\"{host}\" name=\"{name}\""));
        assert_eq!(cases.collect::<Vec<_>>(), expect);
    }

    #[test]
    fn any_text_may_stand_there() {
        let check = |text: &str, expect: &str| assert_eq!(escape(text), expect);
        check("a", "a");
        check("<a href=\"b\">&</a>", "&lt;a href=&quot;b&quot;&gt;&amp;&lt;/a&gt;");
        check("a\x1b[1m\r\n\tb\0\u{ffff}", "a[1m\n\tb");
        check("ä", "ä");
    }

    #[test]
    fn tags_are_matched() {
        let check = |xml: &str, expect| assert_eq!(is_sound(xml), expect, "{xml}");
        check("<a><b/></a>", true);
        check("<?xml?><a b=\"c\">d</a>", true);
        check("<a><b></a></b>", false);
        check("<a>", false);
        check("</a>", false);
        check("a < b", false);
    }
}
