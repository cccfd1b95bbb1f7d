//! Modules of the kernel. Hosts of these tests share a kernel, so none is loaded.

use wb_stdlib::prelude::*;

use crate::Case;

pub(crate) static CASES: &[Case] = &[Case {
    name: "at_boot",
    packages: &["kmod"],
    prepare: "mkdir -p /etc/modprobe.d /etc/modules-load.d
        rm -f /etc/modprobe.d/wildebeest-* /etc/modules-load.d/wildebeest-*
        echo 'install pcspkr /bin/false' >/etc/modprobe.d/wildebeest-blacklist-br_netfilter.conf
        echo no_such_bus >/etc/modules-load.d/wildebeest-no_such_bus.conf",
    run: |host| {
        host.kernel_module("br_netfilter").at_boot()?;
        host.kernel_module("nf_conntrack").option("hashsize", "65536").option("acct", "1").at_boot()?;
        host.kernel_module("no_such_module").blacklisted()?;
        // The kernel has it already: the disks of these hosts are overlays.
        host.kernel_module("overlay").loaded()?;
        host.kernel_module("no_such_bus").absent()?;
        Ok(())
    },
    check: "[ \"$(cat /etc/modules-load.d/wildebeest-br_netfilter.conf)\" = br_netfilter ]
        [ ! -e /etc/modprobe.d/wildebeest-blacklist-br_netfilter.conf ]
        [ \"$(cat /etc/modules-load.d/wildebeest-overlay.conf)\" = overlay ]
        [ ! -e /etc/modules-load.d/wildebeest-no_such_bus.conf ]
        modprobe -c | grep -qx 'options nf_conntrack hashsize=65536 acct=1'
        modprobe -c | grep -qx 'blacklist no_such_module'",
    ..Case::DEFAULT
}];
