use super::*;
use crate::machine::{Machine, changed};

const ROOT: &str = "27 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n";
const LINES: &str = "# ours\nUUID=1 / ext4 errors=remount-ro 0 1\n";

fn machine() -> Machine {
    Machine::new().file(FSTAB, LINES).file(MOUNTINFO, ROOT).file("/dev/vdb1", "").file("/dev/vdc1", "")
}

/// A kernel that has mounted this at `/srv/data`.
fn shows(root: &Path, source: &str, options: &str) {
    let line = format!("40 27 254:17 / /srv/data {options} shared:2 - ext4 {source} rw\n");
    files::write(root.join("proc/self/mountinfo"), format!("{ROOT}{line}"), 0o644).unwrap();
}

fn shows_nothing(root: &Path) {
    files::write(root.join("proc/self/mountinfo"), ROOT, 0o644).unwrap();
}

fn mounting(options: &'static str) -> Machine {
    machine()
        .does("mount ", move |root, _| shows(root, "/dev/vdb1", options))
        .does("umount ", |root, _| shows_nothing(root))
}

fn data<'a>(host: &Host<'a>) -> Mount<Host<'a>> {
    host.mount("/srv/data/").source("/dev/vdb1").filesystem("ext4").options("noatime,nofail").pass(2)
}

#[test]
fn it_is_mounted_now_and_at_each_boot() {
    let machine = mounting("rw,noatime");
    let present = || machine.apply(|host| Ok(data(host).present()?));
    let diff = "mount /dev/vdb1 (ext4, noatime,nofail)\n/etc/fstab\n+ /dev/vdb1 /srv/data ext4 noatime,nofail 0 2";
    assert_eq!(present().unwrap(), changed(diff));
    assert_eq!(machine.said().lines().next(), Some("+ mount /srv/data present"));
    assert_eq!(machine.stat("/srv/data").unwrap().kind, Kind::Directory);
    assert_eq!(machine.read(FSTAB).unwrap(), format!("{LINES}/dev/vdb1 /srv/data ext4 noatime,nofail 0 2\n"));
    assert_eq!(present().unwrap(), Outcome::Unchanged);
    assert_eq!(machine.calls(), ["mount -t ext4 -o noatime,nofail -- /dev/vdb1 /srv/data"]);
    machine.view(|host| host.mount("/srv/data").is_mounted()).unwrap();
}

#[test]
fn a_plan_mounts_nothing() {
    let machine = machine();
    let before = machine.snapshot();
    assert!(machine.plan(|host| Ok(data(host).present()?)).unwrap().changed());
    assert_eq!((machine.snapshot(), machine.calls()), (before, vec![]));
}

/// What is done is what the plan said, which did nothing.
fn foresees(machine: &Machine, act: impl Fn(&Host) -> Result<()>) {
    machine.plan(&act).unwrap();
    let planned = machine.said();
    assert_eq!(machine.calls(), [""; 0]);
    machine.apply(&act).unwrap();
    assert_eq!(machine.said(), planned);
}

#[test]
fn a_plan_knows_what_it_would_mount() {
    let machine = mounting("rw,noatime");
    foresees(&machine, |host| {
        for _ in 0..2 {
            data(host).present()?;
        }
        for _ in 0..2 {
            host.mount("/srv/data").unmounted()?;
        }
        data(host).present()?;
        for _ in 0..2 {
            host.mount("/srv/data").absent()?;
        }
        Ok(())
    });
    let said = machine.said();
    let signs: Vec<&str> = said.lines().filter(|line| !line.starts_with(' ')).map(|line| &line[..1]).collect();
    assert_eq!(signs, ["+", "=", "+", "=", "+", "+", "="]);
}

#[test]
fn a_plan_takes_what_the_kernel_finds_out_for_what_is_wanted() {
    foresees(&mounting("rw,noatime"), |host| {
        data(host).filesystem("auto").present()?;
        data(host).present()?;
        Ok(())
    });
}

#[test]
fn a_plan_knows_what_it_would_mount_in_place_of_something_else() {
    let machine = machine().does("umount ", |root, _| shows_nothing(root)).does("mount ", |root, command| {
        let line = command.line();
        let options = if line.contains("nodev") { "rw,nodev" } else { "rw,noatime" };
        shows(root, if line.contains("/dev/vdc1") { "/dev/vdc1" } else { "/dev/vdb1" }, options);
    });
    foresees(&machine, |host| {
        data(host).present()?;
        for _ in 0..2 {
            data(host).options("nodev").present()?;
        }
        for _ in 0..2 {
            data(host).source("/dev/vdc1").options("nodev").present()?;
        }
        Ok(())
    });
    let bound_twice = Machine::new().file(FSTAB, LINES).file(MOUNTINFO, ROOT).dir("/srv/new").dir("/srv/bound");
    foresees(&bound_twice.does("mount ", |root, _| binds(root, "/srv/new")), |host| {
        bound(host)?;
        bound(host)?;
        Ok(())
    });
}

#[test]
fn what_looks_sees_what_is_mounted_also_in_a_plan() {
    let looked = mounting("rw,noatime").plan(|host| {
        data(host).present()?;
        Ok(host.mount("/srv/data").is_mounted().is_ok())
    });
    assert!(!looked.unwrap());
}

#[test]
fn other_options_are_a_remount() {
    let machine = mounting("rw,noatime");
    machine.apply(|host| Ok(data(host).present()?)).unwrap();
    let nodev = |host: &Host| Ok(data(host).options("nodev,commit=60").present()?);
    let machine = machine.does("mount ", |root, _| shows(root, "/dev/vdb1", "rw,nodev"));
    machine.apply(nodev).unwrap();
    assert!(machine.said().contains("remount with nodev,commit=60"), "{}", machine.said());
    assert_eq!(machine.calls()[1], "mount -t ext4 -o remount,nodev,commit=60 -- /dev/vdb1 /srv/data");
    assert_eq!(machine.apply(nodev).unwrap(), Outcome::Unchanged);
}

#[test]
fn who_was_killed_before_fstab_was_written_writes_it() {
    let machine = mounting("rw,noatime");
    shows(&machine.path("/"), "/dev/vdb1", "rw,noatime");
    machine.apply(|host| Ok(data(host).present()?)).unwrap();
    assert_eq!(machine.calls(), [""; 0]);
    assert!(machine.read(FSTAB).unwrap().contains("/srv/data"));
}

#[test]
fn what_was_remounted_by_hand_is_remounted() {
    let machine = mounting("rw,noatime");
    machine.apply(|host| Ok(data(host).present()?)).unwrap();
    shows(&machine.path("/"), "/dev/vdb1", "rw,relatime");
    assert_eq!(machine.apply(|host| Ok(data(host).present()?)).unwrap(), changed("remount with noatime,nofail"));
}

#[test]
fn another_device_takes_the_place_of_the_first() {
    let machine = mounting("rw,noatime");
    shows(&machine.path("/"), "/dev/vdc1", "rw,noatime");
    machine.apply(|host| Ok(data(host).present()?)).unwrap();
    assert_eq!(machine.calls()[0], "umount -- /srv/data");
    assert!(machine.said().contains("unmount /dev/vdc1 (ext4)\n    mount /dev/vdb1"), "{}", machine.said());
}

#[test]
fn what_was_there_comes_back_where_nothing_else_can_be_mounted() {
    let machine = machine()
        .does("umount ", |root, _| shows_nothing(root))
        .answer("mount -t ext4 -o noatime,nofail -- /dev/vdb1", 32, "wrong fs type")
        .does("mount -t ext4 -o rw,relatime,rw -- /dev/vdc1", |root, _| shows(root, "/dev/vdc1", "rw,relatime"));
    shows(&machine.path("/"), "/dev/vdc1", "rw,relatime");
    assert_eq!(machine.apply(|host| Ok(data(host).present()?)).unwrap_err().to_string(), "could not mount /srv/data");
    machine.view(|host| host.mount("/srv/data").is_mounted()).unwrap();
    assert_eq!(machine.read(FSTAB).as_deref(), Some(LINES));
}

/// A kernel that has bound this directory to `/srv/bound`.
fn binds(root: &Path, source: &str) {
    let line = format!("40 27 254:1 {source} /srv/bound rw shared:1 - ext4 /dev/vda1 rw\n");
    files::write(root.join("proc/self/mountinfo"), format!("{ROOT}{line}"), 0o644).unwrap();
}

fn bound(host: &Host) -> Result<Outcome> {
    Ok(host.mount("/srv/bound").source("/srv/new").filesystem("none").options("bind").present()?)
}

#[test]
fn another_directory_is_bound_in_place_of_the_first() {
    let machine = machine().dir("/srv/old").dir("/srv/new").dir("/srv/bound");
    let machine = machine.does("umount ", |root, _| shows_nothing(root)).does("mount ", |root, command| {
        binds(root, command.line().split(' ').nth_back(1).unwrap());
    });
    binds(&machine.path("/"), "/srv/old");
    assert!(machine.apply(bound).unwrap().changed());
    assert_eq!(machine.calls(), ["umount -- /srv/bound", "mount -t none -o bind -- /srv/new /srv/bound"]);
    assert_eq!(machine.apply(bound).unwrap(), Outcome::Unchanged);
}

#[test]
fn a_directory_that_was_bound_comes_back_where_the_other_can_not_be() {
    let machine = machine().dir("/srv/old").dir("/srv/new").dir("/srv/bound");
    let machine = machine.does("umount ", |root, _| shows_nothing(root)).answer("mount", 32, "not permitted");
    binds(&machine.path("/"), "/srv/old");
    machine.apply(bound).unwrap_err();
    assert_eq!(machine.calls()[2], "mount -t none -o bind -- /srv/old /srv/bound");
}

#[test]
fn a_device_goes_by_any_of_its_names() {
    let machine = mounting("rw,noatime").dir("/dev/disk/by-uuid");
    files::link("../../vdb1", machine.path("/dev/disk/by-uuid/3e6b")).unwrap();
    shows(&machine.path("/"), "/dev/vdb1", "rw,noatime");
    machine.apply(|host| Ok(data(host).source("UUID=3e6b").present()?)).unwrap();
    assert_eq!(machine.calls(), [""; 0]);
    assert_eq!(device("LABEL=a"), Some("/dev/disk/by-label/a".into()));
    assert_eq!(device("nas:/export"), None);
}

#[test]
fn fstab_alone_can_have_it() {
    let machine = machine();
    let nfs = |host: &Host| {
        let mount = host.mount("/srv/my nas").source("nas:/export").filesystem("nfs").options("noauto");
        Ok(mount.in_fstab()?)
    };
    assert!(machine.apply(nfs).unwrap().changed());
    assert_eq!(machine.read(FSTAB).unwrap(), format!("{LINES}nas:/export /srv/my\\040nas nfs noauto 0 0\n"));
    assert_eq!(machine.apply(nfs).unwrap(), Outcome::Unchanged);
    assert_eq!((machine.calls(), machine.stat("/srv/my nas")), (vec![], None));
}

#[test]
fn what_is_mounted_can_go_for_now_or_for_good() {
    let machine = mounting("rw,noatime");
    machine.apply(|host| Ok(data(host).present()?)).unwrap();
    let unmounted = || machine.apply(|host| Ok(host.mount("/srv/data").unmounted()?));
    assert_eq!(unmounted().unwrap(), changed("unmount /dev/vdb1 (ext4)"));
    assert_eq!(unmounted().unwrap(), Outcome::Unchanged);
    assert!(machine.read(FSTAB).unwrap().contains("/srv/data"));
    machine.apply(|host| Ok(data(host).present()?)).unwrap();
    let absent = || machine.apply(|host| Ok(host.mount("/srv/data").absent()?));
    assert!(absent().unwrap().changed());
    assert_eq!(absent().unwrap(), Outcome::Unchanged);
    assert_eq!(machine.read(FSTAB).as_deref(), Some(LINES));
}

#[test]
fn what_is_in_use_stays() {
    let machine = machine().answer("umount", 32, "umount: /srv/data: target is busy.");
    shows(&machine.path("/"), "/dev/vdb1", "rw");
    let error = machine.apply(|host| Ok(host.mount("/srv/data").absent()?)).unwrap_err().to_string();
    assert_eq!(
        error,
        "/srv/data is in use, so it stays mounted\nhint: `fuser -vm /srv/data` on the host shows who uses it"
    );
    assert_eq!(machine.read(FSTAB).as_deref(), Some(LINES));
}

#[test]
fn what_cannot_be_mounted_does_not_get_into_fstab() {
    let check = |machine: Machine, expect: &str| {
        let error = machine.apply(|host| Ok(data(host).present()?)).unwrap_err().to_string();
        assert!(error.starts_with(expect), "{error}");
        assert_eq!(machine.read(FSTAB).as_deref(), Some(LINES));
    };
    check(machine().answer("mount", 32, "wrong fs type"), "could not mount /srv/data");
    check(
        machine().answer("mount", 0, ""),
        "`mount` was to change what is at /srv/data, and ended well, but it is not so",
    );
    check(machine().file("/srv/data", ""), "/srv/data is a file, and nothing can be mounted there\nhint: ");
}

#[test]
fn systemd_reads_fstab_again() {
    let machine = mounting("rw,noatime").dir("/run/systemd/system").answer("systemctl", 0, "");
    machine.apply(|host| Ok(data(host).present()?)).unwrap();
    machine.apply(|host| Ok(data(host).present()?)).unwrap();
    assert_eq!(machine.calls()[1..], [RELOAD]);
}

const RELOAD: &str = "systemctl --no-ask-password --no-pager daemon-reload";

#[test]
fn what_systemd_did_not_read_it_reads_at_the_end_of_the_next_run() {
    let machine = mounting("rw,noatime").dir("/run/systemd/system").answers("systemctl", &[(1, "timed out"), (0, "")]);
    let error = machine.apply(|host| Ok(data(host).present()?)).unwrap_err().to_string();
    assert_eq!(error, "/etc/fstab is written, and systemd did not read it");
    let again = |host: &Host| {
        let outcome = data(host).present()?;
        crate::owed::pay(*host, &[])?;
        Ok(outcome)
    };
    assert_eq!(machine.apply(again).unwrap(), Outcome::Unchanged);
    assert_eq!(machine.apply(again).unwrap(), Outcome::Unchanged);
    assert_eq!(machine.calls()[1..], [RELOAD, RELOAD]);
}

#[test]
fn a_plan_cannot_know_a_device_that_comes_yet() {
    let machine = machine();
    machine.plan(|host| Ok(data(host).source("/dev/vdz1").present()?)).unwrap();
    assert_eq!(machine.said(), "? mount /srv/data present (cannot know: there is no /dev/vdz1 yet)");
}

#[test]
fn what_is_no_mount_is_refused() {
    let machine = machine().file(FSTAB, "a /srv/x ext4\nb /srv/x/ ext4\n");
    let check = |mount: for<'a> fn(&Host<'a>) -> Mount<Host<'a>>, expect: &str| {
        let error = machine.apply(|host| Ok(mount(host).present()?)).unwrap_err().to_string();
        assert!(error.starts_with(expect), "{error}");
    };
    check(|host| host.mount("srv").source("a").filesystem("b"), "nothing can be mounted at `srv`\nhint: ");
    check(|host| host.mount("/srv/../x").source("a").filesystem("b"), "nothing can be mounted at `/srv/../x`");
    check(|host| host.mount("/srv"), "the mount at /srv has no source\nhint: ");
    check(|host| host.mount("/srv").source("a"), "the mount at /srv has no filesystem\nhint: ");
    check(|host| data(host).source("-a"), "`-a` can't be the source of the mount at /srv/data");
    check(|host| data(host).options("a b"), "`a b` can't be the options of the mount at /srv/data");
    check(|host| data(host).options("a\nb"), "`a\\nb` can't be the options of the mount at /srv/data");
    check(|host| host.mount("/srv/x").source("a").filesystem("b"), "/etc/fstab has 2 lines for /srv/x");
}
