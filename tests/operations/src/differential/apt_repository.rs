//! Ansible's `apt_repository`: where apt takes packages from.
//!
//! Ansible writes lines to `NAME.list`, and here is a stanza in `NAME.sources`: both are read as the entries that they
//! mean to apt. The repositories are on the hosts themselves.

use wb_core::system::files;
use wb_stdlib::apt_repository::AptRepository;
use wb_stdlib::prelude::*;

use super::found::Found;
use super::{Differs, Input, Own, Part};

/// Makes an unsigned repository, `base`, which has suites and is flat as well, and what signs it: a key, and the signed
/// release of its suite `stable`.
pub(super) const PREPARE: &str = r#"
    mkdir base; cd base
    package() {
        printf 'Package: wb-none\nVersion: 1\nArchitecture: all\nMaintainer: T <t@example.org>\n'
        printf 'Filename: ./none.deb\nSize: 1\nSHA256: %064d\nDescription: none\n\n' 0
    }
    release() {
        printf 'Suite: %s\nCodename: %s\nArchitectures: amd64 arm64\nComponents: main contrib\n' "$1" "$1"
        echo "Date: $(date -Ru)"; echo SHA256:
        for file in $(find . -name Packages); do
            echo " $(sha256sum "$file" | cut -d ' ' -f 1) $(stat -c %s "$file") ${file#./}"
        done
    }
    for suite in stable testing; do
        for part in main/binary-amd64 main/binary-arm64 contrib/binary-amd64 contrib/binary-arm64; do
            mkdir -p "dists/$suite/$part"; package >"dists/$suite/$part/Packages"
        done
        ( cd "dists/$suite"; release "$suite" >Release )
    done
    package >Packages
    { printf 'Suite: flat\n'; echo "Date: $(date -Ru)"; echo SHA256:
      echo " $(sha256sum Packages | cut -d ' ' -f 1) $(stat -c %s Packages) Packages"; } >Release
    cd ..
    export GNUPGHOME=$(mktemp -d)
    gpg --batch --quiet --passphrase '' --quick-gen-key shop@example.org default sign never
    gpg --export shop@example.org >key.gpg
    gpg --batch --quiet -u shop@example.org --clearsign -o InRelease base/dists/stable/Release
    gpgconf --kill all; rm -rf "$GNUPGHOME"
"#;

/// Each input has a copy of the repository: what apt knows of one is nothing to another.
pub(super) const EACH: &str = "cp -r ../base repo";

const SOURCES: &str = "/etc/apt/sources.list.d";

/// What apt takes from the repository of an input, as its files say, and the modes of these.
pub(super) fn found(own: &Own) -> Result<Found> {
    let (mut entries, mut modes) = (Vec::new(), Vec::new());
    for path in files::list(SOURCES)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(form) = name.strip_prefix(&own.name()).filter(|rest| rest.starts_with(['.', '-'])) else { continue };
        let text = files::read_text(&path)?;
        entries.extend(if form.ends_with(".sources") { of_stanzas(&text) } else { of_lines(&text) });
        modes.extend(files::stat(&path)?.map(|stat| format!("{:o}", stat.mode)));
    }
    for told in [&mut entries, &mut modes] {
        told.sort();
    }
    modes.dedup();
    Ok([("entries", entries), ("modes", modes)].map(|(what, told)| (what.to_owned(), told.join("\n"))).into())
}

/// The entries of a file of lines: `deb [option=value] URI SUITE COMPONENT…`.
fn of_lines(text: &str) -> Vec<String> {
    let without_comment = |line: &str| line.split('#').next().unwrap_or_default().trim().to_owned();
    text.lines().map(without_comment).filter(|line| !line.is_empty()).map(|line| of_line(&line)).collect()
}

fn of_line(line: &str) -> String {
    let (kind, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let bracketed = rest.trim_start().strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let (options, rest) = bracketed.unwrap_or(("", rest));
    let options = options.split_whitespace().map(str::to_owned).collect();
    entry(kind, &rest.split_whitespace().collect::<Vec<_>>(), options)
}

/// The entries of a file of stanzas: one for each type, address and suite.
fn of_stanzas(text: &str) -> Vec<String> {
    text.split("\n\n").filter(|stanza| !stanza.trim().is_empty()).flat_map(of_stanza).collect()
}

fn of_stanza(stanza: &str) -> Vec<String> {
    let options = [("Architectures", "arch"), ("Signed-By", "signed-by"), ("Trusted", "trusted")];
    let options: Vec<String> = options.into_iter().filter_map(|(name, word)| option(stanza, name, word)).collect();
    let mut entries = Vec::new();
    for kind in field(stanza, "Types") {
        for uri in field(stanza, "URIs") {
            for suite in field(stanza, "Suites") {
                let words: Vec<&str> = [uri, suite].into_iter().chain(field(stanza, "Components")).collect();
                entries.push(entry(kind, &words, options.clone()));
            }
        }
    }
    entries
}

/// A field of a stanza as the option of a line that says the same.
fn option(stanza: &str, name: &str, word: &str) -> Option<String> {
    let values = field(stanza, name);
    (!values.is_empty()).then(|| format!("{word}={}", values.join(",")))
}

fn field<'a>(stanza: &'a str, name: &str) -> Vec<&'a str> {
    let mut fields = stanza.lines().filter_map(|line| line.split_once(':'));
    let value = fields.find(|(found, _)| *found == name).map_or("", |(_, value)| value);
    value.split_whitespace().collect()
}

fn entry(kind: &str, words: &[&str], mut options: Vec<String>) -> String {
    options.sort();
    format!("{kind} {} [{}]", words.join(" "), options.join(" "))
}

const ALL: &[Part] = &[Part::Tree, Part::First, Part::Second];

const REFUSED: Differs = Differs::new(
    ALL,
    [
        "a repository that apt can't read or does not trust",
        "is written; with `update_cache` it is taken back once apt failed to read all repositories",
        "an error, before anything is written",
    ],
);
const IN_A_LIST: Differs = Differs::new(
    &[Part::Tree, Part::First],
    [
        "the same repository in a `.list` file",
        "is found there, whatever the file is called",
        "is not looked for: `host.path(…).absent()?` removes such a file",
    ],
);
const OLD_STAYS: Differs = Differs::new(
    &[Part::Tree],
    [
        "another suite, component or option for a repository of that name",
        "comes beside the old line, which has to be made absent by itself",
        "takes the place of the old one",
    ],
);

pub(super) static INPUTS: &[Input] = &[
    Input {
        name: "new",
        task: "{ filename: NAME, update_cache: false, repo: 'deb [trusted=yes] file:HERE/repo stable main' }",
        run: |host, own| Ok(trusted(host, own).suite("stable").component("main").present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "flat",
        task: "{ filename: NAME, update_cache: false, repo: 'deb [trusted=yes] file:HERE/repo ./' }",
        run: |host, own| Ok(trusted(host, own).suite("./").present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "components",
        task: "{ filename: NAME, update_cache: false, repo: 'deb [trusted=yes] file:HERE/repo stable main contrib' }",
        run: |host, own| Ok(trusted(host, own).suite("stable").components(["main", "contrib"]).present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "architecture",
        task: "{ filename: NAME, update_cache: false, \
               repo: 'deb [arch=amd64 trusted=yes] file:HERE/repo stable main' }",
        run: |host, own| Ok(trusted(host, own).suite("stable").component("main").architectures(["amd64"]).present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "signed",
        prepare: "cp ../InRelease repo/dists/stable/",
        task: "{ filename: NAME, update_cache: false, \
               repo: 'deb [signed-by=/srv/differential/apt_repository/key.gpg] file:HERE/repo stable main' }",
        run: |host, own| {
            let repository = host.apt_repository(&own.name()).uri(format!("file:{}", own.path("repo")));
            let repository = repository.signed_by("/srv/differential/apt_repository/key.gpg");
            Ok(repository.suite("stable").component("main").present()?)
        },
        ..Input::DEFAULT
    },
    Input {
        name: "with_blanks_and_a_comment",
        task: "{ filename: NAME, update_cache: false, \
               repo: 'deb   [trusted=yes]  file:HERE/repo  stable  main # ours' }",
        run: |host, own| Ok(trusted(host, own).suite("stable").component("main").present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "there_in_a_list",
        prepare: r#"echo "deb [trusted=yes] file:$HERE/repo stable main" >"/etc/apt/sources.list.d/$NAME.list""#,
        task: "{ filename: NAME, update_cache: false, repo: 'deb [trusted=yes] file:HERE/repo stable main' }",
        run: |host, own| Ok(trusted(host, own).suite("stable").component("main").present()?),
        differs: Some(IN_A_LIST),
        ..Input::DEFAULT
    },
    Input {
        name: "there_in_another_list",
        prepare: r#"echo "deb [trusted=yes] file:$HERE/repo stable main" >"/etc/apt/sources.list.d/$NAME-other.list""#,
        task: "{ filename: NAME, update_cache: false, repo: 'deb [trusted=yes] file:HERE/repo stable main' }",
        run: |host, own| Ok(trusted(host, own).suite("stable").component("main").present()?),
        differs: Some(IN_A_LIST),
        ..Input::DEFAULT
    },
    Input {
        name: "there_as_a_comment",
        prepare: r#"echo '#' "deb [trusted=yes] file:$HERE/repo stable main" >"/etc/apt/sources.list.d/$NAME.list""#,
        task: "{ filename: NAME, update_cache: false, repo: 'deb [trusted=yes] file:HERE/repo stable main' }",
        run: |host, own| Ok(trusted(host, own).suite("stable").component("main").present()?),
        ..Input::DEFAULT
    },
    Input {
        name: "another_suite",
        prepare: r#"printf 'Types: deb\nURIs: file:%s/repo\nSuites: stable\nComponents: main\nTrusted: yes\n' "$HERE" \
            >"/etc/apt/sources.list.d/$NAME.sources""#,
        task: "{ filename: NAME, update_cache: false, repo: 'deb [trusted=yes] file:HERE/repo testing main' }",
        run: |host, own| Ok(trusted(host, own).suite("testing").component("main").present()?),
        differs: Some(OLD_STAYS),
        ..Input::DEFAULT
    },
    Input {
        name: "not_trusted",
        task: "{ filename: NAME, update_cache: false, repo: 'deb file:HERE/repo stable main' }",
        run: |host, own| {
            let repository = host.apt_repository(&own.name()).uri(format!("file:{}", own.path("repo")));
            Ok(repository.suite("stable").component("main").present()?)
        },
        differs: Some(REFUSED),
        ..Input::DEFAULT
    },
    Input {
        name: "without_a_component",
        task: "{ filename: NAME, update_cache: false, repo: 'deb [trusted=yes] file:HERE/repo stable' }",
        run: |host, own| Ok(trusted(host, own).suite("stable").present()?),
        differs: Some(REFUSED),
        ..Input::DEFAULT
    },
    Input {
        name: "without_a_scheme",
        task: "{ filename: NAME, update_cache: false, repo: 'deb [trusted=yes] HERE/repo stable main' }",
        run: |host, own| {
            let repository = host.apt_repository(&own.name()).uri(own.path("repo")).trusted();
            Ok(repository.suite("stable").component("main").present()?)
        },
        differs: Some(REFUSED),
        ..Input::DEFAULT
    },
    Input {
        name: "of_no_type",
        task: "{ filename: NAME, update_cache: false, repo: 'rpm file:HERE/repo' }",
        run: |host, own| Ok(trusted(host, own).present()?),
        ..Input::DEFAULT
    },
    // Each takes its own form away, and the other stays.
    Input {
        name: "absent",
        prepare: r#"echo "deb [trusted=yes] file:$HERE/repo stable main" >"/etc/apt/sources.list.d/$NAME.list"
            printf 'Types: deb\nURIs: file:%s/repo\nSuites: stable\nComponents: main\nTrusted: yes\n' "$HERE" \
            >"/etc/apt/sources.list.d/$NAME.sources""#,
        task: "{ filename: NAME, update_cache: false, state: absent, \
               repo: 'deb [trusted=yes] file:HERE/repo stable main' }",
        run: |host, own| Ok(host.apt_repository(&own.name()).absent()?),
        ..Input::DEFAULT
    },
    Input {
        name: "absent_nothing",
        task: "{ filename: NAME, update_cache: false, state: absent, \
               repo: 'deb [trusted=yes] file:HERE/repo stable main' }",
        run: |host, own| Ok(host.apt_repository(&own.name()).absent()?),
        ..Input::DEFAULT
    },
];

/// The repository of an input, which is trusted though nobody signed it.
fn trusted<'a>(host: &Host<'a>, own: &Own) -> AptRepository<Host<'a>> {
    host.apt_repository(&own.name()).uri(format!("file:{}", own.path("repo"))).trusted()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_mean_the_same() {
        let lines = "# of the shop\ndeb [trusted=yes  arch=amd64] file:/srv/a stable main contrib # ours\n\n";
        let stanza = "Types: deb\nURIs: file:/srv/a\nSuites: stable\nComponents: main contrib\nArchitectures: amd64\n\
                      Trusted: yes\n";
        assert_eq!(of_lines(lines), ["deb file:/srv/a stable main contrib [arch=amd64 trusted=yes]"]);
        assert_eq!(of_stanzas(stanza), of_lines(lines));
    }

    #[test]
    fn a_stanza_is_an_entry_for_each_suite() {
        let stanza = "Types: deb deb-src\nURIs: file:/srv/a\nSuites: stable testing\nComponents: main\n";
        let expect = [
            "deb file:/srv/a stable main []",
            "deb file:/srv/a testing main []",
            "deb-src file:/srv/a stable main []",
            "deb-src file:/srv/a testing main []",
        ];
        assert_eq!(of_stanzas(stanza), expect);
        assert_eq!(of_stanzas("\n"), [""; 0]);
        assert_eq!(of_lines("# deb file:/srv/a ./\n"), [""; 0]);
        assert_eq!(of_lines("deb file:/srv/a ./\n"), ["deb file:/srv/a ./ []"]);
    }
}
