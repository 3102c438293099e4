//! Going on after a statement, to the letter of docs/operations.md; and a start position that is not heeded.

use super::{CARRIED, stops};
use crate::harness::{DEADLINE, Kind, Mysql, Scene, on_every_kind, postgres, rowferry};

async fn behind_a_statement(kind: Kind) {
    let mysql = kind.shared().await;
    let name = format!("start_again_{}", kind.name());
    let scene = Scene::on(mysql, postgres().await, &name).await;
    scene.source.sql(CARRIED).await;
    let daemon = scene.start().await;
    // The statement itself changes what the target lacks; by hand it is done there too.
    scene
        .source
        .sql("SET SESSION binlog_format = STATEMENT; UPDATE t SET v = 'by statement' WHERE id = 1")
        .await;
    stops(&daemon, &["UPDATE t"]).await;
    let told = format!("{:?}", daemon.task().await.unwrap().phase);
    let behind = behind_its_transaction(mysql, &told).await;
    if matches!(kind, Kind::Gtids97 | Kind::Gtids56 | Kind::Maria) {
        assert!(told.contains("(transaction "), "{told}");
    }
    scene.source.sql("INSERT INTO t VALUES (3, 'behind')").await;

    daemon.terminate();
    daemon.exit_code(DEADLINE).await;
    scene.target.sql(&format!("UPDATE {name}.t SET v = 'by statement' WHERE id = 1")).await;
    scene
        .target
        .sql(
            "DO $$ DECLARE name text; BEGIN FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'rowferry' AND tablename LIKE 'main\\_%' \
             LOOP EXECUTE format('DROP TABLE rowferry.%I', name); END LOOP; END $$",
        )
        .await;
    let config = scene
        .config()
        .task("initial", "[]")
        .task("existing_tables", "\"ignore\"")
        .task("start_position", &format!("{behind:?}"));
    daemon.reconfigure(&config);
    daemon.restart();
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.source.sql("INSERT INTO t VALUES (4, 'last')").await;
    scene.wait_applied(&daemon).await;
    scene.assert_equal("t").await;

    // From here on it goes on at its checkpoint, and says so.
    daemon.restart();
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    assert!(daemon.log().contains("start_position is not heeded"), "{}", daemon.log_tail());
    let check = rowferry(&["check", "-c", &config.file()]).await;
    assert!(check.code == 0 && check.stdout.contains("start_position is not heeded"), "{check:?}");
}

/// The statement stands inside a transaction; the place after its COMMIT, from the place that the error names.
async fn behind_its_transaction(mysql: &Mysql, told: &str) -> String {
    let (_, place) = told.split_once("statement at ").expect("a place");
    let place = place.split([' ', ';', '"']).next().unwrap_or_default().trim_end_matches(':');
    let (file, offset) = place.split_once(':').expect("file and offset");
    let events = mysql.sql(&format!("SHOW BINLOG EVENTS IN '{file}' FROM {offset}")).await;
    let ends = |event: &&Vec<Option<String>>| {
        event[2].as_deref() == Some("Xid") || event[5].as_deref() == Some("COMMIT")
    };
    let end = events.iter().find(ends).and_then(|event| event[4].clone()).expect("its end");
    format!("{file}:{end}")
}

on_every_kind!(a_task_goes_on_behind_a_statement_as_the_docs_say, behind_a_statement);
