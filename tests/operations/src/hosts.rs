//! `/etc/hosts`.

use wb_stdlib::prelude::*;

use crate::Case;

pub(crate) static CASES: &[Case] = &[Case {
    name: "entries",
    prepare: "printf '127.0.0.1\\tlocalhost\\n192.0.2.1 db1 db1.example.org # old\\n192.0.2.9 old\\n' >/etc/hosts",
    run: |host| {
        host.hosts_entry("mail.example.org").alias("mail").address("192.0.2.25").present()?;
        host.hosts_entry("db1").address("192.0.2.2").present()?;
        host.hosts_entry("db1").address("2001:db8::2").present()?;
        host.hosts_entry("old").absent()?;
        host.hosts_of("web").domain("example.org").present()?;
        Ok(())
    },
    check: "printf '127.0.0.1\\tlocalhost\\n192.0.2.1 db1.example.org # old\\n' >/tmp/should
        printf '192.0.2.25 mail.example.org mail\\n192.0.2.2 db1\\n2001:db8::2 db1\\n' >>/tmp/should
        printf '192.0.2.12 web2.example.org web2\\n' >>/tmp/should
        diff /tmp/should /etc/hosts
        getent ahostsv4 mail | grep -q '^192.0.2.25 '
        getent ahostsv4 db1 | grep -q '^192.0.2.2 '",
    ..Case::DEFAULT
}];
