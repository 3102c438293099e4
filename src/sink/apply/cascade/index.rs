//! The index by which the rows are found that refer to one: made when it is first needed, where the table is large.
//!
//! What must never happen here: rows not followed because no index could be made.

use super::Work;
use crate::change::cascade::{CascadeKey, CascadeMember};
use crate::quote::{identifier, qualified};
use crate::sink::SinkError;
use tokio_postgres::types::Type;

/// A smaller table is read whole.
const LARGE_BYTES: i64 = 4 << 20;

/// After so many uses it is looked whether a table has become large.
const LOOK_EVERY: u32 = 256;

/// It is not looked for any more.
const SETTLED: u32 = u32::MAX;

/// How large the table is, and whether it has an index that begins with one of the columns.
const HAS: &str = "SELECT pg_catalog.pg_relation_size(c.oid), EXISTS (SELECT 1 FROM pg_catalog.pg_index i \
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0] \
    WHERE i.indrelid = c.oid AND i.indisvalid AND i.indpred IS NULL AND a.attname::text = ANY ($3)) \
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2";

/// PostgreSQL cuts longer names.
const NAME_BYTES: usize = 63;

impl Work<'_> {
    /// Sees to it that the rows of `child` are found by `key` without reading all of them.
    pub(super) async fn index(&mut self, child: &CascadeMember, key: &CascadeKey) -> Result<(), SinkError> {
        let names: Option<Vec<&str>> = key
            .columns
            .iter()
            .map(|column| child.layout.columns.get(*column).map(|column| column.name.as_str()))
            .collect();
        // Of texts whose blanks do not count an index on the column is of no use.
        let Some(names) = names.filter(|_| !key.padded.contains(&true)) else { return Ok(()) };
        let target = &child.layout.target;
        let uses = self.applier.statements.indexed.entry(format!("{target} {names:?}")).or_default();
        let (due, settled) = (uses.is_multiple_of(LOOK_EVERY), *uses == SETTLED);
        if settled || !due {
            *uses = if settled { SETTLED } else { uses.wrapping_add(1) };
            return Ok(());
        }
        *uses += 1;
        let doing = || format!("looking for an index of {target}");
        let types = [Type::TEXT, Type::TEXT, Type::TEXT_ARRAY];
        let statement = self.applier.statements.text(self.session, HAS, &types).await?;
        let client = self.session.client();
        let rows = client.query(&statement, &[&target.schema, &target.table, &names]).await;
        let rows = rows.map_err(|error| self.session.error(&doing(), error))?;
        let Some(row) = rows.first() else { return Ok(()) };
        let failed = |error| self.session.error(&doing(), error);
        let (bytes, has): (i64, bool) = (row.try_get(0).map_err(failed)?, row.try_get(1).map_err(failed)?);
        if !has && bytes < LARGE_BYTES {
            return Ok(());
        }
        self.applier.statements.indexed.insert(format!("{target} {names:?}"), SETTLED);
        if has {
            return Ok(());
        }
        let name = index_name(&target.table, &key.name);
        let columns: Vec<String> = names.iter().map(|name| identifier(name)).collect();
        let sql =
            format!("CREATE INDEX {} ON {} ({})", identifier(&name), qualified(target), columns.join(", "));
        let run = |sql: String| async move { client.batch_execute(&sql).await };
        run("SAVEPOINT rowferry_index".to_owned()).await.map_err(failed)?;
        match run(sql).await {
            Ok(()) => {
                tracing::info!(%target, index = name, key = key.name, "made an index, by which rows are found that a foreign key changes");
                run("RELEASE SAVEPOINT rowferry_index".to_owned()).await.map_err(failed)
            }
            Err(error) if error.is_closed() || client.is_closed() => Err(failed(error)),
            Err(error) => {
                tracing::warn!(%target, key = key.name, %error, "no index could be made: each change through this foreign key reads the whole table");
                run("ROLLBACK TO SAVEPOINT rowferry_index".to_owned()).await.map_err(failed)
            }
        }
    }
}

/// `orders_orders_ibfk_1_rowferry`.
fn index_name(table: &str, key: &str) -> String {
    const END: &str = "_rowferry";
    let mut name = format!("{table}_{key}");
    while name.len() > NAME_BYTES - END.len() {
        name.pop();
    }
    name + END
}
