//! Items about target tables that exist.
//!
//! What must never happen here: a statement printed that does not do what it is printed for. Names are quoted as the target
//! wants them, lines of the config are whole.

use super::{Report, Subject, Verdict};
use crate::change::facts::FoundTable;
use crate::change::remedy::{AtTarget, InConfig, Remedy};
use crate::change::shape::Distribution;
use crate::change::{TargetColumn, TargetType};
use crate::config::ExistingTables;
use crate::quote::{identifier, identifiers, qualified, toml_key, toml_text};
use crate::schema::Table;
use crate::transform::{TableMapping, mapping};
use std::collections::BTreeMap;

/// One table that exists, and what feeds it.
pub(super) struct Existing<'a> {
    pub subject: &'a Subject<'a>,
    pub mapping: &'a TableMapping,
    /// Others that feed it too.
    pub others: &'a [&'a TableMapping],
    pub found: &'a FoundTable,
    /// The task has it on record.
    pub mine: bool,
}

impl Existing<'_> {
    pub(super) fn judge(&self, report: &mut Report) {
        let Self { subject, mapping, found, mine, .. } = *self;
        let name = mapping.target.name.to_string();
        let without_copy = !subject.task.initial_data;
        // Who leaves "schema" out of initial has made the tables; that they are there is no accident.
        let made_ready = !subject.task.initial_schema && !found.has_rows;
        // Rows of others are told from this task's own.
        let shared = mapping.source_tag.is_some() && found.fed_by.is_some();
        if subject.task.existing_tables == ExistingTables::Error
            && !(mine || without_copy || made_ready || shared)
        {
            report.add(
                "target.exists",
                &name,
                Verdict::Fail,
                "the table exists already, and existing_tables = \"error\"",
                InConfig::ExistingTables,
            );
            return;
        }
        let before = report.items.len();
        self.rights(report);
        self.active(report);
        self.kept(report);
        self.key(report);
        self.columns(report);
        let good = report.items.iter().skip(before).all(|item| item.verdict != Verdict::Fail);
        self.warnings(report);
        if good {
            let why = match (mine, subject.task.existing_tables) {
                (true, _) => "it is this task's",
                (false, ExistingTables::Error) if shared => {
                    "others feed it too; this one's rows are told apart"
                }
                (false, ExistingTables::Clear) => "it exists and will be emptied once",
                (false, ExistingTables::Ignore | ExistingTables::Error) => "it exists; its rows stay",
            };
            report.pass("target.table", &name, why);
        }
    }

    fn quoted(&self) -> String {
        qualified(&self.mapping.target.name)
    }

    /// `ALTER TABLE "s"."t"`
    fn alter(&self) -> String {
        format!("ALTER TABLE {}", self.quoted())
    }

    fn altering(&self, what: &str) -> Remedy {
        Remedy::run(format!("{} {what}", self.alter()))
    }

    fn retyping(&self, column: &TargetColumn) -> Remedy {
        let name = identifier(&column.name);
        self.altering(&format!("ALTER COLUMN {name} TYPE {0} USING {name}::{0}", column.data_type))
    }

    fn add(
        &self,
        report: &mut Report,
        code: &'static str,
        verdict: Verdict,
        why: impl Into<String>,
        remedy: impl Into<Remedy>,
    ) {
        report.add(code, self.mapping.target.name.to_string(), verdict, why, remedy);
    }

    fn fail(
        &self,
        report: &mut Report,
        code: &'static str,
        why: impl Into<String>,
        remedy: impl Into<Remedy>,
    ) {
        self.add(report, code, Verdict::Fail, why, remedy);
    }

    fn rights(&self, report: &mut Report) {
        let Self { subject, found, mine, .. } = *self;
        let emptied =
            subject.task.existing_tables == ExistingTables::Clear && subject.task.initial_data && !mine;
        let schema = identifier(&self.mapping.target.name.schema);
        if !found.writable || (emptied && !found.truncatable) {
            let all = ["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE"];
            let privileges = if emptied { &all[..] } else { &all[..4] };
            self.fail(
                report,
                "target.privileges",
                if found.writable { "the user may not empty it" } else { "the user may not write to it" },
                Remedy::grant(&["USAGE"], format!("SCHEMA {schema}"))
                    .also(Remedy::grant(privileges, self.quoted())),
            );
        }
        if !found.owned {
            self.add(
                report,
                "target.owner",
                Verdict::Warn,
                "the user does not own it: a schema change that comes from the source (ADD COLUMN) will stop the task, and VACUUM and ANALYZE are skipped",
                self.altering("OWNER TO the user"),
            );
        }
    }

    /// What would act on rows that are written, each with what takes that away.
    fn active(&self, report: &mut Report) {
        let alter = self.alter();
        let (mut acting, mut ways) = (Vec::new(), Vec::new());
        for active in &self.found.active {
            if active.starts_with("it is ") {
                self.fail(
                    report,
                    "target.active",
                    format!("{active}, and rows are written to ordinary tables only"),
                    AtTarget::DropOrRename.or(Remedy::CarryElsewhere { section: self.section() }),
                );
                continue;
            }
            acting.push(active.as_str());
            let way = if let Some(name) = active.strip_prefix("trigger ") {
                format!("{alter} DISABLE TRIGGER {}", identifier(name))
            } else if let Some(name) = active.strip_prefix("rule ") {
                format!("{alter} DISABLE RULE {}", identifier(name))
            } else if let Some(name) = active.strip_prefix("foreign key ") {
                // One of another table names that table.
                match name.rsplit_once(" of ") {
                    Some((name, other)) => {
                        format!("ALTER TABLE {other} DROP CONSTRAINT {}", identifier(name))
                    }
                    None => format!("{alter} DROP CONSTRAINT {}", identifier(name)),
                }
            } else if let Some(name) = active.strip_prefix("deferrable primary key ") {
                format!(
                    "{alter} DROP CONSTRAINT {}, ADD PRIMARY KEY ({})",
                    identifier(name),
                    identifiers(&self.found.table.primary_key)
                )
            } else if let Some(name) = active.strip_prefix("generated column ") {
                let what = if self.subject.target.version_number >= 130_000 {
                    format!("ALTER COLUMN {} DROP EXPRESSION", identifier(name))
                } else {
                    format!("DROP COLUMN {}", identifier(name))
                };
                format!("{alter} {what}")
            } else if let Some(name) = active.strip_prefix("GENERATED ALWAYS identity of column ") {
                format!("{alter} ALTER COLUMN {} SET GENERATED BY DEFAULT", identifier(name))
            } else {
                format!("drop {active}")
            };
            ways.push(way);
        }
        if !acting.is_empty() {
            self.fail(
                report,
                "target.active",
                format!(
                    "{} would act on replicated rows, for which the source has done that already",
                    acting.join(", ")
                ),
                Remedy::Run(ways),
            );
        }
    }

    /// How rows are kept, and held apart.
    fn kept(&self, report: &mut Report) {
        let Self { found, mapping, .. } = *self;
        if found.unlogged {
            self.fail(
                report,
                "target.unlogged",
                "it is UNLOGGED (or a partition of it is): a crash of the server empties it, and the task would go on as if nothing were missing",
                Remedy::SetLogged { table: self.quoted() },
            );
        }
        if !found.loose_columns.is_empty() {
            let mut ways = Vec::new();
            for loose in &found.loose_columns {
                let column = mapping.target.columns.iter().find(|column| column.name == *loose);
                let data_type =
                    column.map_or_else(|| "text".to_owned(), |column| column.data_type.to_string());
                ways.push(format!("ALTER COLUMN {} TYPE {data_type} COLLATE \"C\"", identifier(loose)));
            }
            self.fail(
                report,
                "target.collation",
                format!(
                    "its primary key has a nondeterministic collation ({}), which takes keys for one that the source tells apart",
                    found.loose_columns.join(", ")
                ),
                self.altering(&ways.join(", ")),
            );
        }
        if !found.unique_indexes.is_empty() {
            self.fail(
                report,
                "target.unique",
                format!(
                    "unique indexes beside the primary key ({}) are violated for moments while rows move",
                    found.unique_indexes.join(", ")
                ),
                Remedy::Run(found.unique_statements.clone()),
            );
        }
    }

    fn key(&self, report: &mut Report) {
        let Self { found, mapping, .. } = *self;
        let (is, wanted) = (&found.table.primary_key, &mapping.target.primary_key);
        // An append-optimized or randomly distributed table can have none; what is to be done is said where that is judged.
        let keyless = found.append_optimized
            || matches!(&found.table.distribution, Some(Distribution::By(columns)) if columns.is_empty());
        // A view has none and takes none, which is said already.
        let ordinary = !found.active.iter().any(|active| active.starts_with("it is "));
        if is == wanted || keyless || !ordinary {
            return;
        }
        let dropped = found.primary_key_name.as_deref().filter(|_| !is.is_empty());
        let dropped =
            dropped.map(|name| format!("DROP CONSTRAINT {}, ", identifier(name))).unwrap_or_default();
        let mut remedy = self.altering(&format!("{dropped}ADD PRIMARY KEY ({})", identifiers(wanted)));
        if let Some(columns) = self.definition().and_then(|table| mapping::source_key(table, mapping, is)) {
            let columns: Vec<String> = columns.iter().map(|name| toml_text(name)).collect();
            let line = format!("primary_key = [{}]", columns.join(", "));
            remedy = remedy.or(Remedy::Configure { section: self.section(), line });
        }
        self.fail(
            report,
            "target.primary_key",
            format!("its primary key is ({}), wanted is ({})", is.join(", "), wanted.join(", ")),
            remedy,
        );
    }

    fn columns(&self, report: &mut Report) {
        let Self { found, mapping, .. } = *self;
        if self.mine {
            self.followed_columns(report);
            return;
        }
        let types = self.config_types();
        for column in &mapping.target.columns {
            let quoted = identifier(&column.name);
            match self.found_column(&column.name) {
                None => self.fail(
                    report,
                    "target.column",
                    format!("column {} is missing", column.name),
                    self.altering(&format!("ADD COLUMN {quoted} {}", column.data_type)),
                ),
                Some(other) if other.data_type != column.data_type => {
                    let altered = self.retyping(column);
                    let remedy = match (&types, self.source_column(column)) {
                        (Some(types), Some(source)) if types.contains_key(&source) => {
                            let lines: Vec<String> = types
                                .iter()
                                .map(|(name, data_type)| {
                                    format!("{} = {}", toml_key(name), toml_text(data_type))
                                })
                                .collect();
                            let line = format!("types = {{ {} }}", lines.join(", "));
                            Remedy::Configure { section: self.section(), line }.or(altered)
                        }
                        _ => altered,
                    };
                    self.fail(
                        report,
                        "target.column",
                        format!(
                            "column {} is {}, wanted is {}",
                            column.name, other.data_type, column.data_type
                        ),
                        remedy,
                    );
                }
                Some(other) if column.nullable && !other.nullable => self.fail(
                    report,
                    "target.column",
                    format!("column {} is NOT NULL, but NULL can come", column.name),
                    self.altering(&format!("ALTER COLUMN {quoted} DROP NOT NULL")),
                ),
                Some(_) => {}
            }
        }
        for column in &found.table.columns {
            let fed = mapping.target.columns.iter().any(|other| other.name == column.name);
            if !column.nullable && !fed && !found.filled.contains(&column.name) {
                self.fail(
                    report,
                    "target.column",
                    format!("column {} is NOT NULL and nothing fills it", column.name),
                    self.altering(&format!("ALTER COLUMN {} DROP NOT NULL", identifier(&column.name))),
                );
            }
        }
    }

    /// Its columns change with the checkpoint, so they are as recorded; a number of fewer digits would round in silence.
    fn followed_columns(&self, report: &mut Report) {
        // What another feeder's DDL has made of a column already.
        let made_by_other = |found: &TargetColumn| {
            let columns = self.others.iter().flat_map(|other| &other.target.columns);
            columns.into_iter().any(|column| column.name == found.name && column.data_type == found.data_type)
        };
        for column in &self.mapping.target.columns {
            match self.found_column(&column.name) {
                None => self.fail(
                    report,
                    "target.column",
                    format!("column {} is gone", column.name),
                    AtTarget::Restore.or(Remedy::Resync { table: self.mapping.source.clone() }),
                ),
                Some(other)
                    if other.data_type != column.data_type
                        && exactly_known(&other.data_type)
                        && !made_by_other(other) =>
                {
                    self.fail(
                        report,
                        "target.column",
                        format!(
                            "column {} has become {}, made was {}",
                            column.name, other.data_type, column.data_type
                        ),
                        self.retyping(column),
                    );
                }
                Some(_) => {}
            }
        }
    }

    fn warnings(&self, report: &mut Report) {
        let Self { found, mapping, subject, .. } = *self;
        let (alter, quoted) = (self.alter(), self.quoted());
        let unfed = |name: &&String| !mapping.target.columns.iter().any(|column| column.name == **name);
        let filled: Vec<&str> = found.filled.iter().filter(unfed).map(String::as_str).collect();
        if !filled.is_empty() {
            self.add(
                report,
                "target.default",
                Verdict::Warn,
                format!(
                    "nothing of the source feeds {}: the default of the column is taken, again whenever a row is written anew",
                    filled.join(", ")
                ),
                AtTarget::DropColumn,
            );
        }
        if found.without_default_partition {
            let default = if subject.target.version_number >= 120_000 {
                format!("CREATE TABLE … PARTITION OF {quoted} DEFAULT")
            } else {
                format!("{alter} ADD DEFAULT PARTITION others")
            };
            self.add(
                report,
                "target.partitions",
                Verdict::Warn,
                "it has no default partition: a row that no other takes holds the task up until there is one for it",
                Remedy::run(default).or(AtTarget::MakePartitions),
            );
        }
        if !found.checks.is_empty() {
            let dropped: Vec<String> =
                found.checks.iter().map(|name| format!("DROP CONSTRAINT {}", identifier(name))).collect();
            self.add(
                report,
                "target.check",
                Verdict::Warn,
                format!(
                    "a row that its CHECK constraints ({}) refuse stops the task",
                    found.checks.join(", ")
                ),
                self.altering(&dropped.join(", ")),
            );
        }
    }

    fn found_column(&self, name: &str) -> Option<&TargetColumn> {
        self.found.table.columns.iter().find(|other| other.name == name)
    }

    /// The source's definition.
    fn definition(&self) -> Option<&Table> {
        self.subject.definitions.iter().find(|table| table.name == self.mapping.source)
    }

    /// The name of the source column that feeds a target column.
    fn source_column(&self, column: &TargetColumn) -> Option<String> {
        let index = self.mapping.target.columns.iter().position(|other| other.name == column.name)?;
        let source = self.mapping.columns.iter().find(|pair| pair.target == index)?.source;
        Some(self.definition()?.columns.get(source)?.name.clone())
    }

    /// The whole `types` of the table's section with which columns are as the target has them, as far as the config takes that.
    fn config_types(&self) -> Option<BTreeMap<String, String>> {
        let table = self.definition()?;
        let options = self.subject.task.options(&self.mapping.source);
        let mut types = options.map(|options| options.types.clone()).unwrap_or_default();
        self.add_types(table, &mut types);
        Some(types)
    }

    fn add_types(&self, table: &Table, types: &mut BTreeMap<String, String>) {
        for pair in &self.mapping.columns {
            let (Some(source), Some(column)) =
                (table.columns.get(pair.source), self.mapping.target.columns.get(pair.target))
            else {
                continue;
            };
            let in_key = self.mapping.target.primary_key.contains(&column.name);
            if let Some(other) = self.found_column(&column.name)
                && other.data_type != column.data_type
                && mapping::accepts(&table.name, source, &other.data_type, in_key)
            {
                types.retain(|name, _| !name.eq_ignore_ascii_case(&source.name));
                types.insert(source.name.clone(), other.data_type.to_string());
            }
        }
    }

    /// `[task.main.table."db.t"]`: the section that is for the table, or would be.
    fn section(&self) -> String {
        let (task, name) = (self.subject.task, self.mapping.source.to_string());
        let own = task.options(&self.mapping.source);
        let found =
            task.table_options.iter().find(|(_, options)| own.is_some_and(|own| std::ptr::eq(own, options)));
        let pattern = found.map_or(name.as_str(), |(pattern, _)| pattern.as_str());
        format!("[task.{}.table.{}]", task.name, toml_text(pattern))
    }
}

/// Whether a found type is one that mappings name in the same way.
fn exactly_known(found: &TargetType) -> bool {
    !matches!(found, TargetType::Other(_) | TargetType::Geometry)
}
