//! `/metrics`: the status model in OpenMetrics text, encoded at each scrape so that nothing is counted twice.

use super::{Board, now};
use crate::change::status::{Model, Phase, TaskStatus, Time, Verified};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use std::fmt;

/// Renders every metric.
///
/// # Errors
/// Only when formatting into a string fails.
pub fn render(board: &Board) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Scrape(board.clone())));
    let mut output = String::new();
    text::encode(&mut output, &registry)?;
    Ok(output)
}

#[derive(Debug)]
struct Scrape(Board);

const PHASES: [&str; 10] = [
    "Prechecking",
    "SchemaSync",
    "Snapshot",
    "CatchingUp",
    "Synchronizing",
    "Retrying",
    "Failed",
    "Paused",
    "Dropped",
    "Stopped",
];

type TaskGauge = (&'static str, &'static str, fn(&TaskStatus, Time) -> Option<u64>);

/// Gauges of a task: name, help, value. One whose value is not known is left out: an old one would be taken for it.
const GAUGES: [TaskGauge; 8] = [
    (
        "rowferry_task_lag_milliseconds",
        "Time since the source committed what was last applied, 0 when it has nothing further; absent when not known",
        |t, _| t.lag_millis,
    ),
    (
        "rowferry_source_silence_seconds",
        "Time since the source was last heard of",
        TaskStatus::silent_seconds,
    ),
    ("rowferry_sink_commit_age_seconds", "Time since the last durable commit in the target", |t, now| {
        (t.committed > 0).then(|| now.seconds_since(t.committed))
    }),
    ("rowferry_task_synchronizing", "1 when the task is in Synchronizing", |t, _| {
        Some(u64::from(t.phase == Phase::Synchronizing))
    }),
    ("rowferry_task_ready", "1 when the task is ready, as /readyz judges it", |t, now| {
        Some(u64::from(super::not_ready(t, now).is_none()))
    }),
    ("rowferry_task_waiting", "1 while the task waits for something; the status says what", |t, _| {
        Some(u64::from(t.waiting_for.is_some()))
    }),
    ("rowferry_task_tables", "Tables the task carries", |t, _| {
        Some(u64::try_from(t.tables.len()).unwrap_or(u64::MAX))
    }),
    (
        "rowferry_task_not_carried_tables",
        "Selected tables the task does not carry; the status says why",
        |t, _| Some(u64::try_from(t.not_carried.count()).unwrap_or(u64::MAX)),
    ),
];

type TaskCounter = (&'static str, &'static str, fn(&TaskStatus) -> u64);

/// Counters of a task; `_total` is added by the encoder.
const COUNTERS: [TaskCounter; 6] = [
    ("rowferry_sink_transactions", "Source transactions applied", |t| t.transactions),
    ("rowferry_sink_batches", "Target transactions committed", |t| t.batches),
    ("rowferry_source_received_bytes", "Bytes of row events received", |t| t.received_bytes),
    (
        "rowferry_source_passed_statements",
        "Statements passed over because they reach no selected table",
        |t| t.statements_passed,
    ),
    ("rowferry_skipped", "Transactions of the source passed over by command, kept over restarts", |t| {
        t.skips.count
    }),
    ("rowferry_task_restarts", "Times the task started over after an error", |t| t.restarts),
];

type VerifiedValue = (&'static str, &'static str, fn(&Verified) -> u64);

/// Gauges of a table that has been compared with its source.
const VERIFIED_GAUGES: [VerifiedValue; 4] = [
    ("rowferry_verify_seconds", "Seconds since 1970 of the last comparison with the source", |v| v.at),
    ("rowferry_verify_open_rows", "Rows that differed in it and were not put right", Verified::open),
    ("rowferry_verify_undecided_rows", "Rows that did not hold still for long enough to say", |v| {
        v.undecided
    }),
    ("rowferry_verify_compared_rows", "Rows that it compared", |v| v.rows),
];

/// Counters of such a table, kept over restarts.
const VERIFIED_COUNTERS: [VerifiedValue; 2] = [
    ("rowferry_verify_different_rows", "Rows that differed from the source when compared", |v| {
        v.differences_ever
    }),
    ("rowferry_verify_repaired_rows", "Those of them that were put right", |v| v.repaired_ever),
];

type TableCounter = (&'static str, &'static str, fn(&crate::change::status::TableStatus) -> u64);

const TABLE_COUNTERS: [TableCounter; 6] = [
    ("rowferry_snapshot_copied_rows", "Rows copied", |t| t.copied_rows),
    ("rowferry_sink_inserts", "Inserted rows applied from the stream", |t| t.inserts),
    ("rowferry_sink_updates", "Updated rows applied from the stream", |t| t.updates),
    ("rowferry_sink_deletes", "Deleted rows applied from the stream", |t| t.deletes),
    ("rowferry_sink_drift_rows", "Rows whose presence in the target was not what the stream implied", |t| {
        t.drift
    }),
    ("rowferry_sink_quarantined_rows", "Rows put into quarantine because the target cannot hold them", |t| {
        t.quarantined_ever
    }),
];

/// Gauges of a table.
const TABLE_GAUGES: [TableCounter; 5] = [
    (
        "rowferry_table_paused_since_seconds",
        "Seconds since 1970 when the table was paused by command, 0 while it is not",
        |t| t.paused.as_ref().map_or(0, |paused| paused.since),
    ),
    ("rowferry_quarantined_rows", "Rows in quarantine: the target cannot hold them", |t| t.quarantined),
    ("rowferry_sink_table_bytes", "Size of the target table with its indexes, as last measured", |t| {
        t.upkeep.bytes
    }),
    ("rowferry_sink_table_copied_bytes", "The same when its copy had ended", |t| t.upkeep.copied_bytes),
    ("rowferry_sink_table_dead_rows", "Rows replaced or deleted since the last VACUUM", |t| {
        t.upkeep.dead_rows
    }),
];

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let (model, now): (Model, Time) = (self.0.read(), now());
        for (name, help, value) in GAUGES {
            let metric = ConstGauge::new(0_u64);
            let mut family = encoder.encode_descriptor(name, help, None, metric.metric_type())?;
            for (task, status) in &model.tasks {
                let Some(value) = value(status, now) else { continue };
                ConstGauge::new(value).encode(family.encode_family(&[("task", task.as_str())])?)?;
            }
        }
        let mut family = encoder.encode_descriptor(
            "rowferry_task_phase",
            "1 for the phase the task is in",
            None,
            ConstGauge::new(0_u64).metric_type(),
        )?;
        for (task, status) in &model.tasks {
            for phase in PHASES {
                let labels = [("task", task.as_str()), ("phase", phase)];
                ConstGauge::new(u64::from(status.phase.name() == phase))
                    .encode(family.encode_family(&labels)?)?;
            }
        }
        for (name, help, value) in COUNTERS {
            let mut family =
                encoder.encode_descriptor(name, help, None, ConstCounter::new(0_u64).metric_type())?;
            for (task, status) in &model.tasks {
                ConstCounter::new(value(status)).encode(family.encode_family(&[("task", task.as_str())])?)?;
            }
        }
        for (name, help, value) in TABLE_GAUGES {
            let mut family =
                encoder.encode_descriptor(name, help, None, ConstGauge::new(0_u64).metric_type())?;
            for (task, status) in &model.tasks {
                for (table, table_status) in &status.tables {
                    let labels = [("task", task.as_str()), ("table", table.as_str())];
                    ConstGauge::new(value(table_status)).encode(family.encode_family(&labels)?)?;
                }
            }
        }
        for (name, help, value) in VERIFIED_GAUGES {
            let mut family =
                encoder.encode_descriptor(name, help, None, ConstGauge::new(0_u64).metric_type())?;
            for (task, status) in &model.tasks {
                for (table, verified) in &status.verified {
                    let labels = [("task", task.as_str()), ("table", table.as_str())];
                    ConstGauge::new(value(verified)).encode(family.encode_family(&labels)?)?;
                }
            }
        }
        for (name, help, value) in VERIFIED_COUNTERS {
            let mut family =
                encoder.encode_descriptor(name, help, None, ConstCounter::new(0_u64).metric_type())?;
            for (task, status) in &model.tasks {
                for (table, verified) in &status.verified {
                    let labels = [("task", task.as_str()), ("table", table.as_str())];
                    ConstCounter::new(value(verified)).encode(family.encode_family(&labels)?)?;
                }
            }
        }
        for (name, help, value) in TABLE_COUNTERS {
            let mut family =
                encoder.encode_descriptor(name, help, None, ConstCounter::new(0_u64).metric_type())?;
            for (task, status) in &model.tasks {
                for (table, table_status) in &status.tables {
                    let labels = [("task", task.as_str()), ("table", table.as_str())];
                    ConstCounter::new(value(table_status)).encode(family.encode_family(&labels)?)?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_carry_task_and_phase() {
        let board = Board::default();
        board.tell("shop", |task| (task.phase, task.transactions) = (Phase::Synchronizing, 7));
        board.tell("late", |task| task.waiting_for = Some("somebody".into()));
        let text = render(&board).unwrap();
        assert!(text.contains("rowferry_task_waiting{task=\"shop\"} 0"), "{text}");
        assert!(text.contains("rowferry_task_waiting{task=\"late\"} 1"), "{text}");
        assert!(text.contains("rowferry_sink_transactions_total{task=\"shop\"} 7"), "{text}");
        assert!(!text.contains("rowferry_task_lag_milliseconds{"), "{text}");
        board.tell("shop", |task| {
            task.heard = now().seconds();
            task.reached.all(now());
        });
        let text = render(&board).unwrap();
        assert!(text.contains("rowferry_task_lag_milliseconds{task=\"shop\"} 0"), "{text}");
        assert!(text.contains("rowferry_task_ready{task=\"shop\"} 1"), "{text}");
        assert!(!text.contains("rowferry_task_lag_milliseconds{task=\"late\"}"), "{text}");
        assert!(text.contains("rowferry_task_phase{task=\"shop\",phase=\"Synchronizing\"} 1"), "{text}");
        assert!(text.contains("rowferry_task_phase{task=\"shop\",phase=\"Failed\"} 0"), "{text}");
    }
}
