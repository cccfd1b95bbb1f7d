use super::*;
use crate::machine::{Machine, changed};

const LINES: &str = "UUID=1 / ext4 defaults 0 1\n";
const HEADER: &str = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";

fn last_path(root: &Path, command: &Command) -> PathBuf {
    root.join(command.line().split(' ').next_back().unwrap().trim_start_matches('/'))
}

fn shows(root: &Path, lines: &str) {
    files::write(root.join("proc/swaps"), format!("{HEADER}{lines}"), 0o644).unwrap();
}

/// What mkswap leaves of a file of so many MiB.
fn space(mib: usize) -> Vec<u8> {
    let mut bytes = vec![0; mib << 20];
    bytes[4086..4096].copy_from_slice(b"SWAPSPACE2");
    bytes
}

fn machine() -> Machine {
    Machine::new()
        .file(FSTAB, LINES)
        .file(SWAPS, HEADER)
        .does("fallocate -l 2097152 -- ", |root, command| {
            files::write(last_path(root, command), vec![0; 2 << 20], 0o600).unwrap();
        })
        .does("mkswap -- ", |root, command| files::write(last_path(root, command), space(2), 0o600).unwrap())
        .does("swapon -- ", |root, command| {
            let path = command.line().split(' ').next_back().unwrap().to_owned();
            shows(root, &format!("{path} file 2044 0 -2\n"));
        })
        .does("swapoff", |root, _| shows(root, ""))
}

fn present(host: &Host) -> Result<Outcome> {
    Ok(host.swap("/swapfile").size_mib(2).present()?)
}

fn with_space(machine: Machine, mib: usize) -> Machine {
    files::write(machine.path("/swapfile"), space(mib), 0o600).unwrap();
    machine
}

#[test]
fn a_file_is_made_and_used() {
    let machine = machine();
    let diff = "new, 2 MiB\nturn it on\n/etc/fstab\n+ /swapfile none swap sw 0 0";
    assert_eq!(machine.apply(present).unwrap(), changed(diff));
    let expect = ["fallocate -l 2097152 -- /.swapfile.new", "mkswap -- /.swapfile.new", "swapon -- /swapfile"];
    assert_eq!(machine.calls(), expect);
    assert_eq!(machine.stat("/swapfile").map(|stat| (stat.mode, stat.size)), Some((0o600, 2 << 20)));
    assert_eq!(machine.apply(present).unwrap(), Outcome::Unchanged);
    assert_eq!(machine.calls().len(), 3);
    machine.view(|host| host.swap("/swapfile").is_on()).unwrap();
}

#[test]
fn a_plan_makes_nothing() {
    let machine = machine();
    assert!(machine.plan(present).unwrap().changed());
    assert_eq!((machine.calls(), machine.stat("/swapfile")), (vec![], None));
}

#[test]
fn a_plan_knows_what_it_would_swap_to() {
    let act = |host: &Host| {
        for _ in 0..2 {
            present(host)?;
        }
        for _ in 0..2 {
            host.swap("/swapfile").absent()?;
        }
        present(host).map(drop)
    };
    let machine = machine();
    machine.plan(act).unwrap();
    let planned = machine.said();
    assert_eq!((machine.calls(), machine.stat("/swapfile")), (vec![], None));
    machine.apply(act).unwrap();
    assert_eq!(machine.said(), planned);
    let signs: Vec<&str> = planned.lines().filter(|line| !line.starts_with(' ')).map(|line| &line[..1]).collect();
    assert_eq!(signs, ["+", "=", "+", "=", "+"]);
}

#[test]
fn a_plan_cannot_know_what_a_file_has_that_would_be_written() {
    let machine = machine().file("/swapfile", "a diary");
    let act = |host: &Host| {
        host.file("/swapfile").content("nothing").present()?;
        present(host).map(drop)
    };
    machine.plan(act).unwrap();
    let last = "? swap /swapfile present (cannot know: /swapfile changes before it)";
    assert_eq!(machine.said().lines().next_back(), Some(last));
}

#[test]
fn a_plan_looks_into_a_file_that_only_gets_another_mode_before() {
    let machine = machine().file("/swapfile", "a diary");
    let act = |host: &Host| {
        host.file("/swapfile").mode(0o600).present()?;
        present(host).map(drop)
    };
    let planned = machine.plan(act).unwrap_err().to_string();
    assert_eq!(planned, machine.apply(act).unwrap_err().to_string());
}

#[test]
fn who_was_killed_goes_on_where_it_was() {
    let machine = with_space(machine(), 2);
    machine.apply(present).unwrap();
    assert_eq!(machine.calls(), ["swapon -- /swapfile"]);
    files::write(machine.path(FSTAB), LINES, 0o644).unwrap();
    machine.apply(present).unwrap();
    assert_eq!(machine.calls().len(), 1);
    assert!(machine.read(FSTAB).unwrap().contains("/swapfile none swap sw 0 0"));
}

#[test]
fn a_file_that_lost_its_first_page_is_made_again() {
    let machine = machine();
    files::write(machine.path("/swapfile"), vec![0; 2 << 20], 0o600).unwrap();
    assert!(machine.apply(present).unwrap().changed());
    assert_eq!(machine.apply(present).unwrap(), Outcome::Unchanged);
}

#[test]
fn another_size_is_another_file() {
    let machine = with_space(machine(), 1);
    shows(&machine.path("/"), "/swapfile file 1020 0 -2\n");
    machine.apply(present).unwrap();
    assert!(machine.said().contains("1 MiB -> 2 MiB\n    turn it on"), "{}", machine.said());
    let expect = ["fallocate -l 2097152 -- /.swapfile.new", "mkswap -- /.swapfile.new"];
    assert_eq!(machine.calls()[..2], expect);
    assert_eq!(machine.calls()[2..], ["swapoff -- /swapfile", "swapon -- /swapfile"]);
    assert_eq!(machine.stat("/swapfile").unwrap().size, 2 << 20);
    assert_eq!(machine.apply(present).unwrap(), Outcome::Unchanged);
}

#[test]
fn what_is_in_use_stays_so_where_there_is_no_room_for_another() {
    let check = |machine: Machine, expect: &str| {
        let machine = with_space(machine, 1);
        shows(&machine.path("/"), "/swapfile file 1020 0 -2\n");
        assert_eq!(machine.apply(present).unwrap_err().to_string(), expect);
        machine.view(|host| host.swap("/swapfile").is_on()).unwrap();
        assert_eq!((machine.stat("/swapfile").unwrap().size, machine.stat("/.swapfile.new")), (1 << 20, None));
    };
    check(machine().answer("fallocate", 1, "No space left on device"), "could not fill the swap space /swapfile");
    let full = Machine::new().file(FSTAB, LINES).file(SWAPS, HEADER).answer("swapoff", 1, "Cannot allocate memory");
    check(full.answer("fallocate", 0, "").answer("mkswap", 0, ""), "could not turn off the swap space /swapfile");
}

#[test]
fn others_may_not_read_it_and_a_priority_holds() {
    let machine = with_space(machine(), 2).does("swapon -p 10", |root, _| shows(root, "/swapfile file 2044 0 10\n"));
    shows(&machine.path("/"), "/swapfile file 2044 0 -2\n");
    files::set_mode(machine.path("/swapfile"), 0o644).unwrap();
    let first = |host: &Host| Ok(host.swap("/swapfile").priority(10).present()?);
    machine.apply(first).unwrap();
    assert!(machine.said().contains("mode 0644 -> 0600\n    turn it on, with priority 10"), "{}", machine.said());
    assert_eq!(machine.calls(), ["swapoff -- /swapfile", "swapon -p 10 -- /swapfile"]);
    assert!(machine.read(FSTAB).unwrap().contains("/swapfile none swap sw,pri=10 0 0"));
    assert_eq!(machine.apply(first).unwrap(), Outcome::Unchanged);
}

#[test]
fn what_has_something_else_is_left_alone() {
    let machine = machine().file("/swapfile", "a diary");
    let error = machine.apply(present).unwrap_err().to_string();
    assert!(error.starts_with("/swapfile has something else than swap space, and stays\nhint: "), "{error}");
    assert!(machine.apply(|host| Ok(host.swap("/swapfile").absent()?)).is_err());
    assert_eq!(machine.read("/swapfile").as_deref(), Some("a diary"));
    assert_eq!(machine.calls(), [""; 0]);
}

#[test]
fn it_goes_and_its_file_with_it() {
    let machine = machine();
    machine.apply(present).unwrap();
    let absent = || machine.apply(|host| Ok(host.swap("/swapfile").absent()?));
    assert!(absent().unwrap().changed());
    assert_eq!((machine.stat("/swapfile"), machine.read(FSTAB).as_deref()), (None, Some(LINES)));
    assert_eq!(absent().unwrap(), Outcome::Unchanged);
}

#[test]
fn a_file_system_that_gives_no_room_gets_zeros_and_a_full_disk_is_an_error() {
    let machine = machine()
        .answer("fallocate", 1, "fallocate: Operation not supported")
        .does("dd ", |root, _| files::write(root.join(".swapfile.new"), vec![0; 2 << 20], 0o600).unwrap());
    machine.apply(present).unwrap();
    assert_eq!(machine.calls()[1], "dd if=/dev/zero of=/.swapfile.new bs=1M count=2 conv=notrunc");
    let machine = Machine::new().file(FSTAB, LINES).answer("fallocate", 1, "No space left on device");
    assert_eq!(machine.apply(present).unwrap_err().to_string(), "could not fill the swap space /swapfile");
    assert_eq!((machine.stat("/.swapfile.new"), machine.read(FSTAB).as_deref()), (None, Some(LINES)));
}

#[test]
fn what_the_kernel_does_not_take_is_an_error() {
    let check = |machine: Machine, expect: &str| {
        let error = machine.apply(present).unwrap_err();
        assert_eq!(error.to_string(), expect);
        assert_eq!(machine.read(FSTAB).as_deref(), Some(LINES));
    };
    let quiet = || with_space(Machine::new().file(FSTAB, LINES), 2);
    check(quiet().answer("swapon", 255, "Invalid argument"), "could not turn on the swap space /swapfile");
    let expect = "the kernel was to turn on the swap space /swapfile, and that ended well, but it is not so";
    check(quiet().answer("swapon", 0, ""), expect);
}

#[test]
fn what_can_not_be_known_or_made_is_said() {
    let machine = machine();
    let check = |path: &str, expect: &str| {
        let error = machine.apply(|host| Ok(host.swap(path).present()?)).unwrap_err().to_string();
        assert!(error.starts_with(expect), "{error}");
    };
    check("/swapfile", "there is no /swapfile, and no size is said for it\nhint: ");
    check("/dev/vdz", "there is no device /dev/vdz\nhint: ");
    check("swapfile", "`swapfile` can't be swapped to\nhint: ");
    check("/a/../b", "`/a/../b` can't be swapped to\nhint: ");
    machine.plan(|host| Ok(host.swap("/dev/vdz").present()?)).unwrap();
    assert_eq!(machine.said(), "? swap /dev/vdz present (cannot know: there is no /dev/vdz yet)");
}
