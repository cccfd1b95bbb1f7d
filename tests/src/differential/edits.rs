//! Edits, on the same two hosts: on one of them Ansible's modules change the files of a table, on the other one edits do.
//! The table says of each file what both leave of it.

use std::collections::BTreeMap;

use serde_json::Value;
use wb_core::system::Command;
use wb_operations::differential::edits::{Row, table};
use wb_operations::differential::{Said, TOP};

use super::{Site, Worker, both};

/// The modules that `ansible-core` has. `ini_file` is of a collection, which is not on the hosts: what it does is known
/// from the table alone.
const ON_THE_HOST: [&str; 3] = ["lineinfile", "blockinfile", "replace"];

/// Of what Ansible of the hosts, which is older than the one of the table, leaves something else: by name, and what.
const OLDER: &[(&str, Option<&str>)] = &[];

/// The texts of all files, by the name of their row.
type Texts = BTreeMap<String, Option<String>>;

/// What is wrong about the files of the table.
pub(super) fn complaints(sites: &[Site; 2]) -> Vec<String> {
    let table = table().expect("a table of edits");
    let [(here, again), (ansible, _)] = both(sites.each_ref(), |site| edited(site, &table));
    let restless = again.iter().filter(|(_, said)| said.changed);
    let restless = restless.map(|(name, _)| format!("edits::{name}: the second time changes something, too"));
    table.iter().flat_map(|row| complaints_about(row, &here, &ansible)).chain(restless).collect()
}

fn complaints_about(row: &Row, here: &Texts, ansible: &Texts) -> Vec<String> {
    let older = OLDER.iter().find(|(name, _)| *name == row.name).map(|(_, text)| *text);
    let expected = [("here", here, row.expected()), ("Ansible", ansible, older.unwrap_or(row.after.as_deref()))];
    let expected = expected.into_iter().filter(|(who, ..)| *who == "here" || is_on_the_host(row));
    let wrong = expected.filter_map(|(who, texts, expect)| {
        let found = texts.get(&row.name).and_then(Option::as_deref);
        let said = || format!("edits::{}: {who} left {found:?}, and {expect:?} was expected", row.name);
        (found != expect).then(said)
    });
    wrong.collect()
}

/// What stands in the files once who works on the host is done with them; and what edits, which are run twice, said the
/// second time.
fn edited(site: &Site, table: &[Row]) -> (Texts, BTreeMap<String, Said>) {
    drop(site.ask::<Value>("prepare", "edits"));
    let again = match site.worker {
        Worker::Here => {
            drop(site.ask::<Value>("run", "edits"));
            site.ask("run", "edits")
        }
        Worker::Ansible => {
            play(site, table);
            BTreeMap::new()
        }
    };
    (site.ask("look", "edits"), again)
}

fn play(site: &Site, table: &[Row]) {
    let path = format!("{TOP}/edits.yml");
    site.host.put(&path, playbook(table), 0o644).expect("a playbook");
    let play = Command::new("ansible-playbook").args(["-i", "localhost,", &path]);
    site.host.read(super::quiet(play)).expect("a playbook that runs to its end");
}

fn is_on_the_host(row: &Row) -> bool {
    ON_THE_HOST.contains(&row.module.as_str())
}

/// A playbook with a task for each row, none of which keeps the others from being tried.
fn playbook(table: &[Row]) -> String {
    let tasks: String = table.iter().filter(|row| is_on_the_host(row)).map(task).collect();
    format!("{}{tasks}", super::playbook::HEAD)
}

/// JSON is YAML, too.
fn task(row: &Row) -> String {
    let mut arguments = row.args.clone();
    arguments.insert("path".into(), row.path().into());
    let (name, module, arguments) = (&row.name, &row.module, Value::Object(arguments));
    format!("  - name: {name}\n    ansible.builtin.{module}: {arguments}\n    ignore_errors: true\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_of_a_module_of_the_host_is_a_task() {
        let table = table().expect("a table");
        let text = playbook(&table);
        let tasks = text.matches("\n    ansible.builtin.").count();
        assert_eq!(tasks, table.iter().filter(|row| row.module != "ini_file").count());
        let line = "  - name: line_empty\n    ansible.builtin.lineinfile: {\"line\":\"\",\"path\":\
                    \"/srv/differential/edits/line_empty\"}\n    ignore_errors: true\n";
        assert!(text.contains(line), "{text}");
    }

    #[test]
    fn what_was_left_is_what_the_table_says() {
        let table = table().expect("a table");
        let row = table.iter().find(|row| row.name == "line_there_without_last_end").expect("a row");
        let left = |text: &str| Texts::from([(row.name.clone(), Some(text.to_owned()))]);
        assert_eq!(complaints_about(row, &left("a\nb"), &left("a\nb\n")), [""; 0]);
        let expect = r#"Ansible left Some("a\nb"), and Some("a\nb\n") was expected"#;
        let expect = format!("edits::line_there_without_last_end: {expect}");
        assert_eq!(complaints_about(row, &left("a\nb"), &left("a\nb")), [expect]);
    }
}
