//! Requests that change something, to a real nginx that lets files be put and deleted.

use wb_stdlib::prelude::*;

use crate::Case;

pub(crate) static CASES: &[Case] = &[Case {
    name: "put_and_deleted",
    packages: &["nginx"],
    prepare: r"
        mkdir -p /srv/dav
        rm -f /srv/dav/* /srv/between /etc/nginx/sites-enabled/default
        echo old >/srv/dav/old
        chown -R www-data: /srv/dav
        cat >/etc/nginx/conf.d/dav.conf <<'END'
        server { listen 8080; root /srv/dav; dav_methods PUT DELETE; client_body_temp_path /srv/dav-temp; }
END
        nginx -s stop 2>/dev/null || true
        while [ -e /run/nginx.pid ]; do sleep 0.1; done
        nginx",
    run: |host| {
        let (page, old) = ("http://127.0.0.1:8080/page", "http://127.0.0.1:8080/old");
        host.http(page).body("hello\n").unless(host.http(page).with_body("hello")).put()?;
        host.file("/srv/between").content("it is killed here\n").present()?;
        host.http(old).unless(host.http(old).expects([404])).delete()?;
        Ok(())
    },
    check: "[ \"$(cat /srv/dav/page)\" = hello ]; [ ! -e /srv/dav/old ]; [ -s /srv/between ]",
    ..Case::DEFAULT
}];
