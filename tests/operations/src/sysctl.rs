//! Settings of the kernel. A host of these tests has a network of its own, and so its own settings of `net`.

use wb_stdlib::prelude::*;

use crate::Case;

pub(crate) static CASES: &[Case] = &[
    Case {
        name: "set",
        prepare: "rm -f /etc/sysctl.d/*wildebeest* /etc/sysctl.d/60-shop.conf
            printf '# ours\\nnet/ipv4/ip_forward=0\\nvm.swappiness = 10\\n' >/etc/sysctl.d/60-shop.conf
            echo 0 >/proc/sys/net/ipv4/ip_forward; echo 60 >/proc/sys/net/ipv4/tcp_keepalive_time
            echo '32768 60999' >/proc/sys/net/ipv4/ip_local_port_range",
        run: |host| {
            host.sysctl("net.ipv4.tcp_keepalive_time").value("600").set()?;
            host.sysctls([("net.ipv4.ip_forward", "1"), ("net.ipv4.ip_local_port_range", "20000  60999")])
                .file("60-shop")
                .set()?;
            host.sysctl("vm.swappiness").file("60-shop").absent()?;
            host.sysctl("net.bridge.bridge-nf-call-iptables").value("1").only_at_boot().set()?;
            Ok(())
        },
        check: "[ \"$(cd /proc/sys/net/ipv4; cat ip_forward tcp_keepalive_time)\" = \"$(printf '1\\n600')\" ]
            [ \"$(cat /proc/sys/net/ipv4/ip_local_port_range)\" = \"$(printf '20000\\t60999')\" ]
            printf '# ours\\nnet.ipv4.ip_forward = 1\\nnet.ipv4.ip_local_port_range = 20000 60999\\n' |
                diff - /etc/sysctl.d/60-shop.conf
            grep -qx 'net.ipv4.tcp_keepalive_time = 600' /etc/sysctl.d/99-wildebeest.conf
            grep -qx 'net.bridge.bridge-nf-call-iptables = 1' /etc/sysctl.d/99-wildebeest.conf",
        ..Case::DEFAULT
    },
    Case {
        name: "what_the_kernel_refuses",
        prepare: "rm -f /etc/sysctl.d/*wildebeest*; echo 0 >/proc/sys/net/ipv4/ip_forward
            echo 7200 >/proc/sys/net/ipv4/tcp_keepalive_time",
        run: |host| {
            host.file("/etc/motd").content("tried\n").present()?;
            if host.file("/etc/motd").read()?.as_deref() == Some(b"tried\n") {
                let bad = [("net.ipv4.ip_forward", "1"), ("net.ipv4.tcp_keepalive_time", "never")];
                let refused = host.sysctls(bad).set();
                ensure!(refused.is_err_and(|error| error.to_string().contains("refuses `never`")), "it took `never`");
            }
            Ok(())
        },
        check: "[ \"$(cd /proc/sys/net/ipv4; cat ip_forward tcp_keepalive_time)\" = \"$(printf '0\\n7200')\" ]
            [ ! -e /etc/sysctl.d/99-wildebeest.conf ]",
        ..Case::DEFAULT
    },
];
