//! The reader of DDL text: from a statement of the log to what it does to tables.
//!
//! Sequence: [`token`] cuts the text up as MySQL's lexer does, [`read()`] classifies it, `alter` and `column`
//! read the parts that change a definition, and [`apply`] makes the new [`Table`](super::Table) of it.
//! Of clauses that say nothing of columns and keys only the [`Clause`] is kept; what it does to rows stands in [`effect`].
//!
//! What must never happen here: a statement that is not understood being taken for another. Whatever is
//! not on a list is [`Statement::Unknown`].

mod alter;
pub mod apply;
mod clause;
mod code;
mod column;
mod create;
mod cursor;
mod data_type;
mod dml;
pub mod effect;
mod keys;
mod option;
mod partition;
mod read;
mod references;
mod statement;
pub mod token;

#[cfg(test)]
mod tests;

pub use apply::{Evolved, evolve};
pub use clause::Clause;
pub use code::{Beginning, CodeChange, beginning, code_change};
pub use read::read;
pub use statement::{
    AlterStep, AlterTable, ColumnDefinition, DeclaredDefault, DmlKind, InlineKey, Name, Statement,
};
pub use token::SqlMode;
