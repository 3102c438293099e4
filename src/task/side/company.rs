//! Tables that a side stream cannot carry without others, for their rows change together by foreign keys that the source follows
//! without a word in its log: all of them come to it.
//!
//! What must never happen here: a table copied beside a parent whose events another stream has.

use super::lane::Lane;
use super::meet::{Asked, Visit};
use crate::change::TableName;
use crate::change::remedy::Remedy;
use crate::change::state::TableState;
use crate::sink::Owner;
use crate::sink::store::Stored;
use crate::source::server::Server;
use crate::task::gather::Gathered;
use crate::task::{TaskError, prepare};
use crate::transform::cascade;
use std::collections::{BTreeMap, BTreeSet};
use tokio::sync::oneshot;

/// What became of the lane's tables.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Company {
    /// All are there that belong to them.
    Whole,
    /// Others have come, and all of them begin together.
    Came,
    /// They have gone to another side stream.
    Left,
}

/// Side streams that carry their tables, or are about to: not those whose turn has not come, or that wait for others.
pub(in crate::task) type BusySides = tokio::sync::Mutex<BTreeSet<u32>>;

/// Has those come that belong to the lane's tables.
///
/// # Errors
/// [`TaskError::Unsettled`] while one is on another side stream, and an error of the table that cannot be carried because one of those
/// that its rows hang on is not carried.
pub(super) async fn fetch(
    lane: &Lane,
    server: &mut Server,
    owner: &Owner,
    stored: &Stored,
    gathered: &Gathered,
) -> Result<Company, TaskError> {
    if !gathered.source.cascades().silent {
        return Ok(Company::Whole);
    }
    let task = lane.main.task();
    let names = gathered.source.names();
    let shown = server.references(&task.tables).await?;
    // Child and parent, as names are compared.
    let mut pairs: BTreeSet<(TableName, TableName)> = BTreeSet::new();
    for (child, keys) in &shown {
        for (key, parent) in keys {
            let accepted = cascade::accepts(&task.accept_cascades, &format!("{child}.{key}"));
            if !accepted || task.tables.contains(&parent.database, &parent.table) {
                pairs.insert((names.folded(child), names.folded(parent)));
            }
        }
    }
    let own: BTreeSet<TableName> = stored.tables.keys().map(|name| names.folded(name)).collect();
    if !pairs.iter().any(|(child, parent)| own.contains(child) || own.contains(parent)) {
        return Ok(Company::Whole);
    }
    let everywhere = lane.owner.store().load(owner.session()).await?;
    let on_record: BTreeMap<TableName, (&TableName, &TableState)> =
        everywhere.tables.iter().map(|(name, table)| (names.folded(name), (name, &table.state))).collect();
    let mut all = own.clone();
    loop {
        let before = all.len();
        for (child, parent) in &pairs {
            if all.contains(child) {
                all.insert(parent.clone());
            }
            let rests = match on_record.get(child) {
                Some((_, TableState::Parked(_) | TableState::Paused { .. } | TableState::LetGo)) | None => {
                    true
                }
                Some(_) => false,
            };
            if all.contains(parent) && !rests {
                all.insert(child.clone());
            }
        }
        if all.len() == before {
            break;
        }
    }
    let mut come = Vec::new();
    for name in all.difference(&own) {
        if !task.tables.contains(&name.database, &name.table) {
            // The precheck says so.
            continue;
        }
        match on_record.get(name) {
            Some((
                name,
                TableState::Streaming | TableState::CatchingUp { .. } | TableState::Snapshotting { .. },
            )) => {
                come.push((*name).clone());
            }
            Some((other, TableState::Aside { side, .. })) => {
                return meets(lane, owner, stored, other, *side).await;
            }
            Some((other, TableState::Parked(_) | TableState::Paused { .. } | TableState::LetGo)) => {
                let hangs = stored.tables.keys().find(|own| is_above(&pairs, name, &names.folded(own)));
                let Some(table) = hangs.cloned() else { continue };
                return Err(without(&table, other));
            }
            Some((_, TableState::Pending)) | None => {
                // It is coming, or the precheck says that it is not carried.
            }
        }
    }
    if come.is_empty() {
        return Ok(Company::Whole);
    }
    let mut came = false;
    for table in come {
        tracing::info!(task = lane.main.name, side = lane.side, %table, "it comes along: its rows change together with those of others that are copied");
        let (heard, done) = oneshot::channel();
        let what = Asked::Beside { side: lane.side };
        let sent = lane.visits.send(Visit::Asked { table: table.clone(), what, heard }).await;
        // Another one may have brought it along.
        came |= sent.is_ok() && done.await.is_ok();
    }
    if came {
        return Ok(Company::Came);
    }
    Err(TaskError::Unsettled { why: "tables that belong together are not with the main stream".to_owned() })
}

/// One that belongs to them is on another side stream: that is waited for while it is busy; else they go there, for it may wait for
/// the place of this one.
async fn meets(
    lane: &Lane,
    owner: &Owner,
    stored: &Stored,
    other: &TableName,
    side: u32,
) -> Result<Company, TaskError> {
    let mut busy = lane.task.busy.lock().await;
    if busy.contains(&side) {
        busy.remove(&lane.side);
        let why = format!(
            "rows change together with those of {other}, which is on its way to the others by itself"
        );
        return Err(TaskError::Unsettled { why });
    }
    if stored.tables.values().any(|table| table.state != TableState::Pending) {
        return Ok(Company::Came);
    }
    let (session, store) = (owner.session(), owner.store());
    prepare::transaction(session, "BEGIN").await?;
    for name in stored.tables.keys() {
        store.renumber(session, name, side).await?;
    }
    store.close_side(session, lane.side).await?;
    prepare::transaction(session, "COMMIT").await?;
    for name in stored.tables.keys() {
        lane.task.rests().leaves(name);
    }
    Ok(Company::Left)
}

/// Whether `above` is the parent of a table, or the parent of one.
fn is_above(pairs: &BTreeSet<(TableName, TableName)>, above: &TableName, table: &TableName) -> bool {
    let mut all = BTreeSet::from([table.clone()]);
    loop {
        let before = all.len();
        let parents: Vec<TableName> =
            pairs.iter().filter(|(child, _)| all.contains(child)).map(|(_, parent)| parent.clone()).collect();
        all.extend(parents);
        if all.len() == before {
            return table != above && all.contains(above);
        }
    }
}

fn without(table: &TableName, other: &TableName) -> TaskError {
    let summary = format!(
        "its rows change together with those of {other} by foreign keys, and {other} is not carried now"
    );
    let again = |table: &TableName| Remedy::Resync { table: table.clone() };
    let error = Box::new(TaskError::Precheck { summary, remedy: again(other).and(again(table)) });
    TaskError::OfTable { table: table.clone(), error }
}

/// The tables whose rows change with those of a table, it among them, by keys given as child and parent.
pub(in crate::task) fn below(table: &TableName, keys: &[(TableName, TableName)]) -> BTreeSet<TableName> {
    // Upper case may be another table's: more than needed is chosen then.
    let alike = |one: &TableName, other: &TableName| one.to_string().eq_ignore_ascii_case(&other.to_string());
    let mut all = BTreeSet::from([table.clone()]);
    loop {
        let more: Vec<TableName> = keys
            .iter()
            .filter(|(child, parent)| !all.contains(child) && all.iter().any(|one| alike(one, parent)))
            .map(|(child, _)| child.clone())
            .collect();
        if more.is_empty() {
            return all;
        }
        all.extend(more);
    }
}
