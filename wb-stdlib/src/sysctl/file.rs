//! The text of a file of `/etc/sysctl.d`. Comments and other settings stay.

use super::key::{Key, normal};
use crate::text_file::end_line;

/// The value that a file gives to a key: the last one holds.
pub(super) fn value(text: &str, key: &Key) -> Option<String> {
    text.lines().filter_map(|line| of_key(line, key)).next_back()
}

/// The text that gives this value to a key, in one line, or that says nothing of it.
pub(super) fn with_value(text: &str, name: &str, key: &Key, wanted: Option<&str>) -> String {
    let mut wanted = wanted.map(|value| format!("{name} = {value}").trim_end().to_owned() + "\n");
    let mut new = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        match of_key(line, key) {
            None => new.push_str(line),
            Some(_) => new.push_str(&wanted.take().unwrap_or_default()),
        }
    }
    if let Some(line) = wanted {
        end_line(&mut new);
        new.push_str(&line);
    }
    new
}

/// Reads `key = value`, where a `-` before the key says that nobody minds if there is no such key.
fn of_key(line: &str, key: &Key) -> Option<String> {
    let line = line.trim();
    if line.starts_with(['#', ';']) {
        return None;
    }
    let (name, value) = line.split_once('=')?;
    let name = name.trim();
    let found = Key::parse(name.strip_prefix('-').unwrap_or(name).trim())?;
    (found == *key).then(|| normal(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# ours\nvm.swappiness=10\n; old\n-net/ipv4/ip_forward =  1\nnet.ipv4.tcp_rmem = 4096 1 2\n";

    fn key(text: &str) -> Key {
        Key::parse(text).unwrap()
    }

    #[test]
    fn values_are_found_however_they_are_written() {
        let check = |name: &str, expect: Option<&str>| assert_eq!(value(TEXT, &key(name)).as_deref(), expect);
        check("vm.swappiness", Some("10"));
        check("net.ipv4.ip_forward", Some("1"));
        check("net.ipv4.tcp_rmem", Some("4096 1 2"));
        check("vm.swap", None);
        assert_eq!(value("vm.a = 1\nvm.a = 2\n", &key("vm.a")).as_deref(), Some("2"));
        assert_eq!(value("kernel.core_pattern =\n", &key("kernel.core_pattern")).as_deref(), Some(""));
    }

    #[test]
    fn a_line_is_replaced_added_and_removed_and_the_rest_stays() {
        let set = |text: &str, name: &str, wanted: Option<&str>| with_value(text, name, &key(name), wanted);
        let expect = TEXT.replace("vm.swappiness=10", "vm.swappiness = 20");
        assert_eq!(set(TEXT, "vm.swappiness", Some("20")), expect);
        assert_eq!(set(TEXT, "vm.a", Some("1")), format!("{TEXT}vm.a = 1\n"));
        assert_eq!(set("vm.a = 1\nvm.a = 2", "vm.a", Some("3")), "vm.a = 3\n");
        assert_eq!(set(TEXT, "vm.swappiness", None), TEXT.replace("vm.swappiness=10\n", ""));
        assert_eq!(set("", "vm.a", Some("")), "vm.a =\n");
    }
}
