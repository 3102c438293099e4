//! The daemon's log on standard error: lines for people, JSON, or lines for the journal.
//!
//! The journal has a time and a level of its own for each line, so what goes there carries no time of ours and begins with its
//! level as sd-daemon(3) spells it.

use super::out;
use super::progress::Bars;
use crate::config::{Config, LogFormat};
use std::io::{IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::sync::OnceLock;
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::{EnvFilter, reload};

/// Sets what is logged from here on.
type SetLevel = Box<dyn Fn(EnvFilter) -> Result<(), reload::Error> + Send + Sync>;

/// How the level is changed while the daemon runs.
static SET_LEVEL: OnceLock<SetLevel> = OnceLock::new();

/// Logs at this level, or by this filter, from here on.
pub fn set_level(level: &str) {
    if let Some(set) = SET_LEVEL.get()
        && let Err(error) = set(filter(level))
    {
        tracing::error!(%error, "the log goes on at its level");
    }
}

/// A plain level is about this program; the libraries below it speak up from warnings on.
fn filter(level: &str) -> EnvFilter {
    let plain = level.parse::<Level>().is_ok();
    let wanted = if plain { format!("warn,rowferry={level}") } else { level.to_owned() };
    EnvFilter::try_new(&wanted).unwrap_or_else(|_| EnvFilter::new("info"))
}

/// Sets the log up; to be called once.
pub fn start(config: &Config, bars: Bars) {
    let filter = filter(&config.daemon.log_level);
    let journal = is_journal(std::env::var("JOURNAL_STREAM").ok().as_deref());
    let lines = Lines { bars, journal };
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(lines);
    let text = || config.daemon.log_format == LogFormat::Text;
    let installed = match (text(), journal) {
        (true, true) => {
            let lines = subscriber.with_ansi(false).with_target(false).with_level(false).without_time();
            let lines = lines.with_filter_reloading();
            keep(lines.reload_handle());
            lines.try_init()
        }
        (true, false) => {
            let lines = subscriber.with_ansi(std::io::stderr().is_terminal()).with_target(false);
            let lines = lines.with_filter_reloading();
            keep(lines.reload_handle());
            lines.try_init()
        }
        (false, _) => {
            let lines = subscriber.json().with_filter_reloading();
            keep(lines.reload_handle());
            lines.try_init()
        }
    };
    if let Err(error) = installed {
        out::tell(&format!("logging is set up already: {error}"));
    }
}

/// Keeps the way to change the level.
fn keep<S: 'static>(handle: reload::Handle<EnvFilter, S>) {
    let _is_first = SET_LEVEL.set(Box::new(move |filter| handle.reload(filter)));
}

/// Whether standard error is the stream that systemd names: `device:inode` (systemd.exec(5)).
fn is_journal(named: Option<&str>) -> bool {
    let Some((device, inode)) = named.and_then(|named| named.split_once(':')) else { return false };
    // A copy of the descriptor, since only a file can be asked what it is.
    let Ok(copy) = std::io::stderr().as_fd().try_clone_to_owned() else { return false };
    std::fs::File::from(copy)
        .metadata()
        .is_ok_and(|stream| device.parse() == Ok(stream.dev()) && inode.parse() == Ok(stream.ino()))
}

/// Where lines go.
struct Lines {
    bars: Bars,
    journal: bool,
}

/// Takes one event, whole.
struct Line {
    bars: Bars,
    prefix: &'static str,
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.prefix.is_empty() {
            return self.bars.write(bytes);
        }
        let mut marked = Vec::with_capacity(bytes.len() + self.prefix.len());
        // The journal makes an entry of each line.
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            marked.extend_from_slice(self.prefix.as_bytes());
            marked.extend_from_slice(line);
        }
        self.bars.write_all(&marked)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.bars.flush()
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line { bars: self.bars.clone(), prefix: if self.journal { "<6>" } else { "" } }
    }

    fn make_writer_for(&'a self, event: &Metadata<'_>) -> Line {
        let prefix = match *event.level() {
            _ if !self.journal => "",
            Level::ERROR => "<3>",
            Level::WARN => "<4>",
            Level::INFO => "<6>",
            Level::DEBUG | Level::TRACE => "<7>",
        };
        Line { bars: self.bars.clone(), prefix }
    }
}
