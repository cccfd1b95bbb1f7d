//! What plans say of operations that depend on each other.

use anyhow::Result;
use wb_core::context::Outcome;

use crate::machine::Machine;
use crate::{Assets, Host, Look as _};

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICcND7mvhy1ZxWiyqpEPx/8V+EKIGmUq3lP6Mqj05qxy anna@laptop";
const SUM: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const SITE: Assets = Assets::new("site", &[("a/b", b"b"), ("c", b"c")]);

/// What is done is what the plan said.
fn foresees(machine: &Machine, act: impl Fn(&Host) -> Result<()>) {
    let before = machine.snapshot();
    machine.plan(&act).unwrap();
    let planned = machine.said();
    assert_eq!(machine.snapshot(), before);
    machine.apply(&act).unwrap();
    assert_eq!(machine.said(), planned);
}

/// What the plan says.
fn says(machine: &Machine, act: impl Fn(&Host) -> Result<()>, expect: &[&str]) {
    machine.plan(&act).unwrap();
    assert_eq!(machine.said().lines().filter(|line| !line.starts_with(' ')).collect::<Vec<_>>(), expect);
}

#[test]
fn what_is_put_into_a_new_directory() {
    foresees(&Machine::new(), |host| {
        host.directory("/srv/app/conf").mode(0o750).present()?;
        host.file("/srv/app/conf/x").content("one\n").present()?;
        host.file("/srv/app/conf/x").content("two\n").mode(0o600).present()?;
        host.link("/srv/now").to("app/conf")?;
        host.file("/srv/now/y").content("y\n").present()?;
        host.directory("/srv/app").present()?;
        host.directory("/srv/app/conf").mode(0o700).present()?;
        Ok(())
    });
}

#[test]
fn what_takes_the_place_of_something_else() {
    let machine = Machine::new().file("/srv/a", "x").file("/srv/dir/b", "x").file("/srv/kept/c", "x");
    foresees(&machine, |host| {
        host.file("/srv/a").absent()?;
        host.directory("/srv/a").present()?;
        host.file("/srv/a/in").content("i\n").present()?;
        host.directory("/srv/dir").absent()?;
        host.file("/srv/dir").content("f\n").present()?;
        host.path("/srv/a/in").absent()?;
        host.link("/srv/a/in").to("b")?;
        host.link("/srv/a/in").absent()?;
        host.link("/srv/a").replacing().to("kept")?;
        host.file("/srv/a/c").content("c\n").present()?;
        host.file("/srv/a/none").absent()?;
        Ok(())
    });
}

#[test]
fn links_that_would_be_there_lead_where_they_would() {
    foresees(&Machine::new().dir("/etc"), |host| {
        host.link("/etc/now").to("real")?;
        host.file("/etc/now").through_links().content("a\n").present()?;
        host.edit("/etc/now").line("b").present()?;
        host.edit("/etc/real").line("c").present()?;
        Ok(())
    });
    foresees(&Machine::new().file("/bin/shop", "x"), |host| {
        host.link("/bin/shopctl").hard_to("/bin/shop")?;
        host.file("/bin/shopctl").mode(0o600).present()?;
        Ok(())
    });
}

#[test]
fn a_tree_as_it_would_be() {
    foresees(&Machine::new().file("/srv/old/a", "x").file("/srv/kept", "x"), |host| {
        host.directory("/srv/old").absent()?;
        host.directory("/srv/new").mode(0o700).present()?;
        host.file("/srv/new/b").content("b\n").present()?;
        for _ in 0..2 {
            host.directory("/srv").recursively().file_mode(0o600).dir_mode(0o750).set()?;
        }
        Ok(())
    });
    foresees(&Machine::new().dir("/srv"), |host| {
        host.directory("/srv/site").synced(SITE).present()?;
        host.file("/srv/site/c").content("d").present()?;
        host.file("/srv/site/own").content("o\n").present()?;
        host.directory("/srv/site").synced(SITE).exactly().present()?;
        host.link("/srv/site/a/b").replacing().to("../c")?;
        Ok(())
    });
}

#[test]
fn what_a_removed_directory_leaves() {
    let gone = |host: &Host| {
        host.directory("/srv").absent()?;
        host.file("/srv/a").content("x").present()?;
        Ok(())
    };
    let expect = ["+ directory /srv absent", "? file /srv/a present (cannot know: there is no directory /srv yet)"];
    says(&Machine::new().file("/srv/a", "x"), gone, &expect);
}

/// A host that has its own users only.
fn with_users() -> Machine {
    let machine = Machine::new().file("/etc/passwd", "root:x:0:0:root:/root:/bin/bash\nanna:x:7:7::/:/bin/sh\n");
    let machine = machine.file("/etc/group", "root:x:0:\nanna:x:7:\n").file("/etc/login.defs", "USERGROUPS_ENAB yes\n");
    machine.dir("/srv").answer("getent", 2, "")
}

#[test]
fn what_belongs_to_a_new_user() {
    let act = |host: &Host| {
        host.user("app").present()?;
        host.directory("/srv/app").owner("app").group("app").present()?;
        host.file("/srv/app/x").content("x\n").owner("app").present()?;
        host.file("/srv/app/x").owner("app").present()?;
        host.file("/srv/app/x").owner("root").present()?;
        host.file("/srv/app/y").content("y\n").owner("later").present()?;
        host.directory("/home/app").mode(0o700).present()?;
        host.file("/home/app/.profile").content("x").present()?;
        Ok(())
    };
    let unnumbered = "? file /srv/app/x present (cannot know: a user or group that is new by then has no number yet)";
    let expect = [
        "+ user app present",
        "+ directory /srv/app present",
        "+ file /srv/app/x present",
        "= file /srv/app/x present",
        unnumbered,
        "? file /srv/app/y present (cannot know: there is no user `later` yet)",
        "+ directory /home/app present",
        "? file /home/app/.profile present (cannot know: what is in /home/app is known only when it is there)",
    ];
    says(&with_users(), act, &expect);
}

#[test]
fn keys_of_a_new_user() {
    let act = |host: &Host| {
        host.user("app").present()?;
        host.authorized_keys("app").key(KEY).present()?;
        host.authorized_keys("app").key(KEY).exactly()?;
        Ok(())
    };
    let expect = [
        "+ user app present",
        "+ authorized_keys app present",
        "? authorized_keys app exactly as said (cannot know: there is no home of `app` yet)",
    ];
    says(&with_users(), act, &expect);
    let expect = ["+ user app present", "? authorized_keys app present (cannot know: there is no home of `app` yet)"];
    let act = |host: &Host| {
        host.user("app").present()?;
        host.authorized_keys("app").key(KEY).present()?;
        Ok(())
    };
    says(&with_users().dir("/etc/skel/.ssh"), act, &expect);
}

#[test]
fn what_belongs_to_who_goes() {
    let act = |host: &Host| {
        host.user("anna").absent()?;
        host.file("/srv/a").owner("anna").present()?;
        host.user("anna").uid(8).present()?;
        Ok(())
    };
    let expect = [
        "+ user anna absent",
        "? file /srv/a present (cannot know: there is no user `anna` yet)",
        "? user anna present (cannot know: the user `anna` changes before it)",
    ];
    says(&with_users(), act, &expect);
}

#[test]
fn a_new_user_of_whom_the_number_is_said() {
    let owned = |uid: u32| {
        let machine = with_users().file("/srv/a", "");
        machine
            .plan(|host| {
                host.user("app").uid(uid).present()?;
                Ok(host.file("/srv/a").owner("app").present()?)
            })
            .unwrap()
    };
    let Outcome::Changed { diff: Some(diff) } = owned(4711) else { panic!("it is to change") };
    assert!(diff.starts_with("owner ") && diff.ends_with(" -> 4711"), "{diff}");
}

#[test]
fn what_only_comes_then() {
    let act = |host: &Host| {
        host.download("http://127.0.0.1:1/x.tar").sha256(SUM).to("/opt/x.tar").present()?;
        host.file("/opt/x.tar").mode(0o600).present()?;
        host.archive("/opt/x.tar").to("/srv/x").present()?;
        host.file("/srv/x/conf").content("c\n").present()?;
        host.directory("/srv/x").mode(0o700).present()?;
        host.edit("/opt/x.tar").line("x").present()?;
        Ok(())
    };
    let unknown =
        |what: &str, path: &str| format!("? {what} (cannot know: what is in {path} is known only when it is there)");
    let unpacked = unknown("archive /opt/x.tar unpacked to /srv/x", "/opt/x.tar");
    let in_it = unknown("file /srv/x/conf present", "/srv/x");
    let edited = unknown("edit /opt/x.tar present", "/opt/x.tar");
    let expect = [
        "+ download /opt/x.tar present",
        "+ file /opt/x.tar present",
        unpacked.as_str(),
        in_it.as_str(),
        "+ directory /srv/x present",
        edited.as_str(),
    ];
    says(&Machine::new().dir("/opt").dir("/srv"), act, &expect);
}

#[test]
fn files_of_the_system_as_they_would_be() {
    let machine = with_users().file("/etc/hosts", "127.0.0.1 localhost\n").file("/etc/fstab", "").dir("/etc/cron.d");
    let machine = machine.file("/etc/pacman.conf", "[options]\n").file("/etc/locale.conf", "LANG=C\n");
    let machine = machine.file("/usr/share/zoneinfo/UTC", "TZif2").file("/etc/timezone", "Europe/Berlin\n");
    foresees(&machine, |host| {
        for _ in 0..2 {
            host.hosts_entry("mail").address("192.0.2.25").present()?;
            host.mount("/srv/data").source("/dev/vdb1").filesystem("ext4").in_fstab()?;
            host.pacman_repository("shop").uri("file:///srv/shop").trusted().present()?;
            host.apk_repository("https://apk.example.org/v3").present()?;
            host.cron("tidy").in_cron_d().schedule("@daily").command("true").present()?;
            host.sysctl("vm.swappiness").value("10").only_at_boot().set()?;
            host.kernel_module("loop").at_boot()?;
            host.locale("POSIX").set_as_default()?;
            host.timezone("UTC").set()?;
        }
        host.hosts_entry("mail").absent()?;
        host.pacman_repository("shop").absent()?;
        host.apk_repository("https://apk.example.org/v3").absent()?;
        host.cron("tidy").in_cron_d().absent()?;
        host.cron("tidy").in_cron_d().absent()?;
        host.sysctl("vm.swappiness").absent()?;
        host.kernel_module("loop").absent()?;
        host.kernel_module("loop").absent()?;
        Ok(())
    });
    foresees(&Machine::new().dir("/etc"), |host| {
        host.file("/etc/hosts").content("127.0.0.1 localhost\n").present()?;
        host.hosts_entry("mail").address("192.0.2.25").present()?;
        host.file("/etc/hosts").content("own\n").present()?;
        Ok(())
    });
}

#[test]
fn what_the_kernel_would_have_by_then() {
    let machine = Machine::new().file("/proc/sys/kernel/hostname", "old\n").file("/etc/hostname", "old\n");
    let machine = machine.file("/etc/hosts", "127.0.0.1 localhost\n").file("/proc/sys/vm/swappiness", "60\n");
    let machine = machine.does("hostname ", |root, command| {
        let name = command.line().split(' ').next_back().unwrap_or_default().to_owned();
        wb_core::system::files::write(root.join("proc/sys/kernel/hostname"), name + "\n", 0o644).unwrap();
    });
    foresees(&machine, |host| {
        for value in ["10", "10", "20"] {
            host.sysctl("vm.swappiness").value(value).set()?;
        }
        for name in ["web1", "web1", "web2"] {
            host.hostname(name).in_hosts().set()?;
        }
        Ok(())
    });
}

#[test]
fn what_a_host_says_to_its_balancers() {
    foresees(&Machine::new(), |host| {
        host.directory("/var/www").present()?;
        host.directory("/etc/keepalived").present()?;
        let (health, track) = (host.health_file("/var/www/health"), host.track_file("/etc/keepalived/out"));
        for _ in 0..2 {
            health.up()?;
            track.up()?;
        }
        for _ in 0..2 {
            health.down()?;
            track.down()?;
        }
        Ok(())
    });
}

#[test]
fn a_certificate_that_would_be_made() {
    let act = |host: &Host| {
        host.directory("/etc/ssl/private").present()?;
        for _ in 0..2 {
            let own = host.certificate("/etc/ssl/a.pem");
            own.self_signed("/etc/ssl/private/a.key", ["a.example.org"]).present()?;
        }
        host.file("/etc/ssl/private/a.key").mode(0o640).present()?;
        host.directory("/etc/ssl").absent()?;
        host.certificate("/etc/ssl/a.pem").self_signed("/etc/ssl/private/a.key", ["a.example.org"]).present()?;
        Ok(())
    };
    let unknown = |why: &str| format!("? certificate /etc/ssl/a.pem self-signed (cannot know: {why})");
    let later = unknown("what is in /etc/ssl/a.pem is known only when it is there");
    let nowhere = unknown("there is no directory /etc/ssl yet");
    let expect = [
        "+ directory /etc/ssl/private present",
        "+ certificate /etc/ssl/a.pem self-signed",
        later.as_str(),
        "+ file /etc/ssl/private/a.key present",
        "+ directory /etc/ssl absent",
        nowhere.as_str(),
    ];
    says(&Machine::new(), act, &expect);
}

#[test]
fn what_a_command_makes_and_removes() {
    let act = |host: &Host| {
        host.command("make x").creates("/srv/x").run()?;
        host.file("/srv/x/y").content("y\n").present()?;
        host.command("clear").removes("/srv/a").run()?;
        host.file("/srv/a").content("a\n").present()?;
        host.command("make a").creates("/srv/a").run()?;
        Ok(())
    };
    let expect = [
        "+ command make x run",
        "? file /srv/x/y present (cannot know: what is in /srv/x is known only when it is there)",
        "+ command clear run",
        "+ file /srv/a present",
        "= command make a run",
    ];
    says(&Machine::new().file("/srv/a", "x"), act, &expect);
}
