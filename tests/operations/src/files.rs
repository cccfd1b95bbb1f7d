//! Files, directories and links.

use wb_stdlib::Assets;
use wb_stdlib::prelude::*;

use crate::Case;
use crate::case::{refuses, served};

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
        check: "[ ! -e /srv/old ]; [ ! -e /srv/single ]; [ ! -L /srv/leads ]",
        ..Case::DEFAULT
    },
    Case {
        name: "mounted",
        prepare: "umount /srv/around/a/deep 2>/dev/null || true; rm -rf /srv/around /srv/share /srv/leads
            mkdir -p /srv/around/a/deep /srv/share; echo kept >/srv/share/file
            mount --bind /srv/share /srv/around/a/deep; ln -s around /srv/leads",
        run: |host| {
            let mounted = |path: &str| format!("{path} is to go, and a file system is mounted at /srv/around/a/deep");
            refuses(host.directory("/srv/around").absent(), &mounted("/srv/around"))?;
            // As a link leads there.
            refuses(host.directory("/srv/leads/a").absent(), &mounted("/srv/leads/a"))?;
            refuses(host.path("/srv/leads/a/deep").absent(), &mounted("/srv/leads/a/deep"))?;
            let around = host.directory("/srv/around").synced(SITE).exactly();
            refuses(around.present(), &mounted("/srv/around/a"))?;
            host.file("/srv/done").present()?;
            Ok(())
        },
        check: "[ \"$(cat /srv/around/a/deep/file)\" = kept ]; umount /srv/around/a/deep; [ \"$(cat /srv/share/file)\" = kept ]
            rm /srv/done",
        ..Case::DEFAULT
    },
    Case {
        name: "what_a_killed_run_left",
        // Of a process that no number belongs to, and a file that only looks like that.
        prepare: "rm -rf /srv/left; mkdir /srv/left; echo half >/srv/left/.a.conf.4194305.new; echo own >/srv/left/.a.conf.new",
        run: |host| {
            host.file("/srv/left/a.conf").content("whole\n").present()?;
            Ok(())
        },
        check: "[ \"$(LC_ALL=C ls -A /srv/left)\" = \"$(printf '.a.conf.new\\na.conf')\" ]; [ \"$(cat /srv/left/a.conf)\" = whole ]",
        ..Case::DEFAULT
    },
    Case {
        name: "validated_in_place",
        packages: &["nginx-light"],
        prepare: "rm -rf /etc/nginx/sites-enabled/default /etc/nginx/conf.d; mkdir /etc/nginx/conf.d
            echo 'server { listen 8090; }' >/etc/nginx/conf.d/kept.conf; chmod 600 /etc/nginx/conf.d/kept.conf",
        run: |host| {
            let part = |name: &str, content: &str| {
                let file = host.file(format!("/etc/nginx/conf.d/{name}.conf")).content(content);
                file.mode(0o644).validated_in_place_by(["nginx", "-t"]).present()
            };
            part("shop", "server { listen 8091; }\n")?;
            // A plan only foresees that one, and refuses nothing.
            if host.file("/etc/nginx/conf.d/shop.conf").exists().is_ok() {
                for name in ["kept", "new"] {
                    ensure!(part(name, "server { listen 8092 }\n").is_err(), "nginx refuses {name}");
                }
            }
            Ok(())
        },
        check: "[ \"$(LC_ALL=C ls -A /etc/nginx/conf.d)\" = \"$(printf 'kept.conf\\nshop.conf')\" ]; nginx -t
            [ \"$(cat /etc/nginx/conf.d/*.conf)\" = \"$(printf 'server { listen 8090; }\\nserver { listen 8091; }')\" ]
            [ \"$(stat -c %a /etc/nginx/conf.d/kept.conf)\" = 600 ]",
        ..Case::DEFAULT
    },
    Case {
        name: "replaced",
        prepare: "rm -rf /srv/a /srv/b /srv/c /srv/real; echo real >/srv/real; ln -s real /srv/a; mkdir /srv/b; echo c >/srv/c
            ln -s real /srv/through",
        run: |host| {
            host.file("/srv/a").content("own\n").replacing().present()?;
            host.file("/srv/b").content("file\n").replacing().present()?;
            host.link("/srv/c").replacing().to("real")?;
            host.file("/srv/through").through_links().mode(0o600).present()?;
            host.link("/srv/hard").hard_to("/srv/real")?;
            Ok(())
        },
        check: "[ \"$(cat /srv/a)\" = own ]; [ ! -L /srv/a ]; [ \"$(cat /srv/b)\" = file ]
            [ \"$(readlink /srv/c)\" = real ]; [ -L /srv/through ]
            [ \"$(stat -c %a /srv/real)\" = 600 ]; [ /srv/hard -ef /srv/real ]",
        ..Case::DEFAULT
    },
    Case {
        name: "owed",
        prepare: concat!(
            served!(),
            "served by-archive by-edit by-file by-link by-path by-synced
            rm -rf /srv/owed; mkdir -p /srv/owed/site; cd /srv/owed; echo old >edited; touch goes; tar cf a.tar edited"
        ),
        run: |host| {
            let by = |name: &str| host.service(&format!("by-{name}"));
            host.archive("/srv/owed/a.tar").to("/srv/owed/unpacked").reloads(&by("archive")).present()?;
            host.edit("/srv/owed/edited").line("new").reloads(&by("edit")).present()?;
            host.file("/srv/owed/file").content("new\n").reloads(&by("file")).present()?;
            host.link("/srv/owed/link").reloads(&by("link")).to("file")?;
            host.path("/srv/owed/goes").reloads(&by("path")).absent()?;
            host.directory("/srv/owed/site").synced(SITE).reloads(&by("synced")).present()?;
            Ok(())
        },
        check: "[ \"$(cd /run; ls by-* | xargs)\" = 'by-archive by-edit by-file by-link by-path by-synced' ]
            [ \"$(ls /srv/owed | xargs)\" = 'a.tar edited file link site unpacked' ]",
        ..Case::DEFAULT
    },
    Case {
        name: "links_of_a_user",
        prepare: "rm -rf /srv/user; mkdir -p /srv/user/own /srv/user/other; echo own >/srv/user/own/file; echo other >/srv/user/other/file
            cd /srv/user; ln -s other leads; ln -s own mine; ln -s other/file file; chown -R games own; chown -h games leads mine file",
        run: |host| {
            for path in ["/srv/user/file", "/srv/user/leads/file"] {
                let through = host.file(path).through_links().content("new\n");
                ensure!(through.present().is_err(), "who made the link must not lead root to {path}");
                ensure!(host.edit(path).line("new").present().is_err(), "who made the link must not lead root to {path}");
            }
            ensure!(host.directory("/srv/user/leads").through_links().mode(0o777).present().is_err(), "nor to a directory");
            host.edit("/srv/user/mine/file").line("new").present()?;
            host.directory("/srv/user/mine").through_links().mode(0o700).present()?;
            Ok(())
        },
        check: "[ \"$(cat /srv/user/other/file)\" = other ]; [ \"$(stat -c %a /srv/user/other)\" = 755 ]
            [ \"$(cat /srv/user/own/file)\" = \"$(printf 'own\\nnew')\" ]; [ \"$(stat -c '%U %a' /srv/user/own)\" = 'games 700' ]",
        ..Case::DEFAULT
    },
    Case {
        name: "whatever_is_there",
        prepare: "mkdir -p /srv/some/deep; touch /srv/some/deep/file /srv/thing; ln -sf /srv/keep /srv/leads; mkdir -p /srv/keep
            mkfifo /srv/pipe",
        run: |host| {
            for path in ["/srv/some", "/srv/thing", "/srv/leads", "/srv/pipe", "/srv/never"] {
                host.path(path).absent()?;
            }
            Ok(())
        },
        check: "[ ! -e /srv/some ]; [ ! -e /srv/thing ]; [ ! -e /srv/pipe ]; [ ! -L /srv/leads ]; [ -d /srv/keep ]",
        ..Case::DEFAULT
    },
    Case {
        name: "recursively",
        prepare: "rm -rf /srv/tree /srv/beside; mkdir -p /srv/tree/deep; touch /srv/tree/a /srv/tree/deep/b /srv/beside
            ln -s /srv/beside /srv/tree/link; chmod 777 /srv/tree/a /srv/tree/deep /srv/beside; mkfifo -m 600 /srv/tree/pipe
            perl -MSocket -e 'socket(S, PF_UNIX, SOCK_STREAM, 0); bind(S, pack_sockaddr_un(\"/srv/tree/socket\")) or die'
            chmod 700 /srv/tree/socket",
        run: |host| {
            let tree = host.directory("/srv/tree").owner("www-data").group("www-data").recursively();
            tree.file_mode(0o640).dir_mode(0o750).set()?;
            Ok(())
        },
        check: "[ \"$(stat -c '%U:%G %a' /srv/tree /srv/tree/deep | sort -u)\" = 'www-data:www-data 750' ]
            [ \"$(stat -c '%U:%G %a' /srv/tree/a /srv/tree/deep/b | sort -u)\" = 'www-data:www-data 640' ]
            [ \"$(stat -c %U /srv/tree/link)\" = www-data ]
            [ \"$(stat -c '%U %a' /srv/tree/pipe /srv/tree/socket)\" = \"$(printf 'www-data 600\\nwww-data 700')\" ]
            [ \"$(stat -c '%U %a' /srv/beside)\" = 'root 777' ]",
        ..Case::DEFAULT
    },
    Case {
        name: "synced",
        prepare: "rm -rf /srv/site; mkdir -p /srv/site/old/deep /srv/site/uploads; echo old >/srv/site/index.html
            touch /srv/site/old/deep/a /srv/site/uploads/kept; ln -s /etc /srv/site/css",
        run: |host| {
            let by_its_whole_path = host.directory("/srv/site").synced(SITE).exactly().keeping("/srv/site/uploads");
            ensure!(by_its_whole_path.present().is_err(), "a path that would keep nothing");
            let site = host.directory("/srv/site").owner("www-data").synced(SITE).exactly().keeping("uploads");
            site.file_mode(0o640).dir_mode(0o750).mode_of("index.html", 0o755).present()?;
            Ok(())
        },
        check: "[ \"$(cat /srv/site/index.html)\" = '<h1>Shop</h1>' ]; [ \"$(cat /srv/site/css/shop.css)\" = 'body {}' ]
            [ \"$(ls -A /srv/site)\" = \"$(printf 'css\\nindex.html\\nuploads')\" ]; [ -e /srv/site/uploads/kept ]
            [ ! -L /srv/site/css ]; [ ! -e /etc/shop.css ]
            [ \"$(stat -c '%U %a' /srv/site/css)\" = 'www-data 750' ]; [ \"$(stat -c %a /srv/site/css/shop.css)\" = 640 ]
            [ \"$(stat -c %a /srv/site/index.html)\" = 755 ]",
        ..Case::DEFAULT
    },
    Case {
        name: "temporary",
        prepare: "rm -rf /srv/made; mkdir /srv/made; chown www-data: /srv/made
            mkdir -p /var/cache/wildebeest/1-0; touch /var/cache/wildebeest/1-0.lock /var/cache/wildebeest/1-0/left",
        run: |host| {
            let (own, other) = (host.temporary_dir()?, host.temporary_dir_for("www-data")?);
            let file = host.temporary_file("countries.csv")?;
            // What they are called is another name each time, and stands on no line.
            host.shell("stat -c '%U %a' \"$OWN\" \"$OTHER\" \"$FILE\" >/srv/made/modes")
                .env("OWN", own.path().to_string_lossy())
                .env("OTHER", other.path().to_string_lossy())
                .env("FILE", file.path().to_string_lossy())
                .creates("/srv/made/modes")
                .run()?;
            host.shell("! ls \"$OWN\" 2>/dev/null && echo x >\"$OTHER/x\" && cp \"$OTHER/x\" /srv/made/x")
                .user("www-data")
                .env("OWN", own.path().to_string_lossy())
                .env("OTHER", other.path().to_string_lossy())
                .creates("/srv/made/x")
                .run()?;
            Ok(())
        },
        check: "[ \"$(cat /srv/made/modes)\" = \"$(printf 'root 700\\nwww-data 700\\nroot 600')\" ]
            [ \"$(stat -c %U /srv/made/x) $(cat /srv/made/x)\" = 'www-data x' ]; [ ! -e /var/cache/wildebeest ]",
        ..Case::DEFAULT
    },
    Case {
        name: "access_control_lists",
        packages: &["acl"],
        prepare: "rm -rf /srv/lists; mkdir -p /srv/lists; echo old >/srv/lists/kept; setfacl -m u:games:r-- /srv/lists/kept
            touch /srv/lists/cleared; setfacl -m u:games:rwx /srv/lists/cleared; rm -rf /srv/shared; mkdir /srv/shared
            touch /srv/lists/less; setfacl -m u:games:rwx,g:www-data:r-- /srv/lists/less
            mkdir /srv/lists/few; setfacl -d -m u:games:rwx /srv/lists/few
            echo old >/srv/shared/plain; setfacl -d -m g:games:rwx /srv/shared",
        run: |host| {
            host.directory("/srv/lists").mode(0o750).acl("default:group:www-data:r-x").present()?;
            host.file("/srv/lists/log").mode(0o640).acl("user:www-data:rw-").acl("group:games:r--").present()?;
            host.file("/srv/lists/kept").content("new\n").present()?;
            host.file("/srv/lists/cleared").mode(0o600).exact_acl().present()?;
            host.file("/srv/lists/less").without_acl("user:games").present()?;
            host.directory("/srv/lists/few").without_acl("default:user:games").present()?;
            host.file("/srv/shared/plain").content("new\n").present()?;
            host.file("/srv/shared/exact").content("new\n").exact_acl().present()?;
            host.file("/srv/shared/new").content("new\n").present()?;
            Ok(())
        },
        check: "[ \"$(getfacl -cp /srv/lists/log | tr '\\n' ' ')\" = \
'user::rw- user:www-data:rw- group::r-- group:games:r-- mask::rw- other::---  ' ]
            getfacl -cp /srv/lists/kept | grep -qx user:games:r--; [ \"$(cat /srv/lists/kept)\" = new ]
            [ -z \"$(getfacl -cp /srv/lists/cleared | grep games)\" ]; [ \"$(stat -c %a /srv/lists/cleared)\" = 600 ]
            getfacl -cp /srv/lists | grep -qx default:group:www-data:r-x
            [ \"$(getfacl -cp /srv/lists/less | tr '\\n' ' ')\" = \
'user::rw- group::r-- group:www-data:r-- mask::r-- other::r--  ' ]
            getfacl -cp /srv/lists/few | grep -qx default:user::rwx; [ -z \"$(getfacl -cp /srv/lists/few | grep games)\" ]
            [ -z \"$(getfacl -cp /srv/shared/plain /srv/shared/exact | grep games)\" ]
            getfacl -cp /srv/shared/new | grep -q games",
        ..Case::DEFAULT
    },
    Case {
        name: "capabilities",
        packages: &["libcap2-bin"],
        prepare: "cp /bin/true /usr/local/bin/one; cp /bin/true /usr/local/bin/two; setcap cap_net_raw=ep /usr/local/bin/two",
        run: |host| {
            host.file("/usr/local/bin/one").mode(0o755).capabilities("cap_net_bind_service=ep").present()?;
            host.file("/usr/local/bin/two").capabilities("").present()?;
            host.file("/usr/local/bin/three").content("#!/bin/sh\n").mode(0o755).capabilities("cap_chown=p").present()?;
            Ok(())
        },
        check: "[ \"$(getcap /usr/local/bin/one)\" = '/usr/local/bin/one cap_net_bind_service=ep' ]
            [ -z \"$(getcap /usr/local/bin/two)\" ]
            [ \"$(getcap /usr/local/bin/three)\" = '/usr/local/bin/three cap_chown=p' ]",
        ..Case::DEFAULT
    },
    Case {
        name: "rights_of_programs",
        packages: &["libcap2-bin"],
        prepare: "rm -rf /srv/rights; mkdir -p /srv/rights/tree; cd /srv/rights
            for p in id able tree/id twice; do cp /bin/true $p; chown root: $p; chmod 4755 $p; done; ln twice also
            chmod 755 able; setcap cap_net_raw=ep able",
        run: |host| {
            host.file("/srv/rights/id").group("games").present()?;
            host.file("/srv/rights/able").owner("games").group("games").present()?;
            host.directory("/srv/rights/tree").owner("games").recursively().set()?;
            Ok(())
        },
        check: "cd /srv/rights; [ \"$(stat -c '%U:%G %a' id able)\" = \"$(printf 'root:games 4755\\ngames:games 755')\" ]
            [ \"$(getcap /srv/rights/able)\" = '/srv/rights/able cap_net_raw=ep' ]
            [ \"$(stat -c '%U:%G %a' tree tree/id)\" = \"$(printf 'games:root 755\\ngames:root 4755')\" ]
            [ \"$(ls -A . tree | grep -c new)\" = 0 ]; for p in id able tree/id; do cmp $p /bin/true; done; ./id",
        ..Case::DEFAULT
    },
];

const SITE: Assets = Assets::new("site", &[("css/shop.css", b"body {}"), ("index.html", b"<h1>Shop</h1>\n")]);
