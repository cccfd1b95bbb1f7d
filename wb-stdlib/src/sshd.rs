//! sshd, as far as firewalls ask: where it listens.

use std::path::PathBuf;

use wb_core::system::System;
use wb_core::system::files::{self, FileError};

const DEFAULT_PORT: u16 = 22;

/// The ports of sshd, as its configuration says them; 22 if it does not, and none where there is no sshd.
pub(crate) fn ports(system: &System) -> Result<Vec<u16>, FileError> {
    let Some(main) = system.read_file("/etc/ssh/sshd_config")? else { return Ok(Vec::new()) };
    let mut text = String::from_utf8_lossy(&main).into_owned();
    for path in more_files(system) {
        let bytes = files::read_optional(path)?.unwrap_or_default();
        text.push('\n');
        text.push_str(&String::from_utf8_lossy(&bytes));
    }
    let ports: Vec<u16> = text.lines().filter_map(port).collect();
    Ok(if ports.is_empty() { vec![DEFAULT_PORT] } else { ports })
}

/// The number of a line `Port 2222`.
fn port(line: &str) -> Option<u16> {
    let mut words = line.split([' ', '\t', '=']).filter(|word| !word.is_empty());
    let is_port = words.next().is_some_and(|word| word.eq_ignore_ascii_case("port"));
    words.next().filter(|_| is_port)?.parse().ok()
}

fn more_files(system: &System) -> Vec<PathBuf> {
    let paths = files::list(system.path("/etc/ssh/sshd_config.d")).unwrap_or_default();
    paths.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "conf")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::Access as _;
    use crate::machine::Machine;

    #[test]
    fn ports_are_those_that_are_said() {
        let check = |machine: &Machine, expect: &[u16]| {
            let found = machine.view(|host| Ok(ports(host.context().system())?)).unwrap();
            assert_eq!(found, expect);
        };
        check(&Machine::new(), &[]);
        let machine = Machine::new().file("/etc/ssh/sshd_config", "#Port 23\nPermitRootLogin no\n");
        check(&machine, &[22]);
        let machine =
            machine.file("/etc/ssh/sshd_config.d/a.conf", "port=2222\n").file("/etc/ssh/sshd_config.d/b", "Port 9");
        check(&machine, &[2222]);
    }
}
