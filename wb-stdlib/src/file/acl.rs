//! Access control lists, as the kernel stores them: an extended attribute of the file.
//!
//! A list has the rights of the owner, the group and all others, which are those of the mode, and beside them rights of
//! users and groups by name. A mask then bounds what these and the group may do, and stands in the mode in the place of
//! the group's rights.

use std::collections::BTreeMap;

/// The extended attribute that has a path's own list.
pub(super) const ACCESS: &str = "system.posix_acl_access";
/// The one of a directory with the list that new files in it begin with.
pub(super) const DEFAULT: &str = "system.posix_acl_default";

const VERSION: u32 = 2;
/// The number of an entry that is of no user and no group by name.
const NOBODY: u32 = u32::MAX;

/// Whose rights an entry has, in the order in which the kernel wants them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Whose {
    Owner,
    User(u32),
    OwnGroup,
    Group(u32),
    Mask,
    Others,
}

/// Rights by whose they are, as in a digit of a mode.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Acl(BTreeMap<Whose, u16>);

impl Acl {
    /// The list that says what a mode says.
    pub(super) fn of_mode(mode: u32) -> Self {
        let digit = |shift: u32| u16::try_from(mode >> shift & 7).unwrap_or(0);
        Self([(Whose::Owner, digit(6)), (Whose::OwnGroup, digit(3)), (Whose::Others, digit(0))].into())
    }

    /// Reads the value of the extended attribute; nothing where it is none.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let number = |bytes: &[u8]| Some(u32::from_le_bytes(bytes.try_into().ok()?));
        let (version, entries) = bytes.split_at_checked(4)?;
        if number(version)? != VERSION || entries.len() % 8 != 0 {
            return None;
        }
        let entry = |bytes: &[u8]| {
            let (head, id) = bytes.split_at_checked(4)?;
            let (tag, rights) = (u16::from_le_bytes([head[0], head[1]]), u16::from_le_bytes([head[2], head[3]]));
            let whose = match (tag, number(id)?) {
                (0x01, _) => Whose::Owner,
                (0x02, id) => Whose::User(id),
                (0x04, _) => Whose::OwnGroup,
                (0x08, id) => Whose::Group(id),
                (0x10, _) => Whose::Mask,
                (0x20, _) => Whose::Others,
                _ => return None,
            };
            Some((whose, rights & 7))
        };
        entries.chunks_exact(8).map(entry).collect::<Option<_>>().map(Self)
    }

    /// The value of the extended attribute.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = VERSION.to_le_bytes().to_vec();
        for (whose, rights) in &self.0 {
            let (tag, id): (u16, u32) = match *whose {
                Whose::Owner => (0x01, NOBODY),
                Whose::User(id) => (0x02, id),
                Whose::OwnGroup => (0x04, NOBODY),
                Whose::Group(id) => (0x08, id),
                Whose::Mask => (0x10, NOBODY),
                Whose::Others => (0x20, NOBODY),
            };
            bytes.extend(tag.to_le_bytes());
            bytes.extend(rights.to_le_bytes());
            bytes.extend(id.to_le_bytes());
        }
        bytes
    }

    /// Whether it says more than a mode can.
    pub(super) fn is_extended(&self) -> bool {
        self.0.keys().any(|whose| matches!(whose, Whose::User(_) | Whose::Group(_) | Whose::Mask))
    }

    /// The mode that its file shows, without the bits for set-user-id and the like.
    pub(super) fn mode(&self) -> u32 {
        let rights = |whose| u32::from(self.0.get(&whose).copied().unwrap_or(0));
        let group = if self.0.contains_key(&Whose::Mask) { rights(Whose::Mask) } else { rights(Whose::OwnGroup) };
        rights(Whose::Owner) << 6 | group << 3 | rights(Whose::Others)
    }

    /// This list with other rights of owner, group and all others.
    pub(super) fn with_mode(mut self, mode: u32) -> Self {
        self.0.extend(Self::of_mode(mode).0);
        self
    }

    /// This list with these entries, and with no others by name where `exactly` these are wanted. The mask is as wide as
    /// it must be, unless it is an entry.
    pub(super) fn with(mut self, entries: &[(Whose, u16)], exactly: bool) -> Self {
        self.0.retain(|whose, _| match whose {
            Whose::Mask => false,
            Whose::User(_) | Whose::Group(_) => !exactly,
            Whose::Owner | Whose::OwnGroup | Whose::Others => true,
        });
        self.0.extend(entries.iter().copied());
        if self.is_extended() && !self.0.contains_key(&Whose::Mask) {
            let bounded = |whose: &Whose| matches!(whose, Whose::User(_) | Whose::OwnGroup | Whose::Group(_));
            let mask = self.0.iter().filter(|(whose, _)| bounded(whose)).fold(0, |mask, (_, rights)| mask | rights);
            self.0.insert(Whose::Mask, mask);
        }
        self
    }

    /// This list without the entries of these. The mask stays as it is where none of them is there.
    pub(super) fn without(mut self, gone: &[Whose]) -> Self {
        let before = self.0.len();
        self.0.retain(|whose, _| !gone.contains(whose));
        if self.0.len() == before { self } else { self.with(&[], false) }
    }

    /// A line for each entry by name, and the mask, that differs from those of `found`.
    pub(super) fn diff(&self, found: &Self, what: &str) -> Vec<String> {
        let whose: std::collections::BTreeSet<Whose> = self.0.keys().chain(found.0.keys()).copied().collect();
        let differs = whose.into_iter().filter(|whose| self.0.get(whose) != found.0.get(whose));
        let shown = |rights: Option<&u16>| rights.map_or_else(|| "none".to_owned(), |rights| letters(*rights));
        let line = |whose: Whose| {
            let (old, new) = (shown(found.0.get(&whose)), shown(self.0.get(&whose)));
            format!("{what} {} {old} -> {new}", name(whose))
        };
        differs.map(line).collect()
    }

    /// Whether it has this entry.
    pub(super) fn has(&self, whose: Whose, rights: u16) -> bool {
        self.0.get(&whose) == Some(&rights)
    }
}

fn name(whose: Whose) -> String {
    match whose {
        Whose::Owner => "owner".into(),
        Whose::User(id) => format!("user:{id}"),
        Whose::OwnGroup => "group".into(),
        Whose::Group(id) => format!("group:{id}"),
        Whose::Mask => "mask".into(),
        Whose::Others => "others".into(),
    }
}

fn letters(rights: u16) -> String {
    [(4, 'r'), (2, 'w'), (1, 'x')].iter().map(|(bit, letter)| if rights & bit == 0 { '-' } else { *letter }).collect()
}

/// An entry as people write it: `user:anna:r-x`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spec<'a> {
    /// Whether it is of the list that new files begin with.
    pub(super) is_default: bool,
    pub(super) who: Who<'a>,
    pub(super) rights: u16,
}

/// Whose rights, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who<'a> {
    User(&'a str),
    Group(&'a str),
    Mask,
}

/// Reads `user:NAME:RIGHTS`, `group:NAME:RIGHTS` or `mask::RIGHTS`, perhaps with `default:` before it.
pub(super) fn parse(text: &str) -> Result<Spec<'_>, &'static str> {
    const SHAPE: &str = "write `user:NAME:r-x`, `group:NAME:r-x` or `mask::r-x`, perhaps with `default:` before it";
    let (is_default, entry) = of_list(text);
    let (kind, rest) = entry.split_once(':').ok_or(SHAPE)?;
    let (name, rights) = rest.rsplit_once(':').ok_or(SHAPE)?;
    let who = match (kind, name) {
        ("mask" | "m", "") => Who::Mask,
        ("user" | "u" | "group" | "g", "") => {
            return Err("the rights of the owner and of the own group are in the mode: `.mode(0o640)`");
        }
        ("user" | "u", name) => Who::User(name),
        ("group" | "g", name) => Who::Group(name),
        _ => return Err(SHAPE),
    };
    let rights = parse_rights(rights).ok_or("rights are written as in `r-x`, or as a digit from 0 to 7")?;
    Ok(Spec { is_default, who, rights })
}

/// Reads `user:NAME` or `group:NAME`, perhaps with `default:` before it: whose entry it is, and whether it is of the list that
/// new files begin with.
pub(super) fn parse_name(text: &str) -> Result<(bool, Who<'_>), &'static str> {
    const SHAPE: &str =
        "name what is to go without its rights, as `user:NAME` or `group:NAME`, perhaps with `default:` before it";
    let (is_default, entry) = of_list(text);
    let who = match entry.split_once(':') {
        Some((_, name)) if name.is_empty() || name.contains(':') => None,
        Some(("user" | "u", name)) => Some(Who::User(name)),
        Some(("group" | "g", name)) => Some(Who::Group(name)),
        _ => None,
    };
    Ok((is_default, who.ok_or(SHAPE)?))
}

/// Which list an entry is of, and the rest of it.
fn of_list(text: &str) -> (bool, &str) {
    match text.split_once(':') {
        Some(("default" | "d", rest)) => (true, rest),
        _ => (false, text),
    }
}

fn parse_rights(text: &str) -> Option<u16> {
    if let Ok(digit) = text.parse::<u16>() {
        return (digit <= 7 && text.len() == 1).then_some(digit);
    }
    let bit = |letter: char| match letter {
        'r' => Some(4),
        'w' => Some(2),
        'x' => Some(1),
        '-' => Some(0),
        _ => None,
    };
    let bits: Vec<u16> = text.chars().map(bit).collect::<Option<_>>()?;
    (!bits.is_empty() && bits.len() <= 3).then(|| bits.into_iter().fold(0, |rights, bit| rights | bit))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `setfacl -m u:1000:r-x,g:33:rw` made of a file with mode 0640, as `getfattr -e hex` shows it.
    const CAPTURED: [u8; 52] = [
        2, 0, 0, 0, // version
        1, 0, 6, 0, 0xff, 0xff, 0xff, 0xff, // user::rw-
        2, 0, 5, 0, 0xe8, 3, 0, 0, // user:1000:r-x
        4, 0, 4, 0, 0xff, 0xff, 0xff, 0xff, // group::r--
        8, 0, 6, 0, 33, 0, 0, 0, // group:33:rw-
        0x10, 0, 7, 0, 0xff, 0xff, 0xff, 0xff, // mask::rwx
        0x20, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, // other::---
    ];

    #[test]
    fn what_setfacl_writes_is_read_and_written() {
        let acl = Acl::parse(&CAPTURED).unwrap();
        assert_eq!(acl.bytes(), CAPTURED);
        assert_eq!(acl, Acl::of_mode(0o640).with(&[(Whose::User(1000), 5), (Whose::Group(33), 6)], false));
        assert!(acl.is_extended() && acl.has(Whose::User(1000), 5) && !acl.has(Whose::User(1001), 5));
        assert_eq!(acl.mode(), 0o670);
    }

    #[test]
    fn what_is_no_list_is_none() {
        for bytes in
            [&b""[..], b"\x02\0\0", b"\x03\0\0\0", b"\x02\0\0\0\x01\0", b"\x02\0\0\0\x40\0\x06\0\xff\xff\xff\xff"]
        {
            assert_eq!(Acl::parse(bytes), None, "{bytes:?}");
        }
        assert_eq!(Acl::parse(b"\x02\0\0\0"), Some(Acl::default()));
    }

    #[test]
    fn a_mode_and_a_list_say_the_same() {
        for mode in [0o640, 0o755, 0o000, 0o777] {
            let acl = Acl::of_mode(mode);
            assert_eq!((acl.mode(), acl.is_extended()), (mode, false));
        }
        let acl = Acl::parse(&CAPTURED).unwrap().with_mode(0o750);
        assert_eq!(acl.with(&[], false).mode(), 0o770, "the mask is as wide as the widest that it bounds");
    }

    #[test]
    fn exactly_these_means_no_others() {
        let acl = Acl::parse(&CAPTURED).unwrap();
        assert_eq!(acl.clone().with(&[], true), Acl::of_mode(0o640));
        assert_eq!(acl.with(&[(Whose::User(7), 4)], true).mode(), 0o640);
    }

    #[test]
    fn a_mask_that_is_said_stays() {
        let acl = Acl::of_mode(0o640).with(&[(Whose::User(1), 7), (Whose::Mask, 4)], false);
        assert_eq!(acl.mode(), 0o640);
    }

    #[test]
    fn an_entry_goes_alone() {
        let acl = Acl::parse(&CAPTURED).unwrap();
        let rest = acl.clone().without(&[Whose::User(1000)]);
        assert_eq!(rest, Acl::of_mode(0o640).with(&[(Whose::Group(33), 6)], false));
        assert_eq!(rest.without(&[Whose::Group(33)]), Acl::of_mode(0o640));
        let narrow = acl.with(&[(Whose::Mask, 4)], false);
        assert_eq!(narrow.clone().without(&[Whose::User(7)]), narrow);
    }

    #[test]
    fn who_loses_an_entry_is_named_without_rights() {
        assert_eq!(parse_name("user:anna"), Ok((false, Who::User("anna"))));
        assert_eq!(parse_name("default:g:33"), Ok((true, Who::Group("33"))));
        for wrong in ["", "anna", "user:", "user:anna:r-x", "mask:", "mask::r", "default:user:", "other:a"] {
            assert!(parse_name(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn differences_are_lines() {
        let wanted = Acl::of_mode(0o640).with(&[(Whose::User(1000), 5)], false);
        let expect = ["acl user:1000 none -> r-x", "acl mask none -> r-x"];
        assert_eq!(wanted.diff(&Acl::of_mode(0o640), "acl"), expect);
        assert_eq!(wanted.diff(&wanted, "acl"), [""; 0]);
    }

    #[test]
    fn entries_are_read_as_people_write_them() {
        let check = |text, expect: &str| {
            let said = match parse(text) {
                Ok(Spec { is_default, who, rights }) => format!("{is_default} {who:?} {rights}"),
                Err(why) => why.to_owned(),
            };
            assert!(said.starts_with(expect), "{text}: {said}");
        };
        check("user:anna:r-x", "false User(\"anna\") 5");
        check("default:group:ops:rwx", "true Group(\"ops\") 7");
        check("u:1000:6", "false User(\"1000\") 6");
        check("mask::r", "false Mask 4");
        check("user:anna:---", "false User(\"anna\") 0");
        check("user::rwx", "the rights of the owner");
        for wrong in ["", "anna", "user:anna", "user:anna:rwxr", "user:anna:8", "user:anna:", "other::r", "mask:a:r"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
