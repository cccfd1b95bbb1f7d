//! The digest of code: what a file says, not how it is laid out.
//!
//! A landed migration must not change, and a formatter must be free to lay it out anew. So the digest is taken from the
//! syntax tree, brought into one normal form: no doc comments, each expression in exactly one pair of parentheses, no
//! braces around a single expression, every match arm with its comma, `use` declarations one by one and sorted. What is
//! hashed then is the sequence of tokens (kind and text, without spaces, and without commas at the end of a list), never
//! a printed form, whose layout might change with the printer.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::ToTokens as _;
use sha2::{Digest as _, Sha256};
use syn::parse::Parser as _;
use syn::punctuated::Punctuated;
use syn::visit_mut::{self, VisitMut};
use syn::{Block, Expr, Item, Macro, MacroDelimiter, Pat, ReturnType, Stmt, Token, Type, UseTree};

use super::Digest;

/// The digest of a parsed file.
///
/// ```
/// use wb_core::chain::code_digest;
/// let digest = |text: &str| code_digest(syn::parse_file(text).unwrap());
/// assert_eq!(digest("fn f() { g(1, 2) }"), digest("/// Says g.\nfn f() {\n    g(\n        1, 2,\n    )\n}"));
/// assert_ne!(digest("fn f() { g(1, 2) }"), digest("fn f() { g(1, 3) }"));
/// ```
#[must_use]
pub fn code_digest(mut file: syn::File) -> Digest {
    Normal.visit_file_mut(&mut file);
    let mut hasher = Sha256::new();
    write(&mut hasher, file.into_token_stream());
    Digest::from_bytes(hasher.finalize().into())
}

/// Brings a tree into its normal form.
struct Normal;

impl VisitMut for Normal {
    fn visit_file_mut(&mut self, file: &mut syn::File) {
        visit_mut::visit_file_mut(self, file);
        sort_uses(&mut file.items);
    }

    fn visit_item_mod_mut(&mut self, module: &mut syn::ItemMod) {
        visit_mut::visit_item_mod_mut(self, module);
        if let Some((_, items)) = &mut module.content {
            sort_uses(items);
        }
    }

    fn visit_block_mut(&mut self, block: &mut Block) {
        visit_mut::visit_block_mut(self, block);
        let (mut uses, mut rest) = (Vec::new(), Vec::new());
        for statement in block.stmts.drain(..).filter_map(plain_statement) {
            match statement {
                Stmt::Item(item @ Item::Use(_)) => uses.push(item),
                other => rest.push(other),
            }
        }
        close_statements(&mut rest);
        sort_uses(&mut uses);
        block.stmts = uses.into_iter().map(Stmt::Item).chain(rest).collect();
    }

    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        visit_mut::visit_expr_mut(self, expr);
        let inner = bare(std::mem::replace(expr, Expr::PLACEHOLDER));
        *expr = in_parentheses(inner);
    }

    fn visit_arm_mut(&mut self, arm: &mut syn::Arm) {
        visit_mut::visit_arm_mut(self, arm);
        arm.comma = Some(Token![,](proc_macro2::Span::call_site()));
    }

    fn visit_pat_mut(&mut self, pat: &mut Pat) {
        visit_mut::visit_pat_mut(self, pat);
        if let Pat::Or(or) = pat {
            or.leading_vert = None;
        }
    }

    fn visit_return_type_mut(&mut self, output: &mut ReturnType) {
        visit_mut::visit_return_type_mut(self, output);
        let unit = |ty: &Type| matches!(ty, Type::Tuple(tuple) if tuple.elems.is_empty());
        if matches!(output, ReturnType::Type(_, ty) if unit(ty)) {
            *output = ReturnType::Default;
        }
    }

    fn visit_macro_mut(&mut self, mac: &mut Macro) {
        visit_mut::visit_macro_mut(self, mac);
        mac.delimiter = MacroDelimiter::Paren(syn::token::Paren::default());
        let arguments = Punctuated::<Expr, Token![,]>::parse_terminated.parse2(mac.tokens.clone());
        if let Ok(mut arguments) = arguments {
            arguments.iter_mut().for_each(|argument| self.visit_expr_mut(argument));
            mac.tokens = arguments.into_token_stream();
        }
    }
}

/// A statement as formatters may not leave it: a macro is an expression, and a lone semicolon is nothing.
fn plain_statement(statement: Stmt) -> Option<Stmt> {
    match statement {
        Stmt::Macro(call) => {
            let expr = Expr::Macro(syn::ExprMacro { attrs: call.attrs, mac: call.mac });
            Some(Stmt::Expr(in_parentheses(expr), call.semi_token))
        }
        Stmt::Expr(Expr::Verbatim(tokens), _) if tokens.is_empty() => None,
        other => Some(other),
    }
}

/// Gives every statement its semicolon, where it makes no difference: before the last, and after a jump.
fn close_statements(statements: &mut [Stmt]) {
    let last = statements.len().saturating_sub(1);
    for (index, statement) in statements.iter_mut().enumerate() {
        if let Stmt::Expr(expr, semicolon) = statement
            && (index < last || is_jump(expr))
        {
            *semicolon = Some(Token![;](proc_macro2::Span::call_site()));
        }
    }
}

fn is_jump(expr: &Expr) -> bool {
    match expr {
        Expr::Paren(paren) => is_jump(&paren.expr),
        Expr::Return(_) | Expr::Break(_) | Expr::Continue(_) => true,
        _ => false,
    }
}

/// An expression without parentheses and braces around it that say nothing.
fn bare(expr: Expr) -> Expr {
    match expr {
        Expr::Paren(paren) if paren.attrs.is_empty() => bare(*paren.expr),
        Expr::Group(group) if group.attrs.is_empty() => bare(*group.expr),
        Expr::Block(block) if block.attrs.is_empty() && block.label.is_none() => match single(block.block) {
            Ok(expr) => bare(expr),
            Err(rest) => Expr::Block(syn::ExprBlock { block: rest, ..block }),
        },
        other => other,
    }
}

/// The one expression that a block consists of.
fn single(mut block: Block) -> Result<Expr, Block> {
    match block.stmts.pop() {
        Some(Stmt::Expr(expr, semicolon)) if block.stmts.is_empty() && (semicolon.is_none() || is_jump(&expr)) => {
            Ok(expr)
        }
        last => {
            block.stmts.extend(last);
            Err(block)
        }
    }
}

fn in_parentheses(expr: Expr) -> Expr {
    Expr::Paren(syn::ExprParen { attrs: Vec::new(), paren_token: syn::token::Paren::default(), expr: Box::new(expr) })
}

/// Puts the `use` declarations first, one for each path, in the order of their text.
fn sort_uses(items: &mut Vec<Item>) {
    let (mut uses, mut rest) = (Vec::new(), Vec::new());
    for item in items.drain(..) {
        match item {
            Item::Use(item) => uses.extend(single_uses(&item)),
            other => rest.push(other),
        }
    }
    uses.sort_by_cached_key(|item| item.to_token_stream().to_string());
    items.extend(uses.into_iter().map(Item::Use).chain(rest));
}

fn single_uses(item: &syn::ItemUse) -> Vec<syn::ItemUse> {
    let trees = single_trees(item.tree.clone());
    trees.into_iter().map(|tree| syn::ItemUse { tree, ..item.clone() }).collect()
}

fn single_trees(tree: UseTree) -> Vec<UseTree> {
    match tree {
        UseTree::Group(group) => group.items.into_iter().flat_map(single_trees).collect(),
        UseTree::Path(path) => {
            let ends = single_trees((*path.tree).clone());
            let with_end = |end| UseTree::Path(syn::UsePath { tree: Box::new(end), ..path.clone() });
            ends.into_iter().map(with_end).collect()
        }
        other => vec![other],
    }
}

/// Hashes tokens: a letter for the kind, the length, the text.
fn write(hasher: &mut Sha256, tokens: TokenStream) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == ',' && ends_list(tokens.peek()) => {}
            TokenTree::Punct(punct) if punct.as_char() == '#' && is_attribute(tokens.peek()) => {
                if let Some(TokenTree::Group(group)) = tokens.next() {
                    write_attribute(hasher, &group);
                }
            }
            TokenTree::Punct(punct) => write_leaf(hasher, b'p', &punct.as_char().to_string()),
            TokenTree::Ident(ident) => write_leaf(hasher, b'i', &ident.to_string()),
            TokenTree::Literal(literal) => write_leaf(hasher, b'l', &literal.to_string()),
            TokenTree::Group(group) => write_group(hasher, &group),
        }
    }
}

fn is_attribute(next: Option<&TokenTree>) -> bool {
    matches!(next, Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Bracket)
}

/// Doc comments say nothing to the machine; `derive`s may be written in one attribute or in several.
fn write_attribute(hasher: &mut Sha256, group: &Group) {
    let mut tokens = group.stream().into_iter();
    match (tokens.next(), tokens.next()) {
        (Some(TokenTree::Ident(name)), _) if name == "doc" => {}
        (Some(TokenTree::Ident(name)), Some(TokenTree::Group(list))) if name == "derive" => {
            let is_comma = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',');
            for path in list.stream().into_iter().collect::<Vec<_>>().split(is_comma).filter(|path| !path.is_empty()) {
                write_leaf(hasher, b'd', "");
                write(hasher, path.iter().cloned().collect());
            }
        }
        _ => {
            write_leaf(hasher, b'a', "");
            write_group(hasher, group);
        }
    }
}

fn write_group(hasher: &mut Sha256, group: &Group) {
    let name = match group.delimiter() {
        Delimiter::Parenthesis => "()",
        Delimiter::Brace => "{}",
        Delimiter::Bracket => "[]",
        Delimiter::None => return write(hasher, group.stream()),
    };
    write_leaf(hasher, b'o', name);
    write(hasher, group.stream());
    write_leaf(hasher, b'c', name);
}

fn write_leaf(hasher: &mut Sha256, kind: u8, text: &str) {
    hasher.update([kind]);
    hasher.update((text.len() as u64).to_le_bytes());
    hasher.update(text);
}

/// Whether a comma before `next` is the last of its list.
fn ends_list(next: Option<&TokenTree>) -> bool {
    match next {
        None => true,
        Some(TokenTree::Punct(punct)) => matches!(punct.as_char(), '>' | ';'),
        Some(TokenTree::Group(group)) => group.delimiter() == Delimiter::Brace,
        Some(_) => false,
    }
}
