//! Instants of TIMESTAMP columns that a statement carries through its session's local time.
//!
//! MySQL 5.6 to 9.7 copies a row into the new form of its table by way of the local time of the session, also where the column
//! itself stays what it is; of the instants of an hour that a time zone has twice only one comes back. Whether a statement copies
//! hangs on more than its text (`old_alter_table` is not logged), but the log tells the time zone of just those statements that
//! asked for it (seen on 5.6 and 9.7; MariaDB 10.11 and 11.8 keep the instants). So the proof is made with the data: the source
//! tells which hours its zone has twice, and the target must hold no instant in one of them.
//!
//! What must never happen here: a zone taken for one without such hours because its answer was not whole.

use super::Case;
use crate::change::facts::Flavour;
use crate::change::remedy::AtSource;
use crate::change::{Asked, Question, TargetChange, TargetType};
use crate::schema::MySqlType;
use crate::schema::ddl::Evolved;
use crate::transform::TransformError;

/// Seconds between two looks at the zone: coarse, and then fine within.
const COARSE: i64 = 21_600;
const FINE: i64 = 900;
/// TIMESTAMP's last second.
const LAST: i64 = 2_147_483_647;
/// `group_concat_max_len` by default: an answer of that length may have been cut.
const CUT: usize = 1024;

impl Case<'_> {
    /// What must hold at the target so that no instant of a carried TIMESTAMP column becomes another.
    ///
    /// # Errors
    /// [`TransformError::Asks`] for the hours that the zone has twice; [`TransformError::Ddl`] where they cannot be known.
    pub(super) fn keeps_instants(&self, evolved: &Evolved) -> Result<Vec<TargetChange>, TransformError> {
        let session = self.issued.session;
        let Some(zone) = session.time_zone.as_deref() else { return Ok(Vec::new()) };
        if self.issued.mode.flavour == Some(Flavour::MariaDb) || session.utc_offset_seconds().is_some() {
            return Ok(Vec::new());
        }
        let kept = evolved.origin.iter().flatten();
        let instants: Vec<(&str, usize)> = kept
            .filter_map(|index| Some((self.before.columns.get(*index)?, self.mapping.target_of(*index)?)))
            .filter(|(column, _)| matches!(column.data_type, MySqlType::Timestamp { .. }))
            .map(|(column, target)| (column.name.as_str(), target))
            .collect();
        if instants.is_empty() {
            return Ok(Vec::new());
        }
        let doubled = self.doubled(zone)?;
        let mut changes = Vec::new();
        for (name, target) in instants.into_iter().filter(|_| !doubled.is_empty()) {
            let column = self.mapping.target.columns.get(target);
            let column = column.ok_or_else(|| self.internal("a target column"))?;
            let why = format!(
                "it may have stored the instants of TIMESTAMP column {name} anew by way of the session's time zone ({zone}), and some \
                 rows have one of an hour that this zone has twice"
            );
            let remedy = self.copy_again().also(AtSource::StateInUtc);
            if !matches!(column.data_type, TargetType::TimestampTz(_)) {
                return Err(self.stop(why, remedy));
            }
            changes.push(TargetChange::RequireNone {
                table: self.target().clone(),
                column: column.name.clone(),
                between: doubled.clone(),
                why: self.stop(why, remedy.clone()).to_string(),
                remedy,
            });
        }
        Ok(changes)
    }

    /// The spans of time, in seconds since 1970, in which the zone's clocks show what they show twice.
    fn doubled(&self, zone: &str) -> Result<Vec<(i64, i64)>, TransformError> {
        let question = Question {
            session: self.issued.session.clone(),
            asked: Asked::Values(vec![folds(), deepest()]),
            literals: None,
            same_server: zone.eq_ignore_ascii_case("SYSTEM"),
        };
        let Some(answer) = self.issued.answers.get(&question) else {
            return Err(TransformError::Asks(Box::new(question)));
        };
        let uncertain = |why: &str| {
            self.stop(
                format!(
                    "it asked for its session's time zone ({zone}), which may have changed instants of TIMESTAMP columns: {why}"
                ),
                self.copy_again(),
            )
        };
        let values = answer.as_ref().map_err(|why| uncertain(why))?;
        let text = |index: usize| {
            let value = values.get(index)?;
            Some(value.text.as_deref().map(|text| String::from_utf8_lossy(text).into_owned()))
        };
        let (Some(starts), Some(deepest)) = (text(0), text(1)) else {
            return Err(uncertain("the source's answer lacks a value"));
        };
        let Some(starts) = starts else { return Ok(Vec::new()) };
        let deepest = deepest.and_then(|text| text.parse::<i64>().ok());
        // What is as long as it may be was cut, perhaps within a number.
        let whole = starts.len() < CUT;
        let starts: Option<Vec<i64>> = starts.split(',').map(|start| start.parse().ok()).collect();
        let (Some(deepest), Some(starts), true) = (deepest, starts, whole) else {
            return Err(uncertain("its changes cannot be read from the source's answer"));
        };
        Ok(starts.into_iter().map(|start| (start - deepest, start + FINE + deepest)).collect())
    }
}

/// How far the zone's clocks are ahead of UTC, in seconds, at an instant.
fn offset(at: &str) -> String {
    format!("(TIMESTAMPDIFF(SECOND, '1970-01-01 00:00:00', FROM_UNIXTIME({at})) - ({at}))")
}

/// The numbers from 0 to 9 as a derived table of this name.
fn digits(name: &str) -> String {
    let rest: String = (1..10).map(|digit| format!(" UNION ALL SELECT {digit}")).collect();
    format!("(SELECT 0 d{rest}) {name}")
}

/// The looks of the coarse kind after which the clocks are set back before the next one.
fn coarse() -> String {
    let tables = ["a", "b", "c", "e", "f"].map(digits).join(", ");
    let number = format!("(a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d) * {COARSE}");
    format!(
        "(SELECT n.s FROM (SELECT {number} s FROM {tables}) n WHERE n.s <= {} AND {} > {}) k",
        LAST - COARSE,
        offset("n.s"),
        offset(&format!("n.s + {COARSE}"))
    )
}

/// The same of the fine kind, as a list.
fn folds() -> String {
    let (at, steps) = ("k.s + (g.d + 10 * h.d) * 900", COARSE / FINE);
    format!(
        "(SELECT GROUP_CONCAT({at}) FROM {}, {}, {} WHERE g.d + 10 * h.d < {steps} AND {} > {})",
        coarse(),
        digits("g"),
        digits("h"),
        offset(at),
        offset(&format!("{at} + {FINE}"))
    )
}

/// By how many seconds they are set back at most.
fn deepest() -> String {
    format!("(SELECT MAX({} - {}) FROM {})", offset("k.s"), offset(&format!("k.s + {COARSE}")), coarse())
}
