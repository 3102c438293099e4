//! Rows that the target cannot hold, where `bad_rows` keeps them: the limits, and what is told.
//!
//! A key in quarantine has no row in the target, and in quarantine the last one that it had at the source. What comes of it later is
//! about that: a row that fits takes it out again, another that does not takes its place, a delete takes it out.
//!
//! What must never happen here: more rows kept than somebody can look through; a row kept that cannot be found again.

use super::TaskError;
use super::context::Context;
use crate::change::remedy::Remedy;
use crate::change::status::TableStatus;
use crate::change::{RowLayout, TableName, Unfit};
use crate::sink::SinkErrorKind;
use crate::sink::store::KeyedUnfit;
use serde_json::Value;

/// So many rows of a table are kept at most.
pub(super) const MOST: usize = 10_000;
/// And none with a longer key: it is a key in the target again.
const KEY_BYTES: usize = 2000;
/// What the rows of a batch or chunk hold at most, keys and images: it is held in memory, and written in one transaction.
const MOST_BYTES: usize = 64 << 20;
/// So many rows of a batch or chunk are told in the log one by one.
const TOLD: usize = 5;

/// Whether these rows of a batch or chunk may be kept, so that `all` rows of their table are.
///
/// # Errors
/// An error of the table, which is parked then.
pub(super) fn admit(
    context: &Context,
    table: &TableName,
    rows: &[&KeyedUnfit],
    all: usize,
) -> Result<(), TaskError> {
    let refuse = |why: String, row: &Unfit| {
        let remedy = Remedy::MendValue.and(Remedy::Resync { table: table.clone() });
        let kind = SinkErrorKind::Table {
            table: table.to_string(),
            why: format!("{why}; the last is the one with {}: {}", row.key, row.error),
            remedy,
        };
        let error = Box::new(TaskError::from(kind.at(context.target().name.clone())));
        Err(TaskError::OfTable { table: table.clone(), error })
    };
    let bytes: usize = rows.iter().map(|(key, row)| key.len() + row.key.len() + row.row.len()).sum();
    match rows.iter().find(|(key, _)| key.len() > KEY_BYTES) {
        Some((_, row)) => {
            refuse("a row does not fit, and its key is too long for the quarantine".to_owned(), row)
        }
        None => match rows.last() {
            Some((_, row)) if all > MOST => {
                refuse(format!("more than {MOST} of its rows would be in quarantine"), row)
            }
            Some((_, row)) if bytes > MOST_BYTES => {
                let most = MOST_BYTES >> 20;
                refuse(format!("more than {most} MiB of its rows would come into quarantine at once"), row)
            }
            _ => Ok(()),
        },
    }
}

/// Says in the log which rows are in quarantine from here on, and counts them for the status.
pub(super) fn tell(context: &Context, rows: &[KeyedUnfit]) {
    for (_, row) in rows.iter().take(TOLD) {
        let (table, position) = (&row.source, row.position.as_deref().unwrap_or("the copy"));
        tracing::warn!(task = context.name, %table, key = row.key, position, "a row is in quarantine: {}", row.error);
    }
    if let more @ 1.. = rows.len().saturating_sub(TOLD) {
        tracing::warn!(task = context.name, more, "more rows of this batch are in quarantine");
    }
    context.progress.tell(|task| {
        for (_, row) in rows {
            if let Some(status) = task.tables.get_mut(&row.source.to_string()) {
                status.quarantined_ever += 1;
            }
        }
    });
}

/// Tells the status how many rows of a table are in quarantine.
pub(super) fn tell_count(context: &Context, table: &TableName, change: impl FnOnce(&mut TableStatus)) {
    context.progress.tell(|task| {
        task.tables.get_mut(&table.to_string()).map(change);
    });
}

/// The key of an encoded row as the messages have it, from the row's image.
pub(super) fn key_in_words(layout: &RowLayout, image: &Value, name: impl Fn(&str) -> String) -> String {
    let key = layout.key.iter().filter_map(|index| layout.columns.get(*index)).map(|column| {
        let name = name(&column.name);
        match image.get(&name) {
            Some(Value::String(text)) => format!("{name} = '{text}'"),
            Some(value) => format!("{name} = {value}"),
            None => name,
        }
    });
    key.collect::<Vec<_>>().join(", ")
}
