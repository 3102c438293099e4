//! No statement of ours reads a whole target table, or sends rows between segments that lie where they belong.

use crate::apply::fixture::{Log, Model, Shape, compacted, layout, run};
use crate::harness::greenplum;
use rowferry::testing::change::RowOp::{Delete, Insert, Update};
use rowferry::testing::sink::{Applier, Existing, Mode, Session, Strategy, Way};
use tokio_postgres::SimpleQueryMessage;

#[tokio::test]
async fn writes_go_by_the_primary_key_on_the_segments_that_hold_the_rows() {
    let Some(server) = greenplum().await else { return };
    let database = server.database("gp_plans").await;
    let cases = [
        (Shape::OneKey, "BY (id)"),
        (Shape::TwoKeys, "BY (id)"),
        (Shape::TwoKeys, "BY (region, id)"),
        (Shape::TwoKeys, "REPLICATED"),
        (Shape::OnlyKeys, "BY (region)"),
    ];
    for (shape, spread) in cases {
        let create = format!("{} DISTRIBUTED {spread}", shape.create("t"));
        database.sql(&format!("DROP TABLE IF EXISTS t; {create}")).await;
        let layout = layout("t", shape);
        for strategy in [Strategy::DeleteCopy, Strategy::UpdateInsert] {
            let (session, applier) = Applier::connect(&database.endpoint(), "suite", &[]).await.unwrap();
            let mut applier = applier.with_strategy(strategy);
            // Everything is prepared while the table is empty and unknown to the planner.
            for mode in [Mode::Exact, Mode::Convergent] {
                let log: Log = vec![(Insert, 1, 7), (Update, 2, 7), (Delete, 3, 0)];
                session.client().batch_execute("BEGIN").await.unwrap();
                applier.apply(&session, &compacted(&layout, &log), |_| mode, Way::General).await.unwrap();
                session.client().batch_execute("ROLLBACK").await.unwrap();
            }
            let rows = run(&layout, &vec![(Insert, 1, 7)]);
            session.client().batch_execute("BEGIN").await.unwrap();
            applier.chunk(&session, &layout, Existing::Keep).write(&rows).await.unwrap();
            session.client().batch_execute("COMMIT").await.unwrap();
            let least = if strategy == Strategy::DeleteCopy { 4 } else { 7 };
            assert!(explained(&session).await >= least, "{shape:?} {strategy:?}");
        }
    }
}

/// Looks at the plan of every statement on `t` that is prepared. Gives how many there were.
async fn explained(session: &Session) -> usize {
    const PREPARED: &str = "SELECT name, statement, array_to_string(ARRAY(SELECT CASE p::regtype::text \
        WHEN 'bigint[]' THEN quote_literal('{1,2,3}') ELSE quote_literal('{a,b,c}') END \
        FROM unnest(parameter_types) p), ', ') FROM pg_prepared_statements \
        WHERE statement ~ '^(DELETE|UPDATE|INSERT|SELECT t|SELECT pg_catalog.concat)' AND strpos(statement, '\"public\".\"t\"') > 0";
    let client = session.client();
    let mut seen = 0;
    for row in client.query(PREPARED, &[]).await.unwrap() {
        let (name, statement, arguments): (String, String, String) = (row.get(0), row.get(1), row.get(2));
        let call = if arguments.is_empty() { String::new() } else { format!(" ({arguments})") };
        let explain = format!("EXPLAIN EXECUTE \"{name}\"{call}");
        let answer = client.simple_query(&explain).await;
        let plan: Vec<String> = answer
            .unwrap_or_else(|error| panic!("{statement}: {error:?}"))
            .iter()
            .filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
                _ => None,
            })
            .collect();
        let plan = plan.join("\n");
        assert!(!plan.contains("Seq Scan on t"), "{statement}\n{plan}");
        // Answers are gathered; rows are not sent around.
        assert!(!plan.contains("Redistribute") && !plan.contains("Broadcast"), "{statement}\n{plan}");
        seen += 1;
    }
    seen
}

#[tokio::test]
async fn many_changes_of_composite_keys_go_through_staging_and_few_do_not() {
    let Some(server) = greenplum().await else { return };
    let database = server.database("gp_ways").await;
    for (shape, size, staged) in
        [(Shape::TwoKeys, 3000, 1), (Shape::TwoKeys, 100, 0), (Shape::OneKey, 3000, 0)]
    {
        database.sql(&format!("DROP TABLE IF EXISTS t; {}", shape.create("t"))).await;
        let layout = layout("t", shape);
        let (session, mut applier) = Applier::connect(&database.endpoint(), "suite", &[]).await.unwrap();
        let mut model = Model::default();
        let fill: Log = (0..size).map(|key| (Insert, key, key)).collect();
        // The last of the changed rows is not there.
        let change: Log = (1..=size).map(|key| (Update, key, key + 1)).collect();
        let mut missing = 0;
        for log in [fill, change] {
            session.client().batch_execute("BEGIN").await.unwrap();
            let changes = compacted(&layout, &log);
            let outcome = applier.apply(&session, &changes, |_| Mode::Exact, Way::Direct).await.unwrap();
            session.client().batch_execute("COMMIT").await.unwrap();
            missing = outcome.tables[0].drift.missing;
            model.apply(&log);
        }
        assert_eq!(missing, 1, "{shape:?} {size}");
        assert_eq!(model, Model::read(&database, "t", shape).await);
        let staging =
            "SELECT count(*) FROM pg_class WHERE relnamespace = pg_my_temp_schema() AND relkind = 'r'";
        let tables: i64 = session.client().query_one(staging, &[]).await.unwrap().get(0);
        assert_eq!(tables, staged, "{shape:?} {size}");
    }
}
