//! Lines of sudoers(5).

use crate::account::is_name;

/// What somebody may do: some commands, or all, as some users.
///
/// ```
/// use wb_stdlib::prelude::*;
/// use wb_stdlib::sudoers::Grant;
///
/// fn let_the_admins_of_databases_in(host: &Host) -> Result<()> {
///     let psql = Grant::to_group("dba").command("/usr/bin/psql").as_user("postgres").without_password();
///     let dump = Grant::to_group("dba").command("/usr/bin/pg_dump").as_user("postgres").keeping_environment();
///     host.sudoers("dba").grant(psql).grant(dump).present()?; // %dba ALL=(postgres) NOPASSWD: /usr/bin/psql …
///     Ok(())
/// }
/// # wb_stdlib::testing::web1().rehearse(let_the_admins_of_databases_in);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Grant {
    who: String,
    is_group: bool,
    users: Vec<String>,
    commands: Vec<String>,
    all_commands: bool,
    without_password: bool,
    keeps: bool,
}

/// What is wrong with a grant: which part, its value, and why.
type Wrong = (&'static str, String, &'static str);

impl Grant {
    /// For this user.
    pub fn to_user(name: impl Into<String>) -> Self {
        Self::to(name.into(), false)
    }

    /// For all who are in this group.
    pub fn to_group(name: impl Into<String>) -> Self {
        Self::to(name.into(), true)
    }

    fn to(who: String, is_group: bool) -> Self {
        let (users, commands) = (Vec::new(), Vec::new());
        Self { who, is_group, users, commands, all_commands: false, without_password: false, keeps: false }
    }

    /// A command: the absolute path of a program, and its arguments where they are bound, as a shell would take them.
    /// Without arguments all are allowed. `*`, `?` and `[…]` stand for others, as sudoers(5) says: `*` for blanks, too.
    pub fn command(mut self, command: impl Into<String>) -> Self {
        self.commands.push(command.into());
        self
    }

    /// All commands.
    pub fn all_commands(mut self) -> Self {
        self.all_commands = true;
        self
    }

    /// As this user; otherwise as any, root included.
    pub fn as_user(mut self, name: impl Into<String>) -> Self {
        self.users.push(name.into());
        self
    }

    /// sudo asks for no password.
    pub fn without_password(mut self) -> Self {
        self.without_password = true;
        self
    }

    /// Who runs the command may keep variables of the environment (`SETENV`).
    pub fn keeping_environment(mut self) -> Self {
        self.keeps = true;
        self
    }

    /// The line, or which part of it sudo would not understand.
    pub(super) fn line(&self) -> Result<String, Wrong> {
        let who = name(if self.is_group { "group" } else { "user" }, &self.who)?;
        let users = self.users.iter().map(|user| name("user", user)).collect::<Result<Vec<_>, _>>()?;
        let users = if users.is_empty() { "ALL".to_owned() } else { users.join(", ") };
        let commands = self.commands.iter().map(|line| command(line)).collect::<Result<Vec<_>, _>>()?;
        let commands = match (self.all_commands, commands.is_empty()) {
            (true, _) => "ALL".to_owned(),
            (false, false) => commands.join(", "),
            (false, true) => return Err(("grant", self.who.clone(), "it has no command")),
        };
        let percent = if self.is_group { "%" } else { "" };
        let password = if self.without_password { "NOPASSWD: " } else { "" };
        let keeps = if self.keeps { "SETENV: " } else { "" };
        Ok(format!("{percent}{who} ALL=({users}) {password}{keeps}{commands}"))
    }
}

fn name<'a>(field: &'static str, name: &'a str) -> Result<&'a str, Wrong> {
    let is_word = name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    match (is_name(name), is_word) {
        (true, false) => Ok(name),
        (true, true) => Err((field, name.to_owned(), "sudo takes a word in upper case for an alias")),
        (false, _) => Err((field, name.to_owned(), "nobody can be called so")),
    }
}

/// What means something to sudo is escaped, where that is not done already.
fn command(line: &str) -> Result<String, Wrong> {
    let wrong = |why| Err(("command", line.to_owned(), why));
    if !line.starts_with('/') {
        return wrong("its program has no absolute path");
    }
    if line.chars().any(char::is_control) || line.ends_with('\\') {
        return wrong("it goes on in another line");
    }
    let mut escaped = String::new();
    let mut is_escaped = false;
    for c in line.chars() {
        if matches!(c, ',' | ':' | '=' | '#') && !is_escaped {
            escaped.push('\\');
        }
        escaped.push(c);
        is_escaped = c == '\\' && !is_escaped;
    }
    Ok(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(grant: &Grant, expect: &str) {
        assert_eq!(grant.line().as_deref(), Ok(expect));
    }

    fn refused(grant: &Grant) -> String {
        let (field, value, why) = grant.line().unwrap_err();
        format!("{value:?} is no {field}: {why}")
    }

    #[test]
    fn a_grant_is_a_line() {
        check(&Grant::to_user("anna").all_commands(), "anna ALL=(ALL) ALL");
        check(&Grant::to_group("ops").all_commands().without_password(), "%ops ALL=(ALL) NOPASSWD: ALL");
        let two = Grant::to_user("deploy").command("/bin/a x").command("/bin/b").as_user("shop").as_user("www-data");
        check(&two, "deploy ALL=(shop, www-data) /bin/a x, /bin/b");
        let all = Grant::to_user("anna").command("/bin/a").keeping_environment().without_password();
        check(&all, "anna ALL=(ALL) NOPASSWD: SETENV: /bin/a");
    }

    #[test]
    fn what_means_something_to_sudo_is_escaped_once() {
        let grant = |line: &str| Grant::to_user("anna").command(line);
        check(&grant("/bin/mount -o ro,noexec"), "anna ALL=(ALL) /bin/mount -o ro\\,noexec");
        check(&grant("/bin/dd if=/dev/sda #1"), "anna ALL=(ALL) /bin/dd if\\=/dev/sda \\#1");
        check(&grant("/bin/a b\\:c d:e"), "anna ALL=(ALL) /bin/a b\\:c d\\:e");
        check(&grant("/bin/ls /srv/*"), "anna ALL=(ALL) /bin/ls /srv/*");
    }

    #[test]
    fn what_sudo_would_not_understand_is_refused() {
        let path = "its program has no absolute path";
        assert_eq!(refused(&Grant::to_user("anna").command("ls")), format!("\"ls\" is no command: {path}"));
        assert_eq!(refused(&Grant::to_user("anna").command("")), format!("\"\" is no command: {path}"));
        let line = "it goes on in another line";
        assert_eq!(
            refused(&Grant::to_user("anna").command("/bin/a\nroot")),
            format!("\"/bin/a\\nroot\" is no command: {line}")
        );
        assert_eq!(
            refused(&Grant::to_user("anna").command("/bin/a\\")),
            format!("\"/bin/a\\\\\" is no command: {line}")
        );
        assert_eq!(refused(&Grant::to_user("an na").all_commands()), "\"an na\" is no user: nobody can be called so");
        assert_eq!(refused(&Grant::to_group("%ops").all_commands()), "\"%ops\" is no group: nobody can be called so");
        let alias = "\"OPS\" is no user: sudo takes a word in upper case for an alias";
        assert_eq!(refused(&Grant::to_user("OPS").all_commands()), alias);
        assert_eq!(refused(&Grant::to_user("anna")), "\"anna\" is no grant: it has no command");
    }
}
