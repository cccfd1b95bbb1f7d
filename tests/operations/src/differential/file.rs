//! Ansible's `file`: files, directories and links.

use std::path::Path;

use wb_core::system::files::{self, Kind};
use wb_stdlib::prelude::*;

use super::found::{self, Found};
use super::{Differs, Input, Own, Part};

/// What is in the directory of an input, and what stands in it.
pub(super) fn found(own: &Own) -> Result<Found> {
    let top = own.directory();
    let mut found = found::tree(&top, "here")?;
    for (path, _) in files::below(&top)?.into_iter().filter(|(_, kind)| *kind == Kind::File) {
        let text = files::read_text(Path::new(&top).join(&path))?;
        found.insert(format!("text of {}", path.display()), text);
    }
    Ok(found)
}

const ALL: &[Part] = &[Part::Tree, Part::First, Part::Second];

const TIMES: Differs = Differs::new(
    &[Part::Second],
    ["`state: touch` of what is there", "it gets new times: a change with each run", "no change"],
);
const TOUCHED_DIRECTORY: Differs = Differs::new(
    &[Part::First, Part::Second],
    ["`state: touch` of a directory", "it gets new times", "an error: a directory is in the way of a file"],
);
const MISSING_FILE: Differs =
    Differs::new(ALL, ["`state: file` where nothing is", "an error", "an empty file is made"]);
const LINK_IN_THE_WAY: Differs = Differs::new(
    ALL,
    [
        "a link at the path of a file or a directory",
        "what it leads to is meant, unless `follow: false` is said",
        "it is in the way; `.through_links()` means what it leads to",
    ],
);
const NO_FILE: Differs =
    Differs::new(ALL, ["a pipe, a socket or a device at the path of a file", "is taken for the file", "is in the way"]);
const SET_USER_ID: Differs = Differs::new(
    &[Part::Tree],
    [
        "a program of root's with the set-user-id bit gets another owner",
        "the bit is lost",
        "the bit stays, unless the mode says otherwise",
    ],
);
const DIRECTORIES_ABOVE: Differs = Differs::new(
    &[Part::Tree],
    [
        "directories that are made above a new one",
        "get its owner, group and mode, too",
        "are root's, with what the umask leaves",
    ],
);
const MADE_FOR_NOBODY: Differs = Differs::new(
    &[Part::Tree],
    ["a new directory for an owner who is not there", "it is made, and then the task fails", "it is not made"],
);
const SET_GROUP_ID: Differs = Differs::new(
    &[Part::Tree],
    [
        "a new directory, without a mode, in one with the set-group-id bit",
        "has the bit, too",
        "has the mode 0755, and the bit only where the mode says it",
    ],
);
const LINKS_IN_A_TREE: Differs = Differs::new(
    &[Part::Tree],
    [
        "links in a tree that is changed as a whole (`recurse`)",
        "are followed, unless `follow: false` is said: what they lead to changes, wherever that is",
        "are never followed",
    ],
);
const LINK_TO_NOTHING: Differs =
    Differs::new(ALL, ["a link to what is not there", "an error, unless `force` is said", "it is made"]);

pub(super) static INPUTS: &[Input] = &[
    Input {
        name: "touched",
        task: "{ state: touch, path: HERE/a }",
        run: |host, own| Ok(host.file(own.path("a")).present()?),
        differs: Some(TIMES),
        ..Input::DEFAULT
    },
    Input {
        name: "touched_for_good",
        task: "{ state: touch, path: HERE/a, modification_time: preserve, access_time: preserve }",
        run: |host, own| Ok(host.file(own.path("a")).present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "touched_with_mode",
        task: "{ state: touch, path: HERE/a, mode: '0600', modification_time: preserve, access_time: preserve }",
        run: |host, own| Ok(host.file(own.path("a")).mode(0o600).present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "touched_there",
        prepare: "echo kept >a; chmod 640 a",
        task: "{ state: touch, path: HERE/a, modification_time: preserve, access_time: preserve }",
        run: |host, own| Ok(host.file(own.path("a")).present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "touched_directory",
        prepare: "mkdir a",
        task: "{ state: touch, path: HERE/a, modification_time: preserve, access_time: preserve }",
        run: |host, own| Ok(host.file(own.path("a")).present()?),
        differs: Some(TOUCHED_DIRECTORY),
        ..Input::DEFAULT
    },
    Input {
        name: "mode",
        prepare: "echo kept >a; chmod 644 a",
        task: "{ path: HERE/a, mode: '0600' }",
        run: |host, own| Ok(host.file(own.path("a")).mode(0o600).present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "mode_is_so",
        prepare: "echo kept >a; chmod 600 a",
        task: "{ path: HERE/a, mode: '0600' }",
        run: |host, own| Ok(host.file(own.path("a")).mode(0o600).present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "mode_in_letters",
        prepare: "echo kept >a; chmod 777 a",
        task: "{ path: HERE/a, mode: 'u=rw,g=r,o=' }",
        run: |host, own| Ok(host.file(own.path("a")).mode(0o640).present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "mode_with_set_user_id",
        prepare: "echo kept >a",
        task: "{ path: HERE/a, mode: '4755' }",
        run: |host, own| Ok(host.file(own.path("a")).mode(0o4755).present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "owner_by_name",
        prepare: "echo kept >a",
        task: "{ path: HERE/a, owner: games, group: www-data }",
        run: |host, own| Ok(host.file(own.path("a")).owner("games").group("www-data").present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "owner_by_number",
        prepare: "echo kept >a",
        task: "{ path: HERE/a, owner: '5', group: '60' }",
        run: |host, own| Ok(host.file(own.path("a")).owner("5").group("60").present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "owner_is_nobody",
        prepare: "echo kept >a",
        task: "{ path: HERE/a, owner: nobody-here }",
        run: |host, own| Ok(host.file(own.path("a")).owner("nobody-here").present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "owner_and_set_user_id",
        prepare: "echo kept >a; chmod 4755 a",
        task: "{ path: HERE/a, owner: games }",
        run: |host, own| Ok(host.file(own.path("a")).owner("games").present()?),
        differs: Some(SET_USER_ID),
        ..Input::DEFAULT
    },
    Input {
        name: "owner_and_said_set_user_id",
        prepare: "echo kept >a; chmod 4755 a",
        task: "{ path: HERE/a, owner: games, mode: '4755' }",
        run: |host, own| Ok(host.file(own.path("a")).owner("games").mode(0o4755).present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "file_is_missing",
        task: "{ state: file, path: HERE/a, mode: '0600' }",
        run: |host, own| Ok(host.file(own.path("a")).mode(0o600).present()?),
        differs: Some(MISSING_FILE),
        ..Input::DEFAULT
    },
    Input {
        name: "file_is_a_directory",
        prepare: "mkdir a",
        task: "{ state: file, path: HERE/a, mode: '0600' }",
        run: |host, own| Ok(host.file(own.path("a")).mode(0o600).present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "file_is_a_pipe",
        prepare: "mkfifo -m 644 a",
        task: "{ state: file, path: HERE/a, mode: '0600' }",
        run: |host, own| Ok(host.file(own.path("a")).mode(0o600).present()?),
        differs: Some(NO_FILE),
        ..Input::DEFAULT
    },
    Input {
        name: "file_through_a_link",
        prepare: "echo kept >real; ln -s real a",
        task: "{ state: file, path: HERE/a, mode: '0600' }",
        run: |host, own| Ok(host.file(own.path("a")).through_links().mode(0o600).present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "file_is_a_link",
        prepare: "echo kept >real; ln -s real a",
        task: "{ state: file, path: HERE/a, mode: '0600' }",
        run: |host, own| Ok(host.file(own.path("a")).mode(0o600).present()?),
        differs: Some(LINK_IN_THE_WAY),
        ..Input::DEFAULT
    },
    Input {
        name: "directory",
        task: "{ state: directory, path: HERE/a }",
        run: |host, own| Ok(host.directory(own.path("a")).present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "directory_of_somebody",
        task: "{ state: directory, path: HERE/a, owner: games, group: www-data, mode: '1770' }",
        run: |host, own| Ok(host.directory(own.path("a")).owner("games").group("www-data").mode(0o1770).present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "directory_with_a_blank",
        task: "{ state: directory, path: 'HERE/a b' }",
        run: |host, own| Ok(host.directory(own.path("a b")).present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "directory_in_new_ones",
        task: "{ state: directory, path: HERE/a/b/c }",
        run: |host, own| Ok(host.directory(own.path("a/b/c")).present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "directory_in_new_ones_of_games",
        task: "{ state: directory, path: HERE/a/b/c, owner: games, mode: '0700' }",
        run: |host, own| Ok(host.directory(own.path("a/b/c")).owner("games").mode(0o700).present()?),
        differs: Some(DIRECTORIES_ABOVE),
        ..Input::DEFAULT
    },
    Input {
        name: "directory_with_another_mode",
        prepare: "mkdir -m 777 a; echo kept >a/b",
        task: "{ state: directory, path: HERE/a, mode: '0750' }",
        run: |host, own| Ok(host.directory(own.path("a")).mode(0o750).present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "directory_of_nobody",
        task: "{ state: directory, path: HERE/a, owner: nobody-here }",
        run: |host, own| Ok(host.directory(own.path("a")).owner("nobody-here").present()?),
        differs: Some(MADE_FOR_NOBODY),
        ..Input::DEFAULT
    },
    Input {
        name: "directory_with_set_group_id",
        prepare: "mkdir above; chgrp games above; chmod 2755 above",
        task: "{ state: directory, path: HERE/above/a }",
        run: |host, own| Ok(host.directory(own.path("above/a")).present()?),
        differs: Some(SET_GROUP_ID),
        ..Input::DEFAULT
    },
    Input {
        name: "directory_is_a_file",
        prepare: "echo kept >a",
        task: "{ state: directory, path: HERE/a }",
        run: |host, own| Ok(host.directory(own.path("a")).present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "directory_through_a_link",
        prepare: "mkdir real; ln -s real a",
        task: "{ state: directory, path: HERE/a, mode: '0700' }",
        run: |host, own| Ok(host.directory(own.path("a")).through_links().mode(0o700).present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "directory_is_a_link",
        prepare: "mkdir real; ln -s real a",
        task: "{ state: directory, path: HERE/a, mode: '0700' }",
        run: |host, own| Ok(host.directory(own.path("a")).mode(0o700).present()?),
        differs: Some(LINK_IN_THE_WAY),
        ..Input::DEFAULT
    },
    Input {
        name: "tree_of_somebody",
        prepare: "mkdir -p a/b; echo kept >a/c; echo kept >a/b/d; mkfifo a/pipe",
        task: "{ state: directory, path: HERE/a, recurse: true, owner: games, group: games }",
        run: |host, own| Ok(host.directory(own.path("a")).owner("games").group("games").recursively().set()?),
        ..Input::DEFAULT
    },
    Input {
        name: "tree_with_modes",
        prepare: "mkdir -p a/b; echo kept >a/c; echo kept >a/b/d",
        task: "{ state: directory, path: HERE/a, recurse: true, mode: 'u=rwX,g=rX,o=' }",
        run: |host, own| Ok(host.directory(own.path("a")).recursively().file_mode(0o640).dir_mode(0o750).set()?),
        ..Input::DEFAULT
    },
    Input {
        name: "tree_with_a_link",
        prepare: "mkdir a; echo kept >a/b; echo kept >beside; ln -s ../beside a/link",
        task: "{ state: directory, path: HERE/a, recurse: true, owner: games }",
        run: |host, own| Ok(host.directory(own.path("a")).owner("games").recursively().set()?),
        differs: Some(LINKS_IN_A_TREE),
        ..Input::DEFAULT
    },
    Input {
        name: "tree_without_its_links",
        prepare: "mkdir a; echo kept >a/b; echo kept >beside; ln -s ../beside a/link",
        task: "{ state: directory, path: HERE/a, recurse: true, owner: games, follow: false }",
        run: |host, own| Ok(host.directory(own.path("a")).owner("games").recursively().set()?),
        ..Input::DEFAULT
    },
    Input {
        name: "link",
        prepare: "echo kept >target",
        task: "{ state: link, path: HERE/a, src: target }",
        run: |host, own| Ok(host.link(own.path("a")).to("target")?),
        ..Input::DEFAULT
    },
    Input {
        name: "link_to_nothing",
        task: "{ state: link, path: HERE/a, src: target }",
        run: |host, own| Ok(host.link(own.path("a")).to("target")?),
        differs: Some(LINK_TO_NOTHING),
        ..Input::DEFAULT
    },
    Input {
        name: "link_to_nothing_by_force",
        task: "{ state: link, path: HERE/a, src: target, force: true }",
        run: |host, own| Ok(host.link(own.path("a")).to("target")?),
        ..Input::DEFAULT
    },
    Input {
        name: "link_leads_elsewhere",
        prepare: "mkdir one two; ln -s one a",
        task: "{ state: link, path: HERE/a, src: two }",
        run: |host, own| Ok(host.link(own.path("a")).to("two")?),
        ..Input::DEFAULT
    },
    Input {
        name: "link_is_so",
        prepare: "mkdir one; ln -s one a",
        task: "{ state: link, path: HERE/a, src: one }",
        run: |host, own| Ok(host.link(own.path("a")).to("one")?),
        ..Input::DEFAULT
    },
    Input {
        name: "link_is_a_file",
        prepare: "echo kept >target; echo kept >a",
        task: "{ state: link, path: HERE/a, src: target }",
        run: |host, own| Ok(host.link(own.path("a")).to("target")?),
        ..Input::DEFAULT
    },
    Input {
        name: "link_replaces_a_file",
        prepare: "echo kept >target; echo gone >a",
        task: "{ state: link, path: HERE/a, src: target, force: true }",
        run: |host, own| Ok(host.link(own.path("a")).replacing().to("target")?),
        ..Input::DEFAULT
    },
    Input {
        name: "link_replaces_a_directory",
        prepare: "echo kept >target; mkdir a",
        task: "{ state: link, path: HERE/a, src: target, force: true }",
        run: |host, own| Ok(host.link(own.path("a")).replacing().to("target")?),
        ..Input::DEFAULT
    },
    Input {
        name: "link_and_a_full_directory",
        prepare: "echo kept >target; mkdir a; echo kept >a/b",
        task: "{ state: link, path: HERE/a, src: target, force: true }",
        run: |host, own| Ok(host.link(own.path("a")).replacing().to("target")?),
        ..Input::DEFAULT
    },
    Input {
        name: "hard_link",
        prepare: "echo kept >real",
        task: "{ state: hard, path: HERE/a, src: HERE/real }",
        run: |host, own| Ok(host.link(own.path("a")).hard_to(own.path("real"))?),
        ..Input::DEFAULT
    },
    Input {
        name: "hard_link_is_so",
        prepare: "echo kept >real; ln real a",
        task: "{ state: hard, path: HERE/a, src: HERE/real }",
        run: |host, own| Ok(host.link(own.path("a")).hard_to(own.path("real"))?),
        ..Input::DEFAULT
    },
    Input {
        name: "hard_link_to_nothing",
        task: "{ state: hard, path: HERE/a, src: HERE/real }",
        run: |host, own| Ok(host.link(own.path("a")).hard_to(own.path("real"))?),
        ..Input::DEFAULT
    },
    Input {
        name: "hard_link_is_a_file",
        prepare: "echo kept >real; echo kept >a",
        task: "{ state: hard, path: HERE/a, src: HERE/real }",
        run: |host, own| Ok(host.link(own.path("a")).hard_to(own.path("real"))?),
        ..Input::DEFAULT
    },
    Input {
        name: "hard_link_replaces_a_file",
        prepare: "echo kept >real; echo gone >a",
        task: "{ state: hard, path: HERE/a, src: HERE/real, force: true }",
        run: |host, own| Ok(host.link(own.path("a")).replacing().hard_to(own.path("real"))?),
        ..Input::DEFAULT
    },
    Input {
        name: "absent_file",
        prepare: "echo gone >a; echo kept >b",
        task: "{ state: absent, path: HERE/a }",
        run: |host, own| Ok(host.path(own.path("a")).absent()?),
        ..Input::DEFAULT
    },
    Input {
        name: "absent_directory",
        prepare: "mkdir -p a/b; echo gone >a/b/c",
        task: "{ state: absent, path: HERE/a }",
        run: |host, own| Ok(host.path(own.path("a")).absent()?),
        ..Input::DEFAULT
    },
    Input {
        name: "absent_link",
        prepare: "mkdir real; echo kept >real/b; ln -s real a",
        task: "{ state: absent, path: HERE/a }",
        run: |host, own| Ok(host.path(own.path("a")).absent()?),
        ..Input::DEFAULT
    },
    Input {
        name: "absent_pipe",
        prepare: "mkfifo a",
        task: "{ state: absent, path: HERE/a }",
        run: |host, own| Ok(host.path(own.path("a")).absent()?),
        ..Input::DEFAULT
    },
    Input {
        name: "absent_nothing",
        task: "{ state: absent, path: HERE/a }",
        run: |host, own| Ok(host.path(own.path("a")).absent()?),
        ..Input::DEFAULT
    },
];
