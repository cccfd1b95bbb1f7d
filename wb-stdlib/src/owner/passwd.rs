//! Lines of passwd(5).

/// A user, as one line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) comment: String,
    pub(crate) home: String,
    pub(crate) shell: String,
}

impl Account {
    /// Reads `name:x:uid:gid:comment:home:shell`. Lines that are not so (of NIS, say) are nobody.
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        let (uid, gid) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
        let mut text = || fields.next().unwrap_or_default().to_owned();
        Some(Self { name: name.to_owned(), uid, gid, comment: text(), home: text(), shell: text() })
    }
}

/// Users, in the order of their lines: of two with one name or number, the first one counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Accounts(Vec<Account>);

impl Accounts {
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        Self(String::from_utf8_lossy(bytes).lines().filter_map(Account::parse).collect())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Account> {
        self.0.iter()
    }

    pub(crate) fn named(&self, name: &str) -> Option<&Account> {
        self.iter().find(|account| account.name == name)
    }

    pub(crate) fn numbered(&self, uid: u32) -> Option<&Account> {
        self.iter().find(|account| account.uid == uid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of Debian 12, Rocky 9 and Alpine 3.20, one after the other.
    const TEXT: &str = "root:x:0:0:root:/root:/bin/bash
_apt:x:42:65534::/nonexistent:/usr/sbin/nologin
postgres:x:104:111:PostgreSQL administrator,,,:/var/lib/postgresql:/bin/bash
sssd:x:998:996:User for sssd:/:/sbin/nologin
guest:x:405:100:guest:/dev/null:/sbin/nologin
";

    #[test]
    fn each_line_is_a_user() {
        let accounts = Accounts::parse(TEXT.as_bytes());
        let expect = Account {
            name: "postgres".into(),
            uid: 104,
            gid: 111,
            comment: "PostgreSQL administrator,,,".into(),
            home: "/var/lib/postgresql".into(),
            shell: "/bin/bash".into(),
        };
        assert_eq!(accounts.named("postgres"), Some(&expect));
        assert_eq!(accounts.named("post"), None);
        assert_eq!(accounts.numbered(405).map(|account| account.name.as_str()), Some("guest"));
        assert_eq!(accounts.iter().count(), 5);
    }

    #[test]
    fn what_is_no_line_of_a_user_is_nobody() {
        let check = |text: &[u8], expect: usize| assert_eq!(Accounts::parse(text).iter().count(), expect, "{text:?}");
        check(b"", 0);
        check(b"+::::::\n-anna\n:x:1:1:::\n\n", 0);
        check(b"anna:x:-1:1:::\nanna:x:4294967296:1:::\nanna:x:one:1:::\n", 0);
        check(b"anna:x:1:1\n", 1);
        check(b"\xff\xfe:x:1:1:\xff::\n", 1);
    }

    #[test]
    fn of_two_lines_the_first_one_counts() {
        let accounts = Accounts::parse(b"anna:x:1:1:::\nanna:x:2:2:::\nbob:x:1:1:::\n");
        assert_eq!(accounts.named("anna").unwrap().uid, 1);
        assert_eq!(accounts.numbered(1).unwrap().name, "anna");
    }
}
