//! A row that the target cannot hold, as it is kept in quarantine.

use super::TableName;
use serde::{Deserialize, Serialize};

/// A bad row: one that has no form in the target, or that the target refuses for what it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfit {
    /// The source table.
    pub source: TableName,
    /// Its key in words.
    pub key: String,
    /// What brought it.
    pub came: Came,
    /// Where the log has it: the end of its event, or the end of the batch that it was in. `None` where that is not known, and for
    /// a row of the copy.
    pub position: Option<String>,
    /// Why it does not fit.
    pub error: String,
    /// Its values by column, as a JSON object. What is no text stands as `{"hex": "…"}`.
    pub row: String,
}

/// What brought a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Came {
    /// An INSERT.
    Insert,
    /// An UPDATE.
    Update,
    /// The copy.
    Copy,
}

impl Came {
    /// Its name in records.
    pub fn word(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Copy => "copy",
        }
    }
}
