//! Everything that talks to MySQL: connections, the binlog, snapshot reads, `information_schema`.
//!
//! What flows out: `change::Change` items, `change::ResultRows`, `schema::Table` definitions, facts.
//!
//! What must never happen here: a value looked at, an unknown event skipped, a session left at the server's defaults.

pub mod binlog;
pub mod catalog;
pub mod error;
pub mod pins;
pub mod same;
pub mod server;
pub mod snapshot;
pub mod tls;
pub mod version;
pub mod wire;

pub use error::{SourceError, SourceErrorKind};
pub use same::SameServer;
pub use server::Server;
pub use wire::Wire;
