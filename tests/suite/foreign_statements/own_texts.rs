//! Statements that servers write themselves, in UTF-8 or in the client's character set.

use super::{CARRIED, goes_on, stops};
use crate::harness::{Kind, Scene, on_every_kind, postgres};

async fn dropped_by(kind: Kind, charset: &str, table: &str, bytes: &[u8]) {
    let name = format!("own_text_{charset}_{}", kind.name());
    let scene = Scene::on(kind.shared().await, postgres().await, &name).await;
    scene.source.sql(CARRIED).await;
    let create = format!(
        "SET NAMES utf8mb4; CREATE TABLE `{table}` (id INT PRIMARY KEY) ENGINE = InnoDB; INSERT INTO `{table}` VALUES (1)"
    );
    scene.source.sql(&create).await;
    let other = scene.source.server.database(&format!("{name}_other")).await;
    other.sql(&create).await;
    let daemon = scene.start().await;
    let statement = |verb: &str| [verb.as_bytes(), b" `", bytes, b"`"].concat();
    // The same elsewhere stops nothing.
    let mut session = other.session().await;
    session.sql(&format!("SET NAMES {charset}")).await;
    session.run_bytes(&statement("DROP TABLE")).await;
    goes_on(&scene, &daemon, "elsewhere").await;
    let mut session = scene.source.session().await;
    session.sql(&format!("SET NAMES {charset}")).await;
    session.run_bytes(&statement("DROP TABLE")).await;
    stops(&daemon, &["DROP TABLE"]).await;
}

async fn gbk(kind: Kind) {
    dropped_by(kind, "gbk", "表表", b"\xb1\xed\xb1\xed").await;
}

on_every_kind!(a_table_that_a_gbk_client_drops_is_not_lost, gbk);

async fn latin1(kind: Kind) {
    dropped_by(kind, "latin1", "né", b"n\xe9").await;
}

on_every_kind!(a_table_that_a_latin1_client_drops_is_not_lost, latin1);
