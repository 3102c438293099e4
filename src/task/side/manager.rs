//! Runs the groups of tables that are aside, a few at a time, in the order in which they were put aside.
//!
//! What must never happen here: a group forgotten that is on record.

use super::Ended;
use super::lane::{self, Lane};
use super::meet::Visit;
use crate::change::{FilePosition, TableName};
use crate::sink::Owner;
use crate::sink::owner::Sessions;
use crate::task::TaskError;
use crate::task::context::Context;
use crate::task::memory::Memory;
use crate::task::sides::Ask;
use crate::task::stream::{Links, RunSides};
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How often it is looked whether a group has rested.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// What runs the side streams of a task beside its main stream.
pub(in crate::task) fn run_sides(context: Context, owner: Arc<Owner>, memory: Arc<Memory>) -> RunSides {
    Box::new(move |links, stop| {
        let Links { asks, own_asks, visits, main_at, last, known: waiting } = links;
        let manager = Manager { context, owner, asks, own_asks, visits, main_at, last, waiting, memory };
        Box::pin(manager.run(stop))
    })
}

/// Runs side streams. See [`Links`].
pub(super) struct Manager {
    pub(super) context: Context,
    pub(super) owner: Arc<Owner>,
    asks: mpsc::UnboundedReceiver<Ask>,
    own_asks: mpsc::UnboundedSender<Ask>,
    pub(super) visits: mpsc::Sender<Visit>,
    main_at: watch::Receiver<Option<FilePosition>>,
    last: Arc<AtomicU32>,
    /// Groups that are not run yet.
    waiting: BTreeMap<u32, BTreeSet<TableName>>,
    /// Where somebody asks for changes.
    pub(super) memory: Arc<Memory>,
}

impl Manager {
    /// Takes the first group that does not rest.
    fn next(&mut self) -> Option<(u32, BTreeSet<TableName>)> {
        let now = Instant::now();
        let mut due = None;
        for (side, tables) in &self.waiting {
            let Some((left, copies)) = self.memory.rests().left(tables, now) else {
                due = Some(*side);
                break;
            };
            let words =
                format!("the next copy, in {} s: it was copied {copies} times in a row", left.as_secs() + 1);
            self.context.progress.tell(|task| {
                for name in tables {
                    if let Some(table) = task.tables.get_mut(&name.to_string()) {
                        table.waiting_for = Some(words.clone());
                    }
                }
            });
        }
        let side = due?;
        self.waiting.remove(&side).map(|tables| (side, tables))
    }

    /// Runs what there is and what comes.
    ///
    /// # Errors
    /// When the target cannot be written, or this program contradicts itself.
    async fn run(mut self, stop: CancellationToken) -> Result<Infallible, TaskError> {
        let mut running: JoinSet<Result<Ended, TaskError>> = JoinSet::new();
        let memory = self.memory.clone();
        memory.rests().none_runs();
        memory.busy.lock().await.clear();
        let mut requests = memory.requests.receiver().await;
        loop {
            while running.len() < self.context.task().snapshot.groups
                && let Some((side, tables)) = self.next()
            {
                let lane = Lane {
                    main: self.context.clone(),
                    owner: self.owner.clone(),
                    side,
                    tables,
                    visits: self.visits.clone(),
                    asks: self.own_asks.clone(),
                    main_at: self.main_at.clone(),
                    last: self.last.clone(),
                    task: self.memory.clone(),
                    sessions: Sessions::default(),
                };
                let stop = stop.child_token();
                let memory = self.memory.clone();
                memory.rests().begins(&lane.tables);
                running.spawn(async move {
                    let (tables, begun) = (lane.tables.clone(), Instant::now());
                    let ended = lane::run(lane, stop).await;
                    memory.rests().copied(&tables, begun.elapsed(), Instant::now());
                    ended
                });
            }
            tokio::select! {
                Some(Ask { side, tables }) = self.asks.recv() => {
                    self.waiting.entry(side).or_default().extend(tables);
                }
                Some(ended) = running.join_next(), if !running.is_empty() => {
                    ended.map_err(|error| TaskError::Internal(format!("a side stream ended abnormally: {error}")))??;
                }
                Some(request) = requests.recv() => self.does(request).await,
                () = tokio::time::sleep(LOOK_AGAIN), if !self.waiting.is_empty() => {}
                // Nobody asks any more: the task ends, and says why.
                else => std::future::pending::<()>().await,
            }
        }
    }
}
