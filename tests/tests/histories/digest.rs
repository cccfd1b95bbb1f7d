//! The digest of a link: no formatter moves it, every other edit does.

use proc_macro2::{TokenStream, TokenTree};
use wb_core::chain::code_digest;
use wb_core::system::Command;

const FILES: [&str; 3] = [
    include_str!("digest/install_postgres.txt"),
    include_str!("digest/rotate_certificates.txt"),
    include_str!("digest/odd_corners.txt"),
];

fn digest(text: &str) -> String {
    code_digest(syn::parse_file(text).expect("a Rust file")).to_string()
}

fn rustfmt(text: &str, config: &str) -> String {
    let command = Command::new("rustfmt").args(["--edition", "2024", "--config", config]).stdin(text);
    command.read().expect("rustfmt works")
}

#[test]
fn rustfmt_at_any_width_leaves_it() {
    for text in FILES {
        for width in [40, 60, 80, 100, 140, 200] {
            for heuristics in ["Default", "Max", "Off"] {
                let config = format!("max_width={width},use_small_heuristics={heuristics}");
                let formatted = rustfmt(text, &config);
                assert_eq!(digest(&formatted), digest(text), "{config}\n{formatted}");
            }
        }
    }
}

#[test]
fn every_edit_of_a_word_or_a_literal_moves_it() {
    for text in FILES {
        let tokens: TokenStream = text.parse().expect("tokens");
        let count = leaves(tokens.clone());
        assert!(count > 50);
        for index in 0..count {
            let edited = edit(tokens.clone(), &mut index.clone());
            let Ok(edited) = syn::parse2::<syn::File>(edited.clone()) else { continue };
            let original = syn::parse2::<syn::File>(tokens.clone()).expect("a Rust file");
            assert_ne!(code_digest(edited), code_digest(original), "leaf {index} of\n{text}");
        }
    }
}

/// How many words and literals there are, doc comments aside.
fn leaves(tokens: TokenStream) -> usize {
    plain(tokens).into_iter().fold(0, |count, token| match token {
        TokenTree::Group(group) => count + leaves(group.stream()),
        TokenTree::Punct(_) => count,
        _ => count + 1,
    })
}

/// The tokens with one word or literal made another.
fn edit(tokens: TokenStream, index: &mut usize) -> TokenStream {
    let edited = plain(tokens).into_iter().map(|token| match token {
        TokenTree::Group(group) => proc_macro2::Group::new(group.delimiter(), edit(group.stream(), index)).into(),
        TokenTree::Punct(punct) => punct.into(),
        other => {
            let is_it = *index == 0;
            *index = index.wrapping_sub(1);
            if is_it { another(&other) } else { other }
        }
    });
    edited.collect()
}

fn another(token: &TokenTree) -> TokenTree {
    match token {
        TokenTree::Ident(ident) => {
            proc_macro2::Ident::new(&format!("{}x", ident.to_string().trim_start_matches("r#")), ident.span()).into()
        }
        _ => proc_macro2::Literal::string("something else").into(),
    }
}

/// The tokens without doc comments.
fn plain(tokens: TokenStream) -> Vec<TokenTree> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let is_doc = |index: usize| match tokens.get(index) {
        Some(TokenTree::Group(group)) => group.stream().to_string().starts_with("doc"),
        _ => false,
    };
    let is_hash = |index: usize| matches!(&tokens[index], TokenTree::Punct(punct) if punct.as_char() == '#');
    let kept = (0..tokens.len()).filter(|index| !(is_doc(*index) || is_hash(*index) && is_doc(index + 1)));
    kept.map(|index| tokens[index].clone()).collect()
}

#[test]
fn what_says_the_same_has_the_same_digest() {
    let check = |one: &str, other: &str| assert_eq!(digest(one), digest(other), "{one}\n{other}");
    check("fn f() {}", "/// Docs.\n//! More.\nfn f() { /* nothing */ }".replace("//! More.\n", "").as_str());
    check("use a::{b, c}; use d;", "use d;\nuse a::c;\nuse a::b;");
    check("fn f() { use a::{c, b}; g() }", "fn f() { use a::b; use a::c; g() }");
    check("fn f() { match x { A => { g() } B => h() } }", "fn f() { match x { A => g(), B => { h() }, } }");
    check("fn f() { v.map(|x| { x + 1 }) }", "fn f() { v.map(|x| x + 1,) }");
    check("fn f() { ((1 + 2)) * 3; }", "fn f() { (1 + 2) * 3; }");
    check("fn f() -> u8 { return 1 }", "fn f() -> u8 { return 1; }");
    check("fn f() -> () {}", "fn f() {}");
    check("fn f() { vec!(1, 2) }", "fn f() { vec![1, 2,] }");
    check("#[derive(A)] #[derive(B)] struct S;", "#[derive(A, B)] struct S;");
    check("fn f(a: A, b: B) {}", "fn f(\n    a: A,\n    b: B,\n) {}");
    check("fn f<T>() where T: A {}", "fn f<T,>()\nwhere\n    T: A,\n{}");
    check("enum E { A, B { c: u8 } }", "enum E { A, B { c: u8, }, }");
}

#[test]
fn what_says_something_else_has_another_digest() {
    let check = |one: &str, other: &str| assert_ne!(digest(one), digest(other), "{one}\n{other}");
    check("fn f() { (1 + 2) * 3; }", "fn f() { 1 + 2 * 3; }");
    check("fn f() { g(a, -b) }", "fn f() { g(a - b) }");
    check("fn f() { (a,) }", "fn f() { (a) }");
    check("fn f() { g() }", "fn f() { g(); }");
    check("fn f() { a(); b(); }", "fn f() { b(); a(); }");
    check("fn f() { g(\"a b\") }", "fn f() { g(\"a  b\") }");
    check("fn f() { require!(a, \"b\") }", "fn f() { require!(a, \"c\") }");
    check("fn f(a: A) {}", "fn f(a: &A) {}");
    check("#[spec] fn f() {}", "fn f() {}");
    check("use a::b;", "use a::b as c;");
    check("fn f() { if a { b() } else { c() } }", "fn f() { if !a { b() } else { c() } }");
}
