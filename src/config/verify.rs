//! `verify = { … }` of a task.

use super::section::{Problems, Section};
use super::types::VerifyConfig;
use std::ops::RangeInclusive;
use std::time::Duration;
use toml::Value;

/// What `pause` may be.
const PAUSES: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(366 * 86_400);

/// Reads it, with the defaults for what is not said.
pub(super) fn verify(section: Option<Section>, problems: &mut Problems) -> VerifyConfig {
    let mut verify = VerifyConfig {
        continuous: false,
        rows_per_second: 1_000,
        pause: Duration::from_secs(600),
        repair: false,
    };
    let Some(mut section) = section else { return verify };
    let modes = [("off", false), ("continuous", true)];
    verify.continuous = section.choice("mode", &modes, problems).unwrap_or(verify.continuous);
    if let Some(rows) = section.integer("rows_per_second", 0, 1_000_000_000, problems) {
        verify.rows_per_second = rows;
    }
    if let Some(text) = section.string("pause", problems) {
        match humantime::parse_duration(&text) {
            Ok(pause) if PAUSES.contains(&pause) => verify.pause = pause,
            _ => problems.add(
                section.key("pause"),
                Some(&text),
                "must be a duration from 1s to 366days",
                "write e.g. \"10m\"",
            ),
        }
    }
    match section.take("repair") {
        None => {}
        Some(Value::Boolean(repair)) => verify.repair = repair,
        Some(other) => problems.add(
            section.key("repair"),
            Some(&other.to_string()),
            "must be true or false",
            "write repair = true to have put right what differs",
        ),
    }
    section.finish(problems);
    verify
}
