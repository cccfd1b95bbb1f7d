//! An outcome as JUnit's XML, which every server of builds reads: a suite for each set of roles, a case for each check.

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
    let counts = counts(&Tally::default(), 1, 0.0);
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
    let counts = counts(&count(cases.iter().copied()), 0, seconds);
    let cases: String = cases.iter().map(|tested| case(tested, outcome)).collect();
    format!("  <testsuite name=\"{}\" {counts}>\n{cases}  </testsuite>\n", escape(name))
}

fn counts(tally: &Tally, errors: u64, seconds: f64) -> String {
    let Tally { passed, failed, skipped } = tally;
    let all = passed + failed + skipped + errors;
    format!("tests=\"{all}\" failures=\"{failed}\" errors=\"{errors}\" skipped=\"{skipped}\" time=\"{seconds:.3}\"")
}

fn case(tested: &Tested, outcome: &Outcome) -> String {
    let host = if tested.host.is_empty() { "fleet" } else { tested.host.as_str() };
    let (host, name) = (escape(host), escape(&tested.name_on_host()));
    let open = format!("    <testcase classname=\"{host}\" name=\"{name}\" time=\"{:.3}\"", tested.seconds);
    let inside = [layer(tested), verdict(&tested.verdict), log(tested, outcome)].concat();
    if inside.is_empty() { format!("{open}/>\n") } else { format!("{open}>\n{inside}    </testcase>\n") }
}

fn layer(tested: &Tested) -> String {
    let property = "      <properties>\n        <property name=\"layer\" value=\"true\"/>\n      </properties>\n";
    if tested.from_layer { property.to_owned() } else { String::new() }
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
    use super::super::outcome::tests::outcome;
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

    #[test]
    fn an_outcome_is_a_document() {
        let xml = junit(&outcome());
        assert!(is_sound(&xml), "{xml}");
        insta::assert_snapshot!(xml, @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="cargo xtask test" tests="7" failures="1" errors="0" skipped="2" time="2.000">
          <testsuite name="fleet" tests="1" failures="0" errors="0" skipped="0" time="0.250">
            <testcase classname="fleet" name="chain" time="0.250"/>
          </testsuite>
          <testsuite name="server+web" tests="6" failures="1" errors="0" skipped="2" time="1.500">
            <testcase classname="web1" name="a::run" time="0.250">
              <properties>
                <property name="layer" value="true"/>
              </properties>
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
        insta::assert_snapshot!(xml, @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="cargo xtask test" tests="1" failures="0" errors="1" skipped="0" time="0.000">
          <testsuite name="test" tests="1" failures="0" errors="1" skipped="0" time="0.000">
            <testcase classname="test" name="it comes to its end" time="0.000">
              <error message="no &lt;room&gt; left"/>
            </testcase>
          </testsuite>
        </testsuites>
        "#);
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
