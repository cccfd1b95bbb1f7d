//! Lines of group(5).

use super::Account;

/// A group, as one line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) gid: u32,
    /// Who is in it, but for those whose primary group it is.
    pub(crate) members: Vec<String>,
}

impl Group {
    /// Reads `name:x:gid:member,member`.
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        let gid = fields.nth(1)?.parse().ok()?;
        let members = fields.next().unwrap_or_default().split(',').map(str::trim);
        let members = members.filter(|member| !member.is_empty()).map(str::to_owned).collect();
        Some(Self { name: name.to_owned(), gid, members })
    }

    pub(crate) fn has(&self, member: &str) -> bool {
        self.members.iter().any(|name| name == member)
    }
}

/// Groups, in the order of their lines: of two with one name or number, the first one counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Groups(Vec<Group>);

impl Groups {
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        Self(String::from_utf8_lossy(bytes).lines().filter_map(Group::parse).collect())
    }

    pub(crate) fn named(&self, name: &str) -> Option<&Group> {
        self.0.iter().find(|group| group.name == name)
    }

    pub(crate) fn numbered(&self, gid: u32) -> Option<&Group> {
        self.0.iter().find(|group| group.gid == gid)
    }

    /// The names of the groups that list `member`.
    pub(crate) fn of(&self, member: &str) -> Vec<String> {
        self.0.iter().filter(|group| group.has(member)).map(|group| group.name.clone()).collect()
    }

    /// The names of all groups that `account` is in, the primary one included.
    pub(crate) fn around(&self, account: &Account) -> Vec<String> {
        let is_in = |group: &&Group| group.gid == account.gid || group.has(&account.name);
        self.0.iter().filter(is_in).map(|group| group.name.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_a_group_with_its_members() {
        let groups = Groups::parse(b"root:x:0:\nadm:x:4:syslog,anna\nssl-cert:x:112:postgres\n+:::\n");
        assert_eq!(groups.named("ssl-cert").map(|group| group.gid), Some(112));
        assert_eq!(groups.numbered(4).map(|group| group.members.clone()), Some(vec!["syslog".into(), "anna".into()]));
        assert_eq!(groups.named("root").map(|group| group.members.len()), Some(0));
        assert_eq!(groups.named("ssl"), None);
        assert_eq!(groups.of("anna"), ["adm"]);
        assert_eq!(groups.of("ann"), [""; 0]);
    }

    #[test]
    fn empty_names_are_no_members() {
        assert_eq!(Groups::parse(b"shop:x:1:,anna,,bob\n").named("shop").unwrap().members, ["anna", "bob"]);
    }
}
