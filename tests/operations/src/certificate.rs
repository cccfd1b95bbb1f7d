//! Trust anchors, and certificates with their keys.

use wb_stdlib::prelude::*;

use crate::Case;
use crate::case::{agrees, served};

const CERTIFICATE: &str = include_str!("../assets/certificate.pem");
const KEY: &str = include_str!("../assets/key.pem");

pub(crate) static TRUST_ANCHORS: &[Case] = &[
    Case {
        name: "present",
        packages: &["ca-certificates"],
        prepare: "rm -f /usr/local/share/ca-certificates/*; update-ca-certificates --fresh >/dev/null",
        run: |host| {
            let root = || host.trust_anchor("example-root").certificate(CERTIFICATE);
            let is_trusted = "[ -L /etc/ssl/certs/example-root.pem ]";
            agrees(host, is_trusted, root().is_trusted())?;
            root().present()?;
            agrees(host, is_trusted, root().is_trusted())
        },
        check: "[ -L /etc/ssl/certs/example-root.pem ]
            grep -qF \"$(sed -n 2p /usr/local/share/ca-certificates/example-root.crt)\" /etc/ssl/certs/ca-certificates.crt",
        ..Case::DEFAULT
    },
    Case {
        name: "absent",
        packages: &["ca-certificates", "openssl"],
        prepare: "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=old -days 9 -keyout /dev/null -out /usr/local/share/ca-certificates/old.crt 2>/dev/null
            update-ca-certificates >/dev/null; [ -L /etc/ssl/certs/old.pem ]",
        run: |host| {
            host.trust_anchor("old").absent()?;
            Ok(())
        },
        check: "[ ! -e /usr/local/share/ca-certificates/old.crt ]; [ ! -L /etc/ssl/certs/old.pem ]; [ ! -e /etc/ssl/certs/.old.going ]",
        ..Case::DEFAULT
    },
    // The program that makes the bundle was killed after it had taken the links away, and before the bundle.
    Case {
        name: "half_absent",
        packages: &["ca-certificates", "openssl"],
        prepare: "rm -f /usr/local/share/ca-certificates/*; update-ca-certificates --fresh >/dev/null
            openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=half -days 9 -keyout /dev/null -out /tmp/half.crt 2>/dev/null
            cat /tmp/half.crt >>/etc/ssl/certs/ca-certificates.crt; : >/etc/ssl/certs/.half.going",
        run: |host| {
            host.trust_anchor("half").absent()?;
            Ok(())
        },
        check: "[ -z \"$(grep -F \"$(sed -n 2p /tmp/half.crt)\" /etc/ssl/certs/ca-certificates.crt)\" ]; [ ! -e /etc/ssl/certs/.half.going ]",
        ..Case::DEFAULT
    },
];

pub(crate) static CERTIFICATES: &[Case] = &[
    Case {
        name: "pair",
        packages: &["openssl", "ssl-cert"],
        prepare: concat!(
            served!(),
            "served by-pair; rm -f /etc/ssl/shop.pem /etc/ssl/private/shop.key; echo old >/etc/ssl/shop.pem"
        ),
        run: |host| {
            let shop = host.certificate("/etc/ssl/shop.pem");
            let pair = shop.pair(CERTIFICATE, "/etc/ssl/private/shop.key", KEY).group("ssl-cert");
            let placed = pair.reloads(&host.service("by-pair")).present()?;
            ensure!(!format!("{placed:?}").contains("PRIVATE KEY"), "the key is shown: {placed:?}");
            Ok(())
        },
        check: "[ \"$(stat -c '%U:%G %a' /etc/ssl/private/shop.key)\" = 'root:ssl-cert 640' ]; [ -e /run/by-pair ]
            [ \"$(openssl pkey -in /etc/ssl/private/shop.key -pubout)\" = \"$(openssl x509 -in /etc/ssl/shop.pem -noout -pubkey)\" ]",
        ..Case::DEFAULT
    },
    Case {
        name: "self_signed",
        packages: &["openssl"],
        prepare: concat!(served!(), "served by-own; rm -f /etc/ssl/own.pem /etc/ssl/private/own.key"),
        run: |host| {
            let own = host.certificate("/etc/ssl/own.pem");
            let names = ["own.example.org", "192.0.2.7", "2001:db8::1"];
            let own = own.self_signed("/etc/ssl/private/own.key", names).days(90);
            own.reloads(&host.service("by-own")).present()?;
            Ok(())
        },
        check: "[ \"$(stat -c '%U:%G %a' /etc/ssl/private/own.key)\" = 'root:root 600' ]; [ -e /run/by-own ]
            openssl x509 -in /etc/ssl/own.pem -noout -checkend 7000000
            openssl verify -CAfile /etc/ssl/own.pem /etc/ssl/own.pem
            openssl x509 -in /etc/ssl/own.pem -noout -ext subjectAltName | grep -q 'DNS:own.example.org, IP Address:192.0.2.7'
            [ \"$(openssl pkey -in /etc/ssl/private/own.key -pubout)\" = \"$(openssl x509 -in /etc/ssl/own.pem -noout -pubkey)\" ]",
        ..Case::DEFAULT
    },
    Case {
        name: "renewed",
        packages: &["openssl"],
        prepare: "for of in a b; do
                openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=$of -days 9 \
                    -addext subjectAltName=DNS:$of.example.org -keyout /etc/ssl/private/$of.key -out /etc/ssl/$of.pem 2>/dev/null
            done
            cp /etc/ssl/private/a.key /etc/ssl/b.pem /root",
        run: |host| {
            host.certificate("/etc/ssl/a.pem").self_signed("/etc/ssl/private/a.key", ["a.example.org"]).present()?;
            let other = host.certificate("/etc/ssl/b.pem").self_signed("/etc/ssl/private/b.key", ["b.example.org"]);
            other.renewed_before(5).present()?;
            Ok(())
        },
        check: "openssl x509 -in /etc/ssl/a.pem -noout -checkend 30000000; cmp /root/a.key /etc/ssl/private/a.key
            cmp /root/b.pem /etc/ssl/b.pem",
        ..Case::DEFAULT
    },
    Case {
        name: "with_a_key_of_its_own",
        packages: &["openssl", "ssl-cert"],
        prepare: "openssl genpkey -algorithm ED25519 -out /etc/ssl/private/e.key; chmod 644 /etc/ssl/private/e.key
            cp /etc/ssl/private/e.key /root/e.key; rm -f /etc/ssl/e.pem
            openssl genpkey -algorithm ED25519 -aes256 -pass pass:x -out /etc/ssl/private/locked.key",
        run: |host| {
            let locked = host.certificate("/etc/ssl/locked.pem").self_signed("/etc/ssl/private/locked.key", ["a"]);
            anyhow::ensure!(locked.present().is_err(), "a key with a password was replaced");
            let own = host.certificate("/etc/ssl/e.pem").self_signed("/etc/ssl/private/e.key", ["e.example.org"]);
            own.group("ssl-cert").present()?;
            Ok(())
        },
        check: "cmp /root/e.key /etc/ssl/private/e.key; grep -q ENCRYPTED /etc/ssl/private/locked.key
            [ \"$(stat -c '%U:%G %a' /etc/ssl/private/e.key)\" = 'root:ssl-cert 640' ]
            [ \"$(openssl pkey -in /etc/ssl/private/e.key -pubout)\" = \"$(openssl x509 -in /etc/ssl/e.pem -noout -pubkey)\" ]",
        ..Case::DEFAULT
    },
];
