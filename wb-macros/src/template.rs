//! `template!("name", key = value, …)`, `asset!("name")` and `assets!("directory")`: files of `assets/`, known to the
//! compiler.
//!
//! A template has placeholders, `{{ key }}`. A placeholder without a value, a value that no placeholder uses and a file
//! that is not there are errors of the build, so a host never meets them. `{{ "{{" }}` gives two braces.

mod text;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Expr, LitStr, Token};
use wb_core::chain::nearest;
use wb_core::chain::source::{Errors, is_asset};
use wb_core::system::files::Kind;
use wb_core::system::{environment, files};

use text::{Piece, parse};

pub(crate) fn expand(input: TokenStream) -> TokenStream {
    let call = match syn::parse2::<Call>(input) {
        Ok(call) => call,
        Err(error) => return failed("", &error),
    };
    let name = call.name.value();
    match filled(&call) {
        Ok(filled) => {
            let include = include(&name);
            quote!({ const _: &[u8] = #include; ::wb_stdlib::Template::new(#name, #filled) })
        }
        Err(error) => failed(&name, &error),
    }
}

pub(crate) fn expand_asset(input: TokenStream) -> TokenStream {
    let read = syn::parse2::<LitStr>(input).and_then(|name| read(&name).map(|_| name.value()));
    match read {
        Ok(name) => {
            let include = include(&name);
            quote!({ const BYTES: &[u8] = #include; BYTES })
        }
        Err(error) => {
            let error = error.to_compile_error();
            quote!({ #error const BYTES: &[u8] = &[]; BYTES })
        }
    }
}

/// All files of a directory, each known to the compiler; that there are others since, `track` tells cargo.
pub(crate) fn expand_assets(input: TokenStream) -> TokenStream {
    let found = syn::parse2::<LitStr>(input).and_then(|name| Ok((name.value(), read_directory(&name)?)));
    let (name, files, error) = match found {
        Ok((name, files)) => (name, files, None),
        Err(error) => (String::new(), Vec::new(), Some(error.to_compile_error())),
    };
    let includes = files.iter().map(|file| include(&format!("{name}/{file}")));
    quote!({
        #error
        const FILES: &[(&str, &[u8])] = &[#((#files, #includes)),*];
        ::wb_stdlib::Assets::new(#name, FILES)
    })
}

/// The paths of the assets below a directory of them, sorted.
fn read_directory(name: &LitStr) -> syn::Result<Vec<String>> {
    let (directory, wrong) = (name.value(), |what: String| syn::Error::new(name.span(), what));
    check_name(name)?;
    let Some(assets) = assets_dir() else { return Ok(Vec::new()) };
    let path = assets.join(&directory);
    let unreadable = |error: &files::FileError| wrong(format!("{error}: {}", error.source));
    match files::stat(&path).map_err(|error| unreadable(&error))?.map(|stat| stat.kind) {
        Some(Kind::Directory) => {}
        Some(_) => {
            return Err(wrong(format!("assets/{directory} is no directory; `asset!` gives the bytes of a file")));
        }
        None => return Err(missing("directory", &directory, &assets, wrong)),
    }
    let mut found = Vec::new();
    for (below, kind) in files::below(&path).map_err(|error| unreadable(&error))? {
        let Some(below) = below.to_str() else {
            return Err(wrong(format!("assets/{directory}/{}: its name is not UTF-8", below.display())));
        };
        if !is_asset(below.rsplit('/').next().unwrap_or(below)) {
            continue;
        }
        if kind != Kind::File {
            return Err(wrong(format!("assets/{directory}/{below} is no file: links can't be embedded")));
        }
        found.push(below.to_owned());
    }
    found.sort();
    if found.is_empty() {
        return Err(wrong(format!("assets/{directory} has no files")));
    }
    Ok(found)
}

/// What stands in the brackets of `template!`.
struct Call {
    name: LitStr,
    values: Vec<Value>,
}

struct Value {
    key: Ident,
    value: Expr,
}

impl Parse for Call {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let name = input.parse()?;
        if !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
        let values = Punctuated::<Value, Token![,]>::parse_terminated(input)?;
        Ok(Self { name, values: values.into_iter().collect() })
    }
}

impl Parse for Value {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let key = input.call(Ident::parse_any)?;
        input.parse::<Token![=]>()?;
        Ok(Self { key, value: input.parse()? })
    }
}

/// The text of the template as a `format!` of the values.
fn filled(call: &Call) -> syn::Result<TokenStream> {
    let bytes = read(&call.name)?;
    let wrong = |what: String| syn::Error::new(call.name.span(), format!("assets/{}{what}", call.name.value()));
    let text = String::from_utf8(bytes).map_err(|_| wrong(" is not UTF-8; `asset!` gives bytes".to_owned()))?;
    let pieces = parse(&text).map_err(|error| wrong(format!(", line {}: {}", error.line, error.what)))?;
    check(call, &pieces, wrong)?;
    let position = |key: &str| call.values.iter().position(|value| value.key.unraw() == key).unwrap_or_default();
    let format: String = pieces.iter().map(|piece| piece.format(position)).collect();
    let values = call.values.iter().map(|value| &value.value);
    Ok(quote!(::std::format!(#format, #(#values),*)))
}

/// Values and placeholders must be the same.
fn check(call: &Call, pieces: &[Piece], wrong: impl Fn(String) -> syn::Error) -> syn::Result<()> {
    let mut errors = Errors::default();
    let mut given = BTreeSet::new();
    let used: BTreeSet<&str> = pieces.iter().filter_map(Piece::key).collect();
    for value in &call.values {
        let key = value.key.unraw().to_string();
        if !used.contains(key.as_str()) {
            let meant = nearest(&key, used.iter().copied()).map(|near| format!("; did you mean `{near}`?"));
            let what = format!("no `{{{{ {key} }}}}` in assets/{}{}", call.name.value(), meant.unwrap_or_default());
            errors.add(syn::Error::new(value.key.span(), what));
        }
        if !given.insert(key.clone()) {
            errors.add(syn::Error::new(value.key.span(), format!("`{key}` is given twice")));
        }
    }
    let mut missing = BTreeSet::new();
    for (line, key) in pieces.iter().filter_map(Piece::placeholder).filter(|(_, key)| !given.contains(*key)) {
        if missing.insert(key) {
            errors.add(wrong(format!(", line {line}: `{{{{ {key} }}}}` has no value; add `{key} = …`")));
        }
    }
    errors.none()
}

/// The bytes of an asset of the crate that is being compiled. Where nobody says which crate that is, nothing is read.
fn read(name: &LitStr) -> syn::Result<Vec<u8>> {
    let (file, wrong) = (name.value(), |what: String| syn::Error::new(name.span(), what));
    check_name(name)?;
    let Some(assets) = assets_dir() else { return Ok(Vec::new()) };
    let found =
        files::read_optional(assets.join(&file)).map_err(|error| wrong(format!("{error}: {}", error.source)))?;
    found.ok_or_else(|| missing("file", &file, &assets, wrong))
}

fn check_name(name: &LitStr) -> syn::Result<()> {
    let file = name.value();
    if file.is_empty() || file.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(syn::Error::new(name.span(), "an asset is named by its path below `assets/`"));
    }
    Ok(())
}

fn assets_dir() -> Option<PathBuf> {
    environment::var("CARGO_MANIFEST_DIR").map(|crate_dir| Path::new(&crate_dir).join("assets"))
}

fn missing(kind: &str, name: &str, assets: &Path, wrong: impl Fn(String) -> syn::Error) -> syn::Error {
    let others = files::list(assets).unwrap_or_default();
    let others = others.iter().filter_map(|path| path.file_name()?.to_str());
    let meant = nearest(name, others).map(|near| format!("; did you mean `{near}`?"));
    wrong(format!("there is no {kind} assets/{name} in this crate{}", meant.unwrap_or_default()))
}

fn include(name: &str) -> TokenStream {
    let path = format!("/assets/{name}");
    quote!(::core::include_bytes!(::core::concat!(::core::env!("CARGO_MANIFEST_DIR"), #path)))
}

/// The error, and a value of the right type, so that it stays the only one.
fn failed(name: &str, error: &syn::Error) -> TokenStream {
    let error = error.to_compile_error();
    quote!({ #error ::wb_stdlib::Template::new(#name, ::std::string::String::new()) })
}
