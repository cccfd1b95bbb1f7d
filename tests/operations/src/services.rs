//! Services of four init systems, and what starts them.

use wb_stdlib::facts::Init as FirstProcess;
use wb_stdlib::prelude::*;
use wb_stdlib::service::Status;

use crate::{Case, Init};

pub(crate) static CASES: &[Case] = &[
    SYSV,
    SYSV_OFF,
    SYSV_LIES,
    SYSV_AGAIN,
    SYSV_MUTE,
    SYSV_MUTE_AND_PROBED,
    SYSV_SCRIPT,
    SYSV_SCRIPT_GOES,
    SYSTEMD_UNIT,
    SYSTEMD_OVERRIDE,
    SYSTEMD_MASKED,
    SYSTEMD_STATIC,
    SYSTEMD_UNIT_GOES,
    SYSTEMD_TIMER,
    SYSTEMD_TIMER_GOES,
    OPENRC_OF_ITS_OWN,
    OPENRC_LSB,
    OPENRC_CRASHED,
    RUNIT,
    RUNIT_OFF,
    RUNIT_GOES,
];

/// A script of LSB, whose daemon is called `shop-daemon`.
macro_rules! lsb {
    ($actions:literal) => {
        concat!(
            "[ -e /usr/local/bin/shop-daemon ] || cp /bin/sleep /usr/local/bin/shop-daemon
            cat >/etc/init.d/shop <<'END'
#!/bin/sh
### BEGIN INIT INFO
# Provides: shop
# Required-Start: $remote_fs
# Required-Stop: $remote_fs
# Default-Start: 2 3 4 5
# Default-Stop: 0 1 6
### END INIT INFO
. /lib/lsb/init-functions
case \"$1\" in
start) start-stop-daemon --start --oknodo --background --make-pidfile --pidfile /run/shop.pid \
    --exec /usr/local/bin/shop-daemon -- 100000 ;;
stop) start-stop-daemon --stop --oknodo --retry 5 --remove-pidfile --pidfile /run/shop.pid ;;
restart) $0 stop; $0 start ;;
",
            $actions,
            "
esac
END
            chmod 755 /etc/init.d/shop; "
        )
    };
}

const SYSV: Case = Case {
    name: "sysv",
    prepare: concat!(
        "[ ! -x /etc/init.d/shop ] || /etc/init.d/shop stop; ",
        lsb!("status) pidofproc -p /run/shop.pid /usr/local/bin/shop-daemon >/dev/null ;;"),
        "update-rc.d -f shop remove"
    ),
    run: |host| {
        is_under(host, &FirstProcess::Sysv)?;
        host.service("shop").enabled_and_running()?;
        Ok(())
    },
    check: "pidof shop-daemon; ls /etc/rc2.d/S*shop",
    ..Case::DEFAULT
};

const SYSV_OFF: Case = Case {
    name: "sysv_off",
    prepare: concat!(
        lsb!("status) pidofproc -p /run/shop.pid /usr/local/bin/shop-daemon >/dev/null ;;"),
        "update-rc.d shop defaults; update-rc.d shop enable; /etc/init.d/shop start"
    ),
    run: |host| {
        host.service("shop").stopped()?;
        host.service("shop").disabled()?;
        Ok(())
    },
    check: "[ -z \"$(pidof shop-daemon)\" ]; [ -z \"$(ls /etc/rc2.d/S*shop 2>/dev/null)\" ]",
    ..Case::DEFAULT
};

/// A script that always says yes, and a process that says otherwise.
const SYSV_LIES: Case = Case {
    name: "sysv_lies",
    prepare: concat!(lsb!("status) exit 0 ;;"), "/etc/init.d/shop stop"),
    run: |host| {
        host.service("shop").pidfile("/run/shop.pid").process("shop-daemon").running()?;
        Ok(())
    },
    check: "pidof shop-daemon",
    ..Case::DEFAULT
};

const SYSV_AGAIN: Case = Case {
    name: "sysv_again",
    prepare: concat!(
        lsb!(
            "status) pidofproc -p /run/shop.pid /usr/local/bin/shop-daemon >/dev/null ;;
reload) touch /run/shop.reloaded ;;"
        ),
        "/etc/init.d/shop stop; rm -f /run/shop.reloaded; /etc/init.d/shop start
        for _ in $(seq 50); do ! pidof shop-daemon >/run/shop.before || break; sleep 0.1; done; [ -s /run/shop.before ]"
    ),
    run: |host| {
        host.service("shop").restarted()?;
        host.service("shop").reloaded()?;
        Ok(())
    },
    check: "is=$(pidof shop-daemon); [ \"$is\" != \"$(cat /run/shop.before)\" ]; [ -e /run/shop.reloaded ]",
    rerun: Some("a service is restarted and reloaded each time"),
    ..Case::DEFAULT
};

/// A script without a status.
macro_rules! mute {
    () => {
        concat!(
            "[ ! -x /etc/init.d/shop ] || /etc/init.d/shop stop; ",
            lsb!("*) echo \"Usage: $0 {start|stop|restart}\" >&2; exit 3 ;;")
        )
    };
}

const SYSV_MUTE: Case = Case {
    name: "sysv_mute",
    prepare: mute!(),
    run: |host| {
        says_nothing(host)?;
        host.service("shop").running()?;
        Ok(())
    },
    check: "for _ in $(seq 50); do ! pidof shop-daemon || break; sleep 0.1; done; pidof shop-daemon",
    rerun: Some("of a script without a status nobody knows whether it runs: it is told to start each time"),
    ..Case::DEFAULT
};

const SYSV_MUTE_AND_PROBED: Case = Case {
    name: "sysv_mute_and_probed",
    prepare: mute!(),
    run: |host| {
        says_nothing(host)?;
        host.service("shop").pidfile("/run/shop.pid").process("shop-daemon").running()?;
        Ok(())
    },
    check: "pidof shop-daemon",
    ..Case::DEFAULT
};

fn says_nothing(host: &Host) -> Result<()> {
    let shop = host.service("shop");
    ensure!(shop.status()? == Status::Unknown, "a script that explains its usage said that it is {}", shop.status()?);
    ensure!(shop.is_running().is_err() && shop.is_stopped().is_err(), "nobody knows whether it runs");
    Ok(())
}

/// What runs as process 1 is what the facts say.
fn is_under(host: &Host, init: &FirstProcess) -> Result<()> {
    let facts = host.facts();
    ensure!(facts.init() == init, "the facts say that process 1 is {:?}, and it is {init:?}", facts.init());
    Ok(())
}

const SCRIPT: &str = "#!/bin/sh\n### BEGIN INIT INFO\n# Provides: own\n# Required-Start: $remote_fs\n\
    # Required-Stop: $remote_fs\n# Default-Start: 2 3 4 5\n# Default-Stop: 0 1 6\n### END INIT INFO\n\
    case \"$1\" in start|restart) touch /run/own ;; stop) rm -f /run/own ;; status) [ -e /run/own ] || exit 3 ;; esac\n";

const SYSV_SCRIPT: Case = Case {
    name: "sysv_script",
    prepare: "rm -f /etc/init.d/own /run/own; update-rc.d -f own remove",
    run: |host| {
        host.init_script("own").content(SCRIPT).present()?;
        host.service("own").enabled_and_running()?;
        Ok(())
    },
    check: "[ -e /run/own ]; /etc/init.d/own status; ls /etc/rc2.d/S*own; [ $(stat -c %a /etc/init.d/own) = 755 ]",
    unforeseen: &["service own enabled and running"],
    ..Case::DEFAULT
};

const SYSV_SCRIPT_GOES: Case = Case {
    name: "sysv_script_goes",
    prepare: "printf '#!/bin/sh\\n# Default-Start: 2\\n[ $1 != status ] || exit 3\\n' >/etc/init.d/own
        chmod 755 /etc/init.d/own; ln -sf ../init.d/own /etc/rc2.d/S01own
        mkdir -p /var/lib/wb-operations
        echo '{\"debts\":[{\"action\":\"restart\",\"service\":\"own\"}],\"steps\":[]}' >/var/lib/wb-operations/journal.json",
    run: |host| {
        host.init_script("own").absent()?;
        Ok(())
    },
    check: "[ -z \"$(ls /etc/init.d/own /etc/rc*.d/*own 2>/dev/null)\" ]; grep '\"debts\":\\[\\]' /var/lib/wb-operations/journal.json",
    ..Case::DEFAULT
};

const SHOP: &str = "[Service]\nExecStart=/bin/sleep 100001\n\n[Install]\nWantedBy=multi-user.target\n";

const SYSTEMD_UNIT: Case = Case {
    name: "systemd_unit",
    init: Init::Systemd,
    prepare: "rm -f /etc/systemd/system/unit.service; systemctl daemon-reload",
    run: |host| {
        host.unit("unit.service").content(SHOP).present()?;
        host.service("unit").enabled_and_running()?;
        Ok(())
    },
    check: "systemctl is-active unit; systemctl is-enabled unit; pgrep -f '^/bin/sleep 100001'
        [ $(systemctl show -P NeedDaemonReload unit) = no ]; [ ! -e /run/wildebeest/daemon-reload ]",
    unforeseen: &["service unit enabled and running"],
    ..Case::DEFAULT
};

/// systemd does not say of itself that it must read a unit that was put before that of a package.
const SYSTEMD_OVERRIDE: Case = Case {
    name: "systemd_override",
    init: Init::Systemd,
    prepare: "rm -rf /etc/systemd/system/packaged.service* /etc/systemd/system/again.service* /srv/again
        printf '[Service]\\nExecStart=/bin/sleep 100002\\n' >/lib/systemd/system/packaged.service
        printf '[Service]\\nExecStart=/bin/sleep 100010\\nExecReload=/bin/touch /srv/again\\n' \
            >/etc/systemd/system/again.service
        systemctl daemon-reload; systemctl restart packaged again",
    run: |host| {
        let packaged = host.service("packaged");
        let content = "[Service]\nExecStart=/bin/sleep 100003\n";
        host.unit("packaged.service").content(content).restarts(&packaged).present()?;
        let limits = "[Service]\nLimitNOFILE=4321\n";
        host.unit("packaged.service").dropin("limits").content(limits).restarts(&packaged).present()?;
        let again = host.service("again");
        host.unit("again.service").dropin("nice").content("[Service]\nNice=5\n").reloads(&again).present()?;
        Ok(())
    },
    check: "[ -z \"$(pgrep -f '^/bin/sleep 100002')\" ]; pid=$(pgrep -f '^/bin/sleep 100003')
        grep 'Max open files *4321 ' /proc/$pid/limits; [ $(systemctl show -P NeedDaemonReload packaged) = no ]
        [ -e /srv/again ]; pgrep -f '^/bin/sleep 100010'",
    ..Case::DEFAULT
};

const SYSTEMD_MASKED: Case = Case {
    name: "systemd_masked",
    init: Init::Systemd,
    prepare: "rm -f /etc/systemd/system/absent.service; ln -sf /dev/null /etc/systemd/system/masked.service
        ln -sf /dev/null /etc/systemd/system/kept.service; systemctl daemon-reload",
    run: |host| {
        units_are_looked_at(host)?;
        host.service("absent").masked()?;
        host.service("masked").unmasked()?;
        Ok(())
    },
    check: "[ $(readlink /etc/systemd/system/absent.service) = /dev/null ]; [ ! -L /etc/systemd/system/masked.service ]",
    ..Case::DEFAULT
};

/// What specs ask of units that stay as they are.
fn units_are_looked_at(host: &Host) -> Result<()> {
    host.service("kept").is_masked()?;
    ensure!(host.service("booted").is_masked().is_err(), "it can be started");
    let booted = host.unit("booted.service");
    booted.exists()?;
    booted.contains("Type=oneshot")?;
    ensure!(booted.contains("Type=simple").is_err(), "it is of another type");
    ensure!(host.unit("none.service").exists().is_err(), "there is no such unit");
    Ok(())
}

/// Units that do not say when they start, one of which a timer starts, beside one that does.
const SYSTEMD_STATIC: Case = Case {
    name: "systemd_static",
    init: Init::Systemd,
    prepare: "cd /etc/systemd/system
        printf '[Service]\\nType=oneshot\\nExecStart=/bin/true\\n' | tee timed.service alone.service >told.service
        printf '[Install]\\nWantedBy=multi-user.target\\n' >>told.service
        printf '[Timer]\\nOnCalendar=daily\\n[Install]\\nWantedBy=timers.target\\n' >timed.timer
        systemctl daemon-reload; systemctl disable told; systemctl enable --now timed.timer",
    run: |host| {
        host.service("timed").enabled()?;
        host.service("alone").disabled()?;
        ensure!(host.service("alone").is_enabled().is_err(), "nothing starts it");
        host.service("told").enabled()?;
        Ok(())
    },
    check: "systemctl is-enabled timed | grep static; systemctl is-enabled told",
    ..Case::DEFAULT
};

const SYSTEMD_UNIT_GOES: Case = Case {
    name: "systemd_unit_goes",
    init: Init::Systemd,
    prepare: "printf '[Service]\\nExecStart=/bin/sleep 100004\\n[Install]\\nWantedBy=multi-user.target\\n' \
            >/etc/systemd/system/going.service
        systemctl daemon-reload; systemctl enable --now going",
    run: |host| {
        host.unit("going.service").absent()?;
        Ok(())
    },
    check: "[ -z \"$(pgrep -f '^/bin/sleep 100004')\" ]; [ ! -e /etc/systemd/system/going.service ]
        [ ! -L /etc/systemd/system/multi-user.target.wants/going.service ]
        [ $(systemctl show -P LoadState going) = not-found ]",
    ..Case::DEFAULT
};

const SYSTEMD_TIMER: Case = Case {
    name: "systemd_timer",
    init: Init::Systemd,
    prepare: "rm -f /etc/systemd/system/nightly.*; systemctl daemon-reload",
    run: |host| {
        let nightly = host.timer("nightly").on_calendar("*-*-* 03:00").on_calendar("Sun 12:00");
        nightly.runs("/bin/touch /run/nightly").within(Duration::from_mins(5)).not_made_up_for().present()?;
        Ok(())
    },
    check: "systemctl is-active nightly.timer; systemctl is-enabled nightly.timer
        [ $(systemctl show -P Persistent nightly.timer) = no ]
        systemctl show -P TimersCalendar nightly.timer | grep 03:00:00; systemctl start nightly; [ -e /run/nightly ]",
    unforeseen: &["service nightly.timer enabled and running"],
    ..Case::DEFAULT
};

const SYSTEMD_TIMER_GOES: Case = Case {
    name: "systemd_timer_goes",
    init: Init::Systemd,
    prepare: "cd /etc/systemd/system; printf '[Service]\\nType=oneshot\\nExecStart=/bin/true\\n' >past.service
        printf '[Timer]\\nOnCalendar=daily\\n[Install]\\nWantedBy=timers.target\\n' >past.timer
        systemctl daemon-reload; systemctl enable --now past.timer",
    run: |host| {
        host.timer("past").absent()?;
        Ok(())
    },
    check: "[ -z \"$(ls /etc/systemd/system/past.* 2>/dev/null)\" ]
        [ ! -L /etc/systemd/system/timers.target.wants/past.timer ]; [ $(systemctl show -P ActiveState past.timer) = inactive ]",
    ..Case::DEFAULT
};

const OPENRC_OF_ITS_OWN: Case = Case {
    name: "openrc_of_its_own",
    init: Init::OpenRc,
    prepare: "rm -f /etc/init.d/native",
    run: |host| {
        let script = "#!/sbin/openrc-run\ncommand=/bin/sleep\ncommand_args=100005\nsupervisor=supervise-daemon\n";
        host.init_script("native").content(script).present()?;
        host.service("native").enabled_and_running()?;
        Ok(())
    },
    check: "rc-service native status; [ -L /etc/runlevels/default/native ]; pgrep -f '^/bin/sleep 100005'",
    unforeseen: &["service native enabled and running"],
    ..Case::DEFAULT
};

/// `rc-status` shows it stopped all the time.
const OPENRC_LSB: Case = Case {
    name: "openrc_lsb",
    init: Init::OpenRc,
    prepare: concat!(
        lsb!("status) pidofproc -p /run/shop.pid /usr/local/bin/shop-daemon >/dev/null ;;"),
        "/etc/init.d/shop stop; rc-update add shop boot"
    ),
    run: |host| {
        is_under(host, &FirstProcess::Openrc)?;
        host.service("shop").running()?;
        host.service("shop").disabled()?;
        Ok(())
    },
    check: "pidof shop-daemon; [ -z \"$(ls /etc/runlevels/*/shop 2>/dev/null)\" ]",
    ..Case::DEFAULT
};

const OPENRC_CRASHED: Case = Case {
    name: "openrc_crashed",
    init: Init::OpenRc,
    prepare: "[ -e /usr/local/bin/fragile-daemon ] || cp /bin/sleep /usr/local/bin/fragile-daemon
        printf '#!/sbin/openrc-run\\ncommand=/usr/local/bin/fragile-daemon\\ncommand_args=100006\\n\
            command_background=yes\\npidfile=/run/fragile.pid\\n' >/etc/init.d/fragile
        chmod 755 /etc/init.d/fragile; rc-service fragile start
        while ! pidof fragile-daemon; do sleep 0.1; done
        kill -9 $(pidof fragile-daemon)
        while pidof fragile-daemon; do sleep 0.1; done",
    run: |host| {
        // Debian's start-stop-daemon tells OpenRC of no daemon, so that it knows of no crash.
        host.service("fragile").pidfile("/run/fragile.pid").process("fragile-daemon").running()?;
        Ok(())
    },
    check: "rc-service fragile status
        for _ in $(seq 50); do ! pidof fragile-daemon || break; sleep 0.1; done
        pidof fragile-daemon",
    ..Case::DEFAULT
};

const RUNIT: Case = Case {
    name: "runit",
    init: Init::Runit,
    prepare: "[ ! -e /etc/sv/kept ]",
    run: |host| {
        is_under(host, &FirstProcess::Runit)?;
        host.run_script("kept").content("#!/bin/sh\nexec sleep 100007\n").present()?;
        host.service("kept").enabled_and_running()?;
        Ok(())
    },
    check: "sv status kept | grep ^run:; [ -L /etc/service/kept ]; [ ! -e /etc/sv/kept/down ]; pgrep -f '^sleep 100007'",
    unforeseen: &["service kept enabled and running"],
    ..Case::DEFAULT
};

const RUNIT_OFF: Case = Case {
    name: "runit_off",
    init: Init::Runit,
    prepare: "mkdir -p /etc/sv/off; printf '#!/bin/sh\\nexec sleep 100008\\n' >/etc/sv/off/run
        chmod 755 /etc/sv/off/run; rm -f /etc/sv/off/down; ln -sfn /etc/sv/off /etc/service/off
        for _ in $(seq 100); do ! sv status off | grep ^run: || break; sleep 0.1; done",
    run: |host| {
        host.service("off").stopped()?;
        host.service("off").disabled()?;
        Ok(())
    },
    check: "sv status off | grep ^down:; [ -e /etc/sv/off/down ]; [ -z \"$(pgrep -f '^sleep 100008')\" ]",
    restless: &["/etc/sv"],
    ..Case::DEFAULT
};

const RUNIT_GOES: Case = Case {
    name: "runit_goes",
    init: Init::Runit,
    prepare: "mkdir -p /etc/sv/gone; printf '#!/bin/sh\\nexec sleep 100009\\n' >/etc/sv/gone/run
        chmod 755 /etc/sv/gone/run; ln -sfn /etc/sv/gone /etc/service/gone
        for _ in $(seq 100); do ! sv status gone | grep ^run: || break; sleep 0.1; done",
    run: |host| {
        host.run_script("gone").absent()?;
        Ok(())
    },
    check: "[ ! -L /etc/service/gone ]; [ ! -e /etc/sv/gone ]; [ -z \"$(pgrep -f '^sleep 100009')\" ]
        [ -z \"$(pgrep -f '^runsv gone')\" ]",
    restless: &["/etc/sv"],
    ..Case::DEFAULT
};
