//! Rows that may exist, written without ON CONFLICT and without touching columns of others: staging, `UPDATE … FROM`, and an
//! INSERT of what that did not find.
//!
//! Key columns are never assigned: on Greenplum that would be a split update, which fails where keys shift.

use super::plan::{Expect, WriteStep};
use super::statements::{StatementKind, Statements, columns, key, key_text};
use super::{ApplyError, Drift, staging};
use crate::change::RowLayout;
use crate::quote::identifier;
use crate::sink::{Session, SinkError};
use futures_util::TryStreamExt;
use std::pin::pin;
use tokio_postgres::Statement;

/// Does a [`super::plan::Act::UpdateInsert`].
pub(super) async fn run(
    session: &Session,
    statements: &mut Statements,
    step: &WriteStep<'_>,
) -> Result<Drift, ApplyError> {
    let layout = &step.changes.layout;
    staging::fill(session, statements, layout, step.rows(), step.len()).await?;
    let statement = statements.get(session, layout, StatementKind::Update(step.expect)).await?;
    let (found, example) = if answers(layout, step.expect) {
        keys(session, layout, &statement).await?
    } else {
        (execute(session, layout, &statement).await?, None)
    };
    let mut drift = Drift::default();
    if step.expect == Expect::Absent && found > 0 {
        drift.existing = found;
        drift.example = example.map(|key| format!("existing {key}"));
    }
    if usize::try_from(found) == Ok(step.len()) {
        return Ok(drift);
    }
    if step.expect == Expect::Present {
        let statement = statements.get(session, layout, StatementKind::InsertRest).await?;
        let (inserted, example) = keys(session, layout, &statement).await?;
        drift.missing = inserted;
        drift.example = example.map(|key| format!("missing {key}"));
    } else {
        let statement = statements.get(session, layout, StatementKind::Keep { on_conflict: false }).await?;
        execute(session, layout, &statement).await?;
    }
    Ok(drift)
}

async fn execute(session: &Session, layout: &RowLayout, statement: &Statement) -> Result<u64, SinkError> {
    let parameters: [i32; 0] = [];
    let count = session.client().execute_raw(statement, parameters).await;
    count.map_err(|error| staging::failed(session, layout, error))
}

/// How many keys a statement answers with, and the first.
async fn keys(
    session: &Session,
    layout: &RowLayout,
    statement: &Statement,
) -> Result<(u64, Option<String>), SinkError> {
    let failed = |error| staging::failed(session, layout, error);
    let parameters: [i32; 0] = [];
    let mut rows = pin!(session.client().query_raw(statement, parameters).await.map_err(failed)?);
    let (mut count, mut first) = (0, None);
    while let Some(row) = rows.try_next().await.map_err(failed)? {
        count += 1;
        if first.is_none() {
            first = Some(row.try_get::<_, String>(0).map_err(failed)?);
        }
    }
    Ok((count, first))
}

/// `a = s.a, …` for all columns but the key's.
fn assignments(layout: &RowLayout) -> Vec<String> {
    let all = layout.columns.iter().enumerate();
    all.filter(|(index, _)| !layout.key.contains(index))
        .map(|(_, column)| identifier(&column.name))
        .map(|name| format!("{name} = s.{name}"))
        .collect()
}

/// Whether [`update`] answers with keys: where one is an example, or where there is nothing to assign.
fn answers(layout: &RowLayout, expect: Expect) -> bool {
    expect == Expect::Absent || assignments(layout).is_empty()
}

/// Updates the rows of `table` that are in `staging`.
pub(super) fn update(layout: &RowLayout, table: &str, staging: &str, expect: Expect) -> String {
    let names = key(layout);
    let text = key_text(layout, |position| format!("t.{}", names.get(position).map_or("", String::as_str)));
    let sets = assignments(layout);
    if sets.is_empty() {
        return format!("SELECT {text} FROM {table} AS t, {staging} AS s WHERE {}", equal(layout));
    }
    let returning = if answers(layout, expect) { format!(" RETURNING {text}") } else { String::new() };
    format!(
        "UPDATE {table} AS t SET {} FROM {staging} AS s WHERE {}{returning}",
        sets.join(", "),
        equal(layout)
    )
}

/// Inserts the rows of `staging` that are not in `table`.
pub(super) fn insert_rest(layout: &RowLayout, table: &str, staging: &str) -> String {
    let columns = columns(layout);
    let absent = format!("NOT EXISTS (SELECT 1 FROM {table} AS t WHERE {})", equal(layout));
    format!("INSERT INTO {table} ({columns}) SELECT {columns} FROM {staging} AS s WHERE {absent}")
}

fn equal(layout: &RowLayout) -> String {
    key(layout).iter().map(|name| format!("t.{name} = s.{name}")).collect::<Vec<_>>().join(" AND ")
}
