//! Users, groups, keys, sudo and limits.

use wb_stdlib::authorized_keys::Key;
use wb_stdlib::limits::{Limit, Resource};
use wb_stdlib::prelude::*;
use wb_stdlib::sudoers::Grant;

use crate::Case;

macro_rules! key {
    () => {
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICcND7mvhy1ZxWiyqpEPx/8V+EKIGmUq3lP6Mqj05qxy anna@laptop"
    };
}

pub(crate) use key;

const KEY: &str = key!();
/// Of `openssl passwd -6 -salt saltsalt swordfish`.
const HASH: &str = "$6$saltsalt$cPbDmdp7sUA1v8Yjfppi8VeFqwELnkKCqsv5H2wx/S4LZwLhIhlK7tCX/4JqgCT3onV3./FXCDD2Y6iXkj4Lp/";

pub(crate) static CASES: &[Case] = &[
    Case {
        name: "user_new",
        prepare: "userdel anna || :; groupdel anna || :; groupadd -f -g 3000 ops; rm -rf /srv/*",
        run: |host| {
            let anna = host.user("anna").uid(2001).groups(["ops", "adm"]).home("/srv/anna").shell("/bin/bash");
            anna.comment("Anna Berg").password_hash(HASH).expires("2037-01-31").present()?;
            Ok(())
        },
        check: "[ \"$(getent passwd anna)\" = 'anna:x:2001:2001:Anna Berg:/srv/anna:/bin/bash' ]
            [ \"$(id -Gn anna)\" = 'anna adm ops' ]
            getent shadow anna | cut -d: -f2 | grep -q '^$6$saltsalt$cPbDmdp7sUA1v8Y'
            [ \"$(getent shadow anna | cut -d: -f8)\" = 24502 ]
            [ \"$(stat -c '%U:%G %a' /srv/anna /srv/anna/.profile)\" = \"$(printf 'anna:anna 755\\nanna:anna 644')\" ]
            diff -r /etc/skel /srv/anna
            [ \"$(ls -A /srv)\" = anna ]
            [ -z \"$(ls /etc/*.lock 2>/dev/null)\" ]
            [ -z \"$(pwck -r | grep anna; grpck -r | grep anna)\" ]",
        ..Case::DEFAULT
    },
    Case {
        name: "user_system",
        prepare: "for name in shop depot; do userdel $name || :; groupdel $name || :; rm -rf /srv/$name; done",
        run: |host| {
            host.group("shop").system().members(["www-data"]).present()?;
            host.user("shop").system().group("shop").home("/srv/shop").shell("/usr/sbin/nologin").present()?;
            host.user("depot").system().home("/srv/depot").with_home().present()?;
            Ok(())
        },
        check: "[ $(id -u shop) -lt 1000 ]; [ $(id -g shop) -lt 1000 ]; [ \"$(id -gn shop)\" = shop ]
            [ ! -e /srv/shop ]
            [ \"$(id -Gn www-data)\" = 'www-data shop' ]
            [ $(id -u depot) -lt 1000 ]; [ \"$(stat -c %U /srv/depot)\" = depot ]; diff -r /etc/skel /srv/depot",
        ..Case::DEFAULT
    },
    Case {
        name: "user_changes",
        prepare: "userdel -r anna || :; groupdel anna || :; groupadd -f -g 3000 ops
            useradd -m -u 2001 -G games,adm -s /bin/sh -e 2030-01-01 anna; echo kept >/home/anna/own; chown anna /home/anna/own",
        run: |host| {
            let anna = host.user("anna").uid(2010).only_groups(["adm", "ops"]).shell("/bin/bash").comment("Anna");
            anna.password_hash(HASH).locked().never_expires().present()?;
            Ok(())
        },
        check: "[ \"$(getent passwd anna | cut -d: -f3,5,7)\" = 2010:Anna:/bin/bash ]
            [ \"$(id -Gn anna)\" = 'anna adm ops' ]
            getent shadow anna | cut -d: -f2 | grep -q '^!$6$saltsalt'
            [ -z \"$(getent shadow anna | cut -d: -f8)\" ]
            [ \"$(stat -c %U /home/anna/own)\" = anna ]",
        ..Case::DEFAULT
    },
    Case {
        name: "user_finished",
        // What a useradd leaves that was killed after its first file, and a lock whose number belongs to somebody else.
        prepare: "userdel bob || :; groupdel bob || :; rm -rf /home/bob /home/.bob.new
            echo 'bob:x:2002:2002::/home/bob:/bin/sh' >>/etc/passwd
            mkdir -p /home/.bob.new/half
            printf 1 >/etc/passwd.lock; touch -d '1 hour ago' /etc/passwd.lock",
        run: |host| {
            host.user("bob").shell("/bin/bash").present()?;
            Ok(())
        },
        check: "[ \"$(getent passwd bob)\" = bob:x:2002:2002::/home/bob:/bin/bash ]
            [ \"$(getent group bob)\" = bob:x:2002: ]; [ \"$(getent shadow bob | cut -d: -f2)\" = '!' ]
            [ \"$(stat -c '%U:%G %a' /home/bob)\" = 'bob:bob 755' ]; diff -r /etc/skel /home/bob
            [ -z \"$(ls -d /home/.bob.new /etc/*.lock 2>/dev/null)\" ]",
        ..Case::DEFAULT
    },
    Case {
        name: "user_absent",
        prepare: "for name in anna bob; do userdel -r $name || :; groupdel $name || :; useradd -m $name; touch /var/mail/$name; done
            id carl || useradd -m carl; mkdir -p /home/carl/nas; mountpoint -q /home/carl/nas || mount -t tmpfs nas /home/carl/nas
            touch /home/carl/nas/kept",
        run: |host| {
            host.user("anna").absent()?;
            host.user("bob").absent_with_home()?;
            host.user("nobody2").absent_with_home()?;
            ensure!(host.user("carl").absent_with_home().is_err(), "something is mounted there");
            Ok(())
        },
        check: "[ -z \"$(getent passwd anna bob; getent group anna bob)\" ]
            [ -d /home/anna ]; [ -e /var/mail/anna ]; [ ! -e /home/bob ]; [ ! -e /var/mail/bob ]
            [ -e /home/carl/nas/kept ]; umount /home/carl/nas",
        ..Case::DEFAULT
    },
    Case {
        name: "user_lock",
        prepare: "for name in anna bob; do
                userdel -r $name || :; groupdel $name || :; rm -rf /home/$name; useradd -m $name
                echo \"$name:\"'$6$x$y' | chpasswd -e
            done
            usermod -L bob",
        run: |host| {
            host.user("anna").locked().present()?;
            host.user("bob").unlocked().present()?;
            Ok(())
        },
        check: "[ \"$(getent shadow anna bob | cut -d: -f2)\" = \"$(printf '!$6$x$y\\n$6$x$y')\" ]",
        ..Case::DEFAULT
    },
    Case {
        name: "group",
        prepare: "for name in anna bob; do useradd $name || :; done; for name in one two old; do groupdel $name || :; done
            groupadd -g 3001 one; groupadd -g 3100 two; gpasswd -M anna two; groupadd old",
        run: |host| {
            host.group("one").gid(3002).members(["anna", "bob"]).present()?;
            host.group("two").only_members(["bob"]).present()?;
            host.group("old").absent()?;
            Ok(())
        },
        check: "[ \"$(getent group one)\" = one:x:3002:anna,bob ]
            [ \"$(getent group two | cut -d: -f4)\" = bob ]
            [ \"$(grep ^two: /etc/gshadow | cut -d: -f4)\" = bob ]
            [ -z \"$(getent group old)\" ]",
        ..Case::DEFAULT
    },
    Case {
        name: "keys",
        packages: &["openssh-client"],
        prepare: concat!(
            "for name in anna bob dora; do userdel -r $name || :; rm -rf /home/$name; useradd -m -s /bin/sh $name; done
            mkdir -p /home/bob/.ssh; printf '# ours\\nssh-ed25519 old bob\\n' >/home/bob/.ssh/authorized_keys
            chmod 777 /home/bob/.ssh; ssh-keygen -q -t ecdsa -N '' -f /home/bob/.ssh/id
            mkdir -p /home/dora/.ssh; printf '# ours\\n",
            key!(),
            "\\nssh-ed25519 old dora\\n' >/home/dora/.ssh/authorized_keys"
        ),
        run: |host| {
            host.authorized_keys("anna").key(KEY).exactly()?;
            ensure!(host.authorized_keys("bob").exactly().is_err(), "nobody said that there are to be none");
            host.authorized_keys("bob").key(Key::new(KEY).restrict().command("/bin/true")).present()?;
            host.authorized_keys("dora").key(KEY).absent()?;
            Ok(())
        },
        check: "ssh-keygen -l -f /home/anna/.ssh/authorized_keys | grep -q ED25519
            [ \"$(stat -c '%U:%G %a' /home/anna/.ssh)\" = 'anna:anna 700' ]
            [ \"$(stat -c '%U:%G %a' /home/anna/.ssh/authorized_keys)\" = 'anna:anna 600' ]
            [ \"$(stat -c '%U:%G %a' /home/bob/.ssh)\" = 'bob:bob 700' ]
            [ \"$(head -n 2 /home/bob/.ssh/authorized_keys | tail -n 1)\" = 'ssh-ed25519 old bob' ]
            tail -n 1 /home/bob/.ssh/authorized_keys | grep -q '^restrict,command=\"/bin/true\" ssh-ed25519 '
            [ \"$(ls -A /home/bob/.ssh | tr '\\n' ' ')\" = 'authorized_keys id id.pub ' ]
            [ \"$(cat /home/dora/.ssh/authorized_keys)\" = \"$(printf '# ours\\nssh-ed25519 old dora')\" ]",
        ..Case::DEFAULT
    },
    Case {
        name: "what_belongs_to_a_new_user",
        prepare: "userdel app || :; groupdel app || :; rm -rf /srv/app /srv/now /home/app",
        run: |host| {
            host.user("app").present()?;
            host.directory("/srv/app/conf").owner("app").group("app").mode(0o750).present()?;
            host.file("/srv/app/conf/a").content("a\n").owner("app").present()?;
            host.edit("/srv/app/conf/b").line("b").or_create(0o640).present()?;
            host.link("/srv/now").to("app/conf")?;
            host.file("/srv/now/c").content("c\n").present()?;
            host.authorized_keys("app").key(KEY).present()?;
            Ok(())
        },
        check: "[ \"$(stat -c '%U:%G %a' /srv/app/conf)\" = 'app:app 750' ]; [ \"$(stat -c %U /srv/app/conf/a)\" = app ]
            [ \"$(cat /srv/app/conf/a /srv/app/conf/b /srv/now/c | xargs)\" = 'a b c' ]
            [ \"$(stat -c '%U %a' /home/app/.ssh/authorized_keys)\" = 'app 600' ]",
        ..Case::DEFAULT
    },
    Case {
        name: "sudoers",
        packages: &["sudo"],
        prepare: "rm -f /etc/sudoers.d/deploy; echo 'old ALL=(ALL) ALL' >/etc/sudoers.d/old; useradd deploy || :; useradd shop || :",
        run: |host| {
            let grant = Grant::to_user("deploy").command("/bin/echo a=b, c:d #e").as_user("shop").without_password();
            host.sudoers("deploy").text("Defaults:deploy !requiretty").grant(grant).present()?;
            host.sudoers("old").absent()?;
            Ok(())
        },
        check: "visudo -c; [ \"$(stat -c '%U:%G %a' /etc/sudoers.d/deploy)\" = 'root:root 440' ]
            as_deploy() { setpriv --reuid=deploy --regid=deploy --clear-groups sudo -n -u shop \"$@\"; }
            [ \"$(as_deploy /bin/echo 'a=b,' c:d '#e')\" = 'a=b, c:d #e' ]
            if as_deploy /bin/echo other; then exit 1; fi
            [ \"$(ls /etc/sudoers.d | tr '\\n' ' ')\" = 'README deploy ' ]",
        ..Case::DEFAULT
    },
    Case {
        name: "limits",
        prepare: "rm -f /etc/security/limits.d/*; useradd -s /bin/sh shop || :
            echo 'games - nofile 1' >/etc/security/limits.d/old.conf",
        run: |host| {
            let limits = host.limits("shop").both("shop", Resource::OpenFiles, 4_321);
            limits.soft("*", Resource::CoreFile, 0).hard("@shop", Resource::Stack, Limit::Unlimited).present()?;
            host.limits("old").absent()?;
            Ok(())
        },
        check: "[ \"$(ls /etc/security/limits.d)\" = shop.conf ]
            [ \"$(su shop -s /bin/sh -c 'ulimit -n; ulimit -Hn; ulimit -Sc')\" = \"$(printf '4321\\n4321\\n0')\" ]",
        ..Case::DEFAULT
    },
];
