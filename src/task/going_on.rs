//! Going on after a lost connection. The start has judged both servers and all tables; what is asked again is only what may have
//! become another meanwhile: which servers they are, what the log still holds, who owns the task and how far it is.
//!
//! What must never happen here: a server that is not the judged one taken for it.

use super::context::Context;
use super::gather;
use super::passed::Passed;
use super::pausing;
use super::prepare;
use super::progress::TaskProgress;
use super::sides::Sides;
use super::{Started, TaskError, connect, refuse_failures, stream, tell, waiting};
use crate::change::facts::SourceFacts;
use crate::change::state::TableState;
use crate::change::{TableName, TargetName};
use crate::precheck::{self, Subject};
use crate::sink::{Owner, catalog, owner};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Takes the task up again where it is; `None` when that needs a whole start.
///
/// # Errors
/// When a server cannot be asked, the log has not what comes next, or another process owns the task.
pub(super) async fn go_on(context: &Context, passed: &Passed) -> Result<Option<Started>, TaskError> {
    context.progress.step(TaskProgress::prechecks);
    let (mut server, session) = connect(context, &owner::application(&context.name)).await?;
    let same_source = passed.source.server_uuid.as_deref() == Some(server.identity());
    if !same_source || session.server_start() != passed.target_start {
        return Ok(None);
    }
    let mut facts = passed.source.clone();
    let log = async { Ok::<_, TaskError>(server.look_at_log(&mut facts).await?) };
    let pid = session.backend_pid();
    let taken = async {
        let (owner, stored) = Owner::take_again(session, &context.name).await?;
        pausing::refuse_resting(&owner, &stored).await?;
        Ok((Arc::new(owner), stored))
    };
    let asked = async { tokio::try_join!(log, taken) };
    let (files, (owner, stored)) = waiting::at_target(context, pid, Box::pin(asked)).await?;
    // It was started with other settings, or logs other databases: that is to be judged.
    let judged =
        |facts: &SourceFacts| (facts.settings.clone(), facts.only_logged.clone(), facts.never_logged.clone());
    if judged(&facts) != judged(&passed.source) {
        tracing::info!(task = context.name, "the source has other settings now: everything is judged anew");
        return Ok(None);
    }
    let none = BTreeSet::new();
    let shared: Vec<TargetName> = passed.shared.keys().cloned().collect();
    let pid = owner.session().backend_pid();
    let found = catalog::tables(owner.session(), &shared, &none);
    if waiting::at_target(context, pid, found).await? != passed.shared {
        tracing::info!(task = context.name, "target tables are others now: everything is judged anew");
        return Ok(None);
    }
    let tables = prepare::known(context, &stored)?;
    let is_copied = |state: &TableState| !matches!(state, TableState::Snapshotting { .. });
    let (Some(checkpoint), true) =
        (stored.checkpoint.clone(), tables.values().all(|recorded| is_copied(&recorded.state)))
    else {
        let why = "its tables on record are others than before the connection was lost".to_owned();
        return Err(TaskError::Unsettled { why });
    };
    // What was committed, but not answered, is on record only.
    context.progress.step(|progress, _| progress.carries(tell::carried(&tables)));
    tell::others(context, &stored);
    let file_size = files.get(&*checkpoint.position.file.file).copied();
    // That the file is the same one is asked when the stream is open.
    let resuming = gather::resuming(&stored, checkpoint.position.file_begun, file_size);
    refuse_failures(&precheck::going_on(&Subject {
        task: context.task(),
        source: &facts,
        target: &passed.target,
        mappings: &[],
        definitions: &[],
        rivals: &[],
        deviations: &[],
        resuming: resuming.as_ref(),
        beside: false,
    }))?;
    let source = stream::Source {
        server,
        names: facts.names(),
        cascades: facts.cascades(),
        left_out: {
            let is_out = |(name, _): &(&TableName, &String)| !stored.tables.contains_key(*name);
            passed.left_out.iter().filter(is_out).map(|(name, why)| (name.clone(), why.clone())).collect()
        },
        file_begun: checkpoint.position.file_begun,
    };
    tracing::info!(task = context.name, position = %checkpoint.position, "going on from the checkpoint");
    Ok(Some(Started { source, owner, checkpoint, tables, sides: Sides::of(&stored) }))
}
