//! Log files of MariaDB that end in the middle of an event: by a crash, or because they are damaged.

use crate::harness::{DEADLINE, Kind, Mysql, Scene, eventually, postgres, wait_log_end};
use rowferry::testing::change::FilePosition;
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
        assert!(failure.contains(words) && failure.contains("copy again"), "{failure}");
        assert_eq!(scene.target.one(&format!("SELECT count(*) FROM {}.t", scene.source.name)).await, "1");
    }
}

/// A stream that goes on at another server is begun by GTIDs, and that server may have logged one domain later than another: it
/// leaves out what was taken in, which a stream that goes on by place after a crash has not left out.
#[tokio::test]
async fn behind_a_crash_nothing_comes_twice_in_a_stream_that_was_begun_by_gtids() {
    let (first, second) = tokio::join!(Kind::Maria.private(&[]), Kind::Maria.private(&[]));
    let name = "crash_by_gtids";
    let scene = Scene::on(&first, postgres().await, name).await;
    // The same transactions on both servers: `0-3` is the third of domain 0.
    let on = async |server: &Mysql, gtid: &str, sql: &str| {
        let (domain, sequence) = gtid.split_once('-').unwrap();
        let named = format!("SET server_id = 77, gtid_domain_id = {domain}, gtid_seq_no = {sequence}; {sql}");
        server.sql(&named).await;
    };
    let table = format!("CREATE TABLE {name}.t (id INT PRIMARY KEY, v INT)");
    let insert = |id: u32| format!("INSERT INTO {name}.t VALUES ({id}, {id})");
    let domain_0 = [("0-13", insert(3)), ("0-14", format!("UPDATE {name}.t SET v = 33 WHERE id = 3"))];
    on(&first, "0-11", &table).await;
    let daemon = scene.start().await;
    on(&first, "1-11", &insert(1)).await;
    for (gtid, sql) in &domain_0 {
        on(&first, gtid, sql).await;
    }
    scene.assert_exact(&daemon, &["t"]).await;
    wait_log_end(&daemon, &first).await;
    daemon.kill9();

    // The creation of the database carries the first server's own id in the first log.
    let created = format!("SET server_id = {}, gtid_seq_no = 1; CREATE DATABASE {name}", first.port());
    second.sql(&created).await;
    on(&second, "0-11", &table).await;
    on(&second, "1-11", &insert(1)).await;
    on(&second, "1-12", &insert(2)).await;
    on(&second, "1-13", "CREATE DATABASE was_never_logged_to_its_end").await;
    second.die_before_the_end(10).await;
    second.restart().await;
    for (gtid, sql) in &domain_0 {
        on(&second, gtid, sql).await;
    }
    on(&second, "1-13", &insert(4)).await;
    daemon.reconfigure(&scene.config().source("url", &format!("{:?}", second.url())));
    daemon.restart();
    let rows = format!("SELECT string_agg(id || '=' || v, ' ' ORDER BY id) FROM {name}.t");
    eventually(DEADLINE, "the other server's rows arrive", async || {
        scene.target.one(&rows).await == "1=1 2=2 3=33 4=4"
    })
    .await;
    assert!(daemon.log().contains("ends inside an event"), "{}", daemon.log_tail());
    assert_eq!(daemon.drift().await, 0, "{}", daemon.log_tail());
}
