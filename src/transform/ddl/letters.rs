//! Letters of literals that the source cannot keep: it makes question marks of them, of labels without an error in any mode.
//!
//! A literal comes from the client's character set into that of `collation_connection`, and from there into the column's. What must
//! never happen here: a letter taken for kept in a set that is not known letter by letter.

use super::Case;
use crate::schema::MySqlType;
use crate::schema::collation;
use crate::schema::ddl::{AlterStep, AlterTable, DeclaredDefault, Evolved};
use crate::transform::TransformError;
use crate::transform::charset::has;

impl Case<'_> {
    /// Whether labels, and the defaults of new columns, are what the statement says.
    pub(super) fn keeps_letters(&self, alter: &AlterTable, evolved: &Evolved) -> Result<(), TransformError> {
        for step in &alter.steps {
            let (definition, default) = match step {
                AlterStep::AddColumn { column, .. }
                    if !self.rules.operations.alter_table || self.rules.excludes(&column.name) =>
                {
                    continue;
                }
                AlterStep::AddColumn { column, .. } => (column, &column.default),
                AlterStep::ChangeColumn { column, .. } => (column, &DeclaredDefault::None),
                _ => continue,
            };
            let name = &definition.name;
            let default = match default {
                DeclaredDefault::Text(text) | DeclaredDefault::Expression(text) => text.as_str(),
                _ => "",
            };
            if !self.connection_has(&definition.declared) || !self.connection_has(default) {
                return Err(self.stop(
                    format!(
                        "its session's collation_connection lacks some letters of the labels or the default of column {name}, or it \
                         is not certain that it has them"
                    ),
                    format!("{}; give such statements under SET NAMES utf8mb4", self.copy_again()),
                ));
            }
            let index = evolved.table.column_index(name);
            let made =
                index.and_then(|index| evolved.table.columns.get(index)).map(|column| &column.data_type);
            if let Some(MySqlType::Enum { labels, charset } | MySqlType::Set { labels, charset }) = made
                && let Some(label) = labels.iter().find(|label| !has(&charset.name, label))
            {
                return Err(self.stop(
                    format!(
                        "the character set {} of column {name} lacks letters of the label {label}, which are question marks then, or \
                         it is not certain that it has them",
                        charset.name
                    ),
                    self.copy_again(),
                ));
            }
        }
        Ok(())
    }

    /// Whether a text comes whole into the character set of the session's literals.
    fn connection_has(&self, text: &str) -> bool {
        let session = self.issued.session;
        let set = |collation: Option<u16>| collation.map_or(Some("utf8mb4"), collation::charset_of);
        let (client, connection) = (set(session.client_collation), set(session.connection_collation));
        // From and to bytes nothing is converted.
        text.is_ascii()
            || client != Some("binary") && connection.is_some_and(|set| set != "binary" && has(set, text))
    }
}
