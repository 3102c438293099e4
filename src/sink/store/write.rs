//! Writes a task's records, each only while its owner is the present one.
//!
//! Sequence of a commit: BEGIN → rows → [`Store::advance`] (and table states, schemas, chunks) → COMMIT.

use super::form::{self, Form};
use super::{KEPT_CHECKPOINTS, KEPT_STATES, Store, tables};
use crate::change::state::{Checkpoint, ChunkRecord, TableState};
use crate::change::{Position, TableName, TargetName};
use crate::schema::Table;
use crate::sink::{Session, SinkError};
use serde::Serialize;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};

/// A parameter and its type.
pub(in crate::sink) type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

impl Store {
    /// Inserts the first checkpoint (P0), when there is none.
    pub async fn start(&self, session: &Session, position: &Position) -> Result<Checkpoint, SinkError> {
        let sql = format!(
            "INSERT INTO {0} (sequence, epoch, server, file, file_offset, gtids, place) \
             SELECT 1::bigint, $1, $2, $3, $4, $5, $6 \
             WHERE NOT EXISTS (SELECT 1 FROM {0}) AND $1 = (SELECT max(epoch) FROM {1})",
            self.names.position, self.names.owner
        );
        let offset = offset(session, position)?;
        let gtids = position.taken.to_string();
        let place = json(session, Form::Position, position)?;
        let parameters: [Parameter<'_>; 6] = [
            (&self.epoch, Type::INT8),
            (&position.server, Type::TEXT),
            (&&*position.file.file, Type::TEXT),
            (&offset, Type::INT8),
            (&gtids, Type::TEXT),
            (&place, Type::TEXT),
        ];
        self.insert(session, "recording the first checkpoint", &sql, &parameters, "none").await?;
        Ok(Checkpoint { epoch: self.epoch, sequence: 1, position: position.clone() })
    }

    /// Inserts the checkpoint after `expected`, when that is still the head. The next commit makes it durable.
    ///
    /// # Errors
    /// `SinkErrorKind::CheckpointMoved` when the head is another one (a takeover, a restored or promoted server):
    /// the transaction must be rolled back.
    pub async fn advance(
        &self,
        session: &Session,
        expected: &Checkpoint,
        next: &Position,
    ) -> Result<Checkpoint, SinkError> {
        let wanted = format!("epoch {} sequence {}", expected.epoch, expected.sequence);
        if expected.epoch != self.epoch {
            return Err(
                self.moved(session, format!("expected {wanted}, this owner has epoch {}", self.epoch))
            );
        }
        let sequence = expected.sequence.saturating_add(1);
        let sql = format!(
            "INSERT INTO {0} (sequence, epoch, server, file, file_offset, gtids, place) \
             SELECT $1, $2, $3, $4, $5, $6, $7 \
             FROM (SELECT sequence, epoch FROM {0} ORDER BY sequence DESC LIMIT 1) head \
             WHERE head.sequence = $8 AND head.epoch = $2",
            self.names.position
        );
        let offset = offset(session, next)?;
        let gtids = next.taken.to_string();
        let place = json(session, Form::Position, next)?;
        let parameters: [Parameter<'_>; 8] = [
            (&sequence, Type::INT8),
            (&self.epoch, Type::INT8),
            (&next.server, Type::TEXT),
            (&&*next.file.file, Type::TEXT),
            (&offset, Type::INT8),
            (&gtids, Type::TEXT),
            (&place, Type::TEXT),
            (&expected.sequence, Type::INT8),
        ];
        self.insert(session, "recording the checkpoint", &sql, &parameters, &wanted).await?;
        Ok(Checkpoint { epoch: self.epoch, sequence, position: next.clone() })
    }

    /// The highest epoch on record; 0 when there is none.
    pub(in crate::sink) async fn highest_epoch(&self, session: &Session) -> Result<i64, SinkError> {
        const DOING: &str = "reading the epoch";
        let sql = format!(
            "SELECT greatest((SELECT max(epoch) FROM {}), (SELECT max(epoch) FROM {}), 0)",
            self.names.owner, self.names.position
        );
        let rows =
            session.client().query_typed(&sql, &[]).await.map_err(|error| session.error(DOING, error))?;
        let row = rows.first().ok_or_else(|| session.unexpected(DOING, "no row came back"))?;
        row.try_get(0).map_err(|error| session.error(DOING, error))
    }

    /// Repeats the head under a new owner's epoch; nothing when there is no checkpoint yet.
    pub(in crate::sink) async fn repeat_head(&self, session: &Session, epoch: i64) -> Result<(), SinkError> {
        let sql = format!(
            "INSERT INTO {0} (sequence, epoch, server, file, file_offset, gtids, place) \
             SELECT sequence + 1, $1, server, file, file_offset, gtids, place FROM {0} ORDER BY sequence DESC LIMIT 1",
            self.names.position
        );
        match session.client().execute_typed(&sql, &[(&epoch, Type::INT8)]).await {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
                Err(self.moved(session, "an earlier owner wrote a checkpoint during the takeover"))
            }
            Err(error) => Err(session.error("repeating the checkpoint", error)),
        }
    }

    /// Records what a table is doing from now on, and how it is carried.
    pub async fn record_table(
        &self,
        session: &Session,
        source: &TableName,
        target: &TargetName,
        state: &TableState,
        mapping: &serde_json::Value,
    ) -> Result<(), SinkError> {
        let sql = format!(
            "INSERT INTO {0} (source_database, source_table, version, target_schema, target_table, state, mapping, \
             sequence, epoch) \
             SELECT $1, $2, \
             coalesce((SELECT max(version) FROM {0} WHERE source_database = $1 AND source_table = $2), 0) + 1, \
             $3, $4, $5, $6, coalesce((SELECT max(sequence) FROM {1}), 0), $7 \
             WHERE $7 = (SELECT max(epoch) FROM {2})",
            self.names.tables,
            self.main_position(),
            self.names.owner
        );
        let state = json(session, Form::State, &self.stored_state(state))?;
        let mapping = json(session, Form::Mapping, mapping)?;
        let parameters: [Parameter<'_>; 7] = [
            (&source.database, Type::TEXT),
            (&source.table, Type::TEXT),
            (&target.schema, Type::TEXT),
            (&target.table, Type::TEXT),
            (&state, Type::TEXT),
            (&mapping, Type::TEXT),
            (&self.epoch, Type::INT8),
        ];
        self.insert(session, "recording a table's state", &sql, &parameters, &self.own_epoch()).await
    }

    /// Records a definition of a source table; events after `valid_from` are written under it.
    pub async fn record_schema(
        &self,
        session: &Session,
        definition: &Table,
        valid_from: &Position,
    ) -> Result<(), SinkError> {
        let sql = format!(
            "INSERT INTO {0} (source_database, source_table, version, definition, valid_from, sequence, epoch) \
             SELECT $1, $2, \
             coalesce((SELECT max(version) FROM {0} WHERE source_database = $1 AND source_table = $2), 0) + 1, \
             $3, $4, coalesce((SELECT max(sequence) FROM {1}), 0), $5 \
             WHERE $5 = (SELECT max(epoch) FROM {2})",
            self.names.schemas,
            self.main_position(),
            self.names.owner
        );
        let (text, from) =
            (json(session, Form::Definition, definition)?, json(session, Form::Position, valid_from)?);
        let parameters: [Parameter<'_>; 5] = [
            (&definition.name.database, Type::TEXT),
            (&definition.name.table, Type::TEXT),
            (&text, Type::TEXT),
            (&from, Type::TEXT),
            (&self.epoch, Type::INT8),
        ];
        self.insert(session, "recording a table's definition", &sql, &parameters, &self.own_epoch()).await
    }

    /// Records a copied chunk, in the transaction that copied it.
    ///
    /// # Errors
    /// `SinkErrorKind::CheckpointMoved` also when the chunk is on record already: somebody else copied it.
    pub async fn record_chunk(
        &self,
        session: &Session,
        source: &TableName,
        chunk: &ChunkRecord,
    ) -> Result<(), SinkError> {
        let sql = format!(
            "INSERT INTO {} (source_database, source_table, number, after_key, upto_key, copied_rows, epoch) \
             SELECT $1, $2, $3, $4, $5, $6, $7 WHERE $7 = (SELECT max(epoch) FROM {})",
            self.names.chunks, self.names.owner
        );
        let after = chunk.after.as_ref().map(|key| json(session, Form::Bound, key)).transpose()?;
        let upto = chunk.upto.as_ref().map(|key| json(session, Form::Bound, key)).transpose()?;
        let parameters: [Parameter<'_>; 7] = [
            (&source.database, Type::TEXT),
            (&source.table, Type::TEXT),
            (&chunk.number, Type::INT8),
            (&after, Type::TEXT),
            (&upto, Type::TEXT),
            (&chunk.rows, Type::INT8),
            (&self.epoch, Type::INT8),
        ];
        self.insert(session, "recording a chunk", &sql, &parameters, &self.own_epoch()).await
    }

    /// Forgets a table's chunks and definitions and records it anew: it will be copied again.
    pub async fn reset_table(
        &self,
        session: &Session,
        source: &TableName,
        target: &TargetName,
        state: &TableState,
        mapping: &serde_json::Value,
    ) -> Result<(), SinkError> {
        // Sent together: where one fails those after it fail too.
        tokio::try_join!(
            biased;
            self.record_table(session, source, target, state, mapping),
            self.forget_upkeep(session, target),
            self.forget_quarantined(session, source),
            self.delete(session, source, &self.names.chunks),
            self.delete(session, source, &self.names.schemas)
        )
        .map(|_| ())
    }

    /// Forgets a table's chunks and definitions.
    pub(super) async fn forget_copy(&self, session: &Session, source: &TableName) -> Result<(), SinkError> {
        self.delete(session, source, &self.names.chunks).await?;
        self.delete(session, source, &self.names.schemas).await?;
        self.forget_quarantined(session, source).await
    }

    /// Forgets a table altogether.
    pub async fn forget_table(&self, session: &Session, source: &TableName) -> Result<(), SinkError> {
        // A fenced write first: the deletes have no condition that could tell a stale owner from an empty table.
        let state = TableState::Pending;
        let target = TargetName { schema: String::new(), table: String::new() };
        self.record_table(session, source, &target, &state, &serde_json::Value::Null).await?;
        for records in [&self.names.chunks, &self.names.schemas, &self.names.tables] {
            self.delete(session, source, records).await?;
        }
        self.forget_quarantined(session, source).await
    }

    /// Deletes records that were superseded long ago. Best run between transactions, when
    /// [`Store::prune_is_due`], followed by [`Store::vacuum`]. `head` is durable.
    pub async fn prune(&self, session: &Session, head: &Checkpoint) -> Result<(), SinkError> {
        let oldest = head.sequence.saturating_sub(KEPT_CHECKPOINTS);
        let sql = format!(
            "DELETE FROM {} WHERE sequence < {oldest}; \
             DELETE FROM {1} USING (SELECT source_database AS d, source_table AS t, max(version) AS v FROM {1} \
             GROUP BY source_database, source_table) latest WHERE source_database = latest.d \
             AND source_table = latest.t AND version < latest.v - {KEPT_STATES}; \
             DELETE FROM {2} USING (SELECT target_schema AS s, target_table AS t, kind AS k, max(number) AS n FROM {2} \
             GROUP BY target_schema, target_table, kind) latest WHERE target_schema = latest.s \
             AND target_table = latest.t AND kind = latest.k AND number < latest.n",
            self.names.position, self.names.tables, self.names.upkeep
        );
        session
            .client()
            .batch_execute(&sql)
            .await
            .map_err(|error| session.error("pruning old records", error))?;
        let found = tables::existing(session).await?.unwrap_or_default();
        if found.contains_key(&self.names.counts) { self.sum_counts(session).await } else { Ok(()) }
    }

    /// Takes back the space of pruned records where the server does not do it by itself (Greenplum). Must not run
    /// inside a transaction.
    pub async fn vacuum(&self, session: &Session) -> Result<(), SinkError> {
        if !session.dialect().distributed {
            return Ok(());
        }
        for table in self.names.all() {
            let sql = format!("VACUUM {table}");
            session
                .client()
                .batch_execute(&sql)
                .await
                .map_err(|error| session.error("vacuuming old records", error))?;
        }
        Ok(())
    }

    /// Inserts one row under a condition; none is a moved checkpoint.
    pub(super) async fn insert(
        &self,
        session: &Session,
        doing: &str,
        sql: &str,
        parameters: &[Parameter<'_>],
        expected: &str,
    ) -> Result<(), SinkError> {
        match session.client().execute_typed(sql, parameters).await {
            Ok(1) => Ok(()),
            Ok(_) => {
                let found = self.found(session).await?;
                Err(self.moved(session, format!("{doing}: expected {expected}, found {found}")))
            }
            Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
                Err(self.moved(session, format!("{doing}: after {expected} another record exists already")))
            }
            Err(error) => Err(session.error(doing, error)),
        }
    }

    /// What the head is instead, in words.
    async fn found(&self, session: &Session) -> Result<String, SinkError> {
        const DOING: &str = "reading the checkpoint";
        let sql = format!(
            "SELECT (SELECT max(epoch) FROM {}), (SELECT max(epoch) FROM {1}), (SELECT max(sequence) FROM {1})",
            self.names.owner, self.names.position
        );
        let rows =
            session.client().query_typed(&sql, &[]).await.map_err(|error| session.error(DOING, error))?;
        let Some(row) = rows.first() else { return Ok("nothing".into()) };
        let number = |column| {
            row.try_get::<_, Option<i64>>(column)
                .map(|number| number.map_or_else(|| "none".to_owned(), |number| number.to_string()))
                .map_err(|error| session.error(DOING, error))
        };
        Ok(format!("owner epoch {}, checkpoint epoch {} sequence {}", number(0)?, number(1)?, number(2)?))
    }

    pub(super) async fn delete(
        &self,
        session: &Session,
        source: &TableName,
        records: &str,
    ) -> Result<(), SinkError> {
        let sql = format!("DELETE FROM {records} WHERE source_database = $1 AND source_table = $2");
        session
            .client()
            .execute_typed(&sql, &[(&source.database, Type::TEXT), (&source.table, Type::TEXT)])
            .await
            .map_err(|error| session.error("forgetting a table's records", error))?;
        Ok(())
    }

    pub(super) fn own_epoch(&self) -> String {
        format!("owner epoch {}", self.epoch)
    }
}

fn json<T: Serialize>(session: &Session, form: Form, value: &T) -> Result<String, SinkError> {
    form::write(form, value).map_err(|error| session.unexpected("writing state as JSON", error.to_string()))
}

fn offset(session: &Session, position: &Position) -> Result<i64, SinkError> {
    i64::try_from(position.file.offset).map_err(|_| {
        session.unexpected("recording a position", format!("offset {} is too large", position.file.offset))
    })
}
