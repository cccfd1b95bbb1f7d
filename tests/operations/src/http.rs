//! Requests to a real nginx that lets files be put and deleted: those that change something, and those that ask for
//! alerts.

use wb_stdlib::prelude::*;

use crate::Case;
use crate::case::refuses;

pub(crate) static CASES: &[Case] = &[Case {
    name: "sent",
    packages: &["nginx"],
    // nginx knows how to put and to delete: what comes another way is put for it, by itself.
    prepare: r#"
        mkdir -p /srv/dav/api/v1 /srv/dav/quiet/api/v1
        rm -f /srv/dav/page /srv/dav/posted /srv/dav/patched /srv/between /etc/nginx/sites-enabled/default
        echo old >/srv/dav/old
        cat >/srv/dav/api/v1/alerts <<'END'
{"status": "success", "data": {"alerts": [
    {"labels": {"alertname": "Slow", "severity": "page"}, "state": "firing", "activeAt": "2026-11-28T14:31:47Z"},
    {"labels": {"alertname": "Full", "severity": "ticket"}, "state": "firing", "activeAt": "2026-11-28T14:31:47Z"},
    {"labels": {"alertname": "Soon", "severity": "page"}, "state": "pending", "activeAt": "2026-11-28T14:31:47Z"}
]}}
END
        echo '{"status": "success", "data": {"alerts": []}}' >/srv/dav/quiet/api/v1/alerts
        chown -R www-data: /srv/dav
        cat >/etc/nginx/conf.d/dav.conf <<'END'
        server { listen 8080; root /srv/dav; dav_methods PUT DELETE; client_body_temp_path /srv/dav-temp; }
        server { listen 8081; location / { proxy_method PUT; proxy_pass http://127.0.0.1:8080; } }
END
        nginx -s stop 2>/dev/null || true
        while [ -e /run/nginx.pid ]; do sleep 0.1; done
        rm -f /var/log/nginx/access.log
        nginx
        while ! [ -s /run/nginx.pid ]; do sleep 0.1; done"#,
    run: |host| {
        let (page, old) = ("http://127.0.0.1:8080/page", "http://127.0.0.1:8080/old");
        let (posted, patched) = ("http://127.0.0.1:8080/posted", "http://127.0.0.1:8080/patched");
        alerts(host)?;
        host.http(page).body("hello\n").unless(host.http(page).with_body("hello")).put()?;
        let post = host.http("http://127.0.0.1:8081/posted").body("posted\n");
        post.unless(host.http(posted).with_body("posted")).post()?;
        host.file("/srv/between").content("it is killed here\n").present()?;
        let patch = host.http("http://127.0.0.1:8081/patched").json(&["patched"]);
        patch.unless(host.http(patched).with_body("patched")).patch()?;
        host.http(old).unless(host.http(old).expects([404])).delete()?;
        Ok(())
    },
    check:
        "[ \"$(cat /srv/dav/page /srv/dav/posted /srv/dav/patched)\" = \"$(printf 'hello\\nposted\\n[\"patched\"]')\" ]
        [ ! -e /srv/dav/old ]; [ -s /srv/between ]
        grep -q '\"POST /posted' /var/log/nginx/access.log; grep -q '\"PATCH /patched' /var/log/nginx/access.log",
    ..Case::DEFAULT
}];

/// Alerts that fire, that don't, and of which nobody can say.
fn alerts(host: &Host) -> Result<()> {
    let alerts = || host.alerts("http://127.0.0.1:8080").labelled("severity", "page");
    let names: Vec<String> = alerts().firing()?.iter().map(|alert| alert.name().to_owned()).collect();
    ensure!(names == ["Slow"], "these fire: {names:?}");
    refuses(alerts().none_firing(), "an alert fires: `Slow` (severity=page) since 2026-11-28T14:31:47Z")?;
    host.alerts("http://127.0.0.1:8080/quiet").none_firing()?;
    let none = host.alerts("http://127.0.0.1:8080/none");
    refuses(none.none_firing(), "http://127.0.0.1:8080/none/api/v1/alerts answered 404")?;
    refuses(host.alerts("http://127.0.0.1:1").none_firing(), "could not ask http://127.0.0.1:1/api/v1/alerts")
}
