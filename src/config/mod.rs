//! The user's TOML file: its types, how it is read, and every rule it must keep.
//!
//! What must never happen here: an unknown key accepted, a key of a later version ignored, a secret printed.

pub mod types;

pub use types::*;
