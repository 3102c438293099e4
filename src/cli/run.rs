//! `rowferry run`: logging, listener, signals, service manager; the supervisor does the work.

use super::progress::Bars;
use super::{CliError, Exit, out};
use crate::change::status::Board;
use crate::config::{Config, LogFormat};
use crate::{status, supervisor};
use sd_notify::NotifyState;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Runs until a signal; then drains within `shutdown_grace`.
pub async fn run(config: Arc<Config>) -> Result<Exit, CliError> {
    let bars = Bars::new(std::io::stderr().is_terminal() && config.daemon.log_format == LogFormat::Text);
    log_to(&config, bars.clone());
    let board = Board::new();
    board.change(|model| model.config = config.identity());
    let stop = CancellationToken::new();
    let mut listener = None;
    if !config.daemon.listen.is_empty() {
        let socket = status::bind(&config.daemon.listen).await?;
        tracing::info!(
            address = config.daemon.listen,
            "status page, /api/status, /metrics, /healthz and /readyz"
        );
        listener = Some(tokio::spawn(status::serve(socket, board.clone(), stop.clone())));
    }
    let process = |source| CliError::Process { doing: "listening for signals", source };
    let mut terminate = signal(SignalKind::terminate()).map_err(process)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(process)?;
    notify(&[NotifyState::Ready]);
    let teller = tokio::spawn(tell(board.clone(), bars));
    let mut tasks = tokio::spawn(supervisor::run(config.clone(), board.clone(), stop.clone()));
    tokio::select! {
        _ = terminate.recv() => tracing::info!("SIGTERM: draining"),
        _ = interrupt.recv() => tracing::info!("SIGINT: draining"),
        // Every task has failed: the daemon stays up to say so until it is told to stop.
        _ = &mut tasks => tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        },
    }
    notify(&[NotifyState::Stopping]);
    stop.cancel();
    let drained =
        tasks.is_finished() || tokio::time::timeout(config.daemon.shutdown_grace, &mut tasks).await.is_ok();
    teller.abort();
    if let Some(listener) = listener {
        listener.abort();
    }
    if drained {
        tracing::info!("drained");
    } else {
        tracing::warn!(grace = ?config.daemon.shutdown_grace, "not drained in time: what is not durable will be read again");
    }
    Ok(Exit::Good)
}

fn log_to(config: &Config, bars: Bars) {
    // A plain level is about this program; the libraries below it speak up from warnings on.
    let level = &config.daemon.log_level;
    let plain = level.parse::<tracing::Level>().is_ok();
    let wanted = if plain { format!("warn,rowferry={level}") } else { level.clone() };
    let filter = EnvFilter::try_new(&wanted).unwrap_or_else(|_| EnvFilter::new("info"));
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(bars);
    let installed = match config.daemon.log_format {
        LogFormat::Text => {
            subscriber.with_ansi(std::io::stderr().is_terminal()).with_target(false).try_init()
        }
        LogFormat::Json => subscriber.json().try_init(),
    };
    if let Err(error) = installed {
        out::tell(&format!("logging is set up already: {error}"));
    }
}

impl<'a> MakeWriter<'a> for Bars {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
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
            model.tasks.iter().map(|(name, task)| format!("{name}: {}", task.phase.name())).collect();
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

/// A no-op without a service manager (`NOTIFY_SOCKET` unset).
fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager cannot be told");
    }
}
