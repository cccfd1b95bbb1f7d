use std::io::Write as _;

use super::*;
use crate::Look as _;
use crate::machine::{Machine, changed};

/// An entry of an archive that is made here: its path, its kind in a letter of tar, and its content or where it leads.
type Item<'a> = (&'a str, char, &'a str);

const SHOP: [Item; 4] = [
    ("shop-1.2/", '5', ""),
    ("shop-1.2/bin/shop", '0', "#!/bin/sh\n"),
    ("shop-1.2/a", '0', "a"),
    ("shop-1.2/b", '2', "bin/shop"),
];

fn tar_of(items: &[Item]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (path, kind, content) in items {
        let mut header = tar::Header::new_gnu();
        let name = &mut header.as_old_mut().name;
        name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(tar::EntryType::new(u8::try_from(*kind).unwrap()));
        header.set_mode(0o755);
        header.set_mtime(1_000_000_000);
        let is_file = *kind == '0';
        if !is_file {
            header.set_link_name_literal(content).unwrap();
        }
        header.set_size(if is_file { content.len() as u64 } else { 0 });
        header.set_cksum();
        bytes.extend_from_slice(header.as_bytes());
        if is_file {
            bytes.extend_from_slice(content.as_bytes());
            bytes.resize(bytes.len().next_multiple_of(512), 0);
        }
    }
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

fn zip_of(items: &[Item]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().unix_permissions(0o755);
    for (path, kind, content) in items {
        match kind {
            '5' => zip.add_directory(*path, options).unwrap(),
            '2' => zip.add_symlink(*path, *content, options).unwrap(),
            _ => {
                zip.start_file(*path, options).unwrap();
                zip.write_all(content.as_bytes()).unwrap();
            }
        }
    }
    zip.finish().unwrap().into_inner()
}

/// A tar of one file `a` with `a\n` in it, packed with `xz`.
const XZ: &[u8] = include_bytes!("a.tar.xz");

fn machine(archive: &[u8]) -> Machine {
    let machine = Machine::new().dir("/opt").dir("/srv");
    files::write(machine.path("/opt/shop.tar"), archive, 0o644).unwrap();
    machine
}

fn unpack(machine: &Machine) -> anyhow::Result<Outcome> {
    machine.apply(|host| Ok(host.archive("/opt/shop.tar").strip_components(1).to("/srv/shop").present()?))
}

fn sum(bytes: &[u8]) -> Sha256 {
    Sha256::of(bytes)
}

/// What is in `/srv`, by the paths below it.
fn listing(machine: &Machine) -> Vec<String> {
    let root = format!("{}/", machine.path("/srv").display());
    machine.snapshot().into_keys().filter_map(|path| path.strip_prefix(&root).map(str::to_owned)).collect()
}

#[test]
fn an_archive_is_unpacked_once() {
    let archive = tar_of(&SHOP);
    let machine = machine(&archive);
    assert_eq!(
        unpack(&machine).unwrap(),
        changed(&format!("new, sha256 {}, 3 files, 11 bytes", sum(&archive).short()))
    );
    assert_eq!(listing(&machine), ["shop/.wildebeest-archive", "shop/a", "shop/b", "shop/bin/shop"]);
    assert_eq!(machine.read("/srv/shop/b").as_deref(), Some("#!/bin/sh\n"));
    let stat = machine.stat("/srv/shop/bin/shop").unwrap();
    assert_eq!((stat.mode, stat.modified.as_secs()), (0o755, 1_000_000_000));
    let before = machine.stat("/srv/shop");
    assert_eq!(unpack(&machine).unwrap(), Outcome::Unchanged);
    assert_eq!(machine.stat("/srv/shop"), before);
}

#[test]
fn all_formats_are_known_by_their_content() {
    let tar = tar_of(&SHOP);
    for archive in [gzip(&tar), bzip2(&tar), zstd(&tar), [gzip(&tar[..700]), gzip(&tar[700..])].concat(), zip_of(&SHOP)]
    {
        let machine = machine(&archive);
        unpack(&machine).unwrap();
        assert_eq!(listing(&machine), ["shop/.wildebeest-archive", "shop/a", "shop/b", "shop/bin/shop"]);
        assert_eq!(machine.read("/srv/shop/bin/shop").as_deref(), Some("#!/bin/sh\n"));
    }
    let several = [zstd(&tar[..700]), zstd(&tar[700..])].concat();
    unpack(&machine(&several)).unwrap();
}

#[test]
fn an_asset_is_unpacked_and_xz_is_read() {
    let machine = Machine::new().dir("/srv").with_me();
    let ensure = || machine.apply(|host| Ok(host.archive(XZ).to("/srv/a").owner("me").group("us").present()?));
    assert!(ensure().unwrap().changed());
    assert_eq!(machine.read("/srv/a/a").as_deref(), Some("a\n"));
    assert!(machine.said().starts_with("+ archive of the runner unpacked to /srv/a"), "{}", machine.said());
    assert_eq!(ensure().unwrap(), Outcome::Unchanged);
}

#[test]
fn another_archive_takes_the_place_of_the_old_one_as_a_whole() {
    let machine = machine(&tar_of(&SHOP));
    unpack(&machine).unwrap();
    let newer = tar_of(&[("shop-1.3/c", '0', "c")]);
    files::write(machine.path("/opt/shop.tar"), &newer, 0o644).unwrap();
    let expect = format!("sha256 {} -> {}, 1 file, 1 bytes", sum(&tar_of(&SHOP)).short(), sum(&newer).short());
    assert_eq!(unpack(&machine).unwrap(), changed(&expect));
    assert_eq!(listing(&machine), ["shop/.wildebeest-archive", "shop/c"]);
}

#[test]
fn what_the_owner_of_the_directory_made_of_the_marker_holds_nothing_up() {
    let machine = machine(&tar_of(&SHOP));
    unpack(&machine).unwrap();
    let marker = machine.path("/srv/shop/.wildebeest-archive");
    let text = files::read_text(&marker).unwrap();
    files::write(&marker, format!("{text}{}", "x".repeat(200_000)), 0o644).unwrap();
    assert!(unpack(&machine).unwrap().changed());
    assert_eq!(files::read_text(&marker).unwrap(), text);
    files::remove(&marker).unwrap();
    wb_core::system::Command::new("mkfifo").arg(&marker).read().unwrap();
    assert_eq!(unpack(&machine).unwrap_err().to_string(), format!("could not read {}", marker.display()));
}

#[test]
fn a_plan_says_what_is_in_it_and_unpacks_nothing() {
    let machine = machine(&tar_of(&SHOP));
    let before = machine.snapshot();
    let plan =
        || machine.plan(|host| Ok(host.archive("/opt/shop.tar").strip_components(1).to("/srv/shop").present()?));
    assert!(plan().unwrap().changed());
    assert!(machine.said().ends_with(", 3 files, 11 bytes"), "{}", machine.said());
    assert_eq!(machine.snapshot(), before);
    machine.plan(|host| Ok(host.archive("/opt/none.tar").to("/srv/none").present()?)).unwrap();
    let expect = "? archive /opt/none.tar unpacked to /srv/none (cannot know: there is no archive /opt/none.tar yet)";
    assert_eq!(machine.said(), expect);
}

#[test]
fn a_sum_is_held_and_makes_the_file_needless() {
    let archive = tar_of(&SHOP);
    let machine = machine(&archive);
    let ensure = |sum: String| {
        machine.apply(|host| {
            Ok(host.archive("/opt/shop.tar").sha256(&sum).strip_components(1).to("/srv/shop").present()?)
        })
    };
    let other = sum(b"").to_string();
    let expect = format!("the archive /opt/shop.tar has the sha256 {}, and {other} was expected", sum(&archive));
    assert_eq!(ensure(other).unwrap_err().to_string(), expect);
    assert!(ensure("abc".into()).unwrap_err().to_string().starts_with("`abc`, which the archive"));
    assert!(ensure(sum(&archive).to_string()).unwrap().changed());
    files::remove(machine.path("/opt/shop.tar")).unwrap();
    assert_eq!(ensure(sum(&archive).to_string()).unwrap(), Outcome::Unchanged);
    assert!(unpack(&machine).unwrap_err().to_string().starts_with("there is no archive /opt/shop.tar\nhint: "));
}

#[test]
fn what_leads_out_is_refused_before_anything_is_written() {
    let check = |items: &[Item], expect: &str| {
        let machine = machine(&tar_of(items)).file("/srv/kept", "kept");
        let before = machine.snapshot();
        let error = machine.apply(|host| Ok(host.archive("/opt/shop.tar").to("/srv/shop").present()?)).unwrap_err();
        let expect = format!("the archive /opt/shop.tar has {expect}; nothing of it was unpacked");
        assert_eq!(error.to_string(), expect);
        assert_eq!(machine.snapshot(), before);
    };
    let good = ("a", '0', "a");
    check(&[good, ("../kept", '0', "x")], "`../kept`, whose path leads through `..`");
    check(&[good, ("a/../../kept", '0', "x")], "`a/../../kept`, whose path leads through `..`");
    check(&[good, ("/etc/passwd", '0', "x")], "`/etc/passwd`, whose path is absolute");
    check(&[("l", '2', "/etc"), good], "`l`, a link that leads out of its directory, to `/etc`");
    check(&[("d/l", '2', "../../kept"), good], "`d/l`, a link that leads out of its directory, to `../../kept`");
    check(&[("d/l", '2', ".."), ("d/l/x", '0', "x")], "`d/l/x`, whose path leads through a link");
    check(&[good, ("h", '1', "/etc/passwd")], "`h`, whose path is absolute");
    check(&[good, ("tty", '3', "")], "`tty`, which is a device, a pipe, or of an unknown kind");
    check(&[good, ("pipe", '6', "")], "`pipe`, which is a device, a pipe, or of an unknown kind");
    check(&[good, (marker::NAME, '0', "")], "`.wildebeest-archive`, whose name can't be one here");
}

#[test]
fn a_zip_is_held_to_the_same() {
    let machine = machine(&zip_of(&[("a/l", '2', "../../x")]));
    assert!(unpack(&machine).unwrap_err().to_string().contains("a link that leads out of its directory, to `../../x`"));
    assert_eq!(listing(&machine), [] as [&str; 0]);
}

#[test]
fn second_names_are_unpacked() {
    let machine = machine(&tar_of(&[("p/a", '0', "a"), ("p/b", '1', "p/a")]));
    unpack(&machine).unwrap();
    assert_eq!(machine.read("/srv/shop/b").as_deref(), Some("a"));
}

#[test]
fn what_is_broken_leaves_the_old_tree() {
    let tar = gzip(&tar_of(&SHOP));
    let machine = machine(&tar);
    unpack(&machine).unwrap();
    let before = listing(&machine);
    let mut flipped = tar.clone();
    *flipped.last_mut().unwrap() ^= 1;
    for broken in [
        &tar[..tar.len() / 2],
        &flipped,
        b"PK\x03\x04 and no more",
        &[b"\x28\xb5\x2f\xfd".as_slice(), &[255; 40]].concat(),
        b"BZh9 and no more",
        b"\xfd7zXZ\0 and no more",
    ] {
        files::write(machine.path("/opt/shop.tar"), broken, 0o644).unwrap();
        assert_eq!(unpack(&machine).unwrap_err().to_string(), "the archive /opt/shop.tar is broken");
        assert_eq!(listing(&machine), before);
    }
    files::write(machine.path("/opt/shop.tar"), "<html>404</html>", 0o644).unwrap();
    assert!(unpack(&machine).unwrap_err().to_string().starts_with("the archive /opt/shop.tar is neither tar"));
}

/// An entry that says so much in its header, with that content.
fn entry_of(kind: char, say: impl FnOnce(&mut tar::Header), content: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.as_old_mut().name[..3].copy_from_slice(b"p/a");
    header.set_entry_type(tar::EntryType::new(u8::try_from(kind).unwrap()));
    header.set_mode(0o644);
    header.set_size(content.len() as u64);
    header.set_mtime(0);
    say(&mut header);
    header.set_cksum();
    let mut bytes = [header.as_bytes(), content].concat();
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

#[test]
fn a_time_before_1970_is_none() {
    // As GNU's tar writes -1.
    let old = |header: &mut tar::Header| header.as_old_mut().mtime = [0xff; 12];
    let machine = machine(&[entry_of('0', old, b"x"), vec![0; 1024]].concat());
    assert!(unpack(&machine).unwrap().changed());
    assert!(machine.stat("/srv/shop/a").unwrap().modified.as_secs() > 1_000_000_000);
}

#[test]
fn what_means_more_than_any_disk_has_is_not_read() {
    let hole = |header: &mut tar::Header| {
        let gnu = header.as_gnu_mut().unwrap();
        gnu.sparse[0].set_offset(1 << 62);
        gnu.sparse[0].set_length(0);
        gnu.set_real_size(1 << 62);
    };
    let bomb = gzip(&[entry_of('S', hole, b""), tar_of(&SHOP)].concat());
    for strip in [0, 2] {
        let machine = machine(&bomb);
        let present =
            |host: &Host| Ok(host.archive("/opt/shop.tar").strip_components(strip).to("/srv/shop").present()?);
        let error = machine.apply(present).unwrap_err().to_string();
        let expect = format!("there is no room for /srv/shop: at least {} bytes are needed, ", (1_u64 << 62) + 4096);
        assert!(error.starts_with(&expect), "{error}");
        assert_eq!(listing(&machine), [] as [&str; 0]);
        machine.plan(present).unwrap();
        assert!(machine.said().ends_with("(cannot know: there is no room for it yet)"), "{}", machine.said());
    }
}

#[test]
fn what_is_said_of_an_entry_is_not_kept_without_end() {
    let check = |archive: &[u8], why: &str| {
        let machine = machine(archive);
        let error = unpack(&machine).unwrap_err();
        assert_eq!(format!("{error:#}"), format!("the archive /opt/shop.tar is broken: {why}"));
    };
    let long = vec![b'a'; 2 << 20];
    let said = "it says more than 1 MiB of one entry";
    for kind in ['L', 'K', 'x'] {
        check(&gzip(&[entry_of(kind, |_| {}, &long), tar_of(&SHOP)].concat()), said);
    }
    let holes = |header: &mut tar::Header| header.as_gnu_mut().unwrap().isextended = [1];
    let mut more = vec![0; 512];
    more[504] = 1;
    check(&gzip(&[entry_of('S', holes, b""), more.repeat(3000)].concat()), said);
    // What is only left out may be as long as it likes.
    let machine = machine(&gzip(&[entry_of('g', |_| {}, &long), tar_of(&SHOP)].concat()));
    assert!(unpack(&machine).unwrap().changed());
}

#[test]
fn a_zip_has_no_more_than_it_says() {
    let mut zip = zip_of(&[("p/a", '0', "longer than a byte")]);
    let directory = zip.windows(4).position(|bytes| bytes == b"PK\x01\x02").unwrap();
    zip[directory + 24..directory + 28].copy_from_slice(&1_u32.to_le_bytes());
    let error = unpack(&machine(&zip)).unwrap_err().to_string();
    assert_eq!(error, "the archive /opt/shop.tar is broken");
}

#[test]
fn what_is_contrary_leaves_the_old_tree() {
    let machine = machine(&tar_of(&SHOP));
    unpack(&machine).unwrap();
    let before = listing(&machine);
    for items in [
        [("p/a/b", '0', "x"), ("p/a", '2', "b")],
        [("p/a", '0', "x"), ("p/a/b", '0', "x")],
        [("p/a", '0', "x"), ("p/b", '1', "p/none")],
    ] {
        files::write(machine.path("/opt/shop.tar"), tar_of(&items), 0o644).unwrap();
        unpack(&machine).unwrap_err();
        assert_eq!(listing(&machine), before);
    }
}

#[test]
fn nothing_to_unpack_is_a_mistake() {
    let machine = machine(&tar_of(&[("shop", '0', "x")]));
    let expect = "the archive /opt/shop.tar has nothing to unpack\nhint: `.strip_components(…)` leaves nothing of it";
    assert_eq!(unpack(&machine).unwrap_err().to_string(), expect);
}

#[test]
fn a_directory_of_somebody_else_stays() {
    let machine = machine(&tar_of(&SHOP)).file("/srv/shop/upload", "kept");
    let error = unpack(&machine).unwrap_err().to_string();
    assert!(error.starts_with("/srv/shop is there, and no archive was unpacked to it\nhint: "), "{error}");
    assert!(machine.apply(|host| Ok(host.archive("/opt/shop.tar").to("/srv/shop").absent()?)).is_err());
    assert_eq!(listing(&machine), ["shop/upload"]);
    let root = machine.apply(|host| Ok(host.archive("/opt/shop.tar").to("/").present()?));
    assert!(root.is_err());
}

#[test]
fn what_is_mounted_in_it_stays() {
    let machine = machine(&tar_of(&SHOP));
    unpack(&machine).unwrap();
    let machine = machine
        .file("/srv/shop/uploads/kept", "x")
        .file("/proc/self/mountinfo", "36 35 0:50 / /srv/shop/uploads rw - nfs nas:/uploads rw\n");
    let newer = tar_of(&[("shop-1.3/c", '0', "c")]);
    files::write(machine.path("/opt/shop.tar"), &newer, 0o644).unwrap();
    let before = machine.snapshot();
    let newer = |host: &Host| Ok(host.archive("/opt/shop.tar").strip_components(1).to("/srv/shop").present()?);
    let absent = |host: &Host| Ok(host.archive("/opt/shop.tar").to("/srv/shop").absent()?);
    for error in [machine.plan(newer), machine.apply(newer), machine.plan(absent), machine.apply(absent)] {
        let error = error.unwrap_err().to_string();
        let expect = "/srv/shop is to go, and a file system is mounted at /srv/shop/uploads\nhint: ";
        assert!(error.starts_with(expect), "{error}");
    }
    assert_eq!(machine.snapshot(), before);
}

#[test]
fn an_empty_directory_is_taken() {
    let machine = machine(&tar_of(&SHOP)).dir("/srv/shop");
    assert!(unpack(&machine).unwrap().changed());
}

#[test]
fn the_directory_keeps_its_mode_its_owner_and_its_lists() {
    let machine = machine(&tar_of(&SHOP)).dir("/srv/shop");
    let rights = |host: &Host| Ok(host.directory("/srv/shop").acl("default:group:33:r-x").present()?);
    // Not every file system has lists, and only root may give files away.
    let has_lists = machine.apply(rights).is_ok();
    let owner = files::set_owner(machine.path("/srv/shop"), Some(7), Some(8)).map_or(None, |()| Some((7, 8)));
    files::set_mode(machine.path("/srv/shop"), 0o2750).unwrap();
    for items in [&SHOP[..], &[("shop-1.3/c", '0', "c")]] {
        files::write(machine.path("/opt/shop.tar"), tar_of(items), 0o644).unwrap();
        assert!(unpack(&machine).unwrap().changed());
        let stat = machine.stat("/srv/shop").unwrap();
        assert_eq!((stat.mode, owner.unwrap_or((stat.uid, stat.gid))), (0o2750, (stat.uid, stat.gid)));
        let list = machine.view(|host| host.file("/srv/shop").has_acl("default:group:33:r-x"));
        assert_eq!(list.is_ok(), has_lists);
    }
}

#[test]
fn what_a_run_left_that_was_killed_goes() {
    let machine = machine(&tar_of(&SHOP)).file("/srv/.shop.unpacking/half", "x");
    unpack(&machine).unwrap();
    let expect = listing(&machine);
    let machine = machine.file("/srv/.shop.unpacking/old", "x");
    assert_eq!(unpack(&machine).unwrap(), Outcome::Unchanged);
    assert_eq!(listing(&machine), expect);
}

#[test]
fn it_can_be_absent() {
    let machine = machine(&tar_of(&SHOP));
    unpack(&machine).unwrap();
    let absent = || machine.apply(|host| Ok(host.archive("/opt/shop.tar").to("/srv/shop").absent()?));
    assert!(absent().unwrap().changed());
    assert_eq!(listing(&machine), [] as [&str; 0]);
    assert_eq!(absent().unwrap(), Outcome::Unchanged);
    // A kill on the way leaves it under another name.
    let machine = machine.file("/srv/.shop.unpacking/a", "a");
    assert_eq!(
        machine.apply(|host| Ok(host.archive("/opt/shop.tar").to("/srv/shop").absent()?)).unwrap(),
        Outcome::Unchanged
    );
    assert_eq!(listing(&machine), [] as [&str; 0]);
}
