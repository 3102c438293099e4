//! Taking up a stream while XA transactions are prepared: their rows stand before the position and are read again.
//!
//! With MySQL's GTIDs the position's set leaves them out and the server sends just them again. Elsewhere it can only
//! send everything from some place on, so the stream is taken up where the first of them starts, and what had been taken
//! in already is passed over: read for its framing, and for XA transactions that end later, but not handed out.
//!
//! What must never happen here: a transaction handed out that had been taken in, or one passed over that had not.

use super::refusal::Refusal;
use crate::change::remedy::{Because, Remedy};
use crate::change::{DomainGtid, Domains, FilePosition, Position, ReadAgain, Taken, TransactionId};
use std::collections::BTreeMap;

/// Where a server is asked to start so that a stream can be taken up at `position`.
pub fn origin(position: &Position) -> Position {
    let mut origin = position.clone();
    match position.xa.prepared.first().map(|oldest| &oldest.again) {
        Some(ReadAgain::From(file)) if position.taken == Taken::Files => origin.file = file.clone(),
        Some(ReadAgain::After { domains, server, file }) if position.taken.domains().is_some() => {
            if *server == position.server && !position.file.file.is_empty() {
                origin.file = file.clone();
            } else {
                origin.file = FilePosition { file: "".into(), offset: 0 };
                origin.taken = Taken::Domains(domains.clone());
            }
        }
        Some(ReadAgain::From(_) | ReadAgain::After { .. } | ReadAgain::Gtid(_)) | None => {}
    }
    origin
}

/// With MariaDB's GTIDs: the last transaction of each domain before [`origin`].
pub fn domains_before(position: &Position) -> Domains {
    match position.xa.prepared.first().map(|oldest| &oldest.again) {
        Some(ReadAgain::After { domains, .. }) => domains.clone(),
        Some(ReadAgain::From(_) | ReadAgain::Gtid(_)) | None => {
            position.taken.domains().cloned().unwrap_or_default()
        }
    }
}

/// What is left to pass over.
#[derive(Debug, Default)]
pub enum Resume {
    /// Nothing.
    #[default]
    Done,
    /// Everything up to this place.
    Places(FilePosition),
    /// In each domain everything up to this transaction, and whether the present one is such.
    Domains {
        /// Those that have not come.
        until: BTreeMap<u32, DomainGtid>,
        /// The present transaction is passed over.
        now: bool,
    },
}

impl Resume {
    /// What lies between `origin(position)` and the position.
    ///
    /// # Errors
    /// When the two places have no order.
    pub fn at(position: &Position) -> Result<Self, Refusal> {
        let origin = origin(position);
        match (&position.taken, &origin.taken) {
            (Taken::Files | Taken::Domains(_), _)
                if origin.taken == position.taken && origin.file != position.file =>
            {
                if !position.file.reaches(&origin.file) {
                    return Err(Refusal::event(
                        format!(
                            "a prepared XA transaction starts at {}, which has no order with {}",
                            origin.file, position.file
                        ),
                        Remedy::CopyTask(Because::Renamed),
                    ));
                }
                Ok(Self::Places(position.file.clone()))
            }
            (Taken::Domains(taken), Taken::Domains(before)) => {
                let until: BTreeMap<u32, DomainGtid> = taken
                    .iter()
                    .filter(|last| before.last(last.domain) != Some(*last))
                    .map(|last| (last.domain, last))
                    .collect();
                Ok(if until.is_empty() { Self::Done } else { Self::Domains { until, now: false } })
            }
            (Taken::Gtids(_) | Taken::Files | Taken::Domains(_), _) => Ok(Self::Done),
        }
    }

    /// An event that ends at `place` comes; `inside` a transaction or between two.
    pub fn reach(&mut self, place: &FilePosition, inside: bool) -> Result<(), Refusal> {
        match self {
            Self::Places(until) if !until.reaches(place) => {
                if inside {
                    return Err(Refusal::contradiction(format!(
                        "the stream was taken up at {until}, which is inside a transaction"
                    )));
                }
                *self = Self::Done;
            }
            Self::Places(_) | Self::Domains { .. } | Self::Done => {}
        }
        Ok(())
    }

    /// A transaction with this GTID starts.
    pub fn starts(&mut self, id: Option<&TransactionId>) {
        let Self::Domains { until, now } = self else { return };
        *now = false;
        if let Some(TransactionId::MariaDb(gtid)) = id
            && let Some(last) = until.get(&gtid.domain)
        {
            *now = true;
            if last == gtid {
                until.remove(&gtid.domain);
            }
        }
        if until.is_empty() && !*now {
            *self = Self::Done;
        }
    }

    /// Whether what comes now is passed over.
    pub fn passes(&self) -> bool {
        match self {
            Self::Done => false,
            Self::Places(_) => true,
            Self::Domains { now, .. } => *now,
        }
    }

    /// Whether the position lies in a later file than this one.
    pub fn is_before_file(&self, file: &str) -> bool {
        matches!(self, Self::Places(until) if *until.file != *file)
    }

    /// Whether something is still to come that is passed over, when the stream has come to `place` and is between two
    /// transactions.
    pub fn is_ahead(&self, place: &FilePosition) -> bool {
        match self {
            Self::Done => false,
            Self::Places(until) => !place.reaches(until),
            Self::Domains { until, .. } => !until.is_empty(),
        }
    }
}
