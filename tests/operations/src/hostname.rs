//! The name of the machine.

use wb_stdlib::prelude::*;

use crate::{Case, Init};

pub(crate) static CASES: &[Case] = &[CASE, Case { name: "under_systemd", init: Init::Systemd, ..CASE }];

const CASE: Case = Case {
    name: "set",
    prepare: "hostname old; echo old >/etc/hostname; printf '127.0.0.1 localhost\\n127.0.1.1 old\\n' >/etc/hosts",
    run: |host| {
        host.hostname("shop.example.org").in_hosts().set()?;
        Ok(())
    },
    check: "[ \"$(hostname)\" = shop.example.org ]
        [ \"$(cat /etc/hostname)\" = shop.example.org ]
        printf '127.0.0.1 localhost\\n127.0.1.1 shop.example.org shop\\n' | diff - /etc/hosts",
    ..Case::DEFAULT
};
