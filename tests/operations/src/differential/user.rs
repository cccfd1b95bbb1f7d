//! Ansible's `user`: who there is, in which groups, with which password, and what homes are like.

use wb_core::system::files;
use wb_stdlib::prelude::*;

use super::found::{self, Found};
use super::{Differs, Input, Own, Part};

/// The numbers that programs choose come after this one's, so that they are told from those that somebody said.
pub(super) const PREPARE: &str = "useradd -M -u 5000 of_numbers; useradd -M -u 3002 of_a_number";

/// Of `openssl passwd -6 -salt saltsalt swordfish`.
macro_rules! hash {
    () => {
        "$6$saltsalt$cPbDmdp7sUA1v8Yjfppi8VeFqwELnkKCqsv5H2wx/S4LZwLhIhlK7tCX/4JqgCT3onV3./FXCDD2Y6iXkj4Lp/"
    };
}

const HASH: &str = hash!();

/// The user of an input, the home, and the input's directory.
pub(super) fn found(own: &Own) -> Result<Found> {
    let name = own.name();
    let mut found = found::tree(&own.directory(), "here")?;
    found.extend(found::tree(&format!("/home/{name}"), "home")?);
    found.extend(found::tree(&format!("/var/mail/{name}"), "mail")?);
    let text = |path: &str| files::read_text(path);
    found.extend(account(&name, &text("/etc/passwd")?, &text("/etc/group")?, &text("/etc/shadow")?));
    Ok(found)
}

/// What the files of users say of one of them. The day on which the password was changed is not told.
fn account(name: &str, passwd: &str, group: &str, shadow: &str) -> Found {
    let mut told = Vec::new();
    if let [_, _, uid, gid, comment, home, shell] = line_of(passwd, name)[..] {
        told.extend([("uid", number(uid)), ("group", group_of(group, gid)), ("comment", comment.to_owned())]);
        told.extend([("home's path", home.to_owned()), ("shell", shell.to_owned())]);
    }
    if let [_, password, _, least, most, warned, inactive, expires, ..] = line_of(shadow, name)[..] {
        told.extend([("password", password.to_owned()), ("expires", expires.to_owned())]);
        told.push(("age of a password", format!("{least}:{most}:{warned}:{inactive}")));
    }
    told.push(("groups", groups_with(group, name)));
    told.push(("has a group of that name", (!line_of(group, name).is_empty()).to_string()));
    told.into_iter().map(|(what, text)| (what.to_owned(), text)).collect()
}

/// The fields of the line of this name; none where there is no such line.
fn line_of<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let mut lines = text.lines().map(|line| line.split(':').collect::<Vec<_>>());
    lines.find(|fields| fields.first() == Some(&name)).unwrap_or_default()
}

/// Numbers that programs chose may differ between hosts.
fn number(uid: &str) -> String {
    match uid.parse::<u32>() {
        Ok(0..=999) => "one of the system".to_owned(),
        Ok(3000..=3999) | Err(_) => uid.to_owned(),
        Ok(_) => "one of people".to_owned(),
    }
}

fn group_of(group: &str, gid: &str) -> String {
    let mut lines = group.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let numbered = lines.find(|fields| fields.get(2) == Some(&gid)).unwrap_or_default();
    numbered.first().copied().unwrap_or("none").to_owned()
}

/// The groups that list the user.
fn groups_with(group: &str, name: &str) -> String {
    let lists = |line: &&str| line.rsplit(':').next().is_some_and(|members| members.split(',').any(|it| it == name));
    let mut groups: Vec<&str> = group.lines().filter(lists).filter_map(|line| line.split(':').next()).collect();
    groups.sort_unstable();
    groups.join(" ")
}

const ALL: &[Part] = &[Part::Tree, Part::First, Part::Second];

const HOME_OF_THE_SYSTEM: Differs = Differs::new(
    &[Part::Tree],
    [
        "the home of a user whose number is below 1000",
        "is made, unless `create_home: false` is said",
        "is made where `.with_home()` is said",
    ],
);
const NAMESAKE: Differs = Differs::new(
    &[Part::Tree],
    [
        "a new user, and a group that is called so already",
        "the primary group is the one that all new users would share",
        "the primary group is that one",
    ],
);
const MISSING_SHELL: Differs = Differs::new(ALL, ["a shell that is not there", "the user gets it", "an error"]);
const NO_HASH: Differs = Differs::new(
    ALL,
    ["a password that is no hash", "it is written as one, with a warning: nobody gets in by it", "an error"],
);
const ONLY_GROUPS: Differs = Differs::new(
    &[Part::Tree],
    [
        "`groups`",
        "takes the user out of all others, unless `append: true` is said",
        "adds; `.only_groups(…)` is the word for the other",
    ],
);
const PASSWORD_OF_LOCKED: Differs = Differs::new(
    &[Part::Tree],
    [
        "another password for a user whose password is locked",
        "unlocks it",
        "it stays locked, unless `.unlocked()` is said",
    ],
);
const NOTHING_TO_UNLOCK: Differs = Differs::new(
    &[Part::First, Part::Second],
    ["`password_lock: false` for a user without a password", "does nothing, and says `changed` each time", "an error"],
);
const FOREIGN_HOME: Differs = Differs::new(
    &[Part::Tree, Part::Second],
    [
        "`remove: true`, and the home is somebody else's",
        "the user goes, the home stays, and the task fails",
        "an error; both stay",
    ],
);

pub(super) static INPUTS: &[Input] = &[
    Input {
        name: "new",
        task: "{ name: NAME }",
        run: |host, own| Ok(host.user(&own.name()).present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "new_with_all",
        task: "{ name: NAME, uid: 3001, comment: Anna Berg, shell: /bin/bash, groups: [adm, games], home: HERE/home }",
        run: |host, own| {
            let user = host.user(&own.name()).uid(3001).comment("Anna Berg").shell("/bin/bash");
            Ok(user.groups(["adm", "games"]).home(own.path("home")).present()?)
        },
        ..Input::DEFAULT
    },
    Input {
        name: "new_of_the_system",
        task: "{ name: NAME, system: true }",
        run: |host, own| Ok(host.user(&own.name()).system().present()?),
        differs: Some(HOME_OF_THE_SYSTEM),
        ..Input::DEFAULT
    },
    Input {
        name: "new_of_the_system_homeless",
        task: "{ name: NAME, system: true, create_home: false }",
        run: |host, own| Ok(host.user(&own.name()).system().present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "new_of_the_system_with_home",
        task: "{ name: NAME, system: true }",
        run: |host, own| Ok(host.user(&own.name()).system().with_home().present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "new_homeless",
        task: "{ name: NAME, create_home: false }",
        run: |host, own| Ok(host.user(&own.name()).without_home().present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "new_with_new_directories",
        task: "{ name: NAME, home: HERE/far/away/home }",
        run: |host, own| Ok(host.user(&own.name()).home(own.path("far/away/home")).present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "new_with_namesake",
        prepare: "groupadd \"$NAME\"",
        task: "{ name: NAME }",
        run: |host, own| Ok(host.user(&own.name()).present()?),
        differs: Some(NAMESAKE),
        ..Input::DEFAULT
    },
    Input {
        name: "new_with_group",
        task: "{ name: NAME, group: games }",
        run: |host, own| Ok(host.user(&own.name()).group("games").present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "new_with_number_of_group",
        task: "{ name: NAME, group: '60' }",
        run: |host, own| Ok(host.user(&own.name()).group("60").present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "new_with_missing_group",
        task: "{ name: NAME, group: nobody-here }",
        run: |host, own| Ok(host.user(&own.name()).group("nobody-here").present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "new_with_missing_groups",
        task: "{ name: NAME, groups: [games, nobody-here] }",
        run: |host, own| Ok(host.user(&own.name()).groups(["games", "nobody-here"]).present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "new_with_missing_shell",
        task: "{ name: NAME, shell: /bin/nothing }",
        run: |host, own| Ok(host.user(&own.name()).shell("/bin/nothing").present()?),
        differs: Some(MISSING_SHELL),
        ..Input::DEFAULT
    },
    Input {
        name: "new_with_taken_number",
        task: "{ name: NAME, uid: 3002 }",
        run: |host, own| Ok(host.user(&own.name()).uid(3002).present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "new_with_colon_in_comment",
        task: "{ name: NAME, comment: 'a:b' }",
        run: |host, own| Ok(host.user(&own.name()).comment("a:b").present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "new_with_password",
        task: concat!("{ name: NAME, password: '", hash!(), "' }"),
        run: |host, own| Ok(host.user(&own.name()).password_hash(HASH).present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "new_with_locked_password",
        task: concat!("{ name: NAME, password: '", hash!(), "', password_lock: true }"),
        run: |host, own| Ok(host.user(&own.name()).password_hash(HASH).locked().present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "new_with_plain_password",
        task: "{ name: NAME, password: swordfish }",
        run: |host, own| Ok(host.user(&own.name()).password_hash("swordfish").present()?),
        differs: Some(NO_HASH),
        ..Input::DEFAULT
    },
    Input {
        name: "new_without_password",
        task: "{ name: NAME, password: '*' }",
        run: |host, own| Ok(host.user(&own.name()).without_password().present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "new_until",
        task: "{ name: NAME, expires: 1801353600 }",
        run: |host, own| Ok(host.user(&own.name()).expires("2027-01-31").present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "new_for_ever",
        task: "{ name: NAME, expires: -1 }",
        run: |host, own| Ok(host.user(&own.name()).never_expires().present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "there",
        prepare: "useradd -m \"$NAME\"",
        task: "{ name: NAME }",
        run: |host, own| Ok(host.user(&own.name()).present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "there_without_home",
        prepare: "useradd -M \"$NAME\"",
        task: "{ name: NAME }",
        run: |host, own| Ok(host.user(&own.name()).present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "there_of_the_system",
        prepare: "useradd -r -M -s /bin/sh \"$NAME\"",
        task: "{ name: NAME, shell: /bin/bash }",
        run: |host, own| Ok(host.user(&own.name()).shell("/bin/bash").present()?),
        differs: Some(HOME_OF_THE_SYSTEM),
        ..Input::DEFAULT
    },
    Input {
        name: "number_comment_shell",
        prepare: "useradd -m -u 3010 -c Old -s /bin/sh \"$NAME\"
            echo kept >\"/home/$NAME/kept\"; chown 3010 \"/home/$NAME/kept\"",
        task: "{ name: NAME, uid: 3011, comment: New, shell: /bin/bash }",
        run: |host, own| Ok(host.user(&own.name()).uid(3011).comment("New").shell("/bin/bash").present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "comment_emptied",
        prepare: "useradd -m -c Old \"$NAME\"",
        task: "{ name: NAME, comment: '' }",
        run: |host, own| Ok(host.user(&own.name()).comment("").present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "group",
        prepare: "useradd -m \"$NAME\"",
        task: "{ name: NAME, group: games }",
        run: |host, own| Ok(host.user(&own.name()).group("games").present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "groups_added",
        prepare: "useradd -m -G adm \"$NAME\"",
        task: "{ name: NAME, groups: [games], append: true }",
        run: |host, own| Ok(host.user(&own.name()).groups(["games"]).present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "groups_and_no_others",
        prepare: "useradd -m -G adm \"$NAME\"",
        task: "{ name: NAME, groups: [games] }",
        run: |host, own| Ok(host.user(&own.name()).only_groups(["games"]).present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "groups_beside_others",
        prepare: "useradd -m -G adm \"$NAME\"",
        task: "{ name: NAME, groups: [games] }",
        run: |host, own| Ok(host.user(&own.name()).groups(["games"]).present()?),
        differs: Some(ONLY_GROUPS),
        ..Input::DEFAULT
    },
    Input {
        name: "groups_none",
        prepare: "useradd -m -G adm \"$NAME\"",
        task: "{ name: NAME, groups: '' }",
        run: |host, own| Ok(host.user(&own.name()).only_groups([""; 0]).present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "home",
        prepare: "useradd -m \"$NAME\"; touch \"/home/$NAME/kept\"",
        task: "{ name: NAME, home: HERE/home }",
        run: |host, own| Ok(host.user(&own.name()).home(own.path("home")).present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "password",
        prepare: "useradd -m -p '$6$x$y' \"$NAME\"",
        task: concat!("{ name: NAME, password: '", hash!(), "' }"),
        run: |host, own| Ok(host.user(&own.name()).password_hash(HASH).present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "password_of_locked",
        prepare: "useradd -m -p '!$6$x$y' \"$NAME\"",
        task: concat!("{ name: NAME, password: '", hash!(), "' }"),
        run: |host, own| Ok(host.user(&own.name()).password_hash(HASH).present()?),
        differs: Some(PASSWORD_OF_LOCKED),
        ..Input::DEFAULT
    },
    Input {
        name: "password_of_locked_is_so",
        prepare: concat!("useradd -m -p '!", hash!(), "' \"$NAME\""),
        task: concat!("{ name: NAME, password: '", hash!(), "' }"),
        run: |host, own| Ok(host.user(&own.name()).password_hash(HASH).present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "locked",
        prepare: "useradd -m -p '$6$x$y' \"$NAME\"",
        task: "{ name: NAME, password_lock: true }",
        run: |host, own| Ok(host.user(&own.name()).locked().present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "locked_is_so",
        prepare: "useradd -m \"$NAME\"",
        task: "{ name: NAME, password_lock: true }",
        run: |host, own| Ok(host.user(&own.name()).locked().present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "locked_without_password",
        prepare: "useradd -m -p '*' \"$NAME\"",
        task: "{ name: NAME, password_lock: true }",
        run: |host, own| Ok(host.user(&own.name()).locked().present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "unlocked",
        prepare: "useradd -m -p '!$6$x$y' \"$NAME\"",
        task: "{ name: NAME, password_lock: false }",
        run: |host, own| Ok(host.user(&own.name()).unlocked().present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "unlocked_without_password",
        prepare: "useradd -m \"$NAME\"",
        task: "{ name: NAME, password_lock: false }",
        run: |host, own| Ok(host.user(&own.name()).unlocked().present()?),
        differs: Some(NOTHING_TO_UNLOCK),
        ..Input::DEFAULT
    },
    Input {
        name: "until_another_day",
        prepare: "useradd -m -e 2030-01-01 \"$NAME\"",
        task: "{ name: NAME, expires: 1801353600 }",
        run: |host, own| Ok(host.user(&own.name()).expires("2027-01-31").present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "for_ever",
        prepare: "useradd -m -e 2030-01-01 \"$NAME\"",
        task: "{ name: NAME, expires: -1 }",
        run: |host, own| Ok(host.user(&own.name()).never_expires().present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "absent",
        prepare: "useradd -m -u 3020 \"$NAME\"",
        task: "{ name: NAME, state: absent }",
        run: |host, own| Ok(host.user(&own.name()).absent()?),
        ..Input::DEFAULT
    },
    Input {
        name: "absent_with_home",
        prepare: "useradd -m -u 3021 \"$NAME\"; touch \"/var/mail/$NAME\"; chown 3021 \"/var/mail/$NAME\"",
        task: "{ name: NAME, state: absent, remove: true }",
        run: |host, own| Ok(host.user(&own.name()).absent_with_home()?),
        ..Input::DEFAULT
    },
    Input {
        name: "absent_with_foreign_home",
        prepare: "mkdir home; useradd -M -u 3022 -d \"$HERE/home\" \"$NAME\"",
        task: "{ name: NAME, state: absent, remove: true }",
        run: |host, own| Ok(host.user(&own.name()).absent_with_home()?),
        differs: Some(FOREIGN_HOME),
        ..Input::DEFAULT
    },
    Input {
        name: "absent_nobody",
        task: "{ name: NAME, state: absent }",
        run: |host, own| Ok(host.user(&own.name()).absent()?),
        ..Input::DEFAULT
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\nu_new:x:5001:5001:Anna:/home/u_new:/bin/sh\n";
    const GROUP: &str = "root:x:0:\nadm:x:4:u_new,u_there\ngames:x:60:u_new\nu_new:x:5001:\n";
    const SHADOW: &str = "root:*:19701:0:99999:7:::\nu_new:!:20786:0:99999:7::24502:\n";

    #[test]
    fn a_user_is_told_without_what_the_host_chose() {
        let told = account("u_new", PASSWD, GROUP, SHADOW);
        let expect = [
            ("age of a password", "0:99999:7:"),
            ("comment", "Anna"),
            ("expires", "24502"),
            ("group", "u_new"),
            ("groups", "adm games"),
            ("has a group of that name", "true"),
            ("home's path", "/home/u_new"),
            ("password", "!"),
            ("shell", "/bin/sh"),
            ("uid", "one of people"),
        ];
        let expect: Found = expect.map(|(what, text)| (what.to_owned(), text.to_owned())).into();
        assert_eq!(told, expect);
    }

    #[test]
    fn who_is_not_there_has_no_lines() {
        let told = account("u_there", PASSWD, GROUP, SHADOW);
        let expect = [("groups", "adm"), ("has a group of that name", "false")];
        let expect: Found = expect.map(|(what, text)| (what.to_owned(), text.to_owned())).into();
        assert_eq!(told, expect);
    }

    #[test]
    fn a_number_is_told_where_somebody_said_it() {
        let check = |uid: &str, expect: &str| assert_eq!(number(uid), expect, "{uid}");
        check("3010", "3010");
        check("998", "one of the system");
        check("5001", "one of people");
    }
}
