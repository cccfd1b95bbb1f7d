//! The waits of attributes: `wait = count("web", 2, reached("install_nginx")), on_catchup = pass, overdue = "30m"`.

use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream};
use syn::{Ident, LitInt, LitStr, parenthesized};

use super::{comma, duration};
use crate::chain::{OnCatchup, Wait, Who, nearest};

/// What a link waits for, as its attribute says it.
pub struct WaitArg {
    /// Whose hosts it waits for.
    pub role: LitStr,
    who: Who,
    reached: Option<LitStr>,
    on_catchup: OnCatchup,
    overdue: Option<u64>,
}

impl WaitArg {
    /// As data.
    #[must_use]
    pub fn value(&self) -> Wait {
        let reached = self.reached.as_ref().map(LitStr::value);
        Wait { who: self.who.clone(), reached, on_catchup: self.on_catchup, overdue: self.overdue }
    }

    /// The same, with what other arguments say of it.
    pub(super) fn with(self, on_catchup: Option<Catchup>, overdue: Option<Overdue>) -> Self {
        let on_catchup = on_catchup.map_or(self.on_catchup, |word| word.value);
        Self { on_catchup, overdue: overdue.map(|time| time.seconds), ..self }
    }
}

const WORDS: [&str; 3] = ["all", "any", "count"];

impl Parse for WaitArg {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let word = input.call(Ident::parse_any)?;
        let name = word.to_string();
        if !WORDS.contains(&name.as_str()) {
            return Err(unknown(&word, &WORDS, "write `all(\"role\")`, `any(\"role\")` or `count(\"role\", 2)`"));
        }
        let content;
        parenthesized!(content in input);
        let role: LitStr = content.parse()?;
        comma(&content)?;
        let hosts = hosts(&content, &word)?;
        let reached = reached(&content)?;
        let who = match (name.as_str(), hosts) {
            (_, Some(hosts)) => Who::Count { role: role.value(), hosts },
            ("any", None) => Who::Any { role: role.value() },
            _ => Who::All { role: role.value() },
        };
        Ok(Self { role, who, reached, on_catchup: OnCatchup::Wait, overdue: None })
    }
}

/// How many hosts are waited for: `count` says so, and no other word.
fn hosts(content: ParseStream<'_>, word: &Ident) -> syn::Result<Option<u32>> {
    match (word == "count", content.peek(LitInt)) {
        (false, false) => Ok(None),
        (false, true) => {
            let what = format!("`{word}` takes no number; write `count(\"role\", 2)`");
            Err(syn::Error::new(content.span(), what))
        }
        (true, false) => Err(syn::Error::new(content.span(), "how many hosts? `count(\"role\", 2)`")),
        (true, true) => {
            let number: LitInt = content.parse()?;
            comma(content)?;
            let hosts = number.base10_parse().ok().filter(|hosts| *hosts > 0);
            let wrong = || syn::Error::new(number.span(), "a wait for a number of hosts is for 1 or more");
            hosts.ok_or_else(wrong).map(Some)
        }
    }
}

/// The link that they are to be at or past.
fn reached(content: ParseStream<'_>) -> syn::Result<Option<LitStr>> {
    if content.is_empty() {
        return Ok(None);
    }
    let word = content.call(Ident::parse_any)?;
    if word != "reached" {
        return Err(unknown(&word, &["reached"], "write `reached(\"migration\")`, or nothing for the one before this"));
    }
    let inner;
    parenthesized!(inner in content);
    let name = inner.parse()?;
    comma(content)?;
    Ok(Some(name))
}

/// `wait`, `pass` or `fail`.
pub(super) struct Catchup {
    pub(super) word: Ident,
    value: OnCatchup,
}

impl Parse for Catchup {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let word = input.call(Ident::parse_any)?;
        let value = match word.to_string().as_str() {
            "wait" => OnCatchup::Wait,
            "pass" => OnCatchup::Pass,
            "fail" => OnCatchup::Fail,
            _ => return Err(unknown(&word, &["wait", "pass", "fail"], "write `wait`, `pass` or `fail`")),
        };
        Ok(Self { word, value })
    }
}

/// After how long a wait is overdue, as in `"30m"`.
pub(super) struct Overdue {
    pub(super) text: LitStr,
    seconds: u64,
}

impl Parse for Overdue {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let text: LitStr = input.parse()?;
        let what = "after how long is it overdue? `overdue = \"90s\"`, `\"30m\"`, or `\"2h\"`";
        let time = duration(&text.value()).ok_or_else(|| syn::Error::new(text.span(), what))?;
        Ok(Self { text, seconds: time.as_secs() })
    }
}

fn unknown(word: &Ident, known: &[&str], usage: &str) -> syn::Error {
    let name = word.to_string();
    let meant = nearest(&name, known.iter().copied()).map(|near| format!("; did you mean `{near}`?"));
    syn::Error::new(word.span(), format!("unknown word `{name}`{}\n{usage}", meant.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use crate::chain::source::{BaselineArgs, MigrationArgs};

    /// What the attribute says, or what is wrong with it: all errors, one a line.
    fn check(arguments: &str, expect: &str) {
        let said = match syn::parse_str::<MigrationArgs>(&format!("role = \"web\", {arguments}")) {
            Ok(args) => {
                let wait = args.wait.map_or_else(String::new, |wait| wait.value().to_string());
                if args.in_load { format!("in load: {wait}") } else { wait }
            }
            Err(errors) => errors.into_iter().map(|error| error.to_string()).collect::<Vec<_>>().join("\n"),
        };
        assert_eq!(said, expect, "{arguments}");
    }

    #[test]
    fn a_wait_is_said_as_it_is_written() {
        for wait in [
            "all(\"database\")",
            "any(\"database\")",
            "count(\"web\", 2)",
            "all(\"database\", reached(\"install_postgres\"))",
            "count(\"web\", 2, reached(\"install_nginx\"))",
        ] {
            check(&format!("wait = {wait}"), wait);
        }
        check("wait = all(\"web\",)", "all(\"web\")");
        check("wait = count(\"web\", 2, reached(\"a\"),)", "count(\"web\", 2, reached(\"a\"))");
        check(
            "overdue = \"30m\", wait = any(\"web\"), on_catchup = pass",
            "any(\"web\"), on_catchup = pass, overdue = \"1800s\"",
        );
        check("wait = any(\"web\"), on_catchup = wait", "any(\"web\")");
    }

    #[test]
    fn a_link_may_be_run_in_load() {
        check("rolling = false", "in load: ");
        check("rolling = false, wait = all(\"web\")", "in load: all(\"web\")");
        check("rolling = true", "");
    }

    #[test]
    fn a_wrong_wait_says_what_is_right() {
        let words = "write `all(\"role\")`, `any(\"role\")` or `count(\"role\", 2)`";
        check("wait = al(\"web\")", &format!("unknown word `al`\n{words}"));
        check("wait = coutn(\"web\", 2)", &format!("unknown word `coutn`; did you mean `count`?\n{words}"));
        check("wait = count(\"web\")", "how many hosts? `count(\"role\", 2)`");
        check("wait = count(\"web\", reached(\"a\"))", "how many hosts? `count(\"role\", 2)`");
        check("wait = count(\"web\", 0)", "a wait for a number of hosts is for 1 or more");
        check("wait = count(\"web\", 99999999999)", "a wait for a number of hosts is for 1 or more");
        check("wait = any(\"web\", 2)", "`any` takes no number; write `count(\"role\", 2)`");
        let usage = "write `reached(\"migration\")`, or nothing for the one before this";
        check(
            "wait = all(\"web\", reachd(\"a\"))",
            &format!("unknown word `reachd`; did you mean `reached`?\n{usage}"),
        );
        check("wait = all(\"web\", reached(a))", "expected string literal");
        check("wait = all(web)", "expected string literal");
        check("wait = all(\"web\") or so", "unexpected token");
    }

    #[test]
    fn what_is_said_of_a_wait_needs_one() {
        let about =
            |what: &str| format!("`{what}` is said of a wait, and there is none: `wait = all(\"role\"), {what} = …`");
        check("on_catchup = pass", &about("on_catchup"));
        check("overdue = \"2h\"", &about("overdue"));
        check("overdue = \"2h\", on_catchup = fail", &format!("{}\n{}", about("on_catchup"), about("overdue")));
        check("wait = count(\"web\", 0), overdue = \"2h\"", "a wait for a number of hosts is for 1 or more");
        let catchup = "unknown word `skip`\nwrite `wait`, `pass` or `fail`";
        check("wait = all(\"web\"), on_catchup = skip", catchup);
        let overdue = "after how long is it overdue? `overdue = \"90s\"`, `\"30m\"`, or `\"2h\"`";
        check("wait = all(\"web\"), overdue = \"soon\"", overdue);
        check("rolling = no", "a link is run out of load, `rolling = true`, or in load, `rolling = false`");
    }

    #[test]
    fn a_baseline_waits_as_a_migration_does() {
        let text = "role = \"web\", replaces = \"a1b2c3d..9f8e7d6\", wait = any(\"database\"), overdue = \"90s\", rolling = false";
        let args: BaselineArgs = syn::parse_str(text).unwrap();
        assert_eq!(args.link.wait.unwrap().value().to_string(), "any(\"database\"), overdue = \"90s\"");
        assert!(args.link.in_load);
    }
}
