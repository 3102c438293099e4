//! From a DDL statement of the source to what is done at the target, and to the definition and mapping under which
//! the rows behind it are read.
//!
//! Sequence: the policies of the statement are asked, the definition evolves, every carried column is followed from
//! the old definition to the new, and what changed becomes [`TargetChange`]s: drops, renames, types, additions, in
//! that order.
//!
//! What must never happen here: a target that differs from the source afterwards without a policy that said so.
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

use super::{Rules, TableMapping, TransformError};
use crate::change::facts::Cascades;
use crate::change::policy::DdlPolicy;
use crate::change::remedy::{copy_table_again, leave_out};
use crate::change::{Answers, Session, TableNames, TargetChange, TargetName};
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
    /// What is done at the target before the rows behind the statement, in this order.
    pub changes: Vec<TargetChange>,
    /// The source table is gone under this name, and a policy said to go on: rows of that name that come later are
    /// another table's.
    pub ended: bool,
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
    let policies = &rules.ddl;
    match statement {
        Statement::AlterTable(alter) | Statement::CreateIndex(alter) | Statement::DropIndex(alter) => {
            case.alter(alter)
        }
        Statement::RenameTable(_) => {
            case.gone("rename_table", policies.rename_table, "renames it", leave_out(&before.name))
        }
        Statement::DropTable { temporary: false, .. } => {
            case.gone("drop_table", policies.drop_table, "drops it", leave_out(&before.name))
        }
        Statement::CreateTable(create) if create.or_replace && !create.temporary => {
            case.gone("drop_table", policies.drop_table, "drops it for another", case.copy_again())
        }
        Statement::CreateTable(create) if !create.temporary && !create.if_not_exists => Err(case.stop(
            "it creates a table that is already known, so the known one is not the source's",
            case.copy_again(),
        )),
        Statement::DropDatabase(_) => {
            case.gone("drop_database", policies.drop_database, "drops its database", leave_out(&before.name))
        }
        Statement::TruncateTable(_) => case.truncate(),
        Statement::OptimizeTable(_) => case.optimized(),
        Statement::RepairTable(_) => Err(case.stop(
            "it may remove rows that cannot be read or lie in a wrong partition, and the log does not say which",
            case.copy_again(),
        )),
        Statement::Dml { .. } => Err(case.stop(
            "it changes rows by statement, not by row events",
            format!("set binlog_format=ROW for the session that wrote it, and {}", case.copy_again()),
        )),
        Statement::Unknown { why, .. } => Err(case.stop(
            format!("it is not understood: {why}"),
            "leave the table out of tables, or copy it again from behind the statement",
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

    fn unchanged(&self) -> Translated {
        Translated {
            table: self.before.clone(),
            mapping: self.mapping.clone(),
            changes: Vec::new(),
            ended: false,
        }
    }

    /// The error that stops the task over the statement.
    fn stop(&self, why: impl Into<String>, remedy: impl Into<String>) -> TransformError {
        const SHOWN_CHARACTERS: usize = 200;
        let mut statement: String = self.issued.sql.chars().take(SHOWN_CHARACTERS).collect();
        if self.issued.sql.chars().nth(SHOWN_CHARACTERS).is_some() {
            statement.push('…');
        }
        TransformError::Ddl {
            table: self.before.name.clone(),
            statement,
            why: why.into(),
            remedy: remedy.into(),
        }
    }

    fn copy_again(&self) -> String {
        let target = self.target();
        let tag = self.mapping.source_tag.as_ref();
        let tag = tag.and_then(|(index, tag)| Some((&self.mapping.target.columns.get(*index)?.name, tag)));
        // What others feed is not to be dropped.
        let emptied = match tag {
            Some((column, tag)) => format!(
                "delete its rows from {target} ({column} = '{tag}'; when no other table feeds it, drop it)"
            ),
            None if self.rules.foreign_rows => format!("delete its rows from {target}"),
            None => "drop its target table".to_owned(),
        };
        copy_table_again(&self.before.name, &emptied)
    }

    /// The stop that a policy asked for. The config takes no other policy yet, so none is offered.
    fn stopped_by(&self, key: &str, what: &str) -> TransformError {
        self.stop(format!("it {what}, and ddl_policy.{key} is \"stop\""), self.copy_again())
    }

    fn not_yet(&self, key: &str, what: &str) -> TransformError {
        let why = format!("it {what}, and ddl_policy.{key} = \"apply\" cannot do that yet");
        self.stop(why, self.copy_again())
    }

    /// A statement after which the table is not there any more under its name.
    fn gone(
        &self,
        key: &str,
        policy: DdlPolicy,
        what: &str,
        remedy: String,
    ) -> Result<Translated, TransformError> {
        match policy {
            DdlPolicy::Stop => Err(self.stop(format!("it {what}, and ddl_policy.{key} is \"stop\""), remedy)),
            DdlPolicy::Ignore => Ok(Translated { ended: true, ..self.unchanged() }),
            DdlPolicy::Apply => {
                Err(self
                    .stop(format!("it {what}, and ddl_policy.{key} = \"apply\" cannot do that yet"), remedy))
            }
        }
    }

    fn truncate(&self) -> Result<Translated, TransformError> {
        match self.rules.ddl.truncate_table {
            DdlPolicy::Stop => Err(self.stopped_by("truncate_table", "empties it")),
            DdlPolicy::Ignore => Ok(self.unchanged()),
            DdlPolicy::Apply if self.rules.shared_target || self.mapping.source_tag.is_some() => {
                Err(self
                    .stop("it empties the table, whose target table holds rows of others", self.copy_again()))
            }
            DdlPolicy::Apply => Ok(Translated {
                changes: vec![TargetChange::Truncate { table: self.target().clone() }],
                ..self.unchanged()
            }),
        }
    }

    /// Whether a name in the statement means this table.
    fn is_named(&self, name: &Name) -> bool {
        self.issued.names.same(&name.full(self.issued.default_database), &self.before.name)
    }
}

#[cfg(test)]
mod tests;
