//! Servers that cannot be reached, logged in to or used.

use super::{catalog, check, check_writes_nothing, fails, one_paragraph};
use crate::harness::{Config, Mysql, Postgres, Scene, free_port, mysql97, only_postgres, postgres, rowferry};

#[tokio::test]
async fn a_wrong_password_at_the_source() {
    let scene = Scene::new("bad_source_login").await;
    scene
        .source
        .sql("CREATE TABLE t (id INT PRIMARY KEY); DROP USER IF EXISTS bad_login; CREATE USER bad_login IDENTIFIED BY 'right'")
        .await;
    let url = format!("\"mysql://bad_login@127.0.0.1:{}\"", scene.source.server.port());
    let config = scene.config().source("url", &url).source("password", "\"a wrong one\"");
    let output = check_writes_nothing(&config, &scene.target).await;
    one_paragraph(&output, 1, &["source src", "'bad_login'", "right user and password"]);
    assert!(!output.stderr.contains("a wrong one"), "{output:?}");
}

#[tokio::test]
async fn a_wrong_password_at_the_target() {
    let source = mysql97().await.database("bad_target_login").await;
    source.sql("CREATE TABLE t (id INT PRIMARY KEY)").await;
    let server = Postgres::private(&[]).await;
    server
        .sql(
            "COPY (SELECT unnest(ARRAY['host all loader all scram-sha-256', 'host all all all trust'])) \
              TO PROGRAM 'cat > pg_hba.conf'",
        )
        .await;
    server.sql("CREATE ROLE loader LOGIN PASSWORD 'right'").await;
    server.sql("SELECT pg_reload_conf()").await;
    let target = server.database("dw").await;
    let config = Config::new(&source.server.url(), &target.url(), &["bad_target_login.*"])
        .target("url", &format!("\"postgresql://loader@127.0.0.1:{}/dw\"", server.port()))
        .target("password", "\"a wrong one\"");
    let output = check_writes_nothing(&config, &target).await;
    one_paragraph(&output, 1, &["target dst", "'loader'", "right user and password"]);
    assert!(!output.stderr.contains("a wrong one"), "{output:?}");
}

#[tokio::test]
async fn unreachable_servers_are_temporary() {
    let scene = Scene::new("bad_unreachable").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY)").await;
    let before = catalog(&scene.target).await;
    let nobody = free_port();
    for command in ["check", "plan"] {
        let config = scene.config().source("url", &format!("\"mysql://root@127.0.0.1:{nobody}\""));
        let output = rowferry(&[command, "-c", &config.file()]).await;
        one_paragraph(
            &output,
            75,
            &["source src", &format!("127.0.0.1:{nobody}"), "refused", "host and port"],
        );
        let config = scene.config().target("url", &format!("\"postgresql://postgres@127.0.0.1:{nobody}/d\""));
        let output = rowferry(&[command, "-c", &config.file()]).await;
        one_paragraph(
            &output,
            75,
            &["target dst", &format!("127.0.0.1:{nobody}"), "refused", "host and port"],
        );
    }
    let config = scene.config().source("url", "\"mysql://root@no-such-host.invalid\"");
    one_paragraph(&check(&config).await, 75, &["no-such-host.invalid", "host and port"]);
    assert_eq!(catalog(&scene.target).await, before, "nothing was made");
}

#[tokio::test]
async fn one_unreachable_task_does_not_hide_the_report_of_another() {
    let scene = Scene::new("bad_one_of_two").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY)").await;
    let more = format!(
        "[source.gone]\nurl = \"mysql://root@127.0.0.1:{}\"\n[task.a]\nsource = \"gone\"\ntarget = \"dst\"\ntables = [\"a.b\"]",
        free_port()
    );
    let output = check(&scene.config().more(&more)).await;
    assert_eq!(output.code, 75, "{output:?}");
    assert!(output.stderr.contains("task a: source gone"), "{output:?}");
    assert!(output.stdout.contains("task main\n"), "{output:?}");
}

#[tokio::test]
async fn an_unknown_database_at_the_target() {
    let scene = Scene::new("bad_target_database").await;
    let config = scene
        .config()
        .target("url", &format!("{:?}", scene.target.url().replace(&scene.target.name, "nowhere")));
    one_paragraph(
        &check(&config).await,
        1,
        &["target dst", "\"nowhere\" does not exist", "create the target database"],
    );
}

#[tokio::test]
async fn tls_that_a_server_does_not_offer() {
    if only_postgres("whether a Greenplum offers TLS is not ours to choose") {
        return;
    }
    let (mysql, target) = (Mysql::private(&["--tls-version=", "--skip-log-bin"]).await, postgres().await);
    let source = mysql.database("bad_tls").await;
    source.sql("CREATE TABLE t (id INT PRIMARY KEY)").await;
    let target = target.database("bad_tls").await;
    let config = Config::new(&mysql.url(), &target.url(), &["bad_tls.*"]);
    let output = check_writes_nothing(&config.clone().source("tls", "\"required\""), &target).await;
    one_paragraph(&output, 1, &["source src", "TLS", "tls = "]);
    let output = check_writes_nothing(&config.clone().target("tls", "\"require\""), &target).await;
    one_paragraph(&output, 1, &["target dst", "TLS", "tls = \"disable\""]);
    // `preferred` goes without, and finds that this server has no binary log either.
    let output = check_writes_nothing(&config.source("tls", "\"preferred\""), &target).await;
    fails(&output, "source.log_bin", &["is off", "log_bin"]);
}

#[tokio::test]
async fn a_target_user_who_may_not_create() {
    let scene = Scene::new("bad_target_privilege").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY)").await;
    scene.target.sql("DROP ROLE IF EXISTS bad_creator").await;
    scene.target.sql("CREATE ROLE bad_creator LOGIN").await;
    let url = scene.target.url().replacen(&format!("//{}", scene.target.server.user()), "//bad_creator", 1);
    let config = scene.config().target("url", &format!("{url:?}"));
    let output = check_writes_nothing(&config, &scene.target).await;
    fails(&output, "target.state_schema", &["rowferry", "GRANT CREATE ON DATABASE"]);
    fails(&output, "target.schema", &["bad_target_privilege", "GRANT CREATE ON DATABASE"]);
    let database = &scene.target.name;
    scene.target.sql(&format!("GRANT CREATE ON DATABASE {database} TO bad_creator")).await;
    let output = check_writes_nothing(&config, &scene.target).await;
    assert_eq!(output.code, 0, "{output:?}");
    scene.target.sql("DROP OWNED BY bad_creator; DROP ROLE bad_creator").await;
}

/// The schema is another task's, made by another user.
#[tokio::test]
async fn a_target_user_to_whom_the_state_of_others_is_closed() {
    let scene = Scene::new("bad_state_privilege").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY)").await;
    let database = &scene.target.name;
    scene
        .target
        .sql(&format!(
            "DROP ROLE IF EXISTS bad_newcomer; CREATE ROLE bad_newcomer LOGIN; \
             GRANT CREATE ON DATABASE \"{database}\" TO bad_newcomer; \
             CREATE SCHEMA rowferry; CREATE TABLE rowferry.meta (format int PRIMARY KEY); INSERT INTO rowferry.meta VALUES (1)"
        ))
        .await;
    let url = scene.target.url().replacen(&format!("//{}", scene.target.server.user()), "//bad_newcomer", 1);
    let output =
        check_writes_nothing(&scene.config().target("url", &format!("{url:?}")), &scene.target).await;
    fails(&output, "target.state_schema", &["GRANT USAGE, CREATE ON SCHEMA rowferry"]);
    scene.target.sql("DROP OWNED BY bad_newcomer; DROP ROLE bad_newcomer").await;
}
