//! The commands: what each prints and with which code it exits.
//!
//! What must never happen here: work that belongs to a room; this one only asks and prints.

mod ask;
mod audit;
mod check;
mod command;
mod log;
mod out;
mod progress;
mod run;
mod spill;
mod status;
mod verify;

use crate::change::command::{Change, Pausing};
use crate::change::{Retry, TableName, TransactionNameError};
use crate::config::{self, Config, ConfigError};
use crate::status::StatusError;
use crate::task::TaskError;
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// Copies MySQL tables into PostgreSQL and keeps them equal by following the binlog.
#[derive(Debug, Parser)]
#[command(version, about, arg_required_else_help = true)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The config file, the same for every command.
#[derive(Debug, clap::Args)]
pub struct ConfigFile {
    /// The TOML config file.
    #[arg(short = 'c', long = "config", value_name = "FILE")]
    pub path: PathBuf,
}

/// One command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run every task of the config in the foreground until SIGTERM or SIGINT.
    Run {
        /// Config.
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Precheck: judge both servers and every selected table; write nothing.
    Check {
        /// Config.
        #[command(flatten)]
        config: ConfigFile,
        /// Print the report as JSON.
        #[arg(long)]
        json: bool,
        /// Only this task.
        #[arg(long)]
        task: Option<String>,
    },
    /// Print the statements that preparing the target would run; write nothing.
    Plan {
        /// Config.
        #[command(flatten)]
        config: ConfigFile,
        /// Only this task.
        #[arg(long)]
        task: Option<String>,
    },
    /// Show what the running daemon does, or the checkpoint when none runs.
    Status {
        /// Config.
        #[command(flatten)]
        config: ConfigFile,
        /// Print JSON.
        #[arg(long)]
        json: bool,
        /// Show again every second until interrupted.
        #[arg(long, conflicts_with = "json")]
        watch: bool,
        /// Only ask whether the daemon serves, whatever its tasks do: exit code 0 or 1.
        #[arg(long, conflicts_with_all = ["json", "watch"])]
        alive: bool,
        /// Wait until every task is so, and then show how it is: exit code 0, or 1 when one has failed or the time is over.
        #[arg(long, value_name = "STATE", conflicts_with_all = ["watch", "alive"])]
        wait: Option<status::Awaited>,
        /// How long --wait waits, in seconds.
        #[arg(long, value_name = "SECONDS", default_value_t = 600, requires = "wait")]
        timeout: u64,
    },
    /// Have the running daemon take in its config file: tasks whose sections or servers have changed start over, the others go on.
    Reload {
        /// Config.
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Have a task, or some of its tables alone, rest where it is, also over restarts, until it is resumed. What
    /// it follows should stay in the source's log meanwhile: without that it is copied again.
    Pause {
        /// What.
        #[command(flatten)]
        what: Resting,
    },
    /// Have a paused task go on from where it was, or paused tables of it.
    Resume {
        /// What.
        #[command(flatten)]
        what: Resting,
    },
    /// Have a task that has failed at one transaction of the source's log, or at a statement, pass over it and go on behind it. What it did
    /// is then not in the target, unless by hand. Anything else than what the task has failed at is refused.
    Skip {
        /// Which task.
        #[command(flatten)]
        task: Task,
        /// The transaction, as the status names it: its GTID, or file:offset.
        #[arg(value_name = "POSITION")]
        position: String,
        /// Pass over it for this table (`database.table`) alone.
        #[arg(long)]
        table: Option<String>,
    },
    /// Copy tables again, also parked ones: readers keep the old rows until the new ones are whole. Where no daemon runs the copy begins
    /// when it is started.
    Resync {
        /// Which tables.
        #[command(flatten)]
        tables: Tables,
    },
    /// Carry tables that are selected and not carried: those that were dropped by command, could not be carried, or came with
    /// new_tables = "tell".
    Add {
        /// Which tables.
        #[command(flatten)]
        tables: Tables,
    },
    /// Carry tables no more, until they are added again; or end a whole task. Their target tables stay.
    Drop {
        /// Config.
        #[command(flatten)]
        config: ConfigFile,
        /// The task of these tables; needed where there are several.
        #[arg(long)]
        task: Option<String>,
        /// Take their rows out of the target too: a table that rowferry has made is dropped there.
        #[arg(long)]
        remove_rows: bool,
        /// End this task: all that is on record of it goes, and it does not run again unless it is resumed, from the start.
        #[arg(long, value_name = "TASK", conflicts_with_all = ["names", "task"])]
        whole_task: Option<String>,
        /// The tables, as `database.table`.
        #[arg(required_unless_present = "whole_task", value_name = "TABLE")]
        names: Vec<String>,
    },
    /// Show what was asked of tasks: by whom, when, and what has become of it.
    Audit {
        /// Config.
        #[command(flatten)]
        config: ConfigFile,
        /// Only this task.
        #[arg(long)]
        task: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
        /// So many entries of a task, the last ones.
        #[arg(long, value_name = "N", default_value_t = 100)]
        last: u32,
    },
    /// Compare source and target, row by row, while the daemon goes on: exit code 0 when all is equal, 1 when rows differ.
    Verify(verify::Arguments),
    /// Print the effective config, every default filled in and secrets masked.
    Config {
        /// Config.
        #[command(flatten)]
        config: ConfigFile,
    },
}

/// A task.
#[derive(Debug, clap::Args)]
pub struct Task {
    /// Config.
    #[command(flatten)]
    pub config: ConfigFile,
    /// The task; needed where there are several.
    #[arg(long)]
    pub task: Option<String>,
}

/// A task, or tables of it.
#[derive(Debug, clap::Args)]
pub struct Resting {
    /// Config.
    #[command(flatten)]
    pub config: ConfigFile,
    /// The task; needed where there are several.
    #[arg(long)]
    pub task: Option<String>,
    /// These tables alone, as `database.table`; the whole task where none is named.
    #[arg(value_name = "TABLE")]
    pub names: Vec<String>,
}

/// Tables of a task.
#[derive(Debug, clap::Args)]
pub struct Tables {
    /// Config.
    #[command(flatten)]
    pub config: ConfigFile,
    /// The task; needed where there are several.
    #[arg(long)]
    pub task: Option<String>,
    /// The tables, as `database.table`.
    #[arg(required = true, value_name = "TABLE")]
    pub names: Vec<String>,
}

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: done, nothing wrong.
    Good,
    /// 1: done, and something is wrong.
    Problem,
    /// 2: the command line or the config cannot be used.
    Usage,
    /// 75: not now; trying later may help (`EX_TEMPFAIL`).
    Temporary,
    /// 141: who read standard output has gone, as a shell tells of a death by SIGPIPE.
    NoReader,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Good => 0,
            Exit::Problem => 1,
            Exit::Usage => 2,
            Exit::Temporary => 75,
            Exit::NoReader => 141,
        })
    }
}

/// A command that could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The config.
    #[error("{}", error.with_remedy())]
    Config {
        /// The error.
        #[from]
        error: ConfigError,
    },
    /// No task of that name.
    #[error("there is no task \"{name}\" in the config. To mend it: name one of {known}.")]
    NoTask {
        /// As given.
        name: String,
        /// Those there are.
        known: String,
    },
    /// Several tasks, and none is named.
    #[error("the config has several tasks. To mend it: name one of {known} with --task.")]
    WhichTask {
        /// Those there are.
        known: String,
    },
    /// No table of that form.
    #[error("\"{name}\" is no table. To mend it: write database.table.")]
    TableName {
        /// As given.
        name: String,
    },
    /// No transaction of that form.
    #[error(
        "{error}. To mend it: {}.",
        crate::change::remedy::Remedy::from(crate::change::remedy::InConfig::NameWhatStands)
    )]
    TransactionName {
        /// The error.
        #[from]
        error: TransactionNameError,
    },
    /// Nobody can be told.
    #[error("no daemon of this config runs. To mend it: start it; it takes in the config then.")]
    NoDaemon,
    /// The daemon has no socket.
    #[error(
        "the daemon has no local socket; its log says why. To mend it: stop it and run the command again."
    )]
    NoSocket,
    /// The socket is not for this user, or the daemon has gone.
    #[error(
        "the daemon cannot be told by {path}: {source}. To mend it: run this as the daemon's user or as root."
    )]
    Socket {
        /// Where.
        path: String,
        /// The cause.
        source: std::io::Error,
    },
    /// A task's rooms.
    #[error("task {task}: {error}{}", to_mend(.error.retry()))]
    Task {
        /// Its name.
        task: String,
        /// The error.
        error: TaskError,
    },
    /// The listener.
    #[error("{error}{}", to_mend(.error.retry()))]
    Listener {
        /// The error.
        #[from]
        error: StatusError,
    },
    /// This process's own surroundings: threads, signals, standard output.
    #[error("{doing}: {source}")]
    Process {
        /// What was being done.
        doing: &'static str,
        /// The cause.
        source: std::io::Error,
    },
    /// Standard output takes no more.
    #[error("standard output: {source}")]
    Output {
        /// The cause.
        source: std::io::Error,
    },
    /// A reply that cannot be read.
    #[error("the daemon's answer cannot be read: {0}")]
    Reply(String),
}

/// What to do about an error, as the end of a paragraph.
fn to_mend(retry: Retry) -> String {
    format!(". To mend it: {}.", retry.remedy())
}

impl CliError {
    /// The exit code that tells scripts what kind of error it was.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Config { .. }
            | Self::NoTask { .. }
            | Self::WhichTask { .. }
            | Self::TableName { .. }
            | Self::TransactionName { .. } => Exit::Usage,
            Self::Task { error, .. } => match error.retry() {
                Retry::AfterBackoff => Exit::Temporary,
                Retry::AfterFix { .. } | Retry::Never => Exit::Problem,
            },
            Self::NoDaemon | Self::NoSocket | Self::Socket { .. } => Exit::Problem,
            Self::Output { source } if source.kind() == std::io::ErrorKind::BrokenPipe => Exit::NoReader,
            Self::Output { .. } | Self::Listener { .. } | Self::Process { .. } | Self::Reply(_) => {
                Exit::Problem
            }
        }
    }
}

/// Tells on standard error what kept a command from its work; nothing when only its reader has gone.
pub fn report(error: &CliError) {
    if error.exit() != Exit::NoReader {
        out::tell(&error.to_string());
    }
}

/// Executes one command.
///
/// # Errors
/// What kept it from doing its work, readable in one paragraph.
pub fn execute(arguments: Arguments) -> Result<Exit, CliError> {
    // One provider for every TLS connection of the process; a second call only says it is there already.
    let _already = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|source| CliError::Process { doing: "starting the runtime", source })?;
    let exit = runtime.block_on(async {
        match arguments.command {
            Command::Run { config } => run::run(load(&config)?).await,
            Command::Check { config, json, task } => check::check(load(&config)?, json, task).await,
            Command::Plan { config, task } => check::plan(load(&config)?, task).await,
            Command::Status { config, alive: true, .. } => {
                status::alive(&config::load_without_secrets(&config.path)?).await
            }
            Command::Status { config, json, wait: Some(awaited), timeout, .. } => {
                status::wait(&config, json, awaited, Duration::from_secs(timeout)).await
            }
            Command::Status { config, json, watch, .. } => status::status(&config, json, watch).await,
            Command::Reload { config } => command::reload(&config).await,
            Command::Pause { what } => what.rests(Pausing::Pause, Change::Pause).await,
            Command::Resume { what } => what.rests(Pausing::Resume, Change::Resume).await,
            Command::Skip { task, position, table } => {
                command::skip(&task.config, task.task, &position, table).await
            }
            Command::Resync { tables } => tables.change(Change::Resync).await,
            Command::Add { tables } => tables.change(Change::Add).await,
            Command::Drop { config, remove_rows, whole_task: Some(task), .. } => {
                command::drop_task(&config, task, remove_rows).await
            }
            Command::Drop { config, task, remove_rows, names, .. } => {
                Tables { config, task, names }.change(Change::Drop { remove_rows }).await
            }
            Command::Audit { config, task, json, last } => {
                audit::audit(&load(&config)?, task, json, last).await
            }
            Command::Verify(arguments) => Box::pin(verify::verify(arguments)).await,
            Command::Config { config } => {
                out::print(&config::render(&config::load_without_secrets(&config.path)?))?;
                Ok(Exit::Good)
            }
        }
    });
    // Nothing is left to wait for: what matters is durable or will be done again.
    runtime.shutdown_background();
    exit
}

impl Resting {
    async fn rests(self, task: Pausing, tables: Change) -> Result<Exit, CliError> {
        match self.names.as_slice() {
            [] => command::pause(&self.config, self.task, task).await,
            _ => command::tables(&self.config, self.task, self.names, tables).await,
        }
    }
}

impl Tables {
    async fn change(self, change: Change) -> Result<Exit, CliError> {
        command::tables(&self.config, self.task, self.names, change).await
    }
}

fn load(file: &ConfigFile) -> Result<Arc<Config>, CliError> {
    Ok(Arc::new(config::load(&file.path)?))
}

/// Tables as the command line names them.
fn table_names(names: &[String]) -> Result<Vec<TableName>, CliError> {
    let named = names
        .iter()
        .map(|name| TableName::parse(name).ok_or_else(|| CliError::TableName { name: name.clone() }));
    named.collect()
}

/// The tasks a command is about: all, or the one named.
fn chosen(config: &Config, task: Option<String>) -> Result<Vec<String>, CliError> {
    let known = || config.tasks.keys().cloned().collect::<Vec<_>>();
    match task {
        None => Ok(known()),
        Some(name) if config.tasks.contains_key(&name) => Ok(vec![name]),
        Some(name) => Err(CliError::NoTask { name, known: known().join(", ") }),
    }
}
