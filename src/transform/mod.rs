//! From MySQL's bytes to the target's: names and routing, type mapping, fused decode+encode plans, DDL
//! translation. Pure and synchronous; imports `change` and `schema` only.
//!
//! What must never happen here: a value changed without a policy that says so, or an allocation per value.

pub mod charset;
mod encode;
pub mod error;
mod json;
pub mod mapping;
pub mod plan;

pub use charset::{Support, charset_support};
pub use error::TransformError;
pub use mapping::{ColumnMapping, TableMapping};
pub use plan::{Plan, Policies};
