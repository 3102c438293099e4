//! Reading tables in chunks of their key.
//!
//! What flows: a table's key becomes a [`chunk::ChunkKey`]; it renders the query that finds the next upper bound and the
//! query that reads the rows between two bounds, which a [`ChunkReader`] runs. Bounds are SQL literals, durable in the
//! target's chunk records.
//!
//! What must never happen here: two chunks that share a row, or a row between two chunks; a bound that reads back as
//! another key than the one it was taken from.

pub mod chunk;
pub mod key;
pub mod lookup;
pub mod predicate;
pub mod reader;

pub use chunk::ChunkKey;
pub use reader::ChunkReader;

use super::{SameServer, SourceError, pins, wire::Wire};

/// Opens a connection for [`ChunkReader`]s: pinned, and sending text as it is stored.
///
/// # Errors
/// As [`Wire::connect`]; `SourceErrorKind::AnotherServer`.
pub async fn connect(to: impl Into<SameServer>) -> Result<Wire, SourceError> {
    let (mut wire, _) = to.into().connect().await?;
    wire.execute(pins::TEXT_AS_STORED).await?;
    Ok(wire)
}
