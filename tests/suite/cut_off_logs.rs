//! Log files of MariaDB that end in the middle of an event: by a crash, or because they are damaged.

use crate::harness::{DEADLINE, Kind, Mysql, Scene, postgres, wait_log_end};
use rowferry::change::FilePosition;
use std::io::{Seek, SeekFrom, Write};

/// Makes the event at a place of the log as long as never was one.
fn damage(mysql: &Mysql, place: &FilePosition) {
    let mut file = std::fs::File::options().write(true).open(mysql.data_file(&place.file)).unwrap();
    file.seek(SeekFrom::Start(place.offset + 9)).unwrap();
    file.write_all(&(1_u32 << 20).to_le_bytes()).unwrap();
}

/// The server says of such a file what it says of one that a crash has cut off, but whole transactions follow in it.
#[tokio::test]
async fn a_file_that_is_damaged_inside_is_not_left_for_the_next() {
    for (restarts, words) in [(true, "has not been sent"), (false, "without dying")] {
        let mysql = Kind::Maria.private(&[]).await;
        let scene = Scene::on(&mysql, postgres().await, &format!("damaged_{restarts}")).await;
        scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1)").await;
        let daemon = scene.start().await;
        scene.assert_exact(&daemon, &["t"]).await;
        wait_log_end(&daemon, &mysql).await;
        daemon.kill9();
        let place = mysql.log_end().await;
        scene.source.sql("INSERT INTO t VALUES (2); INSERT INTO t VALUES (3)").await;
        if restarts {
            mysql.signal("TERM");
            mysql.wait_shut_down().await;
            damage(&mysql, &place);
            mysql.restart().await;
        } else {
            scene.source.sql("FLUSH LOGS").await;
            damage(&mysql, &place);
        }
        scene.source.sql("INSERT INTO t VALUES (4)").await;
        daemon.restart();
        let task = daemon.wait_task("the task fails", DEADLINE, |task| task.phase.name() == "Failed").await;
        let failure = format!("{:?}", task.phase);
        assert!(failure.contains(words) && failure.contains("copy the tables"), "{failure}");
        assert_eq!(scene.target.one(&format!("SELECT count(*) FROM {}.t", scene.source.name)).await, "1");
    }
}

/// A stream that was begun by names gets from the server what it has not taken in, which it has not behind a crash when it then
/// goes on by place.
#[tokio::test]
async fn behind_a_crash_nothing_comes_that_the_names_a_stream_was_begun_with_tell_of() {
    let mysql = Kind::Maria.private(&[]).await;
    let name = "crash_by_names";
    let scene = Scene::on(&mysql, postgres().await, name).await;
    let in_domain = async |domain: u32, sql: &str| {
        let mut session = scene.source.session().await;
        session.sql(&format!("SET gtid_domain_id = {domain}; {sql}")).await;
        session.one("SELECT @@last_gtid").await
    };
    in_domain(
        0,
        "CREATE TABLE t (id INT PRIMARY KEY, v INT); CREATE TABLE other (id INT PRIMARY KEY, v LONGTEXT)",
    )
    .await;
    let of_one = in_domain(1, "INSERT INTO t VALUES (1, 1)").await;
    in_domain(1, "INSERT INTO t VALUES (2, 1)").await;
    in_domain(0, "INSERT INTO t VALUES (3, 1)").await;
    in_domain(1, "INSERT INTO other VALUES (1, REPEAT('x', 1000))").await;
    mysql.die_before_the_end(100).await;
    mysql.restart().await;
    let of_zero = in_domain(0, "INSERT INTO t VALUES (4, 1)").await;
    in_domain(1, "UPDATE t SET v = 2 WHERE id < 3").await;
    in_domain(0, "UPDATE t SET v = 3 WHERE id > 2").await;
    // What the names tell of.
    scene
        .target
        .sql(&format!(
            "CREATE SCHEMA {name}; CREATE TABLE {name}.t (id integer PRIMARY KEY, v integer); \
             INSERT INTO {name}.t VALUES (1, 1), (3, 1), (4, 1); CREATE TABLE {name}.other (id integer PRIMARY KEY, v text)"
        ))
        .await;
    let start = format!("{of_zero},{of_one}");
    let config = scene.config().task("initial", "[]").task("start_position", &format!("{start:?}"));
    let daemon = scene.start_with(&config).await;
    scene.assert_exact(&daemon, &["t"]).await;
    assert!(daemon.log().contains("ends inside an event"), "{}", daemon.log_tail());
    assert_eq!(daemon.drift().await, 0);
}
