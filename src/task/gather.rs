//! Facts of both servers, the stored state and the mappings: what the precheck judges. Writes nothing.

use super::TaskError;
use super::context::Context;
use super::prepare::Recorded;
use crate::change::facts::{SourceFacts, TargetFacts};
use crate::change::state::TableState;
use crate::change::{GtidSet, TableName, TargetName};
use crate::precheck::{self, Report, Resuming, Subject};
use crate::schema::Table;
use crate::sink::store::{self, Stored};
use crate::sink::{Session, facts};
use crate::source::binlog;
use crate::source::server::Server;
use crate::transform::{TableMapping, TransformError, deviation, map_table};

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
}

/// Asks both servers.
///
/// # Errors
/// When one cannot be asked.
pub async fn gather(context: &Context, server: &mut Server) -> Result<Gathered, TaskError> {
    let task = context.task();
    let session = Session::connect(context.target(), &format!("rowferry/{}/check", context.name)).await?;
    let stored = store::peek(&session, &context.name).await?;
    let source = server.facts(&task.tables).await?;
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
    let (mut deviations, mut definitions, mut rivals) = (Vec::new(), Vec::new(), Vec::new());
    for table in server.tables(&task.tables).await? {
        // A table that is followed already is judged by how it is carried, not by what the source says now: statements
        // between its checkpoint and now are still to come through the stream.
        let known = stored.as_ref().and_then(|stored| stored.tables.get(&table.name));
        let mapping = match known.filter(|known| known.state != TableState::Pending) {
            Some(known) => {
                let mapping = Recorded::read(context, &table.name, known)?.mapping;
                let schema = known.schemas.last();
                let rules = context.rules(&table.name);
                let why = schema.and_then(|schema| deviation(&schema.table, &mapping, &rules));
                deviations.extend(why.map(|why| (table.name.clone(), why)));
                Ok(mapping)
            }
            None => map_table(&table, &context.rules(&table.name)),
        };
        let rival = mapping.as_ref().ok().and_then(|mapping| context.rival(mapping));
        rivals.extend(rival.map(|task| (table.name.clone(), task.to_owned())));
        mappings.push((table.name.clone(), mapping));
        definitions.push(table);
    }
    let wanted: Vec<TargetName> =
        mappings.iter().filter_map(|(_, mapping)| Some(mapping.as_ref().ok()?.target.name.clone())).collect();
    let target = facts::facts(context.target(), &session, &wanted).await?;
    Ok(Gathered { source, target, stored, file_begun, file_size, mappings, definitions, rivals, deviations })
}

/// Judges what was gathered.
pub fn judge(context: &Context, gathered: &Gathered) -> Report {
    let resuming = gathered.stored.as_ref().and_then(|stored| {
        let checkpoint = stored.checkpoint.as_ref()?;
        let tables = stored.tables.iter().filter(|(_, table)| table.state != TableState::Pending);
        let mut copied = GtidSet::default();
        for table in stored.tables.values() {
            if let TableState::Snapshotting { from } | TableState::CatchingUp { from, .. } = &table.state {
                copied.union(from.taken.gtids().unwrap_or(&GtidSet::default()));
            }
        }
        Some(Resuming {
            position: checkpoint.position.clone(),
            file_begun: gathered.file_begun,
            file_size: gathered.file_size,
            copied,
            tables: tables.map(|(name, _)| name.clone()).collect(),
        })
    });
    precheck::check(&Subject {
        task: context.task(),
        source: &gathered.source,
        target: &gathered.target,
        mappings: &gathered.mappings,
        definitions: &gathered.definitions,
        rivals: &gathered.rivals,
        deviations: &gathered.deviations,
        resuming: resuming.as_ref(),
    })
}
