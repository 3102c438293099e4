//! One owner per task, whatever is killed, cut off or started twice.
//!
//! Sequence of a takeover: session-level advisory lock on a session of its own → refuse what a newer program has stored → end the
//! server processes that earlier owners left behind → raise the epoch (owner record and, with it, a copy of the head checkpoint;
//! an older layout of the tables is upgraded in front of them) → end what registered in between → only then is anything loaded. What
//! must never happen here: the epoch raised while an earlier writer could still commit under its own.
//!
//! Questions are sent ahead, in that order: an answer counts only when those before it are as they should be.
//!
//! The lock keeps two live daemons apart. The epoch keeps out whoever lost the lock without knowing: its next
//! checkpoint finds another head, its next chunk another epoch.

use super::store::{self, BeforeRun, Parameter, Store, Stored};
use super::{Session, SinkError, SinkErrorKind, pooler};
use crate::change::remedy::Connect;
use crate::config::types::TargetEndpoint;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

const DOING: &str = "taking the task";
/// Longest wait for an ended server process to be gone.
const END_TIMEOUT: Duration = Duration::from_secs(30);
/// Pause between two looks whether it is.
const END_POLL: Duration = Duration::from_millis(50);
/// Longest wait for an answer to [`Owner::check`].
const CHECK_TIMEOUT: Duration = Duration::from_secs(10);
/// The same on Greenplum, where the question may wait for a place in the role's resource queue. Whoever takes the task ends this
/// session first, so a wait does no harm.
const QUEUED_CHECK_TIMEOUT: Duration = Duration::from_secs(300);

/// The ownership of a task; ends with the session it holds.
#[derive(Debug)]
pub struct Owner {
    session: Session,
    store: Store,
    host: String,
    /// The last slot given to a registered session; 0 is the lock's own.
    slots: Arc<AtomicI32>,
    /// What it has registered.
    sessions: Sessions,
    before_run: BeforeRun,
}

/// Sessions that are on record of an owner, to be ended together.
#[derive(Clone, Debug, Default)]
pub struct Sessions(Arc<Mutex<Earlier>>);

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, Earlier> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Owner {
    /// Takes the task, making its tables in schema `rowferry` when they are missing.
    ///
    /// # Errors
    /// `SinkErrorKind::Owned` while another process holds it or an earlier writer does not end.
    pub async fn take(endpoint: &TargetEndpoint, task: &str) -> Result<Self, SinkError> {
        let session = Session::connect(endpoint, &application(task)).await?;
        if !pooler::is_own(endpoint, &session).await? {
            return Err(pooled(&session, task));
        }
        Ok(Self::take_with(session, task).await?.0)
    }

    /// As [`Owner::take`], with a session that is known to have a server process of its own; and with what is durable of the task.
    ///
    /// # Errors
    /// As [`Owner::take`].
    pub async fn take_with(session: Session, task: &str) -> Result<(Self, Stored), SinkError> {
        Store::create(&session, task).await?;
        Self::take_again(session, task).await
    }

    /// As [`Owner::take_with`], of a task whose tables are there.
    ///
    /// # Errors
    /// As [`Owner::take`].
    pub async fn take_again(session: Session, task: &str) -> Result<(Self, Stored), SinkError> {
        let unowned = Store::new(task, 0);
        let (locked, upgrade, earlier, highest) = tokio::join!(
            biased;
            lock(&session, &unowned),
            unowned.examine(&session),
            Earlier::find(&session, &unowned, i64::MAX),
            unowned.highest_epoch(&session)
        );
        locked?;
        let upgrade = upgrade?;
        let earlier = earlier?;
        earlier.end(&session, &unowned).await?;
        let store = Store::new(task, highest?.saturating_add(1));
        let host = host_name();
        let (raised, between, loaded, before_run) = tokio::join!(
            biased;
            raise_epoch(&session, &store, &host, &upgrade, &earlier),
            Earlier::find(&session, &store, store.epoch()),
            store.load(&session),
            store::before_run(&session, task)
        );
        raised?;
        let before_run = before_run?;
        let between = between?;
        let stored = if between.pids.is_empty() {
            loaded?
        } else {
            between.end(&session, &store).await?;
            store.load(&session).await?
        };
        let (slots, sessions) = (Arc::default(), Sessions::default());
        Ok((Self { session, store, host, slots, sessions, before_run }, stored))
    }

    /// The same ownership with a session of its own, for the side stream of this number: what its store writes is the side stream's.
    /// This session, and those that are registered by it, are added to `sessions`.
    ///
    /// # Errors
    /// When no session can be had, or the task is no longer owned.
    pub async fn aside(
        &self,
        endpoint: &TargetEndpoint,
        side: u32,
        sessions: &Sessions,
    ) -> Result<Self, SinkError> {
        let (task, role) = (self.store.task(), format!("side {side}"));
        let session = Session::connect(endpoint, &format!("rowferry/{task}/{role}")).await?;
        let aside = Self {
            session,
            store: self.store.aside(side),
            host: self.host.clone(),
            slots: Arc::clone(&self.slots),
            sessions: sessions.clone(),
            before_run: self.before_run,
        };
        aside.register(&aside.session, &role).await?;
        Ok(aside)
    }

    /// Ends sessions of a side stream, and waits until they are gone: what they were about to commit is durable by now, or never will
    /// be.
    ///
    /// # Errors
    /// When the target cannot be asked, or one does not end.
    pub async fn end(&self, sessions: &Sessions) -> Result<(), SinkError> {
        let ended = std::mem::take(&mut *sessions.lock());
        ended.end(&self.session, &self.store).await?;
        if ended.pids.is_empty() {
            return Ok(());
        }
        let forgotten = self.session.client().execute_typed(&forget(&self.store), &ended.records()).await;
        forgotten
            .map(|_| ())
            .map_err(|error| self.session.error("forgetting sessions of a side stream", error))
    }

    /// What was to be known of the task before it runs, when it was taken.
    pub fn before_run(&self) -> BeforeRun {
        self.before_run
    }

    /// The task's records, writable under this ownership.
    pub fn store(&self) -> Store {
        self.store.clone()
    }

    /// The lock's own session, idle between checks: for reading and small writes outside of the applier.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Records a working session before it writes, so that the next owner can end it. `role` is a word for people
    /// ("apply", "copy 2").
    pub async fn register(&self, working: &Session, role: &str) -> Result<(), SinkError> {
        let slot = self.slots.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let start = working.backend_start();
        let record = Record { epoch: self.store.epoch(), slot, role, start, host: &self.host };
        let fence = format!(" WHERE $1 = (SELECT max(epoch) FROM {})", self.store.owner_table());
        let pid = working.backend_pid();
        if record.insert(&self.session, &self.store, pid, &fence).await? {
            let mut sessions = self.sessions.lock();
            sessions.epochs.push(self.store.epoch());
            sessions.slots.push(slot);
            sessions.pids.push(pid);
            sessions.starts.push(start.to_owned());
            return Ok(());
        }
        Err(self.lost("another owner took the task"))
    }

    /// Whether the task is still owned: the lock's session lives and no higher epoch is on record. Called every few
    /// seconds; an error means that the task must stop writing and be taken again.
    pub async fn check(&self) -> Result<(), SinkError> {
        const DOING: &str = "checking the ownership";
        let sql = format!("SELECT pg_backend_pid(), (SELECT max(epoch) FROM {})", self.store.owner_table());
        let limit = if self.session.dialect().distributed { QUEUED_CHECK_TIMEOUT } else { CHECK_TIMEOUT };
        let answer = tokio::time::timeout(limit, self.session.client().query_typed(&sql, &[])).await;
        let Ok(rows) = answer else {
            return Err(SinkErrorKind::broken(DOING, format!("no answer within {} s", limit.as_secs()))
                .at(self.session.label()));
        };
        let rows = rows.map_err(|error| self.session.error(DOING, error))?;
        let row = rows.first().ok_or_else(|| self.session.unexpected(DOING, "no row came back"))?;
        let pid: i32 = row.try_get(0).map_err(|error| self.session.error(DOING, error))?;
        let epoch: Option<i64> = row.try_get(1).map_err(|error| self.session.error(DOING, error))?;
        if pid != self.session.backend_pid() {
            return Err(pooled(&self.session, self.store.task()));
        }
        if epoch != Some(self.store.epoch()) {
            return Err(self.lost("another owner took the task"));
        }
        Ok(())
    }

    fn lost(&self, why: &str) -> SinkError {
        SinkErrorKind::CheckpointMoved {
            task: self.store.task().to_owned(),
            why: format!("{why}; this one has epoch {}", self.store.epoch()),
        }
        .at(self.session.label())
    }
}

fn pooled(session: &Session, task: &str) -> SinkError {
    SinkErrorKind::State {
        task: task.to_owned(),
        why: "the session has no server process of its own, so a lock would keep nobody out".into(),
        remedy: Connect::WithoutPooler.into(),
    }
    .at(session.label())
}

/// The advisory lock's number: FNV-1a over the task's name. Locks are per database.
fn lock_key(task: &str) -> i64 {
    let hash = b"rowferry:".iter().chain(task.as_bytes()).fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    i64::from_ne_bytes(hash.to_ne_bytes())
}

async fn lock(session: &Session, store: &Store) -> Result<(), SinkError> {
    let failed = |error| session.error(DOING, error);
    let key = lock_key(store.task());
    let rows = session
        .client()
        .query_typed("SELECT pg_try_advisory_lock($1)", &[(&key, Type::INT8)])
        .await
        .map_err(failed)?;
    let row = rows.first().ok_or_else(|| session.unexpected(DOING, "no row came back"))?;
    if row.try_get(0).map_err(failed)? {
        return Ok(());
    }
    Err(owned(session, store, holder(session, store, key).await?))
}

fn owned(session: &Session, store: &Store, owner: String) -> SinkError {
    SinkErrorKind::Owned { task: store.task().to_owned(), owner }.at(session.label())
}

/// Who holds the lock, in words: from the lock itself, and from the owner's record.
async fn holder(session: &Session, store: &Store, key: i64) -> Result<String, SinkError> {
    let failed = |error| session.error(DOING, error);
    // A bigint key is shown as its two halves (PostgreSQL docs, view pg_locks).
    let rows = session
        .client()
        .query_typed(
            "SELECT l.pid, coalesce(a.application_name, '?'), coalesce(a.usename::text, '?'), \
             coalesce(host(a.client_addr), 'a local socket') \
             FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid \
             WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 \
             AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()) \
             AND l.classid::bigint = ($1 >> 32) & 4294967295 AND l.objid::bigint = $1 & 4294967295 LIMIT 1",
            &[(&key, Type::INT8)],
        )
        .await
        .map_err(failed)?;
    let backend = match rows.first() {
        Some(row) => holder_words(row).map_err(failed)?,
        None => "its session has just ended".to_owned(),
    };
    let sql = format!(
        "SELECT host, process_id, taken_at::text FROM {} WHERE slot = 0 ORDER BY epoch DESC LIMIT 1",
        store.owner_table()
    );
    let rows = session.client().query_typed(&sql, &[]).await.map_err(failed)?;
    let Some(row) = rows.first() else { return Ok(backend) };
    let host: String = row.try_get(0).map_err(failed)?;
    let process: i64 = row.try_get(1).map_err(failed)?;
    let since: String = row.try_get(2).map_err(failed)?;
    Ok(format!("process {process} on host {host}, on record since {since}; {backend}"))
}

fn holder_words(row: &Row) -> Result<String, tokio_postgres::Error> {
    let (pid, application): (i32, String) = (row.try_get(0)?, row.try_get(1)?);
    let (user, address): (String, String) = (row.try_get(2)?, row.try_get(3)?);
    Ok(format!("server process {pid}, application {application}, user {user}, from {address}"))
}

/// Sessions on record that are to be ended.
#[derive(Debug, Default)]
struct Earlier {
    epochs: Vec<i64>,
    slots: Vec<i32>,
    pids: Vec<i32>,
    starts: Vec<String>,
}

impl Earlier {
    /// Those of owners before `epoch`.
    async fn find(session: &Session, store: &Store, epoch: i64) -> Result<Self, SinkError> {
        let failed = |error| session.error(DOING, error);
        let sql = format!(
            "SELECT epoch, slot, backend_pid, backend_start::text FROM {} WHERE epoch < $1",
            store.owner_table()
        );
        let rows = session.client().query_typed(&sql, &[(&epoch, Type::INT8)]).await.map_err(failed)?;
        let mut found = Self { epochs: Vec::new(), slots: Vec::new(), pids: Vec::new(), starts: Vec::new() };
        for row in &rows {
            found.epochs.push(row.try_get(0).map_err(failed)?);
            found.slots.push(row.try_get(1).map_err(failed)?);
            found.pids.push(row.try_get(2).map_err(failed)?);
            found.starts.push(row.try_get(3).map_err(failed)?);
        }
        Ok(found)
    }

    /// Which records they are, for [`forget`].
    fn records(&self) -> [Parameter<'_>; 2] {
        [(&self.epochs, Type::INT8_ARRAY), (&self.slots, Type::INT4_ARRAY)]
    }

    /// Ends their server processes that are still the same (number and start time), and waits until they are gone.
    async fn end(&self, session: &Session, store: &Store) -> Result<(), SinkError> {
        let failed = |error| session.error("ending sessions of the earlier owner", error);
        if self.pids.is_empty() {
            return Ok(());
        }
        let give_up = Instant::now() + END_TIMEOUT;
        loop {
            // Asked again each time: a process that ignores one signal in a wait takes the next.
            let rows = session
                .client()
                .query_typed(
                    "SELECT a.pid, pg_terminate_backend(a.pid) FROM pg_stat_activity a \
                     JOIN unnest($1::int4[], $2::text[]) AS r(pid, start) \
                     ON a.pid = r.pid AND a.backend_start = r.start::timestamptz WHERE a.pid <> pg_backend_pid()",
                    &[(&self.pids, Type::INT4_ARRAY), (&self.starts, Type::TEXT_ARRAY)],
                )
                .await
                .map_err(failed)?;
            let Some(row) = rows.first() else { return Ok(()) };
            let pid: i32 = row.try_get(0).map_err(failed)?;
            if Instant::now() >= give_up {
                return Err(owned(
                    session,
                    store,
                    format!("server process {pid} of an earlier owner does not end"),
                ));
            }
            tracing::info!(task = store.task(), pid, "ending a session of the earlier owner");
            tokio::time::sleep(END_POLL).await;
        }
    }
}

/// Puts the new owner on record in the place of those that were ended and, in the same transaction, repeats the head checkpoint under
/// its epoch. An earlier owner that is still about to commit the next checkpoint then collides with this one. Before all that, `upgrade`
/// brings the task's tables to the present layout.
async fn raise_epoch(
    session: &Session,
    store: &Store,
    host: &str,
    upgrade: &str,
    ended: &Earlier,
) -> Result<(), SinkError> {
    let failed = |error| session.error(DOING, error);
    let client = session.client();
    let epoch = store.epoch();
    let record = Record { epoch, slot: 0, role: "owner", start: session.backend_start(), host };
    let begin = format!("BEGIN; {upgrade}");
    let (forget, records) = (forget(store), ended.records());
    // Sent together: where one fails those after it fail too, and COMMIT rolls back.
    let (begun, forgot, recorded, repeated, committed) = tokio::join!(
        biased;
        client.batch_execute(&begin),
        client.execute_typed(&forget, &records),
        record.insert(session, store, session.backend_pid(), ""),
        store.repeat_head(session, epoch),
        client.batch_execute("COMMIT")
    );
    begun.map_err(failed)?;
    forgot.map_err(failed)?;
    recorded?;
    repeated?;
    committed.map_err(failed)
}

/// The statement that takes sessions off the record.
fn forget(store: &Store) -> String {
    format!(
        "DELETE FROM {} o USING unnest($1::int8[], $2::int4[]) AS e(epoch, slot) \
         WHERE o.epoch = e.epoch AND o.slot = e.slot",
        store.owner_table()
    )
}

/// What `pg_stat_activity` shows of an owner.
pub fn application(task: &str) -> String {
    format!("rowferry/{task}/owner")
}

/// A row of the owner table.
struct Record<'a> {
    epoch: i64,
    slot: i32,
    role: &'a str,
    start: &'a str,
    host: &'a str,
}

impl Record<'_> {
    /// Inserts it under the condition `fence`; false when that does not hold.
    async fn insert(
        &self,
        session: &Session,
        store: &Store,
        pid: i32,
        fence: &str,
    ) -> Result<bool, SinkError> {
        let sql = format!(
            "INSERT INTO {} (epoch, slot, role, backend_pid, backend_start, host, process_id) \
             SELECT $1, $2, $3, $4, $5::text::timestamptz, $6, $7{fence}",
            store.owner_table()
        );
        let inserted = session
            .client()
            .execute_typed(
                &sql,
                &[
                    (&self.epoch, Type::INT8),
                    (&self.slot, Type::INT4),
                    (&self.role, Type::TEXT),
                    (&pid, Type::INT4),
                    (&self.start, Type::TEXT),
                    (&self.host, Type::TEXT),
                    (&i64::from(std::process::id()), Type::INT8),
                ],
            )
            .await
            .map_err(|error| session.error("recording a session of the owner", error))?;
        Ok(inserted == 1)
    }
}

/// This machine's name, for people; "?" where it cannot be told.
fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "?".to_owned(), |name| name.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_of_a_task_is_the_same_in_every_version() {
        // Two daemons of different versions must meet at the same lock: these numbers may never change.
        assert_eq!(lock_key("shop"), 6_581_292_535_262_085_845);
        assert_ne!(lock_key("shop"), lock_key("shop2"));
    }
}
