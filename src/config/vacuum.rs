//! `vacuum = { … }` of a task.

use super::section::{Problems, Section, quoted};
use super::types::{VacuumConfig, VacuumMode, Window};
use toml::Value;

/// Reads it, with the defaults for what is not said.
pub(super) fn vacuum(section: Option<Section>, problems: &mut Problems) -> VacuumConfig {
    let mut vacuum = VacuumConfig { mode: VacuumMode::Auto, threshold: 0.2, min_rows: 10_000, window: None };
    let Some(mut section) = section else { return vacuum };
    let modes = [("auto", VacuumMode::Auto), ("on", VacuumMode::On), ("off", VacuumMode::Off)];
    vacuum.mode = section.choice("mode", &modes, problems).unwrap_or(vacuum.mode);
    if let Some(value) = section.take("threshold") {
        let share = match &value {
            Value::Float(share) => Some(*share),
            // TOML has no float without a point.
            Value::Integer(1) => Some(1.0),
            _ => None,
        };
        match share.filter(|share| (0.01..=10.0).contains(share)) {
            Some(share) => vacuum.threshold = share,
            None => problems.add(
                section.key("threshold"),
                Some(&value.to_string()),
                "must be a number from 0.01 to 10.0: dead rows as a share of the living",
                "write e.g. 0.2",
            ),
        }
    }
    if let Some(rows) = section.integer("min_rows", 1, 1_000_000_000_000, problems) {
        vacuum.min_rows = rows;
    }
    if let Some(text) = section.string("window", problems) {
        vacuum.window = window(&text);
        if vacuum.window.is_none() {
            problems.add(
                section.key("window"),
                Some(&quoted(&text)),
                "must be two different times of day in UTC",
                "write e.g. \"22:00-06:00\", or leave it out for any time",
            );
        }
    }
    section.finish(problems);
    vacuum
}

fn window(text: &str) -> Option<Window> {
    let (from, to) = text.split_once('-')?;
    let window = Window { from: minute(from)?, to: minute(to)? };
    (window.from != window.to).then_some(window)
}

fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.trim().split_once(':')?;
    let digits = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
    if !(digits(hour) && digits(minute)) {
        return None;
    }
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    (hour < 24 && minute < 60).then_some(hour * 60 + minute)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_may_lie_over_midnight() {
        let at = |hour: u64, minute: u64| 1_700_000_000 / 86_400 * 86_400 + hour * 3600 + minute * 60;
        let night = window("22:00-06:30").unwrap();
        for (hour, minute, open) in
            [(21, 59, false), (22, 0, true), (0, 0, true), (6, 29, true), (6, 30, false)]
        {
            assert_eq!(night.contains(at(hour, minute)), open, "{hour}:{minute}");
        }
        let day = window("08:00-18:00").unwrap();
        assert!(day.contains(at(8, 0)) && !day.contains(at(18, 0)) && !day.contains(at(0, 0)));
        assert_eq!(night.to_string(), "22:00-06:30");
    }

    #[test]
    fn what_is_no_time_of_day_is_refused() {
        for text in
            ["", "22:00", "22-06", "24:00-06:00", "22:60-06:00", "06:00-06:00", "+2:00-06:00", "2:00-06:00"]
        {
            assert_eq!(window(text), None, "{text}");
        }
    }
}
