//! A table that the task has taken out of its target leaves nothing there that is the task's: a table of its name is somebody else's.

use super::{carried, parked, rows};
use crate::harness::{DEADLINE, Daemon, Output, Scene, rowferry};

/// A command about table `t`, which must succeed.
async fn tell(scene: &Scene<'_>, daemon: &Daemon, command: &[&str]) -> Output {
    let config = daemon.config_path().into_os_string().into_string().unwrap();
    let table = format!("{}.t", scene.source.name);
    let (name, rest) = command.split_first().unwrap();
    let told = rowferry(&[&[*name, "-c", &config], rest, &[&*table]].concat()).await;
    assert_eq!(told.code, 0, "{command:?}: {told:?}");
    told
}

/// Somebody makes a table of that name, with a row and a column of his own.
async fn make_theirs(scene: &Scene<'_>) {
    let name = &scene.source.name;
    let sql = format!(
        "CREATE TABLE {name}.t (id int PRIMARY KEY, v varchar(40), w int, mine text); \
         INSERT INTO {name}.t VALUES (1000, 'theirs', 1, 'mine')"
    );
    scene.target.sql(&sql).await;
}

async fn assert_theirs(scene: &Scene<'_>) {
    let sql = format!("SELECT string_agg(id || v || mine, ' ') FROM {}.t", scene.source.name);
    assert_eq!(scene.target.one(&sql).await, "1000theirsmine");
}

/// Theirs is refused as it would be in a first copy, and taken by nothing; when it is out of the way the copy is made.
async fn is_left_alone(scene: &Scene<'_>, daemon: &Daemon, begin: &str) {
    make_theirs(scene).await;
    tell(scene, daemon, &[begin]).await;
    let trouble = parked(scene, daemon, "t").await;
    assert!(trouble.error.contains("exists already"), "{trouble:?}");
    assert_theirs(scene).await;
    tell(scene, daemon, &["drop", "--remove-rows"]).await;
    assert_theirs(scene).await;
    tell(scene, daemon, &["drop", "--remove-rows"]).await;
    assert_theirs(scene).await;
    scene.target.sql(&format!("DROP TABLE {}.t", scene.source.name)).await;
    tell(scene, daemon, &["add"]).await;
    carried(scene, daemon, "t").await;
    scene.source.sql("UPDATE t SET w = w + 1; UPDATE u SET w = w + 1").await;
    scene.assert_exact(daemon, &["t", "u"]).await;
}

#[tokio::test]
async fn a_table_with_the_name_of_one_whose_first_copy_was_refused_is_left_alone() {
    let scene = Scene::new("healing_never_there").await;
    scene.source.sql(&rows("t", 20)).await;
    scene.source.sql(&rows("u", 20)).await;
    scene.source.sql("UPDATE t SET v = 'a\\0b' WHERE id = 7").await;
    let daemon = scene.start_with(&scene.config().healing()).await;
    let trouble = parked(&scene, &daemon, "t").await;
    assert!(trouble.error.contains("NUL"), "{trouble:?}");
    scene.source.sql("UPDATE t SET v = 'ab' WHERE id = 7").await;
    scene.wait_applied(&daemon).await;
    is_left_alone(&scene, &daemon, "resync").await;
}

#[tokio::test]
async fn a_table_with_the_name_of_one_whose_copy_aside_was_refused_is_left_alone() {
    let scene = Scene::new("healing_never_joined").await;
    scene.source.sql(&rows("u", 20)).await;
    let daemon = scene.start_with(&scene.config().healing()).await;
    // It has begun before the row comes that is refused.
    scene.source.sql(&rows("t", 200)).await;
    carried(&scene, &daemon, "t").await;
    tell(&scene, &daemon, &["drop", "--remove-rows"]).await;
    scene.source.sql("UPDATE t SET v = 'a\\0b' WHERE id = 199").await;
    tell(&scene, &daemon, &["add"]).await;
    let trouble = parked(&scene, &daemon, "t").await;
    assert!(trouble.error.contains("NUL"), "{trouble:?}");
    scene.source.sql("UPDATE t SET v = 'ab' WHERE id = 199").await;
    scene.wait_applied(&daemon).await;
    is_left_alone(&scene, &daemon, "resync").await;
}

#[tokio::test]
async fn a_table_with_the_name_of_one_that_was_dropped_with_its_rows_is_left_alone() {
    let scene = Scene::new("healing_not_there").await;
    scene.source.sql(&rows("t", 20)).await;
    scene.source.sql(&rows("u", 20)).await;
    let daemon = scene.start_with(&scene.config().healing()).await;
    for runs in [true, false] {
        if !runs {
            daemon.terminate();
            assert_eq!(daemon.exit_code(DEADLINE).await, 0);
        }
        tell(&scene, &daemon, &["drop", "--remove-rows"]).await;
        if !runs {
            make_theirs(&scene).await;
            tell(&scene, &daemon, &["drop", "--remove-rows"]).await;
            assert_theirs(&scene).await;
            scene.target.sql("DROP TABLE healing_not_there.t").await;
            daemon.restart();
            daemon.wait_phase("Synchronizing", DEADLINE).await;
        }
        is_left_alone(&scene, &daemon, "add").await;
    }
}

/// Nothing is copied, so nobody would see whose rows are there.
#[tokio::test]
async fn a_table_of_somebody_elses_is_not_followed_into_where_nothing_is_copied() {
    let scene = Scene::new("healing_followed").await;
    scene
        .source
        .sql("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(40), w INT); CREATE TABLE u LIKE t")
        .await;
    let config = scene.config().healing().task("initial", "[\"schema\"]").task("start_position", "\"now\"");
    let daemon = scene.start_with(&config).await;
    tell(&scene, &daemon, &["drop", "--remove-rows"]).await;
    let theirs = "CREATE TABLE healing_followed.t (id int PRIMARY KEY, v varchar(40), w int); \
        INSERT INTO healing_followed.t VALUES (1, 'theirs', 1)";
    scene.target.sql(theirs).await;
    tell(&scene, &daemon, &["add"]).await;
    let trouble = parked(&scene, &daemon, "t").await;
    assert!(trouble.error.contains("is not in initial"), "{trouble:?}");
    scene.source.sql("INSERT INTO t VALUES (1, 'ours', 2); INSERT INTO u VALUES (1, 'ours', 2)").await;
    scene.wait_applied(&daemon).await;
    tell(&scene, &daemon, &["drop", "--remove-rows"]).await;
    assert_eq!(scene.target.one("SELECT string_agg(v, ' ') FROM healing_followed.t").await, "theirs");
    scene.assert_exact(&daemon, &["u"]).await;
}
