//! Items about options that do nothing, or something else than they say, and about keys whose values may not be carried.

use super::{Report, Subject, Verdict};
use crate::change::TargetType;
use crate::change::facts::TargetKind;
use crate::change::policy::KeyDates;
use crate::change::remedy::{AtSource, InConfig, Remedy};
use crate::schema::{Column, ColumnDefault, MySqlType, Table};
use crate::transform::TableMapping;

/// The longest row of a btree index in bytes (`BTMaxItemSize` with pages of 8 KiB; 9.4 takes 8 more).
const INDEX_ROW_BYTES: u64 = 2704;

/// Judges all of them.
pub fn judge(subject: &Subject<'_>, report: &mut Report) {
    sections(subject, report);
    for (table, task) in subject.rivals {
        report.add(
            "target.shared",
            table.to_string(),
            Verdict::Fail,
            format!("task {task} carries it into the same target table, and both would write the same rows"),
            InConfig::OneTask,
        );
    }
    for (_, mapping) in subject.mappings {
        if let Ok(mapping) = mapping {
            geometry(subject, mapping, report);
            storage(subject, mapping, report);
        }
    }
    for ((table, mapping), definition) in subject.mappings.iter().zip(subject.definitions) {
        // The mapping of a table that is followed is that of an earlier definition.
        let followed = subject.resuming.is_some_and(|resuming| resuming.tables.contains(table));
        if let (Ok(mapping), false) = (mapping, followed) {
            key(definition, mapping, subject.task.key_dates, report);
        }
    }
}

/// A section that is for no table: where it leaves columns out, they would be carried.
fn sections(subject: &Subject<'_>, report: &mut Report) {
    for (pattern, options) in &subject.task.table_options {
        let section = format!("task.{}.table.\"{pattern}\"", subject.task.name);
        let glob = globset::Glob::new(pattern).map(|glob| glob.compile_matcher());
        let matches = |name: String| *pattern == name || glob.as_ref().is_ok_and(|glob| glob.is_match(&name));
        let tables: Vec<&Table> =
            subject.definitions.iter().filter(|table| matches(table.name.to_string())).collect();
        let followed = subject
            .resuming
            .is_some_and(|resuming| resuming.tables.iter().any(|name| matches(name.to_string())));
        let excluded = &options.exclude_columns;
        if tables.is_empty() && !followed {
            let (verdict, effect) = if excluded.is_empty() {
                (Verdict::Warn, "what it says has no effect".to_owned())
            } else {
                (Verdict::Fail, format!("columns it leaves out ({}) would be carried", excluded.join(", ")))
            };
            report.add(
                "task.table",
                &section,
                verdict,
                format!("no selected table matches {pattern}, so {effect}"),
                InConfig::SectionName,
            );
        }
        // For the table of that very name its mapping says so.
        let judged =
            !followed && !tables.is_empty() && tables.iter().all(|table| table.name.to_string() != *pattern);
        let nowhere = |column: &&String| !tables.iter().any(|table| table.column_index(column).is_some());
        if judged && let Some(column) = excluded.iter().find(nowhere) {
            report.add(
                "task.table",
                &section,
                Verdict::Fail,
                format!("exclude_columns names column {column}, which no table that matches has"),
                InConfig::ColumnName,
            );
        }
        if options.distributed_by.is_some() && subject.target.kind == TargetKind::PostgreSql {
            report.add(
                "target.distribution",
                section,
                Verdict::Warn,
                "distributed_by has no effect: the target is PostgreSQL, which keeps a table in one place",
                InConfig::NoDistribution,
            );
        }
    }
}

fn geometry(subject: &Subject<'_>, mapping: &TableMapping, report: &mut Report) {
    let column = mapping.target.columns.iter().find(|column| column.data_type == TargetType::Geometry);
    if let (Some(column), false) = (column, subject.target.postgis) {
        report.add(
            "target.postgis",
            mapping.source.to_string(),
            Verdict::Fail,
            format!(
                "column {} is to be geometry, a type of PostGIS, which the target database does not have",
                column.name
            ),
            Remedy::Postgis { column: column.name.clone() },
        );
    }
}

fn storage(subject: &Subject<'_>, mapping: &TableMapping, report: &mut Report) {
    let Some(text) = &mapping.target.storage else { return };
    if let Some(words) = subject.target.refused_storage.get(text) {
        report.add(
            "target.storage",
            mapping.source.to_string(),
            Verdict::Fail,
            format!("the target makes no table WITH ({text}): {words}"),
            InConfig::Storage,
        );
    }
}

/// What a definition shows of key values that the target cannot hold.
fn key(definition: &Table, mapping: &TableMapping, dates: KeyDates, report: &mut Report) {
    let in_key = |target: usize| {
        let column = mapping.target.columns.get(target);
        column.is_some_and(|column| mapping.target.primary_key.contains(&column.name))
    };
    let columns: Vec<&Column> = mapping
        .columns
        .iter()
        .filter(|column| in_key(column.target))
        .filter_map(|column| definition.columns.get(column.source))
        .collect();
    let table = mapping.source.to_string();
    let zero = columns.iter().find(|column| zero_by_default(column));
    if let Some(column) = zero.filter(|_| dates == KeyDates::Error) {
        report.add(
            "source.key",
            &table,
            Verdict::Warn,
            format!("key column {} is the zero date by default, which a key of the target cannot hold as it is: such a row stops the task", column.name),
            InConfig::KeyDates.or(AtSource::OtherDefault).or(InConfig::KeyWithout),
        );
    }
    let bytes = columns.iter().map(|column| longest(&column.data_type)).fold(0, u64::saturating_add);
    if bytes > INDEX_ROW_BYTES {
        let most =
            if bytes == u64::MAX { "of any length".to_owned() } else { format!("of up to {bytes} bytes") };
        report.add(
            "source.key",
            &table,
            Verdict::Warn,
            format!("its key may hold values {most}, and an index row of the target {INDEX_ROW_BYTES}: a row with a longer key stops the task"),
            AtSource::ShortenColumns.or(InConfig::ShorterKey).or(InConfig::LeaveTableOutUnless),
        );
    }
}

fn zero_by_default(column: &Column) -> bool {
    let dated = matches!(
        column.data_type,
        MySqlType::Date | MySqlType::DateTime { .. } | MySqlType::Timestamp { .. }
    );
    match &column.default {
        ColumnDefault::Literal(text) if dated => {
            text.starts_with("0000") || text.get(5..7) == Some("00") || text.get(8..10) == Some("00")
        }
        _ => false,
    }
}

/// The most bytes that a value takes in the target, as far as it may be long.
fn longest(data_type: &MySqlType) -> u64 {
    match data_type {
        MySqlType::Char { length, charset } | MySqlType::VarChar { length, charset } => {
            let width = match charset.name.as_str() {
                "ascii" => 1,
                "utf8mb4" | "utf16" | "utf16le" | "utf32" | "gb18030" => 4,
                _ => 3,
            };
            u64::from(*length) * width
        }
        MySqlType::Binary { length } | MySqlType::VarBinary { length } => u64::from(*length),
        MySqlType::Text { .. } | MySqlType::Blob { .. } => u64::MAX,
        _ => 8,
    }
}
