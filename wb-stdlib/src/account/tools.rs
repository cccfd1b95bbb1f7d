//! The programs that change users and groups. They wait for the lock of the file that they change; here they wait
//! longer, and a lock that nobody holds any more is taken away. The lock of BusyBox is the file that is to take the place
//! of the old one, as `/etc/passwd+`.

use std::time::Duration;

use wb_core::system::{Command, CommandError, Output, System, files};

use super::{AccountError, Subject};

/// How long one program may take: it waits for a lock for 15 s, and gives all of a home another number.
const RUN_BOUND: Duration = Duration::from_secs(600);
/// How long others may hold a lock.
const LOCK_BOUND: Duration = Duration::from_secs(120);
const LOCK_PAUSE: Duration = Duration::from_secs(1);
/// How old a lock is that a dead program left, at least.
const STALE: Duration = Duration::from_secs(60);
/// What usermod and userdel end with when the user has processes.
const BUSY: i32 = 8;

/// Runs one of them until it succeeds, or its trouble is none that passes.
pub(crate) fn run(
    system: &System,
    subject: Subject<'_>,
    action: &'static str,
    command: Command,
) -> Result<(), AccountError> {
    // C is in each C library; for C.UTF-8 each program would open a dozen files, and say the same.
    let command = command.env("LC_ALL", "C").env("TZ", "UTC").timeout(RUN_BOUND);
    let start = system.clock().now();
    loop {
        let output = system.run(&command).map_err(|source| not_run(subject, action, source))?;
        if output.code == 0 {
            return Ok(());
        }
        let waited = system.clock().now().saturating_sub(start);
        match Lock::named_in(&output.error_text()) {
            Some(lock) if waited < LOCK_BOUND => {
                free(system, &lock.path).map_err(|source| subject.look(source))?;
                system.clock().sleep(LOCK_PAUSE);
            }
            lock => return Err(failed(subject, action, &command, &output, lock)),
        }
    }
}

fn not_run(subject: Subject<'_>, action: &'static str, source: CommandError) -> AccountError {
    let (kind, name) = (subject.kind, subject.name.to_owned());
    let source = Box::new(source);
    match *source {
        CommandError::NotFound { .. } => AccountError::NoTool { action, kind, name, source },
        _ => AccountError::Act { action, kind, name, source },
    }
}

fn failed(
    subject: Subject<'_>,
    action: &'static str,
    command: &Command,
    output: &Output,
    lock: Option<Lock>,
) -> AccountError {
    let (kind, name) = (subject.kind, subject.name.to_owned());
    let said = output.error_text();
    let source = Box::new(CommandError::Failed { line: command.line(), code: output.code, said: said.clone() });
    match lock {
        Some(Lock { file, .. }) => AccountError::Locked { action, kind, name, file, source },
        None if kind == "user" && output.code == BUSY => AccountError::Busy { name, said },
        None => AccountError::Act { action, kind, name, source },
    }
}

/// A lock that a program could not get.
#[derive(Debug, PartialEq, Eq)]
struct Lock {
    /// The file that it is for.
    file: String,
    /// Where it lies.
    path: String,
}

impl Lock {
    /// The one that a program names: `useradd: cannot lock /etc/passwd; try again later.`, or, of BusyBox, `adduser: can't
    /// create '/etc/passwd+': File exists`.
    fn named_in(said: &str) -> Option<Self> {
        let of_shadow = || Some((said.split_once("cannot lock ")?.1.split_once(';')?.0, ".lock"));
        let of_busybox = || Some((said.split_once("can't create '")?.1.split_once("+': File exists")?.0, "+"));
        let (file, end) = of_shadow().or_else(of_busybox)?;
        let known = ["passwd", "shadow", "group", "gshadow", "subuid", "subgid"];
        let is_known = file.strip_prefix("/etc/").is_some_and(|name| known.contains(&name));
        is_known.then(|| Self { file: file.to_owned(), path: format!("{file}{end}") })
    }
}

/// Removes a lock where nobody holds it any more. The programs of shadow-utils do so when no process has the number that it
/// names; after a reboot another one may have it, and after a power cut there may be no number. Those of BusyBox name none,
/// and never remove one.
fn free(system: &System, lock: &str) -> Result<(), files::FileError> {
    let (Some(stat), Some(content)) = (system.stat(lock)?, system.read_file(lock)?) else { return Ok(()) };
    let holder = holder(&content);
    let name = holder.map(|pid| system.read_file(format!("/proc/{pid}/comm"))).transpose()?.flatten();
    let age = system.clock().now().saturating_sub(stat.modified);
    if is_stale(age, name.as_deref()) {
        files::remove(system.path(lock))?;
    }
    Ok(())
}

/// The number of the process that a lock names.
fn holder(content: &[u8]) -> Option<u32> {
    let text = String::from_utf8_lossy(content);
    text.trim_matches(|c: char| c.is_whitespace() || c == '\0').parse().ok()
}

/// Whether a lock is left over. Its holder has a name that ends so if it is one of those programs.
fn is_stale(age: Duration, holder: Option<&[u8]>) -> bool {
    const HOLDERS: [&str; 26] = [
        "useradd",
        "usermod",
        "userdel",
        "groupadd",
        "groupmod",
        "groupdel",
        "groupmems",
        "gpasswd",
        "passwd",
        "chpasswd",
        "chgpasswd",
        "chage",
        "chfn",
        "chsh",
        "newusers",
        "vipw",
        "vigr",
        "pwck",
        "grpck",
        "pwconv",
        "pwunconv",
        "grpconv",
        "grpunconv",
        "adduser",
        "addgroup",
        "accounts-daemon",
    ];
    let holder = holder.map(|name| String::from_utf8_lossy(name).trim_end().to_owned());
    age >= STALE && !holder.is_some_and(|name| HOLDERS.contains(&name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::Access as _;
    use crate::machine::Machine;

    #[test]
    fn the_lock_is_read_from_what_programs_say() {
        let check = |said: &str, expect: Option<(&str, &str)>| {
            let expect = expect.map(|(file, path)| Lock { file: file.into(), path: path.into() });
            assert_eq!(Lock::named_in(said), expect, "{said}");
        };
        let passwd = Some(("/etc/passwd", "/etc/passwd.lock"));
        check("useradd: cannot lock /etc/passwd; try again later.", passwd);
        check(
            "usermod: existing lock file /etc/group.lock without a PID\nusermod: cannot lock /etc/group; try again later.",
            Some(("/etc/group", "/etc/group.lock")),
        );
        check("gpasswd: cannot lock /etc/gshadow; try again later.", Some(("/etc/gshadow", "/etc/gshadow.lock")));
        check("adduser: can't create '/etc/passwd+': File exists", Some(("/etc/passwd", "/etc/passwd+")));
        check("addgroup: can't create '/etc/gshadow+': File exists", Some(("/etc/gshadow", "/etc/gshadow+")));
        check("adduser: can't create '/etc/passwd+': Read-only file system", None);
        check("useradd: cannot lock /srv/other; try again later.", None);
        check("adduser: can't create '/srv/other+': File exists", None);
        check("useradd: UID 2001 is not unique", None);
    }

    #[test]
    fn a_lock_is_left_over_when_nobody_of_these_programs_holds_it() {
        let check = |age: u64, holder: Option<&str>, expect: bool| {
            assert_eq!(is_stale(Duration::from_secs(age), holder.map(str::as_bytes)), expect, "{age} {holder:?}");
        };
        check(61, None, true);
        check(61, Some("nginx\n"), true);
        check(61, Some("useradd\n"), false);
        check(59, None, false);
        check(59, Some("nginx\n"), false);
    }

    #[test]
    fn a_lock_names_a_process() {
        let check = |content: &[u8], expect| assert_eq!(holder(content), expect, "{content:?}");
        check(b"123\0", Some(123));
        check(b"123\n", Some(123));
        check(b"", None);
        check(b"no number", None);
    }

    fn add(machine: &Machine) -> anyhow::Result<()> {
        machine.apply(|host| {
            let command = Command::new("useradd").args(["--", "anna"]);
            Ok(run(host.context().system(), Subject::user("anna"), "add", command)?)
        })
    }

    #[test]
    fn programs_open_no_files_of_a_locale() {
        let machine = Machine::new().answer("useradd", 0, "");
        add(&machine).unwrap();
        assert_eq!(machine.variables("LC_ALL"), ["C"]);
    }

    const LOCKED: &str = "useradd: cannot lock /etc/passwd; try again later.";

    #[test]
    fn a_lock_is_waited_for() {
        let machine = Machine::new().complains("useradd", &[(1, LOCKED), (1, LOCKED), (0, "")]);
        add(&machine).unwrap();
        assert_eq!(machine.calls().len(), 3);
    }

    #[test]
    fn a_lock_that_nobody_gives_back_is_an_error() {
        let machine = Machine::new().complains("useradd", &[(1, LOCKED)]);
        let error = add(&machine).unwrap_err().to_string();
        let expect = "could not add the user `anna`: somebody else holds the lock of /etc/passwd\nhint: `cat \
                      /etc/passwd.lock` on the host says which process";
        assert_eq!(error, expect);
    }

    #[test]
    fn what_busybox_left_half_written_is_taken_away() {
        let said = "useradd: can't create '/etc/passwd+': File exists";
        let machine = Machine::new().file("/etc/passwd+", "root:x:0:").complains("useradd", &[(1, said), (0, "")]);
        let old = std::time::UNIX_EPOCH + Duration::from_secs(999_999_900);
        files::open(machine.path("/etc/passwd+")).unwrap().set_modified(old).unwrap();
        add(&machine).unwrap();
        assert_eq!((machine.stat("/etc/passwd+"), machine.calls().len()), (None, 2));
    }

    #[test]
    fn a_user_in_use_and_a_missing_program_are_named() {
        let said = "userdel: user anna is currently used by process 123";
        let machine = Machine::new().complains("useradd", &[(8, said)]);
        let error = add(&machine).unwrap_err().to_string();
        assert!(error.starts_with(&format!("the user `anna` is in use: {said}\nhint: ")), "{error}");
        let error = add(&Machine::new()).unwrap_err();
        assert!(error.to_string().contains("the package `passwd`"), "{error}");
    }
}
