//! What the source files say: the `mod` lines of `chain.rs`, the migrations of a file, the roles, the assets named.
//!
//! The macros and the verdict read attributes by the same code, so that they can't disagree.

mod inside;
mod role;
mod spec;
mod wait;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream};
use syn::visit::{self, Visit};
use syn::{Attribute, Item, LitBool, LitStr, Token};

use super::{Declared, Outside, Replaces};

pub use inside::waits_inside;
pub use role::{RoleArgs, Windows};
pub use spec::SpecArgs;
pub use wait::WaitArg;
use wait::{Catchup, Overdue};

/// The modules that `chain.rs` declares, in its order. Modules with a body are its own affair.
#[must_use]
pub fn mod_lines(file: &syn::File) -> Vec<String> {
    let declared = file.items.iter().filter_map(|item| match item {
        Item::Mod(module) if module.content.is_none() => Some(module.ident.unraw().to_string()),
        _ => None,
    });
    declared.collect()
}

/// The functions with `#[migration]` or `#[baseline]`.
#[must_use]
pub fn migrations(file: &syn::File) -> Vec<Declared> {
    let declared = file.items.iter().filter_map(|item| match item {
        Item::Fn(function) => {
            let name = function.sig.ident.unraw().to_string();
            function.attrs.iter().find_map(|attribute| declared(&name, attribute))
        }
        _ => None,
    });
    declared.collect()
}

/// Whether an attribute makes a function a link.
#[must_use]
pub fn is_of_link(attribute: &Attribute) -> bool {
    LINKS.iter().any(|name| is_named(attribute, name))
}

const LINKS: [&str; 2] = ["migration", "baseline"];

fn declared(name: &str, attribute: &Attribute) -> Option<Declared> {
    if !is_of_link(attribute) {
        return None;
    }
    let (args, replaces) = match is_named(attribute, "baseline") {
        true => attribute.parse_args::<BaselineArgs>().ok().map(|args| (args.link, args.replaces)).unzip(),
        false => (attribute.parse_args::<MigrationArgs>().ok(), None),
    };
    let name = name.to_owned();
    Some(match args {
        Some(args) => Declared {
            name,
            role: Some(args.role.value()),
            wait: args.wait.map(|wait| wait.value()),
            in_load: args.in_load,
            amended: args.amended.map(|why| why.0.value()),
            replaces,
        },
        None => Declared { name, ..Declared::default() },
    })
}

/// The names of the structs with `#[role]`.
#[must_use]
pub fn roles(file: &syn::File) -> BTreeSet<String> {
    let names = file.items.iter().filter_map(|item| match item {
        Item::Struct(item) => {
            let attribute = item.attrs.iter().find(|attribute| is_named(attribute, "role"))?;
            let given = attribute.parse_args::<RoleArgs>().ok().and_then(|args| args.name);
            Some(given.map_or_else(|| role_name(&item.ident.unraw().to_string()), |name| name.value()))
        }
        _ => None,
    });
    names.collect()
}

/// The role that a struct of this name is.
///
/// ```
/// assert_eq!(wb_core::chain::source::role_name("LoadBalancer"), "load_balancer");
/// ```
#[must_use]
pub fn role_name(ident: &str) -> String {
    let mut name = String::new();
    for (index, letter) in ident.char_indices() {
        if letter.is_uppercase() && index > 0 {
            name.push('_');
        }
        name.extend(letter.to_lowercase());
    }
    name
}

/// The attributes of `mod` lines that say which file is compiled, or whether it is: all but comments, lints and layout.
#[must_use]
pub fn mod_attributes(file: &syn::File) -> Vec<(String, String)> {
    const HARMLESS: [&str; 7] = ["doc", "allow", "expect", "warn", "deny", "forbid", "rustfmt"];
    let lines = file.items.iter().filter_map(|item| match item {
        Item::Mod(module) if module.content.is_none() => Some(module),
        _ => None,
    });
    let first = |attribute: &Attribute| attribute.path().segments.first().map(|segment| segment.ident.to_string());
    let harmful = lines.flat_map(|module| {
        let names = module.attrs.iter().filter_map(first).filter(|name| !HARMLESS.contains(&name.as_str()));
        names.map(|name| (module.ident.unraw().to_string(), format!("#[{name}]")))
    });
    harmful.collect()
}

/// The assets that a file names, in `template!("name", …)`, `asset!("name")` and `assets!("directory")`, at any depth, by
/// whatever name the file has for these macros. The name of a directory ends with `/`.
#[must_use]
pub fn assets(file: &syn::File) -> BTreeSet<String> {
    let named = calls(file).into_iter().filter(|call| ASSETS.contains(&call.name.as_str()));
    let name = |call: Call| {
        let end = if call.name == DIRECTORY { "/" } else { "" };
        call.argument.map(|name| name + end)
    };
    named.filter_map(name).collect()
}

/// Whether a file of this name in a directory of assets is one: what editors and desktops leave beside files is none.
///
/// ```
/// use wb_core::chain::source::is_asset;
/// assert!(is_asset("index.html") && is_asset(".htaccess"));
/// assert!(!is_asset("index.html~") && !is_asset(".index.html.swp") && !is_asset(".#index.html"));
/// ```
#[must_use]
pub fn is_asset(name: &str) -> bool {
    let is_swap = name.starts_with('.') && [".swp", ".swo", ".swx"].iter().any(|end| name.ends_with(end));
    !(is_swap || name.ends_with('~') || name.starts_with(".#") || name == ".DS_Store")
}

/// What a file takes in from outside of itself and its assets.
#[must_use]
pub fn outside(file: &syn::File) -> Vec<Outside> {
    let mut modules = Modules::default();
    modules.visit_file(file);
    let is_unseen = |call: &Call| !ASSETS.contains(&call.name.as_str()) || call.argument.is_none();
    let included = calls(file).into_iter().filter(is_unseen).map(|call| Outside::Include(call.name));
    let all: BTreeSet<Outside> = modules.0.into_iter().map(Outside::Module).chain(included).collect();
    all.into_iter().collect()
}

const ASSETS: [&str; 3] = ["template", "asset", DIRECTORY];
const DIRECTORY: &str = "assets";
const INCLUDES: [&str; 3] = ["include", "include_bytes", "include_str"];

/// A call of a macro that takes in a file.
struct Call {
    /// The macro, by its own name.
    name: String,
    /// The string that it begins with.
    argument: Option<String>,
}

fn calls(file: &syn::File) -> Vec<Call> {
    let mut names = Names::default();
    names.visit_file(file);
    let mut calls = Vec::new();
    find_calls(file.to_token_stream(), &names, &mut calls);
    calls
}

fn find_calls(tokens: TokenStream, names: &Names, calls: &mut Vec<Call>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (index, token) in tokens.iter().enumerate() {
        let TokenTree::Group(group) = token else { continue };
        if let Some([TokenTree::Ident(name), TokenTree::Punct(bang)]) =
            index.checked_sub(2).map(|start| &tokens[start..index])
            && bang.as_char() == '!'
            && let Some(name) = names.of(&name.unraw().to_string())
        {
            let first = group.stream().into_iter().next();
            let argument = first.and_then(|first| syn::parse2::<LitStr>(first.into()).ok()).map(|text| text.value());
            calls.push(Call { name, argument });
        }
        find_calls(group.stream(), names, calls);
    }
}

/// The names that a file gives to macros that take in files: `use wb_stdlib::template as t`.
#[derive(Default)]
struct Names(BTreeMap<String, String>);

impl Names {
    fn of(&self, name: &str) -> Option<String> {
        let own = ASSETS.iter().chain(&INCLUDES).find(|own| **own == name).map(|own| (*own).to_owned());
        own.or_else(|| self.0.get(name).cloned())
    }
}

impl<'ast> Visit<'ast> for Names {
    fn visit_use_rename(&mut self, renamed: &'ast syn::UseRename) {
        if let Some(own) = self.of(&renamed.ident.unraw().to_string()) {
            self.0.insert(renamed.rename.unraw().to_string(), own);
        }
    }
}

/// The modules that lie in files of their own.
#[derive(Default)]
struct Modules(Vec<String>);

impl<'ast> Visit<'ast> for Modules {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if module.content.is_none() {
            self.0.push(module.ident.unraw().to_string());
        }
        visit::visit_item_mod(self, module);
    }
}

fn is_named(attribute: &Attribute, name: &str) -> bool {
    attribute.path().segments.last().is_some_and(|segment| segment.ident == name)
}

/// The arguments of `#[migration(role = "…", wait = all("…"), on_catchup = pass, overdue = "…", rolling = false,
/// timeout = "…", amended = "…", keeps = ["…"], rerun = "…")]`.
pub struct MigrationArgs {
    /// Whose hosts run it.
    pub role: LitStr,
    /// What it waits for.
    pub wait: Option<WaitArg>,
    /// Whether hosts run it in load, without a claim.
    pub in_load: bool,
    /// How long one run of it may take.
    pub timeout: Option<Timeout>,
    /// Why it was edited after it landed.
    pub amended: Option<Why>,
    /// The finished steps that stand although it was edited.
    pub keeps: Vec<LitStr>,
    /// Why it may change something when it is run once more.
    pub rerun: Option<Rerun>,
}

impl MigrationArgs {
    /// What is wrong with arguments that can be read. Who is about to amend a migration may say first what it keeps.
    ///
    /// # Errors
    /// When it keeps steps and is not amended.
    pub fn check(&self) -> syn::Result<()> {
        match (self.keeps.first(), &self.amended) {
            (Some(first), None) => {
                let what = "only an amended migration has steps to keep: `amended = \"why\", keeps = [\"step\"]`";
                Err(syn::Error::new(first.span(), what))
            }
            _ => Ok(()),
        }
    }
}

/// A time, as in `"10m"`.
pub struct Timeout(pub Duration);

/// The names of steps.
struct Steps(Vec<LitStr>);

/// A reason, in words.
pub struct Why(pub LitStr);

/// Why a second run may change something, in words.
pub struct Rerun(pub LitStr);

/// The arguments of `#[baseline(role = "…", replaces = "FROM..TO", wait = all("…"))]`.
pub struct BaselineArgs {
    /// What it says as a migration.
    pub link: MigrationArgs,
    /// What it stands for.
    pub replaces: Replaces,
}

impl Parse for MigrationArgs {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let (mut slots, end, mut errors) = (LinkSlots::default(), input.span(), Errors::default());
        for argument in arguments(input)? {
            if let Some(unknown) = slots.set(argument, &mut errors) {
                errors.add(unknown.unknown(&LinkSlots::KNOWN));
            }
        }
        if matches!(slots.role, Slot::Missing) {
            errors.add(syn::Error::new(end, "a migration belongs to a role: `#[migration(role = \"…\")]`"));
        }
        slots.check(&mut errors);
        errors.none()?;
        slots.value().ok_or_else(|| syn::Error::new(end, "no role"))
    }
}

/// The arguments that all links have in common.
#[derive(Default)]
struct LinkSlots {
    role: Slot<LitStr>,
    wait: Slot<WaitArg>,
    on_catchup: Slot<Catchup>,
    overdue: Slot<Overdue>,
    rolling: Slot<Rolling>,
    timeout: Slot<Timeout>,
    amended: Slot<Why>,
    keeps: Slot<Steps>,
    rerun: Slot<Rerun>,
}

impl LinkSlots {
    const KNOWN: [&'static str; 9] =
        ["role", "wait", "on_catchup", "overdue", "rolling", "timeout", "amended", "keeps", "rerun"];

    /// Takes an argument, or gives back what is none of these.
    fn set(&mut self, argument: Argument, errors: &mut Errors) -> Option<Argument> {
        match argument.key.to_string().as_str() {
            "role" => argument.set(&mut self.role, errors),
            "wait" => argument.set(&mut self.wait, errors),
            "on_catchup" => argument.set(&mut self.on_catchup, errors),
            "overdue" => argument.set(&mut self.overdue, errors),
            "rolling" => argument.set(&mut self.rolling, errors),
            "timeout" => argument.set(&mut self.timeout, errors),
            "amended" => argument.set(&mut self.amended, errors),
            "keeps" => argument.set(&mut self.keeps, errors),
            "rerun" => argument.set(&mut self.rerun, errors),
            _ => return Some(argument),
        }
        None
    }

    /// What is said of a wait needs one.
    fn check(&self, errors: &mut Errors) {
        if !matches!(self.wait, Slot::Missing) {
            return;
        }
        let on_catchup = self.on_catchup.given().map(|word| ("on_catchup", word.word.span()));
        let overdue = self.overdue.given().map(|time| ("overdue", time.text.span()));
        for (what, span) in on_catchup.into_iter().chain(overdue) {
            let what = format!("`{what}` is said of a wait, and there is none: `wait = all(\"role\"), {what} = …`");
            errors.add(syn::Error::new(span, what));
        }
    }

    fn value(self) -> Option<MigrationArgs> {
        Some(MigrationArgs {
            role: self.role.value()?,
            wait: self.wait.value().map(|wait| wait.with(self.on_catchup.value(), self.overdue.value())),
            in_load: self.rolling.value().is_some_and(|rolling| !rolling.0),
            timeout: self.timeout.value(),
            amended: self.amended.value(),
            keeps: self.keeps.value().map(|steps| steps.0).unwrap_or_default(),
            rerun: self.rerun.value(),
        })
    }
}

/// Whether hosts take turns: they leave load for it.
struct Rolling(bool);

impl Parse for Rolling {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let what = "a link is run out of load, `rolling = true`, or in load, `rolling = false`";
        let wrong = input.span();
        input.parse::<LitBool>().map(|value| Self(value.value)).map_err(|_| syn::Error::new(wrong, what))
    }
}

impl Parse for Timeout {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let text: LitStr = input.parse()?;
        let what = "how long may it take? `timeout = \"90s\"`, `\"10m\"`, or `\"2h\"`";
        duration(&text.value()).map(Self).ok_or_else(|| syn::Error::new(text.span(), what))
    }
}

/// A whole number of seconds, minutes or hours, more than none.
fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return None,
    };
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
    let number = is_number.then(|| number.parse::<u32>().ok()).flatten().filter(|number| *number > 0)?;
    Some(Duration::from_secs(u64::from(number) * seconds))
}

impl Parse for Steps {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let content;
        syn::bracketed!(content in input);
        let steps: Vec<LitStr> = content.parse_terminated(|input| input.parse(), Token![,])?.into_iter().collect();
        let (mut errors, mut seen) = (Errors::default(), BTreeSet::new());
        for step in &steps {
            if step.value().is_empty() {
                errors.add(syn::Error::new(step.span(), "a step has a name"));
            } else if !seen.insert(step.value()) {
                errors.add(syn::Error::new(step.span(), format!("`{}` is named twice", step.value())));
            }
        }
        errors.none().map(|()| Self(steps))
    }
}

impl Parse for Why {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        reason(input, "say why it was edited after it landed").map(Self)
    }
}

impl Parse for Rerun {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        reason(input, "say why it may change something when it is run once more").map(Self)
    }
}

fn reason(input: ParseStream<'_>, missing: &str) -> syn::Result<LitStr> {
    let why: LitStr = input.parse()?;
    match why.value().trim().is_empty() {
        true => Err(syn::Error::new(why.span(), missing)),
        false => Ok(why),
    }
}

impl Parse for BaselineArgs {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let (mut slots, mut replaces) = (LinkSlots::default(), Slot::<LitStr>::Missing);
        let (end, mut errors) = (input.span(), Errors::default());
        for argument in arguments(input)? {
            match slots.set(argument, &mut errors) {
                Some(argument) if argument.key == "replaces" => argument.set(&mut replaces, &mut errors),
                Some(unknown) => errors.add(unknown.unknown(&[&LinkSlots::KNOWN[..], &["replaces"]].concat())),
                None => {}
            }
        }
        if matches!(slots.role, Slot::Missing) || matches!(replaces, Slot::Missing) {
            let what = "a baseline has a role, and says what it stands for: `#[baseline(role = \"…\", replaces = \"FROM..TO\")]`";
            errors.add(syn::Error::new(end, what));
        }
        let replaces = replaces
            .value()
            .map(|text| text.value().parse::<Replaces>().map_err(|error| syn::Error::new(text.span(), error)));
        let replaces = replaces.and_then(|replaces| errors.check(replaces));
        slots.check(&mut errors);
        errors.none()?;
        match (slots.value(), replaces) {
            (Some(link), Some(replaces)) => Ok(Self { link, replaces }),
            _ => Err(syn::Error::new(end, "no role, or nothing that it replaces")),
        }
    }
}

/// All errors of one parse.
#[derive(Debug, Default)]
pub struct Errors(Option<syn::Error>);

impl Errors {
    /// One more.
    pub fn add(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            None => self.0 = Some(error),
        }
    }

    /// The value, or nothing and one error more.
    pub fn check<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.add(error)).ok()
    }

    /// # Errors
    /// All that were added.
    pub fn none(self) -> syn::Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}

/// `key = value`. The value is parsed by itself, so that a wrong one does not hide the arguments after it.
struct Argument {
    key: syn::Ident,
    value: TokenStream,
}

/// A value that may be given once.
#[derive(Default)]
enum Slot<T> {
    #[default]
    Missing,
    Wrong,
    Given(T),
}

impl<T> Slot<T> {
    fn given(&self) -> Option<&T> {
        match self {
            Self::Given(value) => Some(value),
            Self::Missing | Self::Wrong => None,
        }
    }

    fn value(self) -> Option<T> {
        match self {
            Self::Given(value) => Some(value),
            Self::Missing | Self::Wrong => None,
        }
    }
}

fn arguments(input: ParseStream<'_>) -> syn::Result<Vec<Argument>> {
    let mut arguments = Vec::new();
    while !input.is_empty() {
        let key = syn::Ident::parse_any(input)?;
        input.parse::<Token![=]>()?;
        let mut value = Vec::<TokenTree>::new();
        while !input.is_empty() && !input.peek(Token![,]) {
            value.push(input.parse()?);
        }
        arguments.push(Argument { key, value: value.into_iter().collect() });
        comma(input)?;
    }
    Ok(arguments)
}

impl Argument {
    fn set<T: Parse>(self, slot: &mut Slot<T>, errors: &mut Errors) {
        let key = &self.key;
        if !matches!(slot, Slot::Missing) {
            errors.add(syn::Error::new(key.span(), format!("`{key}` is given twice")));
        }
        let value = match self.value.is_empty() {
            true => Err(syn::Error::new(key.span(), format!("`{key}` has no value"))),
            false => syn::parse2(self.value),
        };
        *slot = match errors.check(value) {
            Some(value) => Slot::Given(value),
            None => Slot::Wrong,
        };
    }

    fn unknown(&self, known: &[&'static str]) -> syn::Error {
        let word = self.key.to_string();
        let meant = super::nearest(&word, known.iter().copied()).map(|near| format!("; did you mean `{near}`?"));
        let known = known.iter().map(|known| format!("`{known}`")).collect::<Vec<_>>().join(", ");
        let what = format!("unknown argument `{word}`{}\nknown: {known}", meant.unwrap_or_default());
        syn::Error::new(self.key.span(), what)
    }
}

fn comma(input: ParseStream<'_>) -> syn::Result<()> {
    if input.is_empty() { Ok(()) } else { input.parse::<Token![,]>().map(drop) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_number_and_a_unit() {
        let check = |text, seconds: Option<u64>| assert_eq!(duration(text), seconds.map(Duration::from_secs), "{text}");
        check("90s", Some(90));
        check("10m", Some(600));
        check("2h", Some(7200));
        for wrong in ["", "m", "0s", "10", "10 m", "-1s", "+1s", "1.5h", "10µ", "99999999999s"] {
            check(wrong, None);
        }
    }
}
