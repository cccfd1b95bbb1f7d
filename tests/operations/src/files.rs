//! Files, directories and links.

use wb_stdlib::prelude::*;

use crate::Case;

pub(crate) static CASES: &[Case] = &[
    Case {
        name: "tree",
        prepare: "rm -rf /srv/shop; mkdir -p /srv/shop; echo old >/srv/shop/b; chmod 600 /srv/shop/b",
        run: |host| {
            host.directory("/srv/shop/static").owner("www-data").group("www-data").mode(0o750).present()?;
            host.file("/srv/shop/static/a").content("a\n").owner("www-data").present()?;
            host.file("/srv/shop/b").content("new\n").mode(0o644).present()?;
            host.link("/srv/shop/current").to("static")?;
            Ok(())
        },
        check: "[ \"$(stat -c '%U:%G %a' /srv/shop/static)\" = 'www-data:www-data 750' ]
            [ \"$(stat -c '%U:%G %a' /srv/shop/static/a)\" = 'www-data:root 644' ]
            [ \"$(cat /srv/shop/static/a /srv/shop/b)\" = \"$(printf 'a\\nnew')\" ]
            [ \"$(stat -c %a /srv/shop/b)\" = 644 ]
            [ \"$(readlink /srv/shop/current)\" = static ]
            [ \"$(ls -A /srv/shop)\" = \"$(printf 'b\\ncurrent\\nstatic')\" ]",
        ..Case::DEFAULT
    },
    Case {
        name: "absent",
        prepare: "mkdir -p /srv/old/deep; touch /srv/old/deep/file /srv/single; ln -sf /srv/old /srv/leads",
        run: |host| {
            host.directory("/srv/old").absent()?;
            host.file("/srv/single").absent()?;
            host.link("/srv/leads").absent()?;
            Ok(())
        },
        check: "! ls /srv/old /srv/single 2>/dev/null; ! [ -L /srv/leads ]",
        ..Case::DEFAULT
    },
];
