//! What the log tells of the session that issued a statement.

/// The settings of a session that decide what its statement means and what it does to rows that are there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// Its number at the source.
    pub id: u32,
    /// `server_id` of the server on which the statement was first logged; 0 when that is not known.
    pub server_id: u32,
    /// `sql_mode` bits.
    pub sql_mode: u64,
    /// `time_zone` as it was set (`SYSTEM`, `+05:30`, `Europe/Paris`); `None` when the log does not say, which is so where the
    /// statement did not ask for it.
    pub time_zone: Option<String>,
    /// Collation numbers of `character_set_client` and `collation_connection`, where the log says them.
    pub client_collation: Option<u16>,
    /// See `client_collation`.
    pub connection_collation: Option<u16>,
    /// Collation number of `default_collation_for_utf8mb4`, what `utf8mb4` without a collation means to MySQL; `None` where it is not
    /// known.
    pub utf8mb4_collation: Option<u16>,
    /// MariaDB's `character_set_collations`, what sets without a collation mean: numbers of the set's own default collation and of
    /// the session's. Sets that are not among them have their own. `None` where they are not known.
    pub set_collations: Option<Vec<(u16, u16)>>,
    /// `explicit_defaults_for_timestamp`, where the log says it.
    pub explicit_timestamps: Option<bool>,
    /// When the statement began by the source's clock: seconds since 1970 UTC and, where the log has them, the microseconds of
    /// that second. What CURRENT_TIMESTAMP gave.
    pub started: Option<(u64, Option<u32>)>,
    /// The statement used a temporary table of its session, so that a name in it may not mean the table that others see.
    pub uses_temporary: bool,
}

impl Session {
    /// The time zone as seconds east of UTC, where it is a fixed offset.
    pub fn utc_offset_seconds(&self) -> Option<i32> {
        let zone = self.time_zone.as_deref()?;
        if zone.eq_ignore_ascii_case("UTC") {
            return Some(0);
        }
        let (hours, minutes) = zone.get(1..)?.split_once(':')?;
        let seconds = hours.parse::<i32>().ok()? * 3600 + minutes.parse::<i32>().ok()? * 60;
        match zone.get(..1)? {
            "+" => Some(seconds),
            "-" => Some(-seconds),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_fixed_zone_is_an_offset() {
        for (zone, offset) in [
            ("-05:30", Some(-19_800)),
            ("+14:00", Some(50_400)),
            ("UTC", Some(0)),
            ("SYSTEM", None),
            ("Europe/Paris", None),
            ("", None),
        ] {
            let session = Session { time_zone: Some(zone.to_owned()), ..Session::default() };
            assert_eq!(session.utc_offset_seconds(), offset, "{zone}");
        }
        assert_eq!(Session::default().utc_offset_seconds(), None);
    }
}
