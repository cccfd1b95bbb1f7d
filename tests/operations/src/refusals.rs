//! What can't be: each is an error that names what it is about, and leaves the host as it was.

use wb_stdlib::prelude::*;

use crate::Case;
use crate::case::refuses;

/// A case does something before it is refused, so that it can be killed before and after, and in a plan it does no more.
const BEGUN: &str = "/srv/begun";

pub(crate) static CASES: &[Case] = &[
    Case {
        name: "paths",
        prepare: "rm -f /srv/begun; mkdir -p /srv/small /srv/fixed; umount /srv/small /srv/fixed 2>/dev/null || true
            mount -t tmpfs -o size=64k none /srv/small; mount -t tmpfs none /srv/fixed
            echo old >/srv/small/kept; echo old >/srv/fixed/kept; mount -o remount,ro /srv/fixed
            ln -sfn loop2 /srv/loop1; ln -sfn loop1 /srv/loop2; echo old >/srv/plain; rm -f /srv/whose
            head -c 300000 /dev/zero >/srv/many; tar cf /srv/many.tar -C /srv many",
        run: |host| {
            let big = "big ".repeat(50_000);
            if begun(host)? {
                refuses(host.file("/srv/loop1/a").content("new").present(), "/srv/loop1/a leads through symbolic links")?;
                refuses(host.directory("/srv/loop1/a").present(), "/srv/loop1/a leads through symbolic links")?;
                refuses(host.file("/srv/plain/a").content("new").present(), "/srv/plain is no directory")?;
                refuses(host.directory("/srv/plain/a/b").present(), "/srv/plain is no directory")?;
                refuses(host.directory("/srv/plain").present(), "/srv/plain is to be a directory, and is a file")?;
                refuses(host.file("/srv/small/kept").content(big.as_str()).present(), "the disk of /srv/small is full")?;
                refuses(host.file("/srv/fixed/kept").content("new").present(), "/srv/fixed is mounted read-only")?;
                refuses(host.file("/srv/fixed/kept").absent(), "/srv/fixed is mounted read-only")?;
                refuses(host.edit("/srv/fixed/kept").line("new").present(), "/srv/fixed is mounted read-only")?;
                refuses(host.directory("/srv/fixed").absent(), "a file system is mounted at /srv/fixed")?;
                refuses(host.file("/srv/whose").content("new").owner("nobody-here").present(), "nobody-here")?;
                refuses(host.file("/srv/../etc/passwd").content("new").present(), "leads through `..`")?;
                let many = host.archive("/srv/many.tar").to("/srv/small/many");
                refuses(many.present(), "there is no room for /srv/small/many: ")?;
                let nothing = "";
                let blank = host.file("/srv/whose").template(template!("blank.conf", text = nothing));
                refuses(blank.present(), "the template `blank.conf` renders to nothing, for /srv/whose")?;
            }
            Ok(())
        },
        check: "[ \"$(cat /srv/plain /srv/small/kept /srv/fixed/kept | sort -u)\" = old ]
            [ \"$(ls -A /srv/small /srv/fixed | grep -v : | sort -u | xargs)\" = kept ]
            [ \"$(readlink /srv/loop1)\" = loop2 ]; [ ! -e /srv/whose ]; grep -q ^root: /etc/passwd
            umount /srv/small /srv/fixed",
        ..Case::DEFAULT
    },
    // What the system keeps at paths of its own.
    Case {
        name: "settings",
        prepare: "rm -f /srv/begun; fixed='/etc/sysctl.d /etc/modules-load.d /etc/systemd/system'
            mkdir -p /etc/cron.d $fixed; umount /etc/cron.d $fixed 2>/dev/null || true
            for d in $fixed; do mount -t tmpfs none $d; echo old >$d/kept; mount -o remount,ro $d; done
            mount -t tmpfs -o size=64k none /etc/cron.d
            echo old >/etc/cron.d/kept; head -c 100000 /dev/zero >/etc/cron.d/filler || true",
        run: |host| {
            if begun(host)? {
                let cron = host.cron("wb-refused").in_cron_d().schedule("@daily").command("true");
                refuses(cron.present(), "could not write /etc/cron.d/wb-refused: its disk is full")?;
                let sysctl = host.sysctl("vm.swappiness").value("10").only_at_boot().file("wb-refused");
                let read_only = "could not write /etc/sysctl.d/wb-refused.conf: its file system is mounted read-only";
                refuses(sysctl.set(), read_only)?;
                let read_only =
                    "could not write /etc/modules-load.d/wildebeest-loop.conf: its file system is mounted read-only";
                refuses(host.kernel_module("loop").at_boot(), read_only)?;
                let unit = host.unit("wb-refused.service").content("[Service]\nExecStart=/bin/true\n").unverified();
                refuses(unit.present(), "the file system of /etc/systemd/system is mounted read-only")?;
            }
            Ok(())
        },
        check: "fixed='/etc/sysctl.d /etc/modules-load.d /etc/systemd/system'
            for d in /etc/cron.d $fixed; do [ \"$(cat $d/kept)\" = old ]; done
            [ \"$(ls -A /etc/cron.d $fixed | grep -v : | sort -u | xargs)\" = 'filler kept' ]
            umount /etc/cron.d $fixed",
        ..Case::DEFAULT
    },
    Case {
        name: "edits",
        prepare: "rm -f /srv/begun; printf 'a = \"caf\\351\"\\n' >/srv/latin.toml; printf 'a: [\\n' >/srv/broken.yaml; echo old >/srv/text
            rm -f /srv/huge; truncate -s 2G /srv/huge; cksum /srv/latin.toml /srv/broken.yaml /srv/text >/srv/sums",
        run: |host| {
            if begun(host)? {
                refuses(host.edit("/srv/huge").line("new").present(), "/srv/huge has 2147483648 bytes")?;
                refuses(host.file("/srv/huge").read(), "/srv/huge has 2147483648 bytes")?;
                refuses(host.edit("/srv/latin.toml").toml("b", 1).present(), "it is not UTF-8")?;
                refuses(host.edit("/srv/broken.yaml").yaml("b", 1).present(), "it is no YAML")?;
                refuses(host.edit("/srv/none").line("new").present(), "there is no file /srv/none")?;
                refuses(host.edit("/srv/text").line("new").validated_by(["false"]).present(), "/srv/text")?;
                refuses(host.edit("/srv/text").line("new").after("^none$").present(), "no line matches `^none$`")?;
            }
            Ok(())
        },
        check: "[ \"$(cksum /srv/latin.toml /srv/broken.yaml /srv/text)\" = \"$(cat /srv/sums)\" ]
            [ \"$(stat -c %s /srv/huge)\" = 2147483648 ]; [ ! -e /srv/none ]
            [ -z \"$(ls -A /srv | grep -e candidate -e '\\.new$')\" ]",
        ..Case::DEFAULT
    },
    Case {
        name: "programs",
        prepare: "rm -f /srv/begun; id shop 2>/dev/null && userdel shop || true",
        run: |host| {
            if begun(host)? {
                refuses(host.service("none-here").running(), "none-here")?;
                refuses(host.user("shop").groups(["none-here"]).present(), "there is no group `none-here`")?;
                refuses(host.group("Not a group").present(), "\"Not a group\" is no name of a group")?;
                let hung = host.shell("sleep 987655").timeout(std::time::Duration::from_millis(200));
                refuses(hung.run(), "sleep 987655")?;
                refuses(host.command("/srv/no-program").run(), "/srv/no-program")?;
                refuses(host.command("true").user("nobody-here").run(), "nobody-here")?;
            }
            Ok(())
        },
        check: "! id shop 2>/dev/null || exit 1; [ -z \"$(pgrep -f 'sleep 98765[5]')\" ]",
        ..Case::DEFAULT
    },
];

/// Whether what is refused may be asked for: the first operation is done, which a plan only foresees.
fn begun(host: &Host) -> Result<bool> {
    host.file(BEGUN).content("once").present()?;
    Ok(host.command("test -e").arg(BEGUN).succeeds().is_ok())
}
