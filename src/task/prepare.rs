//! SchemaSync: target tables are made or emptied, and with them, in one target transaction, P0, the definitions and
//! the states that say so.
//!
//! What must never happen here: a table emptied that is not recorded as such in the same transaction.

use super::TaskError;
use super::context::Context;
use super::gather::Gathered;
use super::handoff::Settled;
use super::recorded::{self, Known, Recorded};
use super::sides::Sides;
use super::targets;
use crate::change::remedy::InConfig;
use crate::change::state::{Checkpoint, TableState};
use crate::change::{TableName, TargetName};
use crate::config::ExistingTables;
use crate::sink::owner::Sessions;
use crate::sink::store::Stored;
use crate::sink::{Owner, Session, SinkError, ddl};
use crate::source::server::Server;
use std::collections::BTreeSet;

/// A group that is ready to be copied (or to be followed, when nothing is copied).
#[derive(Debug)]
pub struct ReadyGroup {
    /// The durable checkpoint.
    pub checkpoint: Checkpoint,
    /// Every carried table with its definition, those of earlier groups too.
    pub tables: Known,
}

/// What the stored state says of the tables, read as this version's types.
///
/// # Errors
/// When it cannot be read.
pub fn known(context: &Context, stored: &Stored) -> Result<Known, TaskError> {
    let mut known = Known::new();
    for (name, table) in &stored.tables {
        if let (true, Some(schema)) = (table.state.is_of_main(), table.schemas.last()) {
            known.insert(name.clone(), Recorded::read(context, &schema.table, table)?);
        }
    }
    Ok(known)
}

/// Forgets tables that the config no longer selects: should they be selected again, they are copied anew.
///
/// # Errors
/// When the target fails.
pub async fn forget_unselected(
    context: &Context,
    owner: &Owner,
    stored: &mut Stored,
) -> Result<(), TaskError> {
    let gone: Vec<TableName> = stored
        .tables
        .keys()
        .filter(|name| !context.task().tables.contains(&name.database, &name.table))
        .cloned()
        .collect();
    for name in gone {
        let (session, store) = (owner.session(), owner.store());
        transaction(session, "BEGIN").await?;
        if let Some(table) = stored.tables.remove(&name) {
            if let Some(copy) = recorded::copy_beside(context, &name, &table)? {
                ddl::drop_table(session, &copy).await?;
            }
            if let TableState::Aside { side, .. } = table.state
                && !Sides::of(stored).groups.contains_key(&side)
            {
                store.close_side(session, side).await?;
            }
        }
        store.forget_table(session, &name).await?;
        transaction(session, "COMMIT").await?;
        tracing::info!(task = context.name, table = %name, "no longer selected: forgotten; its target table stays");
    }
    Ok(())
}

/// Records the mappings of tables whose target somebody has widened; true when there are such.
///
/// # Errors
/// When the target fails.
pub async fn record_widened(
    context: &Context,
    owner: &Owner,
    stored: &Stored,
    gathered: &Gathered,
) -> Result<bool, TaskError> {
    let (session, store) = (owner.session(), owner.store());
    if gathered.widened.is_empty() {
        return Ok(false);
    }
    let mut known = known(context, stored)?;
    for (table, mapping) in &gathered.mappings {
        let (Ok(mapping), true) = (mapping, gathered.widened.contains(table)) else { continue };
        let recorded = known.get_mut(table).ok_or_else(|| TaskError::missing(table))?;
        recorded.mapping = mapping.clone();
        transaction(session, "BEGIN").await?;
        recorded.record(&store, session).await?;
        transaction(session, "COMMIT").await?;
        let target = recorded.target();
        tracing::info!(task = context.name, %table, %target, "somebody has widened columns of the target table: taken over");
    }
    Ok(true)
}

/// Records tables that have come as those of the side stream of this number.
///
/// # Errors
/// When the target fails.
pub async fn put_aside(
    context: &Context,
    owner: &Owner,
    side: u32,
    tables: &BTreeSet<TableName>,
) -> Result<(), TaskError> {
    // Beside what others do on the owner's session.
    let sessions = Sessions::default();
    let aside = owner.aside(context.target(), side, &sessions).await?;
    let (session, store) = (aside.session(), aside.store());
    transaction(session, "BEGIN").await?;
    store.close_side(session, side).await?;
    for table in tables {
        store.record_pending(session, table).await?;
    }
    transaction(session, "COMMIT").await?;
    for table in tables {
        tracing::info!(task = context.name, %table, "a selected table has come: it is added beside the others");
    }
    Ok(owner.end(&sessions).await?)
}

/// Makes the targets of the tables in `settled` that are not in `known`, and records all of it at once. With `shared` other tasks
/// may make the same at the same time.
///
/// # Errors
/// When a table cannot be mapped or made; nothing is then recorded.
pub async fn prepare(
    context: &Context,
    owner: &Owner,
    settled: Settled,
    checkpoint: Option<Checkpoint>,
    known: Known,
    p1: Option<crate::change::state::CatchUpTarget>,
    shared: bool,
) -> Result<ReadyGroup, TaskError> {
    let task = context.task();
    let session = owner.session();
    let store = owner.store();
    let mut tables = known;
    let mut fresh = Vec::new();
    for (table, p0) in settled.tables {
        if !tables.contains_key(&table.name) {
            let (mapping, place) = context.map(&table)?;
            fresh.push((table, mapping, place, p0));
        }
    }
    let schemas: BTreeSet<String> =
        fresh.iter().map(|(_, mapping, ..)| mapping.target.name.schema.clone()).collect();
    // Tables of the target that feeders of this task have (many-to-one): theirs to share, not found here by chance.
    let mut ours: BTreeSet<TargetName> = tables.values().map(|recorded| recorded.target().clone()).collect();
    transaction(session, "BEGIN").await?;
    if shared {
        ddl::one_at_a_time(session).await?;
    }
    // On whatever stream.
    let is_fresh = |name: &TableName| fresh.iter().any(|(table, ..)| table.name == *name);
    let fed = store.feeders(session).await?.into_iter();
    ours.extend(fed.filter(|(_, by)| !by.iter().all(is_fresh)).map(|(target, _)| target));
    if task.initial_schema {
        ddl::create_schemas(session, &schemas).await?;
    }
    // With nothing followed yet the checkpoint may start (or start over) at the new P0.
    let checkpoint = match checkpoint {
        None => store.start(session, &settled.position).await?,
        Some(checkpoint) if tables.is_empty() => {
            store.advance(session, &checkpoint, &settled.position).await?
        }
        Some(checkpoint) => checkpoint,
    };
    for (table, mapping, place, p0) in fresh {
        let shared = !ours.insert(mapping.target.name.clone());
        if shared && mapping.source_tag.is_none() {
            let why = format!("another table of the task feeds {} too", mapping.target.name);
            return Err(targets::mismatch(&mapping, why, InConfig::OneFeeder));
        }
        let former = context.former(&table.name);
        let created = match former {
            Some(former) if place.is_some() => {
                // What an earlier try has left.
                ddl::drop_table(session, &mapping.target.name).await?;
                ddl::create_table(session, &mapping.target).await?;
                former.created
            }
            _ => targets::make(context, owner, &mapping, shared || !task.initial_data).await?,
        };
        let (former, mut renamed) =
            former.map(|former| (former.columns.clone(), former.renamed.clone())).unwrap_or_default();
        let has = |name: &String| mapping.target.columns.iter().any(|column| column.name == *name);
        renamed.retain(|(there, here)| has(here) && !has(there));
        let state = match &p1 {
            Some(p1) => TableState::CatchingUp { p0: p0.clone(), p1: p1.clone() },
            None => TableState::Snapshotting { p0: p0.clone() },
        };
        // What lies in a table that was not made nor emptied may be anybody's.
        let found = task.existing_tables == ExistingTables::Ignore || !task.initial_data;
        let mixed = place.is_none() && !created && found;
        let names = recorded::names(&table).collect();
        let taken_out = false;
        let recorded =
            Recorded { table, state, mapping, created, taken_out, mixed, place, former, renamed, names };
        // With what an earlier copy left: a worker's last commit may have come in after the reset of its table.
        recorded.reset(&store, session, &recorded.state).await?;
        recorded.record_schema(&store, session, &p0).await?;
        tables.insert(recorded.name().clone(), recorded);
    }
    transaction(session, "COMMIT").await?;
    Ok(ReadyGroup { checkpoint, tables })
}

/// A selected table changed under its copy: the tables that `chosen` names are copied from the start. Those that were made
/// here are dropped, others lose what was copied into them; rows that were to stay make starting over impossible.
///
/// # Errors
/// When existing rows were to stay, or the target fails.
pub async fn start_over(
    context: &Context,
    owner: &Owner,
    tables: &Known,
    chosen: impl Fn(&Recorded) -> bool,
    why: &str,
) -> Result<(), TaskError> {
    let (session, store) = (owner.session(), owner.store());
    let copying: Vec<&Recorded> = tables.values().filter(|recorded| chosen(recorded)).collect();
    let again: BTreeSet<&TableName> = copying.iter().map(|recorded| recorded.name()).collect();
    transaction(session, "BEGIN").await?;
    if copying.iter().any(|recorded| recorded.mapping.source_tag.is_some()) {
        ddl::one_at_a_time(session).await?;
    }
    // A table that others feed too, on whatever stream, keeps their rows.
    let feeders = store.feeders(session).await?;
    let others = |name: &TargetName| {
        feeders.get(name).is_some_and(|feeders| feeders.iter().any(|feeder| !again.contains(feeder)))
    };
    let mut dropped: BTreeSet<&TargetName> = BTreeSet::new();
    for recorded in &copying {
        let name = &recorded.mapping.target.name;
        let other = store.other_feeder(session, name).await?;
        if let (Some(other), None) = (&other, &recorded.mapping.source_tag) {
            transaction(session, "ROLLBACK").await?;
            return Err(TaskError::Unreplaceable {
                table: recorded.name().clone(),
                target: name.clone(),
                why: format!("{why}, and its rows in {name} cannot be told from those of task \"{other}\""),
            });
        }
        if recorded.place.is_some() || (recorded.created && other.is_none() && !others(name)) {
            dropped.insert(name);
        }
    }
    // Tagged rows are this task's whatever else was there.
    let mixed = |recorded: &Recorded| {
        recorded.mapping.source_tag.is_none() && !dropped.contains(&recorded.mapping.target.name)
    };
    if context.task().existing_tables == ExistingTables::Ignore
        && let Some(recorded) = copying.iter().find(|recorded| mixed(recorded))
    {
        transaction(session, "ROLLBACK").await?;
        let target = recorded.target().clone();
        return Err(TaskError::Unreplaceable {
            table: recorded.name().clone(),
            why: format!(
                "{why}, and with existing_tables = \"ignore\" its rows in {target} cannot be told from those that were there"
            ),
            target,
        });
    }
    for recorded in copying {
        let target = recorded.target();
        let mut recorded = (*recorded).clone();
        if dropped.contains(target) {
            ddl::drop_table(session, target).await?;
            recorded.taken_out |= recorded.place.is_none();
        } else {
            // What the copy put into a table that was there before and empty, or is shared and told apart by a tag.
            ddl::clear(session, target, &targets::own_rows(&recorded.mapping)).await?;
        }
        recorded.reset(&store, session, &TableState::Pending).await?;
    }
    transaction(session, "COMMIT").await?;
    Ok(())
}

/// Starts over what was copied from another server and is not caught up: this one may lack what chunks have seen, and a P1 of
/// its own may lie before that. (What is caught up holds nothing beyond the checkpoint, which the precheck compares.)
///
/// # Errors
/// When a server fails, or existing rows were to stay.
pub async fn begun_elsewhere(
    context: &Context,
    server: &mut Server,
    owner: &Owner,
    stored: &Stored,
) -> Result<bool, TaskError> {
    if !context.task().initial_data {
        return Ok(false);
    }
    let uuid = server.identity().to_owned();
    let known = known(context, stored)?;
    let copied_from = |recorded: &Recorded| match &recorded.state {
        TableState::Snapshotting { .. } => {
            let schemas = &stored.tables.get(recorded.name())?.schemas;
            Some(schemas.first()?.valid_from.server.clone())
        }
        TableState::CatchingUp { p1, .. } => Some(p1.server.clone()),
        TableState::Pending
        | TableState::Streaming
        | TableState::Aside { .. }
        | TableState::Parked(_)
        | TableState::Paused { .. }
        | TableState::LetGo => None,
    };
    let elsewhere = |recorded: &Recorded| copied_from(recorded).is_some_and(|server| server != uuid);
    if !known.values().any(elsewhere) {
        return Ok(false);
    }
    let why =
        format!("the copy was begun on another server, and this one ({uuid}) may not have all it has seen");
    tracing::warn!(task = context.name, "{why}; it starts over");
    start_over(context, owner, &known, elsewhere, &why).await?;
    Ok(true)
}

/// Runs `BEGIN` or `COMMIT` on a session.
pub async fn transaction(session: &Session, sql: &str) -> Result<(), SinkError> {
    session.client().batch_execute(sql).await.map_err(|error| session.error(sql, error))
}
