//! The same values from a server that writes all metadata, in compressed transactions, over TLS.

use super::{bytes, json, labels, live_on, numbers, shapes, temporal, text};
use crate::harness::{Mysql, Scene, postgres};

#[tokio::test]
async fn values_are_equal_with_full_metadata_compression_and_tls() {
    let mysql = Mysql::private(&["--binlog-row-metadata=FULL"]).await;
    let scene = Scene::on(&mysql, postgres().await, "values_sessions").await;
    let mut families = numbers::families();
    families.extend(temporal::families());
    families.extend(text::families(&mysql).await);
    families.extend(text::large(100));
    families.extend(labels::families());
    families.extend(bytes::families());
    families.extend(json::families());
    families.extend(shapes::families());
    for family in &families {
        family.create(&scene).await;
    }
    let daemon = scene.start_with(&scene.config().source("tls", "\"required\"")).await;
    live_on(&scene, &daemon, &families, "SET SESSION binlog_transaction_compression = ON").await;
    let compressed = mysql
        .one(
            "SELECT SUM(TRANSACTION_COUNTER) FROM performance_schema.binary_log_transaction_compression_stats \
             WHERE COMPRESSION_TYPE = 'ZSTD' AND LOG_TYPE = 'BINARY'",
        )
        .await;
    assert!(compressed.parse::<f64>().unwrap() > 100.0, "transactions were compressed: {compressed}");
}
