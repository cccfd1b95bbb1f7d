//! The processes of a user, as /proc shows them.

use wb_core::system::{System, files};

/// A process of the user with that number, for messages: `process 123 (sleep)`.
pub(super) fn one_of(system: &System, uid: u32) -> Option<String> {
    let processes = files::list(system.path("/proc")).unwrap_or_default();
    let numbers = processes.iter().filter_map(|path| path.file_name()?.to_str()?.parse::<u32>().ok());
    numbers.into_iter().find_map(|pid| {
        // One that ends meanwhile is none of them.
        let status = system.read_file(format!("/proc/{pid}/status")).ok()??;
        let status = String::from_utf8_lossy(&status).into_owned();
        (owner(&status) == Some(uid)).then(|| format!("process {pid} ({})", field(&status, "Name:").unwrap_or("?")))
    })
}

/// The real uid, the first of four.
fn owner(status: &str) -> Option<u32> {
    field(status, "Uid:")?.split_whitespace().next()?.parse().ok()
}

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::Access as _;
    use crate::machine::Machine;

    const STATUS: &str = "Name:\tsleep\nUmask:\t0022\nState:\tS (sleeping)\nUid:\t2001\t0\t0\t0\nGid:\t2001\t0\t0\t0\n";

    #[test]
    fn a_process_says_whose_it_is() {
        let machine = Machine::new().file("/proc/12/status", STATUS).file("/proc/self/status", STATUS).dir("/proc/13");
        let one_of = |uid: u32| machine.view(move |host| Ok(one_of(host.context().system(), uid))).unwrap();
        assert_eq!(one_of(2001).as_deref(), Some("process 12 (sleep)"));
        assert_eq!(one_of(0), None);
        assert_eq!(owner("Uid:\tmany\n"), None);
    }
}
