//! Telling the herd what to do.

pub mod difference;
pub mod plan;
