//! What is found out about a source, with and without privileges, and how it is said when it cannot be reached.

use crate::harness::{Mysql, free_port, mariadb, mysql56, mysql97};
use rowferry::testing::change::Retry;
use rowferry::testing::change::TableName;
use rowferry::testing::config::types::{Selection, SourceEndpoint, SourceTlsMode, TlsFiles};
use rowferry::testing::schema::{ColumnDefault, MySqlType, Table};
use rowferry::testing::source::{Server, SourceErrorKind};

fn endpoint(port: u16, user: &str, password: &str) -> SourceEndpoint {
    SourceEndpoint {
        name: "shop".into(),
        host: "127.0.0.1".into(),
        port,
        user: user.into(),
        password: password.to_owned().into(),
        tls: SourceTlsMode::Preferred,
        tls_files: TlsFiles::default(),
    }
}

fn selection(database: &str) -> Selection {
    let pattern = format!("{database}.*");
    let include = globset::GlobSetBuilder::new().add(globset::Glob::new(&pattern).unwrap()).build().unwrap();
    Selection { patterns: vec![pattern], include, exclude: globset::GlobSet::empty() }
}

async fn user(mysql: &Mysql, name: &str, grants: &[&str]) {
    mysql.sql(&format!("DROP USER IF EXISTS {name}; CREATE USER {name} IDENTIFIED BY 'secret'")).await;
    for grant in grants {
        mysql.sql(&format!("GRANT {grant} TO {name}")).await;
    }
}

#[tokio::test]
async fn a_full_user_sees_every_fact() {
    let mysql = mysql97().await;
    let database = mysql.database("facts_full").await;
    database
        .sql(
            "CREATE TABLE parent (id INT PRIMARY KEY); CREATE TABLE nokey (v INT NULL, UNIQUE KEY (v)); \
             CREATE TABLE child (a INT, b INT, p INT, PRIMARY KEY (b, a), \
               CONSTRAINT f1 FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE, \
               CONSTRAINT f2 FOREIGN KEY (a) REFERENCES parent (id)); \
             CREATE VIEW seen AS SELECT * FROM parent",
        )
        .await;
    user(
        mysql,
        "facts_full",
        &["SELECT ON facts_full.*", "REPLICATION SLAVE, REPLICATION CLIENT, XA_RECOVER_ADMIN ON *.*"],
    )
    .await;
    let mut server = Server::connect(&endpoint(mysql.port(), "facts_full", "secret")).await.unwrap();
    let (facts, definitions) = server.facts(&selection("facts_full")).await.unwrap();
    assert_eq!(facts.missing_privileges.into_iter().collect::<Vec<_>>(), Vec::<String>::new());
    assert!(facts.log_bin && facts.gtid_mode_on && facts.version_number > 90_000);
    assert_eq!((facts.binlog_format.as_str(), facts.binlog_row_image.as_str()), ("ROW", "FULL"));
    assert_eq!(facts.server_uuid, Some(mysql.one("SELECT @@server_uuid").await));
    assert_eq!(facts.prepared_xa, Some(0));
    assert!(facts.log_end.is_some() && !facts.gtid_executed.is_empty());
    let names: Vec<&str> = facts.tables.keys().map(|name| name.table.as_str()).collect();
    assert_eq!(names, ["child", "nokey", "parent"]);
    let child = &facts.tables[&TableName::new("facts_full", "child")];
    assert!(child.has_key && child.readable && child.engine == "InnoDB");
    assert_eq!(keys(&definitions, "child"), ["f1"]);
    assert!(!facts.tables[&TableName::new("facts_full", "nokey")].has_key);
}

#[tokio::test]
async fn missing_privileges_are_facts() {
    let mysql = mysql97().await;
    let database = mysql.database("facts_few").await;
    database.sql("CREATE TABLE whole (a INT PRIMARY KEY, b INT); CREATE TABLE part LIKE whole; CREATE TABLE none LIKE whole").await;
    user(
        mysql,
        "facts_few",
        &["SELECT ON facts_few.whole", "SELECT (a) ON facts_few.part", "INSERT ON facts_few.none"],
    )
    .await;
    let mut server = Server::connect(&endpoint(mysql.port(), "facts_few", "secret")).await.unwrap();
    let (facts, _) = server.facts(&selection("facts_few")).await.unwrap();
    let missing: Vec<&str> = facts.missing_privileges.iter().map(String::as_str).collect();
    assert_eq!(missing, ["REPLICATION CLIENT", "REPLICATION SLAVE", "XA_RECOVER_ADMIN"]);
    assert_eq!((facts.prepared_xa, facts.log_end), (None, None));
    let readable: Vec<(&str, bool)> =
        facts.tables.iter().map(|(name, table)| (name.table.as_str(), table.readable)).collect();
    assert_eq!(readable, [("none", false), ("part", false), ("whole", true)]);
    mysql.sql("GRANT REPLICATION CLIENT ON *.* TO facts_few").await;
    let mut server = Server::connect(&endpoint(mysql.port(), "facts_few", "secret")).await.unwrap();
    match server.stream_start().await.unwrap_err().retry() {
        Retry::AfterFix { remedy } => {
            assert_eq!(remedy.to_string(), "GRANT XA_RECOVER_ADMIN ON *.* TO 'facts_few'");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_role_counts_as_a_grant() {
    let mysql = mysql97().await;
    let database = mysql.database("facts_role").await;
    database.sql("CREATE TABLE t (a INT PRIMARY KEY)").await;
    user(mysql, "facts_role", &[]).await;
    mysql
        .sql(
            "DROP ROLE IF EXISTS facts_reader; CREATE ROLE facts_reader; \
             GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT, XA_RECOVER_ADMIN ON *.* TO facts_reader; \
             GRANT facts_reader TO facts_role; SET DEFAULT ROLE facts_reader TO facts_role",
        )
        .await;
    let mut server = Server::connect(&endpoint(mysql.port(), "facts_role", "secret")).await.unwrap();
    let (facts, _) = server.facts(&selection("facts_role")).await.unwrap();
    assert!(facts.missing_privileges.is_empty(), "{:?}", facts.missing_privileges);
    assert!(facts.tables[&TableName::new("facts_role", "t")].readable);
}

#[tokio::test]
async fn a_definition_holds_what_the_log_will_show() {
    let mysql = mysql97().await;
    let database = mysql.database("facts_tables").await;
    database
        .sql(
            r"SET SESSION sql_generate_invisible_primary_key = ON;
             CREATE TABLE gipk (v INT);
             CREATE TABLE wide (a INT NOT NULL, b INT DEFAULT (1 + 1), hidden INT INVISIBLE DEFAULT 7,
               s INT AS (a + 1) STORED, w INT AS (a + 2), e ENUM('it''s','x,y','ü\\') CHARACTER SET latin1,
               v VECTOR(3), g POINT, j JSON, t TIMESTAMP(3) NULL DEFAULT CURRENT_TIMESTAMP(3), y YEAR DEFAULT 1999,
               n VARCHAR(9) DEFAULT 'NULL', KEY ((a + 5)), PRIMARY KEY (a)) DEFAULT CHARSET = utf8mb4",
        )
        .await;
    let mut server = Server::connect(&endpoint(mysql.port(), "root", "")).await.unwrap();
    let tables = server.tables(&selection("facts_tables")).await.unwrap();
    let [gipk, wide] = tables.as_slice() else { panic!("{tables:?}") };
    assert_eq!(gipk.primary_key, [0]);
    assert_eq!(gipk.columns[0].name, "my_row_id");
    assert!(gipk.columns[0].auto_increment);
    let names: Vec<&str> = wide.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "hidden", "s", "w", "e", "v", "g", "j", "t", "y", "n"]);
    let column = |name: &str| &wide.columns[wide.column_index(name).unwrap()];
    assert_eq!(column("b").default, ColumnDefault::Expression("(1 + 1)".into()));
    assert_eq!(column("hidden").default, ColumnDefault::Literal("7".into()));
    assert_eq!(column("t").default, ColumnDefault::Expression("CURRENT_TIMESTAMP(3)".into()));
    assert_eq!(column("n").default, ColumnDefault::Literal("NULL".into()));
    assert!(column("s").generated && column("w").generated && !column("b").generated);
    assert_eq!(column("v").data_type, MySqlType::Vector { dimensions: 3 });
    assert_eq!(column("j").data_type, MySqlType::Json);
    assert_eq!(column("t").data_type, MySqlType::Timestamp { fraction: 3, old_format: false });
    match &column("e").data_type {
        MySqlType::Enum { labels, charset } => {
            assert_eq!(
                (labels.as_slice(), charset.name.as_str()),
                (&["it's".into(), "x,y".into(), "ü\\".into()][..], "latin1")
            );
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_keeps_us_out_is_said_in_one_sentence() {
    let mysql = mysql97().await;
    user(mysql, "facts_locked", &[]).await;
    let refused = Server::connect(&endpoint(mysql.port(), "facts_locked", "wrong")).await.unwrap_err();
    assert!(matches!(refused.kind, SourceErrorKind::Login { .. }), "{refused:?}");
    assert!(
        refused.to_string().starts_with(&format!(
            "source shop (127.0.0.1:{}): user 'facts_locked' is refused",
            mysql.port()
        ))
    );
    assert!(matches!(refused.retry(), Retry::AfterFix { .. }));

    let nobody = Server::connect(&endpoint(free_port(), "root", "")).await.unwrap_err();
    assert!(matches!(nobody.kind, SourceErrorKind::Connection { .. }), "{nobody:?}");
    assert_eq!(nobody.retry(), Retry::AfterBackoff);
}

async fn facts_of_a_reader(mysql: &Mysql, name: &str) -> rowferry::testing::change::facts::SourceFacts {
    let database = mysql.database(name).await;
    database
        .sql(
            "CREATE TABLE parent (id INT PRIMARY KEY) ENGINE = InnoDB; \
             CREATE TABLE child (id INT PRIMARY KEY, p INT, \
               CONSTRAINT f1 FOREIGN KEY (p) REFERENCES parent (id) ON UPDATE SET NULL, \
               CONSTRAINT f2 FOREIGN KEY (id) REFERENCES parent (id)) ENGINE = InnoDB",
        )
        .await;
    mysql.sql(&format!("GRANT SELECT ON {name}.* TO '{name}'@'127.0.0.1' IDENTIFIED BY 'secret'")).await;
    let mut server = Server::connect(&endpoint(mysql.port(), name, "secret")).await.unwrap();
    let (facts, definitions) = server.facts(&selection(name)).await.unwrap();
    assert_eq!(keys(&definitions, "child"), ["f1"]);
    assert!(facts.tables.values().all(|table| table.readable && table.has_key));
    assert!(facts.missing_privileges.contains("REPLICATION SLAVE"));
    assert!(!facts.gtid_mode_on && facts.log_end.is_none() && facts.log_bin);
    facts
}

#[tokio::test]
async fn the_facts_of_mysql_5_6() {
    let facts = facts_of_a_reader(mysql56().await, "facts_56").await;
    assert_eq!(
        (facts.receives, facts.logs_received),
        (None, false),
        "no privilege to see whether it is a replica"
    );
    assert!(facts.missing_privileges.contains("REPLICATION CLIENT"));
    assert_eq!(facts.prepared_xa, Some(0));
}

/// MariaDB hides the rules of foreign keys from a user with nothing but SELECT.
#[tokio::test]
async fn the_facts_of_mariadb() {
    let facts = facts_of_a_reader(mariadb().await, "facts_maria").await;
    assert!(facts.server_uuid.unwrap().starts_with("server_id "), "MariaDB has no server_uuid");
    assert!(facts.missing_privileges.contains("BINLOG MONITOR"));
    assert_eq!(
        (facts.receives, facts.logs_received),
        (None, false),
        "no privilege to see whether it is a replica"
    );
}

/// The foreign keys of a table that change its rows.
fn keys<'a>(definitions: &'a [Table], table: &str) -> Vec<&'a str> {
    let table = definitions.iter().find(|definition| definition.name.table == table).unwrap();
    table.foreign_keys.iter().map(|key| key.name.as_str()).collect()
}
