//! `rowferry run`: logging, listener, signals, service manager; the supervisor does the work.

use super::progress::Bars;
use super::{CliError, Exit, log, spill};
use crate::change::command::{Asker, Command, Reply};
use crate::change::status::{Phase, TaskStatus};
use crate::config::{Config, LogFormat};
use crate::control::{self, Control, Socket, Tokens};
use crate::status::{self, Board};
use crate::supervisor::Supervisor;
use futures_util::future::BoxFuture;
use sd_notify::NotifyState;
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// Runs until a signal; then drains within `shutdown_grace`.
pub async fn run(config: Arc<Config>) -> Result<Exit, CliError> {
    // Before anything tells that the daemon is there: who knows of it may stop it.
    let process = |source| CliError::Process { doing: "listening for signals", source };
    let mut terminate = signal(SignalKind::terminate()).map_err(process)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(process)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(process)?;
    let bars = Bars::new(std::io::stderr().is_terminal() && config.daemon.log_format == LogFormat::Text);
    log::start(&config, bars.clone());
    let board = Board::new(config.identity());
    let stop = CancellationToken::new();
    // A daemon that cannot have its address has not started, and says only why.
    let socket = match config.daemon.listen.as_str() {
        "" => None,
        address => Some(status::bind(address).await?),
    };
    tracing::info!(version = env!("CARGO_PKG_VERSION"), config = config.file, "rowferry starts");
    spill::set_up(&config);
    let tokens = Tokens::default();
    tokens.replace(secrets(&config));
    let held = tokens.clone();
    let taken_in = move |config: &Config| {
        log::set_level(&config.daemon.log_level);
        held.replace(secrets(config));
    };
    let supervisor = Supervisor::start(config.clone(), board.clone(), stop.clone(), taken_in);
    let supervisor = Arc::new(supervisor);
    let router = status::router(board.clone()).merge(control::router(control(&supervisor, &tokens)));
    let mut listener = None;
    if let Some(socket) = socket {
        tracing::info!(
            address = config.daemon.listen,
            "status page, /api/status, /metrics, /healthz and /readyz"
        );
        let served = control::serve(socket, router.clone());
        listener = Some(tokio::spawn(async move {
            if let Err(error) = served.await {
                tracing::error!(%error, "the status page is gone until the daemon is started again; the tasks go on");
            }
        }));
    }
    let commands = match Socket::bind(config.daemon.socket.as_deref()) {
        Ok(socket) => {
            tracing::info!(path = %socket.path().display(), "local socket for commands");
            board.listens_at(socket.path().display().to_string());
            Some(AbortOnDropHandle::new(tokio::spawn(async move {
                if let Err(error) = socket.serve(router).await {
                    tracing::error!(%error, "the local socket is gone until the daemon is started again");
                }
            })))
        }
        Err(error) => {
            tracing::error!(%error, "no local socket: the daemon can be told nothing while it runs");
            None
        }
    };
    notify(&[NotifyState::Ready]);
    // How things stand is of interest after that.
    let teller = tokio::spawn(tell(board.clone(), bars));
    loop {
        // Tasks that have all failed are no end: the daemon stays up to say so.
        tokio::select! {
            _ = terminate.recv() => tracing::info!("SIGTERM: draining"),
            _ = interrupt.recv() => tracing::info!("SIGINT: draining"),
            _ = hangup.recv() => {
                // Not waited for: a stop may come meanwhile.
                let asker = Asker { name: "somebody".to_owned(), way: "by SIGHUP".to_owned() };
                tokio::spawn((control(&supervisor, &tokens).obey)(Command::Reload, asker));
                continue;
            }
        }
        break;
    }
    notify(&[NotifyState::Stopping]);
    stop.cancel();
    if let Some(commands) = commands {
        commands.abort();
        // Its file goes with it.
        let _aborted = commands.await;
    }
    let longest = config.daemon.shutdown_grace;
    // Where somebody holds it with a command the one that the daemon began with holds.
    let grace = tokio::time::timeout(longest, supervisor.config()).await;
    let grace = grace.map_or(longest, |config| config.daemon.shutdown_grace);
    let drained = tokio::time::timeout(grace, supervisor.drained()).await.is_ok();
    teller.abort();
    if let Some(listener) = listener {
        listener.abort();
    }
    if drained {
        tracing::info!("drained");
    } else {
        tracing::warn!(?grace, "not drained in time: what is not durable will be read again");
    }
    Ok(Exit::Good)
}

/// The tokens of a config.
fn secrets(config: &Config) -> BTreeMap<String, SecretString> {
    config.tokens.iter().map(|(name, token)| (name.clone(), token.expose_secret().into())).collect()
}

/// How the daemon is told what to do.
fn control(supervisor: &Arc<Supervisor>, tokens: &Tokens) -> Control {
    let supervisor = supervisor.clone();
    let obey = move |command: Command, asker: Asker| -> BoxFuture<'static, Reply> {
        let supervisor = supervisor.clone();
        Box::pin(async move { supervisor.obey(command, &asker).await })
    };
    Control { obey: Arc::new(obey), tokens: tokens.clone() }
}

/// Tells the service manager and the terminal how things stand, until aborted.
///
/// The watchdog is fed from here, and not from a thread of its own, because a turn of this loop proves what matters: the
/// runtime that carries the tasks runs its timers and tasks, and nobody sits on the status model. It is fed four times
/// in its period. A task that has failed or waits for a server is told by status: a restart would not mend it.
async fn tell(board: Board, bars: Bars) {
    let mut tick = tokio::time::interval(Duration::from_millis(250));
    let feeding = sd_notify::watchdog_enabled().map(|period| period / 4);
    let mut fed: Option<Instant> = None;
    let mut last = String::new();
    loop {
        tick.tick().await;
        let model = board.read();
        bars.show(&model);
        let words: Vec<String> =
            model.tasks.iter().map(|(name, task)| format!("{name}: {}", in_a_line(task))).collect();
        let words = words.join(", ");
        if words != last {
            notify(&[NotifyState::Status(&words)]);
            last = words;
        }
        if feeding.is_some_and(|pause| fed.is_none_or(|last| last.elapsed() >= pause)) {
            notify(&[NotifyState::Watchdog]);
            fed = Some(Instant::now());
        }
    }
}

/// The phase, and the first line of what is wrong.
fn in_a_line(task: &TaskStatus) -> String {
    let phase = task.phase.name();
    match &task.phase {
        Phase::Failed { error, .. } | Phase::Retrying { error, .. } => {
            format!("{phase}: {}", error.lines().next().unwrap_or_default())
        }
        Phase::Prechecking
        | Phase::SchemaSync
        | Phase::Snapshot
        | Phase::CatchingUp
        | Phase::Synchronizing
        | Phase::Paused
        | Phase::Dropped
        | Phase::Stopped => phase.to_owned(),
    }
}

/// A no-op without a service manager (`NOTIFY_SOCKET` unset).
fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager cannot be told");
    }
}
