//! What holds for the texts of this repository, and what these say of each other. Nothing of it is run.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod architecture;
mod cases;
mod examples;
