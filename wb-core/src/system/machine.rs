//! What a program is compiled for, as its ELF header says. The C library gives a program that this machine can't start
//! to `/bin/sh`, so that it is better known beforehand.

/// For which machines a program is, by its first bytes, where it is plainly not for those of the architecture `here`,
/// which is named as [`std::env::consts::ARCH`] does it.
///
/// ```
/// use wb_core::system::machine::foreign;
/// let mut program = [0; 20];
/// program[..6].copy_from_slice(b"\x7fELF\x02\x01");
/// program[18] = 183;
/// assert_eq!(foreign(&program, "x86_64").as_deref(), Some("aarch64"));
/// assert_eq!(foreign(&program, "aarch64"), None);
/// assert_eq!(foreign(b"#!/bin/sh", "x86_64"), None);
/// ```
#[must_use]
pub fn foreign(program: &[u8], here: &str) -> Option<String> {
    let header = program.get(..20).filter(|header| header.starts_with(b"\x7fELF"))?;
    let number = match header[5] {
        2 => u16::from_be_bytes([header[18], header[19]]),
        _ => u16::from_le_bytes([header[18], header[19]]),
    };
    let named = |(known, class, _): &&(u16, u8, &str)| *known == number && (*class == 0 || *class == header[4]);
    match MACHINES.iter().find(named) {
        Some((_, _, name)) => (*name != here).then(|| (*name).to_owned()),
        None => MACHINES.iter().any(|(_, _, name)| *name == here).then(|| format!("machines of number {number}")),
    }
}

/// As ELF numbers them, with the class where that matters (1: 32 bits, 2: 64), and as Rust names them.
const MACHINES: [(u16, u8, &str); 9] = [
    (3, 0, "x86"),
    (21, 0, "powerpc64"),
    (22, 2, "s390x"),
    (40, 0, "arm"),
    (62, 0, "x86_64"),
    (183, 0, "aarch64"),
    (243, 1, "riscv32"),
    (243, 2, "riscv64"),
    (258, 2, "loongarch64"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_for_another_machine_is_known_by_its_header() {
        let elf = |class: u8, order: u8, machine: [u8; 2]| {
            [b"\x7fELF".as_slice(), &[class, order], &[0; 12], &machine, &[0; 44]].concat()
        };
        let check = |program: &[u8], here, expect: Option<&str>| assert_eq!(foreign(program, here).as_deref(), expect);
        check(&elf(2, 1, [62, 0]), "x86_64", None);
        check(&elf(2, 1, [183, 0]), "x86_64", Some("aarch64"));
        check(&elf(2, 1, [62, 0]), "aarch64", Some("x86_64"));
        check(&elf(2, 2, [0, 22]), "x86_64", Some("s390x"));
        check(&elf(1, 1, [243, 0]), "riscv64", Some("riscv32"));
        check(&elf(2, 1, [1, 2]), "x86_64", Some("machines of number 513"));
        check(&elf(2, 1, [1, 2]), "brand_new", None);
        check(b"#!/bin/sh\nexit 0\n", "x86_64", None);
        check(b"\x7fELF", "x86_64", None);
        check(b"", "x86_64", None);
    }
}
