//! From MySQL's bytes to the target's: names and routing, type mapping, fused decode+encode plans, DDL
//! translation. Pure and synchronous; imports `change` and `schema` only.
//!
//! What must never happen here: a value changed without a policy that says so, or an allocation per value.

pub mod cascade;
pub mod charset;
mod cursor;
pub mod ddl;
mod encode;
pub mod error;
#[doc(hidden)]
pub mod fuzzing;
mod json;
pub mod mapping;
pub mod names;
pub mod plan;
pub mod rules;
mod typemap;

pub use ddl::{Issued, Translated, translate};
pub(crate) use encode::stand_in::stands_for;
pub use error::TransformError;
pub use mapping::{ColumnMapping, TableMapping, deviation, map_table};
pub use plan::whole::{Images, Incomplete};
pub use plan::{Plan, Policies};
pub use rules::{Passing, Rules};
