//! The precheck: the config held against what probing found out about both servers. Pure; `task` gathers the facts.
//!
//! What must never happen here: a condition under which rows would be lost or changed being passed.

pub mod cascades;
mod existing;
mod greenplum;
mod history;
pub mod newcomers;
mod options;
pub mod restarting;
mod room;
mod source;
mod target;

pub use history::IN_FLIGHT;

use crate::change::TableName;
use crate::change::facts::{SourceFacts, TargetFacts};
use crate::change::remedy::Remedy;
use crate::config::TaskConfig;
use crate::schema::Table;
use crate::transform::{TableMapping, TransformError};
use serde::{Serialize, Serializer};

/// The judgement of one item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it must be.
    Pass,
    /// It works, but the user should know.
    Warn,
    /// The task must not start.
    Fail,
}

/// One item of the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Item {
    /// A stable code, e.g. `source.binlog_format`.
    pub code: &'static str,
    /// What it is about: a server or a table.
    pub subject: String,
    /// The judgement.
    pub verdict: Verdict,
    /// Why, in a sentence.
    pub why: String,
    /// What mends it; nothing for a pass. In JSON its words, empty for nothing.
    #[serde(serialize_with = "words_or_nothing")]
    pub remedy: Option<Remedy>,
}

#[allow(clippy::ref_option, reason = "serde gives it so")]
fn words_or_nothing<S: Serializer>(remedy: &Option<Remedy>, serializer: S) -> Result<S::Ok, S::Error> {
    match remedy {
        Some(remedy) => remedy.serialize(serializer),
        None => serializer.serialize_str(""),
    }
}

/// Everything that was judged for one task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// In the order judged.
    pub items: Vec<Item>,
}

/// What is judged.
#[derive(Debug)]
pub struct Subject<'a> {
    /// The task.
    pub task: &'a TaskConfig,
    /// The source server.
    pub source: &'a SourceFacts,
    /// The target server.
    pub target: &'a TargetFacts,
    /// Per selected table its mapping, or why there is none.
    pub mappings: &'a [(TableName, Result<TableMapping, TransformError>)],
    /// The same tables as the source has them now.
    pub definitions: &'a [Table],
    /// Tables that another task of the config carries into the same target table, and that task.
    pub rivals: &'a [(TableName, String)],
    /// Followed tables of which the config now says something else, and what.
    pub deviations: &'a [(TableName, String)],
    /// The task has durable state already: its own tables exist rightly.
    pub resuming: Option<&'a Resuming>,
    /// The tables are those of a side stream, which has others beside it.
    pub beside: bool,
}

/// What a task that ran before left in the target.
#[derive(Clone, Debug)]
pub struct Resuming {
    /// Its checkpoint.
    pub position: crate::change::Position,
    /// When the file that the checkpoint lies in was begun by the source's present word; `None` when it has no such file.
    pub file_begun: Option<u32>,
    /// How many bytes that file has by the source's present word; `None` when that is not known.
    pub file_size: Option<u64>,
    /// Transactions that are in copied chunks and may lie after the checkpoint: the P0 of tables that are not caught up.
    pub copied: crate::change::GtidSet,
    /// Source tables whose target tables it made or took over.
    pub tables: std::collections::BTreeSet<TableName>,
}

/// Judges everything.
pub fn check(subject: &Subject<'_>) -> Report {
    let mut report = Report::default();
    source::server(subject, &mut report);
    source::tables(subject, &mut report);
    cascades::judge(subject, &mut report);
    target::server(subject, &mut report);
    room::judge(subject, &mut report);
    target::tables(subject, &mut report);
    greenplum::tables(subject, &mut report);
    options::judge(subject, &mut report);
    report
}

/// Judges what may have changed while a connection was lost, of a task and servers that were judged before.
pub fn going_on(subject: &Subject<'_>) -> Report {
    let mut report = Report::default();
    source::log(subject, &mut report);
    report
}

impl Report {
    /// No item fails.
    pub fn passed(&self) -> bool {
        self.items.iter().all(|item| item.verdict != Verdict::Fail)
    }

    /// The items that fail.
    pub fn failures(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(|item| item.verdict == Verdict::Fail)
    }

    pub(crate) fn add(
        &mut self,
        code: &'static str,
        subject: impl Into<String>,
        verdict: Verdict,
        why: impl Into<String>,
        remedy: impl Into<Remedy>,
    ) {
        let remedy = (verdict != Verdict::Pass).then(|| remedy.into());
        self.items.push(Item { code, subject: subject.into(), verdict, why: why.into(), remedy });
    }

    pub(crate) fn pass(&mut self, code: &'static str, subject: impl Into<String>, why: impl Into<String>) {
        let (subject, why) = (subject.into(), why.into());
        self.items.push(Item { code, subject, verdict: Verdict::Pass, why, remedy: None });
    }

    /// Adds a pass or, unless `good`, a fail.
    pub(crate) fn require(
        &mut self,
        code: &'static str,
        subject: &str,
        good: bool,
        why: impl Into<String>,
        remedy: impl Into<Remedy>,
    ) {
        self.add(code, subject, if good { Verdict::Pass } else { Verdict::Fail }, why, remedy);
    }
}

#[cfg(test)]
mod tests;
