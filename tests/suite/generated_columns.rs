//! MariaDB 11 leaves generated columns out of what it logs of updates and deletes: they are computed from the rest of the row.

use crate::harness::{
    DEADLINE, Daemon, Mysql, Scene, applied_or_failed, eventually, mariadb, mariadb118, postgres, run_folder,
};
use crate::healing::parked;

/// Columns of a table, generated ones behind those that they are computed from and between others.
const COLUMNS: &str = "a INT, g1 TINYINT AS (a + 1), b BIGINT UNSIGNED, g2 BIGINT UNSIGNED AS (b DIV 3) STORED, \
    d DECIMAL(20,6), g3 DECIMAL(10,2) AS (d * 2), g4 DECIMAL(30,10) AS (d * 1.5) STORED, f FLOAT, g5 FLOAT AS (f * 3), \
    x DOUBLE, g6 DOUBLE AS (x * 1.1) STORED, s VARCHAR(40) CHARACTER SET utf8mb4, \
    l VARCHAR(20) CHARACTER SET latin1 COLLATE latin1_swedish_ci, g7 VARCHAR(70) AS (CONCAT(s, '|', l)), \
    g8 TEXT CHARACTER SET utf8mb4 AS (UPPER(s)) STORED, g9 CHAR(5) AS (LEFT(s, 3)), e ENUM('x', 'y''z', 'b\\\\c'), \
    g10 VARCHAR(9) AS (CONCAT(e, '!')), m SET('p', 'q', 'r'), g11 SET('q', 'p') AS (m), bt BIT(11), g12 BIT(12) AS (bt + 1), \
    y YEAR, g13 YEAR AS (y + 1), bin BINARY(4), g14 VARBINARY(9) AS (bin) STORED, bl BLOB, g15 BLOB AS (bl), g16 BINARY(6) AS (bin), \
    j JSON, g17 VARCHAR(20) AS (JSON_VALUE(j, '$.k')), g18 BIGINT AS (g1 + a), g19 ENUM('big', 'small') AS (IF(a > 3, 'big', 'small')), \
    g20 CHAR(32) AS (MD5(s)) STORED, g21 BOOLEAN AS (s = 'one'), g22 VARCHAR(300) CHARACTER SET ucs2 AS (CONCAT(s, g1)), \
    g23 INT AS (LENGTH(s)), g24 MEDIUMINT UNSIGNED AS (a DIV 3), g25 FLOAT(7,3) AS (f), `g ``26` VARCHAR(9) AS ('same'), dd DATE, g27 INT AS (YEAR(dd)) STORED, g28 INT AS (MONTH(dd)), dt DATETIME(3), g29 DATE AS (CAST(dt AS DATE)), \
    g30 INT AS (HOUR(dt) * 60 + MINUTE(dt)) STORED, g31 BOOLEAN AS (s LIKE 'o%'), c CHAR(4), g32 VARCHAR(9) AS (CONCAT(c, '|')), \
    g33 INT AS (TO_DAYS(dd))";

/// Values of those that are not generated.
const VALUES: [&str; 5] = [
    "a=1, b=1, d=0.5, f=1.5, x=1e-300, s='one', l='é', e='x', m='p', bt=1, y=1999, bin='a', bl='blob', j='{\"k\": \"v\"}', dd='2020-02-29', dt='2020-02-29 10:11:12.345', c='c'",
    "a=-1, b=18446744073709551615, d=-12345678901234.567891, f=16777217, x=-0.1, s='ß😀''\\\\', l='', e=\"y'z\", m='p,r', bt=2047, \
     y=0, bin=x'00ff0000', bl=x'', j='{\"k\": 5}', dd='0000-00-00', dt='0000-00-00', c=''",
    "a=NULL, b=NULL, d=NULL, f=NULL, x=NULL, s=NULL, l=NULL, e=NULL, m=NULL, bt=NULL, y=NULL, bin=NULL, bl=NULL, j=NULL, dd=NULL, dt=NULL, c=NULL",
    "a=2147483647, b=1, d=99999999999999.999999, f=-3.4e38, x=1.2e308, s=REPEAT('z', 40), l=REPEAT('é', 20), e='b\\\\c', m='', bt=0, \
     y=2154, bin='abcd', bl=REPEAT('x', 300), j='[]', dd='9999-12-31', dt='9999-12-31 23:59:59.999', c='é  '",
    "a=100, b=9007199254740993, d=0, f=0.1, x=123456789.123456789, s='tab\\t', l='x', e=3, m=7, bt=1024, y=1901, bin=x'61', bl=x'00', \
     j='{\"k\": null}', dd='2021-00-00', dt='2021-01-00 00:00:00', c='wxyz'",
];

async fn followed(mysql: &Mysql, name: &str) {
    let scene = Scene::on(mysql, postgres().await, name).await;
    let mut source = scene.source.session().await;
    // What does not fit is clipped.
    let lenient = "SET sql_mode = ''";
    source
        .sql(&format!(
            "{lenient}; CREATE TABLE t (id INT PRIMARY KEY, {COLUMNS}, n INT) CHARACTER SET latin1; \
             CREATE TABLE u (g INT AS (a * 2) STORED UNIQUE, a INT, h VARCHAR(2000), UNIQUE (h), k VARCHAR(9) NOT NULL UNIQUE, \
             c INT AS (1 + 1))"
        ))
        .await;
    for (id, values) in (1..).zip(VALUES) {
        source.sql(&format!("INSERT INTO t SET id={id}, {values}")).await;
    }
    source.sql("INSERT INTO u (a, h, k) VALUES (1, 'h', 'k'), (2, NULL, 'l')").await;
    let config = scene.config().healing();
    let daemon = scene.start_with(&config).await;
    // Each of the values in the place of each other.
    for (at, values) in VALUES.iter().enumerate() {
        source.sql(&format!("INSERT INTO t SET id={}, {values}", at + 11)).await;
        for id in [1, 2, 3, 4, 5] {
            source.sql(&format!("UPDATE t SET {values} WHERE id = {id}")).await;
        }
        scene.assert_exact(&daemon, &["t"]).await;
        source.sql(&format!("REPLACE INTO t SET id={}, {values}, n=7", at + 1)).await;
        source.sql(&format!("INSERT INTO t SET id={0} ON DUPLICATE KEY UPDATE {values}", at + 1)).await;
        scene.assert_exact(&daemon, &["t"]).await;
    }
    let images: &[&str] = if mysql.kind() == "mariadb118" { &["FULL", "FULL_NODUP"] } else { &["FULL"] };
    for (round, image) in (1..).zip(images) {
        let file = run_folder().join(format!("{name}_{round}.load"));
        std::fs::write(&file, format!("{}\t5\n13\t6\n", 100 + round)).unwrap();
        source
            .sql(&format!(
                "SET binlog_row_image = '{image}'; UPDATE t SET n = {round}; UPDATE t SET a = {round} WHERE id > 3; \
                 UPDATE t SET id = id + 100, s = CONCAT('k', id) WHERE id IN (11, 12); UPDATE t SET id = id - 100 WHERE id > 100; \
                 LOAD DATA INFILE '{}' REPLACE INTO TABLE t (id, a); \
                 BEGIN; UPDATE t SET b = id; SAVEPOINT p; DELETE FROM t; ROLLBACK TO p; DELETE FROM t WHERE id = {round}; COMMIT; \
                 XA START 'x{name}{round}'; UPDATE t SET l = 'xa'; DELETE FROM t WHERE id = 13; XA END 'x{name}{round}'; \
                 XA PREPARE 'x{name}{round}'; XA COMMIT 'x{name}{round}'; \
                 UPDATE u SET a = a + 10; UPDATE u SET k = CONCAT(k, 'x'), h = 'other' WHERE h IS NOT NULL; \
                 REPLACE INTO u (a, h, k) VALUES (11, 'h', 'new'); DELETE FROM u WHERE k = 'l'; \
                 INSERT INTO u (a, h, k) VALUES (2, NULL, 'l')",
                file.display()
            ))
            .await;
        scene.assert_exact(&daemon, &["t", "u"]).await;
    }
    daemon.kill9();
    let daemon = Daemon::start(&config);
    source.sql("UPDATE t SET s = 'again' WHERE id < 4; DELETE FROM t WHERE id = 4").await;
    scene.assert_exact(&daemon, &["t", "u"]).await;
}

#[tokio::test]
async fn generated_columns_are_followed_on_mariadb_10_11() {
    followed(mariadb().await, "generated").await;
}

#[tokio::test]
async fn generated_columns_are_followed_on_mariadb_11_8() {
    followed(mariadb118().await, "generated_118").await;
}

#[tokio::test]
async fn generated_columns_are_followed_with_full_metadata_and_compressed_events() {
    let options = ["--binlog-row-metadata=FULL", "--log-bin-compress=ON", "--log-bin-compress-min-len=10"];
    let mysql = Mysql::start("mariadb118", &options).await;
    followed(&mysql, "generated_full").await;
}

/// One that cannot be computed is named, and left out as the check says.
#[tokio::test]
async fn generated_columns_that_hang_on_more_than_the_row_are_refused_by_name() {
    let scene = Scene::on(mariadb118().await, postgres().await, "generated_refused").await;
    scene
        .source
        .sql(
            "CREATE TABLE t (id INT PRIMARY KEY, d DATE, g INT AS (WEEK(d)), v VARCHAR(9), h VARCHAR(20) AS (CONCAT(v, 'it''s')), \
             b BIGINT, i INT AS (CASE b WHEN '9007199254740993' THEN 1 ELSE 0 END), k INT AS (id + 1)); \
             INSERT INTO t (id, d, v, b) VALUES (1, '2020-01-01', 'v', 9007199254740992)",
        )
        .await;
    let output = crate::harness::rowferry(&["check", "-c", &scene.config().file()]).await;
    for column in ["g", "h", "i"] {
        let words = format!("generated column {column} cannot be carried");
        assert!(output.stdout.contains(&words), "{words}: {}", output.stdout);
    }
    let line = "exclude_columns = [\"g\", \"h\", \"i\"]";
    assert!(output.stdout.contains(line), "{}", output.stdout);
    let config = scene.config().healing().more(&format!("[task.main.table.\"generated_refused.t\"]\n{line}"));
    let daemon = scene.start_with(&config).await;
    scene
        .source
        .sql(
            "UPDATE t SET v = 'w', d = '2021-01-01'; INSERT INTO t (id, d, v) VALUES (2, '2022-02-02', 'x'); \
             REPLACE INTO t (id, v) VALUES (1, 'y'); UPDATE t SET id = id + 1 ORDER BY id DESC; DELETE FROM t WHERE id = 3",
        )
        .await;
    scene.wait_applied(&daemon).await;
    let rows = "SELECT string_agg(concat_ws(' ', id, v, k), ',') FROM generated_refused.t";
    assert_eq!(scene.target.one(rows).await, "2 y 3");
    // One that comes later.
    scene.source.sql("ALTER TABLE t ADD later INT AS (WEEK(d)); UPDATE t SET v = 'z'").await;
    let trouble = parked(&scene, &daemon, "t").await;
    assert!(trouble.error.contains("generated column later cannot be carried"), "{trouble:?}");
    assert!(trouble.remedy.contains("\"later\"]"), "{trouble:?}");
}

/// What each reader computes for itself is nobody's value.
#[tokio::test]
async fn virtual_columns_of_the_time_and_the_reader_are_refused_by_name() {
    for mysql in [mariadb().await, mariadb118().await] {
        let name = format!("generated_readers_{}", mysql.kind());
        let scene = Scene::on(mysql, postgres().await, &name).await;
        scene
            .source
            .sql(
                "CREATE TABLE t (id INT PRIMARY KEY, a DATETIME AS (NOW()), b DOUBLE AS (RAND()), c VARCHAR(99) AS (USER()), \
                 d INT AS (id + 1), e VARCHAR(36) AS (UUID()), f VARCHAR(99) AS (DATABASE()))",
            )
            .await;
        let output = crate::harness::rowferry(&["check", "-c", &scene.config().file()]).await;
        assert!(
            output.stdout.contains(r#"exclude_columns = ["a", "b", "c", "e", "f"]"#),
            "{}",
            output.stdout
        );
    }
}

/// A session may log less than all that is needed.
#[tokio::test]
async fn images_that_miss_more_than_generated_columns_are_told() {
    for (number, image) in (1..).zip(["MINIMAL", "NOBLOB"]) {
        let name = format!("generated_image_{number}");
        let scene = Scene::on(mariadb118().await, postgres().await, &name).await;
        scene
            .source
            .sql("CREATE TABLE t (id INT PRIMARY KEY, a INT, g INT AS (a + 1), t TEXT); INSERT INTO t (id, a, t) VALUES (1, 1, 't')")
            .await;
        let daemon =
            scene.start_with(&scene.config().task("ddl_policy", "{ statement_dml = \"stop\" }")).await;
        scene.source.sql(&format!("SET binlog_row_image = '{image}'; UPDATE t SET a = 2")).await;
        let failure = applied_or_failed(&daemon, scene.source.server).await.unwrap_err();
        assert!(failure.contains("are logged without all of their columns"), "{failure}");
        daemon.terminate();
        daemon.exit_code(DEADLINE).await;
    }
}

/// What a generated column reads has another name from now on: its expression is read again, with a copy.
#[tokio::test]
async fn a_column_that_a_generated_one_reads_may_get_another_name() {
    let scene = Scene::on(mariadb118().await, postgres().await, "generated_renamed").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY, a INT, g INT AS (a + 1)); INSERT INTO t (id, a) VALUES (1, 1), (2, 2)").await;
    let daemon = scene.start_with(&scene.config().healing()).await;
    scene
        .source
        .sql(
            "ALTER TABLE t RENAME COLUMN a TO b; UPDATE t SET b = 5 WHERE id = 1; DELETE FROM t WHERE id = 2",
        )
        .await;
    eventually(DEADLINE, "it is copied again", async || {
        daemon.log().contains("the table is carried by the main stream")
    })
    .await;
    scene
        .source
        .sql("UPDATE t SET b = 6; INSERT INTO t (id, b) VALUES (3, 3); UPDATE t SET b = 7 WHERE id = 3")
        .await;
    scene.assert_exact(&daemon, &["t"]).await;
}
