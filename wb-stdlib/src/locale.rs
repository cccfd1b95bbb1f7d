//! Locales: generated, and the one that is used where nothing else is said.

mod archive;

use std::io;
use std::time::Duration;

use anyhow::Result;
use wb_core::context::{Context, Outcome};
use wb_core::system::files::{self, FileError};
use wb_core::system::{Command, CommandError, System};

use crate::ensure::{Difference, ensure};
use crate::look::Access as _;
use crate::text_file::{TextFile, TextFileError, end_line};
use crate::{Host, Look};

const GENERATED: &str = "/etc/locale.gen";
const SUPPORTED: &str = "/usr/share/i18n/SUPPORTED";
const DIRECTORY: &str = "/usr/lib/locale";
/// Where Debian has the default, and where all others have it.
const DEFAULTS: [&str; 2] = ["/etc/default/locale", "/etc/locale.conf"];
/// How long it may take to generate all locales that are wanted.
const BOUND: Duration = Duration::from_secs(1800);

/// What can go wrong with a locale.
#[derive(Debug, thiserror::Error)]
pub enum LocaleError {
    /// No locale can be called so.
    #[error("`{}` is no name of a locale\nhint: names are like `de_DE.UTF-8`", .name.escape_debug())]
    BadName {
        /// What was asked for.
        name: String,
    },
    /// This host can't make it.
    #[error("this host knows no locale `{name}`\nhint: {SUPPORTED} on the host has those that there are")]
    NoSuchLocale {
        /// The locale.
        name: String,
    },
    /// This host makes none.
    #[error(
        "the locale `{name}` is not there, and this host generates none: it has no {GENERATED}\n\
         hint: Debian has that in the \
         package `locales`; Fedora has the locales in packages like `glibc-langpack-de`"
    )]
    NoGenerator {
        /// The locale.
        name: String,
    },
    /// It is not there.
    #[error(
        "the locale `{name}` is not there, so it can't be the default\n\
         hint: `host.locale({name:?}).generated()?` makes it"
    )]
    NotGenerated {
        /// The locale.
        name: String,
    },
    /// It could not be generated.
    #[error("could not generate the locale `{name}`")]
    Generate {
        /// The locale.
        name: String,
        /// Why.
        source: CommandError,
    },
    /// It was generated, and is not there.
    #[error("`locale-gen` was to generate the locale `{name}`, and ended well, but it is not there")]
    NotSo {
        /// The locale.
        name: String,
    },
    /// A file can't be read or written.
    #[error(transparent)]
    File(#[from] TextFileError),
}

impl From<FileError> for LocaleError {
    fn from(error: FileError) -> Self {
        Self::File(error.into())
    }
}

/// A locale. [`Look::locale`] makes it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn speak_german(host: &Host) -> Result<()> {
///     host.packages(["locales"]).installed()?;
///     host.locale("de_DE.UTF-8").generated()?;
///     host.locale("de_DE.UTF-8").set_as_default()?;
///     Ok(())
/// }
///
/// fn it_speaks_german(host: &View) -> Result<()> {
///     host.locale("de_DE.UTF-8").is_generated()?;
///     host.locale("de_DE.UTF-8").is_default()
/// }
/// # let host = wb_stdlib::testing::web1().file("/etc/locale.gen", "# de_DE.UTF-8 UTF-8\n");
/// # host.rehearse(speak_german).asks(it_speaks_german);
/// ```
#[must_use = "say what is to be so: `.generated()?` or `.set_as_default()?`"]
pub struct Locale<A> {
    access: A,
    name: String,
}

impl<A: Look> Locale<A> {
    pub(crate) fn new(access: A, name: &str) -> Self {
        Self { access, name: name.to_owned() }
    }

    /// Checks that programs can use it.
    ///
    /// # Errors
    /// When they can't.
    pub fn is_generated(&self) -> Result<()> {
        anyhow::ensure!(self.is_there()?, "expected the locale `{}` generated, found that it is not", self.name);
        Ok(())
    }

    /// Checks that it is what is used where nothing else is said.
    ///
    /// # Errors
    /// When it is not.
    pub fn is_default(&self) -> Result<()> {
        self.check_name()?;
        let file = default_file(self.access.context())?;
        let found = default_of(file.text()).unwrap_or("none");
        anyhow::ensure!(found == self.name, "expected the locale `{}` as the default, found {found}", self.name);
        Ok(())
    }

    /// Whether the C library has it: in itself, in a directory, or in its archive.
    fn is_there(&self) -> Result<bool, LocaleError> {
        self.check_name()?;
        let name = normal(&self.name);
        if matches!(name.as_str(), "C" | "POSIX") || self.system().stat(format!("{DIRECTORY}/{name}"))?.is_some() {
            return Ok(true);
        }
        let path = self.system().path(format!("{DIRECTORY}/locale-archive"));
        let failed = |source| FileError { action: "read", path: path.clone(), source };
        match files::open(&path) {
            Err(error) if error.source.kind() == io::ErrorKind::NotFound => Ok(false),
            opened => Ok(archive::names(&mut opened?).map_err(failed)?.contains(&name)),
        }
    }

    fn check_name(&self) -> Result<(), LocaleError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "_.@-".contains(c);
        let is_name = self.name.starts_with(|c: char| c.is_ascii_alphabetic()) && self.name.chars().all(plain);
        if is_name { Ok(()) } else { Err(LocaleError::BadName { name: self.name.clone() }) }
    }

    fn system(&self) -> &System {
        self.access.context().system()
    }
}

impl Locale<Host<'_>> {
    /// Programs can use it. On Debian and Arch, `/etc/locale.gen` names it, and `locale-gen` makes it.
    ///
    /// # Errors
    /// When there is no such locale, or this host generates none.
    pub fn generated(self) -> Result<Outcome, LocaleError> {
        let (what, is_there) = (self.what("generated"), self.is_there()?);
        let file = TextFile::by_now(self.access.context(), GENERATED)?;
        if !file.is_there() {
            return self.without_generator(&what, is_there);
        }
        let Some(text) = self.named_in(&file)? else {
            let why = format!("this host knows no locale `{}` yet", self.name);
            return match self.access.plans() {
                true => ensure(self.access, &what, Difference::Unknown(why), || Ok(())),
                false => Err(LocaleError::NoSuchLocale { name: self.name.clone() }),
            };
        };
        let generate = (!is_there).then(|| "generate it".to_owned());
        let difference = file.known(Difference::of_lines(file.diff(&text).into_iter().chain(generate)));
        file.foresee(self.access.context(), &text)?;
        ensure(self.access, &what, difference, || {
            file.write(&text)?;
            if is_there { Ok(()) } else { self.generate() }
        })
    }

    /// It is what is used where nothing else is said: `LANG` for services and for who logs in.
    ///
    /// # Errors
    /// When it is not [generated](Locale::generated), or the file can't be edited.
    pub fn set_as_default(self) -> Result<Outcome, LocaleError> {
        let context = self.access.context();
        let (what, file) = (self.what("set as default"), default_file(context)?);
        if !self.is_there()? && !self.is_planned() {
            let why = format!("there is no locale `{}` yet", self.name);
            return match self.access.plans() {
                true => ensure(self.access, &what, Difference::Unknown(why), || Ok(())),
                false => Err(LocaleError::NotGenerated { name: self.name.clone() }),
            };
        }
        if default_of(file.text()) == Some(&self.name) {
            return ensure(self.access, &what, Difference::None, || Ok(()));
        }
        let text = with_default(file.text(), &self.name);
        file.foresee(context, &text)?;
        ensure(self.access, &what, file.difference(&text), || Ok(file.write(&text)?))
    }

    fn what(&self, state: &str) -> String {
        format!("locale {} {state}", self.name)
    }

    fn without_generator(&self, what: &str, is_there: bool) -> Result<Outcome, LocaleError> {
        if is_there {
            return ensure(self.access, what, Difference::None, || Ok(()));
        }
        match self.access.plans() {
            true => ensure(self.access, what, Difference::Unknown(format!("there is no {GENERATED} yet")), || Ok(())),
            false => Err(LocaleError::NoGenerator { name: self.name.clone() }),
        }
    }

    /// The text of `/etc/locale.gen` that names it, if anybody knows it.
    fn named_in(&self, file: &TextFile) -> Result<Option<String>, LocaleError> {
        if let Some(text) = with_locale(file.text(), &self.name) {
            return Ok(Some(text));
        }
        let supported = self.system().read_file(SUPPORTED)?.unwrap_or_default();
        let supported = String::from_utf8_lossy(&supported);
        let line = supported.lines().find(|line| line.split_ascii_whitespace().next() == Some(&self.name));
        Ok(line.map(|line| {
            let mut text = file.text().to_owned();
            end_line(&mut text);
            text + line.trim() + "\n"
        }))
    }

    fn generate(&self) -> Result<(), LocaleError> {
        let name = || self.name.clone();
        let made = self.system().read_command(&Command::new("locale-gen").env("LC_ALL", "C.UTF-8").timeout(BOUND));
        made.map_err(|source| LocaleError::Generate { name: name(), source })?;
        if self.is_there()? { Ok(()) } else { Err(LocaleError::NotSo { name: name() }) }
    }

    /// Whether an operation of the same plan would generate it.
    fn is_planned(&self) -> bool {
        let generated = self.what("generated");
        let operations = self.access.context().operations();
        self.access.plans() && operations.iter().any(|done| done.what == generated && done.outcome.changed())
    }
}

fn default_file(context: &Context<'_>) -> Result<TextFile, LocaleError> {
    let [debian, others] = DEFAULTS;
    let file = TextFile::by_now(context, debian)?;
    let is_debian = file.is_there() || context.system().stat("/etc/debian_version")?.is_some();
    if is_debian { Ok(file) } else { Ok(TextFile::by_now(context, others)?) }
}

/// The name as the C library has it: `de_DE.UTF-8` is `de_DE.utf8`.
fn normal(name: &str) -> String {
    let (name, modifier) = name.split_once('@').map_or((name, None), |(name, modifier)| (name, Some(modifier)));
    let (language, codeset) = name.split_once('.').map_or((name, None), |(name, codeset)| (name, Some(codeset)));
    let codeset = codeset.map(|codeset| {
        let plain: String = codeset.chars().filter(char::is_ascii_alphanumeric).collect();
        format!(".{}", plain.to_ascii_lowercase())
    });
    let modifier = modifier.map(|modifier| format!("@{modifier}"));
    format!("{language}{}{}", codeset.unwrap_or_default(), modifier.unwrap_or_default())
}

/// The text of `/etc/locale.gen` in which the line of a locale is no comment. Nothing where it has no such line.
fn with_locale(text: &str, name: &str) -> Option<String> {
    let of = |line: &str| {
        let said = line.trim_start_matches(['#', ' ', '\t']);
        let mut words = said.split_ascii_whitespace();
        (words.next() == Some(name) && words.next().is_some() && words.next().is_none()).then(|| said.to_owned())
    };
    let is_named = |line: &str| !line.starts_with('#') && of(line).is_some();
    if text.lines().any(is_named) {
        return Some(text.to_owned());
    }
    let mut found = false;
    let lines: String = text
        .split_inclusive('\n')
        .map(|line| match of(line).filter(|_| !found) {
            Some(said) => {
                found = true;
                said
            }
            None => line.to_owned(),
        })
        .collect();
    found.then_some(lines)
}

fn default_of(text: &str) -> Option<&str> {
    text.lines().filter_map(of_lang).next_back()
}

fn with_default(text: &str, name: &str) -> String {
    let mut line = Some(format!("LANG={name}\n"));
    let mut new = String::with_capacity(text.len());
    for old in text.split_inclusive('\n') {
        match of_lang(old) {
            Some(_) => new.push_str(&line.take().unwrap_or_default()),
            None => new.push_str(old),
        }
    }
    if let Some(line) = line {
        end_line(&mut new);
        new.push_str(&line);
    }
    new
}

fn of_lang(line: &str) -> Option<&str> {
    Some(line.trim().strip_prefix("LANG=")?.trim_matches(['"', '\'']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Machine, changed};

    const LINES: &str = "# This file lists locales.\n\n# de_DE ISO-8859-1\n# de_DE.UTF-8 UTF-8\nen_US.UTF-8 UTF-8\n";

    fn debian() -> Machine {
        Machine::new()
            .file(GENERATED, LINES)
            .file("/etc/debian_version", "12.5\n")
            .dir("/usr/lib/locale/C.utf8")
            .does("locale-gen", |root, _| files::create_dir(root.join("usr/lib/locale/de_DE.utf8")).unwrap())
    }

    fn german(host: &Host) -> Result<Outcome> {
        Ok(host.locale("de_DE.UTF-8").generated()?)
    }

    #[test]
    fn a_locale_is_named_and_generated_once() {
        let machine = debian();
        let diff = "/etc/locale.gen\n- # de_DE.UTF-8 UTF-8\n+ de_DE.UTF-8 UTF-8\ngenerate it";
        assert_eq!(machine.apply(german).unwrap(), changed(diff));
        assert_eq!(machine.apply(german).unwrap(), Outcome::Unchanged);
        assert_eq!(machine.calls(), ["locale-gen"]);
        machine.view(|host| host.locale("de_DE.UTF-8").is_generated()).unwrap();
    }

    #[test]
    fn a_plan_generates_nothing_and_knows_the_default_that_it_would_set() {
        let machine = debian();
        let before = machine.snapshot();
        machine
            .plan(|host| {
                german(host)?;
                Ok(host.locale("de_DE.UTF-8").set_as_default()?)
            })
            .unwrap();
        assert!(machine.said().contains("+ locale de_DE.UTF-8 set as default"), "{}", machine.said());
        assert_eq!((machine.snapshot(), machine.calls()), (before, vec![]));
    }

    #[test]
    fn who_was_killed_before_it_was_generated_generates_it() {
        let machine = debian().file(GENERATED, "de_DE.UTF-8 UTF-8\n");
        assert_eq!(machine.apply(german).unwrap(), changed("generate it"));
    }

    #[test]
    fn a_locale_that_is_not_listed_comes_from_those_that_are_supported() {
        let machine = debian().file(GENERATED, "# none").file(SUPPORTED, "de_DE.UTF-8 UTF-8\nde_DE ISO-8859-1\n");
        machine.apply(german).unwrap();
        assert_eq!(machine.read(GENERATED).as_deref(), Some("# none\nde_DE.UTF-8 UTF-8\n"));
        let unknown = |host: &Host| Ok(host.locale("xx_XX.UTF-8").generated()?);
        let error = machine.apply(unknown).unwrap_err().to_string();
        assert!(error.starts_with("this host knows no locale `xx_XX.UTF-8`\nhint: "), "{error}");
        machine.plan(unknown).unwrap();
        assert!(
            machine.said().contains("(cannot know: this host knows no locale `xx_XX.UTF-8` yet)"),
            "{}",
            machine.said()
        );
    }

    #[test]
    fn the_default_is_where_the_distribution_has_it() {
        let check = |machine: Machine, path: &str| {
            let set = || machine.apply(|host| Ok(host.locale("C.UTF-8").set_as_default()?));
            assert!(set().unwrap().changed());
            assert_eq!(machine.read(path).as_deref(), Some("LANG=C.UTF-8\n"), "{path}");
            assert_eq!(set().unwrap(), Outcome::Unchanged);
            machine.view(|host| host.locale("C.UTF-8").is_default()).unwrap();
        };
        check(debian(), "/etc/default/locale");
        check(Machine::new().dir("/usr/lib/locale/C.utf8"), "/etc/locale.conf");
    }

    #[test]
    fn other_settings_of_the_default_stay() {
        assert_eq!(with_default("LC_TIME=en_DK\nLANG=\"a\"\nLANG=b\n", "c"), "LC_TIME=en_DK\nLANG=c\n");
        assert_eq!(default_of("LANG=\"de_DE.UTF-8\"\nLANGUAGE=de\n"), Some("de_DE.UTF-8"));
        assert_eq!(default_of("# LANG=a\n"), None);
    }

    #[test]
    fn a_locale_that_is_not_there_is_no_default() {
        let machine = debian();
        let set = |host: &Host| Ok(host.locale("de_DE.UTF-8").set_as_default()?);
        let error = machine.apply(set).unwrap_err().to_string();
        assert!(
            error.starts_with("the locale `de_DE.UTF-8` is not there, so it can't be the default\nhint: "),
            "{error}"
        );
        machine.plan(set).unwrap();
        assert!(machine.said().ends_with("(cannot know: there is no locale `de_DE.UTF-8` yet)"), "{}", machine.said());
    }

    #[test]
    fn a_host_that_generates_none_says_so() {
        let machine = Machine::new().dir("/usr/lib/locale/fr_FR.utf8");
        assert_eq!(machine.apply(|host| Ok(host.locale("fr_FR.UTF-8").generated()?)).unwrap(), Outcome::Unchanged);
        let error = machine.apply(german).unwrap_err().to_string();
        assert!(error.starts_with("the locale `de_DE.UTF-8` is not there, and this host generates none"), "{error}");
    }

    #[test]
    fn a_generator_that_fails_is_an_error() {
        let check = |machine: Machine, expect: &str| {
            assert_eq!(machine.apply(german).unwrap_err().to_string(), expect);
        };
        check(debian().answer("locale-gen", 1, "cannot"), "could not generate the locale `de_DE.UTF-8`");
        let expect = "`locale-gen` was to generate the locale `de_DE.UTF-8`, and ended well, but it is not there";
        check(Machine::new().file(GENERATED, LINES).answer("locale-gen", 0, ""), expect);
    }

    #[test]
    fn names_are_as_the_c_library_has_them() {
        let check = |name: &str, expect: &str| assert_eq!(normal(name), expect);
        check("de_DE.UTF-8", "de_DE.utf8");
        check("de_DE.ISO-8859-15@euro", "de_DE.iso885915@euro");
        check("de_DE@euro", "de_DE@euro");
        check("C", "C");
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let machine = debian();
        let check = |name: &str| {
            let error = machine.apply(|host| Ok(host.locale(name).generated()?)).unwrap_err().to_string();
            assert!(error.contains("is no name of a locale\nhint: "), "{error}");
        };
        check("../../etc");
        check("de_DE UTF-8");
        check("");
        check("a\nb");
    }
}
