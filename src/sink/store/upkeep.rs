//! What was done for target tables beside writing them: ANALYZE, VACUUM, and how many rows have died since.
//!
//! What must never happen here: records of a table that was copied anew taken for the new one's.

use super::Store;
use super::write::Parameter;
use crate::change::TargetName;
use crate::sink::{Session, SinkError};
use std::collections::BTreeMap;
use tokio_postgres::types::Type;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// ANALYZE, after the copy.
    Analyze,
    /// VACUUM.
    Vacuum,
    /// Nothing: the dead rows were counted.
    Counted,
}

impl Done {
    fn word(self) -> &'static str {
        match self {
            Self::Analyze => "analyze",
            Self::Vacuum => "vacuum",
            Self::Counted => "counted",
        }
    }
}

/// What is on record of one target table. Times are seconds since 1970 by the target's clock, 0 for never.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpkeepRecord {
    /// The ANALYZE after its copy.
    pub analyzed: u64,
    /// Its bytes then.
    pub copied_bytes: u64,
    /// The last VACUUM.
    pub vacuumed: u64,
    /// Dead rows when that was last counted.
    pub dead_rows: u64,
}

impl Store {
    /// Records that something was done for a table that has `bytes` and `dead_rows` now.
    pub async fn record_upkeep(
        &self,
        session: &Session,
        target: &TargetName,
        done: Done,
        bytes: u64,
        dead_rows: u64,
    ) -> Result<(), SinkError> {
        let sql = format!(
            "INSERT INTO {0} (target_schema, target_table, number, kind, bytes, dead_rows, epoch) SELECT $1, $2, \
             coalesce((SELECT max(number) FROM {0} WHERE target_schema = $1 AND target_table = $2), 0) + 1, \
             $3, $4, $5, $6 WHERE $6 = (SELECT max(epoch) FROM {1})",
            self.names.upkeep, self.names.owner
        );
        let [bytes, dead_rows] = [bytes, dead_rows].map(|number| i64::try_from(number).unwrap_or(i64::MAX));
        let kind = done.word();
        let parameters: [Parameter<'_>; 6] = [
            (&target.schema, Type::TEXT),
            (&target.table, Type::TEXT),
            (&kind, Type::TEXT),
            (&bytes, Type::INT8),
            (&dead_rows, Type::INT8),
            (&self.epoch, Type::INT8),
        ];
        self.insert(session, "recording a table's upkeep", &sql, &parameters, &self.own_epoch()).await
    }

    /// What is on record of every table.
    pub async fn upkeep(&self, session: &Session) -> Result<BTreeMap<TargetName, UpkeepRecord>, SinkError> {
        let failed = |error| session.error("reading the tables' upkeep", error);
        let sql = format!(
            "SELECT target_schema, target_table, kind, bytes, dead_rows, extract(epoch FROM recorded_at)::int8 \
             FROM {} ORDER BY target_schema, target_table, number",
            self.names.upkeep
        );
        let mut records: BTreeMap<TargetName, UpkeepRecord> = BTreeMap::new();
        for row in session.client().query_typed(&sql, &[]).await.map_err(failed)? {
            let number = |column: usize| -> Result<u64, SinkError> {
                Ok(u64::try_from(row.try_get::<_, i64>(column).map_err(failed)?).unwrap_or(0))
            };
            let table = TargetName {
                schema: row.try_get(0).map_err(failed)?,
                table: row.try_get(1).map_err(failed)?,
            };
            let kind: String = row.try_get(2).map_err(failed)?;
            let one = records.entry(table).or_default();
            // ANALYZE counts no dead rows.
            if kind == Done::Analyze.word() {
                (one.copied_bytes, one.analyzed) = (number(3)?, number(5)?);
            } else {
                one.dead_rows = number(4)?;
            }
            if kind == Done::Vacuum.word() {
                one.vacuumed = number(5)?;
            }
        }
        Ok(records)
    }

    /// Forgets what was done for a table: it is made or filled anew.
    pub(super) async fn forget_upkeep(
        &self,
        session: &Session,
        target: &TargetName,
    ) -> Result<(), SinkError> {
        let sql = format!("DELETE FROM {} WHERE target_schema = $1 AND target_table = $2", self.names.upkeep);
        session
            .client()
            .execute_typed(&sql, &[(&target.schema, Type::TEXT), (&target.table, Type::TEXT)])
            .await
            .map_err(|error| session.error("forgetting a table's upkeep", error))?;
        Ok(())
    }
}
