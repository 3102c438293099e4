//! What somebody asks of the tables while the task runs: whether it can be, and what the main stream does for it.
//!
//! What must never happen here: an answer that says done before it is durable.

use super::manager::Manager;
use super::meet::Visit;
use crate::change::TableName;
use crate::change::command::Change;
use crate::change::state::TableState;
use crate::sink::store::StoredTable;
use crate::task::request::Request;
use crate::task::{TaskError, prepare};
use tokio::sync::oneshot;

impl Manager {
    /// Does what is asked, as far as it can be done, and answers.
    pub(super) async fn does(&self, request: Request) {
        let Request { change, tables, answer } = request;
        if answer.is_closed() {
            return;
        }
        let mut lines = Vec::new();
        for table in &tables {
            match self.one(change, table).await {
                Ok(line) => {
                    tracing::info!(task = self.context.name, %table, "by command: {line}");
                    lines.push(format!("{table}: {line}"));
                }
                Err(error) => {
                    let _asker_has_gone = answer.send(Err(error));
                    return;
                }
            }
        }
        let _asker_has_gone = answer.send(Ok(lines));
    }

    async fn one(&self, change: Change, table: &TableName) -> Result<&'static str, TaskError> {
        let stored = self.owner.store().load(self.owner.session()).await?;
        let known = stored.tables.get(table);
        check(&self.context, &self.owner, change, table, known).await?;
        let (heard, done) = oneshot::channel();
        let table = table.clone();
        let (visit, line) = match (change, known.map(|known| &known.state)) {
            (Change::Add | Change::Resync, Some(TableState::Aside { .. })) => {
                return Ok("its copy is on its way, and goes on");
            }
            (Change::Drop { .. }, Some(TableState::Aside { .. })) => {
                return Err(TaskError::OnItsWay { table });
            }
            (Change::Drop { .. }, Some(TableState::LetGo)) => return Ok("it is not carried"),
            (Change::Add, None | Some(TableState::LetGo | TableState::Pending))
            | (Change::Resync, Some(TableState::LetGo)) => {
                (Visit::LetIn { table, heard }, "it is copied beside the others")
            }
            (
                Change::Add,
                Some(TableState::Snapshotting { .. } | TableState::CatchingUp { .. } | TableState::Streaming),
            ) => {
                return Ok("it is carried already");
            }
            (Change::Add | Change::Resync, _) => (Visit::Again { table, heard }, "it is copied again"),
            (Change::Drop { remove_rows: true }, _) => (
                Visit::LetGo { table, remove_rows: true, heard },
                "it is not carried any more, and its rows are gone",
            ),
            (Change::Drop { remove_rows: false }, _) => (
                Visit::LetGo { table, remove_rows: false, heard },
                "it is not carried any more; its target table stays",
            ),
        };
        let sent = self.visits.send(visit).await;
        match (sent, done.await) {
            (Ok(()), Ok(())) => Ok(line),
            _ => Err(TaskError::Unsettled {
                why: "the task starts over, and it is not known whether it was done".to_owned(),
            }),
        }
    }
}

/// Whether what is asked of a table can be done.
///
/// # Errors
/// Why it cannot.
pub(in crate::task) async fn check(
    context: &crate::task::context::Context,
    owner: &crate::sink::Owner,
    change: Change,
    table: &TableName,
    known: Option<&StoredTable>,
) -> Result<(), TaskError> {
    let task = context.name.clone();
    if !context.task().tables.contains(&table.database, &table.table) {
        return Err(TaskError::NotSelected { table: table.clone(), task });
    }
    match (change, known) {
        (Change::Add, _) => Ok(()),
        (_, None | Some(StoredTable { state: TableState::Pending, .. })) => {
            Err(TaskError::NotOnRecord { table: table.clone(), task })
        }
        (Change::Resync, Some(known)) if !matches!(known.state, TableState::Aside { .. }) => {
            prepare::is_replaceable(context, owner, table, known).await
        }
        (Change::Resync | Change::Drop { .. }, Some(_)) => Ok(()),
    }
}
