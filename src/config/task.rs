//! `[task.NAME]`: what is carried, where to, and how.

use super::section::{Problems, Section, quoted};
use super::table;
use super::types::{
    ApplyConfig, BadRows, BadText, ExistingTables, IdentifierCase, KeyDates, NewTables, NulBytes,
    OnTableError, Operations, Selection, SnapshotConfig, StartPosition, TableOptions, TaskConfig, TimeAs,
    TinyInt1, ZeroDates,
};
use crate::change::FilePosition;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;
use toml::Value;

/// Said of every key whose feature is not built yet.
const NOT_YET: &str = "is not supported yet";

/// Reads `[task.NAME]`.
pub fn task(
    name: &str,
    mut section: Section,
    sources: &BTreeSet<String>,
    targets: &BTreeSet<String>,
    problems: &mut Problems,
) -> Option<TaskConfig> {
    let before = problems.0.len();
    let good_name = name.len() <= 40
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if !good_name {
        problems.add(
            format!("task.{name}"),
            None,
            "a task's name has up to 40 lower-case letters, digits and '_', a letter first",
            "rename the task; its name names tables in the target",
        );
    }
    let source = endpoint_name(&mut section, "source", sources, problems);
    let target = endpoint_name(&mut section, "target", targets, problems);
    let tables = selection(&mut section, problems);
    let schemas = section.string_map("schemas", problems);
    let (initial_schema, initial_data) = initial(&mut section, problems);
    let start_position = start_position(&mut section, initial_data, problems);
    let existing = [
        ("error", ExistingTables::Error),
        ("clear", ExistingTables::Clear),
        ("ignore", ExistingTables::Ignore),
    ];
    let existing_tables =
        section.choice("existing_tables", &existing, problems).unwrap_or(ExistingTables::Error);
    let operations = operations(&mut section, problems);
    let cases = [("lower", IdentifierCase::Lower), ("preserve", IdentifierCase::Preserve)];
    let identifier_case =
        section.choice("identifier_case", &cases, problems).unwrap_or(IdentifierCase::Lower);
    if section.choice("indexes", &[("none", false), ("non_unique", true)], problems) == Some(true) {
        problems.add(
            section.key("indexes"),
            Some("\"non_unique\""),
            NOT_YET,
            "use \"none\" and create indexes in the target yourself",
        );
    }
    let zero_dates = section
        .choice("zero_dates", &[("null", ZeroDates::Null), ("error", ZeroDates::Error)], problems)
        .unwrap_or(ZeroDates::Null);
    let key_dates = section
        .choice("zero_dates_in_keys", &[("error", KeyDates::Error), ("bc", KeyDates::Bc)], problems)
        .unwrap_or(KeyDates::Error);
    let nuls = [("error", NulBytes::Error), ("strip", NulBytes::Strip), ("replace", NulBytes::Replace)];
    let nul_bytes = section.choice("nul_bytes", &nuls, problems).unwrap_or(NulBytes::Error);
    let bad = [("error", BadText::Error), ("replace", BadText::Replace), ("escape", BadText::Escape)];
    let bad_text = section.choice("bad_text", &bad, problems).unwrap_or(BadText::Error);
    let bad_rows = section.choice("bad_rows", &table::BAD_ROWS, problems).unwrap_or(BadRows::Park);
    let tinyint1 = section
        .choice("tinyint1", &[("smallint", TinyInt1::Smallint), ("boolean", TinyInt1::Boolean)], problems)
        .unwrap_or(TinyInt1::Smallint);
    let time = section
        .choice("time", &[("interval", TimeAs::Interval), ("time", TimeAs::Time)], problems)
        .unwrap_or(TimeAs::Interval);
    let memory_limit = bytes(&mut section, "memory_limit", 32 << 20, problems).unwrap_or(256 << 20);
    let server_id = section
        .integer("server_id", 0, u64::from(u32::MAX), problems)
        .and_then(|id| u32::try_from(id).ok())
        .unwrap_or(0);
    let snapshot = snapshot(section.table("snapshot", problems), problems);
    let apply = apply(section.table("apply", problems), memory_limit, problems);
    let vacuum = super::vacuum::vacuum(section.table("vacuum", problems), problems);
    let verify = super::verify::verify(section.table("verify", problems), problems);
    let ddl_policy = table::ddl_policy(section.table("ddl_policy", problems), problems);
    let recopy_limit = section.integer("recopy_limit", 0, u64::MAX >> 1, problems).unwrap_or(0);
    let on_table_error = section
        .choice("on_table_error", &[("park", OnTableError::Park), ("stop", OnTableError::Stop)], problems)
        .unwrap_or(OnTableError::Park);
    let new_tables = section
        .choice("new_tables", &[("add", NewTables::Add), ("tell", NewTables::Tell)], problems)
        .unwrap_or(NewTables::Add);
    let accept_cascades = section.strings("accept_cascades", problems).unwrap_or_default();
    let mut table_options = Vec::new();
    for (pattern, table) in section.tables("table", problems) {
        let options = options(&pattern, table, problems);
        table_options.push((pattern, options));
    }
    section.finish(problems);
    let (Some(source), Some(target), Some(tables)) = (source, target, tables) else { return None };
    (problems.0.len() == before).then(|| TaskConfig {
        name: name.to_owned(),
        source,
        target,
        tables,
        schemas,
        initial_schema,
        initial_data,
        start_position,
        existing_tables,
        operations,
        identifier_case,
        zero_dates,
        key_dates,
        nul_bytes,
        bad_text,
        bad_rows,
        tinyint1,
        time,
        memory_limit,
        server_id,
        snapshot,
        apply,
        vacuum,
        verify,
        ddl_policy,
        recopy_limit,
        on_table_error,
        new_tables,
        accept_cascades,
        table_options,
    })
}

fn endpoint_name(
    section: &mut Section,
    kind: &'static str,
    known: &BTreeSet<String>,
    problems: &mut Problems,
) -> Option<String> {
    if !section.has(kind) {
        problems.add(section.key(kind), None, "is missing", format!("name a [{kind}.NAME]"));
    }
    let name = section.string(kind, problems)?;
    if known.contains(&name) {
        return Some(name);
    }
    let list: Vec<&str> = known.iter().map(String::as_str).collect();
    problems.add(
        section.key(kind),
        Some(&quoted(&name)),
        format!("there is no [{kind}.{name}]"),
        if list.is_empty() {
            format!("write [{kind}.{name}]")
        } else {
            format!("name one of {}", list.join(", "))
        },
    );
    None
}

fn selection(section: &mut Section, problems: &mut Problems) -> Option<Selection> {
    if !section.has("tables") {
        problems.add(
            section.key("tables"),
            None,
            "is missing",
            "list tables, e.g. [\"shop.*\", \"!shop.tmp_*\"]",
        );
    }
    let patterns = section.strings("tables", problems)?;
    let mut include = globset::GlobSetBuilder::new();
    let mut exclude = globset::GlobSetBuilder::new();
    let (mut good, mut any) = (true, false);
    for pattern in &patterns {
        let (glob, negative) =
            pattern.strip_prefix('!').map_or((pattern.as_str(), false), |glob| (glob, true));
        match globset::GlobBuilder::new(glob).literal_separator(false).build() {
            Ok(compiled)
                if glob
                    .split_once('.')
                    .is_some_and(|(database, table)| !database.is_empty() && !table.is_empty()) =>
            {
                any |= !negative;
                if negative {
                    exclude.add(compiled)
                } else {
                    include.add(compiled)
                };
            }
            Ok(_) => {
                problems.add(
                    section.key("tables"),
                    Some(&quoted(pattern)),
                    "must be database.table; both may hold * and ?",
                    "write e.g. \"shop.orders\" or \"shop.*\"",
                );
                good = false;
            }
            Err(error) => {
                problems.add(
                    section.key("tables"),
                    Some(&quoted(pattern)),
                    format!("is no glob ({})", error.kind()),
                    "write e.g. \"shop.order_*\"",
                );
                good = false;
            }
        }
    }
    if good && !any {
        problems.add(section.key("tables"), None, "selects nothing", "list at least one table without '!'");
        return None;
    }
    let sets = (include.build(), exclude.build());
    match sets {
        (Ok(include), Ok(exclude)) if good => Some(Selection { patterns, include, exclude }),
        _ => None,
    }
}

fn initial(section: &mut Section, problems: &mut Problems) -> (bool, bool) {
    let Some(parts) = section.strings("initial", problems) else { return (true, true) };
    let before = problems.0.len();
    for part in parts.iter().filter(|part| !matches!(part.as_str(), "schema" | "data")) {
        problems.add(
            section.key("initial"),
            Some(&quoted(part)),
            "must be \"schema\" or \"data\"",
            "use [\"schema\", \"data\"], one of them, or []",
        );
    }
    if problems.0.len() > before {
        return (true, true);
    }
    (parts.iter().any(|part| part == "schema"), parts.iter().any(|part| part == "data"))
}

fn start_position(
    section: &mut Section,
    initial_data: bool,
    problems: &mut Problems,
) -> Option<StartPosition> {
    let Some(text) = section.string("start_position", problems) else {
        if !initial_data {
            problems.add(
                section.key("start_position"),
                None,
                "is needed when initial has no \"data\"",
                "give \"now\", GTIDs, or a file and an offset",
            );
        }
        return None;
    };
    if initial_data {
        problems.add(
            section.key("start_position"),
            Some(&quoted(&text)),
            "has no effect while initial has \"data\": the copy chooses its own start",
            "remove it, or take \"data\" out of initial",
        );
        return None;
    }
    if text == "now" {
        return Some(StartPosition::Now);
    }
    let found = place(&text);
    if found.is_none() {
        problems.add(
            section.key("start_position"),
            Some(&quoted(&text)),
            "is no position in a binlog",
            "give \"now\", a GTID set such as 3e11fa47-71ca-11e1-9e33-c80aa9429562:1-77, MariaDB's GTIDs such as 0-1-77, or a \
             file and an offset such as binlog.000042:4",
        );
    }
    found
}

/// The three ways to name a place in a log; they cannot be mistaken for one another.
fn place(text: &str) -> Option<StartPosition> {
    if let Ok(gtids) = text.parse() {
        return Some(StartPosition::Gtids(gtids));
    }
    if let Ok(domains) = text.parse() {
        return Some(StartPosition::Domains(domains));
    }
    let (file, offset) = text.rsplit_once(':')?;
    let place = FilePosition { file: file.into(), offset: offset.parse().ok()? };
    // What cannot be compared with the places of the stream is no file of a log.
    place.reaches(&place).then_some(StartPosition::File(place))
}

fn operations(section: &mut Section, problems: &mut Problems) -> Operations {
    let all = Operations { insert: true, update: true, delete: true, alter_table: true };
    let Some(names) = section.strings("operations", problems) else { return all };
    if names.is_empty() {
        problems.add(
            section.key("operations"),
            Some("[]"),
            "carries nothing: the target would stay as it was copied",
            "list at least one of insert, update, delete and alter_table, or leave the key out for all",
        );
    }
    let mut chosen = Operations { insert: false, update: false, delete: false, alter_table: false };
    for name in &names {
        match name.as_str() {
            "insert" => chosen.insert = true,
            "update" => chosen.update = true,
            "delete" => chosen.delete = true,
            "alter_table" => chosen.alter_table = true,
            _ => problems.add(
                section.key("operations"),
                Some(&quoted(name)),
                "must be insert, update, delete or alter_table",
                "list the operations to carry",
            ),
        }
    }
    chosen
}

fn snapshot(section: Option<Section>, problems: &mut Problems) -> SnapshotConfig {
    // More workers than processors get into one another's way: where source, target and daemon share two, four were a third
    // slower than two.
    let processors = std::thread::available_parallelism().map_or(4, std::num::NonZero::get);
    let mut snapshot = SnapshotConfig {
        parallel: processors.clamp(2, 4),
        chunk_rows: 50_000,
        max_rows_per_second: 0,
        groups: 2,
    };
    let Some(mut section) = section else { return snapshot };
    if let Some(parallel) = section.integer("parallel", 1, 64, problems) {
        snapshot.parallel = usize::try_from(parallel).unwrap_or(snapshot.parallel);
    }
    if let Some(rows) = section.integer("chunk_rows", 1, 1_000_000_000, problems) {
        snapshot.chunk_rows = rows;
    }
    if let Some(rows) = section.integer("max_rows_per_second", 0, 1_000_000_000, problems) {
        snapshot.max_rows_per_second = rows;
    }
    if let Some(groups) = section.integer("groups", 1, 16, problems) {
        snapshot.groups = usize::try_from(groups).unwrap_or(snapshot.groups);
    }
    section.finish(problems);
    snapshot
}

/// What `apply.statement_timeout` may be.
const STATEMENT_TIMEOUTS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(86_400);

fn apply(section: Option<Section>, memory_limit: usize, problems: &mut Problems) -> ApplyConfig {
    // Up to four batches are held at a time (filling, compacted, waiting, at work), each with an index of its keys.
    let most = memory_limit / 8;
    let default_bytes = (32 << 20).min(most);
    let statement_timeout = Duration::from_secs(300);
    let mut apply = ApplyConfig { batch_rows: 20_000, batch_bytes: default_bytes, statement_timeout };
    let Some(mut section) = section else { return apply };
    if let Some(rows) = section.integer("batch_rows", 1, 10_000_000, problems) {
        apply.batch_rows = usize::try_from(rows).unwrap_or(20_000);
    }
    let key = section.key("batch_bytes");
    if let Some(bytes) = bytes(&mut section, "batch_bytes", 64 << 10, problems) {
        if bytes > most {
            problems.add(
                key,
                Some(&bytes.to_string()),
                "must be at most an eighth of memory_limit: up to four batches are held at a time",
                "raise memory_limit or lower batch_bytes",
            );
        }
        apply.batch_bytes = bytes;
    }
    if let Some(text) = section.string("statement_timeout", problems) {
        match humantime::parse_duration(&text) {
            Ok(timeout) if STATEMENT_TIMEOUTS.contains(&timeout) => apply.statement_timeout = timeout,
            _ => problems.add(
                section.key("statement_timeout"),
                Some(&text),
                "must be a duration from 1s to 1day",
                "write e.g. \"5m\"",
            ),
        }
    }
    section.finish(problems);
    apply
}

/// A number of bytes: `"256MiB"`, `"1GiB"`, `"500MB"` or a plain number.
fn bytes(section: &mut Section, name: &'static str, least: usize, problems: &mut Problems) -> Option<usize> {
    let value = section.take(name)?;
    let parsed = match &value {
        Value::Integer(number) => usize::try_from(*number).ok(),
        Value::String(text) => parse_bytes(text),
        _ => None,
    };
    match parsed {
        Some(bytes) if bytes >= least => Some(bytes),
        _ => {
            problems.add(
                section.key(name),
                Some(&value.to_string()),
                match least >> 20 {
                    0 => format!("must be a size of at least {} KiB", least >> 10),
                    mebibytes => format!("must be a size of at least {mebibytes} MiB"),
                },
                "write e.g. \"256MiB\"",
            );
            None
        }
    }
}

fn parse_bytes(text: &str) -> Option<usize> {
    let digits = text.trim().trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text.trim().get(digits.len()..)?.to_ascii_lowercase();
    let factor: usize = match unit.as_str() {
        "" | "b" => 1,
        "kb" => 1000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        _ => return None,
    };
    digits.trim().parse::<usize>().ok()?.checked_mul(factor)
}

fn options(pattern: &str, mut section: Section, problems: &mut Problems) -> TableOptions {
    if globset::Glob::new(pattern).is_err() || !pattern.contains('.') {
        problems.add(
            section.path(),
            None,
            "a table section is named \"database.table\", globs allowed",
            "write e.g. [task.NAME.table.\"shop.orders\"]",
        );
    }
    let target = section.string("target", problems);
    if target.is_some() && pattern.contains(['*', '?', '[']) {
        // Many source tables into one is many-to-one: it needs a column that keeps their keys apart.
        let tagged = section.take("source_column");
        if let Some(Value::String(column)) = tagged {
            return table::finish(section, target, Some(column), problems);
        }
        problems.add(
            section.key("target"),
            target.as_deref(),
            "would merge every table that matches into one",
            "add source_column, or name one table",
        );
    }
    let source_column = section.string("source_column", problems);
    table::finish(section, target, source_column, problems)
}
