//! Modules of the kernel: loaded now and at each boot, with options, or never.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use wb_core::context::{Context, Outcome};
use wb_core::system::files::{self, FileError, Kind};
use wb_core::system::{Command, CommandError, System};

use crate::ensure::{Difference, ensure};
use crate::foresight::{self, Thing};
use crate::look::Access as _;
use crate::text_file::{TextFile, TextFileError};
use crate::{Host, Look};

/// How long a module may take to be loaded.
const BOUND: Duration = Duration::from_secs(120);

/// What can go wrong with a module of the kernel.
#[derive(Debug, thiserror::Error)]
pub enum ModuleError {
    /// No module can be called so.
    #[error(
        "`{}` is no name of a module of the kernel\n\
         hint: names have letters, digits, `_` and `-`",
        .name.escape_debug()
    )]
    BadName {
        /// What was asked for.
        name: String,
    },
    /// The option would be read as something else.
    #[error(
        "`{}` can't be an option of the module `{name}`: neither blanks, nor quotes, nor line breaks",
        .option.escape_debug()
    )]
    BadOption {
        /// The module.
        name: String,
        /// What was asked for.
        option: String,
    },
    /// It is part of the kernel itself.
    #[error("`{name}` is built into this kernel, and no module that could be left out")]
    BuiltIn {
        /// The module.
        name: String,
    },
    /// Its state can't be seen.
    #[error("could not see whether the module `{name}` is loaded")]
    Look {
        /// The module.
        name: String,
        /// Why.
        source: FileError,
    },
    /// `modprobe` did not do it.
    #[error("could not {action} the module `{name}`")]
    Act {
        /// What was being done.
        action: &'static str,
        /// The module.
        name: String,
        /// Why.
        source: CommandError,
    },
    /// `modprobe` did it, and it is not so.
    #[error("`modprobe` was to {action} the module `{name}`, and ended well, but it is not so")]
    NotSo {
        /// What was done.
        action: &'static str,
        /// The module.
        name: String,
    },
    /// A file can't be read or written.
    #[error(transparent)]
    File(#[from] TextFileError),
}

impl From<FileError> for ModuleError {
    fn from(error: FileError) -> Self {
        Self::File(error.into())
    }
}

/// A module of the kernel. [`Look::kernel_module`] makes it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn filter_on_bridges(host: &Host) -> Result<()> {
///     host.kernel_module("br_netfilter").loaded()?;
///     host.kernel_module("nf_conntrack").option("hashsize", "65536").loaded()?;
///     host.kernel_module("usb_storage").blacklisted()?;
///     host.kernel_module("zram").option("num_devices", "2").at_boot()?;
///     host.kernel_module("floppy").absent()?;
///     Ok(())
/// }
///
/// fn bridges_are_filtered(host: &View) -> Result<()> {
///     host.kernel_module("br_netfilter").is_loaded()
/// }
/// # wb_stdlib::testing::web1().rehearse(filter_on_bridges).asks(bridges_are_filtered);
/// ```
#[must_use = "say what is to be so: `.loaded()?`, `.at_boot()?`, `.blacklisted()?` or `.absent()?`"]
pub struct KernelModule<A> {
    access: A,
    name: String,
    options: Vec<(String, String)>,
}

/// What there is of a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Loaded,
    BuiltIn,
    Absent,
}

impl<A: Look> KernelModule<A> {
    pub(crate) fn new(access: A, name: &str) -> Self {
        Self { access, name: name.to_owned(), options: Vec::new() }
    }

    /// Checks that it is loaded, or built into the kernel.
    ///
    /// # Errors
    /// When it is not.
    pub fn is_loaded(&self) -> Result<()> {
        let state = self.state()?;
        anyhow::ensure!(state != State::Absent, "expected the module `{}` loaded, found that it is not", self.name);
        Ok(())
    }

    fn state(&self) -> Result<State, ModuleError> {
        self.check_name()?;
        self.found().map_err(|source| ModuleError::Look { name: self.name.clone(), source })
    }

    /// [`KernelModule::state`], or what it would be by now in a plan.
    fn by_now(&self) -> Result<State, ModuleError> {
        self.check_name()?;
        let (context, sign) = (self.access.context(), self.sign());
        if foresight::is_as_found(context, &sign) {
            return self.state();
        }
        let sign = foresight::stat(context, &sign);
        let sign = sign.map_err(|source| ModuleError::Look { name: self.name.clone(), source })?;
        Ok(if sign.is_some() { State::Loaded } else { State::Absent })
    }

    /// What the kernel shows of a module only while it is loaded.
    fn sign(&self) -> PathBuf {
        PathBuf::from("/sys/module").join(self.name.replace('-', "_")).join("initstate")
    }

    fn check_name(&self) -> Result<(), ModuleError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if self.name.is_empty() || self.name.starts_with('-') || !self.name.chars().all(plain) {
            return Err(ModuleError::BadName { name: self.name.clone() });
        }
        Ok(())
    }

    /// The kernel shows a module that is loaded, and one that is built in if it has parameters.
    fn found(&self) -> Result<State, FileError> {
        let (system, name) = (self.system(), self.name.replace('-', "_"));
        if system.stat(self.sign())?.is_some() {
            return Ok(State::Loaded);
        }
        let has_parameters = system.stat(PathBuf::from("/sys/module").join(&name))?.is_some();
        if has_parameters || is_built_in(&self.text(&self.built_in_list()?)?, &name) {
            return Ok(State::BuiltIn);
        }
        let loaded = is_loaded(&self.text("/proc/modules")?, &name);
        Ok(if loaded { State::Loaded } else { State::Absent })
    }

    fn built_in_list(&self) -> Result<String, FileError> {
        let release = self.text("/proc/sys/kernel/osrelease")?;
        Ok(format!("/lib/modules/{}/modules.builtin", release.trim()))
    }

    fn text(&self, path: &str) -> Result<String, FileError> {
        let bytes = self.system().read_file(path)?.unwrap_or_default();
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn system(&self) -> &System {
        self.access.context().system()
    }
}

/// Reads lines like `br_netfilter 32768 0 - Live 0x0000000000000000`.
fn is_loaded(modules: &str, name: &str) -> bool {
    modules.lines().any(|line| line.split(' ').next() == Some(name))
}

/// Reads lines like `kernel/fs/ext4/ext4.ko`.
fn is_built_in(list: &str, name: &str) -> bool {
    let of_line = |line: &str| Some(line.rsplit('/').next()?.split_once(".ko")?.0.replace('-', "_"));
    list.lines().filter_map(of_line).any(|found| found == name)
}

/// A file that is to have this text, or not to be there.
struct FileWanted {
    path: PathBuf,
    found: TextFile,
    text: Option<String>,
}

impl FileWanted {
    fn of(context: &Context<'_>, path: PathBuf, text: Option<String>) -> Result<Self, TextFileError> {
        let found = TextFile::by_now(context, &path)?;
        Ok(Self { path, found, text })
    }

    /// Lets operations that come later in a plan see it.
    fn foresee(&self, context: &Context<'_>) -> Result<(), FileError> {
        match &self.text {
            Some(text) => self.found.foresee(context, text)?,
            None => self.found.foresee_gone(context),
        }
        Ok(())
    }

    fn diff(&self) -> Option<String> {
        match &self.text {
            Some(text) => self.found.diff(text),
            None => self.found.is_there().then(|| format!("remove {}", self.path.display())),
        }
    }

    fn write(&self, system: &System) -> Result<(), FileError> {
        match &self.text {
            Some(text) => self.found.write(text),
            None => files::remove(system.path(&self.path)).map(drop),
        }
    }
}

/// The three files about a module.
struct Files {
    options: FileWanted,
    blacklist: FileWanted,
    boot: FileWanted,
}

impl KernelModule<Host<'_>> {
    /// A parameter that it gets when it is loaded. One that is loaded already gets it when it is loaded the next time,
    /// at the next boot for most.
    pub fn option(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.push((name.into(), value.into()));
        self
    }

    /// It is loaded, now and at each boot, with these options. What is built into the kernel counts as loaded.
    ///
    /// # Errors
    /// When the kernel has no such module, or it can't be loaded. It is then not loaded at a boot either.
    pub fn loaded(self) -> Result<Outcome, ModuleError> {
        let (state, files) = (self.by_now()?, self.files(true, false)?);
        let load = (state == State::Absent).then_some("load");
        self.ensure("loaded", load, &files)
    }

    /// It is loaded at each boot, with these options. Now it stays as it is.
    ///
    /// # Errors
    /// When a file can't be written.
    pub fn at_boot(self) -> Result<Outcome, ModuleError> {
        let files = self.files(true, false)?;
        self.ensure("at boot", None, &files)
    }

    /// It is not loaded, and nothing loads it: neither what finds its device, nor who asks for it.
    ///
    /// # Errors
    /// When it is built into the kernel, or in use.
    pub fn blacklisted(self) -> Result<Outcome, ModuleError> {
        let files = self.files(false, true)?;
        self.gone("blacklisted", &files)
    }

    /// It is not loaded, now and at a boot, as far as we said that it should be. Something else may load it again; see
    /// [`KernelModule::blacklisted`].
    ///
    /// # Errors
    /// When it is built into the kernel, or in use.
    pub fn absent(self) -> Result<Outcome, ModuleError> {
        let files = self.files(false, false)?;
        self.gone("absent", &files)
    }

    fn gone(&self, state: &str, files: &Files) -> Result<Outcome, ModuleError> {
        match self.by_now()? {
            State::Loaded => self.ensure(state, Some("unload"), files),
            State::Absent => self.ensure(state, None, files),
            State::BuiltIn => Err(ModuleError::BuiltIn { name: self.name.clone() }),
        }
    }

    fn files(&self, at_boot: bool, never: bool) -> Result<Files, ModuleError> {
        self.check_name()?;
        let (name, context) = (&self.name, self.access.context());
        let file = |directory: &str, text: Option<String>| {
            let path = PathBuf::from(format!("{directory}/wildebeest-{name}.conf"));
            FileWanted::of(context, path, text)
        };
        let blacklist = format!("blacklist {name}\ninstall {name} /bin/false\n");
        Ok(Files {
            options: file("/etc/modprobe.d", self.options_line()?)?,
            blacklist: FileWanted::of(
                context,
                PathBuf::from(format!("/etc/modprobe.d/wildebeest-blacklist-{name}.conf")),
                never.then_some(blacklist),
            )?,
            boot: file("/etc/modules-load.d", at_boot.then(|| format!("{name}\n")))?,
        })
    }

    fn options_line(&self) -> Result<Option<String>, ModuleError> {
        let mut words = Vec::new();
        for (option, value) in &self.options {
            let word = format!("{option}={value}");
            let is_bad = |c: char| c.is_whitespace() || c.is_control() || "\"'#\\".contains(c);
            if option.is_empty() || option.contains('=') || word.contains(is_bad) {
                return Err(ModuleError::BadOption { name: self.name.clone(), option: word });
            }
            words.push(word);
        }
        Ok((!words.is_empty()).then(|| format!("options {} {}\n", self.name, words.join(" "))))
    }

    /// What the loading goes by is written before, and what loads it at a boot only when it could be loaded.
    fn ensure(&self, state: &str, act: Option<&'static str>, files: &Files) -> Result<Outcome, ModuleError> {
        let Files { options, blacklist, boot } = files;
        let acts = act.map(|act| format!("{act} it"));
        let diffs = [options, blacklist, boot].into_iter().filter_map(FileWanted::diff);
        let difference = Difference::of_lines(acts.into_iter().chain(diffs));
        [options, blacklist, boot].into_iter().try_for_each(|file| file.foresee(self.access.context()))?;
        if let Some(act) = act {
            let live = Thing::File(foresight::new_stat(Kind::File, 0o444), "live\n".into());
            let by_then = if act == "unload" { Thing::Nothing } else { live };
            foresight::put(self.access.context(), &self.sign(), by_then);
        }
        ensure(self.access, &format!("kernel module {} {state}", self.name), difference, || {
            let system = self.system();
            options.write(system)?;
            blacklist.write(system)?;
            if let Some(act) = act {
                self.act(act)?;
            }
            Ok(boot.write(system)?)
        })
    }

    fn act(&self, action: &'static str) -> Result<(), ModuleError> {
        let name = || self.name.clone();
        let modprobe = Command::new("modprobe").env("LC_ALL", "C.UTF-8").timeout(BOUND);
        let modprobe = if action == "unload" { modprobe.arg("-r") } else { modprobe };
        let done = self.system().read_command(&modprobe.arg("--").arg(&self.name));
        done.map_err(|source| ModuleError::Act { action, name: name(), source })?;
        let is_so = (self.state()? == State::Absent) == (action == "unload");
        if is_so { Ok(()) } else { Err(ModuleError::NotSo { action, name: name() }) }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::machine::{Machine, changed};

    const BOOT: &str = "/etc/modules-load.d/wildebeest-br_netfilter.conf";
    const OPTIONS: &str = "/etc/modprobe.d/wildebeest-br_netfilter.conf";
    const BLACKLIST: &str = "/etc/modprobe.d/wildebeest-blacklist-br_netfilter.conf";

    fn appear(root: &Path, _: &Command) {
        files::create_dir(root.join("sys/module/br_netfilter")).unwrap();
        files::write(root.join("sys/module/br_netfilter/initstate"), "live\n", 0o644).unwrap();
    }

    fn vanish(root: &Path, _: &Command) {
        files::remove_tree(root.join("sys/module/br_netfilter")).unwrap();
    }

    fn machine() -> Machine {
        Machine::new()
            .file("/proc/sys/kernel/osrelease", "6.1.0-18-amd64\n")
            .file(
                "/lib/modules/6.1.0-18-amd64/modules.builtin",
                "kernel/net/ipv4/tcp_cubic.ko\nkernel/fs/ext4/ext4.ko\n",
            )
            .does("modprobe --", appear)
            .does("modprobe -r", vanish)
    }

    fn loaded(host: &Host) -> Result<Outcome> {
        Ok(host.kernel_module("br_netfilter").option("a", "1").option("b", "x").loaded()?)
    }

    #[test]
    fn it_is_loaded_now_and_at_each_boot() {
        let machine = machine();
        assert!(machine.apply(loaded).unwrap().changed());
        assert!(machine.said().starts_with("+ kernel module br_netfilter loaded\n    load it\n"), "{}", machine.said());
        assert_eq!(machine.calls(), ["modprobe -- br_netfilter"]);
        assert_eq!(machine.read(BOOT).as_deref(), Some("br_netfilter\n"));
        assert_eq!(machine.read(OPTIONS).as_deref(), Some("options br_netfilter a=1 b=x\n"));
        assert_eq!(machine.apply(loaded).unwrap(), Outcome::Unchanged);
        machine.view(|host| host.kernel_module("br-netfilter").is_loaded()).unwrap();
    }

    #[test]
    fn a_plan_loads_nothing() {
        let machine = machine();
        let before = machine.snapshot();
        assert!(machine.plan(loaded).unwrap().changed());
        assert_eq!((machine.snapshot(), machine.calls()), (before, vec![]));
    }

    #[test]
    fn a_plan_knows_what_it_would_load() {
        let act = |host: &Host| {
            for _ in 0..2 {
                loaded(host)?;
            }
            for _ in 0..2 {
                host.kernel_module("br-netfilter").absent()?;
            }
            for _ in 0..2 {
                host.kernel_module("br_netfilter").blacklisted()?;
            }
            loaded(host).map(drop)
        };
        let machine = machine();
        machine.plan(act).unwrap();
        let planned = machine.said();
        assert_eq!(machine.calls(), [""; 0]);
        machine.apply(act).unwrap();
        assert_eq!(machine.said(), planned);
        let signs: Vec<&str> = planned.lines().filter(|line| !line.starts_with(' ')).map(|line| &line[..1]).collect();
        assert_eq!(signs, ["+", "=", "+", "=", "+", "=", "+"]);
    }

    #[test]
    fn it_can_wait_for_the_boot() {
        let machine = machine();
        machine.apply(|host| Ok(host.kernel_module("br_netfilter").at_boot()?)).unwrap();
        assert_eq!((machine.calls(), machine.read(BOOT).as_deref()), (vec![], Some("br_netfilter\n")));
    }

    #[test]
    fn what_is_blacklisted_is_unloaded_and_comes_back_when_it_is_wanted() {
        let machine = machine();
        machine.apply(loaded).unwrap();
        let blacklisted = || machine.apply(|host| Ok(host.kernel_module("br_netfilter").blacklisted()?));
        assert!(blacklisted().unwrap().changed());
        assert_eq!(blacklisted().unwrap(), Outcome::Unchanged);
        let text = "blacklist br_netfilter\ninstall br_netfilter /bin/false\n";
        assert_eq!(
            (machine.read(BLACKLIST).as_deref(), machine.read(BOOT), machine.read(OPTIONS)),
            (Some(text), None, None)
        );
        assert!(machine.view(|host| host.kernel_module("br_netfilter").is_loaded()).is_err());
        machine.apply(loaded).unwrap();
        assert_eq!(machine.read(BLACKLIST), None);
    }

    #[test]
    fn it_is_gone_with_its_files() {
        let machine = machine();
        machine.apply(loaded).unwrap();
        let absent = || machine.apply(|host| Ok(host.kernel_module("br_netfilter").absent()?));
        let outcome = absent().unwrap();
        assert_eq!(outcome, changed(&format!("unload it\nremove {OPTIONS}\nremove {BOOT}")));
        assert_eq!(absent().unwrap(), Outcome::Unchanged);
        assert_eq!(machine.calls()[1], "modprobe -r -- br_netfilter");
    }

    #[test]
    fn what_is_built_in_is_loaded_and_stays() {
        let machine = machine();
        machine.view(|host| host.kernel_module("tcp-cubic").is_loaded()).unwrap();
        let error = machine.apply(|host| Ok(host.kernel_module("ext4").blacklisted()?)).unwrap_err();
        assert_eq!(error.to_string(), "`ext4` is built into this kernel, and no module that could be left out");
    }

    #[test]
    fn lists_of_the_kernel_are_read_by_whole_names() {
        let modules = "nf_tables 278528 10 nft_compat,nft_chain_nat, Live 0x0\nbridge 311296 1 - Live 0x0\n";
        assert!(is_loaded(modules, "bridge") && !is_loaded(modules, "nf") && !is_loaded(modules, "nft_compat"));
        assert!(is_built_in("kernel/drivers/usb/core/usb-common.ko.xz\n", "usb_common"));
        assert!(!is_built_in("kernel/drivers/usb/core/usb-common.ko\n", "common"));
    }

    #[test]
    fn a_module_that_is_not_there_is_not_loaded_at_boot_either() {
        let check = |machine: Machine, expect: &str| {
            let error = machine.apply(loaded).unwrap_err();
            assert_eq!((error.to_string().as_str(), machine.read(BOOT)), (expect, None));
        };
        check(machine().answer("modprobe", 1, "FATAL: Module not found"), "could not load the module `br_netfilter`");
        let expect = "`modprobe` was to load the module `br_netfilter`, and ended well, but it is not so";
        check(Machine::new().answer("modprobe", 0, ""), expect);
    }

    #[test]
    fn what_would_be_read_as_something_else_is_refused() {
        let machine = machine();
        let check = |name: &str, option: &str, expect: &str| {
            let module = |host: &Host| Ok(host.kernel_module(name).option("a", option).loaded()?);
            let error = machine.apply(module).unwrap_err().to_string();
            assert!(error.starts_with(expect), "{error}");
        };
        check("../a", "1", "`../a` is no name of a module of the kernel\nhint: ");
        check("-r", "1", "`-r` is no name of a module of the kernel");
        check("", "1", "`` is no name of a module of the kernel");
        check("a", "1\ninstall a /bin/x", "`a=1\\ninstall a /bin/x` can't be an option of the module `a`");
        assert_eq!(machine.calls(), [""; 0]);
    }
}
