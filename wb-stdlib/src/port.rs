//! TCP ports of the host.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Result;
use wb_core::system::{clock, files};

use crate::Look;

/// How long a port may take to be listened on: a service that was just started may still be on its way.
const BOUND: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(100);
const TABLES: [&str; 2] = ["/proc/net/tcp", "/proc/net/tcp6"];

/// A port. [`Look::port`] makes it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn the_shop_listens(host: &View) -> Result<()> {
///     host.port(8080).is_listening()?;
///     host.port(8081).is_free()
/// }
/// # wb_stdlib::testing::web1().asks(the_shop_listens);
/// ```
#[must_use]
pub struct Port<A> {
    access: A,
    number: u16,
}

impl<A: Look> Port<A> {
    pub(crate) fn new(access: A, number: u16) -> Self {
        Self { access, number }
    }

    /// Checks that somebody listens on it, on whatever address of the host. Waits for that for up to 10 seconds.
    ///
    /// # Errors
    /// When nobody does, with the ports on which somebody does.
    pub fn is_listening(&self) -> Result<()> {
        let Some(found) = self.unless(|ports| ports.contains(&self.number))? else { return Ok(()) };
        let (number, found) = (self.number, listed(&found));
        anyhow::bail!("expected somebody to listen on port {number}, found listeners on {found}")
    }

    /// Checks that nobody listens on it, on whatever address of the host. Waits for that for up to 10 seconds.
    ///
    /// # Errors
    /// When somebody does.
    pub fn is_free(&self) -> Result<()> {
        let found = self.unless(|ports| !ports.contains(&self.number))?;
        anyhow::ensure!(found.is_none(), "expected nobody to listen on port {}, found somebody", self.number);
        Ok(())
    }

    /// The ports that somebody listens on, unless that `is_so` of them within the bound.
    fn unless(&self, is_so: impl Fn(&BTreeSet<u16>) -> bool) -> Result<Option<BTreeSet<u16>>, files::FileError> {
        let clock = self.access.context().system().clock();
        let mut found = Ok(BTreeSet::new());
        let seen = clock::wait_until(clock, BOUND, PAUSE, || {
            found = self.listening();
            found.as_ref().map_or(Some(()), |ports| is_so(ports).then_some(()))
        });
        found.map(|ports| seen.is_none().then_some(ports))
    }

    /// All ports that somebody listens on.
    pub(crate) fn listening(&self) -> Result<BTreeSet<u16>, files::FileError> {
        let mut ports = BTreeSet::new();
        for table in TABLES {
            let text = self.access.context().system().read_file(table)?.unwrap_or_default();
            ports.extend(parse_listening(&String::from_utf8_lossy(&text)));
        }
        Ok(ports)
    }
}

/// Reads proc_pid_net(5): the second field is `address:port` in hex digits, the fourth the state, 0A for listening.
fn parse_listening(text: &str) -> impl Iterator<Item = u16> {
    text.lines().skip(1).filter_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let (local, state) = (fields.next()?, fields.nth(1)?);
        let (_, port) = local.rsplit_once(':')?;
        (state == "0A").then(|| u16::from_str_radix(port, 16).ok()).flatten()
    })
}

pub(crate) fn listed(ports: &BTreeSet<u16>) -> String {
    match ports.is_empty() {
        true => "no port".to_owned(),
        false => ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Machine;

    const TCP: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
         0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11 1 0 100 0 0 10 0\n   \
         1: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   104        0 12 1 0 100 0 0 10 0\n   \
         2: 0100007F:0050 0100007F:D2A6 01 00000000:00000000 00:00000000 00000000     0        0 13 1 0 20 4 30 10 -1\n";
    const TCP6: &str = "  sl  local_address                         remote_address                        st\n   \
         0: 00000000000000000000000000000000:01BB 00000000000000000000000000000000:0000 0A 00000000:00000000 00:0\n";

    #[test]
    fn listeners_are_read_from_the_kernels_tables() {
        assert_eq!(parse_listening(TCP).collect::<Vec<_>>(), [22, 5432]);
        assert_eq!(parse_listening(TCP6).collect::<Vec<_>>(), [443]);
        assert_eq!(parse_listening("").count(), 0);
    }

    #[test]
    fn a_spec_says_who_listens() {
        let machine = Machine::new().file("/proc/net/tcp", TCP).file("/proc/net/tcp6", TCP6);
        machine.view(|host| host.port(5432).is_listening()).unwrap();
        machine.view(|host| host.port(443).is_listening()).unwrap();
        let error = machine.view(|host| host.port(80).is_listening()).unwrap_err();
        let expect = "expected somebody to listen on port 80, found listeners on 22, 443, 5432";
        assert_eq!(error.to_string(), expect);
        machine.view(|host| host.port(80).is_free()).unwrap();
        let error = machine.view(|host| host.port(443).is_free()).unwrap_err();
        assert_eq!(error.to_string(), "expected nobody to listen on port 443, found somebody");
    }
}
