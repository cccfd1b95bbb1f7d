//! Functions with `#[reusable]`, as the source of the crate of migrations declares them, and links that apply them.
//!
//! The crate is read as the compiler reads it, from `src/main.rs` along `mod` lines, so that every function has the path
//! by which a link calls it.

mod values;

use std::path::{Path, PathBuf};

use quote::ToTokens as _;
use syn::spanned::Spanned as _;
use syn::{Attribute, Expr, Fields, FnArg, Item, ItemFn, ItemStruct, Lit, Meta, Type, Visibility};
use wb_core::chain::nearest;

pub use values::Misfit;

/// A function with `#[reusable]`.
#[derive(Clone)]
pub struct Reusable {
    /// Its name.
    pub name: String,
    /// The first line of its documentation, or nothing.
    pub about: String,
    module: String,
    arguments: Option<Arguments>,
}

/// The struct that a reusable takes.
#[derive(Clone)]
struct Arguments {
    name: String,
    module: String,
    fields: Vec<Field>,
}

/// A field that a value is given for.
#[derive(Clone)]
struct Field {
    name: String,
    ty: Type,
}

/// Why a reusable can't be applied.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ReusableError {
    /// A file of the crate does not parse.
    #[error("{} can't be read: line {line}, column {column}: {what}", file.display())]
    Syntax {
        /// Relative to the crate.
        file: PathBuf,
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
        /// The mistake.
        what: String,
    },
    /// There is no such function.
    #[error("there is no `#[reusable]` function `{name}` in a module of the crate{}", all_of(known))]
    Unknown {
        /// The name.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// The struct that it takes can't be found, or has no named fields.
    #[error("`{name}` takes a `{ty}`, and the crate has no struct of that name with named fields")]
    Arguments {
        /// The function.
        name: String,
        /// The type of its argument.
        ty: String,
    },
    /// The crate has several structs with the name of the one that it takes.
    #[error(
        "`{name}` takes a `{ty}`, and the crate has several: {}; move the right one into the module of `{name}`",
        quoted(places)
    )]
    Ambiguous {
        /// The function.
        name: String,
        /// The type of its argument.
        ty: String,
        /// Their paths.
        places: Vec<String>,
    },
    /// What would be written does not parse.
    #[error("the migration that applies `{name}` would not be Rust: {why}")]
    Unparsable {
        /// The function.
        name: String,
        /// Why.
        why: String,
    },
    /// A link can't set a field.
    #[error("the field `{field}` of `{ty}` is private, so no link can set it: write `pub {field}`")]
    Private {
        /// The struct.
        ty: String,
        /// The field.
        field: String,
    },
    /// The values do not fit the fields.
    #[error("the values do not fit `{name}`")]
    Values {
        /// The function.
        name: String,
        /// All that does not fit.
        misfits: Vec<Misfit>,
    },
}

/// A module of the crate.
struct Module {
    /// `crate::certificates`.
    path: String,
    items: Vec<Item>,
}

/// All reusables of a crate, whose files `read` gives by their path in it.
///
/// # Errors
/// When a file does not parse, or what a reusable takes can't be found.
pub fn reusables(read: &dyn Fn(&Path) -> Option<String>) -> Result<Vec<Reusable>, ReusableError> {
    let mut modules = Vec::new();
    let root = Path::new("src/main.rs");
    if let Some(text) = read(root) {
        collect("crate", Path::new("src"), parsed(root, &text)?, read, &mut modules)?;
    }
    let functions = modules.iter().flat_map(|module| module.items.iter().map(move |item| (module, item)));
    let declared = functions.filter_map(|(module, item)| match item {
        Item::Fn(function) if function.attrs.iter().any(is_reusable) => Some(reusable(module, function, &modules)),
        _ => None,
    });
    declared.collect()
}

/// The reusable of a name.
///
/// # Errors
/// When there is none.
pub fn find(reusables: Vec<Reusable>, name: &str) -> Result<Reusable, ReusableError> {
    let known = reusables.iter().map(|reusable| reusable.name.clone()).collect();
    let found = reusables.into_iter().find(|reusable| reusable.name == name);
    found.ok_or_else(|| ReusableError::Unknown { name: name.to_owned(), known })
}

impl Reusable {
    /// The fields with their types, as in `days: u32, note: Option<String>`.
    #[must_use]
    pub fn fields(&self) -> String {
        let fields = self.arguments.iter().flat_map(|arguments| &arguments.fields);
        fields.map(|field| format!("{}: {}", field.name, type_text(&field.ty))).collect::<Vec<_>>().join(", ")
    }

    /// The values of a command line, as in `days=<u32> [note=<Option<String>>]`.
    #[must_use]
    pub fn usage(&self) -> String {
        let fields = self.arguments.iter().flat_map(|arguments| &arguments.fields);
        let value = |field: &Field| match values::is_optional(&field.ty) {
            true => format!("[{}=<{}>]", field.name, type_text(&field.ty)),
            false => format!("{}=<{}>", field.name, type_text(&field.ty)),
        };
        let values: Vec<String> = fields.map(value).collect();
        if values.is_empty() { String::new() } else { format!(" -- {}", values.join(" ")) }
    }

    /// The file of a migration `name` that applies this with `given`, values as in `days=30`.
    ///
    /// # Errors
    /// When they do not fit the fields, with all that does not.
    pub fn link(&self, name: &str, role: &str, given: &[String]) -> Result<String, ReusableError> {
        let call = self.call(given)?;
        let about = if self.about.is_empty() { "." } else { &format!(": {}", self.about) };
        let text = format!(
            "use wb_stdlib::prelude::*;\n\n/// Applies `{}`{about}\n#[migration(role = {role:?})]\n\
             fn {name}(host: &Host) -> Result<()> {{\n{call}}}\n",
            self.name
        );
        match syn::parse_file(&text) {
            Ok(_) => Ok(text),
            Err(error) => Err(ReusableError::Unparsable { name: self.name.clone(), why: error.to_string() }),
        }
    }

    fn call(&self, given: &[String]) -> Result<String, ReusableError> {
        let none = Vec::new();
        let fields = self.arguments.as_ref().map_or(&none, |arguments| &arguments.fields);
        let values = values::fit(fields, given);
        let values = values.map_err(|misfits| ReusableError::Values { name: self.name.clone(), misfits })?;
        let function = format!("{}::{}", self.module, self.name);
        let Some(Arguments { name, module, .. }) = &self.arguments else {
            return Ok(format!("    {function}(host)\n"));
        };
        let fields: String =
            fields.iter().zip(values).map(|(f, value)| format!("        {}: {value},\n", f.name)).collect();
        Ok(format!("    let args = {module}::{name} {{\n{fields}    }};\n    {function}(host, args)\n"))
    }
}

fn collect(
    path: &str,
    dir: &Path,
    items: Vec<Item>,
    read: &dyn Fn(&Path) -> Option<String>,
    modules: &mut Vec<Module>,
) -> Result<(), ReusableError> {
    for item in &items {
        let Item::Mod(module) = item else { continue };
        let (name, dir) = (module.ident.to_string(), dir.join(module.ident.to_string()));
        let path = format!("{path}::{name}");
        match &module.content {
            Some((_, items)) => collect(&path, &dir, items.clone(), read, modules)?,
            // A link is not called by links.
            None if path == "crate::chain" => {}
            None => {
                let files = [dir.with_extension("rs"), dir.join("mod.rs")];
                let found = files.iter().find_map(|file| Some((file, read(file)?)));
                let Some((file, text)) = found else { continue };
                collect(&path, &dir, parsed(file, &text)?, read, modules)?;
            }
        }
    }
    modules.push(Module { path: path.to_owned(), items });
    Ok(())
}

fn parsed(file: &Path, text: &str) -> Result<Vec<Item>, ReusableError> {
    let parsed = syn::parse_file(&text.replace("\r\n", "\n")).map_err(|error| {
        let start = error.span().start();
        ReusableError::Syntax {
            file: file.to_owned(),
            line: start.line,
            column: start.column + 1,
            what: error.to_string(),
        }
    });
    Ok(parsed?.items)
}

fn is_reusable(attribute: &Attribute) -> bool {
    attribute.path().segments.last().is_some_and(|segment| segment.ident == "reusable")
}

fn reusable(module: &Module, function: &ItemFn, modules: &[Module]) -> Result<Reusable, ReusableError> {
    let name = function.sig.ident.to_string();
    let arguments = match function.sig.inputs.get(1) {
        Some(FnArg::Typed(argument)) => Some(arguments(&name, &argument.ty, module, modules)?),
        _ => None,
    };
    Ok(Reusable { name, about: about(&function.attrs), module: module.path.clone(), arguments })
}

/// The struct of that name: in the function's own module, or else the only one in any other.
fn arguments(function: &str, ty: &Type, own: &Module, modules: &[Module]) -> Result<Arguments, ReusableError> {
    let none = || ReusableError::Arguments { name: function.to_owned(), ty: type_text(ty) };
    let Type::Path(path) = ty else { return Err(none()) };
    let wanted = &path.path.segments.last().ok_or_else(none)?.ident;
    let declared = |module: &&Module| module.items.iter().find_map(|item| of_name(item, wanted)).cloned();
    let found = match declared(&own) {
        Some(found) => vec![(own, found)],
        None => modules.iter().filter_map(|module| Some((module, declared(&module)?))).collect(),
    };
    let (module, found) = match found.as_slice() {
        [] => return Err(none()),
        [found] => found,
        several => return Err(ambiguous(function, wanted, several.iter().map(|(module, _)| module.path.as_str()))),
    };
    let Fields::Named(named) = &found.fields else { return Err(none()) };
    let fields: Result<Vec<Field>, _> = named.named.iter().map(|field| settable(wanted, field)).collect();
    Ok(Arguments { name: wanted.to_string(), module: module.path.clone(), fields: fields? })
}

fn ambiguous<'a>(function: &str, ty: &syn::Ident, modules: impl Iterator<Item = &'a str>) -> ReusableError {
    let places = modules.map(|module| format!("{module}::{ty}")).collect();
    ReusableError::Ambiguous { name: function.to_owned(), ty: ty.to_string(), places }
}

fn of_name<'a>(item: &'a Item, wanted: &syn::Ident) -> Option<&'a ItemStruct> {
    match item {
        Item::Struct(item) if item.ident == *wanted => Some(item),
        _ => None,
    }
}

fn settable(ty: &syn::Ident, field: &syn::Field) -> Result<Field, ReusableError> {
    let name = field.ident.as_ref().map(ToString::to_string).unwrap_or_default();
    let is_settable = match &field.vis {
        Visibility::Public(_) => true,
        Visibility::Restricted(to) => to.in_token.is_none() && to.path.is_ident("crate"),
        Visibility::Inherited => false,
    };
    match is_settable {
        true => Ok(Field { name, ty: field.ty.clone() }),
        false => Err(ReusableError::Private { ty: ty.to_string(), field: name }),
    }
}

/// The first line of the documentation.
fn about(attributes: &[Attribute]) -> String {
    let mut lines = attributes.iter().filter(|attribute| attribute.path().is_ident("doc")).filter_map(|attribute| {
        let Meta::NameValue(doc) = &attribute.meta else { return None };
        let Expr::Lit(literal) = &doc.value else { return None };
        let Lit::Str(line) = &literal.lit else { return None };
        Some(line.value())
    });
    let first = |text: String| {
        let lines = text.lines().map(|line| line.trim().trim_start_matches('*').trim());
        lines.into_iter().find(|line| !line.is_empty()).map(str::to_owned)
    };
    lines.find_map(first).unwrap_or_default()
}

/// A type as it is written.
fn type_text(ty: &Type) -> String {
    ty.span().source_text().unwrap_or_else(|| ty.to_token_stream().to_string())
}

fn all_of(names: &[String]) -> String {
    match names {
        [] => ": it has none".to_owned(),
        names => format!(": there are {}", quoted(names)),
    }
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The reusable that was probably meant.
#[must_use]
pub fn meant<'a>(name: &str, known: &'a [String]) -> Option<&'a str> {
    nearest(name, known.iter().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CERTIFICATES: &str = r"
        use std::time::Duration;

        pub struct RotateArgs {
            pub directory: std::path::PathBuf,
            pub days: u32,
            pub note: Option<String>,
            pub(crate) names: Vec<&'static str>,
            pub grace: Duration,
            pub level: Level,
        }

        /// A new key.
        ///
        /// More of it.
        #[reusable]
        pub fn rotate_certs(host: &Host, args: RotateArgs) -> Result<()> { todo() }
    ";

    fn of(files: &[(&str, &str)]) -> Result<Vec<Reusable>, ReusableError> {
        let read =
            |path: &Path| files.iter().find(|(name, _)| Path::new(name) == path).map(|(_, text)| (*text).to_owned());
        reusables(&read)
    }

    fn rotate() -> Reusable {
        let all =
            of(&[("src/main.rs", "mod chain;\nmod certificates;"), ("src/certificates.rs", CERTIFICATES)]).unwrap();
        find(all, "rotate_certs").unwrap()
    }

    fn link(given: &[&str]) -> Result<String, ReusableError> {
        rotate().link("rotate_certs_1", "web", &given.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn reusables_have_the_path_by_which_links_call_them() {
        let nested = "mod deep { pub mod inner; #[reusable] pub fn b(host: &Host) -> Result<()> {} }";
        let files = [
            (
                "src/main.rs",
                "mod a;\nmod chain;\nmod gone;\n#[wb_stdlib::reusable] pub fn r(host: &Host, x: super::X) {}",
            ),
            ("src/a/mod.rs", nested),
            ("src/a/deep/inner.rs", "#[reusable] pub fn d(host: &Host, x: X) {} pub struct X { pub y: u8 }"),
            ("src/chain.rs", "#[reusable] pub fn not_me(host: &Host) {}"),
            ("src/unlisted.rs", "#[reusable] pub fn nor_me(host: &Host) {}"),
        ];
        let calls =
            of(&files).unwrap().iter().map(|r| r.call(&["y=1".to_owned()]).unwrap_or_default()).collect::<String>();
        insta::assert_snapshot!(calls);
    }

    #[test]
    fn a_link_has_the_values_in_it() {
        let given = ["directory=/etc/ssl/\"own\"", "days=30", "names=a,b", "grace=90s", "level=Level::High(3)"];
        insta::assert_snapshot!(link(&given).unwrap());
    }

    #[test]
    fn whatever_the_documentation_is_a_link_is_rust() {
        let check = |doc: &str, expect: &str| {
            let all = of(&[("src/main.rs", &format!("{doc}\n#[reusable] pub fn a(host: &Host) {{}}"))]).unwrap();
            let text = all[0].link("a_1", "web", &[]).unwrap();
            assert!(text.contains(&format!("\n/// Applies `a`{expect}\n#[migration")), "{text}");
        };
        check("", ".");
        check("/// One.\n/// Two.", ": One.");
        check("///\n/// Two.", ": Two.");
        check("/** One\n * and two.\n */", ": One");
        check("/**\n * One\n * and two.\n */", ": One");
        check("#[doc = \"One\\nand two.\"]", ": One");
    }

    #[test]
    fn what_is_no_rust_is_not_written() {
        let error = rotate().link(
            "no name",
            "web",
            &["directory=/a", "days=1", "names=a", "grace=1s", "level=1"].map(str::to_owned),
        );
        assert!(matches!(error, Err(ReusableError::Unparsable { .. })), "{error:?}");
    }

    #[test]
    fn all_that_does_not_fit_is_told() {
        let given =
            ["directory=/a", "dasy=30", "days=soon", "names=a", "grace=long", "level=Level::", "directory=/b", "x"];
        let Err(ReusableError::Values { misfits, .. }) = link(&given) else { panic!("it fits") };
        insta::assert_snapshot!(misfits.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn fields_and_usage_say_what_is_needed() {
        assert_eq!(
            rotate().usage(),
            " -- directory=<std::path::PathBuf> days=<u32> [note=<Option<String>>] names=<Vec<&'static str>> \
             grace=<Duration> level=<Level>"
        );
        assert!(
            rotate()
                .fields()
                .ends_with("note: Option<String>, names: Vec<&'static str>, grace: Duration, level: Level")
        );
    }

    #[test]
    fn what_can_not_be_applied_says_why() {
        let check = |text: &str, expect: &str| {
            let error = of(&[("src/main.rs", text)]).and_then(|all| find(all, "rotate")).err().unwrap();
            assert_eq!(error.to_string(), expect);
        };
        let unknown = "there is no `#[reusable]` function `rotate` in a module of the crate";
        check("", &format!("{unknown}: it has none"));
        check("#[reusable] pub fn a(host: &Host) {}", &format!("{unknown}: there are `a`"));
        let args = "#[reusable] pub fn rotate(host: &Host, args: Args) {}";
        let missing = "`rotate` takes a `Args`, and the crate has no struct of that name with named fields";
        check(args, missing);
        check(&format!("{args} pub struct Args(u8);"), missing);
        let private = "the field `days` of `Args` is private, so no link can set it: write `pub days`";
        check(&format!("{args} pub struct Args {{ days: u8 }}"), private);
        check(&format!("{args} pub struct Args {{ pub(super) days: u8 }}"), private);
        check(&format!("{args} pub struct Args {{ pub(in crate::a) days: u8 }}"), private);
        let several = "`rotate` takes a `Args`, and the crate has several: `crate::a::Args`, `crate::b::Args`; \
                       move the right one into the module of `rotate`";
        check(&format!("mod a {{ pub struct Args {{}} }} mod b {{ pub struct Args {{}} }} {args}"), several);
        check("fn (", "src/main.rs can't be read: line 1, column 4: cannot parse string into token stream");
    }
}
