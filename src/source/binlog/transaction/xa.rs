//! XA transactions: what XA PREPARE, XA COMMIT and XA ROLLBACK make of the rows that are held; and how held rows, also those
//! after a savepoint, go out.
//!
//! What must never happen here: rows of a transaction that may yet be rolled back handed out.

use super::super::held::{HeldReader, HeldRows};
use super::super::prepared::{Ended, HeldXa};
use super::super::refusal::Refusal;
use super::super::resume::{Resume, domains_before};
use super::super::xid::{PrepareEvent, Xid};
use super::{End, Naming, Open, State, Transactions, boundary};
use crate::change::remedy::{Because, Remedy};
use crate::change::{Boundary, Change, FilePosition, Position, XaStep};
use std::sync::Arc;

/// Rows that were held, and the end they go out with.
#[derive(Debug)]
pub(super) struct HandOut {
    rows: HeldReader,
    boundary: Boundary,
}

impl Transactions {
    /// Goes on after `position`, from which `resume` leads back to where the server starts; of held rows at most
    /// `max_held_bytes` stay in memory.
    pub fn take_up(&mut self, position: &Position, max_held_bytes: usize) -> Result<(), Refusal> {
        self.prepared = HeldXa::new(&position.xa, max_held_bytes);
        self.resume = Resume::at(position)?;
        self.reached = domains_before(position);
        Ok(())
    }

    /// What had been taken in before the stream was taken up.
    pub fn resume(&self) -> &Resume {
        &self.resume
    }

    /// An event that ends at `place` comes.
    pub fn reach(&mut self, place: &FilePosition) -> Result<(), Refusal> {
        self.at = Some(place.clone());
        let inside = self.is_inside();
        self.resume.reach(place, inside)
    }

    /// Whether an XA transaction is open.
    pub fn is_xa(&self) -> bool {
        self.open_xid().is_some()
    }

    fn open_xid(&self) -> Option<&Xid> {
        match &self.state {
            State::Open(open) => open.xa.as_ref(),
            State::Between | State::Named(_) => None,
        }
    }

    /// `XA_PREPARE`; in one phase it is the commit.
    pub fn xa_prepare(
        &mut self,
        event: &PrepareEvent,
        end: End,
        out: &mut Vec<Change>,
    ) -> Result<(), Refusal> {
        if !self.is_xa() {
            return Err(Refusal::contradiction("XA PREPARE of a transaction that is no XA one"));
        }
        let State::Open(Open { name, xa: Some(xid), session, held: rows, .. }) =
            std::mem::take(&mut self.state)
        else {
            return Ok(());
        };
        if !xid.is_of(event) {
            let other = &event.xid;
            return Err(Refusal::contradiction(format!("XA PREPARE of {other} ends what {xid} began")));
        }
        let mut boundary = boundary(&name, end);
        if event.one_phase {
            self.prepared.let_go(&rows);
            return self.goes_out(false, rows, boundary, out);
        }
        let xid: Arc<str> = xid.to_string().into();
        let start = self.last_end.clone().unwrap_or_else(|| boundary.file.clone());
        boundary.xa = Some(XaStep::Prepared { xid: xid.clone(), start });
        self.prepared.prepared(xid, rows, session)?;
        out.push(Change::Commit(boundary.clone()));
        self.ended(boundary);
        Ok(())
    }

    /// `XA END` of this session.
    pub fn xa_end(&mut self, session: u32) -> Result<(), Refusal> {
        let open = self.open()?;
        open.session = Some(session);
        if open.xa.is_some() { Ok(()) } else { Err(Refusal::contradiction("XA END without XA START")) }
    }

    /// `XA COMMIT`, or `XA ROLLBACK`, of a prepared transaction by this session.
    pub fn xa_finish(
        &mut self,
        xid: &Xid,
        commits: bool,
        session: u32,
        end: End,
        out: &mut Vec<Change>,
    ) -> Result<(), Refusal> {
        if !commits && self.open_xid() == Some(xid) {
            // Rolled back before it was prepared; logged for what else it did.
            return self.rollback(end, out);
        }
        let name = self.take_name()?;
        let mut boundary = boundary(&name, end);
        let xid: Arc<str> = xid.to_string().into();
        let mut committed = None;
        let rows = match self.prepared.end(&xid, commits, session, &boundary.file) {
            Ended::Held(rows, by) if commits => {
                // With MySQL the log's word is the engine's.
                committed = (self.naming == Naming::Domains).then_some(by);
                rows
            }
            // What was prepared before the first of those that are read again ended before the position too.
            Ended::Unknown if commits && !self.resume.passes() => {
                return Err(Refusal::event(
                    format!("it commits the XA transaction {xid}, whose rows this task has not seen"),
                    Remedy::CopyTask(Because::EarlierXa),
                ));
            }
            Ended::Missed if commits => {
                return Err(Refusal::event(
                    format!(
                        "it commits the XA transaction {xid}, which was prepared before and not sent again"
                    ),
                    Remedy::CopyTask(Because::LacksTransaction),
                ));
            }
            // What is passed over may lie before the commit that the position tells of.
            Ended::Committed if !commits && !self.resume.passes() => {
                return Err(Refusal::event(
                    format!(
                        "it rolls back the XA transaction {xid}, which the log says was committed before"
                    ),
                    Remedy::CopyTask(Because::UncertainXa),
                ));
            }
            Ended::Held(..) | Ended::Unknown | Ended::Missed | Ended::Seen | Ended::Committed => {
                HeldRows::default()
            }
        };
        boundary.xa = Some(XaStep::Ended { xid, committed });
        self.goes_out(false, rows, boundary, out)
    }

    /// Whether rows that were held are on their way out: [`Transactions::hand_out`] comes before the next event.
    pub fn is_handing_out(&self) -> bool {
        self.handing_out.is_some()
    }

    /// Hands out the next event of the transaction whose rows were held, or its end.
    pub fn hand_out(&mut self, out: &mut Vec<Change>) -> Result<(), Refusal> {
        let Some(mut going) = self.handing_out.take() else { return Ok(()) };
        match going.rows.next(&going.boundary.file)? {
            Some(event) => {
                out.push(Change::Rows(event));
                self.handing_out = Some(going);
            }
            None => out.push(Change::Commit(going.boundary)),
        }
        Ok(())
    }

    /// A transaction is committed whose rows, or the later ones of them, were held; `begun`: the earlier ones are out.
    pub(super) fn goes_out(
        &mut self,
        begun: bool,
        rows: HeldRows,
        boundary: Boundary,
        out: &mut Vec<Change>,
    ) -> Result<(), Refusal> {
        if rows.is_empty() || self.resume.passes() {
            out.push(Change::Commit(boundary.clone()));
        } else {
            if !begun {
                out.push(Change::Begin { gtid: boundary.gtid.clone(), begun: boundary.file.clone() });
            }
            self.handing_out = Some(HandOut { rows: rows.into_reader()?, boundary: boundary.clone() });
        }
        self.ended(boundary);
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests;
