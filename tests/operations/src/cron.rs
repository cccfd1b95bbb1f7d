//! cron: crontabs and `/etc/cron.d`.

use wb_stdlib::cron::Schedule;
use wb_stdlib::prelude::*;

use crate::Case;

pub(crate) static CASES: &[Case] = &[
    Case {
        name: "entries_of_a_crontab",
        packages: &["cron"],
        prepare: "crontab -u www-data -r 2>/dev/null || true
            printf '# mine\\nMAILTO=anna\\nSHELL=/bin/dash\\n5 4 * * *\\t/bin/true %% a=b\\n# wildebeest: old\\n0 0 * * * /bin/old\\n' |
                crontab -u www-data -",
        run: |host| {
            host.cron("backup").user("www-data").schedule("30 2 * * mon-sat").command("/bin/backup --all").present()?;
            host.cron("clean up").user("www-data").schedule(Schedule::hourly_at(7)).command("true").present()?;
            host.cron("later").user("www-data").schedule("@daily").command("true").disabled().present()?;
            host.cron("old").user("www-data").absent()?;
            host.crontab("www-data").variable("MAILTO", "ops@example.org")?;
            host.crontab("www-data").variable("PATH", "/usr/bin:/bin")?;
            host.crontab("www-data").without_variable("SHELL")?;
            host.cron("of root").schedule("@reboot").command("true").present()?;
            Ok(())
        },
        check: "crontab -u www-data -l >/tmp/is
            printf 'PATH=/usr/bin:/bin\\n# mine\\nMAILTO=ops@example.org\\n5 4 * * *\\t/bin/true %% a=b\\n' >/tmp/should
            printf '# wildebeest: backup\\n30 2 * * mon-sat /bin/backup --all\\n' >>/tmp/should
            printf '# wildebeest: clean up\\n7 * * * * true\\n# wildebeest: later\\n#@daily true\\n' >>/tmp/should
            diff /tmp/should /tmp/is
            crontab -l | grep -qx '@reboot true'",
        ..Case::DEFAULT
    },
    Case {
        name: "an_emptied_crontab",
        packages: &["cron"],
        prepare: "printf '# wildebeest: a\\n@daily true\\n' | crontab -u www-data -",
        run: |host| {
            host.cron("a").user("www-data").absent()?;
            Ok(())
        },
        check: "[ ! -e /var/spool/cron/crontabs/www-data ]",
        ..Case::DEFAULT
    },
    Case {
        name: "files_of_cron_d",
        packages: &["cron"],
        prepare: "rm -f /etc/cron.d/shop /srv/ran; mkdir -p /srv; echo '@daily root true' >/etc/cron.d/old",
        run: |host| {
            let entry = host.cron("shop").in_cron_d().variable("MAILTO", "").variable("WHO", "cron itself");
            entry.schedule("@reboot").command("echo \"$WHO\" >/srv/ran").present()?;
            host.cron("old").in_cron_d().absent()?;
            Ok(())
        },
        check: "[ \"$(stat -c '%U %a' /etc/cron.d/shop)\" = 'root 644' ]
            [ ! -e /etc/cron.d/old ]
            # By this cron knows whether it started before in this boot.
            rm -f /run/crond.reboot
            /etc/init.d/cron restart >/dev/null
            for _ in $(seq 100); do ! [ -s /srv/ran ] || break; sleep 0.1; done
            [ \"$(cat /srv/ran)\" = 'cron itself' ]
            rm /etc/cron.d/shop
            /etc/init.d/cron stop >/dev/null",
        ..Case::DEFAULT
    },
    Case {
        name: "what_cron_does_not_take",
        packages: &["cron"],
        prepare: "printf '@daily true\\n' | crontab -u www-data -",
        run: |host| {
            let wrong = host.cron("a").user("www-data").schedule("30 25 * * *").command("true").present();
            refused(wrong.err(), "the schedule of the entry `a` of cron is none")?;
            let nobody = host.cron("a").user("nobody-here").schedule("@daily").command("true").absent();
            ensure!(nobody.is_ok_and(|outcome| !outcome.changed()), "what is not there is absent");
            host.cron("a").user("www-data").schedule("@daily").command("true").present()?;
            Ok(())
        },
        check: "crontab -u www-data -l | head -1 | grep -qx '@daily true'",
        ..Case::DEFAULT
    },
];

fn refused(error: Option<impl std::fmt::Display>, expect: &str) -> Result<()> {
    let said = error.map(|error| error.to_string()).unwrap_or_default();
    ensure!(said == expect, "expected the error `{expect}`, found `{said}`");
    Ok(())
}
