//! Everything that talks to the target: connections, catalog, batches, compaction, apply, DDL, checkpoints.
//!
//! What must never happen here: rows committed without their checkpoint, a checkpoint without its rows.

pub mod error;

pub use error::SinkError;
