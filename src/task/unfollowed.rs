//! A statement that is passed over for a table: how the rows after it are read, and where they go.
//!
//! The statement is not followed, so the definition after it is that of the source now, where the log has no other statement on the table
//! since then. The target table is as somebody has made it by hand, and must take the rows of that definition.
//!
//! What must never happen here: rows read under a definition that is not known to hold for them, or put into columns that are not theirs.

use super::TaskError;
use super::course::PassedOver;
use super::handoff::definitions_after;
use super::tables::{Carried, Tables};
use super::translate::Translate;
use crate::change::remedy::Remedy;
use crate::change::{Boundary, Doubt, DoubtfulEvent, Position, Retry, StatementEvent, TableName};
use crate::schema::Table;
use crate::schema::ddl::Statement;
use crate::sink::{Session, catalog};
use crate::transform::{Plan, TableMapping, Translated};

/// A definition, and how it is carried.
type Version = (Table, TableMapping);

/// What cannot be gone on after, or what was found out.
type Found<T> = Result<T, String>;

impl Translate {
    /// The version of a table after a statement that is passed over for it; `None` where that is the one before it. `translated` is what
    /// it would have come to, and `from` where the stream is before it.
    ///
    /// # Errors
    /// When that is not known, or the target table is not of that form; or when a server cannot be asked.
    pub(super) async fn unfollowed(
        &self,
        one: &Carried,
        statement: &Statement,
        event: &StatementEvent,
        translated: Result<Translated, TaskError>,
        from: &Position,
    ) -> Result<Option<Version>, TaskError> {
        let keeps_definition = matches!(
            statement,
            Statement::TruncateTable(_)
                | Statement::OptimizeTable(_)
                | Statement::RepairTable(_)
                | Statement::Dml { .. }
        );
        if keeps_definition && event.doubt.is_none() {
            return Ok(None);
        }
        let name = &one.table.name;
        let (kind, known) = match translated {
            Ok(translated) => ("change_values", Some((translated.table, translated.mapping))),
            Err(error) if error.retry() == Retry::AfterBackoff => return Err(error),
            Err(error) => (error.ddl().unwrap_or("unknown"), None),
        };
        let kind = event.doubt.as_ref().map_or(kind, |doubt| doubt.kind);
        // What is in doubt is how the statement reads.
        let after = match known.filter(|_| event.doubt.is_none()) {
            Some(known) => Ok(Some(known)),
            None => self.read_anew(one, &event.boundary, from).await?,
        };
        let after = match after {
            Ok(None) => return Ok(None),
            Ok(Some(after)) if after.0 == one.table && after.1 == one.mapping => return Ok(None),
            Ok(Some(after)) => self.fitted(after).await?,
            Err(why) => Err(why),
        };
        after.map(Some).map_err(|why| {
            let doubt = cannot_pass(name, kind, &why, &event.sql);
            self.refused(name, &doubt, event.gtid.as_ref(), &event.boundary.file)
        })
    }

    /// Sees to it that tables can go on as they are after a statement of which nobody knows what it did.
    ///
    /// # Errors
    /// As [`Translate::unfollowed`].
    pub(super) async fn goes_on_as_before(
        &self,
        tables: &Tables,
        event: &DoubtfulEvent,
        over: &PassedOver,
        from: &Position,
    ) -> Result<(), TaskError> {
        // That only changes rows; and so does whatever stands in a transaction.
        if event.doubt.kind == "statement_dml" || event.begun.as_ref() != Some(&event.position) {
            return Ok(());
        }
        let (gtid, file) = (event.gtid.clone(), event.position.clone());
        let boundary = Boundary { gtid, file, committed_micros: 0, xa: None };
        for index in tables.concerned(&event.affected) {
            let one = tables.get(index).ok_or_else(|| TaskError::missing("a table of the statement"))?;
            let name = &one.table.name;
            if !over.has(name) || tables.skips(index, event.gtid.as_ref(), &event.position) {
                continue;
            }
            if one.is_before_p1() && self.context().task().initial_data {
                return Err(TaskError::CopyAgain { table: name.clone(), why: event.doubt.statement.clone() });
            }
            let why = match self.read_anew(one, &boundary, from).await? {
                Ok(None) => continue,
                Ok(Some((mut table, _))) => {
                    // What is hidden is told by the rows themselves.
                    table.hidden = one.table.hidden;
                    if table == one.table {
                        continue;
                    }
                    "the source's table has another definition after it".to_owned()
                }
                Err(why) => why,
            };
            let doubt = cannot_pass(name, event.doubt.kind, &why, &event.doubt.statement);
            return Err(self.refused(name, &doubt, event.gtid.as_ref(), &event.position));
        }
        Ok(())
    }

    /// The version of a table right after a statement that ends there, by what the source says; `None` where it has no such table any more.
    async fn read_anew(
        &self,
        one: &Carried,
        end: &Boundary,
        from: &Position,
    ) -> Result<Found<Option<Version>>, TaskError> {
        let mut after = from.clone();
        after.advance(end);
        let read = definitions_after(self.context(), self.names(), after, &one.table.name).await?;
        let table = match read {
            Ok(Some(table)) => table,
            Ok(None) => return Ok(Ok(None)),
            Err(later) => {
                return Ok(Err(format!(
                    "a later statement concerns the table too ({later}), so its definition between the two is not known"
                )));
            }
        };
        if table == one.table {
            return Ok(Ok(Some((table, one.mapping.clone()))));
        }
        Ok(match self.context().map(&table) {
            Ok((mapping, _)) if mapping.target.name != one.mapping.target.name => {
                Err(format!("the config carries it to {} by now", mapping.target.name))
            }
            Ok((mapping, _)) => Ok(Some((table, mapping))),
            Err(error) => {
                Err(format!("its definition after it cannot be carried: {}", error.without_table()))
            }
        })
    }

    /// The version with the target table's columns as they are, where these take its rows.
    async fn fitted(&self, (table, mut mapping): Version) -> Result<Found<Version>, TaskError> {
        let context = self.context();
        let session = Session::connect(context.target(), &format!("rowferry/{}/shape", context.name)).await?;
        let target = mapping.target.name.clone();
        let Some(found) = catalog::shape(&session, &target).await? else {
            return Ok(Err(format!("there is no target table {target}")));
        };
        if found.table.primary_key != mapping.target.primary_key {
            return Ok(Err(format!(
                "the key of {target} is to be ({})",
                mapping.target.primary_key.join(", ")
            )));
        }
        for column in &mut mapping.target.columns {
            let is = found.table.columns.iter().find(|is| is.name == column.name);
            let Some(is) = is else {
                return Ok(Err(format!(
                    "{target} has no column {} of type {}",
                    column.name, column.data_type
                )));
            };
            *column = is.clone();
        }
        let compiled = Plan::compile(&table, &mapping, &mapping.target.columns, &context.policies());
        Ok(match compiled {
            Ok(_) => Ok((table, mapping)),
            Err(error) => Err(error.without_table()),
        })
    }
}

/// Why a table cannot go on after a statement that it is to pass over.
fn cannot_pass(table: &TableName, kind: &'static str, why: &str, statement: &str) -> Doubt {
    const SHOWN_CHARACTERS: usize = 200;
    Doubt {
        kind,
        why: format!(
            "it was to be passed over, and the rows of {table} after it could not be carried: {why}"
        ),
        statement: statement.chars().take(SHOWN_CHARACTERS).collect(),
        remedy: Remedy::Resync { table: table.clone() },
        also: Vec::new(),
    }
}
