//! Letters of literals that the source cannot keep: it makes question marks of them, of labels without an error in any mode.
//!
//! A literal comes from the client's character set into that of `collation_connection`, and from there into the column's. What must
//! never happen here: a letter taken for kept in a set that is not known letter by letter.

use super::Case;
use crate::change::remedy::AtSource;
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
            let index = evolved.table.column_index(name);
            let made =
                index.and_then(|index| evolved.table.columns.get(index)).map(|column| &column.data_type);
            // A client that sends bytes (SET NAMES binary) sends those of UTF-8, which such a column takes as they are.
            let as_bytes = self.sets() == (Some("binary"), Some("binary")) && made.is_some_and(is_utf8);
            if !self.connection_has(&definition.declared) || !(as_bytes || self.connection_has(default)) {
                return Err(self.stop(
                    format!(
                        "its session's collation_connection lacks some letters of the labels or the default of column {name}, or it \
                         is not certain that it has them"
                    ),
                    self.copy_again().also(AtSource::StateUnderUtf8),
                ));
            }
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
        let (client, connection) = self.sets();
        let sets = client.zip(connection).filter(|sets| sets.0 != "binary" && sets.1 != "binary");
        // What came in the client's set is in it. From and to bytes nothing is converted.
        text.is_ascii()
            || sets.is_some_and(|(client, connection)| client == connection || has(connection, text))
    }

    /// The character sets of the client and of the session's literals.
    fn sets(&self) -> (Option<&'static str>, Option<&'static str>) {
        let session = self.issued.session;
        let set = |collation: Option<u16>| collation.map_or(Some("utf8mb4"), collation::charset_of);
        (set(session.client_collation), set(session.connection_collation))
    }
}

fn is_utf8(data_type: &MySqlType) -> bool {
    match data_type {
        MySqlType::Char { charset, .. }
        | MySqlType::VarChar { charset, .. }
        | MySqlType::Text { charset, .. } => charset.name.starts_with("utf8"),
        _ => false,
    }
}
