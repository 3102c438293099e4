//! Where a side stream and the main stream come together.
//!
//! The side stream asks for it when it is past P1 and near, and holds at a transaction boundary. The main stream goes on until it is at
//! that place too, or holds where it is when that is past the place, and lets the side stream come there. Then both are at one place:
//! what is before it has been applied by the side stream, what comes after it is for the main stream.
//!
//! What must never happen here: the main stream held up by a side stream that does not come.

use crate::change::{FilePosition, TableName};
use crate::task::batch::{Answer, Joined, TOGETHER};
use crate::task::builder::Builder;
use crate::task::recorded::Recorded;
use crate::task::translate::Translate;
use std::cmp::Ordering;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

/// How long the main stream holds for a side stream that is to come to its place.
const HOLD: Duration = Duration::from_secs(2);
/// How long it waits for a side stream that is there to have applied all.
const DRAIN: Duration = Duration::from_secs(10);
/// A side stream that is so many bytes of the log behind the main stream is near.
const NEAR: u64 = 512 << 10;
/// After a meeting that came to nothing.
const PAUSE: Duration = Duration::from_secs(1);

/// What a side stream tells the main stream.
#[derive(Debug)]
pub(in crate::task) enum Says {
    /// It holds here.
    At(FilePosition),
    /// It is there, and has applied all before the place.
    Arrived(Vec<Recorded>),
}

/// A side stream that wants to join.
#[derive(Debug)]
pub(in crate::task) struct Approach {
    side: u32,
    at: FilePosition,
    says: mpsc::Receiver<Says>,
    answers: mpsc::Sender<Answer>,
}

/// What comes to the main stream from outside of the log.
#[derive(Debug)]
pub(in crate::task) enum Visit {
    /// A side stream that wants to join.
    Join(Approach),
    /// A table that came is not carried.
    LeaveOut {
        /// The table.
        table: TableName,
        /// Why; without a reason it is not there any more.
        why: Option<String>,
        /// Answered when statements that come are held against it.
        heard: oneshot::Sender<()>,
    },
    /// A table is parked: a statement may bring it back.
    Parked {
        /// The table.
        table: TableName,
        /// The source had it no more.
        gone: bool,
        /// Answered when statements that come are held against it.
        heard: oneshot::Sender<()>,
    },
    /// The source has a table by now that it had not.
    IsThere(TableName),
    /// Somebody asks for something to be done with a table.
    Asked {
        /// The table.
        table: TableName,
        /// What.
        what: Asked,
        /// Answered when that is durable; dropped where it is neither.
        heard: oneshot::Sender<bool>,
    },
}

/// What somebody asks the main stream to do with a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::task) enum Asked {
    /// One that is carried or parked is to be copied again.
    Again,
    /// One that is carried is to be copied again by a side stream that runs, together with its tables.
    Beside {
        /// The side stream's number.
        side: u32,
    },
    /// One that is not carried is to be.
    LetIn,
    /// One that is carried or parked is carried no more.
    LetGo {
        /// Its rows in the target go too.
        remove_rows: bool,
    },
    /// Nothing is applied to one that is carried any more.
    Pause {
        /// Seconds since 1970 now.
        since: u64,
    },
    /// One that is paused goes on.
    Resume,
}

/// The main stream's end.
#[derive(Debug)]
pub(in crate::task) struct Host {
    pub(in crate::task) visits: mpsc::Receiver<Visit>,
    /// Where the main stream is.
    pub(in crate::task) at: watch::Sender<Option<FilePosition>>,
    /// The number of the last side stream.
    last: Arc<AtomicU32>,
    waiting: Option<Approach>,
}

/// A side stream's end.
#[derive(Debug)]
pub(in crate::task) struct Guest {
    pub(in crate::task) side: u32,
    pub(in crate::task) main_at: watch::Receiver<Option<FilePosition>>,
    pub(in crate::task) visits: mpsc::Sender<Visit>,
    /// Its tables, as they were when it began.
    pub(in crate::task) tables: Vec<Recorded>,
    /// Ends the side stream, whose tables are joined.
    pub(in crate::task) end: CancellationToken,
    pub(in crate::task) joined: Arc<AtomicBool>,
    placed: bool,
    link: Option<Link>,
    not_before: Option<Instant>,
}

#[derive(Debug)]
struct Link {
    says: mpsc::Sender<Says>,
    answers: mpsc::Receiver<Answer>,
    /// The main stream holds there.
    target: Option<FilePosition>,
}

/// The stream that a side stream joins.
pub(in crate::task) trait Hosts: Send {
    /// Its builder, at a transaction boundary.
    fn builder(&mut self) -> &mut Builder<Translate>;

    /// Hands on what the builder has ready; false when nobody takes it any more.
    fn hand_on(&mut self) -> impl Future<Output = bool> + Send;
}

impl Host {
    pub(in crate::task) fn new(
        visits: mpsc::Receiver<Visit>,
        at: watch::Sender<Option<FilePosition>>,
        last: Arc<AtomicU32>,
    ) -> Self {
        Self { visits, at, last, waiting: None }
    }

    /// At a transaction boundary: takes in what has come; false when nobody takes units any more.
    pub(in crate::task) async fn meet(&mut self, stream: &mut impl Hosts) -> bool {
        loop {
            for mut came in stream.builder().came() {
                while !came.is_empty() {
                    let rest = came.split_off(came.len().min(TOGETHER));
                    let side = self.last.fetch_add(1, Relaxed) + 1;
                    stream.builder().let_in(side, std::mem::replace(&mut came, rest), None);
                    if !stream.hand_on().await {
                        return false;
                    }
                }
            }
            let approach = match self.waiting.take() {
                Some(approach) => approach,
                None => match self.visits.try_recv() {
                    Ok(Visit::Join(approach)) => approach,
                    Ok(Visit::LeaveOut { table, why, heard }) => {
                        stream.builder().leave_out(table, why);
                        let _side_has_ended = heard.send(());
                        continue;
                    }
                    Ok(Visit::Parked { table, gone, heard }) => {
                        stream.builder().is_parked(&table, gone);
                        let _side_has_ended = heard.send(());
                        continue;
                    }
                    Ok(Visit::IsThere(table)) => {
                        stream.builder().is_there(&table);
                        continue;
                    }
                    // Nobody waits for it any more, and was told that it is not done.
                    Ok(Visit::Asked { heard, .. }) if heard.is_closed() => continue,
                    Ok(Visit::Asked { table, what, heard }) => {
                        let side = || self.last.fetch_add(1, Relaxed) + 1;
                        stream.builder().is_asked(table, what, side, heard);
                        if stream.hand_on().await {
                            continue;
                        }
                        return false;
                    }
                    Err(_) => return true,
                },
            };
            match host(stream, approach).await {
                Hosted::Later(approach) => {
                    self.waiting = Some(approach);
                    return true;
                }
                Hosted::Done => {}
                Hosted::Ended => return false,
            }
        }
    }
}

/// What became of a side stream that wants to join.
enum Hosted {
    /// The main stream has to come to its place first.
    Later(Approach),
    /// It has joined, or it came to nothing.
    Done,
    /// Nobody takes units any more.
    Ended,
}

async fn host(stream: &mut impl Hosts, mut approach: Approach) -> Hosted {
    loop {
        let here = stream.builder().position().file.clone();
        match here.order(&approach.at) {
            // Where it is not known yet where the stream is it goes on too.
            Some(Ordering::Less) | None if approach.answers.is_closed() => return Hosted::Done,
            Some(Ordering::Less) | None => return Hosted::Later(approach),
            Some(Ordering::Equal) => {
                if approach.answers.send(Answer::Here).await.is_err() {
                    return Hosted::Done;
                }
                stream.builder().close();
                if !stream.hand_on().await {
                    return Hosted::Ended;
                }
                let arrived = tokio::time::timeout(DRAIN, approach.says.recv()).await;
                let Ok(Some(Says::Arrived(tables))) = arrived else { return Hosted::Done };
                let joined = Joined { side: approach.side, tables, done: approach.answers };
                if let Err(error) = stream.builder().take_in(joined) {
                    tracing::error!(%error, "a side stream's tables were not taken over");
                    return Hosted::Done;
                }
                return if stream.hand_on().await { Hosted::Done } else { Hosted::Ended };
            }
            Some(Ordering::Greater) => {
                if approach.answers.send(Answer::ComeTo(here)).await.is_err() {
                    return Hosted::Done;
                }
                match tokio::time::timeout(HOLD, approach.says.recv()).await {
                    Ok(Some(Says::At(at))) => approach.at = at,
                    _ => return Hosted::Done,
                }
            }
        }
    }
}

/// What a side stream does next.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::task) enum Next {
    /// It goes on.
    On,
    /// Its units are to be handed on, and to be applied; then it says that it has arrived.
    Drain,
    /// Its tables are joined.
    End,
}

impl Guest {
    pub(in crate::task) fn new(
        side: u32,
        main_at: watch::Receiver<Option<FilePosition>>,
        visits: mpsc::Sender<Visit>,
        tables: Vec<Recorded>,
        end: CancellationToken,
        joined: Arc<AtomicBool>,
    ) -> Self {
        Self { side, main_at, visits, tables, end, joined, placed: false, link: None, not_before: None }
    }

    fn is_near(&self, here: &FilePosition) -> bool {
        let main = self.main_at.borrow();
        let Some(main) = main.as_ref() else { return false };
        match main.order(here) {
            Some(Ordering::Less | Ordering::Equal) => true,
            Some(Ordering::Greater) => {
                main.file == here.file && main.offset.saturating_sub(here.offset) <= NEAR
            }
            None => false,
        }
    }

    /// At a transaction boundary: puts copies in their places, and meets the main stream.
    pub(in crate::task) async fn meet(&mut self, builder: &mut Builder<Translate>) -> Next {
        if builder.catching_up() || self.not_before.is_some_and(|then| Instant::now() < then) {
            return Next::On;
        }
        self.not_before = None;
        if !self.placed {
            self.placed = true;
            if builder.put_in_place(&self.tables) {
                return Next::On;
            }
        }
        let here = builder.position().file.clone();
        if self.link.is_none() {
            if !self.is_near(&here) {
                return Next::On;
            }
            let (says, from_us) = mpsc::channel(1);
            let (to_us, answers) = mpsc::channel(1);
            let approach = Approach { side: self.side, at: here.clone(), says: from_us, answers: to_us };
            if self.visits.send(Visit::Join(approach)).await.is_err() {
                self.not_before = Some(Instant::now() + PAUSE);
                return Next::On;
            }
            self.link = Some(Link { says, answers, target: None });
        } else if let Some(link) = &mut self.link {
            if link.target.as_ref().is_some_and(|target| !here.reaches(target)) {
                return Next::On;
            }
            if link.says.send(Says::At(here)).await.is_err() {
                return self.parts();
            }
        }
        let Some(link) = &mut self.link else { return Next::On };
        match link.answers.recv().await {
            Some(Answer::ComeTo(target)) => {
                link.target = Some(target);
                Next::On
            }
            Some(Answer::Here) => Next::Drain,
            Some(Answer::Joined) | None => self.parts(),
        }
    }

    fn parts(&mut self) -> Next {
        self.link = None;
        self.not_before = Some(Instant::now() + PAUSE);
        Next::On
    }

    /// All before the place is applied.
    pub(in crate::task) async fn arrive(&mut self, builder: &Builder<Translate>) -> Next {
        let tables = builder.recorded(&self.tables);
        let Some(link) = &mut self.link else { return Next::On };
        if link.says.send(Says::Arrived(tables)).await.is_ok()
            && let Some(Answer::Joined) = link.answers.recv().await
        {
            self.joined.store(true, Relaxed);
            self.end.cancel();
            return Next::End;
        }
        self.parts()
    }
}
