//! What is durable in the target beside the rows: checkpoints and table states.

use super::position::{FilePosition, Position};
use super::prepared::XaState;
use serde::{Deserialize, Serialize};

/// One durable record of how far a task has come; inserted in the same target transaction as the rows it stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Rises with every takeover of the task; a commit by an older owner is refused.
    pub epoch: i64,
    /// Rises by one with every checkpoint.
    pub sequence: i64,
    /// Everything at or before it is in the target.
    pub position: Position,
}

/// What a table is doing. Persisted with each change by the transaction that makes it true.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum TableState {
    /// Set when the table's copy starts over: its target is dropped or emptied, and it is as if it had never been seen.
    Pending,
    /// Set with the creation (or clearing) of the target table; chunks are being copied.
    Snapshotting {
        /// P0 of the table's copy group: the stream's transactions in it are already in the chunks.
        #[serde(rename = "from")]
        p0: Position,
    },
    /// Set when the last chunk is durable and P1 is recorded: the stream is applied convergently until P1.
    CatchingUp {
        /// P0, as above.
        #[serde(rename = "from")]
        p0: Position,
        /// P1: not before anything a chunk has seen.
        #[serde(rename = "until")]
        p1: CatchUpTarget,
    },
    /// Set by the batch that reaches P1: the stream is applied exactly.
    Streaming,
    /// Set when a side stream takes the table over: the task's main stream passes over it until the side stream has come up with it.
    Aside {
        /// The side stream's number.
        side: u32,
        /// What the table is doing there; never itself `Aside`, `Parked`, `Paused` or `LetGo`.
        within: Box<TableState>,
    },
    /// Set when something that concerns this table alone keeps it from being carried: its target table stays as it is, and the
    /// others go on.
    Parked(Trouble),
    /// Set when somebody has the table paused: its target table stays as it is, and the others go on. When it
    /// is resumed a side stream takes it up from there.
    Paused {
        /// Everything of the table at or before it is in the target, and nothing behind it.
        from: Position,
        /// Seconds since 1970 when it was paused.
        since: u64,
    },
    /// Set when somebody has had the task let go of the table: it is not carried until somebody has it added again.
    LetGo,
}

/// What keeps a table from being carried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// What happened, in a paragraph.
    pub error: String,
    /// What to do, in a sentence.
    pub remedy: String,
    /// Seconds since 1970 when it happened.
    pub since: u64,
    /// The source had the table no more.
    pub gone: bool,
}

impl TableState {
    /// Whether the task's main stream carries the table.
    pub fn is_of_main(&self) -> bool {
        match self {
            Self::Snapshotting { .. } | Self::CatchingUp { .. } | Self::Streaming => true,
            Self::Pending | Self::Aside { .. } | Self::Parked(_) | Self::Paused { .. } | Self::LetGo => false,
        }
    }

    /// What the table is doing on the side stream of this number; `None` when it is not there.
    pub fn on_side(&self, number: u32) -> Option<&Self> {
        match self {
            Self::Aside { side, within } if *side == number => Some(within),
            _ => None,
        }
    }

    /// What becomes of a table that is catching up when the source is another server of the same history by now, whose log
    /// ends at `end`; `None` when nothing does. P1, a place in the other's files, is recorded anew. So is a P0 that only its
    /// place tells: what lies before it comes again and is applied convergently up to the new P1.
    pub fn moved_to(&self, end: &CatchUpTarget) -> Option<Self> {
        let Self::CatchingUp { p0, p1 } = self else { return None };
        let mut moved = p0.clone();
        if moved.server != end.server && moved.taken.gtids().is_none() {
            moved.server.clone_from(&end.server);
            moved.file = FilePosition { file: "".into(), offset: 0 };
            moved.file_begun = None;
            moved.xa = XaState::default();
        }
        if p1.server == end.server && moved == *p0 {
            return None;
        }
        let p1 = if p1.server == end.server { p1 } else { end };
        Some(Self::CatchingUp { p0: moved, p1: p1.clone() })
    }
}

/// P1: a place in one server's files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatchUpTarget {
    /// Identity of the server the file belongs to. When the source is another server by now, P1 is recorded anew.
    pub server: String,
    /// File and offset.
    pub file: FilePosition,
}

impl CatchUpTarget {
    /// Whether a stream of that server that has come to `position` is at or past this place.
    pub fn is_reached(&self, position: &Position) -> bool {
        position.file.reaches(&self.file)
    }
}

/// A chunk of a table in primary-key order: rows with `after < key ≤ upto`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkRecord {
    /// Number of the chunk within its table, from 0.
    pub number: i64,
    /// The lower bound as SQL literals of the key columns, exclusive; `None` from the start.
    pub after: Option<Vec<String>>,
    /// The upper bound likewise, inclusive; `None` to the end.
    pub upto: Option<Vec<String>>,
    /// Rows copied.
    pub rows: i64,
}

/// What keeps a task from running, since when in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// It is paused.
    Paused(u64),
    /// It was dropped. What is on record of it beside that is what was left to do when the drop was cut off.
    Dropped(u64),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::position::Taken;

    fn at(file: &str, offset: u64) -> FilePosition {
        FilePosition { file: file.into(), offset }
    }

    fn catching_up(taken: Taken) -> TableState {
        let p0 = Position {
            server: "a".into(),
            file: at("b.000009", 900),
            file_begun: Some(1),
            taken,
            xa: XaState::default(),
        };
        TableState::CatchingUp { p0, p1: CatchUpTarget { server: "a".into(), file: at("b.000009", 950) } }
    }

    #[test]
    fn rows_of_another_server_with_lower_places_are_not_taken_for_known() {
        let end = CatchUpTarget { server: "b".into(), file: at("b.000002", 700) };
        let state = catching_up(Taken::Domains("0-1-50".parse().unwrap()));
        let Some(TableState::CatchingUp { p0, p1 }) = state.moved_to(&end) else { panic!("it stays") };
        assert_eq!(p1, end);
        let late = "0-1-60".parse().unwrap();
        let late = crate::change::TransactionId::MariaDb(late);
        assert!(!p0.holds(Some(&late), &at("b.000002", 600)), "its rows would be skipped");
        let stream = Position { server: "b".into(), file: at("b.000002", 300), ..p0.clone() };
        assert!(stream.includes(&p0), "it would never be caught up");
        assert_eq!(TableState::CatchingUp { p0, p1 }.moved_to(&end), None, "once is enough");
    }

    #[test]
    fn gtids_of_mysql_mean_the_same_on_another_server() {
        let end = CatchUpTarget { server: "b".into(), file: at("b.000002", 700) };
        let state = catching_up(Taken::Gtids("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5".parse().unwrap()));
        let TableState::CatchingUp { p0: before, .. } = &state else { panic!("another state") };
        let Some(TableState::CatchingUp { p0, p1 }) = state.moved_to(&end) else { panic!("it stays") };
        assert_eq!((&p0, p1), (before, end));
        let here = CatchUpTarget { server: "a".into(), file: at("b.000009", 999) };
        assert_eq!(state.moved_to(&here), None);
        assert_eq!(TableState::Streaming.moved_to(&here), None);
    }
}
