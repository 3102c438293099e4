//! What a stream remembers between statements, so that each is judged by those before it.
//!
//! What must never happen here: growth without bound.

use super::code::{CodeName, Object, StoredCode};
use super::query::Query;
use super::query::SessionKey;
use super::refusal::Refusal;
use super::selected::SelectedTables;
use super::statement::{self, Meaning, STATEMENT_DML, Surroundings};
use super::temporary::TemporaryTables;
use super::watch::Watch;
use crate::change::FilePosition;
use crate::change::facts::Flavour;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// So long what stored code there is, is taken for what it was, where that stops nobody wrongly.
const YOUNG: Duration = Duration::from_secs(10);

/// How many kinds of statements that pass are told.
const TOLD: usize = 100;

/// Judges one statement after the other.
#[derive(Debug, Default)]
pub struct Judging {
    temporary: TemporaryTables,
    watch: Watch,
    /// When the code was looked up last.
    looked_up: Option<Instant>,
    /// Statements that passed because they reach nothing that is carried.
    passed: u64,
    /// How those began that were told.
    told: BTreeSet<String>,
}

impl Judging {
    /// See [`TemporaryTables::know_behind`].
    pub fn know_behind(&mut self, own: SessionKey) {
        self.temporary.know_behind(own);
    }

    /// See [`TemporaryTables::server_started`].
    pub fn server_started(&mut self, server: u32) {
        self.temporary.server_started(server);
    }

    /// See [`Watch::defined`].
    pub fn defined(&self) -> &BTreeMap<CodeName, Object> {
        self.watch.defined()
    }

    /// See [`Watch::is_at`].
    pub fn is_at(&mut self, place: &FilePosition) {
        self.watch.is_at(place);
    }

    /// Judges a statement. [`Meaning::Ask`] leaves everything as it was: it comes again with [`Judging::answer`].
    pub fn judge(
        &mut self,
        query: &Query,
        flavour: Flavour,
        selected: &SelectedTables,
        endpoint: &str,
    ) -> Result<Meaning, Refusal> {
        self.judged(query, flavour, selected, endpoint, false)
    }

    /// Judges a statement for which the code has been looked up.
    pub fn answer(
        &mut self,
        query: &Query,
        flavour: Flavour,
        selected: &SelectedTables,
        endpoint: &str,
        code: StoredCode,
    ) -> Result<Meaning, Refusal> {
        self.watch.looked_up(code);
        self.looked_up = Some(Instant::now());
        self.judged(query, flavour, selected, endpoint, true)
    }

    fn judged(
        &mut self,
        query: &Query,
        flavour: Flavour,
        selected: &SelectedTables,
        endpoint: &str,
        asked: bool,
    ) -> Result<Meaning, Refusal> {
        if let Some(framing) = statement::framing(query) {
            return Ok(framing);
        }
        let read = statement::read(query, flavour);
        let (statement, sql) = (read.statement.clone(), read.sql.clone());
        let (temporary, watch) = (&self.temporary, &self.watch);
        // What is not harmless by a list that is young is not asked for again: many such statements may follow one another.
        let asked =
            asked || self.looked_up.is_some_and(|then| watch.code().is_some() && then.elapsed() < YOUNG);
        let surroundings = Surroundings { flavour, selected, temporary, watch, asked };
        let meaning = statement::judge(query, read, &surroundings)?;
        if meaning == Meaning::Ask {
            return Ok(meaning);
        }
        self.watch.note(&statement, &sql, query, flavour, selected);
        // What it did to whose tables is not known, so nothing is concluded from it. Rows are nobody's definition.
        let doubt = match &meaning {
            Meaning::Ddl { doubt, .. } => doubt.as_ref(),
            Meaning::Doubtful { doubt, .. } => Some(doubt).filter(|doubt| doubt.kind != STATEMENT_DML),
            _ => None,
        };
        if doubt.is_some() {
            self.watch.doubt();
            if matches!(&meaning, Meaning::Doubtful { .. }) {
                // It may have made or dropped what is the session's own, of any name.
                self.temporary.forget();
            }
        } else {
            self.temporary.note(&statement, query, flavour, selected);
        }
        if meaning == Meaning::OutOfReach {
            self.passed = self.passed.saturating_add(1);
            self.tell(&sql, &query.database, endpoint);
        }
        Ok(meaning)
    }

    /// Says once for each kind of statement that it passes.
    fn tell(&mut self, sql: &str, database: &str, endpoint: &str) {
        let words = sql.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        let beginning: Vec<String> =
            words.filter(|word| !word.is_empty()).take(2).map(str::to_ascii_uppercase).collect();
        let beginning: String = beginning.join(" ").chars().take(60).collect();
        if self.told.len() < TOLD && self.told.insert(beginning) {
            let shown: String = sql.chars().take(200).collect();
            tracing::info!(
                source = endpoint,
                database,
                statement = shown,
                "statements like this one are passed over: they reach no table of this task"
            );
        }
    }

    /// How many statements have passed since this was asked because they reach nothing that is carried.
    pub fn take_passed(&mut self) -> u64 {
        std::mem::take(&mut self.passed)
    }
}
