//! What a start has found and judged, for attempts that go on after a lost connection.

use super::context::Context;
use super::gather::Gathered;
use super::recorded::Known;
use super::{TaskError, waiting};
use crate::change::facts::{FoundTable, SourceFacts, TargetFacts};
use crate::change::{TableName, TargetName};
use crate::config::ExistingTables;
use crate::sink::{Owner, catalog};
use std::collections::{BTreeMap, BTreeSet};

/// What a start has found and judged.
#[derive(Debug)]
pub struct Passed {
    pub(super) source: SourceFacts,
    pub(super) target: TargetFacts,
    /// When the target server was started.
    pub(super) target_start: String,
    pub(super) left_out: BTreeMap<TableName, String>,
    /// Target tables that others make and alter too, as they were.
    pub(super) shared: BTreeMap<TargetName, FoundTable>,
}

impl Passed {
    /// What was gathered of a task that now carries `tables`; `None` when target tables that others alter too are not any more as they
    /// were judged.
    ///
    /// # Errors
    /// When the target cannot be asked.
    pub async fn new(
        context: &Context,
        gathered: Gathered,
        owner: &Owner,
        tables: &Known,
    ) -> Result<Option<Self>, TaskError> {
        let found_there = context.task().existing_tables == ExistingTables::Ignore;
        let shared = tables.values().map(|recorded| &recorded.mapping);
        let shared = shared.filter(|mapping| found_there || mapping.source_tag.is_some());
        let shared: BTreeSet<TargetName> = shared.map(|mapping| mapping.target.name.clone()).collect();
        let shared: Vec<TargetName> = shared.into_iter().collect();
        let (session, none) = (owner.session(), BTreeSet::new());
        let found = catalog::tables(session, &shared, &none);
        let shared = waiting::at_target(context, session.backend_pid(), found).await?;
        // Neither rows nor who feeds it is a matter of its shape.
        let shape = |found: &FoundTable| FoundTable { has_rows: false, fed_by: None, ..found.clone() };
        let as_judged = |(name, found): (&TargetName, &FoundTable)| {
            gathered.target.tables.get(name).is_none_or(|judged| shape(judged) == shape(found))
        };
        if !shared.iter().all(as_judged) {
            return Ok(None);
        }
        Ok(Some(Self {
            left_out: gathered.reasons(),
            source: gathered.source,
            target: gathered.target,
            target_start: owner.session().server_start().to_owned(),
            shared,
        }))
    }
}
