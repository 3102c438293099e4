//! One group's way: its copy, its stream up to the main stream, and what becomes of it where it cannot be carried.
//!
//! What must never happen here: a table that readers have dropped or emptied, a table left half copied where they look for it.

use super::Ended;
use super::company::{self, Company};
use super::meet::{Guest, Visit};
use crate::change::remedy::Remedy;
use crate::change::state::{TableState, Trouble};
use crate::change::{FilePosition, Retry, TableName, TargetName};
use crate::config::types::Selection;
use crate::precheck::{Item, newcomers};
use crate::sink::owner::Sessions;
use crate::sink::store::{Stored, StoredTable};
use crate::sink::{Owner, catalog};
use crate::source::server::Server;
use crate::status::now;
use crate::task::context::{Context, Replaced};
use crate::task::during_copy::{self, Halfway};
use crate::task::gather::{self, Gathered};
use crate::task::memory::Memory;
use crate::task::moved::Moved;
use crate::task::prepare::ReadyGroup;
use crate::task::recorded::{self, Recorded};
use crate::task::sides::Ask;
use crate::task::{
    TaskError, group, parking, prepare, refuse_failures, schema_sync, stream, targets, tell, waiting,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

/// The first pause before a group is tried again, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(60));

/// The first pause where somebody has to mend something that is not of the group's tables.
const LATE: Duration = Duration::from_secs(5);

/// How often it is looked for a table that is not there.
const GONE_TRIES: u32 = 4;

/// A group of tables on its way to the main stream.
pub(super) struct Lane {
    /// The main stream's surroundings.
    pub main: Context,
    /// The main stream's ownership.
    pub owner: Arc<Owner>,
    /// Its number.
    pub side: u32,
    /// Its tables when it began.
    pub tables: BTreeSet<TableName>,
    /// The main stream.
    pub visits: mpsc::Sender<Visit>,
    /// Who runs other groups.
    pub asks: mpsc::UnboundedSender<Ask>,
    /// Where the main stream is.
    pub main_at: watch::Receiver<Option<FilePosition>>,
    /// The number of the last side stream.
    pub last: Arc<AtomicU32>,
    /// What the task keeps from one attempt to the next.
    pub task: Arc<Memory>,
    /// Sessions of the attempt that runs, or of the last one.
    pub sessions: Sessions,
}

/// Carries the group until the main stream takes it over.
///
/// # Errors
/// When nobody can be told what became of it: the target cannot be written, or another process has the task. And what is to stop the
/// task, by its config or because this program contradicts itself.
pub(super) async fn run(lane: Lane, stop: CancellationToken) -> Result<Ended, TaskError> {
    let mut pause = PAUSES.0;
    let mut tries = 0;
    let mut failing_since = None;
    let mut moved = None;
    let memory = Arc::new(Memory::default());
    loop {
        tries += 1;
        let attempt = Box::pin(attempt(&lane, &memory, &stop, moved.take()));
        let error = match attempt.await {
            Ok(Way::Ends(Ended::Stopped)) => return Ok(Ended::Stopped),
            Ok(Way::GoesOn(met)) => {
                moved = met;
                continue;
            }
            Ok(Way::Ends(ended)) => {
                lane.owner.end(&lane.sessions).await?;
                return Ok(ended);
            }
            Err(error) => error,
        };
        if stop.is_cancelled() {
            return Ok(Ended::Stopped);
        }
        let told = error.to_string();
        let remedy = error.retry().remedy().to_string();
        let since = *failing_since.get_or_insert_with(|| now().seconds());
        match Box::pin(goes_on(&lane, error, tries)).await {
            Ok(After::Soon) => {}
            Ok(After::Less) => pause = PAUSES.0,
            // To wait for long would make no better moment.
            Ok(After::Anew) => pause = pause.min(LATE),
            Ok(After::Late) => pause = pause.max(LATE),
            Ok(After::Never) => {
                lane.owner.end(&lane.sessions).await?;
                return Ok(Ended::Refused);
            }
            // It may be durable or not, which the whole task finds out when it starts over.
            Err(other) => return Err(other),
        }
        tell_trouble(&lane, &told, &remedy, since);
        tracing::warn!(
            task = lane.main.name,
            side = lane.side,
            pause_ms = pause.as_millis(),
            "tables aside are tried again: {told}"
        );
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return Ok(Ended::Stopped),
        }
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// Says at each of the group's tables what keeps it.
fn tell_trouble(lane: &Lane, error: &str, remedy: &str, since: u64) {
    lane.main.progress.tell(|task| {
        for name in &lane.tables {
            if let Some(table) = task.tables.get_mut(&name.to_string()).filter(|table| table.aside) {
                let (error, remedy) = (error.to_owned(), remedy.to_owned());
                table.trouble = Some(Trouble { error, remedy, since, gone: false });
            }
        }
    });
}

/// When a group is tried again.
enum After {
    Soon,
    /// A table has left the group.
    Less,
    /// A table changed under its copy.
    Anew,
    /// Somebody has to mend something first that is not of its tables.
    Late,
    /// Nothing of it is left.
    Never,
}

/// Makes of an error what follows from it for the group: tables are put back to their start, are taken out of it, or wait.
async fn goes_on(lane: &Lane, error: TaskError, tries: u32) -> Result<After, TaskError> {
    if let TaskError::CopyAgain { table, .. } = &error {
        return starts_anew(lane, table).await;
    }
    if let TaskError::OfGroup { .. } = &error {
        return start_over(lane).await.map(|_| After::Anew);
    }
    // One that is made and dropped again meanwhile looks like one without a key, or without columns.
    if tries < GONE_TRIES && error.is_of_its_definition() {
        return Ok(After::Soon);
    }
    match (error.retry(), error.table().cloned()) {
        (Retry::AfterBackoff, _) => Ok(After::Soon),
        (_, Some(table)) => refused(lane, &table, error).await,
        (Retry::Never, None) => Err(error),
        (Retry::AfterFix { remedy }, None) if remedy.is_copy_of_task() => {
            if let Some(table) = keeps_more(lane).await? {
                let remedy = Remedy::Resync { table: table.clone() };
                let error = Box::new(TaskError::Precheck { summary: error.to_string(), remedy });
                return refused(lane, &table, TaskError::OfTable { table: table.clone(), error }).await;
            }
            let tables: Vec<String> = lane.tables.iter().map(ToString::to_string).collect();
            let tables = tables.join(", ");
            tracing::warn!(
                task = lane.main.name,
                side = lane.side,
                "{tables}: copied again, for the source's log has not what comes next: {error}"
            );
            start_over(lane).await
        }
        (Retry::AfterFix { .. }, None) => Ok(After::Late),
    }
}

/// A table that has gone on from where it was paused, and holds in the target what a copy of the source would not bring back.
async fn keeps_more(lane: &Lane) -> Result<Option<TableName>, TaskError> {
    let (_owner, stored) = open(lane).await?;
    for (name, table) in &stored.tables {
        let is_resumed =
            table.state == TableState::Streaming && recorded::copy_beside(&lane.main, name, table)?.is_none();
        if is_resumed && (lane.main.keeps_rows(name) || !lane.main.task().operations.update) {
            return Ok(Some(name.clone()));
        }
    }
    Ok(None)
}

/// The group's records, on a session of their own. Nothing of an earlier attempt can become durable after this.
async fn open(lane: &Lane) -> Result<(Arc<Owner>, Stored), TaskError> {
    lane.owner.end(&lane.sessions).await?;
    let owner = lane.owner.aside(lane.main.target(), lane.side, &lane.sessions).await?;
    owner.store().open_side(owner.session()).await?;
    let stored = owner.store().load(owner.session()).await?;
    Ok((Arc::new(owner), stored))
}

/// How an attempt has come to its end.
enum Way {
    Ends(Ended),
    /// The stream has come up to now; or it has to, past what the copy has met.
    GoesOn(Option<Moved>),
}

/// Goes on where the group is. Where its copy has met another definition its stream comes up to now first.
async fn attempt(
    lane: &Lane,
    memory: &Arc<Memory>,
    stop: &CancellationToken,
    moved: Option<Moved>,
) -> Result<Way, TaskError> {
    lane.task.busy.lock().await.insert(lane.side);
    let (owner, stored) = open(lane).await?;
    if has_joined(lane, &owner, &stored).await? {
        return Ok(Way::Ends(Ended::Joined));
    }
    let tables = stored.tables.keys().cloned().collect();
    let context = lane.main.aside(&tables, replaced(lane, &owner, &stored).await?)?;
    let mut server = Server::connect(context.source()).await?;
    let mut gathered = gather::gather(&context, &mut server, owner.session(), Some(stored.clone())).await?;
    for name in stored.tables.keys() {
        if !gathered.definitions.iter().any(|table| table.name == *name) {
            return Err(TaskError::Gone { table: name.clone() });
        }
    }
    match company::fetch(lane, &mut server, &owner, &stored, &gathered).await? {
        Company::Whole => {}
        Company::Came => {
            start_over(lane).await?;
            return Ok(Way::GoesOn(None));
        }
        Company::Left => return Ok(Way::Ends(Ended::Refused)),
    }
    passes(&context, &mut gathered)?;
    // One that was paused may have been for long.
    prepare::record_widened(&context, &owner, &stored, &gathered).await?;
    prepare::begun_elsewhere(&context, &mut server, &owner, &stored).await?;
    let stored = owner.store().load(owner.session()).await?;
    let prepared = schema_sync(&context, &mut server, &owner, &stored, &mut gathered).await?;
    let (checkpoint, mut tables) = (prepared.checkpoint, prepared.tables);
    // It may have gone since it was judged: a stream without it would join, and leave it to nobody.
    if let Some(name) = stored.tables.keys().find(|name| !tables.contains_key(name)) {
        return Err(TaskError::Gone { table: name.clone() });
    }
    tell::tables_aside(&context, &tables, &gathered, &checkpoint.position);
    if moved.is_none()
        && let Some(moved) =
            group::copy(&context, &mut server, &owner, &stored, &checkpoint, &mut tables).await?
    {
        return Ok(Way::GoesOn(Some(moved)));
    }
    let pid = owner.session().backend_pid();
    waiting::at_target(&context, pid, group::renew_p1(&context, &mut server, &owner, &mut tables)).await?;
    let source = stream::Source::new(server, &gathered, BTreeMap::new());
    if let Some(moved) = moved {
        let halfway = Halfway { source, prepared: ReadyGroup { checkpoint, tables }, sides: None };
        Box::pin(during_copy::advance(&context, &owner, halfway, moved, memory, stop)).await?;
        return Ok(if stop.is_cancelled() { Way::Ends(Ended::Stopped) } else { Way::GoesOn(None) });
    }
    let (end, joined) = (stop.child_token(), Arc::new(AtomicBool::new(false)));
    let recorded = tables.values().cloned().collect();
    let (main_at, visits) = (lane.main_at.clone(), lane.visits.clone());
    let guest = Guest::new(lane.side, main_at, visits, recorded, end.clone(), joined.clone());
    context.progress.step(|progress, now| progress.follows(checkpoint.position.to_string(), now));
    let company = stream::Company::Side(guest);
    let following = stream::follow(
        &context,
        source,
        owner,
        ReadyGroup { checkpoint, tables },
        memory.clone(),
        end,
        company,
    );
    let followed = Box::pin(following).await;
    if joined.load(Relaxed) {
        return Ok(Way::Ends(Ended::Joined));
    }
    followed.map(|()| Way::Ends(Ended::Stopped))
}

/// Whether nothing is on record of the group any more: the main stream has taken it over, though the answer to that was lost.
async fn has_joined(lane: &Lane, owner: &Owner, stored: &Stored) -> Result<bool, TaskError> {
    if !stored.tables.is_empty() {
        return Ok(false);
    }
    let session = owner.session();
    prepare::transaction(session, "BEGIN").await?;
    owner.store().close_side(session, lane.side).await?;
    prepare::transaction(session, "COMMIT").await?;
    Ok(true)
}

/// Holds the group against the precheck. What is about one of its tables does not concern the others.
fn passes(context: &Context, gathered: &mut Gathered) -> Result<(), TaskError> {
    let report = gather::judge(context, gathered);
    let about = newcomers::about(&gathered.mappings);
    let of = |item: &Item| about.get(&item.subject).and_then(|tables| tables.first()).copied();
    let refused = refuse_failures(&report);
    match report.failures().map(of).collect::<Option<Vec<_>>>().as_deref() {
        Some([table, ..]) => {
            refused.map_err(|error| TaskError::OfTable { table: (*table).clone(), error: Box::new(error) })
        }
        Some([]) | None => refused,
    }
}

/// The tables that are copied beside the ones that readers have.
async fn replaced(
    lane: &Lane,
    owner: &Owner,
    stored: &Stored,
) -> Result<BTreeMap<TableName, Replaced>, TaskError> {
    let was_carried = |table: &StoredTable| !table.mapping.is_null();
    let known: Vec<(&TableName, &StoredTable)> =
        stored.tables.iter().filter(|(_, table)| was_carried(table)).collect();
    let wanted: Vec<TargetName> = known.iter().map(|(_, table)| table.target.clone()).collect();
    let there = catalog::tables(owner.session(), &wanted, &BTreeSet::new()).await?;
    let mut replaced = BTreeMap::new();
    for (name, table) in known {
        let Some(found) = there.get(&table.target) else { continue };
        let begun = table.state != TableState::Pending;
        if !begun && table.is_taken_out() && lane.main.task().initial_data {
            // Somebody else's, which is judged as before a first copy.
            continue;
        }
        if begun && recorded::copy_beside(&lane.main, name, table)?.is_none() {
            // It goes there itself.
            continue;
        }
        if !begun {
            targets::is_replaceable(&lane.main, owner, name, table).await?;
        }
        let before = Replaced {
            target: table.target.clone(),
            created: recorded::is_created(&lane.main, name, table)?,
            columns: recorded::former(&lane.main, name, table)?,
            renamed: recorded::renamed(&lane.main, name, table)?,
            there: found.table.columns.clone(),
        };
        replaced.insert(name.clone(), before);
    }
    Ok(replaced)
}

/// Puts the whole group back to its start: the log has not what comes next for it.
async fn start_over(lane: &Lane) -> Result<After, TaskError> {
    let (owner, stored) = open(lane).await?;
    let (session, store) = (owner.session(), owner.store());
    prepare::transaction(session, "BEGIN").await?;
    for (name, table) in &stored.tables {
        take_out(lane, &owner, table).await?;
        store.record_pending(session, name).await?;
    }
    store.restart_side(session).await?;
    prepare::transaction(session, "COMMIT").await?;
    Ok(After::Soon)
}

/// Puts a table back to its start. The others of its group go on without it.
async fn starts_anew(lane: &Lane, name: &TableName) -> Result<After, TaskError> {
    let (owner, stored) = open(lane).await?;
    // Where the group has joined the next attempt finds that out.
    let Some(table) = stored.tables.get(name) else { return Ok(After::Soon) };
    if stored.tables.len() == 1 {
        start_over(lane).await?;
        return Ok(After::Anew);
    }
    let mut pairs = Vec::new();
    for (child, table) in &stored.tables {
        let keys = table.schemas.last().map(|schema| &schema.table.foreign_keys);
        pairs.extend(keys.into_iter().flatten().map(|key| (child.clone(), key.parent.clone())));
    }
    if pairs.iter().any(|(child, parent)| child == name || parent == name) {
        // They stay together.
        let (session, store) = (owner.session(), owner.store());
        prepare::transaction(session, "BEGIN").await?;
        for again in company::below(name, &pairs) {
            let Some(table) = stored.tables.get(&again) else { continue };
            take_out(lane, &owner, table).await?;
            store.record_pending(session, &again).await?;
        }
        prepare::transaction(session, "COMMIT").await?;
        return Ok(After::Anew);
    }
    let (session, store) = (owner.session(), owner.store());
    let side = lane.last.fetch_add(1, Relaxed) + 1;
    prepare::transaction(session, "BEGIN").await?;
    take_out(lane, &owner, table).await?;
    store.renumber(session, name, side).await?;
    prepare::transaction(session, "COMMIT").await?;
    lane.task.rests().leaves(name);
    let _manager_has_ended = lane.asks.send(Ask { side, tables: BTreeSet::from([name.clone()]) });
    Ok(After::Less)
}

/// Takes a copy that readers are not to look for out of the target: one beside another table, or one that is not whole.
async fn take_out(lane: &Lane, owner: &Owner, table: &StoredTable) -> Result<(), TaskError> {
    if !table.state.is_of_main() {
        return Ok(());
    }
    let missing = || TaskError::missing(format!("the definition of what is copied into {}", table.target));
    let schema = table.schemas.last().ok_or_else(missing)?;
    let recorded = Recorded::read(&lane.main, &schema.table, table)?;
    if recorded.place.is_none() && recorded.state == TableState::Streaming {
        return Ok(());
    }
    targets::take_out_copy(owner.session(), &owner.store(), &recorded).await
}

/// A table cannot be carried: it leaves the group, to be copied again by itself, or parked, or left out where it is new.
async fn refused(lane: &Lane, name: &TableName, error: TaskError) -> Result<After, TaskError> {
    let (owner, stored) = open(lane).await?;
    let Some(table) = stored.tables.get(name) else { return Err(error) };
    let (session, store) = (owner.session(), owner.store());
    let is_new = table.mapping.is_null();
    // What a new one's trouble is stops nobody.
    let state = match parking::instead(&lane.main, &error, || lane.side).await? {
        _ if is_new => None,
        Some((_, Some(TableState::Aside { .. }))) => return starts_anew(lane, name).await,
        Some((_, state)) => state,
        None => return Err(error),
    };
    prepare::transaction(session, "BEGIN").await?;
    take_out(lane, &owner, table).await?;
    if let (None, false) = (&state, is_new) {
        let _gone = targets::take_out_of_place(&lane.main, (session, &store), name, table).await?;
    }
    match &state {
        Some(state) => store.restate(session, name, state).await?,
        None => store.forget_table(session, name).await?,
    }
    let last = stored.tables.len() == 1;
    if last {
        store.close_side(session, lane.side).await?;
    }
    prepare::transaction(session, "COMMIT").await?;
    let gone = error.is_of_absence();
    // A statement that the main stream meets from here on brings it back.
    let (heard, hears) = oneshot::channel();
    let visit = if let Some(state) = state {
        parking::tell_of(&lane.main, name, Some(&state), &error);
        lane.main.progress.tell(|task| tell::moved(task, name, &table.target, &state));
        Visit::Parked { table: name.clone(), gone, heard }
    } else {
        if is_new {
            tracing::error!(task = lane.main.name, table = %name, "the table is not carried: {error}");
        } else {
            parking::tell_of(&lane.main, name, None, &error);
        }
        lane.main.progress.tell(|task| tell::away(task, name, &table.target, None));
        let why = (!gone).then(|| error.to_string());
        Visit::LeaveOut { table: name.clone(), why, heard }
    };
    let told = lane.visits.send(visit).await.is_ok() && hears.await.is_ok();
    // One that the main stream has met before it heard that was not for it.
    if told && gone && is_there(lane, name).await? {
        let _main_has_ended = lane.visits.send(Visit::IsThere(name.clone())).await;
    }
    Ok(if last { After::Never } else { After::Less })
}

/// Whether the source has the table by now.
async fn is_there(lane: &Lane, table: &TableName) -> Result<bool, TaskError> {
    let selected = Selection::only(&BTreeSet::from([table.clone()]));
    let selected =
        selected.map_err(|error| TaskError::Internal(format!("a selection of a name: {error}")))?;
    let mut server = Server::connect(lane.main.source()).await?;
    let found = server.tables(&selected).await?;
    server.close().await;
    Ok(!found.is_empty())
}
