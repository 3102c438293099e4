//! rowferry copies MySQL tables into AnalyticDB for PostgreSQL, Greenplum or PostgreSQL and then keeps
//! them equal by following the binlog.
//!
//! ```text
//!     information_schema ───► schema: versioned table definitions, DDL reader, table-map binding
//!                                 │ compiled into one plan per table version
//!  MySQL ─► source::snapshot ─ ResultRows (bytes) ─┐ ▼
//!       └─► source::binlog ─── RowsEvent (bytes) ──┴► transform: MySQL bytes ─► EncodedRows (COPY binary)
//!                                                       │ channel bounded by bytes
//!                                                       ▼
//!                                sink: batch ─► compact ─► apply ─► one target transaction {rows, schema, checkpoint}
//! ```
//!
//! Invariants:
//! - Rows and the checkpoint that stands for them commit in one target transaction.
//! - An event, value or statement that is not understood stops its task; nothing is skipped because it is unknown.
//! - Memory held between source and target is counted in bytes and capped.
//! - Rooms import downwards only (`tests/layers.rs` has the list); `source` and `sink` never each other, `task` everything. Only `source` knows `mysql_*`, only `sink` `tokio_postgres`.

mod change;
mod cli;
mod config;
mod control;
mod precheck;
mod quote;
mod schema;
mod sink;
mod source;
mod status;
mod supervisor;
mod task;
#[doc(hidden)]
pub mod testing;
mod tls;
mod transform;

pub use cli::{Arguments, Exit, execute, report};
