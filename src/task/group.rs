//! A copy group: the tables that are copied together, from their plans to P1.
//!
//! Sequence of [`copy()`]: plan each table of the group that is not copied yet; copy what no done record covers; see that no definition has
//! changed meanwhile; record P1 for all in one transaction.
//!
//! What must never happen here: P1 recorded before the last chunk has been read, a table followed whose copy has seen two definitions.

use super::TaskError;
use super::context::Context;
use super::copy::{self, CopyTable};
use super::during_copy;
use super::moved::{self, Moved, moved};
use super::prepare;
use super::progress::TaskProgress;
use super::recorded::{Known, Recorded};
use crate::change::state::{Checkpoint, TableState};
use crate::change::{Retry, TableName};
use crate::config::ExistingTables;
use crate::sink::Owner;
use crate::sink::apply::Existing;
use crate::sink::store::Stored;
use crate::source::server::Server;
use crate::transform::Plan;
use std::sync::{Arc, Mutex};

/// Copies what is not durable yet, then records P1 for the tables of the group; or gives the table whose definition is another one by
/// now: the stream has to come past that first.
pub(super) async fn copy(
    context: &Context,
    server: &mut Server,
    owner: &Arc<Owner>,
    stored: &Stored,
    checkpoint: &Checkpoint,
    tables: &mut Known,
) -> Result<Option<Moved>, TaskError> {
    let copying: Vec<TableName> = tables
        .iter()
        .filter(|(_, recorded)| matches!(recorded.state, TableState::Snapshotting { .. }))
        .map(|(name, _)| name.clone())
        .collect();
    if copying.is_empty() {
        return Ok(None);
    }
    context.progress.step(TaskProgress::copies);
    let group = plan(context, stored, checkpoint, tables, &copying)?;
    let has_advanced = |recorded: &Recorded| moved::has_advanced(&recorded.state, checkpoint);
    if let Some(first) = tables.values().find(|recorded| has_advanced(recorded)).map(Recorded::name)
        && !during_copy::is_visible(context, server, checkpoint).await?
    {
        let why = "what the log has is not known to be visible at the source";
        prepare::start_over(context, owner, tables, has_advanced, why).await?;
        return Err(TaskError::CopyAgain { table: first.clone(), why: why.to_owned() });
    }
    let copied = match copy::copy(context, owner, group).await {
        Err(error) if error.is_copy_again() || error.retry() != Retry::AfterBackoff => {
            // A value that does not fit was one of a definition that came after P0.
            match moved(&copying, tables, &server.tables(&context.task().tables).await?, error) {
                Ok(moved) => return Ok(Some(moved)),
                Err(error) => Err(error),
            }
        }
        copied => copied,
    };
    let (table, why) = match copied {
        Ok(()) => return record_p1(context, server, owner, tables, &copying).await.map(|()| None),
        Err(TaskError::CopyAgain { table, why }) => (table, why),
        Err(error) => return Err(error),
    };
    tracing::warn!(
        task = context.name,
        %table,
        why,
        "a table changed while it was copied; the copy starts over"
    );
    // Aside the others are not held up by a table that changes again and again.
    let with_it = |recorded: &Recorded| !context.is_aside() || *recorded.name() == table;
    let copied =
        |recorded: &Recorded| matches!(recorded.state, TableState::Snapshotting { .. }) && with_it(recorded);
    prepare::start_over(context, owner, tables, copied, &why).await?;
    Err(TaskError::CopyAgain { table, why })
}

/// What is copied of each table, and how.
fn plan(
    context: &Context,
    stored: &Stored,
    checkpoint: &Checkpoint,
    tables: &Known,
    copying: &[TableName],
) -> Result<Vec<CopyTable>, TaskError> {
    let mut group = Vec::new();
    for name in copying {
        let recorded = tables.get(name).ok_or_else(|| TaskError::missing(name))?;
        let table = &recorded.table;
        let plan =
            Plan::compile(table, &recorded.mapping, &recorded.mapping.target.columns, &context.policies())?;
        let fed = target_key(recorded)?;
        let key = &recorded.table.primary_key;
        // Those of an index of the source, its primary key where it has one.
        let key = if key.is_empty() { fed.clone() } else { key.clone() };
        let rows_stay = context.task().existing_tables == ExistingTables::Ignore && !recorded.created;
        // A key of the target that is not the chunks' may have moved to another row since its chunk was read: the stream,
        // which has both rows' changes, puts it right.
        let wanders = !key.iter().all(|column| fed.contains(column));
        let advanced = moved::has_advanced(&recorded.state, checkpoint);
        let done = stored
            .tables
            .get(name)
            .filter(|stored| stored.state == recorded.state)
            .map(|stored| stored.chunks.clone())
            .unwrap_or_default();
        group.push(CopyTable {
            table: table.clone(),
            plan,
            key,
            existing: if rows_stay || wanders || advanced { Existing::Keep } else { Existing::Fresh },
            done,
            keeps_unfit: context.quarantines(name),
            kept: Mutex::default(),
            // Rows of the target's own stay.
            advanced: advanced && !rows_stay,
        });
    }
    Ok(group)
}

/// Records P1 for the tables that are copied.
async fn record_p1(
    context: &Context,
    server: &mut Server,
    owner: &Owner,
    tables: &mut Known,
    copied: &[TableName],
) -> Result<(), TaskError> {
    // Every chunk has been read: whatever one has seen is logged by now.
    let p1 = server.log_end().await?;
    tracing::info!(task = context.name, position = %p1.file, "P1: every chunk is copied, the log is followed from P0 to here");
    let (session, store) = (owner.session(), owner.store());
    prepare::transaction(session, "BEGIN").await?;
    for name in copied {
        let recorded = tables.get_mut(name).ok_or_else(|| TaskError::missing(name))?;
        let TableState::Snapshotting { p0 } = &recorded.state else {
            return Err(TaskError::Internal(format!("{name} is copied, and was {:?}", recorded.state)));
        };
        recorded.state = TableState::CatchingUp { p0: p0.clone(), p1: p1.clone() };
        recorded.record(&store, session).await?;
    }
    prepare::transaction(session, "COMMIT").await?;
    context.progress.step(|progress, now| progress.records_p1(copied, now));
    Ok(())
}

/// Source columns of the target's key, without the tag, which no source column feeds.
fn target_key(recorded: &Recorded) -> Result<Vec<usize>, TaskError> {
    let mapping = &recorded.mapping;
    let tag = mapping.source_tag.as_ref().and_then(|(index, _)| mapping.target.columns.get(*index));
    let own = mapping.target.primary_key.iter().filter(|name| tag.is_none_or(|tag| tag.name != **name));
    let source_of = |name: &String| {
        let what = || TaskError::missing(format!("the source of key column {name} of {}", recorded.target()));
        mapping.source_of(name).ok_or_else(what)
    };
    own.map(source_of).collect()
}

/// P1 is a place in one server's files, and on MariaDB P0 too: when the source is another server by now they are recorded anew.
/// Only of tables that were not copied; see [`prepare::begun_elsewhere`].
pub(super) async fn renew_p1(
    context: &Context,
    server: &mut Server,
    owner: &Owner,
    tables: &mut Known,
) -> Result<(), TaskError> {
    let (session, store) = (owner.session(), owner.store());
    if !tables.values().any(|recorded| matches!(recorded.state, TableState::CatchingUp { .. })) {
        return Ok(());
    }
    let end = server.log_end().await?;
    for recorded in tables.values_mut() {
        let Some(moved) = recorded.state.moved_to(&end) else { continue };
        tracing::info!(task = context.name, table = %recorded.name(), "the source is another server now: P1 is recorded anew");
        recorded.state = moved;
        recorded.record(&store, session).await?;
    }
    Ok(())
}
