//! P0 and the schema read behind it: the start of a copy group.
//!
//! Sequence: record P0, read the definitions, note the end of the log E, then read the log from P0 to E and look for
//! statements that change a selected table. One that lies there may or may not be in what was read, so all is done again.
//!
//! What must never happen here: a definition taken for the one at P0 although a statement lies between.

use super::TaskError;
use super::context::Context;
use crate::change::state::CatchUpTarget;
use crate::change::{Change, Position};
use crate::schema::Table;
use crate::source::binlog::{BinlogStream, StreamRequest};
use crate::source::server::Server;
use std::time::Duration;

/// How often definitions may change under the reading before that is an error.
const ATTEMPTS: u32 = 10;
/// Heartbeat of the short reading from P0 to E: with no traffic, only a heartbeat tells that E is reached.
const HEARTBEAT: Duration = Duration::from_millis(100);
/// Silence after which that reading gives up.
const SILENCE: Duration = Duration::from_secs(30);

/// Definitions that hold at a position.
#[derive(Debug)]
pub struct Settled {
    /// P0.
    pub position: Position,
    /// Every selected table.
    pub tables: Vec<Table>,
}

/// Records P0 and reads the definitions that hold there. With `start`, P0 is that position instead of the present.
///
/// # Errors
/// When statements keep changing selected tables, or the source fails.
pub async fn settle(
    context: &Context,
    server: &mut Server,
    fold: bool,
    start: Option<&Position>,
) -> Result<Settled, TaskError> {
    for attempt in 1..=ATTEMPTS {
        let position = match start {
            Some(position) => position.clone(),
            None => server.stream_start().await?,
        };
        let tables = server.tables(&context.task().tables).await?;
        let end = server.log_end().await?;
        match changed_between(context, fold, &position, &end).await? {
            None => return Ok(Settled { position, tables }),
            Some(statement) if start.is_some() => {
                return Err(TaskError::Stream {
                    why: format!(
                        "a selected table was changed behind start_position ({statement}), and its definition before that is not known"
                    ),
                    position: position.to_string(),
                    remedy: "choose a start_position behind that statement, or let the data be copied"
                        .to_owned(),
                });
            }
            Some(statement) => {
                tracing::info!(
                    task = context.name,
                    attempt,
                    statement,
                    "a selected table changed while definitions were read; reading them again"
                );
            }
        }
    }
    Err(TaskError::Unsettled {
        why: format!("selected tables changed during each of {ATTEMPTS} readings of their definitions"),
    })
}

/// The first statement on a selected table in (`from`, `end`].
async fn changed_between(
    context: &Context,
    fold: bool,
    from: &Position,
    end: &CatchUpTarget,
) -> Result<Option<String>, TaskError> {
    let mut stream = BinlogStream::open(request(context, fold, from.clone(), HEARTBEAT, SILENCE)).await?;
    let mut changes = Vec::new();
    loop {
        stream.next(&mut changes, 1 << 20).await?;
        for change in changes.drain(..) {
            let place = match &change {
                Change::Statement(event) => {
                    // Even one behind E counts: the definitions were read before E was asked for, but reading on is cheap to repeat.
                    return Ok(Some(event.sql.clone()));
                }
                Change::Commit(boundary) | Change::Rollback(boundary) => Some(&boundary.file),
                Change::Heartbeat(file) => Some(file),
                Change::Begin { .. } | Change::Rows(_) | Change::Savepoint(_) | Change::RollbackTo(_) => None,
            };
            if place.is_some_and(|place| place.order(&end.file).is_some_and(std::cmp::Ordering::is_ge)) {
                return Ok(None);
            }
        }
    }
}

/// A stream request with this task's settings; `fold` where the source folds table names.
pub fn request(
    context: &Context,
    fold: bool,
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
        fold_names: fold,
        heartbeat,
        read_timeout,
        max_event_bytes: 1 << 30,
    }
}
