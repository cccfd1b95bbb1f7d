//! What `herd.toml` says of each host, in `[hosts.NAME.settings]`. It is checked before a deploy, so that migrations can count
//! on it.

use wb_stdlib::prelude::*;

/// `[hosts.NAME.settings.network]`: who the host is to others. Its address stands beside it, as `address`.
#[settings(role = "server")]
pub(crate) struct NetworkSettings {
    /// Its full name, with its domain.
    pub(crate) hostname: String,
}
