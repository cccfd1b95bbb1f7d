//! The waits in the code of migrations, as far as they stand there in full: `host.wait_until(all("web").reached("page"))`.
//! Of one whose role or link is computed, all that is known is that it is there.

use proc_macro2::{TokenStream, TokenTree};
use syn::parse::Parser as _;
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Expr, ExprCall, ExprMethodCall, ExprPath, Lit, Macro, Token};

use crate::chain::{Inside, Wait, Who};

/// How hosts wait for others: a method of `Host`.
const WAIT_UNTIL: &str = "wait_until";

/// The waits in a file.
#[must_use]
pub fn waits_inside(file: &syn::File) -> Inside {
    let mut found = Inside::default();
    found.visit_file(file);
    found
}

impl<'ast> Visit<'ast> for Inside {
    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        if call.method == WAIT_UNTIL {
            note(self, call.args.first());
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        if is_of_a_type(&call.func) {
            note(self, call.args.get(1));
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        let Inside { waits, computed } = waits_of_macro(call);
        self.waits.extend(waits);
        self.computed += computed;
        visit::visit_macro(self, call);
    }
}

fn note(found: &mut Inside, argument: Option<&Expr>) {
    match argument.and_then(wait) {
        Some(wait) => found.waits.push(wait),
        None => found.computed += 1,
    }
}

/// `Host::wait_until`, whatever the type is called here. Functions of modules have a name in small letters before theirs.
fn is_of_a_type(function: &Expr) -> bool {
    let Expr::Path(ExprPath { qself, path, .. }) = function else { return false };
    let mut names = path.segments.iter().rev().map(|segment| segment.ident.to_string());
    let is_it = names.next().is_some_and(|name| name == WAIT_UNTIL);
    is_it && (qself.is_some() || names.next().is_some_and(|owner| owner.starts_with(char::is_uppercase)))
}

/// What a macro makes of its words nobody knows before it does; where these are expressions, they are taken for what they
/// say.
fn waits_of_macro(call: &Macro) -> Inside {
    let mut found = Inside::default();
    match Punctuated::<Expr, Token![,]>::parse_terminated.parse2(call.tokens.clone()) {
        Ok(arguments) => arguments.iter().for_each(|argument| found.visit_expr(argument)),
        Err(_) => found.computed = named(call.tokens.clone()),
    }
    found
}

/// How often the name stands there.
fn named(tokens: TokenStream) -> usize {
    let of = |token| match token {
        TokenTree::Ident(name) => usize::from(name == WAIT_UNTIL),
        TokenTree::Group(group) => named(group.stream()),
        TokenTree::Punct(_) | TokenTree::Literal(_) => 0,
    };
    tokens.into_iter().map(of).sum()
}

fn wait(argument: &Expr) -> Option<Wait> {
    match argument {
        Expr::MethodCall(call) => {
            let wait = wait(&call.receiver)?;
            match call.method == "reached" {
                true => Some(Wait { reached: Some(text(call.args.first()?)?), ..wait }),
                false => Some(wait),
            }
        }
        Expr::Call(call) => who(call).map(Wait::new),
        Expr::Paren(inner) => wait(&inner.expr),
        Expr::Reference(inner) => wait(&inner.expr),
        _ => None,
    }
}

fn who(call: &ExprCall) -> Option<Who> {
    let Expr::Path(path) = &*call.func else { return None };
    let role = text(call.args.first()?)?;
    match path.path.segments.last()?.ident.to_string().as_str() {
        "all" => Some(Who::All { role }),
        "any" => Some(Who::Any { role }),
        "count" => match call.args.get(1)? {
            Expr::Lit(hosts) => match &hosts.lit {
                Lit::Int(hosts) => Some(Who::Count { role, hosts: hosts.base10_parse().ok()? }),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

fn text(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Str(text) => Some(text.value()),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_that_stands_there_in_full_is_seen() {
        let check = |code: &str, expect: &str| {
            let file = syn::parse_str(&format!("fn f(host: &Host) -> Result<()> {{ {code}; Ok(()) }}")).unwrap();
            let Inside { waits, computed } = waits_inside(&file);
            let computed = std::iter::repeat_n("computed".to_owned(), computed);
            let said: Vec<String> = waits.iter().map(ToString::to_string).chain(computed).collect();
            assert_eq!(said.join(" "), expect, "{code}");
        };
        check(r#"host.wait_until(all("web"))?"#, r#"all("web")"#);
        check(
            r#"host.wait_until(&count("web", 2).reached("page").within("30m"))?"#,
            r#"count("web", 2, reached("page"))"#,
        );
        check(r#"if x { host.wait_until(wait::any("web").reached("page"))? }"#, r#"any("web", reached("page"))"#);
        check(r#"host.wait_until(all(role))?"#, "computed");
        check(
            r#"let web = all("web"); host.wait_until(web.reached(link))?; host.wait_until(web)?"#,
            "computed computed",
        );
        check(r#"host.wait_for(all("web"))?"#, "");
        check(r#"Host::wait_until(host, all("web").within(limit))?"#, r#"all("web")"#);
        check(r#"wb_stdlib::Host::wait_until(host, web)?"#, "computed");
        check(r#"<Host>::wait_until(host, all("web"))?"#, r#"all("web")"#);
        check(r#"clock::wait_until(&clock, all("web")); wait_until(host, all("web"))"#, "");
    }

    #[test]
    fn macros_are_looked_into() {
        let check = |code: &str, expect: &str, others: usize| {
            let file = syn::parse_str(&format!("fn f(host: &Host) -> Result<()> {{ {code}; Ok(()) }}")).unwrap();
            let Inside { waits, computed } = waits_inside(&file);
            let said: Vec<String> = waits.iter().map(ToString::to_string).collect();
            assert_eq!((said.join(" ").as_str(), computed), (expect, others), "{code}");
        };
        let web = r#"all("web")"#;
        check(r#"ensure!(host.wait_until(all("web").within(limit)).is_ok(), "no {}", 1)"#, web, 0);
        check(r#"vec![dbg!(host.wait_until(all("web").within(limit)))]"#, web, 0);
        check(r#"ensure!(host.wait_until(all(role).within(limit)).is_ok())"#, "", 1);
        check(r#"each!(host in hosts => { host.wait_until(all("web"))?; host.wait_until(web)? })"#, "", 2);
        check(r#"println!("wait_until")"#, "", 0);
    }
}
