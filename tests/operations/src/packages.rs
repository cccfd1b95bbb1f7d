//! Packages, of apt and of other managers, from repositories on the host itself; and what belongs to them: answers,
//! alternatives, diversions.

use wb_stdlib::packages::{Manager, PackageError};
use wb_stdlib::prelude::*;

use crate::Case;
use crate::case::refuses;

/// A script that can make packages (`deb REPOSITORY NAME VERSION FIELDS`, with a file in `/etc`, and scripts of `$D` if
/// that is set; `starting REPOSITORY NAME` one that starts a service), the index of a repository (`index REPOSITORY`),
/// and let apt read it (`follow REPOSITORY [URI]`). `beside NAME WORDS` starts what goes on [beside](crate::beside) the case.
/// Apt then knows no mirrors any more: whenever a list is new, it reads all of them, for seconds where Debian's are among
/// them.
macro_rules! with_debs {
    ($script:literal) => {
        concat!(
            r#"set -e
            export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
            rm -f /etc/apt/sources.list /etc/apt/sources.list.d/0000* /etc/apt/apt.conf.d/wb*
            deb() {
                d=$(mktemp -d); mkdir -p $d/DEBIAN $d/etc $1
                [ -z "$D" ] || cp -a $D/. $d
                chmod 755 $d
                { echo Package: $2; echo Version: $3; echo Architecture: all; echo 'Maintainer: T <t@example.org>'
                  [ -z "$4" ] || echo "$4"; echo 'Description: of a test'; } >$d/DEBIAN/control
                echo of $2 $3 >$d/etc/$2.conf; echo /etc/$2.conf >$d/DEBIAN/conffiles
                dpkg-deb -Zgzip -b $d $1/$2_$3.deb >/dev/null; rm -rf $d
            }
            starting() {
                D=$(mktemp -d); mkdir -p $D/DEBIAN $D/etc/init.d
                printf '#!/bin/sh\n### BEGIN INIT INFO\n# Provides: %s\n# Required-Start:\n# Required-Stop:\n# Default-Start: 2 3 4 5\n# Default-Stop:\n### END INIT INFO\n[ "$1" != start ] || touch /srv/%s-started\n' $2 $2 >$D/etc/init.d/$2
                printf '#!/bin/sh\nset -e\nupdate-rc.d %s defaults >/dev/null\ninvoke-rc.d %s start\n' $2 $2 >$D/DEBIAN/postinst
                chmod 755 $D/etc/init.d/$2 $D/DEBIAN/postinst
                deb $1 $2 1.0; D=; rm -f /srv/$2-started
            }
            index() {
                ( cd $1; for f in *.deb; do
                    dpkg-deb -f $f; echo Filename: ./$f; echo Size: $(stat -c %s $f)
                    echo SHA256: $(sha256sum $f | cut -d' ' -f1); echo
                  done >Packages
                  { echo 'Origin: T'; echo 'Suite: stable'; echo Date: $(date -Ru); echo SHA256:
                    echo ' '$(sha256sum Packages | cut -d' ' -f1) $(stat -c %s Packages) Packages; } >Release )
            }
            follow() {
                list=/etc/apt/sources.list.d/$(basename $1).list
                echo "deb [trusted=yes] ${2:-file:$1} ./" >$list
                apt-get -q update -o Dir::Etc::SourceList=$list -o Dir::Etc::SourceParts=- -o APT::Get::List-Cleanup=0
                touch /var/lib/apt/lists
            }
            install() { apt-get -q -y install "$@"; }
            beside() {
                kill $(cat /run/$1.pid) 2>/dev/null || true; rm -f /srv/$1-*
                wb-operations beside "$@" </dev/null >/run/$1.log 2>&1 & echo $! >/run/$1.pid
                for _ in $(seq 100); do [ ! -e /srv/$1-ready ] || return 0; sleep 0.1; done
                cat /run/$1.log; return 1
            }
            D=
            "#,
            $script
        )
    };
}

/// A script that can make packages for rpm, into `$R/noarch`: `rpmpkg NAME VERSION [FIELDS]`.
macro_rules! with_rpms {
    () => {
        r"set -e
        rpmpkg() {
            mkdir -p $R
            printf 'Name: %s\nVersion: %s\nRelease: 1\nSummary: of a test\nLicense: MIT\nBuildArch: noarch\n%b%%description\nx\n%%files\n' $1 $2 $3 >/srv/$1.spec
            rpmbuild -bb --quiet --define '_topdir /tmp/wb-rpm' --define _rpmdir\ $R /srv/$1.spec
        }
        "
    };
}

/// dnf's plugins: its list of what is held is empty; a repository of what dnf loads, for which it wants a key, is off.
macro_rules! with_plugins_of_dnf {
    () => {
        r"plugins=/etc/dnf/plugins; mkdir -p $plugins /etc/yum.repos.d
        printf '[main]\nenabled = false\n' >$plugins/local.conf
        printf '[main]\nenabled = 1\nlocklist = /etc/dnf/plugins/versionlock.list\n' >$plugins/versionlock.conf
        : >$plugins/versionlock.list
        "
    };
}

/// A public key, for apk to trust. It signed nothing.
const APK_KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
                       MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
                       -----END PUBLIC KEY-----\n";

pub(crate) static CASES: &[Case] = &[
    Case {
        name: "installed",
        prepare: with_debs!(
            "R=/srv/wb-installed; deb $R wba-one 1.0 'Depends: wba-two'; deb $R wba-two 1.0; index $R; follow $R"
        ),
        run: |host| {
            host.packages(["wba-one", "coreutils"]).installed()?;
            Ok(())
        },
        check: "[ \"$(dpkg-query -W -f '${Status} ${Version}' wba-one)\" = 'install ok installed 1.0' ]
            [ \"$(dpkg-query -W -f '${Status}' wba-two)\" = 'install ok installed' ]",
        ..Case::DEFAULT
    },
    Case {
        name: "absent",
        prepare: with_debs!(
            "R=/srv/wb-absent; for p in wbb-absent wbb-purged wbb-left; do deb $R $p 1.0; done
             deb $R wbb-user 1.0 'Depends: wbb-absent'; index $R; follow $R
             install wbb-absent wbb-purged wbb-left wbb-user; apt-get -q -y remove wbb-left"
        ),
        run: |host| {
            host.packages(["wbb-absent"]).absent()?;
            host.packages(["wbb-purged", "wbb-left"]).purged()?;
            Ok(())
        },
        check: "ls /etc/wbb-absent.conf
            for f in /etc/wbb-purged.conf /etc/wbb-left.conf; do [ ! -e $f ] || exit 1; done
            for p in wbb-absent wbb-user wbb-purged wbb-left; do
                ! dpkg-query -W -f '${db:Status-Abbrev}' $p 2>/dev/null | grep -q ^.i || exit 1
            done",
        ..Case::DEFAULT
    },
    Case {
        name: "displaced",
        prepare: with_debs!(
            "R=/srv/wb-displaced; deb $R wbq-old 1.0; deb $R wbq-new 1.0 'Conflicts: wbq-old'; index $R; follow $R
             install wbq-old; rm -f /srv/wbq-acts"
        ),
        run: |host| {
            host.file("/srv/wbq-acts").content("").present()?;
            if host.file("/srv/wbq-acts").read()?.is_some()
                && let Err(error) = host.packages(["wbq-new"]).installed()
            {
                ensure!(error.to_string().contains("wbq-old"), "it does not say what would go: {error}");
            }
            host.packages(["wbq-new"]).may_remove().installed()?;
            Ok(())
        },
        check: "[ \"$(dpkg-query -W -f '${Status}' wbq-new)\" = 'install ok installed' ]
            ! dpkg-query -W -f '${db:Status-Abbrev}' wbq-old 2>/dev/null | grep -q ^.i || exit 1",
        ..Case::DEFAULT
    },
    // Its lists are its own: whether a package exists is known only when all that there are were read.
    Case {
        name: "missing",
        prepare: with_debs!(
            r#"R=/srv/wb-missing; dpkg --purge wbw-there || true; deb $R wbw-there 1.0; index $R; rm -f /srv/wbw-acts
             mkdir -p /srv/wb-missing.d; echo "deb [trusted=yes] file:$R ./" >/srv/wb-missing.d/wb-missing.list
             printf 'Dir::Etc::SourceParts "/srv/wb-missing.d";\nAPT::Get::List-Cleanup "0";\n' >/etc/apt/apt.conf.d/wbw
             apt-get -q update; touch /var/lib/apt/lists"#
        ),
        run: |host| {
            host.file("/srv/wbw-acts").content("").present()?;
            if host.file("/srv/wbw-acts").read()?.is_some() {
                let none = host.packages(["wbw-there", "wbw-none"]).installed();
                let is_typed = matches!(&none, Err(PackageError::NoSuchPackage { name, .. }) if name == "wbw-none");
                ensure!(is_typed, "it is not said by its type which package there is not: {none:?}");
                refuses(none, "there is no package `wbw-none` in the repositories of this host")?;
                let other = host.packages(["wbw-there"]).version("2.*").installed();
                refuses(other, "has a version 2.* of the package `wbw-there`\nhint: there is 1.0")?;
            }
            Ok(())
        },
        check: "! dpkg-query -W wbw-there || exit 1; ! dpkg-query -W wbw-none || exit 1; rm /etc/apt/apt.conf.d/wbw",
        ..Case::DEFAULT
    },
    Case {
        name: "versions",
        prepare: with_debs!(
            "R=/srv/wb-versions; for v in 1.0 1.1 1.10 2.0; do for p in wbc-new wbc-up wbc-down; do deb $R $p $v; done; done
             index $R; follow $R; install wbc-up=1.0 wbc-down=2.0"
        ),
        run: |host| {
            host.packages(["wbc-new", "wbc-up"]).version("1.1*").version_of("wbc-new", "1.1").installed()?;
            host.packages(["wbc-down"]).version("1.0").may_downgrade().installed()?;
            Ok(())
        },
        check: "[ \"$(dpkg-query -W -f '${Version} ' wbc-new wbc-up wbc-down)\" = '1.0 1.1 1.10 ' ]",
        ..Case::DEFAULT
    },
    Case {
        name: "latest",
        prepare: with_debs!(
            "R=/srv/wb-latest; for v in 1.9 1.10; do for p in wbd-old wbd-newest; do deb $R $p $v; done; done
             index $R; follow $R; install wbd-old=1.9 wbd-newest=1.10; touch /var/lib/apt/lists"
        ),
        run: |host| {
            host.packages(["wbd-old", "wbd-newest"]).latest()?;
            Ok(())
        },
        check: "[ \"$(dpkg-query -W -f '${Version} ' wbd-old wbd-newest)\" = '1.10 1.10 ' ]",
        ..Case::DEFAULT
    },
    Case {
        name: "held",
        prepare: with_debs!(
            "R=/srv/wb-held; for p in wbe-hold wbe-free wbe-pin wbe-cut; do deb $R $p 1.0; done; deb $R wbe-pin 1.1; index $R; follow $R
             install wbe-hold wbe-free wbe-pin=1.0 wbe-cut; apt-mark hold wbe-free wbe-pin; apt-mark unhold wbe-cut
             echo wbe-cut >/etc/apt/let-go.kept-by-wildebeest"
        ),
        run: |host| {
            host.packages(["wbe-hold"]).held()?;
            host.packages(["wbe-free"]).unheld()?;
            host.packages(["wbe-pin"]).version("1.1").installed()?;
            host.packages(["wbe-pin"]).held()?;
            host.packages(["wbe-cut"]).version("1.0").installed()?;
            Ok(())
        },
        check: "[ \"$(apt-mark showhold wbe-hold wbe-free wbe-pin wbe-cut | tr '\\n' ' ')\" = 'wbe-cut wbe-hold wbe-pin ' ]
            [ ! -e /etc/apt/let-go.kept-by-wildebeest ]
            [ \"$(dpkg-query -W -f '${Version}' wbe-pin)\" = 1.1 ]",
        ..Case::DEFAULT
    },
    Case {
        name: "unneeded",
        prepare: with_debs!(
            "R=/srv/wb-unneeded; deb $R wbf-app 1.0 'Depends: wbf-lib'; deb $R wbf-lib 1.0; index $R; follow $R
             install wbf-app; apt-get -q -y remove wbf-app"
        ),
        run: |host| {
            host.unneeded_packages().purged()?;
            Ok(())
        },
        check: "! dpkg-query -W -f '${Status}' wbf-lib 2>/dev/null | grep -q ' installed$' || exit 1
            [ ! -e /etc/wbf-lib.conf ]",
        ..Case::DEFAULT
    },
    Case {
        name: "without_starting",
        prepare: with_debs!(
            r"R=/srv/wb-starting; starting $R wbg; index $R; follow $R
             printf '#!/bin/sh\nexit 104\n' >/usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d"
        ),
        run: |host| {
            host.packages(["wbg"]).without_starting().installed()?;
            Ok(())
        },
        check: "dpkg-query -W -f '${Status}' wbg | grep -q ' installed$'
            for f in /srv/wbg-started /usr/sbin/policy-rc.d.kept-by-wildebeest; do [ ! -e $f ] || exit 1; done
            [ \"$(cat /usr/sbin/policy-rc.d)\" = \"$(printf '#!/bin/sh\\nexit 104')\" ]
            rm /usr/sbin/policy-rc.d",
        ..Case::DEFAULT
    },
    Case {
        name: "without_starting_after_a_cut",
        prepare: with_debs!(
            "R=/srv/wb-cut; starting $R wbp; index $R; follow $R
             dpkg --unpack $R/wbp_1.0.deb; dpkg -s wbp >/var/lib/dpkg/updates/0000"
        ),
        run: |host| {
            host.packages(["wbp"]).without_starting().installed()?;
            Ok(())
        },
        check: "dpkg-query -W -f '${Status}' wbp | grep -q ' installed$'
            for f in /srv/wbp-started /usr/sbin/policy-rc.d; do [ ! -e $f ] || exit 1; done",
        ..Case::DEFAULT
    },
    Case {
        name: "interrupted",
        prepare: with_debs!(
            "R=/srv/wb-interrupted; deb $R wbh-cut 1.0; deb $R wbh-next 1.0; index $R; follow $R
             dpkg --unpack $R/wbh-cut_1.0.deb; dpkg -s wbh-cut >/var/lib/dpkg/updates/0000"
        ),
        run: |host| {
            host.packages(["wbh-next", "wbh-cut"]).installed()?;
            Ok(())
        },
        check: "[ \"$(dpkg-query -W -f '${Status},' wbh-next wbh-cut)\" = 'install ok installed,install ok installed,' ]
            [ -z \"$(ls /var/lib/dpkg/updates)\" ]",
        ..Case::DEFAULT
    },
    // Somebody else uses apt, until three seconds after apt-get is started.
    Case {
        name: "locked",
        prepare: with_debs!(
            "R=/srv/wb-locked; dpkg --purge wbr || true; deb $R wbr 1.0; index $R; follow $R; beside wbr apt"
        ),
        run: |host| {
            host.packages(["wbr"]).installed()?;
            Ok(())
        },
        check: "dpkg-query -W -f '${Status}' wbr | grep -q ' installed$'; [ -e /srv/wbr-free ]",
        ..Case::DEFAULT
    },
    // A file that both sides changed, a question of a package, and a hook as needrestart has one.
    Case {
        name: "nothing_asks",
        prepare: with_debs!(
            r#"R=/srv/wb-asks; dpkg --purge wbs || true; deb $R wbs 1.0; D=$(mktemp -d); mkdir $D/DEBIAN
             printf 'Template: wbs/question\nType: string\nDescription: Who asks?\n' >$D/DEBIAN/templates
             printf '#!/bin/sh\nset -e\n. /usr/share/debconf/confmodule\n! db_input critical wbs/question || touch /srv/wbs-asked\ndb_go || true\n' >$D/DEBIAN/postinst
             chmod 755 $D/DEBIAN/postinst; deb $R wbs 1.1 'Depends: debconf'; index $R; follow $R
             install wbs=1.0; echo edited >/etc/wbs.conf; rm -f /srv/wbs-asked
             echo 'DPkg::Post-Invoke {"test $NEEDRESTART_SUSPEND || touch /srv/wbs-asked";};' >/etc/apt/apt.conf.d/wbs"#
        ),
        run: |host| {
            host.packages(["wbs"]).version("1.1").installed()?;
            Ok(())
        },
        check: "[ \"$(dpkg-query -W -f '${Status} ${Version}' wbs)\" = 'install ok installed 1.1' ]
            [ \"$(cat /etc/wbs.conf)\" = edited ]; [ -e /etc/wbs.conf.dpkg-dist ]; [ ! -e /srv/wbs-asked ]
            rm /etc/apt/apt.conf.d/wbs",
        ..Case::DEFAULT
    },
    // It has no package until its lists are asked for again.
    Case {
        name: "mirror_fails",
        prepare: with_debs!(
            r#"R=/srv/wb-mirror; dpkg --purge wbt || true; deb $R wbt 1.0; index $R
             rm -f /var/cache/apt/archives/wbt_*
             echo 'Acquire::http::Proxy::127.0.0.1 "DIRECT";' >/etc/apt/apt.conf.d/wbt
             beside wbt mirror $R; follow $R http://127.0.0.1:8503"#
        ),
        run: |host| {
            host.packages(["wbt"]).installed()?;
            Ok(())
        },
        check: "dpkg-query -W -f '${Status}' wbt | grep -q ' installed$'
            grep '^503 .*deb$' /srv/wbt-log; grep '^200 .*deb$' /srv/wbt-log
            rm /etc/apt/sources.list.d/wb-mirror.list /etc/apt/apt.conf.d/wbt; kill $(cat /run/wbt.pid)",
        ..Case::DEFAULT
    },
    Case {
        name: "postinst_fails",
        prepare: with_debs!(
            r"R=/srv/wb-fails; dpkg --purge wbu || true; rm -f /srv/wbu-acts; D=$(mktemp -d); mkdir $D/DEBIAN
             printf '#!/bin/sh\necho the shop has no till >&2\nexit 3\n' >$D/DEBIAN/postinst; chmod 755 $D/DEBIAN/postinst
             deb $R wbu 1.0; D=; deb $R wbu 1.1; index $R; follow $R"
        ),
        run: |host| {
            host.file("/srv/wbu-acts").content("").present()?;
            let is_mended = host.package("wbu").has_version("1.1").is_ok();
            if host.file("/srv/wbu-acts").read()?.is_some() && !is_mended {
                let said = match host.packages(["wbu"]).version("1.0").installed() {
                    Err(error @ PackageError::Act { .. }) => format!("{:#}", anyhow::Error::from(error)),
                    other => bail!("its script fails, and the error is another one: {other:?}"),
                };
                ensure!(said.contains("the shop has no till"), "these are not the words of the host: {said}");
            }
            host.packages(["wbu"]).version("1.1").installed()?;
            Ok(())
        },
        check: "[ \"$(dpkg-query -W -f '${Status} ${Version}' wbu)\" = 'install ok installed 1.1' ]",
        ..Case::DEFAULT
    },
    Case {
        name: "repository",
        packages: &["gnupg"],
        prepare: with_debs!(
            r#"R=/srv/wb-repository; deb $R wbi-tool 1.0; index $R; export GNUPGHOME=$(mktemp -d)
             for k in one two; do
                gpg --batch --quiet --passphrase '' --quick-gen-key $k@example.org default sign never
                gpg --export --armor $k@example.org >$R/$k.asc; gpg --export $k@example.org >$R/$k.gpg
             done
             rm -rf /srv/wb-embedded; cp -r $R /srv/wb-embedded
             gpg --batch --yes --quiet -u one@example.org --clearsign -o $R/InRelease $R/Release
             gpg --batch --yes --quiet -u two@example.org --clearsign -o /srv/wb-embedded/InRelease $R/Release
             gpgconf --kill all; rm -rf $GNUPGHOME
             printf 'Types: deb\nURIs: file:/srv/wb-gone\nSuites: ./\nTrusted: yes\n' >/etc/apt/sources.list.d/wb-gone.sources
             mkdir -p /etc/apt/keyrings
             echo old >/etc/apt/keyrings/wb-gone.asc; touch /var/lib/apt/lists"#
        ),
        run: |host| {
            let one = host.file("/srv/wb-repository/one.gpg").read()?.unwrap_or_default();
            let two = host.file("/srv/wb-repository/two.asc").read()?.unwrap_or_default();
            host.apt_repository("wb-gone").absent()?;
            host.apt_repository("wb-tool").uri("file:/srv/wb-repository").suite("./").key(one).present()?;
            host.apt_repository("wb-embedded").uri("file:/srv/wb-embedded").suite("./").embedded_key(two).present()?;
            host.packages(["wbi-tool"]).installed()?;
            Ok(())
        },
        check: "dpkg-query -W -f '${Status}' wbi-tool | grep -q ' installed$'
            for f in sources.list.d/wb-gone.sources keyrings/wb-gone.asc; do [ ! -e /etc/apt/$f ] || exit 1; done
            grep -q '^Signed-By: /etc/apt/keyrings/wb-tool.gpg$' /etc/apt/sources.list.d/wb-tool.sources
            grep -q 'BEGIN PGP PUBLIC KEY' /etc/apt/sources.list.d/wb-embedded.sources
            ! ls -A /etc/apt | grep 'trial$' || exit 1
            for r in wb-tool wb-embedded; do
                apt-get -q update -o Dir::Etc::SourceList=/etc/apt/sources.list.d/$r.sources -o Dir::Etc::SourceParts=- \
                    -o APT::Get::List-Cleanup=0 -o APT::Update::Error-Mode=any
            done",
        unforeseen: &["package wbi-tool installed"],
        ..Case::DEFAULT
    },
    Case {
        name: "debconf",
        packages: &["debconf-utils"],
        prepare: "printf 'wbk wbk/old string before\\nwbk wbk/same string same\\n' | debconf-set-selections",
        run: |host| {
            host.debconf("wbk")
                .answer("wbk/same", "string", "same")
                .answer("wbk/old", "string", "shop.example.org, and more ")
                .answer("wbk/new", "select", "Internet Site")
                .answer("wbk/password", "password", "geheim")
                .set()?;
            Ok(())
        },
        check: "[ \"$(echo GET wbk/old | debconf-communicate wbk)\" = '0 shop.example.org, and more ' ]
            [ \"$(echo GET wbk/new | debconf-communicate wbk)\" = '0 Internet Site' ]
            [ \"$(echo GET wbk/password | debconf-communicate wbk)\" = '0 geheim' ]
            ! grep geheim /var/cache/debconf/config.dat || exit 1",
        ..Case::DEFAULT
    },
    Case {
        name: "alternative",
        prepare: "for n in 1 2 3; do echo $n >/usr/bin/wbl-$n; chmod 755 /usr/bin/wbl-$n
                for a in wbl-set wbl-auto; do
                    update-alternatives --install /usr/bin/$a $a /usr/bin/wbl-$n $n --slave /usr/share/$a-x $a-x /usr/bin/wbl-$n
                done
            done
            update-alternatives --auto wbl-set; update-alternatives --set wbl-auto /usr/bin/wbl-1",
        run: |host| {
            host.alternative("wbl-set").set("/usr/bin/wbl-2")?;
            host.alternative("wbl-auto").auto()?;
            Ok(())
        },
        check: "[ \"$(cat /usr/bin/wbl-set /usr/bin/wbl-auto)\" = \"$(printf '2\\n3')\" ]
            update-alternatives --query wbl-set | grep -q '^Status: manual'
            update-alternatives --query wbl-auto | grep -q '^Status: auto'",
        ..Case::DEFAULT
    },
    Case {
        name: "diversion",
        prepare: with_debs!(
            "R=/srv/wb-diversion; D=$(mktemp -d); mkdir -p $D/usr/bin
             echo theirs >$D/usr/bin/wbm-add; echo theirs >$D/usr/bin/wbm-remove
             deb $R wbm 1.0; index $R; follow $R; install wbm
             dpkg-divert --local --rename --divert /usr/bin/wbm-remove.distrib --add /usr/bin/wbm-remove"
        ),
        run: |host| {
            host.diversion("/usr/bin/wbm-add").to("/usr/bin/wbm-add.theirs").present()?;
            host.diversion("/usr/bin/wbm-remove").absent()?;
            Ok(())
        },
        check: "[ \"$(cat /usr/bin/wbm-add.theirs /usr/bin/wbm-remove)\" = \"$(printf 'theirs\\ntheirs')\" ]
            [ ! -e /usr/bin/wbm-add ]
            [ \"$(dpkg-divert --list '/usr/bin/wbm*')\" = 'local diversion of /usr/bin/wbm-add to /usr/bin/wbm-add.theirs' ]",
        ..Case::DEFAULT
    },
    Case {
        name: "dnf",
        packages: &["dnf", "rpm", "createrepo-c"],
        prepare: concat!(
            with_rpms!(),
            with_plugins_of_dnf!(),
            r"R=/srv/wb-rpm
            for v in 1.0 1.1 1.10; do for p in wbn-new wbn-up wbn-down; do rpmpkg $p $v; done; done
            rpmpkg wbn-gone 1.0; rpmpkg wbn-dep 1.0; rpmpkg wbn-user 1.0 Requires:wbn-gone\\n; createrepo_c -q $R
            printf '[wb]\nname=wb\nbaseurl=file:///srv/wb-rpm\ngpgcheck=0\nenabled=1\n' >/etc/yum.repos.d/wb.repo
            dnf -y -q install wbn-up-1.0 wbn-down-1.10 wbn-gone wbn-user"
        ),
        run: |host| {
            let dnf = Manager::Dnf;
            host.packages(["wbn-new", "wbn-up"]).by(dnf).version_of("wbn-up", "1.1-*").installed()?;
            host.packages(["wbn-down"]).by(dnf).version("1.0-1").may_downgrade().installed()?;
            host.packages(["wbn-dep"]).by(dnf).latest()?;
            let needs_it = host.package("wbn-user").by(dnf).is_installed().is_ok();
            let gone = host.packages(["wbn-gone"]).by(dnf).absent()?;
            ensure!(!needs_it || format!("{gone:?}").contains("- wbn-user"), "what else goes is not said: {gone:?}");
            Ok(())
        },
        check: "[ \"$(rpm -q wbn-new wbn-up wbn-down wbn-dep)\" = \"$(printf 'wbn-new-1.10-1.noarch\\nwbn-up-1.1-1.noarch\\nwbn-down-1.0-1.noarch\\nwbn-dep-1.0-1.noarch')\" ]
            ! rpm -q wbn-gone || exit 1; ! rpm -q wbn-user || exit 1",
        restless: &["/var/lib/dnf", "/var/lib/rpm", "/root/.rpmdb", "/usr/lib/sysimage/rpm", "/tmp"],
        ..Case::DEFAULT
    },
    Case {
        name: "pacman",
        packages: &["pacman-package-manager", "makepkg", "libarchive-tools", "zstd"],
        prepare: r"set -e; R=/srv/wb-pacman; mkdir -p $R; cd $R
            pkg() {
                d=$(mktemp -d); mkdir -p $d/usr/share/wb $d/etc; echo $2 >$d/usr/share/wb/$1; echo x >$d/etc/$1.conf
                printf 'pkgname = %s\npkgver = %s\npkgdesc = of a test\nurl = x\nbuilddate = 1\npackager = T\nsize = 1\narch = any\nbackup = etc/%s.conf\n' $1 $2 $1 >$d/.PKGINFO
                ( cd $d; bsdtar -czf $R/$1-$2-any.pkg.tar.gz .PKGINFO usr etc ); rm -rf $d
                repo-add -q wb.db.tar.gz $1-$2-any.pkg.tar.gz
            }
            printf '[options]\nArchitecture = auto\nSigLevel = Never\n[wb]\nServer = file:///srv/wb-pacman\n' >/etc/pacman.conf
            for p in wbo-new wbo-old wbo-gone wbo-purged; do pkg $p 1.0-1; done
            pacman -Sy --noconfirm wbo-old wbo-gone wbo-purged; pkg wbo-old 1.1-1; pacman -Syy; touch /var/lib/pacman/sync",
        run: |host| {
            let pacman = Manager::Pacman;
            host.packages(["wbo-new"]).by(pacman).installed()?;
            host.packages(["wbo-old"]).by(pacman).latest()?;
            host.packages(["wbo-gone"]).by(pacman).absent()?;
            host.packages(["wbo-purged"]).by(pacman).purged()?;
            Ok(())
        },
        check: "[ \"$(pacman -Q wbo-new wbo-old)\" = \"$(printf 'wbo-new 1.0-1\\nwbo-old 1.1-1')\" ]
            for p in wbo-gone wbo-purged; do ! pacman -Q $p || exit 1; done",
        ..Case::DEFAULT
    },
    Case {
        name: "dnf_extras",
        packages: &["dnf", "dnf-plugins-core", "rpm", "createrepo-c", "gnupg"],
        prepare: concat!(
            with_rpms!(),
            with_plugins_of_dnf!(),
            r"R=/srv/wb-signed; export GNUPGHOME=/srv/wb-signed-keys
            if [ ! -e $R/repodata/repomd.xml ]; then
                mkdir -p -m 700 $GNUPGHOME
                for k in wbr wbr-ours wbr-old; do
                    gpg --batch --quiet --passphrase '' --quick-gen-key $k@example.org rsa3072 sign never
                done
                rpmpkg wbr-new 1.0; for v in 1.0 1.1; do for p in wbr-hold wbr-free wbr-pin; do rpmpkg $p $v; done; done
                # Debian's rpm looks for a gpg that is called otherwise.
                rpmsign --define '__gpg /usr/bin/gpg' --define '_gpg_name wbr@example.org' --addsign $R/noarch/*.rpm
                gpg --export --armor wbr@example.org >$R/key.asc
                for k in ours old; do gpg --export --armor wbr-$k@example.org >$R/$k.asc; done
                gpgconf --kill all; createrepo_c -q $R
            fi
            rm -f /etc/yum.repos.d/wbr*.repo /etc/pki/rpm-gpg/wbr*
            ! keys=$(rpm -q gpg-pubkey) || rpm -e $keys
            rpm --import $R/old.asc
            dnf -y -q remove wbr-new wbr-hold wbr-free wbr-pin || true
            printf '[wbr]\nname=wbr\nbaseurl=file:///srv/wb-signed\ngpgcheck=0\n' >/etc/yum.repos.d/wbr.repo
            dnf -y -q install wbr-hold-1.0 wbr-free-1.0 wbr-pin-1.0; rm /etc/yum.repos.d/wbr.repo
            printf '# by hand\nwbr-free-0:1.0-1.*\nwbr-pin-0:1.0-1.*\n' >$plugins/versionlock.list
            printf '[wbr-gone]\nname=x\nbaseurl=file:///srv/wbr-gone\nenabled=0\n' >/etc/yum.repos.d/wbr-gone.repo"
        ),
        run: |host| {
            let dnf = Manager::Dnf;
            let key = host.file("/srv/wb-signed/key.asc").read()?.unwrap_or_default();
            let ours = host.file("/srv/wb-signed/ours.asc").read()?.unwrap_or_default();
            let old = host.file("/srv/wb-signed/old.asc").read()?.unwrap_or_default();
            host.rpm_key(ours).present()?;
            host.rpm_key(old).absent()?;
            host.packages(["wbr-hold"]).by(dnf).held()?;
            host.packages(["wbr-free"]).by(dnf).unheld()?;
            host.rpm_repository("wbr-gone").by(dnf).absent()?;
            host.rpm_repository("wbr-signed").by(dnf).uri("file:///srv/wb-signed").key(key).priority(10).present()?;
            host.packages(["wbr-new"]).by(dnf).installed()?;
            host.packages(["wbr-pin"]).by(dnf).version("1.1-*").installed()?;
            host.packages(["wbr-pin"]).by(dnf).held()?;
            Ok(())
        },
        check: "[ \"$(rpm -q wbr-new wbr-pin)\" = \"$(printf 'wbr-new-1.0-1.noarch\\nwbr-pin-1.1-1.noarch')\" ]
            [ ! -e /etc/yum.repos.d/wbr-gone.repo ]
            for k in wbr wbr-ours; do rpm -q --qf '%{SUMMARY} ' gpg-pubkey | grep $k@example.org; done
            ! rpm -q --qf '%{SUMMARY} ' gpg-pubkey | grep wbr-old@example.org || exit 1
            [ \"$(cat /etc/dnf/plugins/versionlock.list)\" = \"$(printf '# by hand\\nwbr-hold-0:1.0-1.*\\nwbr-pin-0:1.1-1.*')\" ]
            dnf -y -q upgrade
            [ \"$(rpm -q wbr-hold wbr-free)\" = \"$(printf 'wbr-hold-1.0-1.noarch\\nwbr-free-1.1-1.noarch')\" ]",
        unforeseen: &["package wbr-new installed", "package wbr-pin 1.1-* installed"],
        restless: &["/var/lib/dnf", "/var/lib/rpm", "/root/.rpmdb", "/usr/lib/sysimage/rpm", "/tmp"],
        ..Case::DEFAULT
    },
    Case {
        name: "pacman_extras",
        packages: &["pacman-package-manager", "makepkg", "libarchive-tools", "zstd", "gnupg"],
        prepare: r"set -e; export GNUPGHOME=/srv/wbs-keys
            pkg() {
                d=$(mktemp -d); mkdir -p $d/usr/share/wb; echo $3 >$d/usr/share/wb/$2
                printf 'pkgname = %s\npkgver = %s\npkgdesc = of a test\nurl = x\nbuilddate = 1\n' $2 $3 >$d/.PKGINFO
                printf 'packager = T\nsize = 1\narch = any\n' >>$d/.PKGINFO
                ( cd $d; bsdtar -czf $1/$2-$3-any.pkg.tar.gz .PKGINFO usr ); rm -rf $d; cd $1
                [ $1 != /srv/wbs-signed ] || gpg --batch --yes --quiet --no-armor --detach-sign $2-$3-any.pkg.tar.gz
                repo-add -q $(basename $1).db.tar.gz $2-$3-any.pkg.tar.gz
            }
            printf '[options]\nArchitecture = auto\nSigLevel = Never\nIgnorePkg = wbs-other wbs-free\n' >/etc/pacman.conf
            printf '\n# ours\n[wbs-old]\nServer = file:///srv/wbs-old\n' >>/etc/pacman.conf
            if [ ! -e /srv/wbs-signed/key.asc ]; then
                mkdir -p -m 700 $GNUPGHOME; mkdir -p /srv/wbs-old /srv/wbs-signed
                gpg --batch --quiet --passphrase '' --quick-gen-key wbs@example.org rsa3072 sign never
                pkg /srv/wbs-old wbs-hold 1.0-1; pkg /srv/wbs-old wbs-free 1.0-1; pkg /srv/wbs-signed wbs-new 1.0-1
                pacman -Sy --noconfirm wbs-hold wbs-free
                pkg /srv/wbs-old wbs-hold 1.1-1; pkg /srv/wbs-old wbs-free 1.1-1
                gpg --export --armor wbs@example.org >/srv/wbs-signed/key.asc; gpgconf --kill all
            fi
            pacman -Syy; touch /var/lib/pacman/sync",
        run: |host| {
            let pacman = Manager::Pacman;
            let key = host.file("/srv/wbs-signed/key.asc").read()?.unwrap_or_default();
            host.packages(["wbs-hold"]).by(pacman).held()?;
            host.packages(["wbs-free"]).by(pacman).unheld()?;
            let signed = host.pacman_repository("wbs-signed").uri("file:///srv/wbs-signed");
            signed.key(key).before("wbs-old").present()?;
            host.packages(["wbs-new"]).by(pacman).installed()?;
            Ok(())
        },
        check: "[ \"$(pacman -Q wbs-new)\" = 'wbs-new 1.0-1' ]; grep -qx '# ours' /etc/pacman.conf
            [ \"$(pacman-conf IgnorePkg | tr '\\n' ' ')\" = 'wbs-other wbs-hold ' ]
            [ \"$(pacman-conf --repo-list | tr '\\n' ' ')\" = 'wbs-signed wbs-old ' ]
            pacman -Su --noconfirm
            [ \"$(pacman -Q wbs-hold wbs-free)\" = \"$(printf 'wbs-hold 1.0-1\\nwbs-free 1.1-1')\" ]",
        unforeseen: &["package wbs-new installed"],
        restless: &["/etc/pacman.d/gnupg"],
        ..Case::DEFAULT
    },
    Case {
        name: "pacman_keys",
        packages: &["pacman-package-manager", "makepkg", "gnupg"],
        prepare: r"set -e; export GNUPGHOME=/srv/wbv-keys
            if [ ! -e /srv/wbv-old.asc ]; then
                mkdir -p -m 700 $GNUPGHOME
                for k in ours old; do
                    gpg --batch --quiet --passphrase '' --quick-gen-key wbv-$k@example.org rsa3072 sign never
                    gpg --export --armor wbv-$k@example.org >/srv/wbv-$k.asc
                done
                gpgconf --kill all
            fi
            printf '[options]\nArchitecture = auto\n\n[wbv-gone]\nServer = file:///srv/wbv-gone\n' >/etc/pacman.conf
            pacman-key --init; pacman-key --add /srv/wbv-old.asc",
        run: |host| {
            let ours = host.file("/srv/wbv-ours.asc").read()?.unwrap_or_default();
            let old = host.file("/srv/wbv-old.asc").read()?.unwrap_or_default();
            host.pacman_key(ours).present()?;
            host.pacman_key(old).absent()?;
            host.pacman_repository("wbv-gone").absent()?;
            Ok(())
        },
        check: "keys='gpg --homedir /etc/pacman.d/gnupg --batch --with-colons --list-keys'
            $keys wbv-ours@example.org | grep '^pub:f:'
            ! $keys wbv-old@example.org || exit 1
            ! grep wbv-gone /etc/pacman.conf || exit 1",
        restless: &["/etc/pacman.d/gnupg"],
        ..Case::DEFAULT
    },
    // Files alone: there is no apk here, and none is needed.
    Case {
        name: "apk_extras",
        prepare: r"rm -rf /etc/apk /lib/apk; mkdir -p /etc/apk/keys /lib/apk/db
            printf 'P:wbx-hold\nV:1.0-r0\n\nP:wbx-free\nV:1.0-r0\n\n' >/lib/apk/db/installed
            printf 'wbx-hold\nwbx-free=1.0-r0\n' >/etc/apk/world
            printf '# by hand\nhttps://wbx.example.org/v1\n' >/etc/apk/repositories
            echo old >/etc/apk/keys/wbx-old.rsa.pub",
        run: |host| {
            let (apk, key) = (Manager::Apk, APK_KEY);
            host.packages(["wbx-hold"]).by(apk).held()?;
            host.packages(["wbx-free"]).by(apk).unheld()?;
            host.apk_key("wbx-old.rsa.pub").absent()?;
            host.apk_key("wbx-ours.rsa.pub").key(key).present()?;
            host.apk_repository("https://wbx.example.org/v1").absent()?;
            host.apk_repository("https://wbx.example.org/v2").tag("new").key("wbx-new.rsa.pub", key).present()?;
            Ok(())
        },
        check: "[ \"$(cat /etc/apk/world)\" = \"$(printf 'wbx-hold=1.0-r0\\nwbx-free')\" ]
            [ \"$(cat /etc/apk/repositories)\" = \"$(printf '# by hand\\n@new https://wbx.example.org/v2')\" ]
            [ \"$(ls /etc/apk/keys | tr '\\n' ' ')\" = 'wbx-new.rsa.pub wbx-ours.rsa.pub ' ]
            grep -qx -- '-----BEGIN PUBLIC KEY-----' /etc/apk/keys/wbx-ours.rsa.pub",
        ..Case::DEFAULT
    },
    Case {
        name: "unneeded_absent",
        prepare: with_debs!(
            "R=/srv/wb-unneeded-absent; deb $R wby-app 1.0 'Depends: wby-lib'; deb $R wby-lib 1.0; index $R; follow $R
             install wby-app; apt-get -q -y remove wby-app"
        ),
        run: |host| {
            host.unneeded_packages().absent()?;
            Ok(())
        },
        check: "! dpkg-query -W -f '${Status}' wby-lib 2>/dev/null | grep -q ' installed$' || exit 1
            [ -e /etc/wby-lib.conf ]",
        ..Case::DEFAULT
    },
];

/// dnf's plugins and zypper can't be on one host.
pub(crate) static ZYPPER: &[Case] = &[
    Case {
        name: "extras",
        packages: &["zypper", "rpm", "createrepo-c"],
        prepare: concat!(
            with_rpms!(),
            r"R=/srv/wb-zypper
            if [ ! -e $R/repodata/repomd.xml ]; then
                for p in wbz-hold wbz-free; do rpmpkg $p 1.0; done; createrepo_c -q $R
            fi
            rpm -U --force-debian --force --nosignature $R/noarch/*.rpm
            mkdir -p /etc/zypp/repos.d; rm -f /etc/zypp/repos.d/wb-zypper.repo
            printf '\ntype: package\nmatch_type: glob\ncase_sensitive: on\nsolvable_name: wbz-free\n\n' >/etc/zypp/locks"
        ),
        run: |host| {
            let zypper = Manager::Zypper;
            host.rpm_repository("wb-zypper").by(zypper).uri("file:///srv/wb-zypper").trusted().present()?;
            host.packages(["wbz-hold"]).by(zypper).held()?;
            host.packages(["wbz-free"]).by(zypper).unheld()?;
            Ok(())
        },
        check: "zypper --non-interactive lr --uri | grep -E 'wb-zypper .*file:/+srv/wb-zypper'
            zypper --non-interactive locks | grep wbz-hold
            ! zypper --non-interactive locks | grep wbz-free || exit 1",
        restless: &["/var/lib/dnf", "/var/lib/rpm", "/root/.rpmdb", "/usr/lib/sysimage/rpm", "/tmp"],
        ..Case::DEFAULT
    },
    // zypper goes by the database of SUSE where that is there, and rpm on Debian by one in a home, if nothing is said. It
    // removes nothing from a system without `glibc`.
    Case {
        name: "installed",
        packages: &["zypper", "rpm", "createrepo-c", "libsolv-tools"],
        prepare: concat!(
            with_rpms!(),
            r"R=/srv/wb-suse
            if [ ! -e $R/repodata/repomd.xml ]; then
                for v in 1.0 1.1 1.10; do for p in wbx-new wbx-up wbx-down wbx-latest; do rpmpkg $p $v; done; done
                rpmpkg glibc 2.36; rpmpkg wbx-gone 1.0; rpmpkg wbx-user 1.0 'Requires:wbx-gone\n'; createrepo_c -q $R
            fi
            mkdir -p /etc/rpm /etc/zypp/repos.d; echo '%_dbpath /var/lib/rpm' >/etc/rpm/macros.wb
            rm -rf /var/lib/rpm /var/cache/zypp/solv/@System; mkdir -p /var/lib/rpm
            N=$R/noarch; rpm -U --force-debian --nosignature $N/wbx-up-1.0-1.noarch.rpm $N/wbx-down-1.10-1.noarch.rpm \
                $N/wbx-latest-1.0-1.noarch.rpm $N/wbx-gone-1.0-1.noarch.rpm $N/wbx-user-1.0-1.noarch.rpm \
                $N/glibc-2.36-1.noarch.rpm
            printf '[wb-suse]\nname=wb-suse\nbaseurl=file:///srv/wb-suse\ngpgcheck=0\nenabled=1\n' >/etc/zypp/repos.d/wb-suse.repo
            : >/etc/zypp/locks; rm -f /etc/zypp/repos.d/wb-zypper.repo; zypper --non-interactive refresh"
        ),
        run: |host| {
            let zypper = Manager::Zypper;
            host.packages(["wbx-new", "wbx-up"]).by(zypper).version_of("wbx-up", "1.1-*").installed()?;
            host.packages(["wbx-down"]).by(zypper).version("1.0-1").may_downgrade().installed()?;
            host.packages(["wbx-latest"]).by(zypper).latest()?;
            let needs_it = host.package("wbx-user").by(zypper).is_installed().is_ok();
            let gone = host.packages(["wbx-gone"]).by(zypper).absent()?;
            ensure!(!needs_it || format!("{gone:?}").contains("- wbx-user"), "what else goes is not said: {gone:?}");
            Ok(())
        },
        check: "[ \"$(rpm -q wbx-new wbx-up wbx-down wbx-latest)\" = \"$(printf 'wbx-new-1.10-1.noarch\\nwbx-up-1.1-1.noarch\\nwbx-down-1.0-1.noarch\\nwbx-latest-1.10-1.noarch')\" ]
            ! rpm -q wbx-gone || exit 1; ! rpm -q wbx-user || exit 1
            rm /etc/rpm/macros.wb /etc/zypp/repos.d/wb-suse.repo",
        // The refresh of a repository on the disk gives its index another time.
        restless: &[
            "/var/lib/rpm", "/var/lib/zypp", "/var/cache/zypp", "/run/zypp.pid", "/run/zypp-rpm.pid", "/tmp", "/var/tmp",
            "/srv/wb-suse/repodata",
        ],
        ..Case::DEFAULT
    },
];
