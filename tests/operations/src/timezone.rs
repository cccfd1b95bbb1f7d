//! The time zone of the machine.

use wb_stdlib::prelude::*;

use crate::Case;

pub(crate) static CASES: &[Case] = &[Case {
    name: "set",
    packages: &["tzdata"],
    prepare: "ln -sf /usr/share/zoneinfo/Etc/UTC /etc/localtime; echo Etc/UTC >/etc/timezone",
    run: |host| {
        host.timezone("Europe/Berlin").set()?;
        Ok(())
    },
    check: "[ \"$(date -d 2026-07-01T00:00Z +%H%Z)\" = 02CEST ]
        [ \"$(cat /etc/timezone)\" = Europe/Berlin ]
        [ \"$(readlink /etc/localtime)\" = /usr/share/zoneinfo/Europe/Berlin ]",
    ..Case::DEFAULT
}];
