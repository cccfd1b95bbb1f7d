//! Hosts whose init is not the image's own.

use wb_operations::Init;
use wb_xtask::sandbox::{self, Host};

/// Turns a host into one with this init, and boots it so. What it installs is in [`packages`].
///
/// # Panics
/// When that fails.
pub fn change(host: &Host, init: Init) {
    host.change_init(of(init)).expect("another init");
}

/// The packages that an init comes in.
#[must_use]
pub fn packages(init: Init) -> &'static [&'static str] {
    of(init).packages()
}

/// Whether this machine can have hosts with it.
#[must_use]
pub fn can_be_had(init: Init) -> bool {
    of(init).can_be_had()
}

/// The same, as sandboxes know it: cases run on hosts, where there are no sandboxes.
fn of(init: Init) -> sandbox::Init {
    match init {
        Init::Sysv => sandbox::Init::Sysv,
        Init::Systemd => sandbox::Init::Systemd,
        Init::OpenRc => sandbox::Init::OpenRc,
        Init::Runit => sandbox::Init::Runit,
    }
}
