//! Items about the source's log: whether it is still the one the task has read, and holds what comes next.

use super::{Report, Resuming, Subject, Verdict};
use crate::change::facts::Flavour;
use crate::change::remedy::{AtSource, Because, Connect, InConfig, Remedy};
use crate::change::{Domains, GtidSet, Taken};
use crate::config::StartPosition;

/// The server has logged what it has not executed yet: a commit that waits for a replica, say. It passes by itself.
pub const IN_FLIGHT: &str = "source.in_flight";

fn purged_remedy() -> Remedy {
    Remedy::CopyTask(Because::Purged).and(AtSource::KeepBinlogs)
}

/// Everything about the log's history.
pub fn judge(subject: &Subject<'_>, report: &mut Report, name: &str) {
    start_position(subject, report, name);
    reset(subject, report, name);
    identity(subject, report, name);
    sets(subject, report, name);
    domains(subject, report, name);
    file(subject, report, name);
}

/// A start position is of the kind that the server has.
fn start_position(subject: &Subject<'_>, report: &mut Report, name: &str) {
    let facts = subject.source;
    if let (Some(resuming), Some(wanted)) = (&subject.resuming, &subject.task.start_position) {
        // "now" may well stay in the config: it was heeded once.
        let verdict = if *wanted == StartPosition::Now { Verdict::Pass } else { Verdict::Warn };
        report.add(
            "source.start_position",
            name,
            verdict,
            format!(
                "start_position is not heeded: the task goes on at its checkpoint, {}",
                resuming.position
            ),
            InConfig::StartPositionDone,
        );
    }
    let (wanted, good) = match &subject.task.start_position {
        None | Some(StartPosition::Now | StartPosition::File(_)) => return,
        Some(StartPosition::Gtids(_)) => ("a set of MySQL's GTIDs", facts.gtid_mode_on),
        Some(StartPosition::Domains(_)) => ("MariaDB's GTIDs", facts.flavour == Flavour::MariaDb),
    };
    let has = match (facts.flavour, facts.gtid_mode_on) {
        (Flavour::MariaDb, _) => "MariaDB's GTIDs",
        (Flavour::MySql, true) => "MySQL's GTIDs",
        (Flavour::MySql, false) => "no GTIDs",
    };
    if !good {
        report.add(
            "source.start_position",
            name,
            Verdict::Fail,
            format!("start_position is {wanted}, and here transactions have {has}"),
            InConfig::StartPositionKind,
        );
    }
}

/// File positions belong to one server.
fn identity(subject: &Subject<'_>, report: &mut Report, name: &str) {
    let facts = subject.source;
    if let Some(resuming) = &subject.resuming
        && resuming.position.taken == Taken::Files
    {
        let same = facts.server_uuid.as_deref() == Some(resuming.position.server.as_str());
        report.require(
            "source.identity",
            name,
            same,
            if same {
                "it is the server whose files the task follows".to_owned()
            } else {
                format!(
                    "the task follows files of server {}, and this is {}",
                    resuming.position.server,
                    facts.server_uuid.as_deref().unwrap_or("another")
                )
            },
            Connect::Same.or(Remedy::copy_task()).also(AtSource::LiveWithGtids),
        );
    }
}

/// What the log must hold, and the server must have, where MySQL's GTIDs tell.
fn sets(subject: &Subject<'_>, report: &mut Report, name: &str) {
    let facts = subject.source;
    let (needed, what) = match (&subject.resuming, &subject.task.start_position) {
        (Some(resuming), _) => (resuming.position.taken.gtids(), "the checkpoint"),
        (None, Some(StartPosition::Gtids(gtids))) => (Some(gtids), "start_position"),
        (None, _) => (None, ""),
    };
    let Some(needed) = needed else { return };
    let lost = facts.gtid_purged.minus(needed);
    let mut unknown = needed.minus(&facts.gtid_executed);
    if let Some(resuming) = &subject.resuming {
        unknown.union(&resuming.copied.minus(&facts.gtid_executed));
    }
    if !unknown.is_empty() && subject.resuming.as_ref().is_some_and(|resuming| is_same_log(subject, resuming))
    {
        report.add(
            IN_FLIGHT,
            name,
            Verdict::Fail,
            format!("{what} includes {unknown}, which this server has logged and not executed yet"),
            Connect::SameOrComplete,
        );
        unknown = GtidSet::default();
    }
    Missing { what, lost: lost.to_string(), unknown: unknown.to_string() }.report(report, name);
}

/// Whether the checkpoint lies in a file that this server still has as it was read.
fn is_same_log(subject: &Subject<'_>, resuming: &Resuming) -> bool {
    let position = &resuming.position;
    subject.source.server_uuid.as_deref() == Some(position.server.as_str())
        && position.file_begun.is_some()
        && resuming.file_begun == position.file_begun
        && resuming.file_size.is_some_and(|size| size >= position.file.offset)
}

/// A server whose log ends before the place it was read up to has started a new one, in which transactions may have the
/// GTIDs of others that the task has taken in: they would be taken for known.
fn reset(subject: &Subject<'_>, report: &mut Report, name: &str) {
    let facts = subject.source;
    let (Some(resuming), Some(end)) = (&subject.resuming, &facts.log_end) else { return };
    if facts.server_uuid.as_deref() != Some(resuming.position.server.as_str()) {
        return;
    }
    let position = &resuming.position;
    if let (Some(was), Some(now)) = (position.file_begun, resuming.file_begun)
        && was != now
    {
        report.add(
            "source.reset",
            name,
            Verdict::Fail,
            format!(
                "its log was reset: {} is not the file the task has read, it was begun at another time",
                position.file.file
            ),
            Remedy::CopyTask(Because::Reset),
        );
        return;
    }
    if let Some(size) = resuming.file_size.filter(|size| *size < position.file.offset) {
        report.add(
            "source.reset",
            name,
            Verdict::Fail,
            format!(
                "its log lost its end: {} has {size} bytes, and the task has read it up to {}",
                position.file.file, position.file.offset
            ),
            Remedy::CopyTask(Because::Cut),
        );
        return;
    }
    let behind = end.order(&position.file) == Some(std::cmp::Ordering::Less);
    report.require(
        "source.reset",
        name,
        !behind,
        if behind {
            format!("its log ends at {end}, before {}, where the task has read it", resuming.position.file)
        } else {
            "the log goes on from where the task has read it".to_owned()
        },
        Remedy::CopyTask(Because::ReadPastEnd),
    );
}

/// The same where MariaDB's domains tell, by their numbers.
fn domains(subject: &Subject<'_>, report: &mut Report, name: &str) {
    let facts = subject.source;
    let (needed, what) = match (&subject.resuming, &subject.task.start_position) {
        // Then its place is gone on from, whatever the numbers are.
        (Some(resuming), _) if has_file(subject) && resuming.position.file_begun == resuming.file_begun => {
            return;
        }
        (Some(resuming), _) => (resuming.position.taken.domains(), "the checkpoint"),
        (None, Some(StartPosition::Domains(domains))) => (Some(domains), "start_position"),
        (None, _) => return,
    };
    let Some(needed) = needed.filter(|_| facts.flavour == Flavour::MariaDb) else { return };
    let ahead = |of: &Domains, than: &Domains| {
        let ahead =
            of.iter().filter(|gtid| than.last(gtid.domain).is_none_or(|last| last.sequence < gtid.sequence));
        ahead.map(|gtid| gtid.to_string()).collect::<Vec<_>>().join(",")
    };
    let lost = facts.domains_purged.as_ref().map(|purged| ahead(purged, needed)).unwrap_or_default();
    Missing { what, lost, unknown: ahead(needed, &facts.domains) }.report(report, name);
}

/// What stands between `what` (the checkpoint or a start position) and the log, named as the server names it; empty for nothing.
struct Missing<'a> {
    what: &'a str,
    /// The log holds it no longer, and `what` does not include it.
    lost: String,
    /// `what` includes it, and the server never had it.
    unknown: String,
}

impl Missing<'_> {
    fn report(&self, report: &mut Report, name: &str) {
        let Self { what, lost, unknown } = self;
        report.require(
            "source.purged",
            name,
            lost.is_empty(),
            if lost.is_empty() {
                format!("the log holds everything after {what}")
            } else {
                format!("the log no longer holds {lost}, which {what} does not include")
            },
            purged_remedy(),
        );
        report.require(
            "source.history",
            name,
            unknown.is_empty(),
            if unknown.is_empty() {
                format!("the server knows everything in {what}")
            } else {
                format!("{what} includes {unknown}, which this server never executed")
            },
            Connect::SameOrComplete.or(Remedy::copy_task()),
        );
    }
}

/// Without GTIDs the file must be there.
fn file(subject: &Subject<'_>, report: &mut Report, name: &str) {
    let Some(resuming) = &subject.resuming else { return };
    let position = &resuming.position;
    let here = subject.source.server_uuid.as_deref() == Some(position.server.as_str());
    if position.taken != Taken::Files || position.file_begun.is_none() || !here {
        return;
    }
    let there = has_file(subject);
    report.require(
        "source.purged",
        name,
        there,
        if there {
            "the log holds everything after the checkpoint".to_owned()
        } else {
            format!("the log no longer holds {}, in which the checkpoint lies", position.file.file)
        },
        purged_remedy(),
    );
}

/// Whether the source has a file of the name that the checkpoint's has, and is the server that this file belongs to.
fn has_file(subject: &Subject<'_>) -> bool {
    subject.resuming.as_ref().is_some_and(|resuming| {
        resuming.file_begun.is_some()
            && subject.source.server_uuid.as_deref() == Some(resuming.position.server.as_str())
    })
}
