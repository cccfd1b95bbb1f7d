//! The waits in the code of migrations, as far as they stand there in full: `host.wait_until(all("web").reached("page"))`.
//! Of one whose role or link is computed, all that is known is that it is there.

use syn::visit::{self, Visit};
use syn::{Expr, ExprCall, ExprMethodCall, Lit};

use crate::chain::{Inside, Wait, Who};

/// The waits in a file. Macros are not looked into.
#[must_use]
pub fn waits_inside(file: &syn::File) -> Inside {
    let mut found = Inside::default();
    found.visit_file(file);
    found
}

impl<'ast> Visit<'ast> for Inside {
    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        if call.method == "wait_until" {
            match call.args.first().and_then(wait) {
                Some(wait) => self.waits.push(wait),
                None => self.computed += 1,
            }
        }
        visit::visit_expr_method_call(self, call);
    }
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
    }
}
