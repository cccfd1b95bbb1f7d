//! What a role does at the two ends of a leg.

use anyhow::Result;

use crate::{Host, View};

/// How the hosts of a role leave the load and come back to it, and whether one more of them may. All default to nothing: a
/// role without load, which is always well.
///
/// `leave` and `rejoin` must bear being called twice: after a crash they are called again.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// /// Serves HTTP behind HAProxy.
/// pub struct Web;
///
/// impl Role for Web {
///     /// The shop must answer through its balancer, and nobody be called out of bed, before one more host leaves.
///     fn gate(host: &View) -> Result<()> {
///         host.http("http://192.0.2.10/health").answers(200)?;
///         host.alerts("http://prometheus.example.org:9090").labelled("severity", "page").none_firing()?;
///         Ok(())
///     }
///
///     fn leave(host: &Host) -> Result<()> {
///         for balancer in host.balancers("load_balancer")? {
///             balancer.drain("web", host.name())?;
///         }
///         Ok(())
///     }
///
///     fn rejoin(host: &Host) -> Result<()> {
///         for balancer in host.balancers("load_balancer")? {
///             balancer.ready("web", host.name())?;
///         }
///         Ok(())
///     }
/// }
/// ```
pub trait Role {
    /// Says whether the role as a whole is well enough for one more host to leave it. It is asked right before a host claims
    /// its place, before each leg, and only looks: at the role's other hosts, at a balancer
    /// ([`http`](crate::Look::http)), at what an alerting system says ([`alerts`](crate::Look::alerts)). A host that is out
    /// already, and one that was never in service, are not asked: what they do mends the role, or does not touch it.
    ///
    /// # Errors
    /// When it is not, and why; the host waits in load, and asks again at its next poll.
    fn gate(host: &View) -> Result<()> {
        let _ = host;
        Ok(())
    }

    /// Takes the host out of load, and comes back when no work is left on it.
    ///
    /// # Errors
    /// When it can't leave; the host keeps its claim, runs nothing, and is asked again at each poll.
    fn leave(host: &Host) -> Result<()> {
        let _ = host;
        Ok(())
    }

    /// Puts the host back into load, after its specs passed, and comes back when it gets work again.
    ///
    /// # Errors
    /// When it can't; it is called again at each poll, and the host keeps its claim until then.
    fn rejoin(host: &Host) -> Result<()> {
        let _ = host;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;
    use wb_core::context::Mode;

    use super::*;
    use crate::Look as _;
    use crate::machine::{Machine, serve};

    /// Whose gate asks a balancer and a Prometheus, where files say.
    struct Web;

    impl Role for Web {
        fn gate(host: &View) -> Result<()> {
            let url = |path: &str| -> Result<String> {
                let said = host.file(path).read()?.context("no URL")?;
                Ok(String::from_utf8(said)?)
            };
            host.http(&url("/balancer")?).answers(200)?;
            host.alerts(&url("/prometheus")?).labelled("severity", "page").none_firing()?;
            Ok(())
        }
    }

    struct Plain;

    impl Role for Plain {}

    fn check(balancer: &'static str, prometheus: &'static str, expect: Result<(), &str>) {
        let at = |answer: &'static str| format!("http://{}", serve(move |_: &str| format!("HTTP/1.0 {answer}")));
        let machine = Machine::new().file("/balancer", &at(balancer)).file("/prometheus", &at(prometheus));
        let asked = machine.with(Mode::Apply, crate::__private::gate::<Web>).map_err(|error| format!("{error:#}"));
        match expect {
            Ok(()) => assert_eq!(asked, Ok(())),
            Err(why) => assert!(asked.as_ref().is_err_and(|error| error.contains(why)), "{asked:?}"),
        }
    }

    #[test]
    fn a_role_s_gate_asks_over_http_and_for_alerts() {
        const WELL: &str = "200 OK\r\n\r\n";
        const NONE: &str = "200 OK\r\n\r\n{\"status\":\"success\",\"data\":{\"alerts\":[]}}";
        const FIRING: &str = concat!("200 OK\r\n\r\n", include_str!("alerts/captured.json"));
        check(WELL, NONE, Ok(()));
        check("502 Bad Gateway\r\n\r\nno server", NONE, Err("to answer 200, found 502 with `no server`"));
        check(WELL, FIRING, Err("an alert fires: `HighLatency` ("));
        check(WELL, "503 Service Unavailable\r\n\r\nstarting", Err("answered 503 with `starting`"));
    }

    #[test]
    fn a_role_without_a_gate_is_always_well() {
        Machine::new().with(Mode::Apply, crate::__private::gate::<Plain>).unwrap();
    }
}
