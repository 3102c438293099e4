//! Comparing source and target while the stream goes on, and putting right what differs.
//!
//! Sequence: a chunk of the source's rows is read and held against the target's of the same keys, inside the target. What differs may
//! only be on its way: once the stream has passed the end of the log as it was after the reading, those keys are read again. What then
//! still differs is held as it is at the source (a shared lock on these rows), the stream passes the end of the log once more, and
//! what differs now differs for good, for nothing on its way can be about these keys. Under the same lock it is put right.
//!
//! What must never happen here: a difference that is none; a row written that the stream would write otherwise; a lock at the source
//! that is held for longer than a few seconds.

mod begun;
mod compared;
pub(super) mod continuous;
mod key;
mod settle;
mod walk;

use super::TaskError;
use super::context::Context;
use super::pace::Pace;
use super::progress::Progress;
use super::waiting::Moves;
use crate::change::TableName;
use crate::change::state::TableState;
use crate::change::verdict::TableVerdict;
use crate::config::Config;
use crate::sink::Session;
use crate::sink::apply::Applier;
use crate::sink::store::{self, Stored};
use crate::source::server::Server;
use crate::source::snapshot;
use crate::source::wire::Wire;
use crate::status::Board;
use begun::{About, Keeping};
use compared::Compared;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Rows of a chunk: a slow comparison reads them in smaller ones, at least and at most so many.
const CHUNK_ROWS: (u64, u64) = (500, 10_000);
/// Seconds that a source without NOWAIT lets a row be waited for.
const LOCK_WAIT_SECONDS: u64 = 1;
/// Tables that are compared through the same connections.
const TABLES_OF_SESSION: u32 = 32;
/// For how long what is on record is taken for what it is. A table that differs is looked up again.
const RECORDS_HOLD: Duration = Duration::from_secs(10);

/// What is compared, and how.
#[derive(Clone, Debug, Default)]
pub struct Verifying {
    /// These tables; all that are carried where there is none.
    pub tables: Vec<TableName>,
    /// Put right what differs.
    pub repair: bool,
    /// Read so many rows a second at most; 0 is no limit.
    pub rows_per_second: u64,
    /// Keep so many keys of a table that differ.
    pub listed: usize,
}

/// Compares tables of a task, which a daemon may be running, one after the other; each verdict is given to `told` when it is there.
/// Answers with all of them, and with what kept it from the rest.
///
/// # Errors
/// When nothing is on record of the task or of a table, or when a server cannot be asked at all.
pub async fn verify(
    name: &str,
    config: &Arc<Config>,
    verifying: &Verifying,
    mut told: impl FnMut(&TableVerdict),
) -> Result<(Vec<TableVerdict>, Option<TaskError>), TaskError> {
    let context = Context::new(config, &Progress::new(name, Board::default()))?;
    let mut verifier = Verifier::open(context, verifying).await?;
    let stored = verifier.stored().await?;
    let not_on_record = |table: &&TableName| !stored.tables.contains_key(*table);
    if let Some(table) = verifying.tables.iter().find(not_on_record) {
        return Err(TaskError::NotOnRecord { table: table.clone(), task: name.to_owned() });
    }
    let carried = stored.tables.iter().filter(|(_, table)| table.state != TableState::LetGo);
    let names: Vec<TableName> = match verifying.tables.as_slice() {
        [] => carried.map(|(name, _)| name.clone()).collect(),
        named => named.to_vec(),
    };
    let mut verdicts = Vec::with_capacity(names.len());
    for table in &names {
        match verifier.table(table).await {
            Ok(verdict) => {
                told(&verdict);
                verdicts.push(verdict);
            }
            Err(error) => return Ok((verdicts, Some(error))),
        }
    }
    Ok((verdicts, None))
}

/// Compares one table after the other.
pub(super) struct Verifier {
    context: Context,
    moves: Moves,
    pace: Pace,
    chunk_rows: u64,
    listed: usize,
    repair: bool,
    /// For what is on record; never inside a transaction.
    records: Session,
    known: Option<(Instant, Arc<Stored>)>,
    hands: Option<Hands>,
    /// How far a table's comparison has come is kept on record. When its last one ended, in seconds since 1970.
    keeps_since: Option<u64>,
}

/// The connections that rows come by. After an error they are of no use.
struct Hands {
    /// Finds bounds, and the end of the log.
    server: Server,
    /// Reads rows.
    wire: Wire,
    session: Session,
    applier: Applier,
    /// How many were compared through them.
    tables: u32,
}

impl Hands {
    async fn open(context: &Context) -> Result<Self, TaskError> {
        let server = Server::connect(context.source()).await?;
        let mut wire = snapshot::connect(context.source()).await?;
        wire.execute(&format!("SET SESSION innodb_lock_wait_timeout={LOCK_WAIT_SECONDS}")).await?;
        let name = format!("rowferry/{}/verify", context.name);
        let (session, applier) = Applier::connect(context.target(), &name, &[]).await?;
        Ok(Self { server, wire, session, applier, tables: 0 })
    }

    /// Whether the source's engine for a table holds rows that it is asked to hold.
    async fn holds_rows(&mut self, table: &TableName) -> Result<bool, TaskError> {
        let text = |name: &str| {
            let digits: String = name.bytes().map(|byte| format!("{byte:02x}")).collect();
            format!("_utf8mb4 x'{digits}'")
        };
        let sql = format!(
            "SELECT ENGINE FROM information_schema.TABLES WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {}",
            text(&table.database),
            text(&table.table)
        );
        let rows = self.wire.query(&sql).await?;
        let engine = rows.first().and_then(|row| row.first()).and_then(Option::as_deref);
        Ok(engine.is_some_and(|engine| engine.eq_ignore_ascii_case(b"InnoDB")))
    }
}

impl Verifier {
    async fn open(context: Context, verifying: &Verifying) -> Result<Self, TaskError> {
        let records =
            Session::connect(context.target(), &format!("rowferry/{}/verify", context.name)).await?;
        let Verifying { repair, rows_per_second, listed, .. } = *verifying;
        Ok(Self {
            moves: Moves::default(),
            pace: Pace::new(rows_per_second),
            chunk_rows: if rows_per_second == 0 {
                CHUNK_ROWS.1
            } else {
                rows_per_second.clamp(CHUNK_ROWS.0, CHUNK_ROWS.1)
            },
            listed,
            repair,
            context,
            records,
            known: None,
            hands: None,
            keeps_since: None,
        })
    }

    /// What is on record of the task, as it was a moment ago.
    async fn stored(&mut self) -> Result<Arc<Stored>, TaskError> {
        if let Some((at, stored)) = &self.known
            && at.elapsed() < RECORDS_HOLD
        {
            return Ok(stored.clone());
        }
        let stored = store::peek(&self.records, &self.context.name).await?;
        let stored = stored.filter(|stored| stored.checkpoint.is_some());
        let stored = stored.ok_or_else(|| TaskError::NotBegun { task: self.context.name.clone() })?;
        let stored = Arc::new(stored);
        self.known = Some((Instant::now(), stored.clone()));
        Ok(stored)
    }

    /// Compares one table.
    ///
    /// # Errors
    /// Of circumstances only: what is about the table is told in its verdict.
    async fn table(&mut self, name: &TableName) -> Result<TableVerdict, TaskError> {
        let begun = Instant::now();
        let mut verdict = TableVerdict::new(name.to_string(), self.context.target_name(name).to_string());
        let compared = self.compared(name, &mut verdict).await;
        verdict.seconds = begun.elapsed().as_secs_f64();
        match compared {
            Ok(true) => verdict.outcome = verdict.of_counts(),
            Ok(false) => {}
            Err(error) if error.is_of_circumstances() || matches!(error, TaskError::Internal(_)) => {
                return Err(error);
            }
            Err(TaskError::CopyAgain { why, .. }) => {
                verdict.why = Some(format!("it has changed meanwhile: {why}. Compare it again"));
            }
            Err(error) => verdict.why = Some(format!("{error}. To mend it: {}", error.retry().remedy())),
        }
        Ok(verdict)
    }

    /// Whether all of it was compared; where not, the verdict says why.
    async fn compared(&mut self, name: &TableName, verdict: &mut TableVerdict) -> Result<bool, TaskError> {
        let stored = self.stored().await?;
        let Some(known) = stored.tables.get(name) else {
            verdict.why = Some("it is not on record any more".to_owned());
            return Ok(false);
        };
        verdict.target = known.target.to_string();
        if let Some(why) = unfinished(&known.state) {
            verdict.why = Some(why);
            return Ok(false);
        }
        let mut compared = Compared::read(&self.context, &self.records, &stored, name, known).await?;
        verdict.not_looked_for.clone_from(&compared.not_looked_for);
        verdict.key_columns = compared.key.iter().map(|part| part.name.clone()).collect();
        if let Some(why) = &compared.unaskable {
            verdict.why = Some(why.clone());
            return Ok(false);
        }
        let mut hands = match self.hands.take() {
            // Each table leaves a temporary one behind.
            Some(hands) if hands.tables < TABLES_OF_SESSION => hands,
            _ => Hands::open(&self.context).await?,
        };
        hands.tables += 1;
        compared.is_transactional = hands.holds_rows(name).await?;
        let mut hands = Some(hands);
        let (mut keeping, mut from) = (None, None);
        if let Some(last) = self.keeps_since {
            let about = About::of(known);
            let (kept, place) = Keeping::begin(self, name, about, last, verdict).await?;
            (keeping, from) = (Some(kept), place);
        }
        let mut walk = walk::Walk {
            verifier: self,
            hands: &mut hands,
            compared: &compared,
            verdict,
            keeping: &mut keeping,
        };
        walk.walk(from).await?;
        let position = store::checkpoint(&self.records, &self.context.name).await?;
        verdict.position = position.map(|checkpoint| checkpoint.position.to_string());
        self.hands = hands;
        Ok(true)
    }
}

/// Why the target does not hold all of a table.
fn unfinished(state: &TableState) -> Option<String> {
    match state {
        TableState::Streaming => None,
        TableState::Pending => Some("its copy has not begun".to_owned()),
        TableState::Snapshotting { .. } | TableState::CatchingUp { .. } => {
            Some("it is being copied".to_owned())
        }
        TableState::Aside { within, .. } if **within == TableState::Streaming => {
            Some("it is on its way to the others".to_owned())
        }
        TableState::Aside { .. } => Some("it is being copied beside the others".to_owned()),
        TableState::Parked(trouble) => Some(format!("it is parked: {}", trouble.error)),
        TableState::Paused { from, .. } => Some(format!("it is paused at {from}")),
        TableState::LetGo => Some("it is carried no more, by command".to_owned()),
    }
}
