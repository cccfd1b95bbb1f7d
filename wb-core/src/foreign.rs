//! What a newer runner wrote and this one does not know. A manifest must be read all the same, or that newer runner could
//! never be taken over; and whoever writes the next one copies it as it was.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A word of a manifest that this runner does not know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "Value", into = "Value")]
pub struct Foreign(String);

impl From<Value> for Foreign {
    fn from(value: Value) -> Self {
        Self(value.to_string())
    }
}

impl From<Foreign> for Value {
    fn from(foreign: Foreign) -> Self {
        // It was a value when it was read.
        serde_json::from_str(&foreign.0).unwrap_or_default()
    }
}
