//! Downloads from a real nginx, with TLS and without.

use wb_stdlib::prelude::*;

use crate::Case;
use crate::case::refuses;

/// Three million times the letter `a`.
const SUM: &str = "2a152c894398719c0570f83fac34ac03a0f6e8e474b995c2403aa5434f7b9dd4";

const PACKAGES: &[&str] = &["nginx-light", "openssl", "socat"];

/// An authority, a certificate of its for `localhost`, and a server of `/srv/files` at 8080 and, with TLS, at 8443.
macro_rules! server {
    () => {
        r#"
    mkdir -p /srv/files /etc/tls /opt
    head -c 3000000 /dev/zero | tr '\0' a >/srv/files/big
    cd /etc/tls
    if ! [ -e cert.pem ]; then
        curve='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
        openssl req -x509 $curve -days 3650 -subj /CN=authority -keyout ca.key -out ca.pem 2>/dev/null
        openssl req $curve -subj /CN=localhost -keyout key.pem -out request.pem 2>/dev/null
        echo subjectAltName=DNS:localhost >extensions
        openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 -extfile extensions \
            -out cert.pem 2>/dev/null
    fi
    rm -f /etc/nginx/sites-enabled/default
    cat >/etc/nginx/conf.d/files.conf <<'END'
    server {
        listen 8080;
        listen 8443 ssl;
        ssl_certificate /etc/tls/cert.pem;
        ssl_certificate_key /etc/tls/key.pem;
        root /srv/files;
        location /loop { return 302 /loop; }
        location /away { return 302 http://localhost:8080/big; }
        location /moved { return 302 /guarded; }
        location /guarded {
            if ($http_x_token != swordfish) { return 403; }
            rewrite ^ /big break;
        }
    }
END
    nginx -s stop 2>/dev/null || true
    while [ -e /run/nginx.pid ]; do sleep 0.1; done
    rm -f /var/log/nginx/access.log
    nginx
    while ! [ -s /run/nginx.pid ]; do sleep 0.1; done
    rm -rf /opt/big /opt/.big.*
"#
    };
}

/// A proxy, which writes down whither it leads, and leads to that server.
const PROXY: &str = "http://127.0.0.1:3128";

macro_rules! proxy {
    () => {
        r#"
    cat >/usr/local/bin/proxy <<'END'
#!/bin/sh
read -r way
while read -r line && [ ${#line} -gt 1 ]; do :; done
echo "$way" >>/var/log/proxied
printf 'HTTP/1.1 200 OK

'
exec socat - TCP4:127.0.0.1:8080
END
    chmod 755 /usr/local/bin/proxy
    rm -f /var/log/proxied
    { pidof socat || socat TCP4-LISTEN:3128,fork,reuseaddr EXEC:/usr/local/bin/proxy; } </dev/null >/dev/null 2>&1 &
    for _ in $(seq 50); do ! grep -q ':0C38 ' /proc/net/tcp || break; sleep 0.1; done
"#
    };
}

pub(crate) static CASES: &[Case] = &[
    Case {
        name: "over_tls",
        packages: PACKAGES,
        prepare: server!(),
        run: |host| {
            asked_over_tls(host)?;
            host.download("https://localhost:8443/moved")
                .sha256(SUM)
                .to("/opt/big")
                .trusting("/etc/tls/ca.pem")
                .header("X-Token", "swordfish")
                .owner("www-data")
                .mode(0o640)
                .reloads(&host.service("nginx"))
                .present()?;
            Ok(())
        },
        check: "cmp /srv/files/big /opt/big
            [ \"$(stat -c '%U:%G %a' /opt/big)\" = 'www-data:root 640' ]
            [ \"$(ls -A /opt)\" = big ]; grep '\"debts\":\\[\\]' /var/lib/wb-operations/journal.json",
        ..Case::DEFAULT
    },
    Case {
        name: "goes_on_where_it_was",
        packages: PACKAGES,
        prepare: concat!(
            server!(),
            proxy!(),
            "head -c 1000000 /srv/files/big >/opt/.big.2a152c894398.part; echo old >/opt/big"
        ),
        run: |host| {
            host.http("http://127.0.0.1:8080/none").proxy(PROXY).answers(404)?;
            host.download("http://localhost:8080/big").sha256(SUM).to("/opt/big").proxy(PROXY).present()?;
            Ok(())
        },
        check: "cmp /srv/files/big /opt/big
            [ \"$(ls -A /opt)\" = big ]
            grep -q '\" 206 ' /var/log/nginx/access.log
            grep -q '^CONNECT 127.0.0.1:8080 ' /var/log/proxied; grep -q '^CONNECT localhost:8080 ' /var/log/proxied",
        ..Case::DEFAULT
    },
    Case {
        name: "refused",
        packages: PACKAGES,
        prepare: concat!(
            server!(),
            "echo old >/opt/big; umount /mnt 2>/dev/null || true; mount -t tmpfs -o size=1m none /mnt"
        ),
        run: |host| {
            let fetch = |url: &str, sum: &str, path: &str| {
                let download = host.download(url).sha256(sum).to(path).trusting("/etc/tls/ca.pem");
                download.within(Duration::from_secs(3)).present()
            };
            if host.file("/opt/applied").read()?.is_none() {
                host.file("/opt/applied").content("once").present()?;
            }
            let other = "3f882cf63f2ff9e36f6aee432dbbc11dd00ea6ffe61fa901a58a875eaeba37a8";
            if host.file("/opt/applied").read()?.is_some() {
                let (big, away) = ("http://localhost:8080/big", "https://localhost:8443/away");
                refuses(fetch(big, other, "/opt/big"), &format!("{big} is not what it is said to be"))?;
                refuses(fetch(away, SUM, "/opt/big"), &format!("{away} redirects to {big}, which is not encrypted"))?;
                let fails = |url: &str, why: &str| refuses(fetch(url, SUM, "/opt/big"), &format!("{url} {why}"));
                fails("http://localhost:8080/loop", "redirects too often")?;
                fails("http://localhost:8080/none", "was answered with the status 404")?;
                fails("http://localhost:1/big", "could not be downloaded within 3 s")?;
                fails("https://127.0.0.1:8443/big", "can't be trusted")?;
                refuses(fetch(big, SUM, "/mnt/big"), "there is no room for /mnt/big")?;
            }
            Ok(())
        },
        check: "[ \"$(cat /opt/big)\" = old ]
            [ \"$(ls -A /opt | grep -v part)\" = \"$(printf 'applied\\nbig')\" ]
            [ -z \"$(ls -A /mnt)\" ]",
        ..Case::DEFAULT
    },
];

/// Requests to that server which change nothing: whom they trust, and what they say.
fn asked_over_tls(host: &Host) -> Result<()> {
    let tls = |path: &str| host.http(&format!("https://localhost:8443/{path}"));
    let trusted = |path: &str| tls(path).trusting("/etc/tls/ca.pem");
    trusted("big").answers(200)?;
    refuses(tls("big").answers(200), "https://localhost:8443/big can't be trusted")?;
    trusted("guarded").header("X-Token", "swordfish").answers(200)?;
    ensure!(trusted("guarded").get()?.status == 403, "it let in who has no token");
    trusted("moved").header("X-Token", "swordfish").following_redirects().answers(200)
}
