//! Items about how many connections and statements the target lets a task have.

use super::{Report, Subject, Verdict};
use crate::change::facts::Limit;
use crate::change::remedy::{InConfig, Remedy};

/// Connections of a task that follows the log: the owner's, the applier's and the one for upkeep of the tables.
const FOLLOWING: u64 = 3;
/// Statements of it at a time: the applier's and one more.
const STATEMENTS: u64 = 2;

/// Judges both.
pub fn judge(subject: &Subject<'_>, report: &mut Report) {
    let (connections, statements) = wanted(subject);
    let aside = connections.saturating_add(aside(subject));
    let name = format!("target {}", subject.task.target);
    for limit in &subject.target.connections {
        let free = limit.most.saturating_sub(limit.used);
        if limit.most >= connections && limit.most < aside {
            let why = format!(
                "tables that are copied beside the others take the task to up to {aside} connections, and {} is {}",
                limit.name, limit.most
            );
            report.add(
                "target.connections",
                &name,
                Verdict::Warn,
                why,
                raise(limit).or(InConfig::FewerGroups),
            );
        }
        if free >= connections {
            continue;
        }
        // What others use now may be free later; what is less than is wanted never will be enough.
        let verdict = if limit.most < connections { Verdict::Fail } else { Verdict::Warn };
        let why = format!(
            "the task takes up to {connections} connections, and {} leaves {free} ({} of {} are in use by others)",
            limit.name, limit.used, limit.most
        );
        report.add("target.connections", &name, verdict, why, raise(limit));
    }
    for limit in subject.target.statements.iter().filter(|limit| limit.most < statements) {
        let why = format!(
            "the task works at up to {statements} statements at a time, and {} allows {}: they wait for each other",
            limit.name, limit.most
        );
        report.add("target.statements", &name, Verdict::Warn, why, raise(limit));
    }
}

fn raise(limit: &Limit) -> Remedy {
    Remedy::Raise { limit: limit.name.clone() }
}

/// Connections that side streams take beside those of the main stream.
fn aside(subject: &Subject<'_>) -> u64 {
    if !subject.task.initial_data {
        return 0;
    }
    let number = |count| u64::try_from(count).unwrap_or(u64::MAX);
    // Each has a session for its records, and either those of its copy or that of its applier.
    let one = number(subject.task.snapshot.parallel).max(1).saturating_add(1);
    number(subject.task.snapshot.groups).saturating_mul(one)
}

/// Connections and statements at a time that the task takes at most.
fn wanted(subject: &Subject<'_>) -> (u64, u64) {
    let followed = |table| subject.resuming.is_some_and(|resuming| resuming.tables.contains(table));
    let copies = subject.task.initial_data && subject.mappings.iter().any(|(table, _)| !followed(table));
    let copying = if copies { u64::try_from(subject.task.snapshot.parallel).unwrap_or(u64::MAX) } else { 0 };
    // Beside the copy's own there are the owner's.
    (FOLLOWING.max(copying.saturating_add(1)), STATEMENTS.max(copying.saturating_add(1)))
}
