//! What a running daemon can be told, by whom, and its answer.

use super::{TableName, TransactionName};
use serde::{Deserialize, Serialize};
use std::fmt::{Display, Formatter};

/// What a running daemon is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Take in the config file as it is now.
    Reload,
    /// Pause a task, or resume it.
    Task {
        /// The task.
        task: String,
        /// What becomes of it.
        pausing: Pausing,
    },
    /// End a task for good: what is on record of it goes.
    DropTask {
        /// The task.
        task: String,
        /// Its rows in the target go too.
        remove_rows: bool,
    },
    /// Have a task pass over the transaction that it cannot get past.
    Skip {
        /// The task.
        task: String,
        /// The transaction.
        position: TransactionName,
        /// The one table for which it is passed over; `None` for all.
        table: Option<TableName>,
    },
    /// Change what a task does with tables.
    Tables {
        /// The task.
        task: String,
        /// The tables.
        tables: Vec<TableName>,
        /// What becomes of them.
        change: Change,
    },
}

/// What becomes of a whole task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pausing {
    /// It rests where it is, over restarts.
    Pause,
    /// It goes on from there.
    Resume,
}

/// What becomes of a task's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// They are copied again, beside the ones that readers have.
    Resync,
    /// They are carried, which they were not.
    Add,
    /// Nothing is applied to them any more, over restarts.
    Pause,
    /// They go on from where they were paused.
    Resume,
    /// They are carried no more, and no glob brings them back.
    Drop {
        /// Their rows in the target go too.
        remove_rows: bool,
    },
}

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// What was done, a line each.
    pub lines: Vec<String>,
    /// What kept the rest from being done.
    pub failure: Option<Failure>,
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// In a paragraph, with what helps.
    pub error: String,
    /// What kind of reason it is.
    pub reason: Reason,
}

/// What kind of reason keeps something from being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// There is no such task.
    UnknownTask,
    /// It is none that can be done as things stand.
    Refused,
    /// Trying again later may help.
    Temporary,
}

impl Reply {
    /// Nothing was done.
    pub fn failed(error: impl Into<String>, reason: Reason) -> Self {
        Self { lines: Vec::new(), failure: Some(Failure { error: error.into(), reason }) }
    }
}

impl Command {
    /// The task that it is about; `None` for what is about all of them.
    pub fn task(&self) -> Option<&str> {
        match self {
            Self::Reload => None,
            Self::Task { task, .. }
            | Self::DropTask { task, .. }
            | Self::Skip { task, .. }
            | Self::Tables { task, .. } => Some(task),
        }
    }
}

/// As somebody would type it, but for the task.
impl Display for Command {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let rows = |remove: &bool| if *remove { " --remove-rows" } else { "" };
        match self {
            Self::Reload => f.write_str("reload"),
            Self::Task { pausing: Pausing::Pause, .. } => f.write_str("pause"),
            Self::Task { pausing: Pausing::Resume, .. } => f.write_str("resume"),
            Self::DropTask { remove_rows, .. } => write!(f, "drop --whole-task{}", rows(remove_rows)),
            Self::Skip { position, table, .. } => {
                write!(f, "skip {position}")?;
                let table = table.as_ref().map(|table| printable(&table.to_string()));
                table.map_or(Ok(()), |table| write!(f, " --table {table}"))
            }
            Self::Tables { tables, change, .. } => {
                match change {
                    Change::Resync => f.write_str("resync")?,
                    Change::Add => f.write_str("add")?,
                    Change::Pause => f.write_str("pause")?,
                    Change::Resume => f.write_str("resume")?,
                    Change::Drop { remove_rows } => write!(f, "drop{}", rows(remove_rows))?,
                }
                tables.iter().try_for_each(|table| write!(f, " {}", printable(&table.to_string())))
            }
        }
    }
}

/// The text in one line, its control characters as Rust writes them: whatever a name holds, it looks like nothing else where it is shown.
pub fn printable(text: &str) -> String {
    let each =
        text.chars().map(|one| if one.is_control() { one.escape_default().to_string() } else { one.into() });
    each.collect()
}

/// Who has something done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asker {
    /// A user of the machine, or whose token it was.
    pub name: String,
    /// How he asks, from where.
    pub way: String,
}

impl Display for Asker {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, {}", self.name, self.way)
    }
}

/// One entry of the record of what was asked of tasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// When, in seconds since 1970.
    pub at: u64,
    /// Of which task.
    pub task: String,
    /// By whom.
    pub asker: String,
    /// What.
    pub command: String,
    /// What has become of it.
    pub outcome: AskedOutcome,
    /// What was answered, a line for each thing.
    pub said: String,
}

/// What has become of something that was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AskedOutcome {
    /// It was begun.
    Begun,
    /// It was done.
    Done,
    /// It was not, or not all of it.
    NotDone,
}

impl AskedOutcome {
    /// The word that is on record.
    pub fn word(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Done => "done",
            Self::NotDone => "not done",
        }
    }

    /// From the word that is on record.
    pub fn of(word: &str) -> Option<Self> {
        [Self::Begun, Self::Done, Self::NotDone].into_iter().find(|outcome| outcome.word() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_reads_as_it_is_typed() {
        let tables = vec![TableName::new("a", "b"), TableName::new("a", "c")];
        let change = Change::Drop { remove_rows: true };
        let command = Command::Tables { task: "t".to_owned(), tables, change };
        assert_eq!(command.to_string(), "drop --remove-rows a.b a.c");
        assert_eq!(command.task(), Some("t"));
        assert_eq!(Command::Reload.to_string(), "reload");
        let tables = vec![TableName::new("a", "b\nc\u{1b}\0é")];
        let forged = Command::Tables { task: "t".to_owned(), tables, change: Change::Add };
        assert_eq!(forged.to_string(), "add a.b\\nc\\u{1b}\\u{0}é");
    }
}
