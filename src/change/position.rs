//! Where the stream is: binlog file and offset on one server, and the set of transactions seen.

use super::event::Boundary;
use super::gtid::GtidSet;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::sync::Arc;

/// A place in one server's binlog. Meaningful only together with that server's identity.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FilePosition {
    /// The binlog file's name, e.g. `binlog.000042`.
    pub file: Arc<str>,
    /// Bytes from the start of that file; the end of the last event taken in.
    pub offset: u64,
}

impl FilePosition {
    /// Orders two places of the *same* server. `None` when the base names differ or a suffix is no
    /// number: such files cannot be ordered and guessing would lose rows.
    pub fn order(&self, other: &Self) -> Option<Ordering> {
        let (base_a, number_a) = split_suffix(&self.file)?;
        let (base_b, number_b) = split_suffix(&other.file)?;
        (base_a == base_b).then(|| number_a.cmp(&number_b).then(self.offset.cmp(&other.offset)))
    }
}

/// `binlog.000042` → (`binlog`, 42). The number may have more than six digits (MySQL goes on to 7).
fn split_suffix(file: &str) -> Option<(&str, u64)> {
    let (base, digits) = file.rsplit_once('.')?;
    Some((base, digits.parse().ok()?))
}

impl std::fmt::Display for FilePosition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file, self.offset)
    }
}

/// How far a task has come in its source's binlog. What is at or before it has been taken in whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Identity of the server `file` belongs to (`server_uuid`); file positions of different
    /// identities are never compared.
    pub server: String,
    /// File and offset on that server.
    pub file: FilePosition,
    /// Every transaction taken in; resuming asks the source for all others.
    pub gtids: GtidSet,
}

impl Position {
    /// Moves past one transaction (or standalone statement) that ended at `boundary`.
    pub fn advance(&mut self, boundary: &Boundary) {
        if let Some(gtid) = &boundary.gtid {
            self.gtids.add(gtid);
        }
        self.file = boundary.file.clone();
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.gtids.is_empty() {
            write!(f, "{}", self.file)
        } else {
            write!(f, "{} ({})", self.gtids, self.file)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(file: &str, offset: u64) -> FilePosition {
        FilePosition { file: file.into(), offset }
    }

    #[test]
    fn files_are_ordered_by_number_not_by_text() {
        assert_eq!(at("b.999999", 9).order(&at("b.1000000", 4)), Some(Ordering::Less));
        assert_eq!(at("b.000002", 9).order(&at("b.000002", 4)), Some(Ordering::Greater));
    }

    #[test]
    fn files_with_different_base_names_have_no_order() {
        assert_eq!(at("a.000001", 4).order(&at("b.000002", 4)), None);
        assert_eq!(at("noext", 4).order(&at("noext", 4)), None);
    }
}
