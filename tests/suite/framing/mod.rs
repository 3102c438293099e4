//! How transactions stand in the log of each kind of source: the same scripts on all of them, followed by a running daemon,
//! whose target must hold the same rows after each, without one row found missing or in the way.

mod cases;
mod sessions;

use crate::harness::{Config, Kind, Mysql, Scene, mariadb, mysql56, mysql97, postgres, run_folder};
use cases::{CASES, FAILING_ALTER};

/// `a`, `b`, `k`, `auto` and `big` are carried; what begins with `u_` is not.
const TABLES: &str = "
    CREATE TABLE a (id INT PRIMARY KEY, v VARCHAR(50), n INT) ENGINE = InnoDB;
    CREATE TABLE b (id INT PRIMARY KEY, v VARCHAR(50), n INT) ENGINE = InnoDB;
    CREATE TABLE k (id INT PRIMARY KEY, u INT UNIQUE, v VARCHAR(50)) ENGINE = InnoDB;
    CREATE TABLE auto (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(50) UNIQUE, n INT NOT NULL DEFAULT 0) ENGINE = InnoDB;
    CREATE TABLE big (id INT PRIMARY KEY, v VARCHAR(500)) ENGINE = InnoDB;
    CREATE TABLE u_innodb (id INT PRIMARY KEY, n INT) ENGINE = InnoDB;
    CREATE TABLE u_load (id INT PRIMARY KEY, v VARCHAR(50), n INT) ENGINE = MyISAM;
    CREATE TABLE u_myisam (id INT PRIMARY KEY, n INT) ENGINE = MyISAM;
    CREATE TABLE u_memory (id INT PRIMARY KEY, n INT) ENGINE = MEMORY;
    INSERT INTO a VALUES (0, 'zero', 0); INSERT INTO b VALUES (0, 'zero', 0)";

const CARRIED: [&str; 5] = ["a", "b", "k", "auto", "big"];

fn config(scene: &Scene<'_>) -> Config {
    let tables = [format!("{}.*", scene.source.name), format!("!{}.u_*", scene.source.name)];
    let tables: Vec<&str> = tables.iter().map(String::as_str).collect();
    Config::new(&scene.source.server.url(), &scene.target.url(), &tables)
}

/// Runs every case of this kind.
async fn framed(mysql: &Mysql, kind: Kind, name: &str) {
    let scene = Scene::on(mysql, postgres().await, name).await;
    let file = run_folder().join(format!("{name}.load"));
    std::fs::write(&file, "9000\tloaded\t1\n9001\t\\N\t\\N\n9002\tlast\t3\n").unwrap();
    scene.source.sql(TABLES).await;
    if kind == Kind::Maria {
        let aria = "CREATE TABLE u_aria (id INT PRIMARY KEY, n INT) ENGINE = Aria TRANSACTIONAL = 1";
        scene.source.sql(aria).await;
    }
    let daemon = scene.start_with(&config(&scene)).await;
    let uuid = "6a3e5a11-0000-4000-8000-".to_owned() + &format!("{:012x}", std::process::id());
    for case in CASES.iter().filter(|case| case.on.is_empty() || case.on.contains(&kind)) {
        eprintln!("{name}: {}", case.name);
        let sql =
            case.sql.replace("$db", name).replace("$file", file.to_str().unwrap()).replace("$uuid", &uuid);
        scene.source.sql(&sql).await;
        // Rows that are gone again by now would not show a fault.
        scene.assert_exact(&daemon, &CARRIED).await;
    }
    if kind == Kind::Maria {
        scene.source.try_sql(FAILING_ALTER).await.unwrap_err();
        scene.source.sql("INSERT INTO a (id, v, n) VALUES (161, 'behind', 0)").await;
        scene.assert_exact(&daemon, &CARRIED).await;
    }
    // All of it once more from the log's own words: what was read must be readable again from the same place.
    daemon.restart();
    scene.assert_exact(&daemon, &CARRIED).await;
}

#[tokio::test]
async fn every_case_on_mysql_9_7() {
    framed(mysql97().await, Kind::Gtids97, "framing_97").await;
}

#[tokio::test]
async fn every_case_on_mysql_9_7_with_compressed_transactions() {
    let mysql = Mysql::private(&["--binlog-transaction-compression=ON"]).await;
    framed(&mysql, Kind::Gtids97, "framing_97_zstd").await;
}

#[tokio::test]
async fn every_case_on_mysql_9_7_by_file_positions() {
    let mysql = Mysql::private(&["--gtid-mode=OFF", "--enforce-gtid-consistency=OFF"]).await;
    framed(&mysql, Kind::Files97, "framing_97_files").await;
}

#[tokio::test]
async fn every_case_on_mysql_5_6() {
    framed(mysql56().await, Kind::Files56, "framing_56").await;
}

#[tokio::test]
async fn every_case_on_mysql_5_6_with_row_events_of_version_one_and_no_checksums() {
    let options = ["--log-bin-use-v1-row-events=ON", "--binlog-checksum=NONE"];
    framed(&Mysql::start("mysql56", &options).await, Kind::Files56, "framing_56_v1").await;
}

#[tokio::test]
async fn every_case_on_mysql_5_6_with_gtids() {
    let options = ["--gtid-mode=ON", "--enforce-gtid-consistency", "--log-slave-updates"];
    framed(&Mysql::start("mysql56", &options).await, Kind::Gtids56, "framing_56_gtid").await;
}

#[tokio::test]
async fn every_case_on_mariadb() {
    framed(mariadb().await, Kind::Maria, "framing_maria").await;
}

#[tokio::test]
async fn every_case_on_mariadb_with_compressed_events() {
    let options =
        ["--log-bin-compress=ON", "--log-bin-compress-min-len=10", "--binlog-annotate-row-events=OFF"];
    framed(&Mysql::start("mariadb", &options).await, Kind::Maria, "framing_maria_zlib").await;
}
