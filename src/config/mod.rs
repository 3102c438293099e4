//! The user's TOML file: its types, how it is read, and every rule it must keep.
//!
//! `load` reads the text, `section` walks it key by key, `endpoints` (with `credentials`) and `task` say what each key means,
//! `render` prints what is in force.
//!
//! What must never happen here: an unknown key accepted, a key of a later version ignored, a secret printed.

mod credentials;
mod endpoints;
mod error;
mod identity;
mod load;
mod render;
mod section;
mod table;
mod task;
mod token;
pub mod types;
mod vacuum;
mod verify;

pub use error::ConfigError;
#[cfg(test)]
pub use load::parse;
pub use load::{load, load_without_secrets};
pub use render::render;
pub use types::*;
