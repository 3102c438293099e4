//! The framing of transactions: what may follow what, and which items come of it.
//!
//! Sequence in the log: a GTID, then either one statement that stands alone, or `BEGIN`, table maps and
//! rows, and an end (`XID`, `COMMIT`, `ROLLBACK`, `XA_PREPARE`). The event is `GTID` with MySQL, which where
//! GTIDs are off is `ANONYMOUS_GTID` or, before 5.7, nothing at all; MariaDB's GTID opens the group itself, without
//! `BEGIN`. Every end gives one item with a
//! [`Boundary`]; `Begin` is held back until the first selected rows, so what touches nothing selected is a
//! bare `Commit`.
//!
//! Rows of an XA transaction are held: XA PREPARE is a bare `Commit`, and they come with XA COMMIT, which may be much later and
//! from another session, one event at each [`Transactions::hand_out`].
//!
//! Rows of others go out before the end is known, since a transaction may be larger than memory. So a group that
//! was rolled back (it touched a non-transactional table too) ends in `Rollback`: the consumer gives up what came since. Rows
//! after a `SAVEPOINT` are held as those of an XA transaction until the commit: a `ROLLBACK TO` may follow, however many rows
//! later, and the consumer has no part of its transaction that it could give up alone.
//!
//! What must never happen here: a transaction taken for ended, or for begun, without the log saying so.

use super::gtid::{GtidEvent, Opens};
use super::held::{HeldRows, Mark};
use super::prepared::HeldXa;
use super::refusal::Refusal;
use super::resume::Resume;
use super::xid::Xid;
use crate::change::TableName;
use crate::change::facts::Flavour;
use crate::change::names::alike;
use crate::change::remedy::{AtSource, Restart};
use crate::change::{
    Affected, Boundary, Change, Domains, Doubt, DoubtfulEvent, FilePosition, RowsEvent, Session,
    StatementEvent, Taken, TransactionId,
};
use xa::HandOut;

mod xa;

/// Where in the sequence the stream is.
#[derive(Debug, Default)]
pub struct Transactions {
    naming: Naming,
    state: State,
    /// Where the last transaction ended: from here the open one could be read again.
    last_end: Option<FilePosition>,
    /// Where the event ends that is being taken in.
    at: Option<FilePosition>,
    prepared: HeldXa,
    resume: Resume,
    /// With MariaDB's GTIDs: the last transaction of each domain that ended, at first before the stream.
    reached: Domains,
    /// An XA transaction on its way out.
    handing_out: Option<HandOut>,
}

/// Which GTIDs transactions must have, so that the stream can be taken up after them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Naming {
    /// MySQL's GTIDs: each transaction has one.
    #[default]
    Gtids,
    /// MariaDB's GTIDs: each transaction has one.
    Domains,
    /// None: the place in the file counts.
    Places,
}

impl Naming {
    /// What a position needs.
    pub fn of(taken: &Taken) -> Self {
        match taken {
            Taken::Gtids(_) => Self::Gtids,
            Taken::Domains(_) => Self::Domains,
            Taken::Files => Self::Places,
        }
    }
}

#[derive(Debug, Default)]
enum State {
    /// Nothing is open.
    #[default]
    Between,
    /// A GTID came; its transaction follows.
    Named(GtidEvent),
    /// `BEGIN` came.
    Open(Open),
}

#[derive(Debug)]
struct Open {
    name: GtidEvent,
    /// Where the event ends that opened it.
    at: FilePosition,
    /// `Begin` is out.
    begun: bool,
    /// Opened by `XA START`.
    xa: Option<Xid>,
    /// The session, where `XA END` told it.
    session: Option<u32>,
    /// Rows that may be taken back: all of an XA transaction, else those after the first savepoint.
    held: HeldRows,
    /// Savepoints, oldest first.
    marks: Vec<Savepoint>,
}

#[derive(Debug)]
struct Savepoint {
    name: String,
    /// Where it is among the rows that are held.
    at: Mark,
}

impl Open {
    fn new(name: GtidEvent, at: FilePosition, xa: Option<Xid>) -> Self {
        Self { name, at, begun: false, xa, session: None, held: HeldRows::default(), marks: Vec::new() }
    }

    /// Whether rows that come now may be taken back alone, or stand after such.
    fn holds(&self) -> bool {
        self.xa.is_some() || !self.marks.is_empty() || !self.held.is_empty()
    }
}

/// The end of an event: where it is, and its header's time.
#[derive(Clone, Debug)]
pub struct End {
    /// After the event.
    pub position: FilePosition,
    /// Seconds since 1970 UTC.
    pub timestamp: u32,
}

impl Transactions {
    /// The family of servers whose log this is.
    pub fn flavour(&self) -> Flavour {
        match self.naming {
            Naming::Gtids | Naming::Places => Flavour::MySql,
            Naming::Domains => Flavour::MariaDb,
        }
    }

    /// Between two transactions of a log with these GTIDs.
    pub fn new(naming: Naming) -> Self {
        Self { naming, ..Self::default() }
    }

    /// Whether a transaction is open, or its GTID came: the stream cannot be cut here.
    pub fn is_inside(&self) -> bool {
        !matches!(self.state, State::Between)
    }

    /// The GTID of the transaction that is open, or about to be.
    pub fn current(&self) -> Option<&TransactionId> {
        match &self.state {
            State::Between => None,
            State::Named(name) => name.gtid.as_ref(),
            State::Open(open) => open.name.gtid.as_ref(),
        }
    }

    /// Whether BEGIN came and no end yet.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    /// A transaction's GTID event came.
    pub fn named(&mut self, event: GtidEvent) -> Result<(), Refusal> {
        match &self.state {
            State::Between => {}
            State::Named(name) => {
                return Err(Refusal::contradiction(format!("nothing came after {}", shown(name))));
            }
            State::Open(open) => {
                return Err(Refusal::contradiction(format!("{} has not ended", shown(&open.name))));
            }
        }
        if event.gtid.is_none() && self.naming != Naming::Places {
            return Err(Refusal::event(
                "the transaction has no GTID, so it could not be told from others after a reconnect",
                AtSource::TurnOnGtids.and(Restart::After),
            ));
        }
        self.resume.starts(event.gtid.as_ref());
        self.state = match &event.opens {
            Opens::Group => State::Open(Open::new(event, self.at(), None)),
            Opens::Xa(xid) => {
                let xid = xid.clone();
                State::Open(Open::new(event, self.at(), Some(xid)))
            }
            Opens::Unsaid | Opens::Statement | Opens::VoidStatement => State::Named(event),
        };
        Ok(())
    }

    /// Whether the next statement has no effect: the start of an ALTER that is logged in two parts, or its being given up.
    pub fn is_void(&self) -> bool {
        matches!(&self.state, State::Named(name) if name.opens == Opens::VoidStatement)
    }

    /// `BEGIN` or `XA START`.
    pub fn begin(&mut self, xa: Option<Xid>) -> Result<(), Refusal> {
        let name = self.take_name()?;
        self.state = State::Open(Open::new(name, self.at(), xa));
        Ok(())
    }

    /// Rows of a selected table.
    pub fn rows(&mut self, event: RowsEvent, out: &mut Vec<Change>) -> Result<(), Refusal> {
        let State::Open(open) = &mut self.state else {
            return Err(Refusal::contradiction("no transaction is open"));
        };
        if open.holds() {
            return self.prepared.keep(&mut open.held, event);
        }
        if !open.begun {
            open.begun = true;
            out.push(Change::Begin { gtid: open.name.gtid.clone(), begun: open.at.clone() });
        }
        out.push(Change::Rows(event));
        Ok(())
    }

    /// Something that belongs into a transaction came.
    pub fn require_open(&mut self) -> Result<(), Refusal> {
        self.open().map(|_| ())
    }

    /// Something that is a whole transaction but for its GTID came.
    pub fn require_named(&self) -> Result<(), Refusal> {
        match &self.state {
            State::Named(_) => Ok(()),
            State::Between | State::Open(_) => Err(Refusal::contradiction("no GTID came right before it")),
        }
    }

    /// `SAVEPOINT`; a name used before stands for the new mark only.
    pub fn savepoint(&mut self, name: &str) -> Result<(), Refusal> {
        let open = self.open()?;
        open.marks.retain(|other| !alike(&other.name, name));
        let at = open.held.mark();
        open.marks.push(Savepoint { name: name.to_owned(), at });
        Ok(())
    }

    /// `ROLLBACK TO`: later marks are gone, the mark itself stays.
    pub fn rollback_to(&mut self, name: &str) -> Result<(), Refusal> {
        let State::Open(open) = &mut self.state else {
            return Err(Refusal::contradiction("no transaction is open"));
        };
        let Some(index) = open.marks.iter().position(|other| alike(&other.name, name)) else {
            return Err(Refusal::contradiction(format!("there is no savepoint '{name}' to roll back to")));
        };
        open.marks.truncate(index.saturating_add(1));
        let Some(mark) = open.marks.last() else {
            return Err(Refusal::contradiction(format!("savepoint '{name}' is lost")));
        };
        self.prepared.counted(&mut open.held, |rows| rows.rollback_to(mark.at))
    }

    /// `RELEASE SAVEPOINT`: the mark and later ones are gone.
    pub fn release(&mut self, name: &str) -> Result<(), Refusal> {
        let open = self.open()?;
        if let Some(index) = open.marks.iter().position(|other| alike(&other.name, name)) {
            open.marks.truncate(index);
        }
        Ok(())
    }

    /// `XID` or `COMMIT`.
    pub fn commit(&mut self, end: End, out: &mut Vec<Change>) -> Result<(), Refusal> {
        if self.open()?.xa.is_some() {
            return Err(Refusal::contradiction("an XA transaction ends in COMMIT without XA"));
        }
        self.finish(end, out)
    }

    /// `ROLLBACK`.
    pub fn rollback(&mut self, end: End, out: &mut Vec<Change>) -> Result<(), Refusal> {
        let open = self.open()?;
        let begun = open.begun;
        let boundary = boundary(&open.name, end);
        let held = std::mem::take(&mut open.held);
        self.prepared.let_go(&held);
        out.push(if begun { Change::Rollback(boundary.clone()) } else { Change::Commit(boundary.clone()) });
        self.ended(boundary);
        Ok(())
    }

    /// A statement that changes nothing carried: a transaction of its own, or one inside the open one.
    pub fn pass(&mut self, end: End, out: &mut Vec<Change>) -> Result<(), Refusal> {
        if matches!(self.state, State::Open(_)) {
            return Ok(());
        }
        self.stand_alone(end, out)
    }

    /// A statement that must not stand inside a transaction and changes nothing carried.
    pub fn stand_alone(&mut self, end: End, out: &mut Vec<Change>) -> Result<(), Refusal> {
        let name = self.take_name()?;
        let boundary = boundary(&name, end);
        out.push(Change::Commit(boundary.clone()));
        self.ended(boundary);
        Ok(())
    }

    /// Rows of selected tables may have changed that the log does not hold, in the open transaction or the one that this is. Rows that
    /// are held may be taken back and come later, but what is doubtful once stays so.
    pub fn doubt(
        &mut self,
        doubt: Doubt,
        affected: Affected,
        made: Option<TableName>,
        position: FilePosition,
        out: &mut Vec<Change>,
    ) {
        let gtid = self.current().cloned();
        let begun = match &self.state {
            State::Open(open) if open.xa.is_some() => None,
            State::Open(open) => Some(open.at.clone()),
            State::Between | State::Named(_) => Some(position.clone()),
        };
        // An end comes for what has begun, however it ends. An XA transaction's is at XA PREPARE.
        if let State::Open(open) = &mut self.state
            && open.xa.is_none()
            && !std::mem::replace(&mut open.begun, true)
        {
            out.push(Change::Begin { gtid: gtid.clone(), begun: open.at.clone() });
        }
        out.push(Change::Doubtful(DoubtfulEvent { doubt, affected, made, gtid, begun, position }));
    }

    /// DDL on a selected table.
    pub fn ddl(&mut self, ddl: Ddl, end: End, out: &mut Vec<Change>) -> Result<(), Refusal> {
        let Ddl { default_database, sql, session, rows_may_follow, doubt } = ddl;
        let State::Open(open) = &self.state else {
            let name = self.take_name()?;
            let boundary = boundary(&name, end);
            out.push(Change::Statement(StatementEvent {
                default_database,
                sql,
                session,
                gtid: name.gtid.clone(),
                begun: boundary.file.clone(),
                boundary: boundary.clone(),
                doubt,
            }));
            self.ended(boundary);
            return Ok(());
        };
        if !rows_may_follow || open.begun || !open.held.is_empty() {
            return Err(Refusal::contradiction(
                "a statement that defines a table stands inside a transaction",
            ));
        }
        // `CREATE TABLE … SELECT` inside BEGIN: the statement goes out before its transaction and
        // ends, for who wants to resume there, where the transaction starts. Reading it twice does no harm.
        let boundary = Boundary {
            gtid: None,
            file: self.last_end.clone().unwrap_or(end.position),
            committed_micros: open.name.committed_micros,
            xa: None,
        };
        out.push(Change::Statement(StatementEvent {
            default_database,
            sql,
            session,
            gtid: open.name.gtid.clone(),
            begun: open.at.clone(),
            boundary,
            doubt,
        }));
        Ok(())
    }

    /// The log file ends, or one starts.
    pub fn between_files(&self) -> Result<(), Refusal> {
        match &self.state {
            State::Between => Ok(()),
            State::Named(name) => {
                Err(Refusal::contradiction(format!("the file ends after the GTID of {}", shown(name))))
            }
            State::Open(open) => {
                Err(Refusal::contradiction(format!("the file ends inside {}", shown(&open.name))))
            }
        }
    }

    /// The server died while it wrote the open transaction, which was therefore never committed, and has started anew (MariaDB
    /// leaves such an end of a file in its log, MySQL cuts it off when it recovers). Its GTID may come again.
    pub fn cut_short(&mut self, out: &mut Vec<Change>) {
        let State::Open(open) = std::mem::take(&mut self.state) else { return };
        self.prepared.let_go(&open.held);
        if let (true, Some(file)) = (open.begun, self.last_end.clone()) {
            let committed_micros = open.name.committed_micros;
            out.push(Change::Rollback(Boundary { gtid: None, file, committed_micros, xa: None }));
        }
    }

    /// Where the stream starts or a file does: nothing before it belongs to the next transaction.
    pub fn starts_at(&mut self, position: FilePosition) {
        self.last_end = Some(position);
    }

    /// With MariaDB's GTIDs: the last transaction of each domain that ended in the stream, else before it.
    pub fn reached(&self) -> &Domains {
        &self.reached
    }

    fn at(&self) -> FilePosition {
        self.at.clone().unwrap_or_else(|| FilePosition { file: "".into(), offset: 0 })
    }

    fn open(&mut self) -> Result<&mut Open, Refusal> {
        match &mut self.state {
            State::Open(open) => Ok(open),
            State::Between | State::Named(_) => Err(Refusal::contradiction("no transaction is open")),
        }
    }

    fn take_name(&mut self) -> Result<GtidEvent, Refusal> {
        match std::mem::take(&mut self.state) {
            State::Named(name) => Ok(name),
            State::Between if self.naming == Naming::Places => Ok(GtidEvent::default()),
            State::Between => Err(Refusal::contradiction("no GTID came before it")),
            State::Open(open) => {
                let why = format!("{} has not ended", shown(&open.name));
                self.state = State::Open(open);
                Err(Refusal::contradiction(why))
            }
        }
    }

    fn finish(&mut self, end: End, out: &mut Vec<Change>) -> Result<(), Refusal> {
        let open = self.open()?;
        let (begun, boundary) = (open.begun, boundary(&open.name, end));
        let held = std::mem::take(&mut open.held);
        self.prepared.let_go(&held);
        self.goes_out(begun, held, boundary, out)
    }

    fn ended(&mut self, boundary: Boundary) {
        self.state = State::Between;
        if let Some(TransactionId::MariaDb(gtid)) = boundary.gtid {
            self.reached.advance(gtid);
        }
        self.last_end = Some(boundary.file);
    }
}

/// A DDL statement on its way out.
#[derive(Debug)]
pub struct Ddl {
    /// See [`StatementEvent`].
    pub default_database: String,
    /// See [`StatementEvent`].
    pub sql: String,
    /// See [`StatementEvent`].
    pub session: Session,
    /// It may stand in a transaction in which the rows it makes follow.
    pub rows_may_follow: bool,
    /// See [`StatementEvent`].
    pub doubt: Option<Doubt>,
}

fn boundary(name: &GtidEvent, end: End) -> Boundary {
    let committed_micros = match name.committed_micros {
        0 => u64::from(end.timestamp).saturating_mul(1_000_000),
        micros => micros,
    };
    Boundary { gtid: name.gtid.clone(), file: end.position, committed_micros, xa: None }
}

fn shown(name: &GtidEvent) -> String {
    name.gtid.as_ref().map_or_else(|| "the transaction".to_owned(), TransactionId::to_string)
}

#[cfg(test)]
mod tests;
