//! `QUERY_EVENT` (and `EXECUTE_LOAD_QUERY_EVENT`): a statement with the session settings it was run under.
//!
//! `[thread u32][seconds u32][length of database u8][error u16][length of variables u16]` and, for LOAD,
//! 13 bytes more; then the variables, `[database][00]`, and the text to the end
//! (`libs/mysql/binlog/event/statement_events.h`, `Query_event`).

use super::cursor::{Cursor, Malformed};
use super::text;
use bytes::Bytes;

/// A statement as logged, its text not yet decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The number of the session.
    pub session: u32,
    /// The session's default database; empty when it had none.
    pub database: String,
    /// `sql_mode`; `None` when the event does not say.
    pub sql_mode: Option<u64>,
    /// Collation number of `character_set_client`; `None` when the event does not say.
    pub client_collation: Option<u16>,
    /// Collation number of `collation_connection`; `None` when the event does not say.
    pub connection_collation: Option<u16>,
    /// The session's time zone as seconds east of UTC; `None` when the event does not say or names a zone.
    pub utc_offset_seconds: Option<i32>,
    /// The microseconds of the second in which the statement began; `None` when the event does not say.
    pub started_micros: Option<u32>,
    /// The databases whose tables the statement read or wrote, by itself or through views, triggers and functions;
    /// `None` when the event does not say, or that they were too many to name.
    pub databases: Option<Vec<String>>,
    /// `explicit_defaults_for_timestamp`; `None` when the event does not say.
    pub explicit_timestamps: Option<bool>,
    /// The error the statement ended with at the source; 0 when it went well.
    pub error_code: u16,
    /// The text in the client's character set.
    pub text: Bytes,
}

/// Bytes a LOAD statement has more in its fixed part.
pub const LOAD_FIXED: usize = 13;

/// Reads a query event; `more_fixed` is the length of what follows the usual fixed part.
pub fn read(body: &Bytes, more_fixed: usize) -> Result<Query, Malformed> {
    let mut at = Cursor::new(body);
    let session = at.u32("thread id")?;
    at.u32("duration")?;
    let database_length = usize::from(at.u8("length of database name")?);
    let error_code = at.u16("error code")?;
    let variables_length = usize::from(at.u16("length of variables")?);
    at.read(more_fixed, "fixed part")?;
    let variables = at.take(variables_length, "variables")?;
    let settings = settings(&variables)?;
    let database = std::str::from_utf8(at.read(database_length, "database name")?)
        .map_err(|_| Malformed::new("its database name is not UTF-8"))?
        .to_owned();
    if at.u8("database name")? != 0 {
        return Err(Malformed::new("its database name is not terminated"));
    }
    Ok(Query {
        session,
        database,
        sql_mode: settings.sql_mode,
        client_collation: settings.client_collation,
        connection_collation: settings.connection_collation,
        utc_offset_seconds: settings.utc_offset_seconds,
        started_micros: settings.started_micros,
        databases: settings.databases,
        explicit_timestamps: settings.explicit_timestamps,
        error_code,
        text: at.rest(),
    })
}

/// What the status variables say.
#[derive(Debug, Default, PartialEq, Eq)]
struct Settings {
    sql_mode: Option<u64>,
    client_collation: Option<u16>,
    connection_collation: Option<u16>,
    utc_offset_seconds: Option<i32>,
    started_micros: Option<u32>,
    databases: Option<Vec<String>>,
    explicit_timestamps: Option<bool>,
}

/// Finds the settings among the status variables. The codes and their lengths are the server's
/// `Query_event_status_vars`; behind an unknown code nothing can be read, and servers write new codes behind old ones.
fn settings(variables: &Bytes) -> Result<Settings, Malformed> {
    let mut at = Cursor::new(variables);
    let mut settings = Settings::default();
    while at.remaining() > 0 {
        match at.u8("variable")? {
            1 => settings.sql_mode = Some(at.u64("sql_mode")?),
            4 => {
                settings.client_collation = Some(at.u16("character set")?);
                settings.connection_collation = Some(at.u16("connection's collation")?);
                at.u16("server's collation")?;
            }
            // FLAGS2, AUTO_INCREMENT, MASTER_DATA_WRITTEN
            0 | 3 | 10 => drop(at.u32("variable")?),
            // CATALOG with a final zero
            2 => {
                let length = usize::from(at.u8("catalog")?);
                at.read(length + 1, "catalog")?;
            }
            // TIME_ZONE
            5 => {
                let length = usize::from(at.u8("time zone")?);
                settings.utc_offset_seconds = utc_offset(at.read(length, "time zone")?);
            }
            // CATALOG_NZ
            6 => {
                let length = usize::from(at.u8("variable")?);
                at.read(length, "variable")?;
            }
            // LC_TIME_NAMES, CHARSET_DATABASE
            7 | 8 => drop(at.u16("variable")?),
            // TABLE_MAP_FOR_UPDATE
            9 => drop(at.u64("variable")?),
            // INVOKER: user and host
            11 => {
                for _ in 0..2 {
                    let length = usize::from(at.u8("invoker")?);
                    at.read(length, "invoker")?;
                }
            }
            // UPDATED_DB_NAMES, each with a final zero; 254: too many to name
            12 => {
                let count = at.u8("number of databases")?;
                if count != 254 {
                    let names = (0..count).map(|_| terminated(&mut at)).collect::<Result<_, _>>()?;
                    settings.databases = Some(names);
                }
            }
            // MICROSECONDS
            13 => {
                if let [a, b, c] = *at.read(3, "microseconds")? {
                    settings.started_micros = Some(u32::from_le_bytes([a, b, c, 0]));
                }
            }
            // EXPLICIT_DEFAULTS_FOR_TIMESTAMP
            16 => settings.explicit_timestamps = Some(at.u8("explicit_defaults_for_timestamp")? != 0),
            _ => break,
        }
    }
    Ok(settings)
}

/// A name up to its final zero.
fn terminated(at: &mut Cursor<'_>) -> Result<String, Malformed> {
    let mut name = Vec::new();
    loop {
        match at.u8("database name")? {
            0 => break,
            byte => name.push(byte),
        }
    }
    String::from_utf8(name).map_err(|_| Malformed::new("a database name is not UTF-8"))
}

/// `+05:30` → 19800. A named zone is no fixed offset.
fn utc_offset(zone: &[u8]) -> Option<i32> {
    let zone = std::str::from_utf8(zone).ok()?;
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let seconds = hours.parse::<i32>().ok()? * 3600 + minutes.parse::<i32>().ok()? * 60;
    match zone.get(..1)? {
        "+" => Some(seconds),
        "-" => Some(-seconds),
        _ => None,
    }
}

impl Query {
    /// The text, and whether every byte of it was understood.
    pub fn decoded(&self) -> (String, bool) {
        text::decode(&self.text, self.client_collation)
    }

    /// Whether literals in the decoded text are what the server took them for.
    pub fn keeps_literals(&self, decoded: &str) -> bool {
        text::keeps(decoded, self.connection_collation)
    }

    /// True when the text is just this word.
    pub fn is(&self, word: &str) -> bool {
        self.text.eq_ignore_ascii_case(word.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Bytes {
        let digits: Vec<u32> = hex.chars().filter_map(|c| c.to_digit(16)).collect();
        digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap()).collect::<Vec<u8>>().into()
    }

    /// `ALTER TABLE t1 COMMENT 'ae'` under latin1, from MySQL 9.7.4.
    const REAL: &str = "110000000000000009000034000000000000012000a0450000000006037374640408000800ff000c0172665f6269\
                        6e6c6f670011610000000000000012ff00130072665f62696e6c6f6700414c544552205441424c4520743120434f\
                        4d4d454e542027616527";

    #[test]
    fn a_statement_of_a_real_server_is_read_with_its_settings() {
        let query = read(&bytes(REAL), 0).unwrap();
        assert_eq!(query.database, "rf_binlog");
        assert_eq!(query.sql_mode, Some(0x45a0_0020));
        assert_eq!((query.client_collation, query.error_code), (Some(8), 0));
        assert_eq!(query.decoded(), ("ALTER TABLE t1 COMMENT 'ae'".to_owned(), true));
    }

    #[test]
    fn variables_before_and_behind_the_wanted_ones_are_stepped_over() {
        let mut variables =
            vec![0, 1, 2, 3, 4, 2, 3, b's', b't', b'd', 0, 5, 2, b'U', b'T', 6, 1, b'c', 7, 1, 1];
        variables.extend([8, 1, 1, 9, 1, 2, 3, 4, 5, 6, 7, 8, 10, 1, 2, 3, 4, 3, 1, 0, 1, 0]);
        variables.extend([1, 4, 0, 0, 0, 0, 0, 0, 0, 4, 33, 0, 8, 0, 8, 0, 200, 1]);
        let found = settings(&variables.into()).unwrap();
        assert_eq!((found.sql_mode, found.client_collation), (Some(4), Some(33)));
        assert_eq!(settings(&Bytes::from_static(&[200, 1, 4])), Ok(Settings::default()));
    }

    #[test]
    fn when_and_in_which_zone_a_statement_began_is_read() {
        let mut variables = vec![5, 6];
        variables.extend_from_slice(b"-05:30");
        variables.extend_from_slice(&[12, 1, b'd', 0, 13, 0x40, 0xe2, 0x01, 16, 1]);
        let found = settings(&variables.into()).unwrap();
        assert_eq!((found.utc_offset_seconds, found.started_micros), (Some(-19_800), Some(123_456)));
        assert_eq!(found.databases, Some(vec!["d".to_owned()]));
        assert_eq!(settings(&Bytes::from_static(&[12, 254])).unwrap().databases, None, "too many to name");
        assert_eq!(found.explicit_timestamps, Some(true));
        assert_eq!(utc_offset(b"+14:00"), Some(50_400));
        assert_eq!((utc_offset(b"SYSTEM"), utc_offset(b"Europe/Paris")), (None, None));
    }

    #[test]
    fn a_load_statement_has_a_longer_fixed_part() {
        let mut body = vec![0; 13];
        body[8] = 1;
        body.extend([7; LOAD_FIXED]);
        body.extend(b"d\0LOAD DATA");
        let query = read(&body.into(), LOAD_FIXED).unwrap();
        assert_eq!((query.database.as_str(), &*query.text), ("d", &b"LOAD DATA"[..]));
    }

    #[test]
    fn no_prefix_panics_or_passes_without_its_database() {
        let real = bytes(REAL);
        let text_starts = real.len() - "ALTER TABLE t1 COMMENT 'ae'".len();
        for cut in 0..real.len() {
            assert_eq!(read(&real.slice(..cut), 0).is_err(), cut < text_starts, "{cut}");
        }
        let variables = real.slice(13..13 + 0x34);
        for cut in 0..variables.len() {
            // Either cut between two variables or refused.
            let _: Result<_, Malformed> = settings(&variables.slice(..cut));
        }
    }
}
