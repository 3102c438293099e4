//! Makes target schemas and tables, and carries the source's DDL to them.
//!
//! Every function runs in the transaction that is open on the session, if any: a change commits together with
//! the checkpoint that stands for it. What must never happen here: a change of a table whose present shape was
//! not looked at.

pub mod render;

use super::{Session, SinkError, SinkErrorKind, Store, catalog, session};
use crate::change::facts::FoundTable;
use crate::change::remedy::{AtTarget, InConfig, Remedy};
use crate::change::shape::RowsOf;
use crate::change::{TargetChange, TargetName, TargetTable};
use crate::quote;
use render::Unfit;
use std::collections::BTreeSet;
use tokio_postgres::types::Type;

/// Holders of this transaction-level advisory lock may make what several tasks may want at once: schemas, and the tables of
/// schema `rowferry`. "rowferry" in ASCII.
pub(super) const DDL_LOCK: i64 = 0x726f_7766_6572_7279;

/// Waits until no other task makes schemas or tables; holds until the transaction ends. Tasks that start at once then see what
/// the others have made.
pub async fn one_at_a_time(session: &Session) -> Result<(), SinkError> {
    run(session, "creating tables", &[format!("SELECT pg_advisory_xact_lock({DDL_LOCK})")]).await
}

/// Creates the schemas among `wanted` that are missing, inside a transaction that has [`one_at_a_time`]. The catalog is asked
/// first, so that no privilege on the database is needed when all are there.
pub async fn create_schemas(session: &Session, wanted: &BTreeSet<String>) -> Result<(), SinkError> {
    for schema in &missing_schemas(session, wanted).await? {
        run(session, &format!("creating schema {schema}"), &[render::create_schema(schema)]).await?;
    }
    Ok(())
}

async fn missing_schemas(
    session: &Session,
    wanted: &BTreeSet<String>,
) -> Result<BTreeSet<String>, SinkError> {
    const DOING: &str = "creating schemas";
    let names: Vec<&str> = wanted.iter().map(String::as_str).collect();
    let rows = session
        .client()
        .query_typed(
            "SELECT n.nspname::text FROM pg_namespace n WHERE n.nspname::text = ANY($1)",
            &[(&names, Type::TEXT_ARRAY)],
        )
        .await
        .map_err(|error| session.error(DOING, error))?;
    let mut missing = wanted.clone();
    for row in &rows {
        let name: String = row.try_get(0).map_err(|error| session.error(DOING, error))?;
        missing.remove(&name);
    }
    Ok(missing)
}

/// Runs statements inside the open transaction, which goes on without them where the target refuses one of them: that is the inner error.
///
/// # Errors
/// When the target cannot be asked any more.
pub async fn attempt(
    session: &Session,
    doing: &str,
    statements: &[String],
) -> Result<Result<(), SinkError>, SinkError> {
    run(session, doing, &["SAVEPOINT attempt".to_owned()]).await?;
    match run(session, doing, statements).await {
        Ok(()) => {
            run(session, doing, &["RELEASE SAVEPOINT attempt".to_owned()]).await?;
            Ok(Ok(()))
        }
        Err(error) if error.is_of_circumstances() && !error.is_locked_out() => Err(error),
        Err(error) => {
            run(session, doing, &["ROLLBACK TO SAVEPOINT attempt".to_owned()]).await?;
            Ok(Err(error))
        }
    }
}

/// Runs statements as [`attempt`] does, which wait for locks no longer than this.
///
/// # Errors
/// As [`attempt`].
pub async fn attempt_within(
    session: &Session,
    doing: &str,
    limit: &str,
    statements: Vec<String>,
) -> Result<Result<(), SinkError>, SinkError> {
    let mut bounded = vec![format!("SET LOCAL lock_timeout = '{limit}'")];
    bounded.extend(statements);
    bounded.push(format!("SET LOCAL lock_timeout = '{}'", session::LOCK_TIMEOUT));
    attempt(session, doing, &bounded).await
}

/// What has been taken out of the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakenOut {
    /// Nothing.
    Nothing,
    /// Rows; the table is there.
    Rows,
    /// The table with them. There may have been none.
    Table,
}

impl Taking {
    /// Whether the rows are gone.
    pub fn is_gone(self) -> bool {
        self.taken != TakenOut::Nothing
    }
}

/// How far something has been taken out of the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taking {
    /// What is gone.
    pub taken: TakenOut,
    /// More was to go, and was refused for now: somebody uses it, something hangs on it, or the user may not.
    pub refused: bool,
}

/// Takes rows out of a table, inside a transaction, and the table with them where it is `made` for them: as far as can be. Where
/// something hangs on it, somebody reads it, or the user may not drop it, it loses its rows; where that cannot be either it stays as it is.
///
/// # Errors
/// When the target cannot be asked any more.
pub async fn take_out(
    session: &Session,
    table: &TargetName,
    what: &Clear,
    made: bool,
) -> Result<Taking, SinkError> {
    // Readers that come would wait behind who waits for them.
    const READERS: &str = "2s";
    let (doing, name) = (format!("taking rows out of table {table}"), quote::qualified(table));
    let mut ways = Vec::new();
    if made {
        ways.push((TakenOut::Table, vec![format!("DROP TABLE IF EXISTS {name}")]));
    }
    ways.push((TakenOut::Rows, what.statements(table)));
    if *what == Clear::All {
        ways.push((TakenOut::Rows, vec![format!("DELETE FROM {name}")]));
    }
    let mut refused = false;
    for (taken, way) in ways {
        match attempt_within(session, &doing, READERS, way).await? {
            // A DELETE does what a TRUNCATE was to do.
            Ok(()) => return Ok(Taking { taken, refused: refused && made }),
            Err(error) => tracing::warn!(%table, %error, "rows are to go, and it is refused"),
        }
        refused = true;
    }
    Ok(Taking { taken: TakenOut::Nothing, refused })
}

/// Creates a table that does not exist.
pub async fn create_table(session: &Session, table: &TargetTable) -> Result<(), SinkError> {
    let sql = render::create_table(table, session.dialect()).map_err(|unfit| refused(session, unfit))?;
    run(session, &format!("creating table {}", table.name), &[sql]).await
}

/// Drops a table; one that is not there is no error.
pub async fn drop_table(session: &Session, table: &TargetName) -> Result<(), SinkError> {
    run(
        session,
        &format!("dropping table {table}"),
        &[format!("DROP TABLE IF EXISTS {}", quote::qualified(table))],
    )
    .await
}

/// What is taken out of a table that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Clear {
    /// Nothing.
    Nothing,
    /// All rows.
    All,
    /// The rows of one source, in a table that it shares with others.
    Tagged {
        /// The column that tells them apart.
        column: String,
        /// What it holds in them.
        tag: String,
    },
}

impl Clear {
    /// The statements for a table, in order.
    ///
    /// A DELETE passes over rows whose COMMIT is still on its way, such as that of a copy worker that was given up. The lock
    /// waits for whoever has written, as TRUNCATE and DROP do.
    fn statements(&self, table: &TargetName) -> Vec<String> {
        let name = quote::qualified(table);
        match self {
            Self::Nothing => Vec::new(),
            Self::All => vec![format!("TRUNCATE TABLE {name}")],
            Self::Tagged { column, tag } => vec![
                format!("LOCK TABLE {name} IN SHARE ROW EXCLUSIVE MODE"),
                format!("DELETE FROM {name} WHERE {} = {}", quote::identifier(column), quote::literal(tag)),
            ],
        }
    }
}

/// Takes rows out of a table; inside a transaction.
///
/// # Errors
/// What the server answers.
pub async fn clear(session: &Session, table: &TargetName, what: &Clear) -> Result<(), SinkError> {
    run(session, &format!("emptying table {table}"), &what.statements(table)).await
}

/// Whether a table has any of the rows that would be taken out of it.
///
/// # Errors
/// What the server answers.
pub async fn has_rows(session: &Session, table: &TargetName, what: &Clear) -> Result<bool, SinkError> {
    let condition = match what {
        Clear::Nothing => return Ok(false),
        Clear::All => String::new(),
        Clear::Tagged { column, tag } => {
            format!(" WHERE {} = {}", quote::identifier(column), quote::literal(tag))
        }
    };
    let sql = format!("SELECT 1 FROM {}{condition} LIMIT 1", quote::qualified(table));
    let rows = session.client().query_typed(&sql, &[]).await;
    Ok(!rows.map_err(|error| session.error("looking for rows", error))?.is_empty())
}

/// The statements that making tables would take, without running any: with `make` schemas and tables that are missing, and
/// what is taken out of those that are there.
///
/// # Errors
/// What the server answers, and when a table cannot be made.
pub async fn planned(
    session: &Session,
    tables: &[(&TargetTable, Clear)],
    make: bool,
) -> Result<Vec<String>, SinkError> {
    let schemas: BTreeSet<String> = tables.iter().map(|(table, _)| table.name.schema.clone()).collect();
    let mut statements = Vec::new();
    if make {
        let missing = missing_schemas(session, &schemas).await?;
        statements.extend(missing.iter().map(|schema| render::create_schema(schema)));
    }
    for (table, clear) in tables {
        match catalog::shape(session, &table.name).await? {
            None if make => statements.push(
                render::create_table(table, session.dialect()).map_err(|unfit| refused(session, unfit))?,
            ),
            None => {}
            Some(_) => statements.extend(clear.statements(&table.name)),
        }
    }
    Ok(statements)
}

/// Applies one change that the source's DDL asks for, inside a transaction. What a task knows of itself does not tell whether
/// others feed the table: their records are asked.
///
/// # Errors
/// What the server answers, and when others feed the table and the change would touch what is theirs.
pub async fn carry(session: &Session, store: &Store, change: &TargetChange) -> Result<(), SinkError> {
    let table = change.table();
    let alone = match change {
        TargetChange::AddColumn { rows, .. } => *rows == RowsOf::One,
        TargetChange::Empty { rows, .. } => *rows == RowsOf::One,
        TargetChange::RenameColumn { .. } | TargetChange::DropColumn { .. } => true,
        TargetChange::AlterColumn { .. } | TargetChange::RequireNone { .. } => false,
    };
    if !alone {
        return self::change(session, change).await;
    }
    look_up(session, table).await?;
    // A task records a table before it writes a row to it: who is not on record now waits with its rows.
    let lock = format!("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE", quote::qualified(table));
    run(session, &format!("altering table {table}"), &[lock]).await?;
    let other = store.other_feeder(session, table).await?;
    match (other, change) {
        (Some(_), TargetChange::AddColumn { table, column, fill, .. }) => {
            let (table, column, fill) = (table.clone(), column.clone(), fill.clone());
            let shared = TargetChange::AddColumn { table, column, fill, rows: RowsOf::Anybody };
            self::change(session, &shared).await
        }
        (Some(other), TargetChange::RenameColumn { from, to, .. }) => Err(refused(
            session,
            Unfit {
                table: table.clone(),
                why: format!(
                    "column {from} would be renamed to {to}, and task \"{other}\" feeds the table too"
                ),
                remedy: Remedy::KeepName { source: "NEW_NAME".to_owned(), target: from.clone() },
            },
        )),
        (Some(other), TargetChange::Empty { .. }) => Err(refused(
            session,
            Unfit {
                table: table.clone(),
                why: format!(
                    "its rows cannot be told from those of task \"{other}\", which feeds the table too"
                ),
                remedy: InConfig::TagFeeders.into(),
            },
        )),
        (Some(_), TargetChange::DropColumn { column, .. }) => keep_column(session, table, column).await,
        (None, TargetChange::DropColumn { column, .. }) => {
            let found = look_up(session, table).await?;
            if !found.table.columns.iter().any(|is| is.name == *column) {
                return Ok(());
            }
            let (name, column_name) = (quote::qualified(table), quote::identifier(column));
            let drop = format!("ALTER TABLE {name} DROP COLUMN {column_name}");
            match attempt(session, &format!("altering table {table}"), &[drop]).await? {
                Ok(()) => Ok(()),
                // A view shows it, or a policy needs it.
                Err(error) if error.is_hung_on() => {
                    tracing::warn!(%table, column, %error, "the source has dropped a column on which something hangs here: it stays, and takes NULL");
                    keep_column(session, table, column).await
                }
                Err(error) => Err(error),
            }
        }
        (None, TargetChange::Empty { .. }) => {
            let doing = format!("emptying table {table}");
            match attempt(session, &doing, &Clear::All.statements(table)).await? {
                Ok(()) => Ok(()),
                // Another table refers to it, or the user may delete only.
                Err(error) => {
                    tracing::info!(%table, %error, "rows are deleted one by one");
                    run(session, &doing, &[format!("DELETE FROM {}", quote::qualified(table))]).await
                }
            }
        }
        (_, change) => self::change(session, change).await,
    }
}

/// A column that the source has no more stays, and takes NULL.
async fn keep_column(session: &Session, table: &TargetName, column: &str) -> Result<(), SinkError> {
    let found = look_up(session, table).await?;
    let not_null = found.table.columns.iter().any(|is| is.name == column && !is.nullable);
    let name = quote::identifier(column);
    let takes_null = format!("ALTER TABLE {} ALTER COLUMN {name} DROP NOT NULL", quote::qualified(table));
    if not_null {
        run(session, &format!("altering table {table}"), &[takes_null]).await?;
    }
    Ok(())
}

/// Applies one change; one that is already there is no error.
pub async fn change(session: &Session, change: &TargetChange) -> Result<(), SinkError> {
    let table = change.table();
    let doing = format!("altering table {table}");
    if let TargetChange::RequireNone { column, between, why, remedy, .. } = change {
        let query = render::instant_between(table, column, between);
        let rows = session.client().query_typed(&query, &[]).await;
        if rows.map_err(|error| session.error(&doing, error))?.is_empty() {
            return Ok(());
        }
        let unfit = Unfit { table: table.clone(), why: why.clone(), remedy: remedy.clone() };
        return Err(refused(session, unfit));
    }
    let found = look_up(session, table).await?;
    let statements =
        render::change(change, session.dialect(), &found).map_err(|unfit| refused(session, unfit))?;
    if let Some((query, unfit)) = render::rows_unlike(change, &found) {
        let rows = session.client().query_typed(&query, &[]).await;
        if !rows.map_err(|error| session.error(&doing, error))?.is_empty() {
            return Err(refused(session, unfit));
        }
    }
    run(session, &doing, &statements).await
}

/// A table that must be there, as it is.
/// Gives a target table another name in its schema, inside a transaction.
///
/// # Errors
/// What the server answers, and when others feed the table or the name is taken.
pub async fn rename_table(
    session: &Session,
    store: &Store,
    from: &TargetName,
    to: &TargetName,
) -> Result<(), SinkError> {
    look_up(session, from).await?;
    let (name, new) = (quote::qualified(from), quote::identifier(&to.table));
    let doing = format!("renaming table {from} to {to}");
    run(session, &doing, &[format!("LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE")]).await?;
    let siblings = store.feeders(session).await?.get(from).map_or(0, BTreeSet::len);
    let other = store.other_feeder(session, from).await?;
    let why = if other.is_some() || siblings > 1 {
        format!("it would be renamed to {to}, and others feed it too")
    } else if catalog::shape(session, to).await?.is_some() {
        format!("it would be renamed to {to}, which is there already")
    } else {
        return run(session, &doing, &[format!("ALTER TABLE {name} RENAME TO {new}")]).await;
    };
    Err(refused(session, Unfit { table: from.clone(), why, remedy: Remedy::CopyNamedTable }))
}

async fn look_up(session: &Session, table: &TargetName) -> Result<FoundTable, SinkError> {
    let found = catalog::shape(session, table).await?;
    found.ok_or_else(|| {
        let unfit = Unfit {
            table: table.clone(),
            why: "the table is missing".into(),
            remedy: AtTarget::RestoreTable.or(Remedy::CopyNamedTable),
        };
        refused(session, unfit)
    })
}

async fn run(session: &Session, doing: &str, statements: &[String]) -> Result<(), SinkError> {
    for sql in statements {
        session.client().batch_execute(sql).await.map_err(|error| session.error(doing, error))?;
    }
    Ok(())
}

fn refused(session: &Session, unfit: Unfit) -> SinkError {
    SinkErrorKind::Table { table: unfit.table.to_string(), why: unfit.why, remedy: unfit.remedy }
        .at(session.label())
}
