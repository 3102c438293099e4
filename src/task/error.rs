//! What can stop a task.

use crate::change::remedy::{Emptied, InConfig, Remedy};
use crate::change::{
    Doubt, FilePosition, Retry, Standing, TableName, TargetName, TransactionId, TransactionPlace,
};
use crate::schema::SchemaError;
use crate::sink::SinkError;
use crate::source::{SourceError, SourceErrorKind};
use crate::transform::TransformError;

/// The error of a task: a room's, or one that only the joining of rooms can find.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// The source.
    #[error(transparent)]
    Source(SourceError),
    /// The target.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// A value, type or statement.
    #[error(transparent)]
    Transform(TransformError),
    /// A definition or table map.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// The precheck failed.
    #[error("the precheck failed: {summary}")]
    Precheck {
        /// Failed items in a sentence each.
        summary: String,
        /// What mends them.
        remedy: Remedy,
    },
    /// Definitions changed while they were read, again and again.
    #[error("{why}")]
    Unsettled {
        /// What would not hold still.
        why: String,
    },
    /// What was copied of a table is not of one definition: its copy starts over.
    #[error("{table} changed while it was copied: {why}")]
    CopyAgain {
        /// The table.
        table: TableName,
        /// What was noticed.
        why: String,
    },
    /// A table whose rows change with those of others by foreign keys cannot be carried without them.
    #[error("{table}: {why}")]
    Torn {
        /// The table.
        table: TableName,
        /// Which key, and what is wrong.
        why: String,
    },
    /// An error that concerns one table only.
    #[error("{error}")]
    OfTable {
        /// The table.
        table: TableName,
        /// The error.
        #[source]
        error: Box<TaskError>,
    },
    /// An error that concerns every table of a side stream: what they are copied from lies after it.
    #[error("{error}")]
    OfGroup {
        /// The error.
        #[source]
        error: Box<TaskError>,
    },
    /// An error that one transaction of the log makes, so that the task is past it when that is passed over.
    #[error("{}", told(.error, .standing))]
    Standing {
        /// The transaction.
        standing: Box<Standing>,
        /// The error.
        #[source]
        error: Box<TaskError>,
    },
    /// An error that one of several transactions makes which were applied together.
    #[error("{error}")]
    Among {
        /// Where the last of them ends.
        until: FilePosition,
        /// The error.
        #[source]
        error: Box<TaskError>,
    },
    /// Somebody's word to pass over a transaction cannot be followed.
    #[error("nothing is passed over: {why}")]
    NotSkipped {
        /// Why not.
        why: String,
        /// What the user can do.
        remedy: Remedy,
    },
    /// What a statement did to a table could not be done at the target.
    #[error("{error}")]
    Undone {
        /// The table.
        table: TableName,
        /// The error.
        #[source]
        error: Box<TaskError>,
    },
    /// A table of the selection is not there.
    #[error("{table}: the source has no such table, or its user may not read it")]
    Gone {
        /// The table.
        table: TableName,
    },
    /// Nothing is on record of a task.
    #[error("nothing is on record of task {task}: it has not begun to copy")]
    NotBegun {
        /// The task.
        task: String,
    },
    /// The task was dropped.
    #[error("task {task} was dropped by command")]
    Dropped {
        /// The task.
        task: String,
    },
    /// The task was dropped, and something of it is still there.
    #[error("the drop of task {task} was cut off, and something of it is still there")]
    HalfDropped {
        /// The task.
        task: String,
    },
    /// A task is dropped, and something of it is still there.
    #[error(
        "task {task} is dropped and does not run, but {targets} cannot be taken out: somebody uses it, something hangs on it, or the user may \
         not (see the log)"
    )]
    NotTakenOut {
        /// The task.
        task: String,
        /// The target tables.
        targets: String,
    },
    /// A task is not to run.
    #[error("the task is paused or dropped")]
    Resting,
    /// A table that a command names is none of the task's.
    #[error("{table} is not on record of task {task}")]
    NotOnRecord {
        /// The table.
        table: TableName,
        /// The task.
        task: String,
    },
    /// A table that a command names is not among the task's.
    #[error("{table} is not among the tables of task {task}")]
    NotSelected {
        /// The table.
        table: TableName,
        /// The task.
        task: String,
    },
    /// A table is on its way to the others.
    #[error("{table} is being copied, or has not come up with the others yet")]
    OnItsWay {
        /// The table.
        table: TableName,
    },
    /// Nothing is applied to a table that is to be paused.
    #[error("{table} cannot be paused: {why}")]
    Rests {
        /// The table.
        table: TableName,
        /// Why nothing is applied to it.
        why: &'static str,
        /// What has it carried again.
        remedy: Remedy,
    },
    /// A table's rows in the target cannot be put in place anew without touching those of others.
    #[error("{table} cannot be copied again by itself: {why}")]
    Unreplaceable {
        /// The table.
        table: TableName,
        /// The target table.
        target: TargetName,
        /// Why not.
        why: String,
    },
    /// The stream holds something that this version cannot carry.
    #[error("{why} at {position}")]
    Stream {
        /// What it is.
        why: String,
        /// Where.
        position: String,
        /// What the user can do.
        remedy: Remedy,
    },
    /// A row that must be new was there already, in the middle of a transaction that is applied in pieces: it is read again and
    /// applied in a way that takes such rows.
    #[error(
        "{table}: a row that must be new exists ({message}); its transaction is read again and applied another way"
    )]
    PieceConflict {
        /// The target table.
        table: String,
        /// The target's words.
        message: String,
    },
    /// Rows are refused in the middle of a transaction that is applied in pieces: it is read again, and its rows are tried one by one.
    #[error(
        "rows of a large transaction are refused ({message}); it is read again, and its rows are tried before they are written"
    )]
    PieceRefused {
        /// The target's words.
        message: String,
    },
    /// A step before the stream runs has not ended.
    #[error("waited {seconds} s in vain for {what}")]
    Overdue {
        /// What was waited for.
        what: String,
        /// How long.
        seconds: u64,
    },
    /// A part of the task ended without saying why, or what the task knows contradicts itself: a defect of this program.
    #[error("internal: {0}")]
    Internal(String),
}

/// A table that changed under its copy is one thing, whoever noticed it.
impl From<SourceError> for TaskError {
    fn from(error: SourceError) -> Self {
        match error.kind {
            SourceErrorKind::TableChanged { table, why } => Self::CopyAgain { table, why },
            _ => Self::Source(error),
        }
    }
}

impl From<TransformError> for TaskError {
    fn from(error: TransformError) -> Self {
        match error {
            TransformError::Changed { table, column, why } => {
                Self::CopyAgain { table, why: format!("column {column}: {why}") }
            }
            other => Self::Transform(other),
        }
    }
}

impl TaskError {
    /// Something that the task goes by is not where it must be.
    pub(super) fn missing(what: impl std::fmt::Display) -> Self {
        Self::Internal(format!("{what} is not known to the task"))
    }

    /// Who has the task, where it is another that it waits for.
    pub fn owner(&self) -> Option<&str> {
        match self {
            Self::Sink(error) => error.owner(),
            _ => None,
        }
    }

    /// Whether it is only about servers that could not be reached or did not do their work: what was judged of both still holds.
    pub fn is_of_circumstances(&self) -> bool {
        match self {
            Self::Source(error) => error.is_of_circumstances(),
            Self::Sink(error) => error.is_of_circumstances(),
            Self::Overdue { .. } | Self::PieceConflict { .. } | Self::PieceRefused { .. } => true,
            _ => false,
        }
    }

    /// Whether a copy is to start over.
    pub fn is_copy_again(&self) -> bool {
        matches!(self, Self::CopyAgain { .. })
    }

    /// The one table that it is about, where that is all it is about.
    pub fn table(&self) -> Option<&TableName> {
        match self {
            Self::Transform(error) => error.table(),
            Self::Schema(error) => Some(error.table()),
            Self::OfTable { table, .. }
            | Self::Undone { table, .. }
            | Self::Gone { table }
            | Self::Torn { table, .. }
            | Self::Unreplaceable { table, .. } => Some(table),
            Self::Standing { error, .. } | Self::Among { error, .. } => error.table(),
            _ => None,
        }
    }

    /// Where it is about what a statement does to a table, or about what the table is: the key of `ddl_policy` that says what becomes
    /// of it.
    pub fn ddl(&self) -> Option<&'static str> {
        match self {
            Self::Transform(TransformError::Ddl { kind, .. }) => Some(kind),
            Self::Schema(_) => Some("unknown"),
            Self::Source(error) => error.statement(),
            Self::OfTable { error, .. } | Self::Standing { error, .. } | Self::Among { error, .. } => {
                error.ddl()
            }
            Self::Undone { .. } | Self::Torn { .. } => Some("change_values"),
            Self::Gone { .. } => Some("drop_table"),
            _ => None,
        }
    }

    /// The transaction that makes it, where that is known.
    pub fn standing(&self) -> Option<&Standing> {
        match self {
            Self::Standing { standing, .. } => Some(standing),
            _ => None,
        }
    }

    /// Whether a transaction of the log makes it that is taken in, by what it is or holds: neither its time nor its surroundings.
    fn is_of_a_transaction(&self) -> bool {
        match self {
            Self::Transform(error) => !matches!(error, TransformError::Asks(_)),
            Self::Schema(_) | Self::Undone { .. } => true,
            Self::Source(error) => error.statement().is_some(),
            Self::Sink(error) => error.is_of_a_row(),
            Self::OfTable { error, .. } => error.is_of_a_transaction(),
            _ => false,
        }
    }

    /// The same as that of a transaction, where it is one.
    pub(super) fn standing_at(self, place: TransactionPlace) -> Self {
        if self.retry() == Retry::AfterBackoff || !self.is_of_a_transaction() {
            return self;
        }
        let standing = Box::new(Standing { place, table: self.table().cloned() });
        Self::Standing { standing, error: Box::new(self) }
    }

    /// The same as that of one of the transactions that end at this place, where it is one.
    pub(super) fn among(self, until: &FilePosition) -> Self {
        if self.retry() == Retry::AfterBackoff || !self.is_of_a_transaction() {
            return self;
        }
        Self::Among { until: until.clone(), error: Box::new(self) }
    }

    /// Whether what the source says of the table is all that it is about: that may be another thing a moment later.
    pub fn is_of_its_definition(&self) -> bool {
        match self {
            Self::Gone { .. } | Self::Precheck { .. } => true,
            Self::OfTable { error, .. } | Self::Standing { error, .. } | Self::Among { error, .. } => {
                error.is_of_its_definition()
            }
            _ => false,
        }
    }

    /// Whether the source has the table no more that it is about.
    pub fn is_of_absence(&self) -> bool {
        matches!(self.ddl(), Some("drop_table" | "drop_database" | "rename_table"))
    }

    /// Whether trying again can help.
    pub fn retry(&self) -> Retry {
        match self {
            Self::OfTable { error, .. }
            | Self::Undone { error, .. }
            | Self::OfGroup { error }
            | Self::Standing { error, .. }
            | Self::Among { error, .. } => error.retry(),
            Self::Source(error) => error.retry(),
            Self::Sink(error) => error.retry(),
            Self::Transform(error) => error.retry(),
            Self::Schema(error) => error.retry(),
            Self::Precheck { remedy, .. }
            | Self::Stream { remedy, .. }
            | Self::Rests { remedy, .. }
            | Self::NotSkipped { remedy, .. } => Retry::fix(remedy.clone()),
            Self::NotOnRecord { .. } => Retry::fix(InConfig::NameATable),
            Self::NotSelected { .. } => Retry::fix(InConfig::SelectAndReload),
            Self::Torn { table, .. } => Retry::fix(Remedy::Resync { table: table.clone() }),
            Self::Gone { table } => Retry::fix(Remedy::LeaveOutGone { table: table.clone() }),
            Self::Unreplaceable { table, target, .. } => {
                let again = Remedy::CopyTable {
                    table: table.clone(),
                    emptied: Emptied::Deleted { target: target.clone() },
                };
                Retry::fix(again.or(InConfig::TagFeeders))
            }
            Self::Dropped { task } => Retry::fix(Remedy::ResumeTask { task: task.clone() }),
            Self::NotTakenOut { .. } | Self::Resting => Retry::AfterBackoff,
            Self::HalfDropped { task } => Retry::fix(Remedy::DropTask { task: task.clone() }),
            Self::NotBegun { .. }
            | Self::Unsettled { .. }
            | Self::CopyAgain { .. }
            | Self::OnItsWay { .. }
            | Self::PieceConflict { .. }
            | Self::PieceRefused { .. }
            | Self::Overdue { .. } => Retry::AfterBackoff,
            Self::Internal(_) => Retry::Never,
        }
    }
}

/// An error with the transaction that makes it, where its own words do not name that.
fn told(error: &TaskError, standing: &Standing) -> String {
    let (error, place) = (error.to_string(), standing.place.to_string());
    // It may go on there: 0-1-2 is not named by 0-1-23.
    let is_whole = |(at, _): (usize, &str)| {
        let rest = error.get(at + place.len()..).unwrap_or_default();
        !rest.starts_with(|next: char| next.is_ascii_digit())
    };
    let is_named = error.match_indices(&place).any(is_whole);
    if is_named { error } else { format!("{error} (transaction {place})") }
}

/// The error of a statement of a source that cannot be carried.
pub(super) fn refused(
    source: &str,
    doubt: &Doubt,
    gtid: Option<&TransactionId>,
    file: &FilePosition,
) -> TaskError {
    let kind = SourceErrorKind::Statement {
        kind: doubt.kind,
        position: match gtid {
            Some(name) => format!("{file} (transaction {name})"),
            None => file.to_string(),
        },
        why: doubt.why.clone(),
        statement: doubt.statement.clone(),
        remedy: doubt.remedy.clone(),
    };
    kind.at(source).into()
}
