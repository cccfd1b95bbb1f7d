//! What specs ask: each question once where the answer is yes and once where it is no, as a line of shell says, too.
//!
//! Here is what any host has; the looks of servers, firewalls and units stand where these are. SELinux is looked at
//! nowhere: no kernel of these hosts has it. And whether a swap space is in use is asked only where none is: these hosts
//! can't have any.

use wb_stdlib::prelude::*;

use crate::Case;
use crate::users::key;

pub(crate) static CASES: &[Case] = &[
    Case {
        name: "files_and_people",
        packages: &["acl", "libcap2-bin"],
        prepare: concat!(
            "for name in anna bob; do userdel -r $name || :; groupdel $name || :; rm -rf /home/$name; done
            useradd -m -u 2001 -s /bin/sh -G games anna; useradd -m bob; echo 'bob:$6$x$y' | chpasswd -e
            mkdir -p /home/anna/.ssh /etc/sudoers.d; echo 'Defaults:anna !requiretty' >/etc/sudoers.d/asked
            echo '",
            key!(),
            "' >/home/anna/.ssh/authorized_keys; echo 'anna - nofile 4321' >/etc/security/limits.d/asked.conf
            rm -rf /srv/asked; mkdir -p /srv/asked/of; cd /srv/asked; echo 'needle in it' >file; ln -s file link
            chown www-data:games file; chmod 640 file; chown games of; chmod 750 of; touch listed
            setfacl -m u:games:r-- listed; cp /bin/true capable; setcap cap_net_raw=ep capable"
        ),
        run: |host| {
            of_files(host)?;
            of_directories_and_links(host)?;
            of_users(host)?;
            of_groups(host)?;
            of_what_people_may(host)
        },
        check: "true",
        ..Case::DEFAULT
    },
    Case {
        name: "machine",
        packages: &["cron", "openssl"],
        prepare: r#"
            rm -rf /srv/asked; mkdir -p /srv/asked; cd /srv/asked
            mkdir -p /run/sshd; pidof sshd || /usr/sbin/sshd
            for it in on:0 off:3; do
                printf '#!/bin/sh\n[ "$1" != status ] || exit %s\n' ${it#*:} >/etc/init.d/asked-${it%:*}
                chmod 755 /etc/init.d/asked-${it%:*}
            done
            ln -sf ../init.d/asked-on /etc/rc2.d/S01asked-on
            [ -e /usr/local/bin/asked-daemon ] || cp /bin/sleep /usr/local/bin/asked-daemon
            { pidof asked-daemon || /usr/local/bin/asked-daemon 100000; } </dev/null >/dev/null 2>&1 &
            for _ in $(seq 50); do ! pidof asked-daemon >/run/asked.pid || break; sleep 0.1; done
            printf '# wildebeest: asked\n@daily true\n' | crontab -u games -
            echo tar hold | dpkg --set-selections
            printf 'Enabled: no\nTypes: deb\nURIs: file:/srv/none\nSuites: ./\n' >/etc/apt/sources.list.d/asked.sources
            update-alternatives --install /usr/bin/asked asked /bin/true 1
            dpkg-divert --list /usr/bin/asked-diverted | grep -q . ||
                dpkg-divert --local --no-rename --divert /usr/bin/asked-diverted.distrib --add /usr/bin/asked-diverted
            hostname asked; printf '127.0.0.1 localhost\n192.0.2.5 asked.example.org\n' >/etc/hosts
            ln -sf /usr/share/zoneinfo/Europe/Berlin /etc/localtime; echo LANG=C.UTF-8 >/etc/default/locale
            echo 600 >/proc/sys/net/ipv4/tcp_keepalive_time
            umount /srv/mounted 2>/dev/null || true; mkdir -p /srv/mounted; mount -t tmpfs tmpfs /srv/mounted
            touch health; echo 0 >up; echo -254 >down
            printf 'upstream shop {\n    server 127.0.0.1:8001;\n    server 127.0.0.1:8002 down;\n}\n' >upstream.conf
            openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=asked -days 90 -keyout /dev/null -out asked.pem \
                -addext subjectAltName=DNS:asked.example.org 2>/dev/null"#,
        run: |host| {
            of_services(host)?;
            of_processes(host)?;
            of_packages(host)?;
            of_names_and_times(host)?;
            of_the_kernel(host)?;
            of_balancers_and_certificates(host)?;
            ports(host)
        },
        check: "umount /srv/mounted",
        ..Case::DEFAULT
    },
];

/// The look and the line of shell say yes of the first, and no of the second.
fn asks(host: &Host, line: &str, [yes, no]: [&str; 2], look: impl Fn(&str) -> Result<()>) -> Result<()> {
    let says = |of: &str| host.shell(line).args(["sh", of]).succeeds();
    says(yes).with_context(|| format!("`{line}` is to say yes of `{yes}`"))?;
    ensure!(says(no).is_err(), "`{line}` is to say no of `{no}`");
    look(yes).with_context(|| format!("`{line}` says yes of `{yes}`"))?;
    ensure!(look(no).is_err(), "`{line}` says no of `{no}`, and the look yes");
    Ok(())
}

fn octal(mode: &str) -> Result<u32> {
    Ok(u32::from_str_radix(mode, 8)?)
}

fn of_files(host: &Host) -> Result<()> {
    let file = || host.file("/srv/asked/file");
    asks(host, r#"test -f "$1""#, ["/srv/asked/file", "/srv/asked/none"], |path| host.file(path).exists())?;
    asks(host, r#"! test -e "$1""#, ["/srv/asked/none", "/srv/asked/file"], |path| host.file(path).is_absent())?;
    asks(host, r#"grep -qF "$1" /srv/asked/file"#, ["needle", "hay"], |text| file().contains(text))?;
    let mode = r#"[ "$(stat -c %a /srv/asked/file)" = "$1" ]"#;
    asks(host, mode, ["640", "600"], |mode| file().has_mode(octal(mode)?))?;
    let owner = r#"[ "$(stat -c %U /srv/asked/file)" = "$1" ]"#;
    asks(host, owner, ["www-data", "root"], |user| file().has_owner(user))?;
    let group = r#"[ "$(stat -c %G /srv/asked/file)" = "$1" ]"#;
    asks(host, group, ["games", "root"], |group| file().has_group(group))?;
    let entry = r#"getfacl -cp /srv/asked/listed | grep -qxF "$1""#;
    asks(host, entry, ["user:games:r--", "user:games:rw-"], |entry| host.file("/srv/asked/listed").has_acl(entry))?;
    let capable = r#"[ "$(getcap /srv/asked/capable)" = "/srv/asked/capable $1" ]"#;
    let looked = |these: &str| host.file("/srv/asked/capable").has_capabilities(these);
    asks(host, capable, ["cap_net_raw=ep", "cap_chown=ep"], looked)?;
    let line = r#"grep -qx "$1" /srv/asked/file"#;
    asks(host, line, ["needle in it", "hay"], |line| host.edit("/srv/asked/file").line(line).is_present())
}

fn of_directories_and_links(host: &Host) -> Result<()> {
    let of = || host.directory("/srv/asked/of");
    asks(host, r#"test -d "$1""#, ["/srv/asked/of", "/srv/asked/file"], |path| host.directory(path).exists())?;
    let mode = r#"[ "$(stat -c %a /srv/asked/of)" = "$1" ]"#;
    asks(host, mode, ["750", "755"], |mode| of().has_mode(octal(mode)?))?;
    asks(host, r#"[ "$(stat -c %U /srv/asked/of)" = "$1" ]"#, ["games", "root"], |user| of().has_owner(user))?;
    let target = r#"[ "$(readlink /srv/asked/link)" = "$1" ]"#;
    asks(host, target, ["file", "/srv/asked/file"], |target| host.link("/srv/asked/link").leads_to(target))
}

fn of_users(host: &Host) -> Result<()> {
    let anna = || host.user("anna");
    asks(host, r#"getent passwd "$1""#, ["anna", "nobody-here"], |name| host.user(name).exists())?;
    asks(host, r#"! getent passwd "$1""#, ["nobody-here", "anna"], |name| host.user(name).is_absent())?;
    asks(host, r#"[ "$(id -u anna)" = "$1" ]"#, ["2001", "2002"], |uid| anna().has_uid(uid.parse()?))?;
    let shell = r#"[ "$(getent passwd anna | cut -d: -f7)" = "$1" ]"#;
    asks(host, shell, ["/bin/sh", "/bin/bash"], |shell| anna().has_shell(shell))?;
    let home = r#"[ "$(getent passwd anna | cut -d: -f6)" = "$1" ]"#;
    asks(host, home, ["/home/anna", "/home/bob"], |home| anna().has_home(home))?;
    let group = r#"id -Gn anna | tr ' ' '\n' | grep -qx "$1""#;
    asks(host, group, ["games", "audio"], |group| anna().is_in(group))?;
    asks(host, group, ["anna", "bob"], |group| anna().is_in(group))?;
    let locked = r#"passwd -S "$1" | cut -d ' ' -f 2 | grep -qx L"#;
    asks(host, locked, ["anna", "bob"], |name| host.user(name).is_locked())
}

fn of_groups(host: &Host) -> Result<()> {
    let games = || host.group("games");
    asks(host, r#"getent group "$1""#, ["games", "none-here"], |name| host.group(name).exists())?;
    asks(host, r#"! getent group "$1""#, ["none-here", "games"], |name| host.group(name).is_absent())?;
    let gid = r#"[ "$(getent group games | cut -d: -f3)" = "$1" ]"#;
    asks(host, gid, ["60", "61"], |gid| games().has_gid(gid.parse()?))?;
    let members = r#"getent group games | cut -d: -f4 | tr , '\n' | grep -qx "$1""#;
    asks(host, members, ["anna", "bob"], |user| games().has_member(user))
}

fn of_what_people_may(host: &Host) -> Result<()> {
    let has = r#"grep -q "^ssh-ed25519 AAAA" "/home/$1/.ssh/authorized_keys""#;
    asks(host, has, ["anna", "bob"], |user| host.authorized_keys(user).has(key!()))?;
    let lacks = r#"! grep -q "^ssh-ed25519 AAAA" "/home/$1/.ssh/authorized_keys""#;
    asks(host, lacks, ["bob", "anna"], |user| host.authorized_keys(user).lacks(key!()))?;
    asks(host, r#"test -f "/etc/sudoers.d/$1""#, ["asked", "none"], |name| host.sudoers(name).exists())?;
    let said = r#"grep -qF "$1" /etc/sudoers.d/asked"#;
    asks(host, said, ["!requiretty", "NOPASSWD"], |text| host.sudoers("asked").contains(text))?;
    asks(host, r#"test -f "/etc/security/limits.d/$1.conf""#, ["asked", "none"], |name| host.limits(name).exists())?;
    let limit = r#"grep -qF "$1" /etc/security/limits.d/asked.conf"#;
    asks(host, limit, ["anna - nofile 4321", "anna - nproc 1"], |line| host.limits("asked").contains(line))
}

fn of_services(host: &Host) -> Result<()> {
    let runs = r#""/etc/init.d/$1" status"#;
    asks(host, runs, ["asked-on", "asked-off"], |name| host.service(name).is_running())?;
    let is_stopped = r#"! "/etc/init.d/$1" status"#;
    asks(host, is_stopped, ["asked-off", "asked-on"], |name| host.service(name).is_stopped())?;
    asks(host, r#"ls "/etc/rc2.d/S01$1""#, ["asked-on", "asked-off"], |name| host.service(name).is_enabled())?;
    let is_disabled = r#"! ls "/etc/rc2.d/S01$1""#;
    asks(host, is_disabled, ["asked-off", "asked-on"], |name| host.service(name).is_disabled())?;
    let cron = r##"crontab -u games -l | grep -qxF "# wildebeest: $1""##;
    asks(host, cron, ["asked", "none"], |name| host.cron(name).user("games").is_present())?;
    let crontab = r#"crontab -u games -l | grep -qF "$1""#;
    asks(host, crontab, ["@daily true", "@hourly"], |text| host.crontab("games").contains(text))
}

fn of_processes(host: &Host) -> Result<()> {
    asks(host, r#"pidof "$1""#, ["asked-daemon", "none-here"], |name| host.process(name).is_running())?;
    asks(host, r#"! pidof "$1""#, ["none-here", "asked-daemon"], |name| host.process(name).is_absent())?;
    let by_number = r#"kill -0 "$(cat "$1")""#;
    asks(host, by_number, ["/run/asked.pid", "/run/none.pid"], |path| host.pidfile(path).is_running())?;
    let prints = r#"[ "$(echo here)" = "$1" ]"#;
    asks(host, prints, ["here", "there"], |text| host.command("echo here").prints(text))?;
    asks(host, r#"sh -c "$1""#, ["true", "false"], |line| host.command(line).succeeds())
}

fn of_packages(host: &Host) -> Result<()> {
    let is_there = r#"dpkg-query -W -f '${Status}' "$1" | grep -q ' installed$'"#;
    asks(host, is_there, ["coreutils", "none-here"], |name| host.package(name).is_installed())?;
    let is_absent = r#"! dpkg-query -W -f '${Status}' "$1""#;
    asks(host, is_absent, ["none-here", "coreutils"], |name| host.package(name).is_absent())?;
    let version = r#"case "$(dpkg-query -W -f '${Version}' coreutils)" in $1) ;; *) exit 1 ;; esac"#;
    asks(host, version, ["9.*", "8.*"], |version| host.package("coreutils").has_version(version))?;
    let held = r#"dpkg --get-selections "$1" | grep -q hold"#;
    asks(host, held, ["tar", "coreutils"], |name| host.package(name).is_held())?;
    let repository = r#"test -f "/etc/apt/sources.list.d/$1.sources""#;
    asks(host, repository, ["asked", "none"], |name| host.apt_repository(name).exists())?;
    let alternative = r#"[ "$(readlink /etc/alternatives/asked)" = "$1" ]"#;
    asks(host, alternative, ["/bin/true", "/bin/false"], |path| host.alternative("asked").is(path))?;
    let diverted = r#"dpkg-divert --list "$1" | grep -q ."#;
    asks(host, diverted, ["/usr/bin/asked-diverted", "/usr/bin/asked"], |path| host.diversion(path).exists())
}

fn of_names_and_times(host: &Host) -> Result<()> {
    asks(host, r#"[ "$(uname -n)" = "$1" ]"#, ["asked", "other"], |name| host.hostname(name).is_set())?;
    let leads = r#"getent ahostsv4 asked.example.org | grep -q "^$1 ""#;
    let entry = || host.hosts_entry("asked.example.org");
    asks(host, leads, ["192.0.2.5", "192.0.2.6"], |address| entry().leads_to(address))?;
    let zone = r#"[ "$(readlink /etc/localtime)" = "/usr/share/zoneinfo/$1" ]"#;
    asks(host, zone, ["Europe/Berlin", "Etc/UTC"], |name| host.timezone(name).is_set())?;
    asks(host, r#"locale -a | grep -qx "$1""#, ["C.utf8", "de_DE.utf8"], |name| host.locale(name).is_generated())?;
    let default = r#"grep -qx "LANG=$1" /etc/default/locale"#;
    asks(host, default, ["C.UTF-8", "de_DE.UTF-8"], |name| host.locale(name).is_default())
}

fn of_the_kernel(host: &Host) -> Result<()> {
    let setting = r#"[ "$(cat /proc/sys/net/ipv4/tcp_keepalive_time)" = "$1" ]"#;
    let looked = |value: &str| host.sysctl("net.ipv4.tcp_keepalive_time").value(value).is_set();
    asks(host, setting, ["600", "601"], looked)?;
    asks(host, r#"mountpoint -q "$1""#, ["/srv/mounted", "/srv/asked"], |path| host.mount(path).is_mounted())?;
    let module = r#"test -d "/sys/module/$1""#;
    asks(host, module, ["overlay", "no_such_module"], |name| host.kernel_module(name).is_loaded())?;
    ensure!(host.swap("/swapfile").is_on().is_err(), "there is no such swap space");
    Ok(())
}

fn of_balancers_and_certificates(host: &Host) -> Result<()> {
    let (there, none) = ("/srv/asked/health", "/srv/asked/none");
    asks(host, r#"test -e "$1""#, [there, none], |path| host.health_file(path).is_up())?;
    asks(host, r#"! test -e "$1""#, [none, there], |path| host.health_file(path).is_down())?;
    let zero = r#"[ "$(cat "$1")" = 0 ]"#;
    asks(host, zero, ["/srv/asked/up", "/srv/asked/down"], |path| host.track_file(path).is_up())?;
    let upstream = || host.nginx_upstream("/srv/asked/upstream.conf");
    let server = r#"grep -q "server $1;" /srv/asked/upstream.conf"#;
    asks(host, server, ["127.0.0.1:8001", "127.0.0.1:8002"], |server| upstream().is_up(server))?;
    let certificate = || host.certificate("/srv/asked/asked.pem");
    let valid = r#"openssl x509 -in /srv/asked/asked.pem -noout -checkend "$1""#;
    let looked = |seconds: &str| certificate().is_valid_for(Duration::from_secs(seconds.parse()?));
    asks(host, valid, ["7000000", "9000000"], looked)?;
    let name = r#"openssl x509 -in /srv/asked/asked.pem -noout -ext subjectAltName | grep -q "DNS:$1$""#;
    asks(host, name, ["asked.example.org", "example.org"], |name| certificate().is_for(name))
}

/// That nobody listens is seen in ten seconds only: a plan has these.
fn ports(host: &Host) -> Result<()> {
    host.port(22).is_listening()?;
    host.port(1).is_free()?;
    host.file("/srv/asked/once").present()?;
    if host.file("/srv/asked/once").exists().is_err() {
        ensure!(host.port(1).is_listening().is_err(), "nobody listens there");
    }
    Ok(())
}
