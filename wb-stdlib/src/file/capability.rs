//! Capabilities of a program's file, as the kernel stores them: the extended attribute `security.capability`.

use std::fmt;

/// The extended attribute.
pub(super) const NAME: &str = "security.capability";

const REVISION_1: u32 = 0x0100_0000;
const REVISION_2: u32 = 0x0200_0000;
const REVISION_3: u32 = 0x0300_0000;
const EFFECTIVE: u32 = 1;

/// By their numbers, see capabilities(7).
const NAMES: [&str; 41] = [
    "cap_chown",
    "cap_dac_override",
    "cap_dac_read_search",
    "cap_fowner",
    "cap_fsetid",
    "cap_kill",
    "cap_setgid",
    "cap_setuid",
    "cap_setpcap",
    "cap_linux_immutable",
    "cap_net_bind_service",
    "cap_net_broadcast",
    "cap_net_admin",
    "cap_net_raw",
    "cap_ipc_lock",
    "cap_ipc_owner",
    "cap_sys_module",
    "cap_sys_rawio",
    "cap_sys_chroot",
    "cap_sys_ptrace",
    "cap_sys_pacct",
    "cap_sys_admin",
    "cap_sys_boot",
    "cap_sys_nice",
    "cap_sys_resource",
    "cap_sys_time",
    "cap_sys_tty_config",
    "cap_mknod",
    "cap_lease",
    "cap_audit_write",
    "cap_audit_control",
    "cap_setfcap",
    "cap_mac_override",
    "cap_mac_admin",
    "cap_syslog",
    "cap_wake_alarm",
    "cap_block_suspend",
    "cap_audit_read",
    "cap_perfmon",
    "cap_bpf",
    "cap_checkpoint_restore",
];

/// What a program may do, whoever starts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Capabilities {
    permitted: u64,
    inheritable: u64,
    /// Whether the program has them from its start, without asking.
    effective: bool,
}

impl Capabilities {
    /// None at all.
    pub(super) fn is_none(self) -> bool {
        self.permitted == 0 && self.inheritable == 0
    }

    /// Reads the value of the extended attribute; nothing where it is none.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let words: Vec<u32> =
            bytes.chunks_exact(4).map(|word| Some(u32::from_le_bytes(word.try_into().ok()?))).collect::<Option<_>>()?;
        let (head, words) = words.split_first()?;
        let (permitted, inheritable) = match (head & 0xff00_0000, words) {
            (REVISION_1, [permitted, inheritable]) => ((*permitted).into(), (*inheritable).into()),
            (REVISION_2, [p0, i0, p1, i1]) | (REVISION_3, [p0, i0, p1, i1, _]) => {
                (u64::from(*p0) | u64::from(*p1) << 32, u64::from(*i0) | u64::from(*i1) << 32)
            }
            _ => return None,
        };
        Some(Self { permitted, inheritable, effective: head & EFFECTIVE != 0 })
    }

    /// The value of the extended attribute.
    pub(super) fn bytes(self) -> Vec<u8> {
        let low = |set: u64| u32::try_from(set & 0xffff_ffff).unwrap_or(0);
        let high = |set: u64| u32::try_from(set >> 32).unwrap_or(0);
        let head = REVISION_2 | if self.effective { EFFECTIVE } else { 0 };
        let words = [head, low(self.permitted), low(self.inheritable), high(self.permitted), high(self.inheritable)];
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// Reads clauses as setcap(8) takes them: `cap_net_bind_service=ep`, `cap_net_raw,cap_net_admin=eip`. Nothing at all
    /// means none.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (mut wanted, mut effective) = (Self::default(), 0);
        for clause in text.split_whitespace() {
            let at = clause.find(['=', '+']).ok_or_else(|| format!("`{clause}` has no `=ep` at its end"))?;
            let (names, flags) = (&clause[..at], &clause[at + 1..]);
            let mut set = 0;
            for name in names.split(',') {
                let number = NAMES.iter().position(|known| known.eq_ignore_ascii_case(name));
                set |= 1_u64 << number.ok_or_else(|| unknown(name))?;
            }
            for flag in flags.chars() {
                match flag {
                    'e' => effective |= set,
                    'p' => wanted.permitted |= set,
                    'i' => wanted.inheritable |= set,
                    _ => return Err(format!("`{flag}` in `{clause}` is none of `e`, `p` and `i`")),
                }
            }
        }
        let all = wanted.permitted | wanted.inheritable;
        wanted.effective = effective != 0;
        match effective {
            0 => Ok(wanted),
            effective if effective == all => Ok(wanted),
            _ => Err("a file has all of its capabilities as effective ones (`e`), or none".to_owned()),
        }
    }
}

fn unknown(name: &str) -> String {
    let meant = wb_core::chain::nearest(name, NAMES.iter().copied());
    let meant = meant.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    format!("there is no capability `{name}`{meant}")
}

impl fmt::Display for Capabilities {
    /// As getcap(8) shows them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_none() {
            return f.write_str("none");
        }
        let (both, only_p, only_i) =
            (self.permitted & self.inheritable, self.permitted & !self.inheritable, self.inheritable & !self.permitted);
        let effective = if self.effective { "e" } else { "" };
        let clauses = [(both, "ip"), (only_p, "p"), (only_i, "i")];
        let clauses: Vec<String> = clauses
            .iter()
            .filter(|(set, _)| *set != 0)
            .map(|(set, flags)| format!("{}={effective}{flags}", names(*set)))
            .collect();
        f.write_str(&clauses.join(" "))
    }
}

fn names(set: u64) -> String {
    let name = |number: usize| NAMES.get(number).map_or_else(|| number.to_string(), |name| (*name).to_owned());
    let names: Vec<String> = (0..64).filter(|number| set >> number & 1 == 1).map(name).collect();
    names.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `setcap cap_net_bind_service=ep` wrote.
    const CAPTURED: [u8; 20] = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

    #[test]
    fn what_setcap_writes_is_read_and_written() {
        let found = Capabilities::from_bytes(&CAPTURED).unwrap();
        assert_eq!(found, Capabilities::parse("cap_net_bind_service=ep").unwrap());
        assert_eq!(found.bytes(), CAPTURED);
        assert_eq!(found.to_string(), "cap_net_bind_service=ep");
    }

    #[test]
    fn other_revisions_are_read() {
        let third = [&[1, 0, 0, 3][..], &CAPTURED[4..], &[0, 0, 0, 0]].concat();
        assert_eq!(Capabilities::from_bytes(&third), Capabilities::from_bytes(&CAPTURED));
        let first = [0, 0, 0, 1, 0, 4, 0, 0, 0, 0, 0, 0];
        assert_eq!(Capabilities::from_bytes(&first).unwrap().to_string(), "cap_net_bind_service=p");
        for broken in [&[][..], &[1, 0, 0, 2], &[1, 0, 0, 9, 0, 0, 0, 0], &CAPTURED[..16]] {
            assert_eq!(Capabilities::from_bytes(broken), None);
        }
    }

    #[test]
    fn clauses_are_read_and_shown() {
        let check = |text: &str, expect: &str| {
            let said = Capabilities::parse(text).map_or_else(|why| why, |found| found.to_string());
            assert_eq!(said, expect, "{text}");
        };
        check("cap_net_raw,cap_net_admin+ep", "cap_net_admin,cap_net_raw=ep");
        check("cap_bpf=p cap_chown=eip", "a file has all of its capabilities as effective ones (`e`), or none");
        check("cap_bpf=ep cap_chown=eip", "cap_chown=eip cap_bpf=ep");
        check("cap_checkpoint_restore=i", "cap_checkpoint_restore=i");
        check("", "none");
        check("cap_net_bind", "`cap_net_bind` has no `=ep` at its end");
        check(
            "cap_net_bind_servce=ep",
            "there is no capability `cap_net_bind_servce`; did you mean `cap_net_bind_service`?",
        );
        check("cap_chown=x", "`x` in `cap_chown=x` is none of `e`, `p` and `i`");
        check("=ep", "there is no capability ``");
    }
}
