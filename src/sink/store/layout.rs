//! The layout of a task's tables: which one they have, and how they come to the present one.
//!
//! Its version is the comment of the position's table, so it comes and goes with the tables and is there to read for people. Tables
//! without one are of a program that knew no versions.
//!
//! What must never happen here: tables of a newer layout touched.

use super::form::{LAYOUT, newer};
use super::tables::Existing;
use super::{Names, Store, read, tables, unreadable, upgrade};
use crate::change::remedy::{AtTarget, Remedy, Upgrade};
use crate::quote::literal;
use crate::sink::{Session, SinkError};

const LABEL: &str = "rowferry layout ";

/// What newer programs leave behind, and its remedy.
pub(super) fn newer_remedy() -> Remedy {
    Upgrade::NewerWriter.or(Remedy::copy_task())
}

/// SQL that writes the present layout down.
pub(super) fn label(names: &Names) -> String {
    format!("COMMENT ON TABLE {} IS {};\n", names.position, literal(&format!("{LABEL}{LAYOUT}")))
}

/// The layout of a task's tables; `None` when it has none.
///
/// # Errors
/// When it is newer than this program.
pub(super) fn found(
    session: &Session,
    task: &str,
    names: &Names,
    existing: &Existing,
) -> Result<Option<u32>, SinkError> {
    let Some(position) = existing.get(&names.position) else { return Ok(None) };
    // A comment of somebody else's says nothing about the layout.
    let Some(version) = position.comment.as_ref().and_then(|comment| comment.strip_prefix(LABEL)) else {
        return Ok(Some(0));
    };
    match version.parse::<u32>() {
        Ok(version) if version <= LAYOUT => Ok(Some(version)),
        Ok(version) => {
            let what = format!("layout {version} of its tables");
            let why = format!("the comment of {}: {}", names.position, newer(&what, LAYOUT));
            Err(unreadable(session, task, why, newer_remedy()))
        }
        Err(_) => Err(unreadable(
            session,
            task,
            format!("the comment of {} is {LABEL:?} and no version after it", names.position),
            AtTarget::RestoreComment.or(Remedy::copy_task()),
        )),
    }
}

impl Store {
    /// Refuses what a newer program has written, before anything is; and gives the SQL that brings the task's tables to the present
    /// layout, for the beginning of the transaction that raises the epoch.
    pub(in crate::sink) async fn examine(&self, session: &Session) -> Result<String, SinkError> {
        let (task, names) = (self.task(), &self.names);
        // Sent together. A newer layout may not have what is asked: each answer counts only when those before it are as they should be.
        let (existing, format, forms) = tokio::join!(
            biased;
            tables::existing(session),
            tables::check_format(session, task),
            read::check_forms(session, task, names)
        );
        let existing = existing?.unwrap_or_default();
        if existing.contains_key(&tables::meta()) {
            format?;
        }
        let Some(version) = found(session, task, names, &existing)? else { return Ok(String::new()) };
        forms?;
        if version == LAYOUT {
            return Ok(String::new());
        }
        let sql = upgrade::layout(version, names);
        let foreign =
            names.all().into_iter().find(|name| existing.get(*name).is_some_and(|made| !made.owned));
        match foreign {
            None => {
                tracing::info!(
                    task,
                    from = version,
                    to = LAYOUT,
                    "the task's tables in schema rowferry get the present layout"
                );
                Ok(sql + &label(names))
            }
            // Nothing changes but the comment, which only the owner may write. Others do without it.
            Some(_) if sql.is_empty() => Ok(sql),
            Some(table) => Err(unreadable(
                session,
                task,
                format!(
                    "its tables have layout {version} and are to get layout {LAYOUT}, and {table} belongs to another role"
                ),
                Remedy::TakeOverRecords { table: table.clone() },
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_label_is_read_as_it_is_written() {
        let sql = label(&Names::new("shop"));
        assert_eq!(sql, format!("COMMENT ON TABLE rowferry.\"shop_position\" IS '{LABEL}{LAYOUT}';\n"));
    }
}
