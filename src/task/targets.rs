//! The target tables of a task: made, emptied, replaced, and what is taken out of them again.
//!
//! What must never happen here: a row taken that is another feeder's, or that was there before.

use super::TaskError;
use super::context::Context;
use super::recorded::{self, Origin, Recorded};
use crate::change::remedy::{AtTarget, InConfig, Remedy};
use crate::change::{TableName, TargetName};
use crate::config::ExistingTables;
use crate::sink::ddl::{Clear, TakenOut, Taking};
use crate::sink::store::{self, StoredTable};
use crate::sink::{Owner, Session, SinkError, Store, catalog, ddl, shadow};
use crate::transform::{TableMapping, TransformError};
use std::collections::BTreeSet;

/// Makes one target table where it is missing, or empties it unless it `stays`; true when it was made here.
pub(super) async fn make(
    context: &Context,
    owner: &Owner,
    mapping: &TableMapping,
    stays: bool,
) -> Result<bool, TaskError> {
    let (task, session) = (context.task(), owner.session());
    let name = &mapping.target.name;
    let Some(_) = catalog::shape(session, name).await? else {
        if !task.initial_schema {
            return Err(mismatch(
                mapping,
                format!("target table {name} is missing"),
                AtTarget::CreateTable.or(InConfig::InitialSchema),
            ));
        }
        ddl::create_table(session, &mapping.target).await?;
        return Ok(true);
    };
    if stays {
        return Ok(false);
    }
    match task.existing_tables {
        // Who leaves "schema" out of initial has made the tables; that they are there is no accident.
        ExistingTables::Error if !task.initial_schema && !has_rows(session, name).await? => Ok(false),
        // Another task's rows are told apart from this one's, of which there are none.
        ExistingTables::Error
            if mapping.source_tag.is_some()
                && store::other_feeder(session, &context.name, name).await?.is_some()
                && !ddl::has_rows(session, name, &own_rows(mapping)).await? =>
        {
            Ok(false)
        }
        ExistingTables::Error => Err(mismatch(
            mapping,
            format!("target table {name} exists already, and existing_tables = \"error\""),
            InConfig::ExistingTables,
        )),
        ExistingTables::Clear => {
            tracing::info!(task = context.name, table = %name, "emptying the existing target table");
            ddl::clear(session, name, &cleared(context, session, mapping).await?).await?;
            Ok(false)
        }
        ExistingTables::Ignore => Ok(false),
    }
}

/// What `existing_tables = "clear"` takes out of a target table that is there.
///
/// # Errors
/// When it holds rows of another task that cannot be told apart, or the target cannot be asked.
pub async fn cleared(
    context: &Context,
    session: &Session,
    mapping: &TableMapping,
) -> Result<Clear, TaskError> {
    let name = &mapping.target.name;
    match (store::other_feeder(session, &context.name, name).await?, own_rows(mapping)) {
        (_, own @ Clear::Tagged { .. }) => Ok(own),
        (None, _) => Ok(Clear::All),
        (Some(other), Clear::All | Clear::Nothing) => Err(mismatch(
            mapping,
            format!(
                "target table {name} is fed by task \"{other}\" too, and existing_tables = \"clear\" would take its rows"
            ),
            InConfig::ExistingShared,
        )),
    }
}

async fn has_rows(session: &Session, name: &TargetName) -> Result<bool, SinkError> {
    let counted = BTreeSet::from([name.clone()]);
    let found = catalog::tables(session, std::slice::from_ref(name), &counted).await?;
    Ok(found.values().any(|found| found.has_rows))
}

pub(super) fn mismatch(mapping: &TableMapping, why: String, remedy: impl Into<Remedy>) -> TaskError {
    TransformError::Mapping { table: mapping.source.clone(), why, remedy: remedy.into() }.into()
}

/// Whether a table that is on record can be copied beside its target table, to take its place.
///
/// # Errors
/// [`TaskError::Unreplaceable`] where it cannot, and when the target cannot be asked.
pub async fn is_replaceable(
    context: &Context,
    owner: &Owner,
    name: &TableName,
    table: &StoredTable,
) -> Result<(), TaskError> {
    let target = &table.target;
    // Where nothing is to be replaced the copy is a first one, which the precheck judges.
    if context.task().initial_data && table.is_taken_out() {
        return Ok(());
    }
    let mapping = recorded::mapping(context, name, table)?;
    let tag = mapping.source_tag.as_ref();
    let tag = tag.and_then(|(column, _)| Some(mapping.target.columns.get(*column)?.name.clone()));
    let published = shadow::published_by(owner.session(), target).await?;
    let other = owner.store().other_feeder(owner.session(), target).await?;
    let why = if !context.task().initial_data {
        "\"data\" is not in initial, so nothing is copied".to_owned()
    } else if context.task().existing_tables == ExistingTables::Ignore
        || recorded::is_mixed(context, name, table)?
    {
        format!(
            "with existing_tables = \"ignore\" its rows in {target} cannot be told from those that were there"
        )
    } else if context.target_name(name) != *target {
        format!("the config says that its target is {} by now, and was {target}", context.target_name(name))
    } else if tag != context.rules(name).options.source_column {
        format!("its rows in {target} have another source_column than the config says")
    } else if let Some(publication) = published {
        format!(
            "publication {publication} of the target would send what is copied beside {target} to its subscribers"
        )
    } else if let (Some(other), None) = (other, tag) {
        format!("its rows in {target} cannot be told from those of task \"{other}\"")
    } else {
        return Ok(());
    };
    Err(TaskError::Unreplaceable { table: name.clone(), target: target.clone(), why })
}

/// Takes a copy that is not whole, or no more wanted, out of the table that it goes to, in the open transaction. A table that was made for it
/// alone goes with it; others lose its rows, where these can be told.
///
/// # Errors
/// When the target cannot be asked any more.
async fn take_out(
    session: &Session,
    store: &Store,
    mapping: &TableMapping,
    origin: Origin,
) -> Result<Taking, TaskError> {
    let told = |taken| Ok(Taking { taken, refused: false });
    let target = &mapping.target.name;
    if origin == Origin::Beside {
        return Ok(ddl::take_out(session, target, &Clear::All, true).await?);
    }
    let own = own_rows(mapping);
    if own != Clear::All {
        ddl::one_at_a_time(session).await?;
    }
    if catalog::shape(session, target).await?.is_none() {
        // One that others have made may only be away.
        return told(if origin == Origin::Made { TakenOut::Table } else { TakenOut::Rows });
    }
    let feeders = store.feeders(session).await?;
    let siblings = feeders.get(target).is_some_and(|names| names.iter().any(|name| *name != mapping.source));
    let shared = siblings || store.other_feeder(session, target).await?.is_some();
    let alone = origin == Origin::Made && !shared;
    if own == Clear::All && !alone && (shared || origin == Origin::Mixed) {
        return told(TakenOut::Nothing);
    }
    Ok(ddl::take_out(session, target, &own, alone).await?)
}

/// Takes a copy that is not whole, or no more wanted, out of the table that it goes to, in the open transaction. That a table which readers
/// could know is gone is recorded.
///
/// # Errors
/// When the target fails, or another process has the task.
pub async fn take_out_copy(session: &Session, store: &Store, recorded: &Recorded) -> Result<(), TaskError> {
    let origin = recorded.origin();
    let Taking { taken, .. } = take_out(session, store, &recorded.mapping, origin).await?;
    if taken == TakenOut::Table && origin != Origin::Beside {
        recorded.without_its_table().record(store, session).await?;
    }
    Ok(())
}

/// Takes the rows of a stored table, and the table with them where it was made for them, out of the one that readers know, in the open
/// transaction, and has that on record; how far they are gone.
///
/// # Errors
/// When the record is not what this version writes, and when the target fails.
pub async fn take_out_of_place(
    context: &Context,
    (session, store): (&Session, &Store),
    name: &TableName,
    stored: &StoredTable,
) -> Result<Taking, TaskError> {
    if stored.is_taken_out() {
        return Ok(Taking { taken: TakenOut::Table, refused: false });
    }
    let (mapping, origin) = recorded::in_place(context, name, stored)?;
    let taking = take_out(session, store, &mapping, origin).await?;
    if taking.taken == TakenOut::Table {
        let without = recorded::without_its_table(context, name, stored)?;
        store.record_table(session, name, &stored.target, &stored.state, &without).await?;
    }
    Ok(taking)
}

/// The rows of a source table in its target: those with its tag, or all.
pub fn own_rows(mapping: &TableMapping) -> Clear {
    let tag = mapping.source_tag.as_ref();
    match tag.and_then(|(column, tag)| Some((&mapping.target.columns.get(*column)?.name, tag))) {
        Some((column, tag)) => Clear::Tagged { column: column.clone(), tag: tag.clone() },
        None => Clear::All,
    }
}
