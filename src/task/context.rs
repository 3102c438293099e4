//! What every part of a running task needs: its config, its endpoints, its progress.

use super::TaskError;
use super::progress::Progress;
use crate::change::policy::{DdlPolicy, TableOptions};
use crate::change::{TableName, TargetName};
use crate::config::types::{NewTables, Selection};
use crate::config::{Config, ExistingTables, TargetEndpoint, TaskConfig};
use crate::schema::Table;
use crate::sink::shadow;
use crate::source::SameServer;
use crate::transform::{Policies, Rules, TableMapping, TransformError, map_table, names};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A side stream has this part of the task's memory.
const SIDE_MEMORY: usize = 4;

/// The surroundings of one attempt at a task.
#[derive(Clone, Debug)]
pub struct Context {
    /// The whole config.
    config: Arc<Config>,
    /// The task's name.
    pub name: String,
    /// How it gets on.
    pub progress: Progress,
    source: SameServer,
    /// Of a side stream: its tables that have a target table already, which they are copied beside, with the columns that the task
    /// has made there.
    replaced: Arc<BTreeMap<TableName, Vec<String>>>,
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
        Ok(Self { config, name: name.to_owned(), progress, source, replaced: Arc::default() })
    }

    /// The surroundings of a side stream of `tables`; those in `replaced` have target tables, which they are copied beside.
    ///
    /// # Errors
    /// When the names make no selection.
    pub fn aside(
        &self,
        tables: &BTreeSet<TableName>,
        replaced: BTreeMap<TableName, Vec<String>>,
    ) -> Result<Self, TaskError> {
        let selected = Selection::only(tables);
        let mut task = self.task().clone();
        task.tables =
            selected.map_err(|error| TaskError::Internal(format!("a selection of names: {error}")))?;
        // Another replica than the main stream's.
        task.server_id = 0;
        task.memory_limit /= SIDE_MEMORY;
        task.apply.batch_bytes = task.apply.batch_bytes.min(task.memory_limit / 8);
        let mut config = Config::clone(&self.config);
        config.tasks.insert(self.name.clone(), task);
        Ok(Self {
            config: Arc::new(config),
            name: self.name.clone(),
            progress: self.progress.aside(),
            source: self.source.clone(),
            replaced: Arc::new(replaced),
        })
    }

    /// How a table is carried, and the table whose place its target takes in the end, if it does.
    ///
    /// # Errors
    /// When it cannot be.
    pub fn map(&self, table: &Table) -> Result<(TableMapping, Option<TargetName>), TransformError> {
        let mut mapping = map_table(table, &self.rules(&table.name))?;
        if !self.replaced.contains_key(&table.name) {
            return Ok((mapping, None));
        }
        let beside = shadow::beside(&mapping.target.name, &self.name, &table.name);
        let place = std::mem::replace(&mut mapping.target.name, beside);
        Ok((mapping, Some(place)))
    }

    /// What becomes of a table when a statement does this to it.
    pub fn ddl_policy(&self, table: &TableName, kind: &str) -> DdlPolicy {
        let task = self.task();
        let of_table = task.options(table).and_then(|options| options.ddl_policy.get(kind));
        match of_table.copied().unwrap_or_else(|| task.ddl_policy_or_default(kind)) {
            // Nothing is copied, so nothing can be copied again.
            DdlPolicy::Recopy if !task.initial_data => DdlPolicy::Park,
            policy => policy,
        }
    }

    /// Whether selected tables that come are added by themselves.
    pub fn adds_tables(&self) -> bool {
        self.task().new_tables == NewTables::Add && self.task().initial_data
    }

    /// The columns that the task has made in the target table that this one is copied beside.
    pub fn former(&self, table: &TableName) -> Vec<String> {
        self.replaced.get(table).cloned().unwrap_or_default()
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

    /// How names, types and keys are mapped for a table.
    pub fn rules(&self, table: &TableName) -> Rules {
        rules(self.task(), table)
    }

    /// What happens to values that have no exact form in the target.
    pub fn policies(&self) -> Policies {
        Policies { zero_dates: self.task().zero_dates, nul_bytes: self.task().nul_bytes }
    }

    /// Whether rows are applied whatever is in the target, past P1 too: the target has rows of others, or some
    /// operations are not carried, so that presence says nothing.
    pub fn always_convergent(&self) -> bool {
        let operations = self.task().operations;
        self.task().existing_tables == ExistingTables::Ignore
            || !(operations.insert && operations.update && operations.delete)
    }
}

fn rules(task: &TaskConfig, table: &TableName) -> Rules {
    let options = task.options(table).cloned().unwrap_or_else(TableOptions::default);
    let name = table.to_string();
    Rules {
        task: task.name.clone(),
        schemas: task.schemas.clone(),
        identifier_case: task.identifier_case,
        zero_dates: task.zero_dates,
        tinyint1: task.tinyint1,
        time: task.time,
        operations: task.operations,
        accepted_cascades: {
            let named = task.accept_cascades.iter().filter_map(|entry| entry.strip_prefix(&name));
            named.filter_map(|rest| rest.strip_prefix('.')).map(str::to_owned).collect()
        },
        exact_options: task.table_options.iter().any(|(pattern, _)| *pattern == name),
        foreign_rows: task.existing_tables == ExistingTables::Ignore,
        shared_target: options.source_column.is_some(),
        options,
    }
}
