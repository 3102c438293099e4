//! Statements of the stream: each is judged, and some have to wait until the source's stored code has been looked up.

use super::super::code::StoredCode;
use super::super::cursor::Malformed;
use super::super::event::QUERY;
use super::super::frame::Event;
use super::super::judging::Judging;
use super::super::query::{self, Query};
use super::super::refusal::Refusal;
use super::super::selected::SelectedTables;
use super::super::statement::Meaning;
use super::super::transaction::{Ddl, End};
use super::Framer;
use crate::change::{Change, Session};
use crate::source::SourceError;

impl Framer {
    pub(super) fn read_query(&self, event: &Event, more_fixed: usize) -> Result<Query, Malformed> {
        query::read(&event.header, &event.body, more_fixed, self.transactions.flavour())
    }

    pub(super) fn query(&mut self, query: Query, end: End, out: &mut Vec<Change>) -> Result<(), Refusal> {
        if self.transactions.is_void() {
            return self.transactions.stand_alone(end, out);
        }
        // What had been taken in concerns nobody any more, whatever is selected by now.
        let nothing = self.transactions.resume().passes().then(SelectedTables::none);
        let selected = nothing.as_ref().unwrap_or_else(|| self.maps.selected());
        let flavour = self.transactions.flavour();
        self.judging.is_at(&end.position);
        let meaning = self.judging.judge(&query, flavour, selected, &self.endpoint);
        let meaning = if self.only_statements { self.as_statement(meaning, &query) } else { meaning? };
        self.judged(meaning, query, end, out)
    }

    /// From here on rows are not handed out, and statements that cannot be carried are handed out with those that can.
    pub fn only_statements(&mut self) {
        self.only_statements = true;
    }

    /// What cannot be judged may be about any selected table. Inside a transaction it only changes rows.
    fn as_statement(&self, meaning: Result<Meaning, Refusal>, query: &Query) -> Meaning {
        match meaning {
            Ok(Meaning::Ask | Meaning::Doubtful { .. }) | Err(_) if self.transactions.is_open() => {
                Meaning::Pass
            }
            Ok(Meaning::Ask) => Meaning::Pass,
            Ok(Meaning::Doubtful { .. }) | Err(_) => {
                Meaning::Ddl { sql: query.decoded().0, rows_may_follow: false, doubt: None }
            }
            Ok(meaning) => meaning,
        }
    }

    /// Whether a statement waits for [`Framer::answer`], which comes before the next event.
    pub fn is_asking(&self) -> bool {
        self.asking.is_some()
    }

    /// Takes in the statement that waits, by the source's stored code as it is true where the statement stands.
    pub fn answer(&mut self, code: StoredCode, out: &mut Vec<Change>) -> Result<(), SourceError> {
        let Some((query, end)) = self.asking.take() else { return Ok(()) };
        let flavour = self.transactions.flavour();
        let answered = self.judging.answer(&query, flavour, self.maps.selected(), &self.endpoint, code);
        answered
            .and_then(|meaning| self.judged(meaning, query, end, out))
            .map_err(|refusal| self.told(refusal, QUERY))
    }

    /// The tables that are carried.
    pub fn selected(&self) -> &SelectedTables {
        self.maps.selected()
    }

    /// What the stream remembers of statements.
    pub fn judging(&mut self) -> &mut Judging {
        &mut self.judging
    }

    fn judged(
        &mut self,
        meaning: Meaning,
        query: Query,
        end: End,
        out: &mut Vec<Change>,
    ) -> Result<(), Refusal> {
        match meaning {
            Meaning::Begin => self.transactions.begin(None),
            Meaning::XaStart(xid) => self.transactions.begin(Some(xid)),
            Meaning::XaEnd => self.transactions.xa_end(query.session.id),
            Meaning::XaFinish { xid, commits } => {
                self.transactions.xa_finish(&xid, commits, query.session.id, end, out)
            }
            Meaning::Commit => {
                self.maps.close();
                self.transactions.commit(end, out)
            }
            Meaning::Rollback => {
                self.maps.close();
                self.transactions.rollback(end, out)
            }
            Meaning::Savepoint(name) => self.transactions.savepoint(&name),
            Meaning::RollbackTo(name) => self.transactions.rollback_to(&name),
            Meaning::Release(name) => self.transactions.release(&name),
            Meaning::Pass | Meaning::OutOfReach => self.transactions.pass(end, out),
            Meaning::Ask => {
                self.asking = Some((query, end));
                Ok(())
            }
            Meaning::Doubtful { doubt, affected, made } => {
                self.transactions.doubt(doubt, affected, made, end.position.clone(), out);
                self.transactions.pass(end, out)
            }
            Meaning::Ddl { sql, rows_may_follow, doubt } => {
                // Which table it means has been decided, but where there is a doubt.
                let uses_temporary = query.session.uses_temporary && doubt.is_some();
                let session = Session { uses_temporary, ..query.session };
                let ddl = Ddl { default_database: query.database, sql, session, rows_may_follow, doubt };
                self.transactions.ddl(ddl, end, out)
            }
        }
    }
}
