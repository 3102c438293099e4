//! Reads a task's records: by its owner before it works, and by `status` and `check` without writing anything.

use super::form::{self, Form, FormError};
use super::{
    AllVerified, Counts, Names, Skip, Store, cause, counts, layout, quarantine, skips, tables, unreadable,
    verified,
};
use crate::change::remedy::{Remedy, Upgrade};
use crate::change::state::{Checkpoint, ChunkRecord, TableState};
use crate::change::status::Cause;
use crate::change::{Position, TableName, TargetName};
use crate::schema::Table;
use crate::sink::{Session, SinkError};
use futures_util::future::try_join_all;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::time::SystemTime;
use tokio_postgres::Row;

const DOING: &str = "reading the stored state";

/// Everything that is durable about a task.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stored {
    /// The head of the checkpoints; `None` before P0 is recorded.
    pub checkpoint: Option<Checkpoint>,
    /// When the head was written, by the target's clock.
    pub committed_at: Option<SystemTime>,
    /// The tables on record.
    pub tables: BTreeMap<TableName, StoredTable>,
    /// What stopped the task first since it last kept them equal. Of what is peeked at alone.
    pub cause: Option<Cause>,
    /// What comparisons have found. Of what is peeked at alone.
    pub verified: AllVerified,
    /// What it could not get past, and what it was told to pass over. Of what is peeked at alone.
    pub skips: Vec<Skip>,
    /// What was counted. Of what is peeked at alone.
    pub counts: Counts,
    /// How many rows of a table are in quarantine. Of what is peeked at alone.
    pub quarantined: BTreeMap<TableName, u64>,
}

impl Stored {
    /// Whether both say the same of the task, whoever has written it.
    pub fn is_at(&self, other: &Self) -> bool {
        let position = |stored: &Self| stored.checkpoint.as_ref().map(|head| head.position.clone());
        self.tables == other.tables && position(self) == position(other)
    }
}

/// One source table's record.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredTable {
    /// Its latest state.
    pub state: TableState,
    /// The target table it feeds.
    pub target: TargetName,
    /// How it is carried, as its recorder wrote it.
    pub mapping: serde_json::Value,
    /// Its definitions, oldest first; the last is the one at the checkpoint.
    pub schemas: Vec<StoredSchema>,
    /// Its copied chunks, by number.
    pub chunks: Vec<ChunkRecord>,
}

impl StoredTable {
    /// Whether the task has taken the target table out again: one of its name is somebody else's.
    pub fn is_taken_out(&self) -> bool {
        self.mapping.get("taken_out").and_then(serde_json::Value::as_bool) == Some(true)
    }
}

/// One version of a source table's definition.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredSchema {
    /// From 1, rising by one.
    pub version: i64,
    /// The definition.
    pub table: Table,
    /// Events after this position are written under it.
    pub valid_from: Position,
    /// The checkpoint that was the head when it was recorded; 0 when there was none.
    pub sequence: i64,
}

impl Store {
    /// Reads everything.
    pub async fn load(&self, session: &Session) -> Result<Stored, SinkError> {
        // One state of all of it: side streams may be writing.
        let failed = |error| session.error(DOING, error);
        let (begun, stored, ended) = tokio::join!(
            biased;
            session.client().batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"),
            read(session, &self.task, &self.names),
            session.client().batch_execute("COMMIT")
        );
        begun.map_err(failed)?;
        let stored = stored?;
        ended.map_err(failed)?;
        Ok(self.own(stored))
    }

    /// The head of this stream's checkpoints, as it is now; `None` when there is none.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn head(&self, session: &Session) -> Result<Option<Checkpoint>, SinkError> {
        newest(session, &self.task, &self.names).await
    }
}

/// Reads a task's records without owning it and without writing anything; `None` when there are none. Must not
/// run inside a transaction.
pub async fn peek(session: &Session, task: &str) -> Result<Option<Stored>, SinkError> {
    let names = Names::new(task);
    let client = session.client();
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    let (begun, found) = tokio::join!(biased; client.batch_execute(begin), tables::existing(session));
    begun.map_err(|error| session.error(DOING, error))?;
    let found = found?.unwrap_or_default();
    let is_found = |name: &String| found.contains_key(name);
    // Where nothing is of this task the schema may be closed to its user, which the precheck tells.
    let ours = names.all().into_iter().any(is_found);
    let checking = async {
        if ours && is_found(&tables::meta()) {
            tables::check_format(session, task).await?;
        }
        // A newer layout may have other tables.
        if ours { layout::found(session, task, &names, &found).map(|_| ()) } else { Ok(()) }
    };
    let reading = async {
        if !names.all().into_iter().all(is_found) {
            return Ok(None);
        }
        let mut stored = read(session, task, &names).await?;
        if is_found(&names.cause) {
            stored.cause = cause::read(session, &names).await?;
        }
        if is_found(&names.counts) {
            stored.counts = counts::read(session, &names).await?;
        }
        if is_found(&names.quarantine) {
            stored.quarantined = quarantine::read(session, &names).await?;
        }
        if is_found(&names.verified) {
            stored.verified = verified::read(session, &names).await?;
        }
        if is_found(&names.skips) {
            stored.skips = skips::read(session, &names).await?;
        }
        Ok(Some(stored))
    };
    let (checked, stored, ended) = tokio::join!(biased; checking, reading, client.batch_execute("COMMIT"));
    checked?;
    let stored = stored?;
    ended.map_err(|error| session.error(DOING, error))?;
    Ok(stored)
}

/// The head of a task's checkpoints, as it is now; `None` when there is none. The task's records are there.
pub async fn checkpoint(session: &Session, task: &str) -> Result<Option<Checkpoint>, SinkError> {
    newest(session, task, &Names::new(task)).await
}

async fn newest(session: &Session, task: &str, names: &Names) -> Result<Option<Checkpoint>, SinkError> {
    let reader = Reader { session, task, names };
    let rows = reader.rows(&head(names)).await?;
    rows.first().map(|row| reader.checkpoint(row).map(|(checkpoint, _)| checkpoint)).transpose()
}

/// One reading of a task's records.
struct Reader<'a> {
    session: &'a Session,
    task: &'a str,
    names: &'a Names,
}

/// The latest state of each table, alone.
pub(super) async fn states(
    session: &Session,
    task: &str,
    names: &Names,
) -> Result<BTreeMap<TableName, StoredTable>, SinkError> {
    let reader = Reader { session, task, names };
    let rows = reader.rows(&latest(names)).await?;
    rows.iter().map(|row| Ok((reader.name(row)?, reader.state(row)?))).collect()
}

fn latest(names: &Names) -> String {
    format!(
        "SELECT DISTINCT ON (source_database, source_table) source_database, source_table, target_schema, \
         target_table, state, mapping FROM {} ORDER BY source_database, source_table, version DESC",
        names.tables
    )
}

async fn read(session: &Session, task: &str, names: &Names) -> Result<Stored, SinkError> {
    let reader = Reader { session, task, names };
    let head = head(names);
    let states = latest(names);
    let schemas = format!(
        "SELECT source_database, source_table, version, definition, valid_from, sequence FROM {} \
         ORDER BY source_database, source_table, version",
        names.schemas
    );
    let chunks = format!(
        "SELECT source_database, source_table, number, after_key, upto_key, copied_rows FROM {} \
         ORDER BY source_database, source_table, number",
        names.chunks
    );
    // Sent together, and answered in this order.
    let (head, states, schemas, chunks) = tokio::try_join!(
        reader.rows(&head),
        reader.rows(&states),
        reader.rows(&schemas),
        reader.rows(&chunks)
    )?;
    let mut stored = Stored::default();
    for row in &head {
        let (checkpoint, committed_at) = reader.checkpoint(row)?;
        stored.checkpoint = Some(checkpoint);
        stored.committed_at = Some(committed_at);
    }
    for row in &states {
        let table = reader.state(row)?;
        stored.tables.insert(reader.name(row)?, table);
    }
    for row in &schemas {
        let schema = StoredSchema {
            version: reader.get(row, 2)?,
            table: reader.value(row, 3, &names.schemas, Form::Definition)?,
            valid_from: reader.value(row, 4, &names.schemas, Form::Position)?,
            sequence: reader.get(row, 5)?,
        };
        reader.table(&mut stored, row)?.schemas.push(schema);
    }
    for row in &chunks {
        let chunk = ChunkRecord {
            number: reader.get(row, 2)?,
            after: reader.key(row, 3)?,
            upto: reader.key(row, 4)?,
            rows: reader.get(row, 5)?,
        };
        reader.table(&mut stored, row)?.chunks.push(chunk);
    }
    Ok(stored)
}

/// Refuses records that hold a form of a newer program, before anything is written.
pub(super) async fn check_forms(session: &Session, task: &str, names: &Names) -> Result<(), SinkError> {
    let reader = Reader { session, task, names };
    let places = form::places(names);
    let asked = places.map(|(table, columns)| {
        let highest: Vec<String> = columns.iter().map(|(column, _)| form::highest(column)).collect();
        format!("SELECT {} FROM {table}", highest.join(", "))
    });
    // Sent together, and answered in this order.
    let answers = try_join_all(asked.iter().map(|sql| reader.rows(sql))).await?;
    for ((table, columns), rows) in places.iter().zip(&answers) {
        for (index, (_, form)) in columns.iter().enumerate() {
            let found = rows.first().map(|row| reader.get::<Option<i64>>(row, index)).transpose()?;
            let found = found.flatten().and_then(|found| u64::try_from(found).ok()).unwrap_or(0);
            if found > u64::from(form.version()) {
                return Err(reader.refused(table, &FormError::Newer { form: *form, found }));
            }
        }
    }
    Ok(())
}

/// The latest checkpoint.
pub(super) fn head(names: &Names) -> String {
    format!(
        "SELECT sequence, epoch, place, committed_at FROM {} \
         ORDER BY sequence DESC LIMIT 1",
        names.position
    )
}

impl Reader<'_> {
    async fn rows(&self, sql: &str) -> Result<Vec<Row>, SinkError> {
        self.session.client().query_typed(sql, &[]).await.map_err(|error| self.session.error(DOING, error))
    }

    fn get<'r, T: tokio_postgres::types::FromSql<'r>>(
        &self,
        row: &'r Row,
        column: usize,
    ) -> Result<T, SinkError> {
        row.try_get(column).map_err(|error| self.session.error(DOING, error))
    }

    fn name(&self, row: &Row) -> Result<TableName, SinkError> {
        Ok(TableName { database: self.get(row, 0)?, table: self.get(row, 1)? })
    }

    /// The record a definition or chunk belongs to.
    fn table<'s>(&self, stored: &'s mut Stored, row: &Row) -> Result<&'s mut StoredTable, SinkError> {
        let name = self.name(row)?;
        match stored.tables.get_mut(&name) {
            Some(table) => Ok(table),
            None => Err(self.unreadable(format!("{name} has definitions or chunks but no state"))),
        }
    }

    /// A stored value, of column `column` of `row`, which is one of `table`.
    fn value<T: DeserializeOwned>(
        &self,
        row: &Row,
        column: usize,
        table: &str,
        form: Form,
    ) -> Result<T, SinkError> {
        form::read(form, self.get(row, column)?).map_err(|error| self.refused(table, &error))
    }

    fn key(&self, row: &Row, column: usize) -> Result<Option<Vec<String>>, SinkError> {
        let text: Option<&str> = self.get(row, column)?;
        let key = text.map(|text| form::read(Form::Bound, text)).transpose();
        key.map_err(|error| self.refused(&self.names.chunks, &error))
    }

    /// A table's latest record, without its definitions and chunks.
    fn state(&self, row: &Row) -> Result<StoredTable, SinkError> {
        Ok(StoredTable {
            target: TargetName { schema: self.get(row, 2)?, table: self.get(row, 3)? },
            state: self.value(row, 4, &self.names.tables, Form::State)?,
            mapping: self.value(row, 5, &self.names.tables, Form::Mapping)?,
            schemas: Vec::new(),
            chunks: Vec::new(),
        })
    }

    fn refused(&self, table: &str, error: &FormError) -> SinkError {
        let why = format!("in {table}: {error}");
        match error {
            FormError::Newer { .. } => unreadable(self.session, self.task, why, layout::newer_remedy()),
            FormError::Unreadable { .. } => self.unreadable(why),
        }
    }

    fn checkpoint(&self, row: &Row) -> Result<(Checkpoint, SystemTime), SinkError> {
        let position = self.value(row, 2, &self.names.position, Form::Position)?;
        let checkpoint = Checkpoint { sequence: self.get(row, 0)?, epoch: self.get(row, 1)?, position };
        Ok((checkpoint, self.get(row, 3)?))
    }

    fn unreadable(&self, why: String) -> SinkError {
        unreadable(self.session, self.task, why, Upgrade::Writer.or(Remedy::copy_task()))
    }
}
