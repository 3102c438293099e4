//! What every part of a running task needs: its config, its endpoints, its progress.

use super::TaskError;
use super::courtesy::Courtesy;
use super::progress::Progress;
use crate::change::policy::{BadRows, DdlPolicy, TableOptions};
use crate::change::{TableName, TargetColumn, TargetName};
use crate::config::types::{DDL_POLICIES, NewTables, Selection};
use crate::config::{Config, ExistingTables, TargetEndpoint, TaskConfig};
use crate::schema::Table;
use crate::sink::shadow;
use crate::source::SameServer;
use crate::transform::{Passing, Plan, Policies, Rules, TableMapping, TransformError, map_table, names};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A side stream has this part of the task's memory.
const SIDE_MEMORY: usize = 4;

/// And copies chunks of no more rows.
const SIDE_CHUNK: u64 = 10_000;

/// The surroundings of one attempt at a task.
#[derive(Clone, Debug)]
pub struct Context {
    /// The whole config.
    config: Arc<Config>,
    /// The task's name.
    pub name: String,
    /// How it gets on.
    pub progress: Progress,
    /// How copies aside give way to the main stream.
    pub courtesy: Arc<Courtesy>,
    source: SameServer,
    /// Of a side stream: its tables that have a target table already, which they are copied beside.
    replaced: Arc<BTreeMap<TableName, Replaced>>,
    /// It is that of a side stream.
    is_aside: bool,
}

/// A target table that a copy is made beside, to take its place.
#[derive(Clone, Debug)]
pub struct Replaced {
    /// The table.
    pub target: TargetName,
    /// The task made it.
    pub created: bool,
    /// Columns that the task has made there.
    pub columns: Vec<String>,
    /// Columns of it that have got other names under an earlier copy, each with the last one.
    pub renamed: Vec<(String, String)>,
    /// All its columns.
    pub there: Vec<TargetColumn>,
}

impl Context {
    /// Surroundings of the task that gets on so, which the config must have.
    pub fn new(config: &Arc<Config>, progress: &Progress) -> Result<Self, TaskError> {
        let name = progress.task();
        let missing = |what: &str| TaskError::Internal(format!("task {name}: no {what} in the config"));
        let task = config.tasks.get(name).ok_or_else(|| missing("such task"))?;
        let source = config.sources.get(&task.source).ok_or_else(|| missing("such endpoint"))?;
        if !config.targets.contains_key(&task.target) {
            return Err(missing("such endpoint"));
        }
        let source = SameServer::from(source);
        let (config, progress) = (config.clone(), progress.clone());
        let (name, replaced) = (name.to_owned(), Arc::default());
        let courtesy = Arc::default();
        Ok(Self { config, name, progress, courtesy, source, replaced, is_aside: false })
    }

    /// The surroundings of a side stream of `tables`; those in `replaced` have target tables, which they are copied beside.
    ///
    /// # Errors
    /// When the names make no selection.
    pub fn aside(
        &self,
        tables: &BTreeSet<TableName>,
        replaced: BTreeMap<TableName, Replaced>,
    ) -> Result<Self, TaskError> {
        let selected = Selection::only(tables);
        let mut task = self.task().clone();
        task.tables =
            selected.map_err(|error| TaskError::Internal(format!("a selection of names: {error}")))?;
        // Who makes the target tables does not make copies of them.
        task.initial_schema |= !replaced.is_empty();
        // Another replica than the main stream's.
        task.server_id = 0;
        // Little by little, so that it can give way to the main stream.
        task.snapshot.parallel = 1;
        task.snapshot.chunk_rows = task.snapshot.chunk_rows.min(SIDE_CHUNK);
        task.memory_limit /= SIDE_MEMORY;
        task.apply.batch_bytes = task.apply.batch_bytes.min(task.memory_limit / 8);
        let mut config = Config::clone(&self.config);
        config.tasks.insert(self.name.clone(), task);
        Ok(Self {
            config: Arc::new(config),
            name: self.name.clone(),
            progress: self.progress.aside(tables),
            courtesy: self.courtesy.clone(),
            source: self.source.clone(),
            replaced: Arc::new(replaced),
            is_aside: true,
        })
    }

    /// How a table is carried, and the table whose place its target takes in the end, if it does.
    ///
    /// # Errors
    /// When it cannot be.
    pub fn map(&self, table: &Table) -> Result<(TableMapping, Option<TargetName>), TransformError> {
        let mut mapping = map_table(table, &self.rules(&table.name))?;
        let Some(replaced) = self.replaced.get(&table.name) else { return Ok((mapping, None)) };
        // Columns that hold as much or more already stay as somebody has made them; in a table of the task's own only where nobody sees it.
        let mut columns = mapping.target.columns.clone();
        for column in &mut columns {
            let is = replaced.there.iter().find(|is| is.name == column.name);
            let stays = |is: &&TargetColumn| {
                let (is, wanted) = (&is.data_type, &column.data_type);
                if replaced.created { is.shows(wanted) } else { is.holds(wanted) }
            };
            if let Some(is) = is.filter(stays) {
                column.data_type = is.data_type.clone();
            }
        }
        if Plan::compile(table, &mapping, &columns, &self.policies()).is_ok() {
            mapping.target.columns = columns;
        }
        mapping.target.name = shadow::beside(&replaced.target, &self.name, &table.name);
        Ok((mapping, Some(replaced.target.clone())))
    }

    /// Whether these are the surroundings of a side stream.
    pub fn is_aside(&self) -> bool {
        self.is_aside
    }

    /// What becomes of a table when a statement does this to it.
    pub fn ddl_policy(&self, table: &TableName, kind: &str) -> DdlPolicy {
        let task = self.task();
        match (configured(task, table, kind), kind) {
            (DdlPolicy::Apply, "drop_table" | "drop_database") => DdlPolicy::Apply,
            // What passes has passed: this is what could not.
            (DdlPolicy::Recopy | DdlPolicy::Ignore | DdlPolicy::Apply, _) => {
                // Nothing is copied, so nothing can be copied again.
                if task.initial_data { DdlPolicy::Recopy } else { DdlPolicy::Park }
            }
            (policy, _) => policy,
        }
    }

    /// Whether selected tables that come are added by themselves.
    pub fn adds_tables(&self) -> bool {
        self.task().new_tables == NewTables::Add && self.task().initial_data
    }

    /// The target table that this one is copied beside.
    pub fn former(&self, table: &TableName) -> Option<&Replaced> {
        self.replaced.get(table)
    }

    /// The task's section.
    pub fn task(&self) -> &TaskConfig {
        &self.config.tasks[&self.name]
    }

    /// Its source. Every connection that this attempt opens leads to one server.
    pub fn source(&self) -> &SameServer {
        &self.source
    }

    /// Its target.
    pub fn target(&self) -> &TargetEndpoint {
        &self.config.targets[&self.task().target]
    }

    /// Another task of the config that carries a table of the same source into the same target table, and nothing tells the
    /// rows of both apart.
    pub fn rival(&self, mapping: &TableMapping) -> Option<&str> {
        let (source, target) = (&self.config.sources[&self.task().source], self.target());
        let rivals = self.config.tasks.values().filter(|other| {
            let (from, to) = (&self.config.sources[&other.source], &self.config.targets[&other.target]);
            other.name != self.name
                && (&from.host, from.port) == (&source.host, source.port)
                && (&to.host, to.port, &to.database) == (&target.host, target.port, &target.database)
        });
        let table = &mapping.source;
        let same = |other: &&TaskConfig| {
            let rules = rules(other, table);
            other.tables.contains(&table.database, &table.table)
                && rules.options.source_column.is_none()
                && names::schema_name(&table.database, &rules) == mapping.target.name.schema
                && names::table_name(&table.table, &rules) == mapping.target.name.table
        };
        if mapping.source_tag.is_some() {
            None
        } else {
            rivals.into_iter().find(same).map(|other| other.name.as_str())
        }
    }

    /// Whether the target table of one that gets another name gets another one too.
    pub fn renames(&self, table: &TableName) -> bool {
        configured(self.task(), table, "rename_table") == DdlPolicy::Apply
    }

    /// Whether rows that the source has no more stay in the target.
    pub fn keeps_rows(&self, table: &TableName) -> bool {
        !self.task().operations.delete
            || configured(self.task(), table, "truncate_table") == DdlPolicy::Ignore
    }

    /// Whether columns that the source has no more stay in the target.
    pub fn keeps_columns(&self, table: &TableName) -> bool {
        configured(self.task(), table, "drop_column") == DdlPolicy::Ignore
    }

    /// How names, types and keys are mapped for a table.
    pub fn rules(&self, table: &TableName) -> Rules {
        Rules { omits_generated: self.source.omits_generated(), ..rules(self.task(), table) }
    }

    /// The name of a table's target, where nothing is on record of it.
    pub fn target_name(&self, table: &TableName) -> TargetName {
        let rules = self.rules(table);
        TargetName {
            schema: names::schema_name(&table.database, &rules),
            table: names::table_name(&table.table, &rules),
        }
    }

    /// What happens to values that have no exact form in the target.
    pub fn policies(&self) -> Policies {
        let task = self.task();
        Policies {
            zero_dates: task.zero_dates,
            key_dates: task.key_dates,
            nul_bytes: task.nul_bytes,
            bad_text: task.bad_text,
        }
    }

    /// Whether rows of a table that the target cannot hold are kept in quarantine.
    pub fn quarantines(&self, table: &TableName) -> bool {
        let of_table = self.task().options(table).and_then(|options| options.bad_rows);
        of_table.unwrap_or(self.task().bad_rows) == BadRows::Quarantine
    }

    /// Whether those of any table are.
    pub fn may_quarantine(&self) -> bool {
        let chosen = self.task().table_options.iter().filter_map(|(_, options)| options.bad_rows);
        chosen.chain([self.task().bad_rows]).any(|chosen| chosen == BadRows::Quarantine)
    }

    /// Whether rows are applied whatever is in the target, past P1 too: the target has rows of others, or some
    /// operations are not carried, so that presence says nothing.
    pub fn always_convergent(&self, table: &TableName) -> bool {
        let operations = self.task().operations;
        self.task().existing_tables == ExistingTables::Ignore
            || !(operations.insert && operations.update && operations.delete)
            // The target keeps rows that the source has no more.
            || configured(self.task(), table, "truncate_table") == DdlPolicy::Ignore
    }
}

/// The policy that the config has.
fn configured(task: &TaskConfig, table: &TableName, kind: &str) -> DdlPolicy {
    let of_table = task.options(table).and_then(|options| options.ddl_policy.get(kind));
    of_table.copied().unwrap_or_else(|| task.ddl_policy_or_default(kind))
}

fn rules(task: &TaskConfig, table: &TableName) -> Rules {
    let options = task.options(table).cloned().unwrap_or_else(TableOptions::default);
    let name = table.to_string();
    let passing = DDL_POLICIES.into_iter().filter_map(|kind| match configured(task, table, kind) {
        DdlPolicy::Ignore => Some((kind, Passing::Ignored)),
        DdlPolicy::Apply => Some((kind, Passing::Applied)),
        DdlPolicy::Recopy | DdlPolicy::Park | DdlPolicy::Stop => None,
    });
    Rules {
        task: task.name.clone(),
        schemas: task.schemas.clone(),
        identifier_case: task.identifier_case,
        zero_dates: task.zero_dates,
        tinyint1: task.tinyint1,
        time: task.time,
        operations: task.operations,
        accepted_cascades: task.accept_cascades.clone(),
        exact_options: task.table_options.iter().any(|(pattern, _)| *pattern == name),
        foreign_rows: task.existing_tables == ExistingTables::Ignore,
        shared_target: options.source_column.is_some(),
        omits_generated: false,
        passing: passing.collect(),
        options,
    }
}
