//! `chain!()`: reads files and git once, and says what it found.
//!
//! All links are registered at once, each with its place. The mistakes of a link go into a constant that `#[migration]`
//! asks: its methods panic, while the compiler evaluates them, with the text of the mistake, and being `#[track_caller]`
//! they do so at the caller. All other mistakes stand at `chain!()` itself. Where nobody says in which file the macro stands, as in an
//! editor, it checks nothing and registers nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};
use wb_core::chain::{Link, Mistake};
use wb_core::registry::{Resolved, resolve};
use wb_core::system::{environment, files};

use crate::baseline;
use crate::migration::{constant, static_wait};
use crate::runner::takes_nothing;

pub(crate) fn expand(input: &TokenStream) -> TokenStream {
    let error = takes_nothing(input, "chain!()");
    let expanded = match source_file() {
        Some(file) => match crate_dir(&file).and_then(|dir| Ok((resolved(&dir)?, untracked(&dir)))) {
            Ok((resolved, untracked)) => expand_resolved(&resolved, untracked),
            Err(what) => expand_verdicts(&Verdicts { here: vec![what], ..Verdicts::default() }),
        },
        None => expand_verdicts(&Verdicts::default()),
    };
    quote!(#error #expanded)
}

/// What is said where: texts by the function or the role that they are about, and those of nobody in particular.
#[derive(Default)]
struct Verdicts {
    links: BTreeMap<String, String>,
    roles: BTreeMap<String, String>,
    here: Vec<String>,
}

impl Verdicts {
    fn of(resolved: &Resolved) -> Self {
        let functions = functions(resolved);
        let mut verdicts = Self::default();
        for mistake in resolved.mistakes.iter().filter(|mistake| !mistake.is_told_by_compiler()) {
            match (mistake, mistake.link().and_then(|file| functions.get(file))) {
                (Mistake::UnknownRole { role, file, .. }, Some(_)) if stands_in_attribute(resolved, file, role) => {
                    drop(verdicts.roles.insert(role.clone(), mistake.text()))
                }
                (_, Some(function)) => add(verdicts.links.entry((*function).to_owned()).or_default(), &mistake.text()),
                (_, None) => verdicts.here.push(mistake.text()),
            }
        }
        verdicts
    }
}

/// Whether an attribute of this file names a role: its string asks for the verdict. Nobody asks for what code says.
fn stands_in_attribute(resolved: &Resolved, file: &str, role: &str) -> bool {
    let migrations = resolved.written.files.get(file).map_or(&[][..], |source| &source.migrations);
    migrations.iter().any(|migration| {
        migration.role.as_deref() == Some(role) || migration.wait.as_ref().is_some_and(|wait| wait.role() == role)
    })
}

fn add(texts: &mut String, text: &str) {
    if !texts.is_empty() {
        texts.push('\n');
    }
    texts.push_str(text);
}

/// The function that speaks for each file that the compiler sees: files that a `mod` line names.
fn functions(resolved: &Resolved) -> BTreeMap<&str, &str> {
    let written = &resolved.written;
    let listed = written.files.iter().filter(|(name, _)| written.mods.contains(name));
    let spoken = listed.filter_map(|(name, source)| Some((name.as_str(), source.migrations.last()?.name.as_str())));
    spoken.collect()
}

/// The file that the macro stands in, where there is one whose crate can be judged. Examples in documentation have none:
/// rustdoc says so in a variable.
fn source_file() -> Option<PathBuf> {
    if environment::var("UNSTABLE_RUSTDOC_TEST_PATH").is_some() {
        return None;
    }
    let file = Span::call_site().local_file()?;
    Some(environment::current_dir().ok()?.join(file))
}

fn crate_dir(file: &Path) -> Result<PathBuf, String> {
    let dir = file.ends_with("src/chain.rs").then(|| file.parent()?.parent()).flatten();
    dir.map(Path::to_owned).ok_or_else(|| {
        "`chain!()` belongs in src/chain.rs, below the `mod` lines\nhelp: move them there, and write `mod chain;` in src/main.rs"
            .to_owned()
    })
}

fn resolved(dir: &Path) -> Result<Resolved, String> {
    resolve(dir).map_err(|error| format!("{error}: {}", error.source))
}

/// The error of a crate whose build script does not watch git. An editor may not run build scripts; then only the text
/// of the script says that it would.
fn untracked(dir: &Path) -> Option<String> {
    let watches = || files::read_text(dir.join("build.rs")).is_ok_and(|text| text.contains("track()"));
    // The variable is empty where there is no commit yet, so its presence is read from what cargo passes on.
    let is_tracked = environment::var("WB_HEAD").is_some() || watches();
    (!is_tracked).then(|| {
        "nothing tells cargo about new commits, so the chain could go stale\n\
         help: write a build.rs beside Cargo.toml: `fn main() { wb_core::registry::track(); }`, \
         and run `cargo add --build wb-core --no-default-features`"
            .to_owned()
    })
}

fn expand_resolved(resolved: &Resolved, untracked: Option<String>) -> TokenStream {
    let mut verdicts = Verdicts::of(resolved);
    verdicts.here.extend(untracked);
    let verdicts = expand_verdicts(&verdicts);
    let links = resolved.links.iter().enumerate().map(|(index, link)| placed(index, link));
    quote! {
        #verdicts
        // So the compiler knows, and with it every cache of compiled crates, what this expansion depends on.
        const _: [::core::option::Option<&str>; 2] =
            [::core::option_env!("WB_HEAD"), ::core::option_env!("WB_SOURCES")];
        ::wb_stdlib::__private::inventory::submit! {
            ::wb_stdlib::__private::Links(&[#(#links),*])
        }
    }
}

fn expand_verdicts(verdicts: &Verdicts) -> TokenStream {
    let here = verdicts.here.iter().map(|text| syn::Error::new(Span::call_site(), text).to_compile_error());
    let (links, roles) = (texts(&verdicts.links), texts(&verdicts.roles));
    quote! {
        #(#here)*
        #[doc(hidden)]
        #[allow(dead_code)]
        pub(crate) const __WB_VERDICTS: ::wb_stdlib::__private::Verdicts =
            ::wb_stdlib::__private::Verdicts { links: #links, roles: #roles };
    }
}

/// Names, each with its text.
fn texts(texts: &BTreeMap<String, String>) -> TokenStream {
    let texts = texts.iter().map(|(name, text)| quote!((#name, #text)));
    quote!(&[#(#texts),*])
}

/// A link in its place.
fn placed(index: usize, link: &Link) -> TokenStream {
    let module = ident(&link.name);
    let constant = constant(&module);
    let said = if link.gone { baseline::gone(link) } else { quote!(#module::#constant) };
    let replaces = baseline::replaces(link);
    let sha1 = if link.is_draft() { String::new() } else { link.sha1.to_string() };
    let digest = link.digest.to_string();
    let inside = link.inside.iter().map(static_wait);
    quote! {
        ::wb_stdlib::__private::Migration {
            sha1: #sha1,
            digest: #digest,
            index: #index,
            replaces: #replaces,
            terms: ::wb_stdlib::__private::Terms { inside: &[#(#inside),*], ..#said.terms },
            ..#said
        }
    }
}

fn ident(name: &str) -> Ident {
    syn::parse_str(name).unwrap_or_else(|_| format_ident!("r#{name}"))
}
