//! Facts of both servers, the stored state and the mappings: what the precheck judges. Writes nothing.

use super::TaskError;
use super::context::Context;
use super::recorded;
use super::sides::Sides;
use crate::change::facts::{SourceFacts, TargetFacts};
use crate::change::names::alike;
use crate::change::remedy::Restart;
use crate::change::state::TableState;
use crate::change::{GtidSet, TableName, TargetName};
use crate::precheck::{self, Item, Report, Resuming, Subject, Verdict, newcomers};
use crate::schema::Table;
use crate::sink::store::{self, Stored, StoredTable};
use crate::sink::{Session, facts, room};
use crate::source::binlog;
use crate::source::server::Server;
use crate::transform::cascade;
use crate::transform::{Plan, TableMapping, TransformError, deviation};
use std::collections::{BTreeMap, BTreeSet};

/// Everything found out before anything is written.
#[derive(Debug)]
pub struct Gathered {
    /// The source.
    pub source: SourceFacts,
    /// The target.
    pub target: TargetFacts,
    /// What is durable of the task; `None` when it never ran.
    pub stored: Option<Stored>,
    /// When the file that the checkpoint lies in was begun, as the source has it now.
    pub file_begun: Option<u32>,
    /// How many bytes that file has there.
    pub file_size: Option<u64>,
    /// Per carried table its mapping, or why there is none.
    pub mappings: Vec<(TableName, Result<TableMapping, TransformError>)>,
    /// The selected tables as the source has them now.
    pub definitions: Vec<Table>,
    /// Tables that another task of the config carries into the same target table, and that task.
    pub rivals: Vec<(TableName, String)>,
    /// Followed tables of which the config now says something else, and what.
    pub deviations: Vec<(TableName, String)>,
    /// Followed tables whose target has wider columns than on record by now; the mappings have them already.
    pub widened: Vec<TableName>,
    /// Parked tables that the source had no more, and has.
    pub returned: BTreeSet<TableName>,
    /// Foreign keys that are not followed, and why.
    pub not_followed: Vec<String>,
    /// Tables that another stream of the task carries, or none.
    others: BTreeSet<TableName>,
    /// New tables of a task that flows already that cannot be carried, and the failed item that says why. They are in none of the
    /// others.
    pub left_out: BTreeMap<TableName, Item>,
}

impl Gathered {
    /// Tables on record that `is` so.
    pub fn on_record(&self, is: impl Fn(&StoredTable) -> bool) -> BTreeSet<TableName> {
        let tables = self.stored.iter().flat_map(|stored| &stored.tables);
        tables.filter(|(_, table)| is(table)).map(|(name, _)| name.clone()).collect()
    }

    /// Tables whose first copy has begun before, and had to start over.
    pub fn begun_before(&self) -> BTreeSet<TableName> {
        self.on_record(|table| table.state == TableState::Pending && !table.mapping.is_null())
    }

    /// Of these those whose target table was taken out again.
    pub fn taken_out(&self) -> BTreeSet<TableName> {
        self.on_record(|table| table.state == TableState::Pending && table.is_taken_out())
    }

    /// What the task left in the target; see [`resuming`].
    pub fn resuming(&self) -> Option<Resuming> {
        resuming(self.stored.as_ref()?, self.file_begun, self.file_size)
    }

    /// Whether a selected table was judged. One that came since is left out, and told.
    pub fn has_judged(&mut self, table: &TableName) -> bool {
        let judged = self.mappings.iter().any(|(name, _)| name == table);
        if !judged && !self.others.contains(table) {
            self.left_out.entry(table.clone()).or_insert_with(|| Item {
                code: "source.newcomer",
                subject: table.to_string(),
                verdict: Verdict::Warn,
                why: "it came while the task was starting, after the others were judged".to_owned(),
                remedy: Some(Restart::Judged.into()),
            });
        }
        judged
    }

    /// Foreign keys that change rows without a word in the source's log and that the target does not follow, each with the reason.
    pub fn unfollowed(&self) -> Vec<String> {
        let mut told = self.not_followed.clone();
        if !self.source.cascades().silent {
            return told;
        }
        for table in &self.definitions {
            let stored = self.stored.as_ref().and_then(|stored| stored.tables.get(&table.name));
            let flows = stored.filter(|stored| stored.state != TableState::Pending);
            let Some(schema) = flows.and_then(|stored| stored.schemas.last()) else { continue };
            for key in &table.foreign_keys {
                let name = cascade::name(&table.name, key);
                let known = schema.table.foreign_keys.iter().any(|known| alike(&known.name, &key.name));
                if !known && !told.iter().any(|told| told.starts_with(&format!("{name}: "))) {
                    told.push(format!("{name}: it was not known when the table was copied; rowferry resync lets it be followed"));
                }
            }
        }
        told
    }

    /// Why those that are left out are.
    pub fn reasons(&self) -> BTreeMap<TableName, String> {
        self.left_out.iter().map(|(table, item)| (table.clone(), item.why.clone())).collect()
    }
}

/// Asks both servers, the target by `session`. A side stream gives what is `on_record` of it.
///
/// # Errors
/// When one cannot be asked.
pub async fn gather(
    context: &Context,
    server: &mut Server,
    session: &Session,
    on_record: Option<Stored>,
) -> Result<Gathered, TaskError> {
    let task = context.task();
    let asked = async { Ok::<_, TaskError>(server.facts(&task.tables).await?) };
    let aside = on_record.is_some();
    let peeked = async {
        match on_record {
            Some(stored) => Ok(Some(stored)),
            None => Ok(store::peek(session, &context.name).await?),
        }
    };
    let ((mut source, mut definitions), stored) = tokio::try_join!(asked, peeked)?;
    // Tables aside and parked ones are judged by who carries them.
    let Sides { names: others, parked, .. } = stored.as_ref().map(Sides::of).unwrap_or_default();
    let is_back = |name: &TableName| parked.get(name) == Some(&true);
    let returned =
        definitions.iter().map(|table| &table.name).filter(|name| is_back(name)).cloned().collect();
    definitions.retain(|table| !others.contains(&table.name));
    source.tables.retain(|name, _| !others.contains(name));
    let (file_begun, file_size) = match stored.as_ref().and_then(|stored| stored.checkpoint.as_ref()) {
        Some(checkpoint)
            if checkpoint.position.file_begun.is_some()
                && source.server_uuid.as_ref() == Some(&checkpoint.position.server) =>
        {
            let file = &checkpoint.position.file.file;
            (binlog::file_begun(context.source(), file).await?, server.log_file_size(file).await?)
        }
        _ => (None, None),
    };
    let mut mappings = Vec::new();
    let (mut deviations, mut rivals) = (Vec::new(), Vec::new());
    for table in &definitions {
        // A table that is followed already is judged by how it is carried, not by what the source says now: statements
        // between its checkpoint and now are still to come through the stream.
        let known = stored.as_ref().and_then(|stored| stored.tables.get(&table.name));
        let mapping = match known.filter(|known| known.state != TableState::Pending) {
            Some(known) => {
                let mapping = recorded::mapping(context, &table.name, known)?;
                let schema = known.schemas.last().ok_or_else(|| TaskError::missing(&table.name))?;
                let why = deviation(&schema.table, &mapping, &context.rules(&table.name));
                deviations.extend(why.map(|why| (table.name.clone(), why)));
                Ok(mapping)
            }
            None => context.map(table).map(|(mapping, _)| mapping),
        };
        let rival = mapping.as_ref().ok().and_then(|mapping| context.rival(mapping));
        rivals.extend(rival.map(|task| (table.name.clone(), task.to_owned())));
        mappings.push((table.name.clone(), mapping));
    }
    let wanted: Vec<TargetName> =
        mappings.iter().filter_map(|(_, mapping)| Some(mapping.as_ref().ok()?.target.name.clone())).collect();
    // Only where tables are to be made ready by others it matters whether they are empty, and asking waits for locks.
    let followed = |table| {
        let known = stored.as_ref().and_then(|stored| stored.tables.get(table));
        known.is_some_and(|known| known.state != TableState::Pending)
    };
    let counted: BTreeSet<TargetName> = mappings
        .iter()
        .filter(|(table, _)| !task.initial_schema && !followed(table))
        .filter_map(|(_, mapping)| Some(mapping.as_ref().ok()?.target.name.clone()))
        .collect();
    // On whatever stream: those that are judged together are held against each other by the precheck.
    let feeders = match &stored {
        Some(_) => store::feeders(session, &context.name).await?,
        None => store::Feeders::new(),
    };
    for (table, mapping) in &mappings {
        let Some(mapping) = mapping.as_ref().ok().filter(|mapping| mapping.source_tag.is_none()) else {
            continue;
        };
        let is_other =
            |name: &&TableName| *name != table && !mappings.iter().any(|(judged, _)| judged == *name);
        let target = mapping_target(context, stored.as_ref(), table, mapping);
        if feeders.get(&target).is_some_and(|by| by.iter().any(|name| is_other(&name))) {
            rivals.push((table.clone(), context.name.clone()));
        }
    }
    let mut target = facts::facts(context.target(), session, &context.name, &wanted, &counted).await?;
    for mapping in mappings.iter().filter_map(|(_, mapping)| mapping.as_ref().ok()) {
        let name = &mapping.target.name;
        if let (Some(_), Some(found)) = (&mapping.source_tag, target.tables.get_mut(name)) {
            found.fed_by = store::other_feeder(session, &context.name, name).await?;
            // The main stream's tables are on record of the same task.
            if found.fed_by.is_none() && aside && feeders.contains_key(name) {
                found.fed_by = Some(context.name.clone());
            }
        }
    }
    let made = mappings.iter().filter_map(|(_, mapping)| mapping.as_ref().ok());
    let made = made.filter(|mapping| !target.tables.contains_key(&mapping.target.name));
    let storage: BTreeSet<String> = made.filter_map(|mapping| mapping.target.storage.clone()).collect();
    target.refused_storage = room::refused_storage(session, storage.iter().map(String::as_str)).await?;
    let widened = stored.as_ref().map(|stored| widened(context, stored, &mut mappings, &target));
    let widened = widened.unwrap_or_default();
    let left_out = BTreeMap::new();
    Ok(Gathered {
        source,
        target,
        stored,
        file_begun,
        file_size,
        mappings,
        definitions,
        rivals,
        deviations,
        widened,
        returned,
        not_followed: Vec::new(),
        others,
        left_out,
    })
}

/// The table that readers know of what a table is carried into.
fn mapping_target(
    context: &Context,
    stored: Option<&Stored>,
    table: &TableName,
    mapping: &TableMapping,
) -> TargetName {
    let known = stored.and_then(|stored| stored.tables.get(table)).filter(|known| !known.mapping.is_null());
    let replaced = context.former(table).map(|former| former.target.clone());
    known.map(|known| known.target.clone()).or(replaced).unwrap_or_else(|| mapping.target.name.clone())
}

/// Takes over target columns that hold more than this task has made them for: somebody else (another task that feeds the table)
/// has widened them. Rows are encoded for the column as it is.
fn widened(
    context: &Context,
    stored: &Stored,
    mappings: &mut [(TableName, Result<TableMapping, TransformError>)],
    target: &TargetFacts,
) -> Vec<TableName> {
    let mut widened = Vec::new();
    for (table, mapping) in mappings.iter_mut() {
        let Some(schema) = stored.tables.get(table).and_then(|known| known.schemas.last()) else { continue };
        let Ok(mapping) = mapping else { continue };
        let Some(found) = target.tables.get(&mapping.target.name) else { continue };
        let mut columns = mapping.target.columns.clone();
        for column in &mut columns {
            let is = found.table.columns.iter().find(|other| other.name == column.name);
            if let Some(is) = is.filter(|is| is.data_type.holds(&column.data_type)) {
                column.data_type = is.data_type.clone();
            }
        }
        if columns != mapping.target.columns
            && Plan::compile(&schema.table, mapping, &columns, &context.policies()).is_ok()
        {
            mapping.target.columns = columns;
            widened.push(table.clone());
        }
    }
    widened
}

/// Judges what was gathered. New tables of a task that flows are taken out of it when they cannot be carried.
pub fn judge(context: &Context, gathered: &mut Gathered) -> Report {
    let resuming = gathered.resuming();
    loop {
        let subject = Subject {
            task: context.task(),
            source: &gathered.source,
            target: &gathered.target,
            mappings: &gathered.mappings,
            definitions: &gathered.definitions,
            rivals: &gathered.rivals,
            deviations: &gathered.deviations,
            resuming: resuming.as_ref(),
            beside: context.is_aside(),
        };
        let mut report = precheck::check(&subject);
        gathered.not_followed = precheck::cascades::not_followed(&subject);
        let refused = newcomers::refused(&subject, &report);
        if refused.is_empty() {
            newcomers::tell(&gathered.left_out, &mut report);
            return report;
        }
        // Each time there are fewer new tables, so this comes to an end.
        gathered.mappings.retain(|(table, _)| !refused.contains_key(table));
        gathered.source.tables.retain(|table, _| !refused.contains_key(table));
        gathered.definitions.retain(|table| !refused.contains_key(&table.name));
        gathered.rivals.retain(|(table, _)| !refused.contains_key(table));
        gathered.left_out.extend(refused);
    }
}

/// What the task left in the target; `None` when it has not begun. See [`Resuming`] for the rest.
pub fn resuming(stored: &Stored, file_begun: Option<u32>, file_size: Option<u64>) -> Option<Resuming> {
    let checkpoint = stored.checkpoint.as_ref()?;
    let tables = stored.tables.iter().filter(|(_, table)| table.state != TableState::Pending);
    let mut copied = GtidSet::default();
    for table in stored.tables.values() {
        if let TableState::Snapshotting { p0 } | TableState::CatchingUp { p0, .. } = &table.state {
            copied.union(p0.taken.gtids().unwrap_or(&GtidSet::default()));
        }
    }
    Some(Resuming {
        position: checkpoint.position.clone(),
        file_begun,
        file_size,
        copied,
        tables: tables.map(|(name, _)| name.clone()).collect(),
    })
}
