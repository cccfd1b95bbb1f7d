use wb_core::system::files;

use super::*;
use crate::machine::{Machine, changed};

const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\nanna:x:2001:2001:Anna:/home/anna:/bin/bash\n";
const GROUP: &str = "root:x:0:\nsudo:x:27:\nadm:x:4:anna\nanna:x:2001:\n";
const SHADOW: &str = "root:*:19701:0:99999:7:::\nanna:!:20786:0:99999:7:::\n";
const HASH: &str = "$6$saltsalt$cPbDmdp7sUA1v8Yjfppi8VeFqwELnkKCqsv5H2wx/S4LZwLhIhlK7tCX/4JqgCT3onV3./FXCDD2Y6iXkj4Lp/";

/// A host with the user anna, whose home is there.
fn machine() -> Machine {
    Machine::new()
        .file("/etc/passwd", PASSWD)
        .file("/etc/group", GROUP)
        .file("/etc/shadow", SHADOW)
        .file("/bin/zsh", "")
        .dir("/home/anna")
        .answer("getent", 2, "")
}

/// A program that leaves a file of `/etc` like this.
fn writes(machine: Machine, start: &str, file: &'static str, content: impl Into<String>) -> Machine {
    let content = content.into();
    machine.does(start, move |root, _| files::write(root.join("etc").join(file), &content, 0o644).unwrap())
}

/// A useradd that makes bob, who has the numbers of whoever runs the tests.
fn adds_bob(machine: Machine) -> Machine {
    let me = machine.stat("/").unwrap();
    let line = format!("bob:x:{}:{}::/home/bob:/bin/sh\n", me.uid, me.gid);
    let group = format!("bob:x:{}:\n", me.gid);
    let machine = writes(machine, "useradd", "passwd", line);
    let machine = writes(machine, "useradd", "group", group);
    writes(machine, "useradd", "shadow", "bob:!:20786:0:99999:7:::\n")
}

fn acts(machine: &Machine) -> Vec<String> {
    machine.calls().into_iter().filter(|line| !line.starts_with("getent")).collect()
}

#[test]
fn a_user_who_is_as_wanted_costs_no_program() {
    let machine = machine();
    let ensure = |host: &Host| {
        let anna = host.user("anna").uid(2001).group("anna").groups(["adm"]).home("/home/anna");
        Ok(anna.shell("/bin/bash").comment("Anna").locked().never_expires().present()?)
    };
    assert_eq!(machine.apply(ensure).unwrap(), Outcome::Unchanged);
    assert_eq!(machine.plan(ensure).unwrap(), Outcome::Unchanged);
    assert_eq!(machine.apply(|host| Ok(host.user("bob").absent()?)).unwrap(), Outcome::Unchanged);
    assert_eq!(machine.calls(), [""; 0]);
}

#[test]
fn passwords_are_not_read_when_nobody_asks_for_them() {
    let machine = machine();
    files::remove(machine.path("/etc/shadow")).unwrap();
    let outcome = machine.dir("/etc/shadow").apply(|host| Ok(host.user("anna").shell("/bin/bash").present()?));
    assert_eq!(outcome.unwrap(), Outcome::Unchanged);
}

#[test]
fn a_new_user_gets_a_password_and_a_home() {
    let machine = adds_bob(machine()).file("/etc/skel/.profile", "umask 022\n").file("/etc/skel/bin/hello", "");
    let machine = machine.file("/etc/login.defs", "HOME_MODE 0750\n");
    let machine = writes(machine, "chpasswd", "shadow", format!("bob:{HASH}:20786:0:99999:7:::\n"));
    let ensure = |host: &Host| Ok(host.user("bob").password_hash(HASH).with_home().present()?);
    let expect = changed("new\na password, which is not shown");
    let before = machine.snapshot();
    assert_eq!(machine.plan(ensure).unwrap(), expect);
    assert_eq!((machine.snapshot() == before, acts(&machine)), (true, vec![]));
    assert_eq!(machine.apply(ensure).unwrap(), expect);
    assert_eq!(machine.inputs(), [format!("bob:{HASH}\n")]);
    assert!(machine.calls().iter().all(|line| !line.contains("saltsalt")), "{:?}", machine.calls());
    assert_eq!(machine.read("/home/bob/.profile").as_deref(), Some("umask 022\n"));
    assert_eq!(machine.read("/home/bob/bin/hello").as_deref(), Some(""));
    assert_eq!(machine.stat("/home/bob").unwrap().mode, 0o750);
    assert_eq!(machine.stat("/home/.bob.new"), None);
    assert_eq!(machine.apply(ensure).unwrap(), Outcome::Unchanged);
}

#[test]
fn a_new_user_costs_one_program_where_there_are_no_other_sources() {
    let machine = adds_bob(machine().file("/etc/nsswitch.conf", "passwd: files\ngroup: files\n"));
    machine.apply(|host| Ok(host.user("bob").without_home().present()?)).unwrap();
    assert_eq!(machine.calls(), ["useradd -M -- bob"]);
}

#[test]
fn a_home_that_was_cut_short_is_made_anew() {
    let machine = adds_bob(machine()).file("/home/.bob.new/half", "").file("/etc/skel/.profile", "x");
    let ensure = |host: &Host| Ok(host.user("bob").with_home().present()?);
    assert_eq!(machine.apply(ensure).unwrap(), changed("new"));
    assert_eq!(machine.read("/home/bob/.profile").as_deref(), Some("x"));
    assert_eq!((machine.stat("/home/bob/half"), machine.stat("/home/.bob.new")), (None, None));
}

#[test]
fn a_home_that_is_there_stays_as_it_is() {
    let machine = adds_bob(machine()).file("/home/bob/own", "kept").file("/etc/skel/.profile", "x");
    assert!(machine.apply(|host| Ok(host.user("bob").with_home().present()?)).unwrap().changed());
    assert_eq!((machine.read("/home/bob/own").as_deref(), machine.stat("/home/bob/.profile")), (Some("kept"), None));
}

#[test]
fn what_a_useradd_that_was_cut_short_left_is_finished() {
    let me = Machine::new().stat("/").unwrap();
    let line = format!("bob:x:{}:{}::/home/bob:/bin/sh\n", me.uid, me.gid);
    let machine = machine().file("/etc/passwd", &line).file("/etc/group", "");
    let machine = writes(machine, "groupadd", "group", format!("bob:x:{}:\n", me.gid));
    let machine = writes(machine, "chpasswd", "shadow", "bob:!:20786:0:99999:7:::\n");
    let ensure = |host: &Host| Ok(host.user("bob").with_home().present()?);
    let expect = format!("no group {}\nno line in /etc/shadow\nno home /home/bob", me.gid);
    assert_eq!(machine.apply(ensure).unwrap(), changed(&expect));
    assert_eq!(acts(&machine), [format!("groupadd -g {} -- bob", me.gid), "chpasswd -e".into()]);
    assert_eq!(machine.inputs(), ["bob:!\n"]);
    assert_eq!(machine.apply(ensure).unwrap(), Outcome::Unchanged);
}

#[test]
fn one_usermod_changes_what_differs() {
    let line = "anna:x:2001:2001:Anna:/home/anna:/bin/zsh\n";
    let machine = writes(machine(), "usermod", "passwd", line);
    let machine = writes(machine, "usermod", "group", "sudo:x:27:anna\nadm:x:4:anna\nanna:x:2001:\n");
    let ensure = |host: &Host| Ok(host.user("anna").shell("/bin/zsh").groups(["sudo"]).present()?);
    let expect = changed("groups +sudo\nshell /bin/bash -> /bin/zsh");
    assert_eq!(machine.plan(ensure).unwrap(), expect);
    assert_eq!(machine.apply(ensure).unwrap(), expect);
    assert_eq!(acts(&machine), ["usermod -aG sudo -s /bin/zsh -- anna"]);
    assert_eq!(machine.apply(ensure).unwrap(), Outcome::Unchanged);
}

#[test]
fn a_lock_is_set_and_taken_away() {
    let open = format!("anna:{HASH}:20786:0:99999:7:::\n");
    let locked = format!("anna:!{HASH}:20786:0:99999:7:::\n");
    let machine = writes(machine().file("/etc/shadow", &open), "usermod -L", "shadow", locked);
    let machine = writes(machine, "usermod -U", "shadow", open);
    assert_eq!(machine.apply(|host| Ok(host.user("anna").locked().present()?)).unwrap(), changed("password locked"));
    machine.view(|host| host.user("anna").is_locked()).unwrap();
    let outcome = machine.apply(|host| Ok(host.user("anna").unlocked().present()?)).unwrap();
    assert_eq!(outcome, changed("password unlocked"));
    assert!(machine.view(|host| host.user("anna").is_locked()).is_err());
    assert_eq!(acts(&machine), ["usermod -L -- anna", "usermod -U -- anna"]);
}

#[test]
fn without_a_password_there_is_nothing_to_unlock() {
    let machine = machine();
    let check = |name: &'static str| {
        let error = machine.apply(move |host| Ok(host.user(name).unlocked().present()?)).unwrap_err().to_string();
        assert!(error.starts_with(&format!("the user `{name}` has no password that could be unlocked")), "{error}");
    };
    check("anna");
    check("bob");
    assert_eq!(acts(&machine), [""; 0]);
}

#[test]
fn a_plain_password_is_refused_and_shown_nowhere() {
    let machine = machine();
    let error = machine.apply(|host| Ok(host.user("anna").password_hash("swordfish").present()?)).unwrap_err();
    assert!(error.to_string().starts_with("what the user `anna` is to have as the hash"), "{error}");
    assert!(!format!("{error:?}").contains("swordfish"));
}

#[test]
fn what_is_missing_is_an_error_and_unknown_in_a_plan() {
    let machine = machine();
    let check = |ensure: fn(&Host) -> Result<Outcome, AccountError>, expect: &str| {
        let error = machine.apply(|host| Ok(ensure(host)?)).unwrap_err().to_string();
        assert_eq!(error.lines().next(), Some(expect));
        assert!(error.lines().nth(1).is_some_and(|line| line.starts_with("hint: ")), "{error}");
        machine.plan(|host| Ok(ensure(host)?)).unwrap();
        assert!(machine.said().ends_with(&format!("(cannot know: {expect})")), "{}", machine.said());
    };
    check(|host| host.user("anna").groups(["adm", "shop"]).present(), "there is no group `shop` for the user `anna`");
    check(|host| host.user("bob").group("shop").present(), "there is no group `shop` for the user `bob`");
    check(|host| host.user("bob").group("3000").present(), "there is no group `3000` for the user `bob`");
    check(|host| host.user("anna").shell("/bin/fish").present(), "there is no shell /bin/fish for the user `anna`");
    let taken = "the user `bob` is to have the number 2001, which is taken by `anna`";
    check(|host| host.user("bob").uid(2001).present(), taken);
    assert_eq!(acts(&machine), [""; 0]);
}

#[test]
fn a_plan_knows_what_it_would_make_before() {
    let machine = machine();
    let outcome = machine.plan(|host| {
        host.group("shop").present()?;
        host.user("anna").absent()?;
        Ok(host.user("bob").uid(2001).group("shop").present()?)
    });
    assert_eq!(outcome.unwrap(), changed("new\nuid 2001\ngroup shop"));
}

#[test]
fn a_user_of_another_source_is_respected() {
    let machine = machine().answer("getent passwd -- dora", 0, "dora:*:5001:5001::/home/dora:/bin/sh\n");
    let present = machine.apply(|host| Ok(host.user("dora").shell("/bin/sh").present()?)).unwrap();
    assert_eq!(present, Outcome::Unchanged);
    let error = machine.apply(|host| Ok(host.user("dora").shell("/bin/zsh").present()?)).unwrap_err().to_string();
    let expect =
        "the user `dora` comes from elsewhere (LDAP, say), so this can't be changed here: shell /bin/sh -> /bin/zsh";
    assert_eq!(error.lines().next(), Some(expect));
    let error = machine.apply(|host| Ok(host.user("dora").password_hash(HASH).present()?)).unwrap_err().to_string();
    assert!(error.contains("comes from elsewhere"), "{error}");
    assert_eq!(machine.apply(|host| Ok(host.user("dora").absent()?)).unwrap(), Outcome::Unchanged);
    assert_eq!(acts(&machine), [""; 0]);
}

#[test]
fn a_user_in_use_can_not_be_changed_in_every_way() {
    let said = "usermod: user anna is currently used by process 20383";
    let machine = machine().complains("usermod", &[(8, said)]);
    let error = machine.apply(|host| Ok(host.user("anna").uid(2009).present()?)).unwrap_err().to_string();
    assert!(error.starts_with(&format!("the user `anna` is in use: {said}\nhint: ")), "{error}");
}

#[test]
fn what_a_program_said_stands_in_the_error() {
    let machine = machine().complains("useradd", &[(1, "useradd: cannot open /etc/passwd")]);
    let error = machine.apply(|host| Ok(host.user("bob").present()?)).unwrap_err();
    let expect =
        "could not add the user `bob`: `useradd -M -- bob` ended with exit code 1: useradd: cannot open /etc/passwd";
    assert_eq!(format!("{error:#}"), expect);
}

#[test]
fn a_useradd_that_outlived_its_run_may_have_been_quicker() {
    let machine = adds_bob(machine()).dir("/home/bob");
    let machine = machine.complains("useradd", &[(9, "useradd: user 'bob' already exists")]);
    assert_eq!(machine.apply(|host| Ok(host.user("bob").present()?)).unwrap(), changed("new"));
}

#[test]
fn what_a_program_did_not_do_is_an_error() {
    let machine = machine().answer("usermod", 0, "").answer("useradd", 0, "").answer("userdel", 0, "");
    let check = |ensure: fn(&Host) -> Result<Outcome, AccountError>, left: &str| {
        let error = machine.apply(|host| Ok(ensure(host)?)).unwrap_err().to_string();
        assert!(
            error.ends_with(&format!("is not as wanted, though all that was to change it ended well: {left}")),
            "{error}"
        );
    };
    check(|host| host.user("anna").uid(2009).present(), "uid 2001 -> 2009");
    check(|host| host.user("bob").present(), "new");
    check(|host| host.user("anna").absent(), "it is still there");
}

#[test]
fn a_user_goes_and_the_home_stays() {
    let machine = writes(machine(), "userdel", "passwd", "root:x:0:0:root:/root:/bin/bash\n");
    let ensure = |host: &Host| Ok(host.user("anna").absent()?);
    assert_eq!(machine.plan(ensure).unwrap(), changed("- anna, uid 2001"));
    assert_eq!(machine.apply(ensure).unwrap(), changed("- anna, uid 2001"));
    assert_eq!(acts(&machine), ["userdel -- anna"]);
    assert!(machine.stat("/home/anna").is_some());
    assert_eq!(machine.apply(ensure).unwrap(), Outcome::Unchanged);
}

/// A host with the user bob, who has the numbers of whoever runs the tests, so that the home is his.
fn with_bob() -> Machine {
    let machine = Machine::new().file("/home/bob/a", "").file("/var/mail/bob", "").answer("getent", 2, "");
    let me = machine.stat("/").unwrap();
    let machine = machine.file("/etc/passwd", &format!("bob:x:{}:{}::/home/bob:/bin/sh\n", me.uid, me.gid));
    writes(machine, "userdel", "passwd", "")
}

#[test]
fn a_user_goes_with_home_and_mail() {
    let machine = with_bob();
    let ensure = |host: &Host| Ok(host.user("bob").absent_with_home()?);
    let uid = machine.stat("/").unwrap().uid;
    assert_eq!(machine.plan(ensure).unwrap(), changed(&format!("- bob, uid {uid}\n- /home/bob")));
    assert!(machine.stat("/home/bob/a").is_some());
    assert!(machine.apply(ensure).unwrap().changed());
    assert_eq!((machine.stat("/home/bob"), machine.stat("/var/mail/bob")), (None, None));
    assert!(machine.stat("/home").is_some());
    assert_eq!(machine.apply(ensure).unwrap(), Outcome::Unchanged);
}

#[test]
fn the_home_of_a_user_in_use_stays() {
    let machine = with_bob();
    let status = format!("Name:\tsleep\nUid:\t{}\t0\t0\t0\n", machine.stat("/").unwrap().uid);
    let machine = machine.file("/proc/12/status", &status);
    let error = machine.apply(|host| Ok(host.user("bob").absent_with_home()?)).unwrap_err().to_string();
    assert!(error.starts_with("the user `bob` is in use: process 12 (sleep) is theirs\nhint: "), "{error}");
    assert!(machine.stat("/home/bob/a").is_some());
    assert_eq!(acts(&machine), [""; 0]);
}

#[test]
fn a_home_that_others_need_is_not_removed() {
    let machine = with_bob();
    let passwd = machine.read("/etc/passwd").unwrap() + "carl:x:2003:2003::/home/bob/carl:/bin/sh\n";
    let machine = machine.file("/etc/passwd", &passwd);
    let error = machine.apply(|host| Ok(host.user("bob").absent_with_home()?)).unwrap_err().to_string();
    let expect = "the home /home/bob of the user `bob` is not removed: the user `carl` has a home there, too";
    assert_eq!(error.lines().next(), Some(expect));
    let uid = machine.stat("/").unwrap().uid + 1;
    let machine = machine.file("/etc/passwd", &format!("bob:x:{uid}:1::/home/bob:/bin/sh\n"));
    let error = machine.apply(|host| Ok(host.user("bob").absent_with_home()?)).unwrap_err().to_string();
    assert!(error.contains("it is no directory that belongs to them"), "{error}");
    assert!(machine.stat("/home/bob/a").is_some());
}

#[test]
fn a_home_in_which_something_is_mounted_is_not_removed() {
    let check = |home: &str| {
        let machine = with_bob().file("/proc/self/mountinfo", "36 35 98:0 / /home/bob/nas rw - nfs nas:/bob rw\n");
        files::link("home", machine.path("/people")).unwrap();
        let passwd = machine.read("/etc/passwd").unwrap().replace("/home/bob", home);
        let machine = machine.file("/etc/passwd", &passwd);
        let absent = |host: &Host| Ok(host.user("bob").absent_with_home()?);
        for error in [machine.plan(absent).unwrap_err(), machine.apply(absent).unwrap_err()] {
            let expect =
                format!("the home {home} of the user `bob` is not removed: a file system is mounted at /home/bob/nas");
            assert_eq!(error.to_string().lines().next(), Some(expect.as_str()));
        }
        assert!(machine.stat("/home/bob/a").is_some());
        assert_eq!(acts(&machine), [""; 0]);
    };
    check("/home/bob");
    check("/people/bob");
}

#[test]
fn names_that_are_none_are_refused_before_anything_runs() {
    let machine = machine();
    for name in ["", "-r", "a:b", "a/b", "an na", "anna\n", "42", "../anna"] {
        let error = machine.apply(move |host| Ok(host.user(name).present()?)).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{name:?} is no name of a user\nhint: ")), "{error}");
        assert!(machine.apply(move |host| Ok(host.user(name).absent_with_home()?)).is_err());
    }
    assert_eq!(machine.calls(), [""; 0]);
}

#[test]
fn specs_say_what_they_found() {
    let machine = machine();
    machine.view(|host| host.user("anna").exists()).unwrap();
    machine.view(|host| host.user("anna").is_in("adm")).unwrap();
    machine.view(|host| host.user("anna").is_in("anna")).unwrap();
    machine.view(|host| host.user("anna").has_shell("/bin/bash")).unwrap();
    machine.view(|host| host.user("anna").has_home("/home/anna")).unwrap();
    machine.view(|host| host.user("anna").has_uid(2001)).unwrap();
    machine.view(|host| host.user("bob").is_absent()).unwrap();
    let error = |look: fn(&crate::View) -> Result<()>| machine.view(look).unwrap_err().to_string();
    assert_eq!(error(|host| host.user("bob").exists()), "expected the user `bob`, found nobody of that name");
    assert_eq!(error(|host| host.user("anna").is_absent()), "expected no user `anna`, found one");
    assert_eq!(
        error(|host| host.user("anna").is_in("sudo")),
        "expected the user `anna` to be in the group `sudo`, found adm, anna"
    );
    assert_eq!(
        error(|host| host.user("root").is_locked()),
        "expected the password of `root` to be locked, found it without a lock"
    );
    assert_eq!(
        error(|host| host.user("bob").is_locked()),
        "expected the password of `bob` to be locked, found nobody of that name in /etc/shadow"
    );
    assert_eq!(error(|host| host.user("anna").is_in("shop")), "expected the group `shop`, found none of that name");
    assert_eq!(
        error(|host| host.user("anna").has_shell("/bin/zsh")),
        "expected the user `anna` to have the shell /bin/zsh, found /bin/bash"
    );
    assert_eq!(error(|host| host.user("root").has_home("/root")), "expected the home /root, found nothing there");
}

/// Alpine without its package `shadow`.
fn alpine() -> Machine {
    machine().file("/usr/sbin/adduser", "").file("/usr/sbin/addgroup", "")
}

#[test]
fn busybox_makes_a_user_with_groups_and_a_password() {
    let me = Machine::new().stat("/").unwrap();
    let line = format!("bob:x:{}:{}::/home/bob:/bin/ash\n", me.uid, me.gid);
    let machine = writes(alpine(), "adduser", "passwd", line);
    let machine = writes(machine, "adduser", "group", format!("adm:x:4:anna\nbob:x:{}:\n", me.gid));
    let machine = writes(machine, "adduser", "shadow", "bob:!:20786:0:99999:7:::\n");
    let machine = writes(machine, "addgroup", "group", format!("adm:x:4:anna,bob\nbob:x:{}:\n", me.gid));
    let machine = writes(machine, "chpasswd", "shadow", format!("bob:{HASH}:20786:0:99999:7:::\n"));
    let ensure = |host: &Host| Ok(host.user("bob").groups(["adm"]).password_hash(HASH).with_home().present()?);
    let expect = changed("new\ngroups adm\na password, which is not shown");
    assert_eq!(machine.plan(ensure).unwrap(), expect);
    assert_eq!(acts(&machine), [""; 0]);
    assert_eq!(machine.apply(ensure).unwrap(), expect);
    assert_eq!(acts(&machine), ["adduser -D -H -- bob", "addgroup -- bob adm", "chpasswd -e"]);
    assert_eq!(machine.inputs(), [format!("bob:{HASH}\n")]);
    assert!(machine.stat("/home/bob").is_some());
    assert_eq!(machine.apply(ensure).unwrap(), Outcome::Unchanged);
}

#[test]
fn a_user_of_the_system_gets_a_group_of_its_own_from_busybox() {
    let machine = writes(alpine(), "adduser", "passwd", "shop:x:101:101:Shop:/srv/shop:/sbin/nologin\n");
    let machine = writes(machine, "addgroup -S", "group", "shop:x:101:\n");
    let ensure = |host: &Host| Ok(host.user("shop").system().home("/srv/shop").present()?);
    assert_eq!(machine.apply(ensure).unwrap(), changed("new\nhome /srv/shop"));
    assert_eq!(acts(&machine), ["addgroup -S -- shop", "adduser -D -H -S -G shop -h /srv/shop -- shop"]);
    assert_eq!(machine.apply(ensure).unwrap(), Outcome::Unchanged);
}

#[test]
fn a_group_by_its_number_is_named_to_busybox() {
    let machine = writes(alpine(), "adduser", "passwd", "bob:x:2009:27::/home/bob:/bin/sh\n");
    let machine = writes(machine, "adduser", "group", "sudo:x:27:bob\n").dir("/home/bob");
    assert_eq!(machine.apply(|host| Ok(host.user("bob").group("27").present()?)).unwrap(), changed("new\ngroup 27"));
    assert_eq!(acts(&machine), ["adduser -D -H -G sudo -- bob"]);
}

#[test]
fn what_an_adduser_that_was_cut_short_left_is_finished_and_no_hash_gets_into_passwd() {
    let passwd = format!("{PASSWD}bob:x:2009:2009::/home/bob:/bin/sh\n");
    let machine = alpine().file("/etc/passwd", &passwd).dir("/home/bob");
    let machine = writes(machine, "addgroup -g 2009", "group", format!("{GROUP}bob:x:2009:\n"));
    let machine = machine.does("chpasswd", |root, command| {
        let shadow = files::read_text(root.join("etc/shadow")).unwrap();
        let (name, hash) = std::str::from_utf8(command.input()).unwrap().trim_end().split_once(':').unwrap();
        let line = shadow.lines().find(|line| line.starts_with(&format!("{name}:"))).expect("the line is there before");
        assert!(line.ends_with(":0:99999:7:::"), "{line}");
        let shadow = shadow.replace(&format!("{name}:!:"), &format!("{name}:{hash}:"));
        files::write(root.join("etc/shadow"), shadow, 0o640).unwrap();
    });
    let ensure = |host: &Host| Ok(host.user("bob").password_hash(HASH).present()?);
    let outcome = machine.apply(ensure).unwrap();
    assert_eq!(outcome, changed("no group 2009\npassword differs; it is not shown"));
    assert_eq!(acts(&machine), ["addgroup -g 2009 -- bob", "chpasswd -e"]);
    assert!(machine.read("/etc/shadow").unwrap().starts_with(SHADOW));
    assert_eq!(machine.apply(ensure).unwrap(), Outcome::Unchanged);
}

#[test]
fn busybox_locks_a_password() {
    let open = format!("anna:{HASH}:20786:0:99999:7:::\n");
    let machine = writes(alpine().file("/etc/shadow", &open), "passwd -l", "shadow", open.replace("$6$", "!$6$"));
    assert_eq!(machine.apply(|host| Ok(host.user("anna").locked().present()?)).unwrap(), changed("password locked"));
    assert_eq!(acts(&machine), ["passwd -l -- anna"]);
}

#[test]
fn what_busybox_has_no_program_for_is_an_error_and_unknown_in_a_plan() {
    let machine = alpine();
    let check = |ensure: fn(&Host) -> Result<Outcome, AccountError>, expect: &str| {
        let error = machine.apply(|host| Ok(ensure(host)?)).unwrap_err().to_string();
        assert_eq!(error.lines().next(), Some(expect));
        assert!(error.contains("\nhint: the package `shadow` has one"), "{error}");
        machine.plan(|host| Ok(ensure(host)?)).unwrap();
        assert!(machine.said().ends_with(&format!("(cannot know: {expect})")), "{}", machine.said());
    };
    let of = |name: &str| format!("BusyBox has no program that could change this of the user `{name}`: ");
    let shell = "shell /bin/bash -> /bin/zsh";
    check(|host| host.user("anna").shell("/bin/zsh").locked().present(), &(of("anna") + shell));
    check(|host| host.user("bob").expires("2027-01-31").present(), &(of("bob") + "expires 2027-01-31"));
    assert_eq!(acts(&machine), [""; 0]);
}

#[test]
fn busybox_takes_a_user_out_of_all_groups_and_away() {
    let machine = writes(alpine(), "deluser", "passwd", "root:x:0:0:root:/root:/bin/bash\n");
    let machine = writes(machine, "delgroup", "group", "root:x:0:\nadm:x:4:\n");
    let ensure = |host: &Host| Ok(host.user("anna").absent()?);
    assert_eq!(machine.plan(ensure).unwrap(), changed("- anna, uid 2001"));
    assert_eq!(machine.apply(ensure).unwrap(), changed("- anna, uid 2001"));
    assert_eq!(acts(&machine), ["delgroup anna adm", "deluser anna"]);
    assert_eq!(machine.apply(ensure).unwrap(), Outcome::Unchanged);
}

#[test]
fn busybox_does_not_remove_a_user_in_use() {
    let status = "Name:\tsleep\nUid:\t2001\t0\t0\t0\n";
    let machine = alpine().file("/proc/12/status", status);
    let error = machine.apply(|host| Ok(host.user("anna").absent()?)).unwrap_err().to_string();
    assert!(error.starts_with("the user `anna` is in use: process 12 (sleep) is theirs\nhint: "), "{error}");
    assert_eq!(acts(&machine), [""; 0]);
}
