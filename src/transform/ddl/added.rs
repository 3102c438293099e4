//! ADD COLUMN: the new column at the target, with what existing rows get.

use super::Case;
use super::alter::MappingDraft;
use super::fill::{Added, Unfilled, fill};
use crate::change::remedy::Remedy;
use crate::schema::ddl::{AlterStep, AlterTable, ColumnDefinition, Evolved};
use crate::schema::{Column, MySqlType};
use crate::transform::TransformError;
use crate::transform::mapping::target_column;

impl Case<'_> {
    pub(super) fn add_columns(
        &self,
        evolved: &Evolved,
        alter: &AlterTable,
        draft: &mut MappingDraft,
    ) -> Result<(), TransformError> {
        for (at, column) in evolved.table.columns.iter().enumerate() {
            let new = evolved.origin.get(at).is_some_and(Option::is_none);
            if !new || !self.rules.operations.alter_table || self.rules.excludes(&column.name) {
                continue;
            }
            let made = target_column(&self.before.name, column, false, self.rules)?;
            if draft.columns.iter().any(|other| other.name == made.name) {
                return Err(self.name_taken(&made.name));
            }
            let definition = definition_of(alter, &column.name);
            let definition = definition.ok_or_else(|| {
                self.stop(format!("column {} is nowhere declared", column.name), self.copy_again())
            })?;
            let timestamp = |column: &Column| matches!(column.data_type, MySqlType::Timestamp { .. });
            let added = Added {
                definition,
                column,
                target: &made,
                first_timestamp: evolved.table.columns.iter().position(timestamp) == Some(at),
                table_charset: &evolved.table.charset,
            };
            let filled = fill(&added, self.rules, self.issued).map_err(|unfilled| match unfilled {
                Unfilled::Asks(question) => TransformError::Asks(question),
                Unfilled::Why(why) => self.stop(
                    why,
                    Remedy::leave_out_column(&self.rules.options.exclude_columns, &column.name)
                        .or(self.copy_again()),
                ),
            })?;
            let feed = draft.feeds.get_mut(at).ok_or_else(|| self.internal("an added column"))?;
            *feed = Some(draft.columns.len());
            draft.added.push((draft.columns.len(), filled));
            draft.columns.push(made);
        }
        Ok(())
    }
}

/// The declaration of an added column.
fn definition_of<'a>(alter: &'a AlterTable, name: &str) -> Option<&'a ColumnDefinition> {
    alter.steps.iter().find_map(|step| match step {
        AlterStep::AddColumn { column, .. } if column.name == name => Some(column),
        _ => None,
    })
}
