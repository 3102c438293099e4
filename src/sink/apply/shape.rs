//! What a target table is beside the columns that we write.
//!
//! Asked once per layout and session; and again inside every transaction that takes rows out to put them back, after its
//! deletes, whose locks keep ALTER TABLE out until the end.

use super::statements::Statements;
use super::{ApplyError, Mode, Strategy};
use crate::change::RowLayout;
use crate::sink::compact::TableChanges;
use crate::sink::{Session, SinkError, SinkErrorKind};
use std::sync::Arc;
use tokio_postgres::types::Type;

/// What matters to writing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    /// It is partitioned: INSERT cannot answer with `xmax`.
    pub(super) partitioned: bool,
    /// It has columns that are not in the layout.
    pub(super) others: bool,
}

/// The shape of a layout's table.
pub(super) async fn of(
    session: &Session,
    statements: &mut Statements,
    layout: &Arc<RowLayout>,
) -> Result<Shape, SinkError> {
    const SHAPE: &str = "SELECT c.relkind = 'p', (SELECT pg_catalog.count(*) FROM pg_catalog.pg_attribute a \
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) FROM pg_catalog.pg_class c \
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2";
    let number = statements.number(layout);
    if let Some(known) = statements.shapes.get(&number) {
        return Ok(*known);
    }
    let failed = |error| session.error(&format!("looking up {}", layout.target), error);
    let names: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 2] =
        [(&layout.target.schema, Type::TEXT), (&layout.target.table, Type::TEXT)];
    let rows = session.client().query_typed(SHAPE, &names).await.map_err(failed)?;
    let mut shape = Shape::default();
    if let Some(row) = rows.first() {
        shape.partitioned = row.try_get(0).map_err(failed)?;
        let columns: i64 = row.try_get(1).map_err(failed)?;
        shape.others = usize::try_from(columns) != Ok(layout.columns.len());
    }
    statements.shapes.insert(number, shape);
    Ok(shape)
}

/// Makes sure that no table whose rows are taken out and put back has got a column of others since.
///
/// # Errors
/// A lost connection: on a new session the table's shape is asked for anew.
pub(super) async fn unchanged(
    session: &Session,
    statements: &mut Statements,
    tables: &[TableChanges],
    manners: &[(Mode, Strategy)],
) -> Result<(), ApplyError> {
    const COUNTS: &str = "SELECT u.place, (SELECT pg_catalog.count(*) FROM pg_catalog.pg_attribute a \
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) \
        FROM unnest($1, $2) WITH ORDINALITY AS u(schema_name, table_name, place) \
        JOIN pg_catalog.pg_namespace n ON n.nspname = u.schema_name::name \
        JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = u.table_name::name";
    let replaced: Vec<&TableChanges> = tables
        .iter()
        .zip(manners)
        .filter(|(table, manner)| match manner {
            (Mode::Exact, Strategy::DeleteCopy) => !table.changed.is_empty(),
            (Mode::Convergent, Strategy::DeleteCopy) => !(table.changed.is_empty() && table.new.is_empty()),
            (_, Strategy::Upsert | Strategy::UpdateInsert) => false,
        })
        .map(|(table, _)| table)
        .collect();
    if replaced.is_empty() {
        return Ok(());
    }
    let failed = |error| session.error("looking for columns of others", error);
    let client = session.client();
    let statement = if let Some(known) = &statements.column_counts {
        known.clone()
    } else {
        let arrays = [Type::TEXT_ARRAY, Type::TEXT_ARRAY];
        let statement = client.prepare_typed(COUNTS, &arrays).await.map_err(failed)?;
        statements.column_counts.insert(statement).clone()
    };
    let schemas: Vec<&str> = replaced.iter().map(|table| table.target().schema.as_str()).collect();
    let names: Vec<&str> = replaced.iter().map(|table| table.target().table.as_str()).collect();
    for row in client.query(&statement, &[&schemas, &names]).await.map_err(failed)? {
        let place: i64 = row.try_get(0).map_err(failed)?;
        let columns: i64 = row.try_get(1).map_err(failed)?;
        let table = usize::try_from(place - 1).ok().and_then(|place| replaced.get(place));
        if let Some(table) = table.filter(|table| usize::try_from(columns) != Ok(table.layout.columns.len()))
        {
            return Err(SinkErrorKind::broken(
                format!("writing to {}", table.target()),
                "the table has got a column that is not ours: starting over in a new session",
            )
            .at(session.label())
            .into());
        }
    }
    Ok(())
}
