//! What the source's tables are: column types, versioned definitions, the binding of table maps to them,
//! and the reader of DDL text. Pure; imports only `change`.
//!
//! What must never happen here: a statement or a table map that is not understood being taken for harmless.

pub mod binding;
pub mod charset;
pub mod collation;
pub mod column;
pub mod column_type;
pub mod ddl;
pub mod error;
pub mod table;

pub use binding::{BoundColumn, BoundTable, ValueEnd, bind};
pub use column::{Charset, MySqlType};
pub use error::SchemaError;
pub use table::{Column, ColumnDefault, ForeignKey, Generation, HiddenColumns, KeyAction, Limits, Table};
