//! Mounts, of file systems that need no device.

use wb_stdlib::prelude::*;

use crate::Case;

const PREPARE: &str = "umount '/srv/my data' 2>/dev/null || true; umount /srv/bound 2>/dev/null || true
    rm -rf '/srv/my data' /srv/bound; mkdir -p /srv/bound /srv/source; echo there >/srv/source/file
    printf '# ours\\nproc /proc proc defaults 0 0\\n' >/etc/fstab";

pub(crate) static CASES: &[Case] = &[
    Case {
        name: "present",
        prepare: PREPARE,
        run: |host| {
            let data = host.mount("/srv/my data").source("tmpfs").filesystem("tmpfs");
            data.options("size=8m,mode=0750,nodev,noexec").present()?;
            host.mount("/srv/bound").source("/srv/source").filesystem("none").options("bind").present()?;
            host.mount("/srv/nas").source("nas:/export").filesystem("nfs").options("noauto").in_fstab()?;
            Ok(())
        },
        check: "grep -q ' /srv/my.040data rw,.*nodev,noexec.* - tmpfs tmpfs .*size=8192k' /proc/self/mountinfo
            [ \"$(cat /srv/bound/file)\" = there ]
            printf '# ours\\nproc /proc proc defaults 0 0\\n' >/tmp/should
            printf 'tmpfs /srv/my\\\\040data tmpfs size=8m,mode=0750,nodev,noexec 0 0\\n' >>/tmp/should
            printf '/srv/source /srv/bound none bind 0 0\\nnas:/export /srv/nas nfs noauto 0 0\\n' >>/tmp/should
            diff /tmp/should /etc/fstab",
        ..Case::DEFAULT
    },
    Case {
        name: "bound_anew",
        prepare: "umount /srv/anew 2>/dev/null || true; mkdir -p /srv/anew /srv/first /srv/second
            echo first >/srv/first/file; echo second >/srv/second/file; mount -o bind /srv/first /srv/anew
            printf '/srv/first /srv/anew none bind 0 0\\n' >/etc/fstab",
        run: |host| {
            host.mount("/srv/anew").source("/srv/second").filesystem("none").options("bind").present()?;
            Ok(())
        },
        check: "[ \"$(cat /srv/anew/file /etc/fstab)\" = \"$(printf 'second\\n/srv/second /srv/anew none bind 0 0')\" ]
            [ \"$(grep -c ' /srv/anew ' /proc/self/mountinfo)\" = 1 ]",
        ..Case::DEFAULT
    },
    Case {
        name: "remounted",
        prepare: "umount /srv/shm 2>/dev/null || true; mkdir -p /srv/shm; mount -t tmpfs -o size=4m tmpfs /srv/shm
            printf 'tmpfs /srv/shm tmpfs size=4m 0 0\\n' >/etc/fstab; echo kept >/srv/shm/file",
        run: |host| {
            host.mount("/srv/shm").source("tmpfs").filesystem("tmpfs").options("size=8m,nosuid").present()?;
            Ok(())
        },
        check: "grep -q ' /srv/shm rw,.*nosuid.* - tmpfs tmpfs .*size=8192k' /proc/self/mountinfo
            [ \"$(cat /srv/shm/file)\" = kept ]
            [ \"$(cat /etc/fstab)\" = 'tmpfs /srv/shm tmpfs size=8m,nosuid 0 0' ]",
        ..Case::DEFAULT
    },
    Case {
        name: "absent",
        prepare: "for at in gone off; do
                umount /srv/$at 2>/dev/null || true; mkdir -p /srv/$at; mount -t tmpfs tmpfs /srv/$at
            done
            printf 'tmpfs /srv/off tmpfs noauto 0 0\\ntmpfs /srv/gone tmpfs defaults 0 0\\n' >/etc/fstab",
        run: |host| {
            host.mount("/srv/gone").absent()?;
            host.mount("/srv/off").unmounted()?;
            Ok(())
        },
        check: "[ -z \"$(grep -e ' /srv/gone ' -e ' /srv/off ' /proc/self/mountinfo)\" ]
            [ \"$(cat /etc/fstab)\" = 'tmpfs /srv/off tmpfs noauto 0 0' ]",
        ..Case::DEFAULT
    },
];
