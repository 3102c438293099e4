//! Parts of the status as words, the same on the page and in the terminal.

use crate::change::status::{
    NotCarried, PausedTable, Skipped, Stands, TableStatus, TaskStatus, Time, Upkeep,
};
use crate::change::verdict::Outcome;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

/// `lag 12 ms` or `lag unknown`.
pub fn lag(task: &TaskStatus) -> String {
    task.lag_millis.map_or_else(|| "lag unknown".to_owned(), |millis| format!("lag {millis} ms"))
}

/// `2026-01-31T23:59:59Z`, of seconds since 1970.
pub fn moment(seconds: u64) -> String {
    // Beyond the year 9999 there is no such form.
    let seconds = seconds.min(253_402_300_799);
    humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).to_string()
}

/// `3m 20s`.
pub fn duration(seconds: u64) -> String {
    humantime::format_duration(Duration::from_secs(seconds)).to_string()
}

/// What the task has failed at, where it is one transaction.
pub fn stands(task: &TaskStatus) -> Option<String> {
    let Stands { position, table } = task.stands.as_ref()?;
    let of = table.as_ref().map_or_else(String::new, |table| format!(", for {table}"));
    Some(format!("stands at {position}{of}"))
}

/// `2 transactions passed over by command, the last 3m ago: 0-1-77, for a.t alone`; `None` where there are none.
pub fn skipped(task: &TaskStatus, now: Time) -> Option<String> {
    let Skipped { what, at } = task.skips.last.as_ref()?;
    let (count, ago) = (task.skips.count, duration(now.seconds_since(*at)));
    let of = what.table.as_ref().map_or_else(String::new, |table| format!(", for {table} alone"));
    let plural = if count == 1 { "" } else { "s" };
    Some(format!(
        "{count} transaction{plural} passed over by command, the last {ago} ago: {}{of}",
        what.position
    ))
}

/// What a task counts and tells, over restarts, a line each; the same words everywhere: drift, quarantine, skipped, passed, compared.
pub fn told(task: &TaskStatus, now: Time) -> Vec<String> {
    let mut lines = Vec::new();
    if task.statements_passed > 0 {
        lines.push(format!("passed: {} statements that reach none of its tables", task.statements_passed));
    }
    lines.extend(skipped(task, now).map(|skipped| format!("skipped: {skipped}")));
    for (name, table) in &task.tables {
        lines.extend(drift(table).map(|drift| format!("{name}: {drift}")));
        if table.quarantined > 0 {
            lines.push(format!("{name}: quarantine: {} rows", table.quarantined));
        }
        lines.extend(verified(task, name, now).map(|verified| format!("{name}: {verified}")));
    }
    lines
}

/// `drift: 2 rows were not as the stream implied, e.g. missing id=7`; `None` where there were none.
pub fn drift(table: &TableStatus) -> Option<String> {
    let example = table.drift_example.as_deref().unwrap_or("?");
    (table.drift > 0)
        .then(|| format!("drift: {} rows were not as the stream implied, e.g. {example}", table.drift))
}

/// What is said of tables that are not carried; `None` when there are none.
pub fn not_carried(tables: &NotCarried) -> Option<String> {
    let mut by_reason: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, why) in &tables.named {
        by_reason.entry(why).or_default().push(name);
    }
    let told: Vec<String> =
        by_reason.iter().map(|(why, names)| format!("{}: {why}", names.join(", "))).collect();
    let more = if tables.more > 0 { format!("; and at least {} more", tables.more) } else { String::new() };
    (!told.is_empty()).then(|| format!("not carried: {}{more}", told.join("; ")))
}

/// What is said of foreign keys that are not followed; `None` where there are none.
pub fn not_followed(task: &TaskStatus) -> Option<String> {
    let told = task.not_followed.join("; ");
    (!told.is_empty())
        .then(|| format!("rows may differ, for the source does not log what foreign keys do and these are not followed: {told}"))
}

/// `paused 3m ago, goes on from binlog.000042:1337`, or where it catches up from after that; `None` where it does neither.
pub fn paused(status: &TableStatus, now: Time) -> Option<String> {
    if let Some(from) = &status.catching_up_from {
        return Some(format!("catching up with the others, from {from}"));
    }
    let PausedTable { since, position } = status.paused.as_ref()?;
    Some(format!("paused {} ago, goes on from {position}", duration(now.seconds_since(*since))))
}

/// `3 rows in quarantine: the target cannot hold them`; `None` where there are none.
pub fn quarantined(status: &TableStatus) -> Option<String> {
    let rows = match status.quarantined {
        0 => return None,
        1 => "1 row".to_owned(),
        many => format!("{many} rows"),
    };
    Some(format!("{rows} in quarantine: the target cannot hold them"))
}

/// `63.1 MB 20s ago (51.0 MB when copied), 12000 dead rows, vacuumed 3m ago`; `None` before anything was measured.
pub fn upkeep(upkeep: &Upkeep, now: Time) -> Option<String> {
    if upkeep.bytes == 0 {
        return None;
    }
    let ago = |then: u64| duration(now.seconds_since(then));
    let mut words = megabytes(upkeep.bytes);
    if upkeep.measured > 0 {
        words.push_str(&format!(" {} ago", ago(upkeep.measured)));
    }
    if upkeep.copied_bytes > 0 {
        words.push_str(&format!(" ({} when copied)", megabytes(upkeep.copied_bytes)));
    }
    if upkeep.dead_rows > 0 {
        words.push_str(&format!(", {} dead rows", upkeep.dead_rows));
    }
    if upkeep.vacuumed > 0 {
        words.push_str(&format!(", vacuumed {} ago", ago(upkeep.vacuumed)));
    }
    Some(words)
}

/// `compared 3m ago: equal`; `None` where it never was.
pub fn verified(task: &TaskStatus, table: &str, now: Time) -> Option<String> {
    let verified = task.verified.get(table)?;
    let ago = duration(now.seconds_since(verified.at));
    let found = match verified.outcome {
        Outcome::Equal => "equal".to_owned(),
        Outcome::Different => format!("{} ROWS DIFFER", verified.differences),
        Outcome::Repaired => format!("{} rows put right", verified.differences),
        Outcome::Undecided => format!("equal but for {} rows that did not hold still", verified.undecided),
        Outcome::NotCompared => "not possible".to_owned(),
    };
    Some(format!("compared {ago} ago: {found}"))
}

/// A size with one digit after the point.
fn megabytes(bytes: u64) -> String {
    let tenths = bytes.saturating_add(50_000) / 100_000;
    format!("{}.{} MB", tenths / 10, tenths % 10)
}
