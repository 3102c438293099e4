//! The target's side alone: sessions, catalog, DDL, the checkpoint store and ownership, without a source.

mod catalog;
mod ddl;
mod owner;
mod session;
mod store;
mod tagged;
mod upgrade;

use crate::harness::PostgresDatabase;
use rowferry::testing::change::{
    FilePosition, Position, TableName, Taken, TargetColumn, TargetName, TargetTable, TargetType,
};
use rowferry::testing::config::types::{TargetEndpoint, TargetTlsMode};
use rowferry::testing::sink::Session;

/// How the sink reaches a test's database.
fn endpoint(database: &PostgresDatabase<'_>) -> TargetEndpoint {
    TargetEndpoint { tls: TargetTlsMode::Prefer, ..database.endpoint() }
}

async fn connect(database: &PostgresDatabase<'_>) -> Session {
    Session::connect(&endpoint(database), "suite").await.unwrap()
}

fn target(schema: &str, table: &str) -> TargetName {
    TargetName { schema: schema.into(), table: table.into() }
}

fn column(name: &str, data_type: TargetType, nullable: bool) -> TargetColumn {
    TargetColumn { name: name.into(), data_type, nullable }
}

fn table(name: &TargetName, columns: Vec<TargetColumn>, primary_key: &[&str]) -> TargetTable {
    TargetTable {
        name: name.clone(),
        columns,
        primary_key: primary_key.iter().map(|&name| name.to_owned()).collect(),
        distribution: None,
        storage: None,
    }
}

fn source(table: &str) -> TableName {
    TableName::new("shop", table)
}

/// A position `offset` bytes into a file, with a set of `offset` transactions.
pub fn at(offset: u64) -> Position {
    Position {
        server: "3e11fa47-71ca-11e1-9e33-c80aa9429562".into(),
        file: FilePosition { file: "binlog.000007".into(), offset },
        file_begun: Some(1_700_000_000),
        taken: Taken::Gtids(format!("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-{offset}").parse().unwrap()),
        xa: rowferry::testing::change::XaState::default(),
    }
}
