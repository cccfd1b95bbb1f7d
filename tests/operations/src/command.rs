//! Commands and scripts, run for real.

use wb_stdlib::prelude::*;

use crate::Case;

pub(crate) static CASES: &[Case] = &[Case {
    name: "guarded",
    prepare: "rm -rf /srv/*; mkdir -p /srv/web /srv/old; chown www-data: /srv/web
        mkdir -p /var/cache/wildebeest/1-0; touch /var/cache/wildebeest/1-0.lock /var/cache/wildebeest/1-0/left
        mkdir -p /srv/bin; ln -s /bin/touch /srv/bin/ls-of-ours",
    run: |host| {
        host.command("touch /srv/masked").umask(0o77).creates("/srv/masked").run()?;
        host.command("touch /srv/web/masked").user("www-data").umask(0o27).creates("/srv/web/masked").run()?;
        host.command("rmdir /srv/old").removes("/srv/old").run()?;
        host.shell("echo one >/srv/a; exit 3").expects([0, 3]).unless(host.command("grep -q one /srv/a")).run()?;
        host.command("cp /srv/a /srv/b").only_if(host.shell("! cmp -s /srv/a /srv/b")).streamed().run()?;
        let who = "#!/bin/sh -e\nid -un >\"$1\"\n";
        host.script("who", who).arg("/srv/web/who").user("www-data").creates("/srv/web/who").run()?;
        let fed = host.command("tee /srv/fed").stdin("fed\n").creates("/srv/fed");
        fed.changed_when(|output| output.text() == "fed").run()?;
        let secret = host.command("false").user("www-data").env("TOKEN", "swordfish").succeeds();
        ensure!(secret.is_err_and(|error| !format!("{error:?}").contains("swordfish")), "no error says what is secret");
        host.shell("echo \"$TOKEN $HOME $USER ${LANGUAGE-}\" >/srv/web/env")
            .user("www-data")
            .env("TOKEN", "swordfish")
            .creates("/srv/web/env")
            .run()?;
        host.command("ls-of-ours /srv/web/own-path")
            .user("www-data")
            .env("PATH", "/srv/bin:/bin")
            .creates("/srv/web/own-path")
            .run()?;
        let endless = host.shell("while :; do head -c 1000000 /dev/zero; done").output();
        let is_ended = endless.is_err_and(|error| error.to_string().contains("wrote more than 16 MiB"));
        ensure!(is_ended, "a command that writes without end is ended");
        let nowhere = host.command("true").dir("/srv/none").output();
        let is_named = nowhere.is_err_and(|error| error.to_string().ends_with("there is no such directory"));
        ensure!(is_named, "a directory that is not there is named");
        let hung = host.shell("sleep 987654 & wait").timeout(Duration::from_millis(300)).output();
        ensure!(hung.is_err(), "a command that hangs is killed");
        Ok(())
    },
    check: "[ \"$(stat -c '%U %a' /srv/masked /srv/web/masked)\" = \"$(printf 'root 600\\nwww-data 640')\" ]
        [ ! -e /srv/old ]
        cmp /srv/a /srv/b; [ \"$(cat /srv/fed)\" = fed ]
        [ \"$(cat /srv/web/who)\" = www-data ]
        [ \"$(cat /srv/web/env)\" = \"swordfish /var/www www-data \" ]
        [ -e /srv/web/own-path ]
        [ -z \"$(grep -lzx '98765[4]' /proc/[0-9]*/cmdline 2>/dev/null)\" ]
        [ ! -e /var/cache/wildebeest ]",
    // Only what it writes tells whether it changes anything.
    unforeseen: &["command tee /srv/fed"],
    ..Case::DEFAULT
}];
