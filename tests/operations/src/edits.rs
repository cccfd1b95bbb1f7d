//! Edits of files, read back by the programs that they are for.

use wb_stdlib::prelude::*;

use crate::Case;

pub(crate) static CASES: &[Case] = &[
    Case {
        name: "lines_and_blocks",
        prepare: "printf '127.0.0.1 localhost\\n192.0.2.1 db\\n192.0.2.9 old\\n# end' >/etc/edited
            chown www-data:games /etc/edited; chmod 640 /etc/edited; ln -sf ../edited /etc/default/edited
            printf 'a\\r\\nb = caf\\351\\r\\n' >/etc/edited.dos; printf '<a>\\n</a>\\n' >/etc/edited.xml
            printf '%s\\n' 'old 1' keep 'old 2' '# BEGIN wildebeest: gone' x '# END wildebeest: gone' 'port 1' 'port 2' \
                >/etc/edited.more",
        run: |host| {
            host.edit("/etc/default/edited")
                .line("192.0.2.7 db")
                .matching(r"\sdb$")
                .line("192.0.2.8 cache")
                .after(r"\sdb$")
                .without_line("192.0.2.9 old")
                .block("web", "192.0.2.20 web1\n192.0.2.21 web2\n")
                .before("^# end")
                .replace("local(host)$", "local$1 this")
                .present()?;
            host.edit("/etc/edited.dos").line("c").replace("^a$", "A").present()?;
            host.edit("/etc/edited.new").line("new").or_create(0o600).present()?;
            host.edit("/etc/edited.more")
                .without_lines("^old ")
                .without_block("gone")
                .line("port 3")
                .matching("^port ")
                .only()
                .line("first")
                .at_start()
                .block("top", "in it\n")
                .commented(";")
                .at_start()
                .present()?;
            let xml = host.edit("/etc/edited.xml").block("b", "  <b/>\n");
            xml.between("<!-- b -->", "<!-- end -->").after("^<a>$").present()?;
            Ok(())
        },
        check:
            "[ \"$(cat /etc/edited)\" = \"$(printf '%s\\n' '127.0.0.1 localhost this' '192.0.2.7 db' '192.0.2.8 cache' \
            '# BEGIN wildebeest: web' '192.0.2.20 web1' '192.0.2.21 web2' '# END wildebeest: web' '# end')\" ]
            [ \"$(tail -c 5 /etc/edited)\" = '# end' ]
            [ \"$(stat -c '%U:%G %a' /etc/edited)\" = 'www-data:games 640' ]
            [ \"$(readlink /etc/default/edited)\" = ../edited ]
            printf 'A\\r\\nb = caf\\351\\r\\nc\\r\\n' | cmp - /etc/edited.dos
            printf '%s\\n' '; BEGIN wildebeest: top' 'in it' '; END wildebeest: top' first keep 'port 3' | cmp - /etc/edited.more
            printf '%s\\n' '<a>' '<!-- b -->' '  <b/>' '<!-- end -->' '</a>' | cmp - /etc/edited.xml
            [ \"$(stat -c %a /etc/edited.new) $(cat /etc/edited.new)\" = '600 new' ]",
        ..Case::DEFAULT
    },
    Case {
        name: "sshd",
        packages: &["openssh-server"],
        prepare: "mkdir -p /run/sshd; sed -i '1i PrintMotd no' /etc/ssh/sshd_config",
        run: |host| {
            host.edit("/etc/ssh/sshd_config")
                .directive("PermitRootLogin", "no")
                .directive("X11Forwarding", "no")
                .directives("Port", ["22", "2222"])
                .without_directive("PrintMotd")
                .directive("ForceCommand", "/bin/true")
                .under("Match User games")
                .validated_by(["/usr/sbin/sshd", "-t", "-f"])
                .present()?;
            Ok(())
        },
        check: "/usr/sbin/sshd -T >/tmp/global; /usr/sbin/sshd -T -C user=games,host=h,addr=192.0.2.1 >/tmp/games
            grep -qx 'printmotd yes' /tmp/global; grep -qx 'permitrootlogin no' /tmp/global; grep -qx 'x11forwarding no' /tmp/global
            [ \"$(grep -c '^port ' /tmp/global)\" = 2 ]; grep -qx 'forcecommand none' /tmp/global
            grep -qx 'forcecommand /bin/true' /tmp/games
            grep -qx '#PermitRootLogin prohibit-password' /etc/ssh/sshd_config
            [ -z \"$(ls -A /etc/ssh | grep candidate)\" ]",
        ..Case::DEFAULT
    },
    Case {
        name: "variables",
        prepare: "printf '# of the shop\\n#WORKERS=2\\nexport NAME=\"old\" # why\\nLONG=\"a\\nPORT=1\\n\"\\nPORT=80\\nGONE=1\\n' \
            >/etc/default/shop",
        run: |host| {
            host.edit("/etc/default/shop")
                .variable("WORKERS", "4")
                .variable("NAME", "it's \"$HOME\" `x` \\")
                .variable("PORT", "8080")
                .variable("EMPTY", "")
                .without_variable("GONE")
                .present()?;
            Ok(())
        },
        check: r#". /etc/default/shop
            [ "$WORKERS $PORT $EMPTY" = "4 8080 " ]; [ -z "${GONE+set}" ]
            [ "$NAME" = "it's \"\$HOME\" \`x\` \\" ]
            [ "$LONG." = "$(printf 'a\nPORT=1\n.')" ]
            grep -qx '#WORKERS=2' /etc/default/shop; grep -q ' # why$' /etc/default/shop"#,
        ..Case::DEFAULT
    },
    Case {
        name: "sections",
        packages: &["git"],
        prepare: "printf '; of the shop\\n[core]\\n\\teditor = vi\\n\\n[remote \"origin\"]\\n\\turl = a\\n\\tfetch = x\\n\\tfetch = y\\n[old]\\n\\ta = 1\\n' \
            >/etc/shop.ini
            printf 'root = false\\n[a]\\nroot = false\\n' >/etc/shop.editorconfig",
        run: |host| {
            host.edit("/etc/shop.ini")
                .section("core")
                .option("editor", "ed")
                .flag("bare")
                .section("remote \"origin\"")
                .options("fetch", ["+refs/heads/*:refs/heads/*", "y"])
                .repeated_option("url", "b")
                .section("user")
                .option("name", "Anna")
                .without_section("old")
                .present()?;
            host.edit("/etc/shop.editorconfig").before_sections().option("root", "true").present()?;
            Ok(())
        },
        check: "ini() { git config --file /etc/shop.ini \"$@\"; }
            [ \"$(ini --get core.editor) $(ini --type=bool --get core.bare) $(ini --get user.name)\" = 'ed true Anna' ]
            [ \"$(ini --get-all remote.origin.url | tr '\\n' ' ')\" = 'a b ' ]
            [ \"$(ini --get-all remote.origin.fetch | tr '\\n' ' ')\" = '+refs/heads/*:refs/heads/* y ' ]
            printf 'root = true\\n[a]\\nroot = false\\n' | cmp - /etc/shop.editorconfig
            [ -z \"$(ini --get old.a)\" ]; [ \"$(head -n 1 /etc/shop.ini)\" = '; of the shop' ]",
        ..Case::DEFAULT
    },
    Case {
        name: "trees",
        packages: &["python3-yaml"],
        prepare: "printf '# top\\n[server]\\nport = 80 # http\\n\\n[[pool]]\\nname = \"a\" # first\\n\\n[[pool]]\\nname = \"b\"\\n' >/etc/shop.toml
            printf '{\\n  \"log\": {\\n    \"size\": \"1m\"\\n  },\\n  \"hosts\": [\\n    {\\n      \"port\": 1\\n    }\\n  ],\\n  \"debug\": true\\n}\\n' \
            >/etc/shop.json
            printf '# top\\nnetwork:\\n  version: 1 # of the format\\n  eth0: {dhcp: yes}\\nhosts:\\n  - name: a # first\\n    port: 1\\n  - name: b\\n' \
            >/etc/shop.yaml",
        run: |host| {
            host.edit("/etc/shop.toml")
                .toml("server.port", 8080)
                .without_toml("server.old")
                .toml("pool[0].size", 4)
                .toml("plugins.\"io.x\".names", ["a", "b"])
                .present()?;
            host.edit("/etc/shop.json")
                .json("log.size", "10m")
                .json("hosts[0].port", 2)
                .json("a.b.c", 1.5)
                .without_json("debug")
                .present()?;
            let yaml = host.edit("/etc/shop.yaml").yaml("network.version", 2).yaml("network.eth0.mtu", 1500);
            let yaml = yaml.yaml("hosts[0].port", 2).yaml("hosts[1].port", 3);
            yaml.without_yaml("old").yaml("answers", ["no", "12:30", "x: y", "0755", "é", "two words"]).present()?;
            Ok(())
        },
        check: r##"cat >/tmp/check.py <<'END'
import json, tomllib, yaml
toml = open('/etc/shop.toml').read()
pool = [{'name': 'a', 'size': 4}, {'name': 'b'}]
assert tomllib.loads(toml) == {'server': {'port': 8080}, 'pool': pool, 'plugins': {'io.x': {'names': ['a', 'b']}}}, toml
assert '# top' in toml and '# http' in toml and '# first' in toml, toml
assert json.load(open('/etc/shop.json')) == {'log': {'size': '10m'}, 'hosts': [{'port': 2}], 'a': {'b': {'c': 1.5}}}
text = open('/etc/shop.yaml').read()
answers = ['no', '12:30', 'x: y', '0755', 'é', 'two words']
network = {'version': 2, 'eth0': {'dhcp': True, 'mtu': 1500}}
hosts = [{'name': 'a', 'port': 2}, {'name': 'b', 'port': 3}]
assert yaml.safe_load(text) == {'network': network, 'hosts': hosts, 'answers': answers}, text
assert '# top' in text and '# of the format' in text and '# first' in text, text
END
            python3 /tmp/check.py"##,
        ..Case::DEFAULT
    },
];
