//! Rows that are logged without all of their columns.

use crate::change::remedy::{Remedy, Scope};
use crate::change::{Affected, Doubt, DoubtfulEvent, RowsEvent, TransactionId};
use crate::task::TaskError;
use crate::task::translator::Translator;
use crate::transform::Incomplete;

/// The whole event; as it is (`None`) where the source computes nothing.
pub(super) async fn completed<T: Translator>(
    translator: &mut T,
    incomplete: &Incomplete<'_>,
) -> Result<Option<RowsEvent>, TaskError> {
    let Some(computing) = incomplete.computing() else { return Ok(Some(incomplete.completed(&[])?)) };
    match translator.compute(computing).await? {
        Some(Ok(rows)) => Ok(Some(incomplete.completed(&rows)?)),
        Some(Err(why)) => Err(incomplete.refused(&why).into()),
        None => Ok(None),
    }
}

/// What an event comes to that misses more than can be had.
pub(super) fn lacking(event: &RowsEvent, gtid: Option<TransactionId>) -> DoubtfulEvent {
    let table = &event.table.name;
    let doubt = Doubt {
        kind: "statement_dml",
        why: format!("rows of {table} are logged without all of their columns"),
        statement: String::new(),
        remedy: Remedy::SetVariable { variable: "binlog_row_image", value: "FULL", scope: Scope::Sessions }
            .and(Remedy::CopyNamedTable),
        also: Vec::new(),
    };
    let affected = Affected::Tables(vec![table.clone()]);
    DoubtfulEvent { doubt, affected, made: None, gtid, begun: None, position: event.position.clone() }
}
