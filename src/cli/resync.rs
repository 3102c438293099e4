//! `rowferry resync`: tables are copied again.

use super::{CliError, Exit, chosen, out};
use crate::change::TableName;
use crate::config::Config;
use crate::task;
use std::sync::Arc;

/// Has tables copied again when the daemon runs again.
pub async fn resync(
    config: Arc<Config>,
    task: Option<String>,
    tables: Vec<String>,
) -> Result<Exit, CliError> {
    let names = tables.iter().map(|name| match name.split_once('.') {
        Some((database, table)) => Ok(TableName::new(database, table)),
        None => Err(CliError::TableName { name: name.clone() }),
    });
    let names = names.collect::<Result<Vec<_>, _>>()?;
    let name = match (task, config.tasks.len()) {
        (None, 1) => config.tasks.keys().next().cloned().unwrap_or_default(),
        (None, _) => {
            let known = chosen(&config, None)?.join(", ");
            return Err(CliError::WhichTask { known });
        }
        (task, _) => chosen(&config, task)?.concat(),
    };
    let on_their_way = task::resync(&name, &config, &names).await;
    let on_their_way = on_their_way.map_err(|error| CliError::Task { task: name.clone(), error })?;
    for table in names {
        let what = if on_their_way.contains(&table) {
            "its copy is on its way, and goes on"
        } else {
            "it is copied again"
        };
        out::print(&format!("{table}: {what} when task {name} runs\n"))?;
    }
    Ok(Exit::Good)
}
