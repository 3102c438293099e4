//! Ways out that several rooms print, in one wording each.

use super::TableName;

/// How a whole task is copied anew.
pub const COPY_AGAIN: &str = "copy again (stop the daemon, drop the task's target tables and its tables in schema rowferry, start it: \
                              docs/operations.md, \"Copying again\")";

/// How one table is copied anew, where the message names it.
pub const COPY_TABLE_AGAIN: &str = "copy the table again (take it out of \"tables\" by adding \"!database.table\" to the list, \
                                    start, stop, drop its target table (where others feed it too, delete its own rows), put it back)";

/// How one table is copied anew while the others go on; `emptied` says what becomes of its target table. The same list works
/// for a task of one table, for which an empty one is refused.
pub fn copy_table_again(table: &TableName, emptied: &str) -> String {
    format!(
        "copy {table} again: take it out of \"tables\" (add \"!{table}\" to the list), start, stop, {emptied}, put it back"
    )
}

/// What is to be done about a table that the source has no more.
pub fn leave_out(table: &TableName) -> String {
    format!(
        "take it out of \"tables\" (add \"!{table}\" to the list) and start: its target table stays as it is; should the source have \
         such a table again, stop, drop the target table, put it back"
    )
}
