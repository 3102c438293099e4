//! Statements of the stream, held against the carried tables: which of them they concern, and what the target does.
//!
//! What must never happen here: a statement that concerns a carried table passed over; one between P0 and P1 carried that
//! may have changed what a chunk has read under the names and types of P0.

use super::TaskError;
use super::context::Context;
use super::course::PassedOver;
use super::error::refused;
use super::moved;
use super::parking::{instead, tell_of};
use super::renamed::renamed;
use super::tables::{Carried, Tables};
use super::translator::{Translation, Translator};
use crate::change::facts::{Cascades, Flavour};
use crate::change::state::TableState;
use crate::change::{
    Affected, Answers, ComputedRow, Computing, Doubt, DoubtfulEvent, FilePosition, Position, StatementEvent,
    TableName, TableNames, TransactionId,
};
use crate::precheck::cascades;
use crate::schema::ddl::{self, SqlMode, Statement};
use crate::source::binlog;
use crate::source::server::{Server, Setting};
use crate::transform::cascade::{self, KeyRules};
use crate::transform::{Issued, TransformError, Translated, translate};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

/// Translates statements under a task's rules.
#[derive(Debug)]
pub struct Translate {
    context: Context,
    flavour: Flavour,
    cascades: Cascades,
    names: TableNames,
    timestamps: Timestamps,
    /// The session that computes generated columns.
    computes: Option<Server>,
    /// The number of the last side stream; `None` where it is a side stream itself, whose tables are in trouble together.
    sides: Option<Arc<AtomicU32>>,
}

/// How the source takes TIMESTAMPs, where its log does not say that.
#[derive(Clone, Copy, Debug)]
enum Timestamps {
    /// Not asked for, since it has not mattered.
    NotAsked,
    /// The source cannot tell.
    NotKnown,
    /// What it says.
    Known(Setting),
}

impl Translate {
    /// A translator for the task of `context`, whose source is of this family and treats cascades and compares names so.
    pub fn new(
        context: Context,
        flavour: Flavour,
        cascades: Cascades,
        names: TableNames,
        sides: Option<Arc<AtomicU32>>,
    ) -> Self {
        Self { context, flavour, cascades, names, timestamps: Timestamps::NotAsked, computes: None, sides }
    }

    /// How a statement is read. MySQL before 8.0 does not log how it takes TIMESTAMPs. In 5.6 only a restart changes that, so it is
    /// what the server says now if the statement lies in a file that was begun since the server started.
    async fn mode(&mut self, event: &StatementEvent) -> Result<SqlMode, TaskError> {
        let mode = SqlMode::of_session(&event.session, self.flavour);
        let silent = self.flavour == Flavour::MySql && mode.explicit_timestamps.is_none();
        // Others do not depend on it. A name does no harm: it is one question more.
        if !silent || !event.sql.to_ascii_lowercase().contains("timestamp") {
            return Ok(mode);
        }
        if let Timestamps::NotAsked = self.timestamps {
            let mut server = Server::connect(self.context.source()).await?;
            let told = server.explicit_timestamps().await?;
            self.timestamps = told.map_or(Timestamps::NotKnown, Timestamps::Known);
            server.close().await;
        }
        let Timestamps::Known(setting) = self.timestamps else { return Ok(mode) };
        if setting.server_id != event.session.server_id {
            return Ok(mode);
        }
        let begun = binlog::file_begun(self.context.source(), &event.boundary.file.file).await?;
        let since = begun.is_some_and(|begun| u64::from(begun) >= setting.since);
        Ok(if since { mode.with_explicit_timestamps(setting.on) } else { mode })
    }

    /// The task's surroundings.
    pub(super) fn context(&self) -> &Context {
        &self.context
    }

    /// How the source compares names.
    pub(super) fn names(&self) -> TableNames {
        self.names
    }

    /// As [`refused`], for a table.
    pub(super) fn refused(
        &self,
        table: &TableName,
        doubt: &Doubt,
        gtid: Option<&TransactionId>,
        file: &FilePosition,
    ) -> TaskError {
        let error = Box::new(refused(&self.context.task().source, doubt, gtid, file));
        TaskError::OfTable { table: table.clone(), error }
    }

    /// Translates for all tables that a statement concerns.
    async fn all(
        &self,
        tables: &Tables,
        event: &StatementEvent,
        statement: &Statement,
        affected: &Affected,
        mode: SqlMode,
        (over, from): (&PassedOver, &Position),
    ) -> Result<Translation, TaskError> {
        let mut translation = Translation::default();
        for index in tables.concerned(affected) {
            // A statement before the table's P0 is in the definition that was read there.
            if tables.skips(index, event.gtid.as_ref(), &event.boundary.file) {
                continue;
            }
            let one = tables.get(index).ok_or_else(|| TaskError::missing("a table of the statement"))?;
            let name = &one.table.name;
            if over.has(name) {
                let translated = self.one(one, statement, event, mode).await;
                let after = self.unfollowed(one, statement, event, translated, from).await?;
                // Its chunks may have been read before and after it.
                let is_copied = one.is_before_p1() && self.context.task().initial_data;
                if is_copied && (after.is_some() || event.doubt.is_some()) {
                    return Err(TaskError::CopyAgain { table: name.clone(), why: event.sql.clone() });
                }
                translation.versions.extend(after);
                continue;
            }
            if let Some(doubt) = &event.doubt {
                return Err(self.refused(name, doubt, event.gtid.as_ref(), &event.boundary.file));
            }
            let translated = self.one(one, statement, event, mode).await?;
            let is_copied = one.is_before_p1() && self.context.task().initial_data;
            if is_copied && !moved::is_harmless(one, &translated) {
                return Err(TaskError::CopyAgain { table: name.clone(), why: event.sql.clone() });
            }
            if translated.table != one.table || translated.mapping != one.mapping {
                translation.versions.push((translated.table, translated.mapping));
            }
            if !translated.changes.is_empty() {
                translation.tables.push(name.clone());
            }
            translation.changes.extend(translated.changes);
        }
        Ok(translation)
    }

    /// Translates for one table, and asks the source what it has to be asked.
    async fn one(
        &self,
        one: &Carried,
        statement: &Statement,
        event: &StatementEvent,
        mode: SqlMode,
    ) -> Result<Translated, TaskError> {
        let rules = self.context.rules(&one.table.name);
        let mut answers = Answers::default();
        loop {
            let issued = Issued {
                sql: &event.sql,
                default_database: &event.default_database,
                mode,
                session: &event.session,
                names: self.names,
                cascades: self.cascades,
                answers: &answers,
            };
            match translate(&one.table, &one.mapping, statement, &rules, &issued) {
                Err(TransformError::Asks(question)) if answers.get(&question).is_none() => {
                    let server = Server::connect(self.context.source()).await?;
                    let answer = server.evaluate(&question).await?;
                    answers.add(*question, answer);
                }
                Err(TransformError::Ddl { table, kind, statement, why, remedy }) => {
                    let statement = format!("{statement} (ends at {})", event.boundary.file);
                    return Err(TransformError::Ddl { table, kind, statement, why, remedy }.into());
                }
                other => return Ok(other?),
            }
        }
    }
}

impl Translator for Translate {
    async fn translate(
        &mut self,
        tables: &mut Tables,
        event: &StatementEvent,
        over: &PassedOver,
        from: &Position,
    ) -> Result<Translation, TaskError> {
        let mode = self.mode(event).await?;
        let statement = ddl::read(&event.sql, mode);
        let affected = statement.affected(&event.default_database);
        if let Statement::DropTable { temporary: false, .. } | Statement::DropDatabase(_) = statement {
            tables.dropped(&affected);
        }
        let renamed = match (&self.sides, &event.doubt) {
            (Some(_), None) if over.is_nothing() => {
                renamed(&self.context, tables, self.names, event, &statement)
            }
            _ => Vec::new(),
        };
        for made in statement.made(&event.default_database) {
            let name = self.names.folded(&made);
            let is_carried = renamed.iter().any(|renamed| renamed.table.name == name);
            if !is_carried && self.context.task().tables.contains(&name.database, &name.table) {
                tables.is_made(&name, statement.may_make_nothing());
            }
        }
        if !renamed.is_empty() {
            return Ok(Translation { renamed, ..Translation::default() });
        }
        let affected = affected.and(event.doubt.as_ref().map_or(&[], |doubt| &doubt.also));
        self.all(tables, event, &statement, &affected, mode, (over, from)).await
    }

    fn doubted(&self, tables: &Tables, event: &DoubtfulEvent, over: &PassedOver) -> Option<TaskError> {
        let (gtid, file) = (event.gtid.as_ref(), &event.position);
        let mut concerned = tables.concerned(&event.affected);
        let is_passed_over = |index| tables.get(index).is_some_and(|one| over.has(&one.table.name));
        concerned.retain(|index| !tables.skips(*index, gtid, file) && !is_passed_over(*index));
        let one = tables.get(*concerned.first()?)?;
        if self.sides.is_none() && concerned.len() > 1 && concerned.len() == tables.iter().count() {
            return Some(TaskError::OfGroup {
                error: Box::new(refused(&self.context.task().source, &event.doubt, gtid, file)),
            });
        }
        Some(self.refused(&one.table.name, &event.doubt, gtid, file))
    }

    async fn pass_over(
        &self,
        tables: &Tables,
        event: &DoubtfulEvent,
        over: &PassedOver,
        from: &Position,
    ) -> Result<(), TaskError> {
        self.goes_on_as_before(tables, event, over, from).await
    }

    async fn instead(
        &mut self,
        error: &TaskError,
        tables: &Tables,
        side: Option<u32>,
    ) -> Result<Option<(TableName, Option<TableState>)>, TaskError> {
        let known = error.table().is_some_and(|table| tables.find(table).is_some());
        let (Some(sides), true) = (&self.sides, known) else { return Ok(None) };
        let number = || side.unwrap_or_else(|| sides.fetch_add(1, Relaxed) + 1);
        let instead = instead(&self.context, error, number).await?;
        if let Some((table, state)) = &instead {
            tell_of(&self.context, table, state.as_ref(), error);
        }
        Ok(instead)
    }

    async fn compute(
        &mut self,
        computing: &Computing,
    ) -> Result<Option<Result<Vec<ComputedRow>, String>>, TaskError> {
        if self.flavour != Flavour::MariaDb {
            return Ok(None);
        }
        // A session that has been idle may be gone.
        if let Some(mut server) = self.computes.take()
            && let Ok(answer) = server.compute(computing).await
        {
            self.computes = Some(server);
            return Ok(Some(answer));
        }
        let mut server = Server::connect(self.context.source()).await?;
        let answer = server.compute(computing).await?;
        self.computes = Some(server);
        Ok(Some(answer))
    }

    fn always_convergent(&self, table: &TableName) -> bool {
        self.context.always_convergent(table)
    }

    fn quarantines(&self, table: &TableName) -> bool {
        self.context.quarantines(table)
    }

    fn key_rules(&self, table: &TableName) -> KeyRules {
        cascades::rules(self.context.task(), table)
    }

    fn accepts_cascade(&self, key: &str) -> bool {
        cascade::accepts(&self.context.task().accept_cascades, key)
    }

    fn copies(&self) -> bool {
        self.context.task().initial_data
    }

    fn cascades_are_silent(&self) -> bool {
        self.cascades.silent
    }
}
