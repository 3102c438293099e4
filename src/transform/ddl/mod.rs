//! From a DDL statement of the source to what is done at the target, and to the definition and mapping under which
//! the rows after it are read.
//!
//! Sequence: what only a policy could let pass stops, the definition evolves, every carried column is followed from
//! the old definition to the new, and what changed becomes [`TargetChange`]s: renames, types, additions, in that
//! order.
//!
//! What must never happen here: a target that differs from the source afterwards.
//! What cannot be done exactly, or not yet, stops the task with a remedy.

mod added;
mod alter;
mod asked;
pub(super) mod calendar;
pub(super) mod computed;
mod constant;
mod decimal;
mod fill;
mod kept;
mod letters;
mod literal;
mod rename;
mod retype;
mod silent;
mod store;
mod time_of_day;
mod zone;

use super::{Passing, Rules, TableMapping, TransformError};
use crate::change::facts::Cascades;
use crate::change::remedy::{Emptied, InConfig, Remedy, Scope};
use crate::change::shape::RowsOf;
use crate::change::{Answers, Session, TableNames, TargetChange, TargetColumn, TargetName};
use crate::schema::Table;
use crate::schema::ddl::{Name, SqlMode, Statement};

/// A statement and what of its session decides its outcome.
#[derive(Clone, Copy, Debug)]
pub struct Issued<'a> {
    /// Its text.
    pub sql: &'a str,
    /// The session's default database.
    pub default_database: &'a str,
    /// How it was read.
    pub mode: SqlMode,
    /// The settings of its session.
    pub session: &'a Session,
    /// How the source compares names of databases and tables.
    pub names: TableNames,
    /// What the source makes of foreign keys that cascade.
    pub cascades: Cascades,
    /// What the source has answered so far.
    pub answers: &'a Answers,
}

/// What a statement comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Translated {
    /// The source table's definition from here on.
    pub table: Table,
    /// Its mapping from here on.
    pub mapping: TableMapping,
    /// What is done at the target before the rows after the statement, in this order.
    pub changes: Vec<TargetChange>,
}

/// Translates `statement` for the table `before`, which it concerns.
///
/// # Errors
/// [`TransformError::Asks`] where an answer of the source is wanted that `issued` does not have;
/// [`TransformError::Ddl`] where a policy says stop or where it cannot be carried exactly; [`TransformError::Mapping`] and
/// [`TransformError::Type`] where a new column cannot be mapped.
pub fn translate(
    before: &Table,
    mapping: &TableMapping,
    statement: &Statement,
    rules: &Rules,
    issued: &Issued<'_>,
) -> Result<Translated, TransformError> {
    let case = Case { before, mapping, rules, issued };
    match statement {
        Statement::AlterTable(alter) | Statement::CreateIndex(alter) | Statement::DropIndex(alter) => {
            case.alter(alter)
        }
        Statement::RenameTable(_) => {
            Err(case.gone("rename_table", "renames it", Remedy::LeaveOutGone { table: before.name.clone() }))
        }
        Statement::DropTable { temporary: false, .. } => {
            Err(case.gone("drop_table", "drops it", Remedy::LeaveOutGone { table: before.name.clone() }))
        }
        Statement::CreateTable(create) if create.or_replace && !create.temporary => {
            Err(case.gone("drop_table", "drops it for another", case.copy_again()))
        }
        Statement::CreateTable(create) if !create.temporary && !create.if_not_exists => Err(case.stop(
            "it creates a table that is already known, so the known one is not the source's",
            case.copy_again(),
        )),
        Statement::DropDatabase(_) => {
            Err(case.gone("drop_database", "drops its database", Remedy::LeaveOutGone { table: before.name.clone() }))
        }
        Statement::TruncateTable(_) => case.emptied(),
        Statement::OptimizeTable(_) => case.optimized(),
        Statement::RepairTable(_) => Err(case.stop(
            "it may remove rows that cannot be read or lie in a wrong partition, and the log does not say which",
            case.copy_again(),
        )),
        Statement::Dml { .. } => Err(case.stop_over(
            "statement_dml",
            "it changes rows by statement, not by row events",
            Remedy::SetVariable { variable: "binlog_format", value: "ROW", scope: Scope::Sessions }
.and(case.copy_again()),
        )),
        Statement::Unknown { why, .. } => Err(case.stop_over(
            "unknown",
            format!("it is not understood: {why}"),
            InConfig::LeaveTableOut.or(case.copy_again()),
        )),
        // A temporary table hides the base table from its session only.
        Statement::DropTable { .. }
        | Statement::CreateTable(_)
        | Statement::Begin
        | Statement::Commit
        | Statement::Rollback
        | Statement::Savepoint(_)
        | Statement::ReleaseSavepoint(_)
        | Statement::RollbackTo(_)
        | Statement::XaStart
        | Statement::XaEnd
        | Statement::XaPrepare
        | Statement::XaCommit { .. }
        | Statement::XaRollback
        | Statement::CreateDatabase(_)
        | Statement::AlterDatabase(_)
        | Statement::Harmless(_) => Ok(case.unchanged()),
    }
}

/// One table and one statement.
#[derive(Clone, Copy)]
struct Case<'a> {
    before: &'a Table,
    mapping: &'a TableMapping,
    rules: &'a Rules,
    issued: &'a Issued<'a>,
}

impl Case<'_> {
    fn target(&self) -> &TargetName {
        &self.mapping.target.name
    }

    /// All its rows go.
    fn emptied(&self) -> Result<Translated, TransformError> {
        const KIND: &str = "truncate_table";
        let rows = self.rows_of(&self.mapping.target.columns);
        match (self.rules.passing.get(KIND), rows) {
            (Some(Passing::Ignored), _) => Ok(self.unchanged()),
            // Without deletes the target keeps what the source has no more.
            (Some(Passing::Applied), _) if !self.rules.operations.delete => Ok(self.unchanged()),
            (Some(Passing::Applied), rows @ (RowsOf::One | RowsOf::Tagged { .. })) => {
                let changes = vec![TargetChange::Empty { table: self.target().clone(), rows }];
                Ok(Translated { changes, ..self.unchanged() })
            }
            (Some(Passing::Applied), RowsOf::Anybody) | (None, _) => Err(self.stopped_by(KIND, "empties it")),
        }
    }

    /// Whose rows the target table with these columns holds.
    fn rows_of(&self, columns: &[TargetColumn]) -> RowsOf {
        let tag = self.mapping.source_tag.as_ref();
        match tag.and_then(|(index, tag)| Some((columns.get(*index)?, tag))) {
            Some((column, tag)) => RowsOf::Tagged { column: column.name.clone(), tag: tag.clone() },
            None if self.rules.foreign_rows => RowsOf::Anybody,
            None => RowsOf::One,
        }
    }

    fn unchanged(&self) -> Translated {
        Translated { table: self.before.clone(), mapping: self.mapping.clone(), changes: Vec::new() }
    }

    /// The error that stops the task over the statement.
    fn stop(&self, why: impl Into<String>, remedy: impl Into<Remedy>) -> TransformError {
        self.stop_over("change_values", why, remedy)
    }

    /// The same, by what the statement does.
    fn stop_over(
        &self,
        kind: &'static str,
        why: impl Into<String>,
        remedy: impl Into<Remedy>,
    ) -> TransformError {
        const SHOWN_CHARACTERS: usize = 200;
        let mut statement: String = self.issued.sql.chars().take(SHOWN_CHARACTERS).collect();
        if self.issued.sql.chars().nth(SHOWN_CHARACTERS).is_some() {
            statement.push('…');
        }
        TransformError::Ddl {
            table: self.before.name.clone(),
            kind,
            statement,
            why: why.into(),
            remedy: remedy.into(),
        }
    }

    /// The mapping names something that is not there.
    fn internal(&self, what: &str) -> TransformError {
        let why = format!("its mapping names {what} that is not there ({})", self.issued.sql);
        TransformError::Internal { table: self.before.name.clone(), why }
    }

    fn copy_again(&self) -> Remedy {
        let table = self.before.name.clone();
        if self.rules.foreign_rows && self.mapping.source_tag.is_none() {
            let emptied = Emptied::Deleted { target: self.target().clone() };
            return Remedy::CopyTable { table, emptied };
        }
        Remedy::Resync { table }
    }

    /// What is done about it is for a policy to say.
    fn stopped_by(&self, key: &'static str, what: &str) -> TransformError {
        self.gone(key, what, self.copy_again())
    }

    /// The same for a statement after which the table is not there any more under its name.
    fn gone(&self, key: &'static str, what: &str, remedy: Remedy) -> TransformError {
        self.stop_over(key, format!("it {what} (ddl_policy.{key})"), remedy)
    }

    /// Whether a name in the statement means this table.
    fn is_named(&self, name: &Name) -> bool {
        self.issued.names.same(&name.full(self.issued.default_database), &self.before.name)
    }
}

#[cfg(test)]
mod tests;
