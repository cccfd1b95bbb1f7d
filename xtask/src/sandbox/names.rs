//! Names of hosts for each other: lines in `/etc/hosts` between two marks. What else is in the file stays.

use std::net::Ipv4Addr;

use wb_core::system::Command;

use super::{Host, SandboxError};

const FILE: &str = "/etc/hosts";
const BEGIN: &str = "# The other hosts of the sandbox:";
const END: &str = "# End of the other hosts.";

/// Lets a host know all others of these by name. A file that says so already is not written.
pub(super) fn tell(host: &Host, hosts: &[&Host]) -> Result<(), SandboxError> {
    let others = hosts.iter().filter(|other| other.name() != host.name());
    let others: Vec<(&str, Ipv4Addr)> = others.map(|other| (other.name(), other.address())).collect();
    let before = host.read(Command::new("cat").arg(FILE))? + "\n";
    let after = with_names(&before, &others);
    if after != before {
        host.put(FILE, after, 0o644)?;
    }
    Ok(())
}

/// The text of `/etc/hosts` with these names, in place of those that were told before.
fn with_names(text: &str, names: &[(&str, Ipv4Addr)]) -> String {
    let (before, after) = match text.split_once(BEGIN) {
        Some((before, rest)) => (before, rest.split_once(END).map_or(rest, |(_, after)| after)),
        None => (text, ""),
    };
    let lines: String = names.iter().map(|(name, address)| format!("{address} {name}\n")).collect();
    format!("{before}{BEGIN}\n{lines}{END}\n{}", after.strip_prefix('\n').unwrap_or(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "127.0.0.1 localhost\n127.0.1.1 web1\n";

    fn db1(last: u8) -> [(&'static str, Ipv4Addr); 1] {
        [("db1", Ipv4Addr::new(10, 77, 0, last))]
    }

    #[test]
    fn others_stand_between_the_marks() {
        let text = with_names(OWN, &db1(20));
        assert_eq!(text, format!("{OWN}{BEGIN}\n10.77.0.20 db1\n{END}\n"));
        assert_eq!(with_names(&text, &db1(20)), text);
        assert_eq!(with_names(&text, &[]), format!("{OWN}{BEGIN}\n{END}\n"));
    }

    #[test]
    fn what_others_wrote_stays() {
        let text = with_names(OWN, &db1(20)) + "192.0.2.25 mail\n";
        assert_eq!(with_names(&text, &db1(21)), text.replace("10.77.0.20", "10.77.0.21"));
        let cut = text.replace(END, "");
        assert!(with_names(&cut, &db1(20)).contains("192.0.2.25 mail\n"));
    }
}
