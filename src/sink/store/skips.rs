//! Transactions of the log that a task could not get past, and which of them it was told to pass over. They lie in a table that comes with
//! the first one and goes with the task.
//!
//! Rows are only added. One of a number is of kind `stands`: the task has failed there. One of kind `asked` beside it is somebody's
//! word to pass over that, and one of kind `passed` comes in the target transaction whose checkpoint lies after it.
//!
//! What must never happen here: a record of that by anybody but the task's owner.

use super::{Names, Store, tables};
use crate::change::{FilePosition, Standing, TableName, TransactionId, TransactionPlace};
use crate::sink::{Session, SinkError};
use std::collections::BTreeMap;
use tokio_postgres::types::Type;

/// One transaction.
#[derive(Clone, Debug, PartialEq)]
pub struct Skip {
    /// Its number in the records.
    pub number: i64,
    /// What the task could not get past.
    pub standing: Standing,
    /// Somebody's word.
    pub asked: Option<AskedSkip>,
    /// Seconds since 1970 when it was passed over, durably.
    pub passed: Option<u64>,
}

/// Somebody's word to pass over a transaction.
#[derive(Clone, Debug, PartialEq)]
pub struct AskedSkip {
    /// The table for which alone it is passed over; `None` for all.
    pub table: Option<TableName>,
    /// Seconds since 1970 when it was said.
    pub at: u64,
}

const READING: &str = "reading what is passed over";
const STANDS: &str = "recording what the task cannot get past";

/// What is on record of that, oldest first.
///
/// # Errors
/// What the server answers.
pub async fn skips(session: &Session, task: &str) -> Result<Vec<Skip>, SinkError> {
    let names = Names::new(task);
    let found = tables::existing(session).await?.unwrap_or_default();
    if found.contains_key(&names.skips) { read(session, &names).await } else { Ok(Vec::new()) }
}

/// The same; the task must have the table.
pub(super) async fn read(session: &Session, names: &Names) -> Result<Vec<Skip>, SinkError> {
    let failed = |error| session.error(READING, error);
    let unreadable = |what: &str| session.unexpected(READING, what);
    // By kind: what stands is before what was said of it.
    let sql = format!(
        "SELECT number, kind, server, gtid, file, file_offset, told_file, told_offset, source_database, source_table, said_at \
         FROM {} ORDER BY number, CASE kind WHEN 'stands' THEN 1 WHEN 'asked' THEN 2 ELSE 3 END",
        names.skips
    );
    let mut all = BTreeMap::new();
    for row in session.client().query_typed(&sql, &[]).await.map_err(failed)? {
        let text = |column: usize| row.try_get::<_, Option<String>>(column).map_err(failed);
        let whole = |column: usize| {
            let number: i64 = row.try_get(column).map_err(failed)?;
            u64::try_from(number).map_err(|_| unreadable("a number below 0"))
        };
        let place = |file: usize, offset: usize| {
            Ok::<_, SinkError>(FilePosition {
                file: text(file)?.unwrap_or_default().into(),
                offset: whole(offset)?,
            })
        };
        let number: i64 = row.try_get(0).map_err(failed)?;
        let table = text(8)?.zip(text(9)?).map(|(database, table)| TableName { database, table });
        let at = whole(10)?;
        match (text(1)?.as_deref(), all.get_mut(&number)) {
            (Some("stands"), None) => {
                let gtid = text(3)?.map(|gtid| gtid.parse::<TransactionId>()).transpose();
                let gtid = gtid.map_err(|error| unreadable(&error.to_string()))?;
                let server = text(2)?.unwrap_or_default();
                let place = TransactionPlace { server, gtid, begun: place(4, 5)?, told: place(6, 7)? };
                let standing = Standing { place, table };
                all.insert(number, Skip { number, standing, asked: None, passed: None });
            }
            (Some("asked"), Some(skip)) => skip.asked = Some(AskedSkip { table, at }),
            (Some("passed"), Some(skip)) => skip.passed = Some(at),
            _ => return Err(unreadable("records that do not follow one another")),
        }
    }
    Ok(all.into_values().collect())
}

impl Store {
    /// Records what the task cannot get past, unless that is the last that is on record. Must not run inside a transaction.
    ///
    /// # Errors
    /// What the server answers; [`SinkErrorKind::CheckpointMoved`](crate::sink::SinkErrorKind::CheckpointMoved) when another owns the task.
    pub async fn record_standing(
        &self,
        session: &Session,
        standing: &Standing,
        error: &str,
        at: u64,
    ) -> Result<(), SinkError> {
        let table = &self.names.skips;
        let storage = if session.dialect().distributed {
            " WITH (appendonly=false) DISTRIBUTED BY (number)"
        } else {
            ""
        };
        let sql = format!(
            "CREATE TABLE IF NOT EXISTS {table} (number bigint NOT NULL, kind text NOT NULL, server text NOT NULL, gtid text, \
             file text NOT NULL, file_offset bigint NOT NULL, told_file text NOT NULL, told_offset bigint NOT NULL, \
             source_database text, source_table text, error text NOT NULL, said_at bigint NOT NULL, epoch bigint NOT NULL, \
             recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (number, kind)){storage}"
        );
        session.client().batch_execute(&sql).await.map_err(|error| session.error(STANDS, error))?;
        let known = read(session, &self.names).await?;
        let last = known.last();
        if last.is_some_and(|last| last.asked.is_none() && last.standing == *standing) {
            return Ok(());
        }
        let number = last.map_or(0, |last| last.number).saturating_add(1);
        let sql = format!(
            "INSERT INTO {table} (number, kind, server, gtid, file, file_offset, told_file, told_offset, source_database, \
             source_table, error, said_at, epoch) SELECT $1, 'stands', $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12 \
             WHERE $12 = (SELECT max(epoch) FROM {})",
            self.names.owner
        );
        let Standing { place, table } = standing;
        let gtid = place.gtid.as_ref().map(ToString::to_string);
        let whole = |number: u64| {
            i64::try_from(number).map_err(|_| session.unexpected(STANDS, "a number out of range"))
        };
        let (offset, told_offset, at) = (whole(place.begun.offset)?, whole(place.told.offset)?, whole(at)?);
        let (database, name) = (
            table.as_ref().map(|table| table.database.as_str()),
            table.as_ref().map(|table| table.table.as_str()),
        );
        let parameters: [super::Parameter<'_>; 12] = [
            (&number, Type::INT8),
            (&place.server, Type::TEXT),
            (&gtid, Type::TEXT),
            (&&*place.begun.file, Type::TEXT),
            (&offset, Type::INT8),
            (&&*place.told.file, Type::TEXT),
            (&told_offset, Type::INT8),
            (&database, Type::TEXT),
            (&name, Type::TEXT),
            (&error, Type::TEXT),
            (&at, Type::INT8),
            (&self.epoch, Type::INT8),
        ];
        self.insert(session, STANDS, &sql, &parameters, "an owner").await
    }

    /// Records that what stands under this number is to be passed over, for one table or all of them.
    ///
    /// # Errors
    /// As [`Store::record_standing`].
    pub async fn record_skip(
        &self,
        session: &Session,
        number: i64,
        table: Option<&TableName>,
        at: u64,
    ) -> Result<(), SinkError> {
        const DOING: &str = "recording what is to be passed over";
        let (database, name) =
            (table.map(|table| table.database.as_str()), table.map(|table| table.table.as_str()));
        let columns = "$4, $5, error";
        let more: [super::Parameter<'_>; 2] = [(&database, Type::TEXT), (&name, Type::TEXT)];
        self.say(session, DOING, (number, "stands", "asked"), columns, &more, at).await
    }

    /// Records, in the open transaction, that its checkpoint lies after what was to be passed over.
    ///
    /// # Errors
    /// As [`Store::record_standing`].
    pub async fn record_passed(&self, session: &Session, number: i64, at: u64) -> Result<(), SinkError> {
        const DOING: &str = "recording what was passed over";
        let columns = "source_database, source_table, error";
        self.say(session, DOING, (number, "asked", "passed"), columns, &[], at).await
    }

    /// Adds to what is on record of a number.
    async fn say(
        &self,
        session: &Session,
        doing: &'static str,
        (number, before, kind): (i64, &str, &str),
        columns: &str,
        more: &[super::Parameter<'_>],
        at: u64,
    ) -> Result<(), SinkError> {
        let sql = format!(
            "INSERT INTO {0} (number, kind, server, gtid, file, file_offset, told_file, told_offset, source_database, source_table, \
             error, said_at, epoch) SELECT number, '{kind}', server, gtid, file, file_offset, told_file, told_offset, {columns}, \
             $2, $3 FROM {0} WHERE number = $1 AND kind = '{before}' AND $3 = (SELECT max(epoch) FROM {1})",
            self.names.skips, self.names.owner
        );
        let at = i64::try_from(at).map_err(|_| session.unexpected(doing, "a time out of range"))?;
        let own: [super::Parameter<'_>; 3] =
            [(&number, Type::INT8), (&at, Type::INT8), (&self.epoch, Type::INT8)];
        let parameters: Vec<super::Parameter<'_>> = own.into_iter().chain(more.iter().cloned()).collect();
        self.insert(session, doing, &sql, &parameters, before).await
    }
}
