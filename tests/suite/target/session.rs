//! Sessions: pins, errors, ends.

use super::{connect, endpoint};
use crate::harness::{DEADLINE, eventually, only_postgres, postgres};
use rowferry::testing::change::Retry;
use rowferry::testing::config::types::TargetTlsMode;
use rowferry::testing::sink::{Session, SinkErrorKind};

#[tokio::test]
async fn a_session_is_pinned_whatever_the_database_prefers() {
    if only_postgres("most of these settings are of later versions") {
        return;
    }
    let database = postgres().await.database("pinned").await;
    for (name, hostile) in [
        ("datestyle", "'SQL, DMY'"),
        ("intervalstyle", "'sql_standard'"),
        ("timezone", "'Asia/Tokyo'"),
        ("extra_float_digits", "'-5'"),
        ("bytea_output", "'escape'"),
        ("standard_conforming_strings", "off"),
        ("search_path", "public"),
        ("default_transaction_isolation", "'serializable'"),
        ("default_transaction_read_only", "on"),
        ("statement_timeout", "'10ms'"),
        ("idle_in_transaction_session_timeout", "'1s'"),
        ("synchronous_commit", "off"),
        ("client_encoding", "'latin1'"),
    ] {
        // In the postgres database: the last settings would spoil a session in the own one.
        let sql = format!("ALTER DATABASE {} SET {name} = {hostile}", database.name);
        database.server.sql(&sql).await;
    }
    let session = connect(&database).await;
    for (name, wanted) in [
        ("datestyle", "ISO, YMD"),
        ("intervalstyle", "postgres"),
        ("timezone", "UTC"),
        ("extra_float_digits", "3"),
        ("bytea_output", "hex"),
        ("standard_conforming_strings", "on"),
        ("search_path", "pg_catalog"),
        ("default_transaction_isolation", "read committed"),
        ("default_transaction_read_only", "off"),
        ("statement_timeout", "0"),
        ("idle_in_transaction_session_timeout", "0"),
        ("synchronous_commit", "on"),
        ("client_encoding", "UTF8"),
        ("row_security", "off"),
        ("jit", "off"),
        ("lock_timeout", "5min"),
        ("tcp_user_timeout", "40000"),
    ] {
        let row = session.client().query_one(&format!("SHOW {name}"), &[]).await.unwrap();
        assert_eq!(row.get::<_, String>(0), wanted, "{name}");
    }
}

#[tokio::test]
async fn a_terminated_session_is_a_lost_connection_and_says_why() {
    let database = postgres().await.database("terminated").await;
    let session = connect(&database).await;
    database.sql(&format!("SELECT pg_terminate_backend({})", session.backend_pid())).await;
    eventually(DEADLINE, "the session knows its end", async || session.is_closed()).await;
    let error = session.client().batch_execute("SELECT 1").await.unwrap_err();
    let error = session.error("asking", error);
    assert!(matches!(error.kind, SinkErrorKind::Connection { .. }), "{error}");
    assert!(error.to_string().contains("administrator command"), "{error}");
    assert_eq!(error.retry(), Retry::AfterBackoff);
}

#[tokio::test]
async fn a_dropped_session_ends_on_the_server() {
    let database = postgres().await.database("dropped").await;
    let session = connect(&database).await;
    let pid = session.backend_pid();
    session.client().batch_execute("BEGIN; CREATE TABLE public.t (id int)").await.unwrap();
    drop(session);
    eventually(DEADLINE, "the server process ends", async || {
        database.one(&format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}")).await == "0"
    })
    .await;
    assert_eq!(database.one("SELECT count(*) FROM pg_class WHERE relname = 't'").await, "0");
}

#[tokio::test]
async fn a_servers_error_carries_its_detail_and_a_remedy() {
    let database = postgres().await.database("errors").await;
    database.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)").await;
    database.sql("DROP ROLE IF EXISTS errors_weak; CREATE ROLE errors_weak").await;
    let session = connect(&database).await;
    let fail = async |sql: &str| {
        let error = session.client().batch_execute(sql).await.unwrap_err();
        session.error("trying", error)
    };
    let error = fail("INSERT INTO public.t VALUES (1)").await;
    assert!(error.to_string().contains("Key (id)=(1) already exists"), "{error}");
    assert!(matches!(error.retry(), Retry::AfterFix { remedy } if remedy.to_string().contains("key")));
    let error = fail("SELECT 'x'::int").await;
    assert!(
        matches!(error.retry(), Retry::AfterFix { remedy } if remedy.to_string().contains("widen")),
        "{error}"
    );
    let error = fail("SET ROLE errors_weak; DELETE FROM public.t").await;
    assert!(
        matches!(error.retry(), Retry::AfterFix { remedy } if remedy.to_string().contains("privilege")),
        "{error}"
    );
    let error = fail("SELEC 1").await;
    assert_eq!(error.retry(), Retry::Never, "{error}");
    database.sql("DROP ROLE errors_weak").await;
}

#[tokio::test]
async fn a_refused_login_and_a_missing_database_are_for_the_user_to_mend() {
    let database = postgres().await.database("refused").await;
    let mut wrong = endpoint(&database);
    wrong.user = "nobody_of_that_name".into();
    let error = Session::connect(&wrong, "suite").await.map(|_| ()).unwrap_err();
    assert!(
        matches!(&error.kind, SinkErrorKind::Login { user, .. } if user == "nobody_of_that_name"),
        "{error}"
    );
    let mut missing = endpoint(&database);
    missing.database = "missing_database".into();
    let error = Session::connect(&missing, "suite").await.map(|_| ()).unwrap_err();
    assert!(
        matches!(error.retry(), Retry::AfterFix { remedy } if remedy.to_string().contains("database")),
        "{error}"
    );
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_tls_is_required() {
    if only_postgres("whether a Greenplum offers TLS is not ours to choose") {
        return;
    }
    let database = postgres().await.database("tls_required").await;
    let mut secure = endpoint(&database);
    secure.tls = TargetTlsMode::Require;
    let error = Session::connect(&secure, "suite").await.map(|_| ()).unwrap_err();
    assert!(matches!(error.kind, SinkErrorKind::Tls { .. }), "{error}");
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_tried_again() {
    let database = postgres().await.database("nobody").await;
    let mut nobody = endpoint(&database);
    nobody.port = crate::harness::free_port();
    let error = Session::connect(&nobody, "suite").await.map(|_| ()).unwrap_err();
    assert!(matches!(error.kind, SinkErrorKind::Connection { .. }), "{error}");
    assert!(error.to_string().contains(&nobody.port.to_string()), "{error}");
}
