//! Which row of a batch the target does not take.
//!
//! Statements over arrays and staging fail as one. So the batch is written once more, in a transaction that is never committed:
//! its keys deleted, then its rows by COPY, whose error names the line. What must never happen here: a commit.

use super::plan::{self, Act, WriteStep};
use super::statements::{StatementKind, Statements, any_key};
use super::{Existing, Mode, Strategy, Way, copy, delete, pipeline, types};
use crate::change::{RowLayout, TargetName};
use crate::sink::compact::Compacted;
use crate::sink::{Session, SinkError, SinkErrorKind};
use std::sync::Arc;
use tokio_postgres::error::DbError;

/// How many letters of a key are shown.
const SHOWN: usize = 200;

/// A row that is not taken.
#[derive(Debug)]
pub struct Refused {
    layout: Arc<RowLayout>,
    /// The fields of its key, encoded.
    key: Vec<u8>,
}

/// How long another's lock on one of the rows is waited for, and how long any of it may take.
const BEGIN: &str = "BEGIN; SET LOCAL lock_timeout = '5s'; SET LOCAL statement_timeout = '60s'";

/// Finds the first row of `changes` that the target refuses for the reason `why`, an error that writing them has given. `existing` tells whether their
/// keys may be there. The session is of no use afterwards: its transaction is open or lost.
///
/// # Errors
/// What the target answers to anything but such a row.
pub async fn refused(
    session: &Session,
    changes: &Compacted,
    existing: Existing,
    why: &SinkError,
) -> Result<Option<Refused>, SinkError> {
    session.client().batch_execute(BEGIN).await.map_err(|error| session.error(BEGIN, error))?;
    let manners = vec![(Mode::Convergent, Strategy::DeleteCopy); changes.tables.len()];
    let steps = plan::plan(&changes.tables, &manners, Way::General);
    let mut statements = Statements::default();
    let (deletes, writes): (Vec<&WriteStep<'_>>, Vec<&WriteStep<'_>>) =
        steps.iter().partition(|step| step.at_once());
    // A delete takes the whole table from others on Greenplum: only where there is something to delete.
    if existing == Existing::Keep {
        match pipeline::run(session, &mut statements, &deletes).await {
            Ok(_) => {}
            Err(super::ApplyError::Sink(error)) => return Err(error),
            Err(conflict @ super::ApplyError::Conflict { .. }) => {
                return Err(session.unexpected("looking for a row", conflict.to_string()));
            }
        }
    }
    for step in writes.into_iter().filter(|step| step.act == Act::Copy) {
        let layout = &step.changes.layout;
        let statement = statements.get(session, layout, StatementKind::CopyTable).await?;
        let Err(error) = copy::send(session, &statement, step.rows()).await else { continue };
        let line = error.as_db_error().filter(|error| is_same(error, why));
        let line = line.and_then(|error| line_of(error.where_()?, &layout.target.table));
        let key = line.and_then(|line| step.keys().nth(line.checked_sub(1)?));
        return Ok(key.map(|key| Refused { layout: Arc::clone(layout), key: key.to_vec() }));
    }
    Ok(None)
}

impl Refused {
    /// The table that does not take it.
    pub fn target(&self) -> &TargetName {
        &self.layout.target
    }

    /// What a column of its key holds, as text: in a table of several feeders, one is the tag of its own.
    pub fn of_key(&self, column: &str) -> Option<&str> {
        text_of_key(&self.layout, &self.key, column)
    }

    /// Its key as `id=7, region=north`, printed by the target; a long one is cut.
    ///
    /// # Errors
    /// What the target answers.
    pub async fn key(&self, session: &Session) -> Result<Option<String>, SinkError> {
        let types = types::key_arrays(&self.layout).unwrap_or_default();
        let params = super::arrays::columns(&types, std::iter::once(self.key.as_slice()))
            .map_err(|_| session.unexpected("printing a key", "an encoded key is malformed"))?;
        let params: Vec<_> = params.iter().collect();
        let key: Option<String> = delete::printed(session, &any_key(&self.layout), &types, &params).await?;
        Ok(key.map(|key| match key.char_indices().nth(SHOWN) {
            Some((end, _)) => format!("{}…", key.get(..end).unwrap_or_default()),
            None => key,
        }))
    }
}

/// What a column holds in an encoded key, as text; `None` where the key does not have it.
pub fn text_of_key<'k>(layout: &RowLayout, mut key: &'k [u8], column: &str) -> Option<&'k str> {
    for index in &layout.key {
        let (length, rest) = key.split_first_chunk::<4>()?;
        let length = usize::try_from(i32::from_be_bytes(*length)).ok()?;
        let (value, rest) = rest.split_at_checked(length)?;
        if layout.columns.get(*index)?.name == column {
            return std::str::from_utf8(value).ok();
        }
        key = rest;
    }
    None
}

/// Whether it is the same error, and the line in its context that of its row: that of a row that is too long for a page is the line
/// at which many were written at once.
fn is_same(found: &DbError, why: &SinkError) -> bool {
    let SinkErrorKind::Server { state, message, .. } = &why.kind else { return false };
    let of_index = found.routine().is_some_and(|routine| routine.starts_with("_bt_"));
    found.code().code() == state
        && message.starts_with(found.message())
        && (of_index || !state.starts_with("54"))
}

/// The number in `COPY table, line 7, column a`, in whatever language.
fn line_of(context: &str, table: &str) -> Option<usize> {
    let behind = context.lines().find_map(|line| line.strip_prefix("COPY ")?.strip_prefix(table))?;
    let (_, number) = behind.strip_prefix(", ")?.split(", ").next()?.rsplit_once(' ')?;
    number.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{line_of, text_of_key};
    use crate::change::{RowLayout, TargetColumn, TargetName, TargetType};

    #[test]
    fn a_column_of_a_key_is_found_by_its_name_wherever_it_is() {
        let column =
            |name: &str| TargetColumn { name: name.into(), data_type: TargetType::Text, nullable: false };
        let layout = RowLayout {
            target: TargetName { schema: "s".into(), table: "t".into() },
            columns: ["v", "src", "code"].map(column).to_vec(),
            key: vec![2, 1],
        };
        let key = b"\0\0\0\x02ab\0\0\0\x03tag";
        assert_eq!(text_of_key(&layout, key, "src"), Some("tag"));
        assert_eq!(text_of_key(&layout, key, "code"), Some("ab"));
        assert_eq!(text_of_key(&layout, key, "v"), None);
    }

    #[test]
    fn the_line_is_found() {
        assert_eq!(line_of("COPY t, line 7, column a 8", "t"), Some(7));
        assert_eq!(line_of("COPY t, line 7", "t"), Some(7));
        assert_eq!(line_of("COPY odd, line 3, line 12, column b", "odd, line 3"), Some(12));
        assert_eq!(line_of("COPY t, Zeile 9, Spalte a", "t"), Some(9));
        assert_eq!(line_of("SQL function \"f\"\nCOPY t, line 2", "t"), Some(2));
        assert_eq!(line_of("PL/pgSQL function f()", "t"), None);
        assert_eq!(line_of("COPY t2, line 7", "t"), None);
    }
}
