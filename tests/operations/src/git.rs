//! Checkouts by the real git.

use wb_stdlib::prelude::*;

use crate::Case;
use crate::case::served;

const PACKAGES: &[&str] = &["git"];

/// A repository of the user `shop`, with a tag and a newer commit.
macro_rules! repository {
    () => {
        r#"
    id shop >/dev/null 2>&1 || useradd --create-home shop
    rm -rf /srv/*
    mkdir -p /srv/git /srv/app
    chown shop: /srv/git
    cat >/srv/make <<'END'
        set -e
        cd /srv/git
        git init -q -b main
        git config user.name shop
        git config user.email shop@example.org
        echo one >page; git add page; git commit -q -m one; git tag v1
        echo two >page; git commit -q -a -m two
END
    chmod 644 /srv/make
    su shop -s /bin/sh -c 'sh /srv/make'
    rmdir /srv/app
"#
    };
}

pub(crate) static CASES: &[Case] = &[
    Case {
        name: "cloned_as_a_user",
        packages: PACKAGES,
        prepare: concat!(repository!(), served!(), "served by-git"),
        run: |host| {
            let app = host.git("file:///srv/git").at("v1").to("/srv/app").user("shop");
            app.reloads(&host.service("by-git")).present()?;
            Ok(())
        },
        check: "[ \"$(cat /srv/app/page)\" = one ]; [ -e /run/by-git ]
            [ \"$(stat -c %U /srv/app /srv/app/.git/HEAD /srv/app/page | sort -u)\" = shop ]
            su shop -s /bin/sh -c 'cd /srv/app && [ -z \"$(git status --porcelain)\" ] && [ \"$(git describe --tags)\" = v1 ]'
            [ \"$(ls -A /srv)\" = \"$(printf 'app\\ngit\\nmake')\" ]",
        ..Case::DEFAULT
    },
    Case {
        name: "moved_and_discarded",
        packages: PACKAGES,
        prepare: concat!(
            repository!(),
            "mkdir /srv/app; chown shop: /srv/app
             su shop -s /bin/sh -c 'git clone -q file:///srv/git /srv/app; cd /srv/app; git checkout -q --detach v1; echo mine >page
                 echo kept >upload'"
        ),
        run: |host| {
            let git = || host.git("file:///srv/git").at("main").to("/srv/app").user("shop");
            let was_cut_short = host.file("/srv/app/.git/wildebeest-checkout").exists().is_ok();
            if host.file("/srv/app/page").contains("mine").is_ok() && !was_cut_short {
                ensure!(git().present().is_err(), "changes are not thrown away unasked");
            }
            git().discarding_changes().present()?;
            Ok(())
        },
        check: "[ \"$(cat /srv/app/page)\" = two ]; [ \"$(cat /srv/app/upload)\" = kept ]
            [ ! -e /srv/app/.git/index.lock ]; [ ! -e /srv/app/.git/wildebeest-checkout ]",
        ..Case::DEFAULT
    },
    Case {
        name: "prepared",
        packages: PACKAGES,
        prepare: concat!(repository!(), "mkdir /srv/app; chown shop:www-data /srv/app; chmod 2750 /srv/app"),
        run: |host| {
            host.git("file:///srv/git").at("v1").to("/srv/app").user("shop").present()?;
            Ok(())
        },
        check: "[ \"$(stat -c '%U:%G %a' /srv/app)\" = 'shop:www-data 2750' ]; [ \"$(stat -c %U:%G /srv/app/page)\" = shop:www-data ]",
        ..Case::DEFAULT
    },
    Case {
        name: "submodules_later",
        packages: PACKAGES,
        prepare: concat!(
            repository!(),
            "git config --system protocol.file.allow always
             mkdir /srv/lib /srv/app; chown shop: /srv/lib /srv/app
             su shop -s /bin/sh -c 'cd /srv/lib; git init -q -b main; git config user.name shop
                 git config user.email shop@example.org
                 echo 1 >f; git add f; git commit -q -m 1; echo 2 >f; git commit -q -a -m 2
                 cd /srv/git; git submodule --quiet add file:///srv/lib lib; git commit -q -m lib
                 git clone -q --recurse-submodules file:///srv/git /srv/app; cd /srv/app; git checkout -q --detach
                 cd lib; git checkout -q HEAD~1'"
        ),
        run: |host| {
            let git = || host.git("file:///srv/git").at("main").to("/srv/app").user("shop");
            git().present()?;
            git().with_submodules().present()?;
            Ok(())
        },
        check: "[ \"$(cat /srv/app/lib/f)\" = 2 ]; [ \"$(stat -c %U /srv/app/lib/f)\" = shop ]
            [ ! -e /srv/app/.git/index.lock ]; [ ! -e /srv/app/.git/wildebeest-checkout ]",
        ..Case::DEFAULT
    },
];
