//! Archives, made by the real programs.

use wb_stdlib::prelude::*;

use crate::Case;
use crate::case::refuses;

const PACKAGES: &[&str] = &["bzip2", "xz-utils", "zip", "zstd"];

/// A tree with a bit of everything, in all formats, and the sum of one of them.
macro_rules! archives {
    () => {
        r#"
    umount /srv/shop/uploads 2>/dev/null || true
    rm -rf /srv/* /opt/*
    mkdir -p /srv/made/shop-1.2/bin /srv/made/shop-1.2/static/deep /opt
    cd /srv/made
    head -c 300000 /dev/zero | tr '\0' x >shop-1.2/static/large
    printf '#!/bin/sh\necho shop\n' >shop-1.2/bin/shop
    chmod 755 shop-1.2/bin/shop
    echo deep >"shop-1.2/static/deep/a name with blanks and ü"
    ln -s ../bin/shop shop-1.2/static/leads
    find shop-1.2 -exec touch -h -d 2001-09-09T01:46:40Z {} +
    umask 022
    tar cf /opt/shop.tar shop-1.2
    for pack in gzip xz bzip2 'zstd -q'; do $pack <"/opt/shop.tar" >"/opt/shop.tar.${pack%% *}"; done
    zip -qry /opt/shop.zip shop-1.2
    ln shop-1.2/bin/shop shop-1.2/bin/second
    tar cf /opt/second.tar shop-1.2
    rm shop-1.2/bin/second
    mkdir -p holes evil
    for at in 0 2 4 6 8 10; do printf x | dd of=holes/file bs=1M seek=$at conv=notrunc status=none; done
    touch -d '1960-01-01' holes/old
    tar cSf /opt/holes.tar holes
    echo x >evil/x
    tar cPf /opt/evil.tar --transform 's,evil/x,../../etc/evil,' shop-1.2 evil/x
"#
    };
}

pub(crate) static CASES: &[Case] = &[
    Case {
        name: "all_formats",
        packages: PACKAGES,
        prepare: archives!(),
        run: |host| {
            for pack in ["tar", "tar.gzip", "tar.xz", "tar.bzip2", "tar.zstd", "zip"] {
                let archive = host.archive(format!("/opt/shop.{pack}")).strip_components(1);
                archive.to(format!("/srv/{pack}")).owner("www-data").present()?;
            }
            host.archive("/opt/second.tar").to("/srv/second").present()?;
            host.archive("/opt/holes.tar").to("/srv/holes").present()?;
            Ok(())
        },
        check: r#"
            for pack in tar tar.gzip tar.xz tar.bzip2 tar.zstd zip; do
                diff -r --no-dereference -x .wildebeest-archive /srv/made/shop-1.2 "/srv/$pack"
                [ "$(stat -c '%U %a' "/srv/$pack/bin/shop")" = 'www-data 755' ]
                [ "$("/srv/$pack/static/leads")" = shop ]
            done
            [ "$(stat -c %Y /srv/tar.xz/bin/shop)" = 1000000000 ]
            [ "$(stat -c %h /srv/second/shop-1.2/bin/shop)" = 2 ]
            cmp /srv/made/holes/file /srv/holes/holes/file; [ -e /srv/holes/holes/old ]
            [ -z "$(ls -d /srv/.*.unpacking 2>/dev/null)" ]"#,
        ..Case::DEFAULT
    },
    Case {
        name: "takes_the_place_of_the_old",
        packages: PACKAGES,
        prepare: concat!(
            archives!(),
            "mkdir -p /srv/shop/old; echo old >/srv/shop/old/file; chown games:www-data /srv/shop; chmod 2750 /srv/shop
             printf 'sha256 %064d\\n' 0 >/srv/shop/.wildebeest-archive
             mkdir -p /srv/gone; printf 'sha256 %064d\\n' 0 >/srv/gone/.wildebeest-archive"
        ),
        run: |host| {
            host.archive("/opt/shop.tar.gzip").strip_components(1).to("/srv/shop").present()?;
            host.archive("/opt/shop.tar.gzip").to("/srv/gone").absent()?;
            Ok(())
        },
        check: "diff -r --no-dereference -x .wildebeest-archive /srv/made/shop-1.2 /srv/shop
            [ \"$(stat -c '%U:%G %a' /srv/shop)\" = 'games:www-data 2750' ]
            [ -z \"$(ls -d /srv/gone /srv/.*.unpacking 2>/dev/null)\" ]",
        ..Case::DEFAULT
    },
    Case {
        name: "refused",
        packages: PACKAGES,
        prepare: concat!(archives!(), "mkdir -p /srv/taken; echo kept >/srv/taken/file"),
        run: |host| {
            let leads_out = "the archive /opt/evil.tar has `../../etc/evil`, whose path leads through `..`";
            refuses(host.archive("/opt/evil.tar").to("/srv/evil").present(), leads_out)?;
            let of_others = "/srv/taken is there, and no archive was unpacked to it";
            refuses(host.archive("/opt/shop.tar").to("/srv/taken").present(), of_others)?;
            let no_archive = "the archive /etc/passwd is neither tar";
            refuses(host.archive("/etc/passwd").to("/srv/passwd").present(), no_archive)?;
            host.directory("/srv/done").present()?;
            Ok(())
        },
        check: "[ \"$(ls -A /srv)\" = \"$(printf 'done\\nmade\\ntaken')\" ]; [ -e /srv/taken/file ]; [ ! -e /etc/evil ]",
        ..Case::DEFAULT
    },
    Case {
        name: "mounted",
        packages: PACKAGES,
        prepare: concat!(
            archives!(),
            "mkdir -p /srv/shop/uploads /srv/share; echo kept >/srv/share/file
             printf 'sha256 %064d\\n' 0 >/srv/shop/.wildebeest-archive
             mount --bind /srv/share /srv/shop/uploads"
        ),
        run: |host| {
            let archive = || host.archive("/opt/shop.tar").strip_components(1).to("/srv/shop");
            let mounted = "/srv/shop is to go, and a file system is mounted at /srv/shop/uploads";
            refuses(archive().present(), mounted)?;
            refuses(archive().absent(), mounted)?;
            host.directory("/srv/done").present()?;
            Ok(())
        },
        check: "[ -e /srv/shop/.wildebeest-archive ]; [ \"$(cat /srv/shop/uploads/file /srv/share/file)\" = \"$(printf 'kept\\nkept')\" ]
            umount /srv/shop/uploads; [ \"$(cat /srv/share/file)\" = kept ]",
        ..Case::DEFAULT
    },
];
