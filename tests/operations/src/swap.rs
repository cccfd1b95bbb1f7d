//! Swap space. The disks of these hosts are overlays, which no kernel swaps to: what can be tried is that a file
//! is made whole, that one which is not in use goes, and that a refusal leaves nothing half done.

use wb_stdlib::prelude::*;

use crate::Case;

pub(crate) static CASES: &[Case] = &[Case {
    name: "what_the_kernel_refuses",
    prepare: "rm -f /swapfile /.swapfile.new; echo mine >/diary
        printf '/oldswap none swap sw 0 0\\nproc /proc proc defaults 0 0\\n' >/etc/fstab
        truncate -s 1M /oldswap; chmod 600 /oldswap; mkswap /oldswap",
    run: |host| {
        host.swap("/oldswap").absent()?;
        host.file("/etc/motd").content("tried\n").present()?;
        if host.file("/etc/motd").read()?.as_deref() == Some(b"tried\n") {
            let refused = host.swap("/swapfile").size_mib(1).present();
            let said = refused.err().map(|error| error.to_string()).unwrap_or_default();
            ensure!(said == "could not turn on the swap space /swapfile", "it said: {said}");
            ensure!(host.swap("/diary").present().is_err(), "it took the diary");
        }
        Ok(())
    },
    check: "[ \"$(stat -c '%a %s' /swapfile)\" = '600 1048576' ]
        [ \"$(dd if=/swapfile bs=1 skip=4086 count=10 2>/dev/null)\" = SWAPSPACE2 ]
        [ ! -e /.swapfile.new ]; [ ! -e /oldswap ]
        [ \"$(cat /diary /etc/fstab)\" = \"$(printf 'mine\\nproc /proc proc defaults 0 0')\" ]",
    ..Case::DEFAULT
}];
