//! All that a migration needs: `use wb_stdlib::prelude::*;`

pub use std::time::Duration;

pub use anyhow::{Context as _, Result, bail, ensure};

pub use crate::wait::{all, any, count};
pub use crate::{
    Host, Look, Outcome, Role, View, asset, assets, baseline, chain, migration, require, reusable, role, runner,
    settings, spec, template,
};
