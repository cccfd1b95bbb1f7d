//! Locales.

use wb_stdlib::prelude::*;

use crate::Case;

pub(crate) static CASES: &[Case] = &[Case {
    name: "generated_and_default",
    packages: &["locales"],
    prepare: "sed -i 's/^\\([a-z]\\)/# \\1/' /etc/locale.gen; rm -f /usr/lib/locale/locale-archive /etc/default/locale",
    run: |host| {
        host.locale("de_DE.UTF-8").generated()?;
        host.locale("de_DE.UTF-8").set_as_default()?;
        Ok(())
    },
    check: "locale -a | grep -qx de_DE.utf8
        [ \"$(LC_ALL=de_DE.UTF-8 date -d 2026-03-02 +%A)\" = Montag ]
        [ \"$(cat /etc/default/locale)\" = LANG=de_DE.UTF-8 ]
        [ \"$(grep -c '^[a-z]' /etc/locale.gen)\" = 1 ]",
    ..Case::DEFAULT
}];
