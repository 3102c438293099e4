//! Items about MySQL.

use super::{Report, Subject, Verdict};
use crate::change::Taken;
use crate::change::facts::{Flavour, SourceFacts};
use crate::change::remedy::{AtSource, Because, Connect, Emptied, Grantee, InConfig, Remedy, Restart, Scope};
use crate::change::{Retry, TableName};

/// The server's settings and privileges.
pub fn server(subject: &Subject<'_>, report: &mut Report) {
    let facts = subject.source;
    let name = format!("source {}", subject.task.source);
    report.pass(
        "source.version",
        &name,
        format!(
            "the server is {} {}",
            if facts.flavour == Flavour::MySql { "MySQL" } else { "MariaDB" },
            facts.version
        ),
    );
    report.require(
        "source.log_bin",
        &name,
        facts.log_bin,
        if facts.log_bin { "the binary log is on" } else { "the binary log is off" },
        AtSource::TurnOnLog,
    );
    report.require(
        "source.binlog_format",
        &name,
        facts.binlog_format == "ROW",
        format!("binlog_format is {}", facts.binlog_format),
        set(facts, "binlog_format", "ROW"),
    );
    report.require(
        "source.binlog_row_image",
        &name,
        // What the latter leaves out of an image after is in the one before.
        matches!(facts.binlog_row_image.as_str(), "FULL" | "FULL_NODUP"),
        format!("binlog_row_image is {}", facts.binlog_row_image),
        set(facts, "binlog_row_image", "FULL"),
    );
    databases(subject, report, &name);
    received(subject, report, &name);
    if facts.log_bin && facts.sync_binlog != 1 {
        report.add(
            "source.sync_binlog",
            &name,
            Verdict::Warn,
            format!(
                "sync_binlog is {}: after a crash of its machine the server may have lost the end of its log, and write other \
                 transactions under the same GTIDs and at the same places, which the task would take for those it has",
                facts.sync_binlog
            ),
            keep_log_in_crash(facts).also(Remedy::CopyTask(Because::Crash)),
        );
    }
    let options = facts.binlog_row_value_options.as_str();
    report.require(
        "source.binlog_row_value_options",
        &name,
        matches!(options, "" | "PARTIAL_JSON"),
        match options {
            "" => "JSON is logged whole".to_owned(),
            "PARTIAL_JSON" => "changes in JSON are logged as differences, which are applied".to_owned(),
            _ => format!("binlog_row_value_options is {options}, of which not all is known"),
        },
        set(facts, "binlog_row_value_options", "''"),
    );
    names(subject, report, &name);
    // What it is for, and whether that matters, is said below.
    let missing: Vec<&String> =
        facts.missing_privileges.iter().filter(|name| *name != "XA_RECOVER_ADMIN").collect();
    report.require(
        "source.privileges",
        &name,
        missing.is_empty(),
        if missing.is_empty() {
            "the user has what replication needs".to_owned()
        } else {
            format!("the user lacks {}", list(missing.iter().copied()))
        },
        Remedy::Grant {
            privileges: missing.into_iter().cloned().collect(),
            on: "*.*".to_owned(),
            to: Grantee::User,
        },
    );
    xa(subject, report, &name);
    super::history::judge(subject, report, &name);
}

/// Whether the log is still the one that the task follows.
pub fn log(subject: &Subject<'_>, report: &mut Report) {
    let name = format!("source {}", subject.task.source);
    names(subject, report, &name);
    super::history::judge(subject, report, &name);
}

/// Databases that are kept out of the log. Rows are held against the database of their table, statements against the
/// session's default database (reference manual, "binlog_do_db", "binlog_ignore_db").
fn databases(subject: &Subject<'_>, report: &mut Report, name: &str) {
    let facts = subject.source;
    let (only, never) = (&facts.only_logged, &facts.never_logged);
    if only.is_empty() && never.is_empty() {
        return;
    }
    let setting = if only.is_empty() {
        format!("binlog_ignore_db is {}", list(never.iter()))
    } else {
        format!("binlog_do_db is {}", list(only.iter()))
    };
    let names = facts.names();
    let unlogged = |database: &str| {
        // With names that are folded the server may still compare letter by letter.
        (!only.is_empty() && !only.iter().any(|logged| logged == database))
            || never.iter().any(|ignored| names.same_database(ignored, database))
    };
    let tables: Vec<String> = subject
        .mappings
        .iter()
        .filter(|(table, _)| unlogged(&table.database))
        .map(|(table, _)| table.to_string())
        .collect();
    let remedy = AtSource::LogEveryDatabase.and(Remedy::copy_task());
    if tables.is_empty() {
        report.add(
            "source.log_filter",
            name,
            Verdict::Warn,
            format!("{setting}: a statement on a selected table (DDL, TRUNCATE) is not logged when it is run with such a default database"),
            remedy,
        );
    } else {
        report.add(
            "source.log_filter",
            name,
            Verdict::Fail,
            format!("{setting}, so changes of {} are not logged", list(tables.iter())),
            remedy,
        );
    }
}

/// What a replica or a node of a cluster gets from others must be in its own log.
fn received(subject: &Subject<'_>, report: &mut Report, name: &str) {
    let facts = subject.source;
    if facts.logs_received || !facts.log_bin {
        return;
    }
    match facts.receives {
        Some(false) => {}
        Some(true) => report.add(
            "source.log_replica_updates",
            name,
            Verdict::Fail,
            "it takes changes from other servers, and log_slave_updates is OFF, so they are not in its log",
            AtSource::LogReceived.also(AtSource::ForgetReplica),
        ),
        None => report.add(
            "source.log_replica_updates",
            name,
            Verdict::Warn,
            "log_slave_updates is OFF, and the user may not see whether the server is a replica: what it takes from another server would not be in its log",
            Remedy::grant(&["SLAVE MONITOR"], "*.*").also(AtSource::LogReceived),
        ),
    }
}

/// How a setting is changed for good: MySQL knows PERSIST since 8.0, the others forget SET GLOBAL when they start anew.
fn set(facts: &SourceFacts, variable: &'static str, value: &'static str) -> Remedy {
    let scope = if persists(facts) { Scope::Persist } else { Scope::GlobalAndFile };
    Remedy::SetVariable { variable, value, scope }
}

fn persists(facts: &SourceFacts) -> bool {
    facts.flavour == Flavour::MySql && facts.version_number >= 80_000
}

/// What keeps the end of the log in a crash. Sessions need not begin anew for it.
fn keep_log_in_crash(facts: &SourceFacts) -> Remedy {
    if persists(facts) {
        return AtSource::KeepLogInCrash.into();
    }
    Remedy::SetVariable { variable: "sync_binlog", value: "1", scope: Scope::Global }
}

/// Prepared XA transactions. A table is copied from a place before which none is prepared, so they must be seen and end; a
/// stream holds them.
fn xa(subject: &Subject<'_>, report: &mut Report, name: &str) {
    let known = subject.resuming.map(|resuming| &resuming.tables);
    let starts = subject.mappings.iter().any(|(table, _)| known.is_none_or(|known| !known.contains(table)));
    match subject.source.prepared_xa {
        Some(0) => report.pass("source.xa", name, "no XA transaction is prepared"),
        Some(count) if starts => report.add(
            "source.xa",
            name,
            Verdict::Warn,
            format!("{count} XA transactions are prepared: the copy waits until they have ended"),
            AtSource::EndXa,
        ),
        Some(count) => {
            let why =
                format!("{count} XA transactions are prepared: their rows come when they are committed");
            report.pass("source.xa", name, why);
        }
        None if starts => report.add(
            "source.xa",
            name,
            Verdict::Fail,
            "prepared XA transactions cannot be seen, and the copy must not start before they have ended",
            Remedy::grant(&["XA_RECOVER_ADMIN"], "*.*"),
        ),
        None => report.pass("source.xa", name, "prepared XA transactions are held until they end"),
    }
}

/// Which GTIDs transactions have, and whether that is still how the task knows them.
fn names(subject: &Subject<'_>, report: &mut Report, name: &str) {
    let facts = subject.source;
    let now = match (facts.flavour, facts.gtid_mode_on) {
        (Flavour::MariaDb, _) => "MariaDB's GTIDs",
        (Flavour::MySql, true) => "GTIDs",
        (Flavour::MySql, false) => "no GTIDs",
    };
    let was = subject.resuming.as_ref().map(|resuming| match resuming.position.taken {
        Taken::Gtids(_) => "GTIDs",
        Taken::Domains(_) => "MariaDB's GTIDs",
        // A place in a file can be asked for whether or not transactions have GTIDs.
        Taken::Files if facts.flavour == Flavour::MySql => now,
        Taken::Files => "no GTIDs",
    });
    if let Some(was) = was.filter(|was| *was != now) {
        report.add(
            "source.gtid_mode",
            name,
            Verdict::Fail,
            format!("the task follows a log whose transactions have {was}, and here they have {now}"),
            AtSource::TurnOnGtidsAgain.or(Connect::Same).or(Remedy::copy_task()),
        );
        return;
    }
    match (facts.flavour, facts.gtid_mode_on) {
        (Flavour::MariaDb, _) => report.pass("source.gtid_mode", name, "MariaDB gives every transaction a GTID"),
        (Flavour::MySql, true) => report.pass("source.gtid_mode", name, "gtid_mode is ON"),
        (Flavour::MySql, false) => report.add(
            "source.gtid_mode",
            name,
            Verdict::Warn,
            "gtid_mode is not ON: the task follows places in this server's files, and after a failover to another server it must copy again",
            AtSource::TurnOnGtidsBefore,
        ),
    }
}

/// The selected tables.
pub fn tables(subject: &Subject<'_>, report: &mut Report) {
    let name = format!("source {}", subject.task.source);
    let (verdict, why) = match subject.mappings.len() {
        // The stream tells what became of a table that is followed. One that was taken out is forgotten at this start.
        0 if keeps_or_gave_up_all(subject) => {
            (Verdict::Warn, "no table is there that the task is to carry".to_owned())
        }
        0 => (
            Verdict::Fail,
            format!("no readable table matches {}", list(subject.task.tables.patterns.iter())),
        ),
        selected => (Verdict::Pass, format!("{selected} tables are selected")),
    };
    report.add("source.tables", &name, verdict, why, InConfig::Tables.or(AtSource::GrantSelect));
    idle_patterns(subject, &name, report);
    deviations(subject, report);
    for (table, facts) in &subject.source.tables {
        let subject_name = table.to_string();
        // What became of a table that flows comes through the stream, in its place among the rows.
        let flows = subject.resuming.is_some_and(|resuming| resuming.tables.contains(table));
        if !facts.readable && !flows {
            report.add(
                "source.select",
                &subject_name,
                Verdict::Fail,
                "the user may not read it",
                Remedy::grant(&["SELECT"], quoted(table)),
            );
        }
        if !facts.has_key && !flows {
            let (why, statement) = if facts.prefix_key {
                (
                    "its primary key holds only the beginning of a column, and it has no unique key over whole NOT NULL columns",
                    "ADD UNIQUE KEY (…) over whole NOT NULL columns",
                )
            } else {
                ("it has no primary key and no unique key over NOT NULL columns", "ADD PRIMARY KEY (…)")
            };
            report.add(
                "source.primary_key",
                &subject_name,
                Verdict::Fail,
                why,
                alter(table, statement).or(Remedy::LeaveOut { table: table.clone() }),
            );
        }
        if facts.versioned && !flows {
            report.add(
                "source.system_versioned",
                &subject_name,
                Verdict::Fail,
                "it is system-versioned: its log has rows of its history, with columns and a key of their own",
                Remedy::LeaveOut { table: table.clone() }
.or(alter(table, "DROP SYSTEM VERSIONING (its history is lost)")),
            );
        }
        if !facts.engine.eq_ignore_ascii_case("InnoDB") && !flows {
            report.add(
                "source.engine",
                &subject_name,
                Verdict::Fail,
                format!("its engine is {}, which has no transactions", facts.engine),
                alter(table, "ENGINE = InnoDB").or(Remedy::LeaveOut { table: table.clone() }),
            );
        }
    }
    for (table, mapping) in subject.mappings {
        let flows = subject.resuming.is_some_and(|resuming| resuming.tables.contains(table));
        if !flows && subject.source.tables.get(table).is_some_and(|facts| !facts.has_key) {
            // Said above.
            continue;
        }
        match mapping {
            Ok(_) => report.pass("source.table", table.to_string(), "it can be carried"),
            Err(error) => {
                let remedy = match error.retry() {
                    Retry::AfterFix { remedy } => remedy,
                    Retry::AfterBackoff | Retry::Never => Remedy::LeaveOut { table: table.clone() },
                };
                report.add("source.table", table.to_string(), Verdict::Fail, error.without_table(), remedy);
            }
        }
    }
}

/// How a table is carried is durable: what the config says later has no effect, and is not to be believed to have one.
fn deviations(subject: &Subject<'_>, report: &mut Report) {
    for (table, why) in subject.deviations {
        report.add(
            "source.mapping",
            table.to_string(),
            Verdict::Warn,
            why.as_str(),
            InConfig::TakeBack.or(Remedy::CopyTable { table: table.clone(), emptied: Emptied::ByConfig }),
        );
    }
}

/// Whether a task that has run before may find no table: those it follows are gone from the source (which comes through the
/// stream), or it was told with "!" to forget them. A mistyped list must not make it forget them.
fn keeps_or_gave_up_all(subject: &Subject<'_>) -> bool {
    let selection = &subject.task.tables;
    subject.resuming.is_some_and(|resuming| {
        resuming.tables.iter().all(|table| selection.include.is_match(table.to_string()))
    })
}

/// A table that is named but not there (or not visible) would be missed in silence; a glob may find nothing yet.
fn idle_patterns(subject: &Subject<'_>, name: &str, report: &mut Report) {
    if subject.mappings.is_empty() {
        return;
    }
    let mut names: Vec<String> = subject.mappings.iter().map(|(table, _)| table.to_string()).collect();
    // What became of a table that is followed already is told by the stream.
    names.extend(subject.resuming.iter().flat_map(|resuming| &resuming.tables).map(ToString::to_string));
    for (pattern, exact) in subject.task.tables.idle(&names) {
        // Named and taken out again: nobody misses it.
        if exact && subject.task.tables.exclude.is_match(pattern) {
            continue;
        }
        if exact {
            report.add(
                "source.tables",
                name,
                Verdict::Fail,
                format!("there is no table {pattern} that the user may see"),
                InConfig::Tables.or(Remedy::grant(&["SELECT"], grantable(pattern))),
            );
        } else {
            report.add(
                "source.tables",
                name,
                Verdict::Warn,
                format!("no table that the user may see matches {pattern}"),
                InConfig::Tables.or(AtSource::GrantSelect).and(Restart::Again),
            );
        }
    }
}

/// A table as the source takes its name.
fn quoted(table: &TableName) -> String {
    format!("`{}`.`{}`", table.database, table.table)
}

fn alter(table: &TableName, what: &str) -> Remedy {
    Remedy::run(format!("ALTER TABLE {} {what}", quoted(table)))
}

/// `database.table` as GRANT takes it.
fn grantable(pattern: &str) -> String {
    let (database, table) = pattern.split_once('.').unwrap_or((pattern, "*"));
    format!("`{database}`.`{table}`")
}

fn list<'a>(items: impl Iterator<Item = &'a String>) -> String {
    items.map(String::as_str).collect::<Vec<_>>().join(", ")
}
