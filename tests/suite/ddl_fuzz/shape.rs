//! What a table is like just now, as its server tells: statements and rows are drawn for that.

use super::server::Server;
use crate::harness::MysqlSession;

/// A column.
#[derive(Clone, Debug)]
pub struct Column {
    /// Quoted.
    pub name: String,
    /// `varchar`.
    pub data_type: String,
    /// `varchar(20)`.
    pub full_type: String,
    /// Whether NULL goes in.
    pub nullable: bool,
    /// Whether it is computed.
    pub generated: bool,
    /// Of text.
    pub charset: Option<String>,
}

/// A table's columns, keys and partitions.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    /// In order; none when there is no such table.
    pub columns: Vec<Column>,
    /// Those of the primary key, quoted.
    pub key: Vec<String>,
    /// Names of the other indexes, quoted.
    pub indexes: Vec<String>,
    /// Names of foreign keys and CHECKs, quoted, with the type.
    pub constraints: Vec<(String, String)>,
    /// Names of the partitions.
    pub partitions: Vec<String>,
    /// `RANGE`, `LIST COLUMNS`, …; `None` without partitions.
    pub method: Option<String>,
    /// What each partition ends before, or holds.
    pub bounds: Vec<Option<String>>,
}

impl Shape {
    /// Asks for the shape of `t` in a database.
    pub async fn read(session: &mut MysqlSession, server: Server, database: &str) -> Self {
        let of_table = format!("TABLE_SCHEMA = '{database}' AND TABLE_NAME = 't'");
        let generated = if server.is_modern() { "GENERATION_EXPRESSION" } else { "''" };
        let columns = session
            .sql(&format!(
                "SELECT COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, IS_NULLABLE, COALESCE({generated}, ''), CHARACTER_SET_NAME, EXTRA \
                 FROM information_schema.COLUMNS WHERE {of_table} ORDER BY ORDINAL_POSITION"
            ))
            .await;
        let columns: Vec<Column> = columns.into_iter().map(column).collect();
        if columns.is_empty() {
            return Self::default();
        }
        let indexes = session
            .sql(&format!(
                "SELECT INDEX_NAME, COLUMN_NAME FROM information_schema.STATISTICS WHERE {of_table} \
                 ORDER BY INDEX_NAME, SEQ_IN_INDEX"
            ))
            .await;
        let (key, others): (Vec<_>, Vec<_>) =
            indexes.into_iter().partition(|index| index[0].as_deref() == Some("PRIMARY"));
        let key = key.into_iter().filter_map(|index| Some(quoted(index[1].as_deref()?))).collect();
        let mut indexes: Vec<String> =
            others.into_iter().filter_map(|index| Some(quoted(index[0].as_deref()?))).collect();
        indexes.dedup();
        let constraints = session
            .sql(&format!(
                "SELECT CONSTRAINT_NAME, CONSTRAINT_TYPE FROM information_schema.TABLE_CONSTRAINTS WHERE {of_table} \
                 AND CONSTRAINT_TYPE IN ('CHECK', 'FOREIGN KEY')"
            ))
            .await;
        let constraints =
            constraints.into_iter().filter_map(|row| Some((quoted(row[0].as_deref()?), row[1].clone()?)));
        let partitions = session
            .sql(&format!(
                "SELECT DISTINCT PARTITION_NAME, PARTITION_METHOD, PARTITION_DESCRIPTION, \
                 PARTITION_ORDINAL_POSITION FROM information_schema.PARTITIONS \
                 WHERE {of_table} AND PARTITION_NAME IS NOT NULL ORDER BY PARTITION_ORDINAL_POSITION"
            ))
            .await;
        let first = partitions.first();
        Self {
            key,
            indexes,
            constraints: constraints.collect(),
            method: first.and_then(|row| row[1].clone()),
            bounds: partitions.iter().map(|row| row[2].clone()).collect(),
            partitions: partitions.into_iter().filter_map(|row| row[0].clone()).collect(),
            columns,
        }
    }

    /// The columns that values can be put in.
    pub fn settable(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| !column.generated)
    }

    /// By what rows are told apart: the key, or the first column.
    pub fn order(&self) -> String {
        match self.key.as_slice() {
            [] => self.columns.first().map(|column| column.name.clone()).unwrap_or_default(),
            key => key.join(", "),
        }
    }
}

fn column(row: Vec<Option<String>>) -> Column {
    let [name, data_type, full_type, nullable, generated, charset, extra] =
        <[Option<String>; 7]>::try_from(row).expect("seven");
    let extra = extra.unwrap_or_default().to_uppercase();
    Column {
        name: quoted(&name.unwrap_or_default()),
        data_type: data_type.unwrap_or_default().to_lowercase(),
        full_type: full_type.unwrap_or_default(),
        nullable: nullable.as_deref() == Some("YES"),
        // MySQL 9.7 also says DEFAULT_GENERATED, of a default that is an expression.
        generated: generated.is_some_and(|text| !text.is_empty())
            || extra.contains("VIRTUAL GENERATED")
            || extra.contains("STORED GENERATED"),
        charset,
    }
}

/// A name between backticks.
pub fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}
