//! Staging: a temporary table per layout, filled by COPY, from which rows go on into their table in one statement.
//!
//! It is made once per session, empties itself at the end of each transaction, and its presence and
//! emptiness are asked for before every use: a transaction rolled back may have taken it along, an earlier piece of the same
//! transaction may have left its rows, and Greenplum drops it with a lost segment.
//!
//! What must never happen here: rows of one piece merged again with the next.

use super::plan::WriteStep;
use super::statements::{StatementKind, Statements, columns, staging_name};
use super::{ApplyError, Drift, Strategy, copy, merge};
use crate::change::{EncodedRows, RowLayout};
use crate::quote::{identifier, qualified};
use crate::sink::ddl::render;
use crate::sink::{Session, SinkError, SinkErrorKind, catalog};
use std::sync::Arc;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

/// Does a [`super::plan::Act::MergeStaged`].
pub(super) async fn merge(
    session: &Session,
    statements: &mut Statements,
    step: &WriteStep<'_>,
) -> Result<Drift, ApplyError> {
    let layout = &step.changes.layout;
    fill(session, statements, layout, step.rows(), step.len()).await?;
    let statement = statements.get(session, layout, StatementKind::MergeStaged(step.expect)).await?;
    merge::run(session, step, statement, Vec::new()).await
}

/// Puts a run of snapshot rows into the table where their keys are free. Answers with how many that were.
pub(super) async fn keep(
    session: &Session,
    statements: &mut Statements,
    run: &EncodedRows,
    strategy: Strategy,
) -> Result<u64, SinkError> {
    fill(session, statements, &run.layout, copy::rows_of(run), run.spans.len()).await?;
    let kind = StatementKind::Keep { on_conflict: strategy == Strategy::Upsert };
    let statement = statements.get(session, &run.layout, kind).await?;
    session.client().execute(&statement, &[]).await.map_err(|error| failed(session, &run.layout, error))
}

/// A session whose staging is gone is of no use: with a lost segment Greenplum drops it while the connection lives on.
pub(super) fn failed(session: &Session, layout: &RowLayout, error: Error) -> SinkError {
    let doing = format!("staging rows for {}", layout.target);
    if error.code() == Some(&SqlState::UNDEFINED_TABLE) {
        let message = format!("the session has lost its temporary table: {error}");
        return SinkErrorKind::Connection { doing, message, cause: Some(error) }.at(session.label());
    }
    session.error(&doing, error)
}

/// The statement that makes staging. AS SELECT keeps the columns' types with their lengths and nothing else. Where the
/// target is spread over segments staging is spread likewise, or every batch would move rows between them.
async fn create(session: &Session, layout: &RowLayout, name: &str) -> Result<String, SinkError> {
    let (mut storage, mut distribution) = ("", String::new());
    if session.dialect().distributed {
        storage = " WITH (appendonly=false)";
        let found = catalog::shape(session, &layout.target).await?;
        distribution = found.map(|found| render::distributed(&found.table)).unwrap_or_default();
    }
    Ok(format!(
        "CREATE TEMPORARY TABLE {}{storage} ON COMMIT DELETE ROWS AS SELECT {} FROM {} WITH NO DATA{distribution}",
        identifier(name),
        columns(layout),
        qualified(&layout.target),
    ))
}

/// Makes staging if it is not there, and empties it.
pub(super) async fn empty(
    session: &Session,
    statements: &mut Statements,
    layout: &Arc<RowLayout>,
) -> Result<(), SinkError> {
    let failed = |error| failed(session, layout, error);
    let client = session.client();
    let name = staging_name(statements.number(layout));
    let staging = format!("pg_temp.{}", identifier(&name));
    let size = statements.staging_size(session).await?;
    let found = client.query_opt(&size, &[&name]).await.map_err(failed)?;
    match found.map(|row| row.try_get::<_, i64>(0)).transpose().map_err(failed)? {
        Some(0) => {}
        Some(_) => client.batch_execute(&format!("TRUNCATE {staging}")).await.map_err(failed)?,
        None => {
            let create = create(session, layout, &name).await?;
            client.batch_execute(&create).await.map_err(failed)?;
        }
    }
    Ok(())
}

/// Fills staging with rows, `count` in number.
pub(super) async fn fill<'a>(
    session: &Session,
    statements: &mut Statements,
    layout: &Arc<RowLayout>,
    rows: impl Iterator<Item = &'a [u8]>,
    count: usize,
) -> Result<(), SinkError> {
    let failed = |error| failed(session, layout, error);
    empty(session, statements, layout).await?;
    let statement = statements.get(session, layout, StatementKind::CopyStaging).await?;
    let taken = copy::send(session, &statement, rows).await.map_err(failed)?;
    copy::complete(session, &layout.target, count, taken)
}
