//! P0 and the schema read after it: the start of a copy group.
//!
//! Sequence: record P0, read the definitions, note the end of the log E, then read the log from P0 to E and look for
//! statements that change a selected table. One that lies there may or may not be in what was read, so all is done again.
//!
//! Without GTIDs P0 is the log's end where everything before it is proven to be visible (see
//! `source::server::visible`). The proof says nothing of statements that define tables: one may be logged and not have ended. So
//! the file is read up to there for statements on selected tables alone, and each is waited for. Rows of that part, and statements
//! that no task could carry, are of no interest: what they did is in the definitions and chunks that are read later.
//!
//! Where that proof fails, P0 is older than now (the start of a log file, see `source::server::positions`), and statements before
//! the reading are to be expected. The log is then read up to now first: after the last statement on a table everything about
//! that table before it is visible, for a statement that defines a table excludes every transaction that has touched it and not
//! ended. So that place is the table's own P0, once the statement itself has ended. A statement in that part whose rows are not
//! logged, and not after such a place, is an error that says what helps: to copy the table again would begin before it again.
//!
//! What must never happen here: a definition taken for the one at P0 although a statement lies between.

use super::TaskError;
use super::context::Context;
use super::error::refused;
use crate::change::facts::Flavour;
use crate::change::remedy::{InConfig, Remedy};
use crate::change::state::CatchUpTarget;
use crate::change::{
    Affected, Change, DoubtfulEvent, FilePosition, LogFile, Position, StatementEvent, TableName, TableNames,
    Taken, XaState,
};
use crate::config::StartPosition;
use crate::config::types::Selection;
use crate::schema::Table;
use crate::schema::ddl::{self, SqlMode};
use crate::sink::store::Stored;
use crate::source::binlog::{BinlogStream, StreamRequest};
use crate::source::server::Server;
use std::collections::BTreeSet;
use std::time::Duration;

/// How often definitions may change under the reading before that is an error.
const ATTEMPTS: u32 = 10;
/// Heartbeat of the short reading from P0 to E: with no traffic, only a heartbeat tells that E is reached.
const HEARTBEAT: Duration = Duration::from_millis(20);
/// Silence after which that reading gives up.
const SILENCE: Duration = Duration::from_secs(30);

/// Definitions that hold at a position.
#[derive(Debug)]
pub struct Settled {
    /// P0 of the stream: that of every table, or before it.
    pub position: Position,
    /// Every selected table, with its own P0.
    pub tables: Vec<(Table, Position)>,
}

/// The chosen `start_position` of a task that copies nothing and has not run yet.
///
/// # Errors
/// When the source has no such place, or cannot be asked.
pub async fn start_position(
    context: &Context,
    server: &mut Server,
    stored: &Stored,
) -> Result<Option<Position>, TaskError> {
    if stored.checkpoint.is_some() {
        return Ok(None);
    }
    match &context.task().start_position {
        None | Some(StartPosition::Now) => Ok(None),
        Some(StartPosition::Gtids(gtids)) => {
            let mut position = server.stream_start().await?;
            // The file only serves messages and P1, which is recorded anew; what is resumed from is the set.
            position.taken = Taken::Gtids(gtids.clone());
            position.xa = XaState::default();
            Ok(Some(position))
        }
        Some(StartPosition::Domains(domains)) => {
            // No place: those of the stream say where it is.
            let file = FilePosition { file: "".into(), offset: 0 };
            let (server, taken) = (server.identity().to_owned(), Taken::Domains(domains.clone()));
            Ok(Some(Position { server, file, file_begun: None, taken, xa: XaState::default() }))
        }
        Some(StartPosition::File(file)) => {
            let taken = match server.flavour() {
                Flavour::MariaDb => Taken::Domains(server.domains_at(file).await?),
                Flavour::MySql => Taken::Files,
            };
            Ok(Some(Position {
                server: server.identity().to_owned(),
                file: file.clone(),
                file_begun: None,
                taken,
                xa: XaState::default(),
            }))
        }
    }
}

/// Records P0 and reads the definitions that hold there. With `start`, P0 is that position instead of the present.
///
/// # Errors
/// When statements keep changing selected tables, or the source fails.
pub async fn settle(
    context: &Context,
    server: &mut Server,
    names: TableNames,
    start: Option<&Position>,
) -> Result<Settled, TaskError> {
    for attempt in 1..=ATTEMPTS {
        let mut position = match start {
            Some(position) => position.clone(),
            None if context.task().initial_data => server.stream_start().await?,
            None => server.stream_start_alone().await?,
        };
        let mut read = LogRead::after(context, names, position.clone());
        // Statements after P0 that may lie before all that is copied.
        let mut early = 0;
        if start.is_none() && !server.start_is_now(&position) {
            if let Some(later) = server.later_start(&position).await? {
                let mut history = LogRead { only_statements: true, ..read };
                history.on(&server.log_end().await?).await?;
                history.wait(server, &context.task().tables).await?;
                let own_file = history.files.iter().find(|file| file.file == later.file.file);
                position = Position { file_begun: own_file.map(|file| file.begun), ..later };
                read = LogRead::after(context, names, position.clone());
            } else {
                let end = server.log_end().await?;
                read.on(&end).await.map_err(|error| begins_with_a_file(error, server.label()))?;
                early = read.doubtful.len();
            }
        }
        let before = read.found.len();
        read.wait(server, &context.task().tables).await?;
        let tables = server.tables(&context.task().tables).await?;
        let end = server.log_end().await?;
        read.on(&end).await?;
        let Some((late, _)) = read.found.get(before) else {
            // Known from now on, so that a log that is reset during the copy is noticed too.
            let own_file = read.files.iter().find(|file| file.file == position.file.file);
            position.file_begun = own_file.map(|file| file.begun).or(position.file_begun);
            let own = |table: &Table| read.start_of(table).unwrap_or(&position).clone();
            let tables: Vec<_> = tables.into_iter().map(|table| (own(&table), table)).collect();
            for event in read.doubtful.iter().take(early) {
                let is_behind = |p0: &Position| !p0.holds(event.gtid.as_ref(), &event.position);
                if tables
                    .iter()
                    .any(|(p0, table)| names.concerns(&event.affected, &table.name) && is_behind(p0))
                {
                    let error =
                        refused(&context.task().source, &event.doubt, event.gtid.as_ref(), &event.position);
                    return Err(begins_with_a_file(error, server.label()));
                }
            }
            let tables = tables.into_iter().map(|(p0, table)| (table, p0)).collect();
            return Ok(Settled { position, tables });
        };
        if start.is_some() {
            return Err(TaskError::Stream {
                why: format!(
                    "a selected table was changed after start_position ({}), and its definition before that is not known",
                    late.sql
                ),
                position: position.to_string(),
                remedy: InConfig::StartPositionAfter.into(),
            });
        }
        tracing::info!(
            task = context.name,
            attempt,
            statement = late.sql,
            "a selected table changed while definitions were read; reading them again"
        );
    }
    Err(TaskError::Unsettled {
        why: format!("selected tables changed during each of {ATTEMPTS} readings of their definitions"),
    })
}

/// The definition of a table that holds right after `position`, `None` where the source has no such table; or a later statement on it, which
/// leaves that open.
///
/// # Errors
/// When the source cannot be asked.
pub async fn definitions_after(
    context: &Context,
    names: TableNames,
    position: Position,
    table: &TableName,
) -> Result<Result<Option<Table>, String>, TaskError> {
    let selected = Selection::only(&BTreeSet::from([table.clone()]));
    let selected =
        selected.map_err(|error| TaskError::Internal(format!("a selection of a name: {error}")))?;
    let mut server = Server::connect(context.source()).await?;
    // What is logged may not have ended.
    server.wait_for_statement(std::slice::from_ref(table)).await?;
    let found = server.tables(&selected).await?.pop();
    let end = server.log_end().await?;
    server.close().await;
    let mut read = LogRead { only_statements: true, ..LogRead::after(context, names, position) };
    read.on(&end).await?;
    let later = read.found.into_iter().find(|(later, _)| names.concerns(&later.affected, table));
    Ok(match later {
        Some((later, _)) => Err(later.sql),
        None => Ok(found),
    })
}

/// A statement on selected tables.
#[derive(Debug)]
struct Found {
    sql: String,
    affected: Affected,
}

/// The log as far as it has been read, and the statements on selected tables in it, each with the place after it.
struct LogRead<'a> {
    context: &'a Context,
    names: TableNames,
    reached: Position,
    found: Vec<(Found, Position)>,
    /// Statements that may have changed rows of selected tables, which are not logged.
    doubtful: Vec<DoubtfulEvent>,
    files: Vec<LogFile>,
    /// See [`StreamRequest::only_statements`].
    only_statements: bool,
}

impl<'a> LogRead<'a> {
    fn after(context: &'a Context, names: TableNames, reached: Position) -> Self {
        Self {
            context,
            names,
            reached,
            found: Vec::new(),
            doubtful: Vec::new(),
            files: Vec::new(),
            only_statements: false,
        }
    }

    /// Waits until the statements that were found have ended.
    async fn wait(&self, server: &mut Server, selection: &Selection) -> Result<(), TaskError> {
        for (statement, _) in &self.found {
            if let Affected::Tables(tables) = &statement.affected {
                server.wait_for_statement(tables).await?;
            }
        }
        if self.found.iter().any(|(statement, _)| statement.affected == Affected::Any) {
            let all: Vec<_> = server.tables(selection).await?.into_iter().map(|table| table.name).collect();
            server.wait_for_statement(&all).await?;
        }
        Ok(())
    }

    /// Reads on up to `end`. A statement right after it counts too: reading on is cheap to repeat.
    async fn on(&mut self, end: &CatchUpTarget) -> Result<(), TaskError> {
        if self.reached.taken == Taken::Files && self.reached.file.reaches(&end.file) {
            return Ok(());
        }
        let from = self.reached.clone();
        let request = request(self.context, self.names, from, HEARTBEAT, SILENCE);
        let request = StreamRequest { only_statements: self.only_statements, ..request };
        let mut stream = BinlogStream::open(request).await?;
        let mut changes = Vec::new();
        loop {
            stream.next(&mut changes, 1 << 20).await?;
            for change in changes.drain(..) {
                match change {
                    Change::Statement(event) => {
                        self.reached.advance(&event.boundary);
                        self.found.push((self.statement(&event), self.reached.clone()));
                    }
                    Change::Commit(boundary) | Change::Rollback(boundary) => self.reached.advance(&boundary),
                    Change::Heartbeat(file) => self.reached.move_to(file),
                    Change::LogFile(file) => {
                        self.reached.begin_file(&file);
                        self.files.push(file);
                    }
                    Change::Doubtful(event) => {
                        // It may have defined a table.
                        if event.doubt.kind == "unknown" {
                            let found = Found {
                                sql: event.doubt.statement.clone(),
                                affected: event.affected.clone(),
                            };
                            self.found.push((found, self.reached.clone()));
                        }
                        self.doubtful.push(event);
                        continue;
                    }
                    Change::Begin { .. } | Change::Rows(_) => {
                        continue;
                    }
                }
                if end.is_reached(&self.reached) {
                    return Ok(());
                }
            }
        }
    }

    fn statement(&self, event: &StatementEvent) -> Found {
        let mode = SqlMode::of_session(&event.session, self.reached.taken.flavour());
        let affected = ddl::read(&event.sql, mode).affected(&event.default_database);
        let also = event.doubt.as_ref().map_or(&[][..], |doubt| &doubt.also);
        Found { sql: event.sql.clone(), affected: affected.and(also) }
    }

    /// The place after the last statement that concerns a table.
    fn start_of(&self, table: &Table) -> Option<&Position> {
        let concerns = |found: &Found| self.names.concerns(&found.affected, &table.name);
        self.found.iter().rev().find(|(found, _)| concerns(found)).map(|(_, position)| position)
    }
}

/// A stream request with this task's settings; `names` says how the source compares those of tables.
pub fn request(
    context: &Context,
    names: TableNames,
    start: Position,
    heartbeat: Duration,
    read_timeout: Duration,
) -> StreamRequest {
    let task = context.task();
    StreamRequest {
        endpoint: context.source().clone(),
        server_id: task.server_id,
        start,
        selection: task.tables.clone(),
        names,
        heartbeat,
        read_timeout,
        max_event_bytes: 1 << 30,
        max_held_bytes: task.memory_limit / 8,
        only_statements: false,
    }
}

/// An error of the log before a copy began, with what lets a copy begin after it.
fn begins_with_a_file(error: TaskError, source: &str) -> TaskError {
    match error {
        TaskError::Source(error) => error.rather(Remedy::NewLogFile { source: source.to_owned() }).into(),
        other => other,
    }
}
