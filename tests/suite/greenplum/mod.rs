//! What only Greenplum does: distribution, storage, segments that are lost, locks of whole tables.
//!
//! Every test here ends at once, saying so, unless `ROWFERRY_TEST_GREENPLUM` names one.

mod locks;
mod plans;
mod precheck;
mod segments;
mod tables;

use crate::harness::{Scene, greenplum, mysql97};

/// A scene whose target is the Greenplum.
async fn scene(name: &str) -> Option<Scene<'static>> {
    let greenplum = greenplum().await?;
    Some(Scene::on(mysql97().await, greenplum, name).await)
}

/// How a table is kept and spread: `h` for a heap, `p` or `r` (replicated), and the distribution key.
async fn layout(scene: &Scene<'_>, table: &str) -> String {
    scene
        .target
        .one(&format!(
            "SELECT concat(c.relstorage, ' ', p.policytype, ' ', (SELECT string_agg(a.attname, ', ' ORDER BY u.place) \
             FROM unnest(p.distkey) WITH ORDINALITY AS u(number, place) \
             JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.number)) \
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             JOIN gp_distribution_policy p ON p.localoid = c.oid \
             WHERE n.nspname = '{}' AND c.relname = '{table}'",
            scene.source.name
        ))
        .await
}
