//! Everything that talks to the target: connections, catalog, batches, compaction, apply, DDL, checkpoints.
//!
//! What must never happen here: rows committed without their checkpoint, a checkpoint without its rows.

pub mod apply;
pub mod batch;
pub mod catalog;
pub mod compact;
pub mod ddl;
pub mod dialect;
pub mod error;
pub mod facts;
pub mod held_up;
pub mod owner;
mod pooler;
pub mod room;
pub mod session;
pub mod shadow;
mod sqlstate;
pub mod store;
mod tls;
pub mod upkeep;

pub use apply::{Applier, ApplyError, Drift, Existing, Mode, Outcome, Strategy, Way};
pub use compact::{Compacted, Compactor};
pub use dialect::Dialect;
pub use error::{SinkError, SinkErrorKind};
pub use owner::Owner;
pub use session::Session;
pub use store::Store;
