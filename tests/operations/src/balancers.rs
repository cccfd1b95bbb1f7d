//! Ways out of load and back.

use wb_stdlib::prelude::*;

use crate::Case;

pub(crate) static CASES: &[Case] =
    &[HEALTH_FILE_DOWN, HEALTH_FILE_UP, NGINX_UPSTREAM, KEEPALIVED_DOWN, KEEPALIVED_UP, HAPROXY];

const HEALTH_FILE_DOWN: Case = Case {
    name: "health_file_down",
    prepare: "mkdir -p /var/www; echo up >/var/www/health",
    run: |host| {
        host.health_file("/var/www/health").checked_every(Duration::from_secs(1)).fall(1).down()?;
        Ok(())
    },
    check: "[ ! -e /var/www/health ]",
    ..Case::DEFAULT
};

const HEALTH_FILE_UP: Case = Case {
    name: "health_file_up",
    prepare: "mkdir -p /var/www; rm -f /var/www/health",
    run: |host| {
        host.health_file("/var/www/health").checked_every(Duration::from_secs(1)).rise(1).up()?;
        Ok(())
    },
    check: "[ $(cat /var/www/health) = up ]; [ $(stat -c %a /var/www/health) = 644 ]",
    ..Case::DEFAULT
};

/// An nginx in front of three servers, which are nginx, too.
const NGINX_UPSTREAM: Case = Case {
    name: "nginx_upstream",
    packages: &["nginx-light"],
    prepare: "rm -f /etc/nginx/sites-enabled/default
        cat >/etc/nginx/conf.d/shop.conf <<'END'
upstream shop {
    server 127.0.0.1:8001 weight=1; # blue
    server 127.0.0.1:8002 down;
    server 127.0.0.1:8003;
}
server { listen 8000; location / { proxy_pass http://shop; } }
server { listen 8001; return 200 blue; }
server { listen 8002; return 200 green; }
server { listen 8003; return 200 red; }
END
        service nginx start; service nginx reload",
    run: |host| {
        let shop = host.nginx_upstream("/etc/nginx/conf.d/shop.conf").drained_within(Duration::from_secs(20));
        shop.down("127.0.0.1:8001")?;
        shop.up("127.0.0.1:8002")?;
        shop.down("127.0.0.1:8003")?;
        Ok(())
    },
    check: "grep '127.0.0.1:8001 weight=1 down; # blue' /etc/nginx/conf.d/shop.conf
        grep '127.0.0.1:8002;' /etc/nginx/conf.d/shop.conf
        ask() { bash -c 'for _ in $(seq 20); do exec 3<>/dev/tcp/127.0.0.1/8000; printf \"GET / HTTP/1.0\\r\\n\\r\\n\" >&3
            cat <&3; echo; done' >/tmp/answers; [ $(grep -c green /tmp/answers) = 20 ]; }
        for _ in $(seq 50); do ask && break; sleep 0.2; done; ask",
    ..Case::DEFAULT
};

/// A keepalived that has its address, and whose track file says 0. Each of a case's two hosts is a router of its own: as one,
/// the first of them would have the address, and the second would leave it to that.
macro_rules! keepalived {
    () => {
        "cd /etc/keepalived; echo 0 >out; set -- $(ip -o -4 addr show scope global); device=$2; address=${4%/*}
        cat >keepalived.conf <<END
vrrp_track_file out {
    file /etc/keepalived/out
    weight 1
}
vrrp_instance shop {
    interface $device
    virtual_router_id ${address##*.}
    priority 100
    advert_int 1
    virtual_ipaddress { 192.0.2.77/32 }
    track_file { out }
}
END
        service keepalived stop || true
        for _ in $(seq 100); do pgrep -x keepalived >/dev/null || break; sleep 0.1; done
        service keepalived start
        for _ in $(seq 100); do ! ip addr | grep 192.0.2.77 || break; sleep 0.1; done; ip addr | grep 192.0.2.77
        "
    };
}

const KEEPALIVED_DOWN: Case = Case {
    name: "keepalived_down",
    packages: &["keepalived", "iproute2"],
    prepare: keepalived!(),
    run: |host| {
        host.track_file("/etc/keepalived/out").down()?;
        Ok(())
    },
    check: "[ $(cat /etc/keepalived/out) = -254 ]; [ -z \"$(ip addr | grep 192.0.2.77)\" ]",
    ..Case::DEFAULT
};

const KEEPALIVED_UP: Case = Case {
    name: "keepalived_up",
    packages: &["keepalived", "iproute2"],
    prepare: concat!(
        keepalived!(),
        "echo -254 >out
        for _ in $(seq 100); do ip addr | grep 192.0.2.77 || break; sleep 0.1; done; [ -z \"$(ip addr | grep 192.0.2.77)\" ]"
    ),
    run: |host| {
        host.track_file("/etc/keepalived/out").up()?;
        Ok(())
    },
    check: "[ $(cat /etc/keepalived/out) = 0 ]; ip addr | grep 192.0.2.77",
    ..Case::DEFAULT
};

const HAPROXY: Case = Case {
    name: "haproxy",
    packages: &["haproxy", "socat"],
    prepare: "cat >/etc/haproxy/haproxy.cfg <<'END'
global
    stats socket /run/haproxy/admin.sock mode 660 level admin
defaults
    timeout connect 5s
    timeout client 5s
    timeout server 5s
backend web
    server web1 127.0.0.1:8001
    server web2 127.0.0.1:8002
END
        mkdir -p /run/haproxy; service haproxy restart
        rm -f /srv/between
        echo 'set server web/web2 state drain' | socat - /run/haproxy/admin.sock
        echo 'show stat' | socat - /run/haproxy/admin.sock | grep '^web,web2,.*,DRAIN'",
    run: |host| {
        host.haproxy("/run/haproxy/admin.sock").drain("web", "web1")?;
        // What is said to a socket alone has no middle.
        host.file("/srv/between").content("it is killed here\n").present()?;
        host.haproxy("/run/haproxy/admin.sock").ready("web", "web2")?;
        Ok(())
    },
    check: "echo 'show stat' | socat - /run/haproxy/admin.sock >/tmp/stat
        grep '^web,web1,.*,DRAIN' /tmp/stat; [ -z \"$(grep '^web,web2,.*,DRAIN' /tmp/stat)\" ]",
    ..Case::DEFAULT
};
