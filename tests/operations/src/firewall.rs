//! nftables, ufw and firewalld, in a network namespace of their own.

use wb_stdlib::prelude::*;
use wb_stdlib::ufw::Policy;

use crate::Case;
use crate::case::{agrees, refuses};

const RULES: &str = "flush ruleset\n\ntable inet filter {\n\tchain input {\n\t\ttype filter hook input priority filter; policy \
                     drop;\n\t\tct state established,related accept\n\t\tiif lo accept\n\t\ttcp dport { 22, 80 } \
                     accept\n\t}\n}\ntable ip extra {\n}\n";

pub(crate) static NFTABLES: &[Case] = &[
    Case {
        name: "ruleset",
        packages: &["nftables", "openssh-server"],
        prepare: "nft flush ruleset; nft add table inet old; printf '#!/usr/sbin/nft -f\\nflush ruleset\\n' >/etc/nftables.conf
            mkdir -p /run/sshd; pidof sshd || /usr/sbin/sshd",
        run: |host| {
            let shut = RULES.replace("22, 80", "80, 443");
            refuses(host.nftables().ruleset(shut).loaded(), "no rule accepts port 22")?;
            agrees(host, "nft list table inet filter", host.nftables().has_table("inet filter"))?;
            host.nftables().ruleset(RULES).keeps_reaching("127.0.0.1:22").loaded()?;
            agrees(host, "nft list table inet filter", host.nftables().has_table("inet filter"))
        },
        check: "nft list table inet filter | grep -q 'tcp dport { 22, 80 } accept'
            [ \"$(nft list tables)\" = \"$(printf 'table inet filter\\ntable ip extra')\" ]
            grep -q 'table ip extra' /etc/nftables.conf",
        ..Case::DEFAULT
    },
    Case {
        name: "not_loaded",
        packages: &["nftables"],
        prepare: "nft flush ruleset; printf 'flush ruleset\\ntable inet only { }\\n' >/etc/nftables.conf",
        run: |host| {
            host.nftables().ruleset("flush ruleset\ntable inet only { }\n").loaded()?;
            Ok(())
        },
        check: "nft list table inet only",
        ..Case::DEFAULT
    },
    Case {
        name: "table_goes",
        packages: &["nftables"],
        prepare: "nft flush ruleset; nft add table inet old; nft add table inet theirs; rm -f /etc/nftables.conf",
        run: |host| {
            let rules =
                "table inet old; delete table inet old\ntable inet own; delete table inet own\ntable inet own { }\n";
            host.nftables().ruleset(rules).loaded()?;
            Ok(())
        },
        check: "[ \"$(nft list tables)\" = \"$(printf 'table inet theirs\\ntable inet own')\" ]",
        ..Case::DEFAULT
    },
];

pub(crate) static UFW: &[Case] = &[RULES_OF_UFW, KEEPS_SSH, HALF_ENABLED, DISABLED];

const RULES_OF_UFW: Case = Case {
    name: "rules",
    packages: &["ufw", "openssh-server"],
    prepare: "ufw --force reset >/dev/null; rm -f /etc/ufw/*.rules.2*; ufw default allow incoming; ufw allow 8080/tcp; ufw deny 443/tcp
        ufw default deny outgoing",
    run: |host| {
        let ufw = host.ufw();
        ufw.limit(22).over("tcp").present()?;
        ufw.allow("443,80").over("tcp").present()?;
        ufw.allow("9000,8080,8000:8010").over("udp").present()?;
        ufw.allow(443).over("tcp").present()?;
        ufw.allow(5432).over("tcp").from("192.0.2.7/24").present()?;
        ufw.allow("6000:6007").over("udp").from("2001:db8::/32").on("eth0").present()?;
        ufw.deny("any").from("198.51.100.7").first().present()?;
        ufw.allow_application("OpenSSH").present()?;
        ufw.deny(25).over("tcp").outgoing().present()?;
        ufw.allow(8080).over("tcp").absent()?;
        ufw.incoming(Policy::Deny)?;
        ufw.outgoing(Policy::Allow)?;
        ufw.enabled()?;
        Ok(())
    },
    check: "ufw status | grep -q 'Status: active'
        ufw status | grep -Eq '^22/tcp +LIMIT +Anywhere'
        ufw status | grep -Eq '^80,443/tcp +ALLOW'
        ufw status | grep -Eq '^8000:8010,8080,9000/udp +ALLOW'
        ufw status | grep -Eq '^443/tcp +ALLOW'
        ufw status | grep -Eq '^5432/tcp +ALLOW +192.0.2.0/24'
        ufw status | grep -Eq '^OpenSSH +ALLOW'
        ufw status | grep -Eq '^25/tcp +DENY OUT'
        ufw status numbered | grep -Eq '^\\[ 1\\] Anywhere +DENY IN +198.51.100.7'
        [ -z \"$(ufw status | grep 8080/tcp)\" ]
        ufw status verbose | grep -q 'deny (incoming), allow (outgoing)'",
    ..Case::DEFAULT
};

/// What would shut the last way in is refused, and the rest is done.
const KEEPS_SSH: Case = Case {
    name: "keeps_ssh",
    packages: &["ufw", "openssh-server"],
    prepare: "ufw --force reset >/dev/null; rm -f /etc/ufw/*.rules.2*; ufw default deny incoming; ufw allow 22/tcp; ufw --force enable",
    run: |host| {
        let ufw = host.ufw();
        refuses(ufw.deny(22).over("tcp").present(), "no rule that counts allows port 22")?;
        refuses(ufw.reject("any").first().present(), "no rule that counts allows port 22")?;
        ufw.allow(22).over("tcp").exists()?;
        ensure!(ufw.deny(22).over("tcp").exists().is_err(), "there is no such rule");
        ufw.deny("any").from("198.51.100.7").first().present()?;
        ufw.deny(25).over("tcp").present()?;
        Ok(())
    },
    check: "ufw status | grep -Eq '^22/tcp +ALLOW +Anywhere'
        ufw status | grep -Eq '^25/tcp +DENY'
        ufw status numbered | grep -Eq '^\\[ 1\\] Anywhere +DENY IN +198.51.100.7'",
    ..Case::DEFAULT
};

/// A run was killed when ufw had written that it is on, and had not started anything.
const HALF_ENABLED: Case = Case {
    name: "half_enabled",
    packages: &["ufw", "openssh-server"],
    prepare: "ufw --force reset >/dev/null; rm -f /etc/ufw/*.rules.2*; ufw allow 22/tcp
        sed -i s/ENABLED=no/ENABLED=yes/ /etc/ufw/ufw.conf; mkdir -p /run/wildebeest; : >/run/wildebeest/ufw
        ufw status | grep -q 'Status: inactive'",
    run: |host| {
        host.ufw().enabled()?;
        Ok(())
    },
    check: "ufw status | grep -q 'Status: active'; ufw status | grep -Eq '^22/tcp +ALLOW'; [ ! -e /run/wildebeest/ufw ]",
    ..Case::DEFAULT
};

const DISABLED: Case = Case {
    name: "disabled",
    packages: &["ufw", "openssh-server"],
    prepare: "ufw --force reset >/dev/null; rm -f /etc/ufw/*.rules.2*; ufw allow 22/tcp; ufw --force enable",
    run: |host| {
        let is_on = "ufw status | grep -q 'Status: active'";
        agrees(host, is_on, host.ufw().is_enabled())?;
        host.ufw().disabled()?;
        agrees(host, is_on, host.ufw().is_enabled())
    },
    check: "ufw status | grep -q 'Status: inactive'; grep -qx ENABLED=no /etc/ufw/ufw.conf
        [ ! -e /run/wildebeest/ufw ]",
    ..Case::DEFAULT
};

pub(crate) static FIREWALLD: &[Case] = &[Case {
    name: "offline",
    packages: &["firewalld", "openssh-server"],
    prepare: "service firewalld stop >/dev/null 2>&1 || true; rm -f /etc/firewalld/zones/*; firewall-offline-cmd --zone=public --add-port=8080/tcp",
    run: |host| {
        let firewalld = host.firewalld();
        let public = firewalld.default_zone()?;
        let lets_https_in = "grep -q '<service name=\"https\"/>' /etc/firewalld/zones/public.xml";
        agrees(host, lets_https_in, public.service("https").exists())?;
        public.service("https").present()?;
        public.port("8080/tcp").absent()?;
        anyhow::ensure!(public.service("ssh").absent().is_err(), "it shut the port of ssh");
        let shuts = public.rich_rule("rule service name=\"ssh\" drop").present();
        anyhow::ensure!(shuts.is_err(), "it shut the port of ssh by a rich rule");
        public.masquerade().present()?;
        public.forward_port("port=80:proto=tcp:toport=8080").present()?;
        public.rich_rule("rule family=\"ipv4\" source address=\"192.0.2.0/24\" accept").present()?;
        firewalld.zone("trusted").source("198.51.100.0/24").present()?;
        agrees(host, lets_https_in, public.service("https").exists())
    },
    check: "firewall-offline-cmd --zone=public --query-service=https
        ! firewall-offline-cmd --zone=public --query-port=8080/tcp || exit 1
        for q in service=ssh masquerade forward-port=port=80:proto=tcp:toport=8080; do
            firewall-offline-cmd --zone=public --query-$q
        done
        ! firewall-offline-cmd --zone=public --list-rich-rules | grep -q ssh || exit 1
        firewall-offline-cmd --zone=public --list-rich-rules | grep -q 192.0.2.0/24
        firewall-offline-cmd --zone=trusted --query-source=198.51.100.0/24",
    ..Case::DEFAULT
}];
