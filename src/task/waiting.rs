//! What a task waits for: told while it lasts, and given up where it does not end.
//!
//! Every step before Synchronizing goes through here or has a limit of its own (questions to the source do). A lock that somebody
//! holds at the target is told with its holder, who is asked for on another session.
//!
//! What must never happen here: a step without an end and without a word.

use super::TaskError;
use super::context::Context;
use crate::sink::held_up::held_up;
use crate::sink::{Owner, Session, SinkErrorKind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Longer than a server that is well takes to answer.
const LONG: Duration = Duration::from_secs(2);
/// How often it is asked what the target works at.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// After so long without a sign of life, or in the copy without a row from the source, a step is given up and tried again.
const LIMIT: Duration = Duration::from_secs(600);

/// A statement of the applier that is so far past its `statement_timeout` will not end: a process that it waits for is gone.
const STUCK: Duration = Duration::from_secs(30);

/// How long a row that the target refuses is looked for.
pub(super) const LOOKING: Duration = Duration::from_secs(60);

/// What the applying session works at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AtWork {
    /// Its server process.
    pub pid: i32,
    /// No statement of it may take for ever. (How long a change of a large table takes nobody knows.)
    pub bounded: bool,
}

fn tell(context: &Context, what: Option<String>) {
    context.progress.step(|progress, _| progress.waits_for(what));
}

/// Does `work`, which needs an answer; says what it waits for when that takes long.
///
/// # Errors
/// Those of `work`, and [`TaskError::Overdue`].
pub(super) async fn patiently<T, E: Into<TaskError>>(
    context: &Context,
    what: String,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, TaskError> {
    step(context, what, None, work).await
}

/// As [`patiently`], for what the target's server process `pid` works at: a lock it waits for is told with its holder. It may take
/// long, as long as the target answers when it is asked.
///
/// # Errors
/// As [`patiently`].
pub(super) async fn at_target<T, E: Into<TaskError>>(
    context: &Context,
    pid: i32,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, TaskError> {
    let task = context.task();
    step(context, format!("answers of source {} and target {}", task.source, task.target), Some(pid), work)
        .await
}

async fn step<T, E: Into<TaskError>>(
    context: &Context,
    what: String,
    pid: Option<i32>,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, TaskError> {
    let mut look = Look { asking: Asking::new(context), pid, what: what.clone() };
    let vigil = async {
        tokio::time::sleep(LONG).await;
        tell(context, Some(what.clone()));
        vigil(LOOK_EVERY, LIMIT, &mut look).await;
    };
    let result = tokio::select! {
        done = work => done.map_err(Into::into),
        () = vigil => Err(TaskError::Overdue { what: what.clone(), seconds: LIMIT.as_secs() }),
    };
    // What it waited for is no more; the next step tells its own, and so does one beside it.
    context.progress.step(|progress, _| progress.waited_for(&what, pid.is_some()));
    result
}

/// What was heard of a server that is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    /// It answers. What it works at may take long, and locks have a limit of their own.
    Life,
    Nothing,
}

/// Looks for a sign of life.
trait Looks: Send {
    fn look(&mut self) -> impl Future<Output = Heard> + Send;
}

/// Looks for one of what the target's server process works at, if that is known, and tells what it waits for.
struct Look<'a> {
    asking: Asking<'a>,
    pid: Option<i32>,
    what: String,
}

impl Looks for Look<'_> {
    async fn look(&mut self) -> Heard {
        if let Some(pid) = self.pid {
            return self.asking.tell(&[pid], &self.what).await;
        }
        tell(self.asking.context, Some(self.what.clone()));
        Heard::Nothing
    }
}

/// Looks again and again; ends when nothing was heard for `limit`.
async fn vigil(every: Duration, limit: Duration, looks: &mut impl Looks) {
    let mut heard = Instant::now();
    while heard.elapsed() < limit {
        tokio::time::sleep(every).await;
        if looks.look().await == Heard::Life {
            heard = Instant::now();
        }
    }
}

/// Does `work` and says meanwhile what it waits for at the source.
pub(super) async fn waits<T>(
    context: &Context,
    mut waits: watch::Receiver<Option<String>>,
    work: impl Future<Output = T>,
) -> T {
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => {
                tell(context, None);
                return done;
            }
            // The sender lives in what works.
            Ok(()) = waits.changed() => tell(context, waits.borrow_and_update().clone()),
        }
    }
}

/// Asks on a session of its own, made when first needed, what server processes of the target work at.
struct Asking<'a> {
    context: &'a Context,
    session: Option<Session>,
    told: bool,
}

impl<'a> Asking<'a> {
    fn new(context: &'a Context) -> Self {
        Self { context, session: None, told: false }
    }

    /// Tells the first of them that is held up, or `otherwise`; once in the log, too.
    async fn tell(&mut self, pids: &[i32], otherwise: &str) -> Heard {
        let asked = self.ask(pids).await;
        let (found, heard) = match asked {
            Some(found) => (found, Heard::Life),
            None => (None, Heard::Nothing),
        };
        if let Some(found) = found.as_ref().filter(|_| !std::mem::replace(&mut self.told, true)) {
            tracing::warn!(task = self.context.name, "waits for {found}");
        }
        tell(self.context, Some(found.unwrap_or_else(|| otherwise.to_owned())));
        heard
    }

    /// What holds the first of them up; `None` when the target does not say.
    async fn ask(&mut self, pids: &[i32]) -> Option<Option<String>> {
        let mut first = None;
        for pid in pids {
            let session = match self.session.take().filter(|session| !session.is_closed()) {
                Some(session) => session,
                None => self.connect().await?,
            };
            match held_up(&session, *pid).await {
                Ok(found) => {
                    self.session = Some(session);
                    // A lock says more than a long statement.
                    if let Some(found) = found.filter(|found| found.seconds >= LONG.as_secs()) {
                        let words = found.to_string();
                        if found.lock.is_some() {
                            return Some(Some(words));
                        }
                        first = first.or(Some(words));
                    }
                }
                Err(error) => {
                    tracing::debug!(task = self.context.name, %error, "it is not known what the target works at");
                    return None;
                }
            }
        }
        Some(first)
    }

    async fn connect(&self) -> Option<Session> {
        let name = format!("rowferry/{}/ask", self.context.name);
        match Box::pin(Session::connect(self.context.target(), &name)).await {
            Ok(session) => Some(session),
            Err(error) => {
                tracing::debug!(task = self.context.name, %error, "the target cannot be asked what it works at");
                None
            }
        }
    }
}

/// Watches over what the stages themselves do not notice while they run: that another process has taken the task, and that the
/// applier is held up, which goes into `held_up` in words.
///
/// # Errors
/// When the task is no longer owned, or a statement does not end although it has a limit.
pub(super) async fn watched(
    context: &Context,
    owner: &Owner,
    at_work: watch::Receiver<Option<AtWork>>,
    words: &Mutex<Option<String>>,
) -> Result<std::convert::Infallible, TaskError> {
    tokio::try_join!(owned(owner), applying(context, owner, at_work, words)).map(|(never, _)| never)
}

async fn owned(owner: &Owner) -> Result<std::convert::Infallible, TaskError> {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        owner.check().await?;
    }
}

async fn applying(
    context: &Context,
    owner: &Owner,
    mut at_work: watch::Receiver<Option<AtWork>>,
    words: &Mutex<Option<String>>,
) -> Result<std::convert::Infallible, TaskError> {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let another = at_work.has_changed().unwrap_or(false);
        let work = at_work.borrow_and_update().filter(|_| !another);
        let found = match work {
            Some(work) => held_up(owner.session(), work.pid).await.unwrap_or_else(|error| {
                tracing::debug!(task = context.name, %error, "it is not known what the target works at");
                None
            }),
            None => None,
        };
        let found = found.filter(|found| found.seconds >= LOOK_EVERY.as_secs());
        let told = found.as_ref().map(ToString::to_string);
        if let (Some(work), Some(found)) = (work, &found)
            && work.bounded
            && found.seconds >= (context.task().apply.statement_timeout + STUCK).as_secs()
        {
            return Err(SinkErrorKind::broken(
                "applying",
                format!("a statement has not ended by its own time limit; {found}"),
            )
            .at(owner.session().label())
            .into());
        }
        let was = std::mem::replace(&mut *words.lock().unwrap_or_else(PoisonError::into_inner), told.clone());
        if let (None, Some(told)) = (was, told) {
            tracing::warn!(task = context.name, "waits for {told}");
        }
    }
}

/// Where the workers of a copy are: whether anything moves, and who waits for the target.
#[derive(Debug, Default)]
pub(super) struct Moves {
    count: AtomicU64,
    workers: Mutex<Vec<Arc<AtTarget>>>,
}

/// One worker's session at the target.
#[derive(Debug)]
pub(super) struct AtTarget {
    pid: i32,
    /// An answer of the target is waited for.
    waits: AtomicBool,
}

impl Moves {
    /// Something moved on: rows, a chunk, a plan, or the pause that the user's rate asks for.
    pub fn moved(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    /// A worker whose session has this server process.
    pub fn worker(&self, pid: i32) -> Arc<AtTarget> {
        let worker = Arc::new(AtTarget { pid, waits: AtomicBool::new(false) });
        self.workers.lock().unwrap_or_else(PoisonError::into_inner).push(worker.clone());
        worker
    }

    fn waiting(&self) -> Vec<i32> {
        let workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = workers.iter().filter(|worker| worker.waits.load(Ordering::Relaxed));
        waiting.map(|worker| worker.pid).collect()
    }

    /// Tells what the copy waits for while nothing moves.
    ///
    /// # Errors
    /// [`TaskError::Overdue`] when that does not end; never anything else, and never `Ok`.
    pub async fn watch(&self, context: &Context) -> Result<std::convert::Infallible, TaskError> {
        let task = context.task();
        let mut asking = Asking::new(context);
        let (mut seen, mut since) = (self.count.load(Ordering::Relaxed), Instant::now());
        let mut telling = false;
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let count = self.count.load(Ordering::Relaxed);
            if count != seen {
                (seen, since) = (count, Instant::now());
                asking.told = false;
                if std::mem::replace(&mut telling, false) {
                    tell(context, None);
                }
                continue;
            }
            let waiting = self.waiting();
            let what = if waiting.is_empty() {
                format!("source {}, which sends no rows", task.source)
            } else {
                format!("target {}, which takes no rows", task.target)
            };
            if since.elapsed() >= LIMIT {
                return Err(TaskError::Overdue { what, seconds: LIMIT.as_secs() });
            }
            telling = true;
            // Of a source that sends nothing nothing is heard.
            if asking.tell(&waiting, &what).await == Heard::Life && !waiting.is_empty() {
                since = Instant::now();
            }
        }
    }
}

impl AtTarget {
    /// Does `work`, for which the target is waited.
    pub async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        self.waits.store(true, Ordering::Relaxed);
        let done = work.await;
        self.waits.store(false, Ordering::Relaxed);
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hears so many signs of life.
    struct Signs(u32);

    impl Looks for Signs {
        async fn look(&mut self) -> Heard {
            let left = self.0;
            self.0 = left.saturating_sub(1);
            if left > 0 { Heard::Life } else { Heard::Nothing }
        }
    }

    #[tokio::test]
    async fn a_server_of_which_nothing_is_heard_is_waited_for_up_to_a_limit() {
        for signs in [0, 50] {
            let mut looks = Signs(signs);
            // It ends only when nothing is heard any more.
            vigil(Duration::from_millis(1), Duration::from_millis(5), &mut looks).await;
            assert_eq!(looks.0, 0);
        }
    }

    #[test]
    fn only_workers_that_wait_for_the_target_are_asked_about() {
        let moves = Moves::default();
        let (first, _second) = (moves.worker(1), moves.worker(2));
        first.waits.store(true, Ordering::Relaxed);
        assert_eq!(moves.waiting(), [1]);
    }
}
