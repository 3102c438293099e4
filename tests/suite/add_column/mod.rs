//! ADD COLUMN as people write it: existing rows hold in the target what the source gave them.

mod definitions;
mod sessions;

use crate::harness::{DEADLINE, Mysql, Scene, postgres, servers_script, wait_applied_within};
use std::collections::BTreeSet;
use std::fmt;

/// A time zone with the doubled hours of Europe/Berlin around 2025, which servers know as `Test/Berlin` without a file.
const ZONE: &str = "USE mysql; INSERT INTO time_zone (Time_zone_id, Use_leap_seconds) VALUES (77, 'N'); \
    INSERT INTO time_zone_name VALUES ('Test/Berlin', 77); \
    INSERT INTO time_zone_transition_type VALUES (77, 0, 3600, 0, 'CET'), (77, 1, 7200, 1, 'CEST'); \
    INSERT INTO time_zone_transition VALUES (77, 1711846800, 1), (77, 1729990800, 0), (77, 1743296400, 1), \
    (77, 1761440400, 0), (77, 1774746000, 1), (77, 1792890000, 0)";

/// Sessions as they are: their name, and what they set. The first one writes only literals, as most people do; the tables of the third
/// are of another character set. 1761442200 is the second 02:30 of 2025-10-26 in Berlin.
const SESSIONS: &[(&str, &str)] = &[
    ("plain", "SET NAMES utf8mb4"),
    (
        "system",
        "SET NAMES utf8mb4 COLLATE utf8mb4_bin, sql_mode = 'STRICT_ALL_TABLES', timestamp = 1761442200.654321",
    ),
    ("fixed", "SET NAMES latin1, sql_mode = '', time_zone = '+05:30', timestamp = 1000000000.5"),
    (
        "named",
        "SET NAMES utf8mb4, collation_connection = latin1_swedish_ci, time_zone = 'Test/Berlin', timestamp = 1761442200, \
         sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,REAL_AS_FLOAT,PIPES_AS_CONCAT,STRICT_TRANS_TABLES,NO_ZERO_DATE'",
    ),
];

/// Gives each definition to a table of its session, and compares. What cannot be carried must be what is in `stops`
/// (`session: definition`): its table is parked for it.
async fn carried(mysql: &Mysql, stops: &[&str]) {
    mysql.sql(ZONE).await;
    // The daemon needs no privilege beyond those it has anyway.
    let more = if mysql.kind() == "mysql97" { "; GRANT XA_RECOVER_ADMIN ON *.* TO reader" } else { "" };
    mysql
        .sql(&format!(
            "CREATE USER reader; GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO reader{more}"
        ))
        .await;
    let name = format!("add_column_{}", mysql.kind());
    let scene = Scene::on(mysql, postgres().await, &name).await;
    let plan = plan(stops);
    let tables: BTreeSet<&str> = plan.iter().map(|one| one.table.as_str()).collect();
    for table in &tables {
        let charset = if table.starts_with("fixed") { "latin1" } else { "utf8mb4" };
        scene
            .source
            .sql(&format!(
                "CREATE TABLE {table} (id INT PRIMARY KEY) DEFAULT CHARSET {charset}; INSERT INTO {table} VALUES (1), (2)"
            ))
            .await;
    }
    let url = format!("{:?}", mysql.url().replace("root@", "reader@"));
    let config = scene.config().source("url", &url).task("on_table_error", "\"park\"");
    let daemon = scene.start_with(&config.task("ddl_policy", "{ change_values = \"park\" }")).await;
    let (mut added, mut refused) = (Vec::new(), Vec::new());
    for (session, settings) in SESSIONS {
        let mut connection = scene.source.session().await;
        connection.sql(settings).await;
        for one in plan.iter().filter(|one| one.session == *session) {
            let Planned { table, column, definition, .. } = one;
            match connection.try_sql(&format!("ALTER TABLE {table} ADD {column} {definition}")).await {
                Ok(_) => added.push(one),
                Err(error) => refused.push(format!("{one}: {error}")),
            }
        }
    }
    for table in &tables {
        scene.source.sql(&format!("SET sql_mode = ''; INSERT INTO {table} (id) VALUES (3)")).await;
    }
    wait_applied_within(DEADLINE * 4, &daemon, mysql).await;
    let task = daemon.task().await.expect("it answers");
    let told = |one: &Planned| {
        task.tables.get(&format!("{name}.{}", one.table)).and_then(|table| table.trouble.clone())
    };
    let mut stopped: Vec<&Planned> = Vec::new();
    for one in &added {
        if let Some(trouble) = told(one) {
            println!("{one}: {}", trouble.error);
            let reasons = [format!("column {} ", one.column), format!("column {}:", one.column)];
            if reasons.iter().any(|reason| trouble.error.contains(reason)) {
                stopped.push(one);
            }
        }
    }
    let mut wrong = Vec::new();
    for table in &tables {
        if stopped.iter().any(|one| one.table == *table) {
            continue;
        }
        if let Err(difference) = scene.equal(table).await {
            wrong.push(difference);
        }
    }
    let names = added.iter().map(|one| format!("{} {one}", one.column)).collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "{}\n{names}", wrong.join("\n"));
    println!(
        "{}: {} added, {} stopped, {} refused by the server",
        mysql.kind(),
        added.len(),
        stopped.len(),
        refused.len()
    );
    let stopped: Vec<String> = stopped.iter().map(ToString::to_string).collect();
    assert_eq!(stopped, stops, "what stops the task");
    assert!(added.len() - stopped.len() >= 150, "{} definitions", added.len());
}

/// A column to be added.
struct Planned {
    session: &'static str,
    table: String,
    column: String,
    definition: &'static str,
}

impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.session, self.definition)
    }
}

/// Columns of one table at most: a wider one makes each statement on it slower, on either side and in between.
const WIDTH: usize = 12;

/// Each definition in each session. A TIMESTAMP has a table of its own: one that is there in the hour that comes twice would stop the
/// next statement. So has what stops: nothing is carried behind it.
fn plan(stops: &[&str]) -> Vec<Planned> {
    let mut plan = Vec::new();
    for (session, _) in SESSIONS {
        let literals = definitions::LITERALS.iter().map(|definition| ("literals", definition));
        let expressions = definitions::EXPRESSIONS.iter().map(|definition| ("expressions", definition));
        for (at, (kind, definition)) in literals.chain(expressions).enumerate() {
            if *session == "plain" && kind == "expressions" {
                continue;
            }
            let stops = stops.contains(&format!("{session}: {definition}").as_str());
            let table = if stops || definition.starts_with("TIMESTAMP") {
                format!("{session}_alone_{at}")
            } else {
                format!("{session}_{kind}_{}", at / WIDTH)
            };
            plan.push(Planned { session, table, column: format!("c{at}"), definition });
        }
    }
    plan
}

/// A server on a machine in Berlin. It need not survive its machine: hundreds of statements are quicker so.
async fn in_berlin(kind: &'static str) -> Mysql {
    let hasty = ["--sync-binlog=0", "--innodb-flush-log-at-trx-commit=0"];
    Mysql::start_in_zone(kind, "Europe/Berlin", &hasty).await
}

/// In the zone `SYSTEM` it depends on the season in which the server was started which hour is meant.
const TWICE: [&str; 2] = [
    "plain: TIMESTAMP NULL DEFAULT '2025-10-26 02:30:00'",
    "system: TIMESTAMP NULL DEFAULT '2025-10-26 02:30:00'",
];

/// What the client sent as latin1 and what the server keeps are not both in the log.
const AS_SENT: [&str; 2] = [
    "fixed: VARCHAR(9) CHARACTER SET utf8mb4 DEFAULT _utf8mb4 'é'",
    "fixed: VARCHAR(9) CHARACTER SET utf8mb4 DEFAULT N'é'",
];

/// MariaDB's `old_mode` decides which day a time of the day gets, and is not in the log.
const MARIADB: [&str; 7] = [
    TWICE[0],
    TWICE[1],
    "system: DATETIME DEFAULT (TIME '10:11:12')",
    AS_SENT[0],
    AS_SENT[1],
    "fixed: DATETIME DEFAULT (TIME '10:11:12')",
    "named: DATETIME DEFAULT (TIME '10:11:12')",
];

#[tokio::test]
async fn existing_rows_get_what_mysql_9_7_gave_them() {
    let stops = [
        TWICE[0],
        TWICE[1],
        // The current day.
        "system: DATETIME DEFAULT (TIME '10:11:12')",
        // The current time in parentheses is local time to it.
        "system: TIMESTAMP NULL DEFAULT (NOW())",
        "system: TIMESTAMP NULL DEFAULT (CURRENT_TIMESTAMP(6))",
        "system: TIMESTAMP(6) NULL DEFAULT (NOW(6))",
        AS_SENT[0],
        AS_SENT[1],
        // Outside strict mode the server clips them.
        "fixed: TINYINT DEFAULT (300)",
        "fixed: INT UNSIGNED DEFAULT (-1)",
        "fixed: DECIMAL(3,1) DEFAULT (999)",
        "fixed: TINYTEXT DEFAULT (REPEAT('a', 300))",
        // Outside strict mode letters may have become question marks.
        "fixed: VARCHAR(20) DEFAULT (CONCAT('é', 1.50))",
        "fixed: VARCHAR(20) CHARACTER SET latin1 DEFAULT (CONCAT('é', 'x'))",
        "fixed: DATETIME DEFAULT (TIME '10:11:12')",
        // NO_BACKSLASH_ESCAPES.
        "named: VARCHAR(20) DEFAULT (CONCAT('a', '\\\\'))",
        "named: DATETIME DEFAULT (TIME '10:11:12')",
    ];
    carried(&in_berlin("mysql97").await, &stops).await;
}

#[tokio::test]
async fn existing_rows_get_what_mysql_5_6_gave_them() {
    carried(&in_berlin("mysql56").await, &[TWICE, AS_SENT].concat()).await;
}

#[tokio::test]
async fn existing_rows_get_what_mariadb_gave_them() {
    carried(&in_berlin("mariadb").await, &MARIADB).await;
}

/// For machines that have it: no other test needs it.
#[tokio::test]
async fn existing_rows_get_what_mariadb_11_8_gave_them() {
    let has = servers_script().args(["check", "mariadb118"]).output().expect("the script runs");
    if has.status.success() {
        carried(&in_berlin("mariadb118").await, &MARIADB).await;
    }
}
