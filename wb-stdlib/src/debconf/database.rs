//! debconf's own file of answers.

/// What debconf has stored of questions.
pub(super) struct Database(String);

/// What is stored of a question.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    /// The answer, where there is one besides the default.
    pub(super) value: Option<&'a str>,
    /// Whether somebody has seen the question, so that it is not asked again.
    pub(super) is_seen: bool,
}

impl Database {
    pub(super) fn new(content: &[u8]) -> Self {
        Self(String::from_utf8_lossy(content).into_owned())
    }

    /// Finds the stanza with `Name: question`, and in it `Value: …` and `Flags: seen`.
    pub(super) fn find(&self, question: &str) -> Option<Entry<'_>> {
        let mut lines = self.0.lines();
        lines.find(|line| field(line, "Name") == Some(question))?;
        let mut entry = Entry::default();
        for line in lines.take_while(|line| !line.is_empty()) {
            if let Some(value) = field(line, "Value") {
                entry.value = Some(value);
            } else if let Some(flags) = field(line, "Flags") {
                entry.is_seen = flags.split(", ").any(|flag| flag == "seen");
            }
        }
        Some(entry)
    }
}

/// The value of a line `Name: value`, with all its blanks but the first.
fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let value = line.strip_prefix(name)?.strip_prefix(':')?;
    Some(value.strip_prefix(' ').unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// debconf 1.5.82 of Debian 12.
    const CAPTURED: &[u8] = b"Name: ca-certificates/new_crts\nTemplate: ca-certificates/new_crts\n\
        Owners: ca-certificates\nVariables:\n new_crts = \n\n\
        Name: man-db/auto-update\nTemplate: man-db/auto-update\nOwners: man-db\n\n\
        Name: man-db/install-setuid\nTemplate: man-db/install-setuid\nValue: false\nOwners: man-db\nFlags: seen\n\n\
        Name: tzdata/Zones/Etc\nTemplate: tzdata/Zones/Etc\nValue: UTC\nOwners: tzdata\nFlags: seen\n\
        Variables:\n Value: not = one\n\n\
        Name: x/empty\nTemplate: x/empty\nValue: \nOwners: x\n\n\
        Name: x/blank\nTemplate: x/blank\nValue:  a b \nOwners: x\nFlags: preseed, seen\n";

    #[test]
    fn answers_are_found_by_their_questions() {
        let database = Database::new(CAPTURED);
        let check = |question: &str, expect: Option<(Option<&str>, bool)>| {
            assert_eq!(database.find(question).map(|entry| (entry.value, entry.is_seen)), expect, "{question}");
        };
        check("man-db/install-setuid", Some((Some("false"), true)));
        check("man-db/auto-update", Some((None, false)));
        check("tzdata/Zones/Etc", Some((Some("UTC"), true)));
        check("x/empty", Some((Some(""), false)));
        check("x/blank", Some((Some(" a b "), true)));
        check("tzdata/Zones", None);
    }

    #[test]
    fn a_database_may_be_anything() {
        assert_eq!(Database::new(b"").find("x"), None);
        assert_eq!(Database::new(b"\xff\nName: x").find("x"), Some(Entry::default()));
    }
}
