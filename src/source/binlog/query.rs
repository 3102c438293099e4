//! `QUERY_EVENT` (and `EXECUTE_LOAD_QUERY_EVENT`): a statement with the session settings it was run under.
//!
//! `[thread u32][seconds u32][length of database u8][error u16][length of variables u16]` and, for LOAD,
//! 13 bytes more; then the variables, `[database][00]`, and the text to the end
//! (`libs/mysql/binlog/event/statement_events.h`, `Query_event`).

use super::cursor::{Cursor, Malformed};
use super::frame::Header;
use super::selected::SelectedTables;
use super::text;
use crate::change::facts::Flavour;
use crate::change::{Session, TableName};
use crate::schema::ddl::Name;
use bytes::Bytes;

/// A statement as logged, its text not yet decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The session.
    pub session: Session,
    /// Number of the server where it was first logged.
    pub server_id: u32,
    /// The session's default database; empty when it had none.
    pub database: String,
    /// The event says the `sql_mode` of the session; else how to read the text is not known.
    pub says_sql_mode: bool,
    /// The databases whose tables the statement read or wrote, by itself or through views, triggers and functions;
    /// `None` when the event does not say, or that they were too many to name.
    pub databases: Option<Vec<String>>,
    /// The error the statement ended with at the source; 0 when it went well.
    pub error_code: u16,
    /// The text in the client's character set.
    pub text: Bytes,
}

/// Bytes a LOAD statement has more in its fixed part.
pub const LOAD_FIXED: usize = 13;

/// The header's flag of a statement that used a temporary table of its session (`LOG_EVENT_THREAD_SPECIFIC_F`). Seen on 5.6, 9.7
/// and MariaDB: set for ALTER, CREATE INDEX, DROP INDEX, TRUNCATE and OPTIMIZE of a temporary table; but in a stored procedure
/// for every statement after such a one as well, and for DROP TABLE of any table (9.7, MariaDB).
const FLAG_THREAD_SPECIFIC: u16 = 0x4;

/// Reads the body of a query event of a server of this family; `more_fixed` is the length of what follows the usual fixed part.
pub fn read(header: &Header, body: &Bytes, more_fixed: usize, flavour: Flavour) -> Result<Query, Malformed> {
    let mut at = Cursor::new(body);
    let id = at.u32("thread id")?;
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
    let explicit_timestamps = match flavour {
        Flavour::MySql => settings.explicit_timestamps,
        Flavour::MariaDb => settings.flags.map(|flags| flags & FLAG_EXPLICIT_TIMESTAMPS != 0),
    };
    let utf8mb4_collation = settings.utf8mb4_collation(flavour);
    let session = Session {
        id,
        server_id: header.server_id,
        sql_mode: settings.sql_mode.unwrap_or(0),
        time_zone: settings.time_zone,
        client_collation: settings.client_collation,
        connection_collation: settings.connection_collation,
        utf8mb4_collation,
        // It stands before the character sets where it stands at all.
        set_collations: (flavour == Flavour::MariaDb && settings.client_collation.is_some())
            .then_some(settings.set_collations),
        explicit_timestamps,
        started: Some((u64::from(header.timestamp), settings.started_micros)),
        uses_temporary: header.flags & FLAG_THREAD_SPECIFIC != 0,
    };
    Ok(Query {
        session,
        server_id: header.server_id,
        database,
        says_sql_mode: settings.sql_mode.is_some(),
        databases: settings.databases,
        error_code,
        text: at.rest(),
    })
}

/// MariaDB's `explicit_defaults_for_timestamp` among the flags that each of its statements has (seen on 10.11).
const FLAG_EXPLICIT_TIMESTAMPS: u32 = 1 << 24;

/// A session: the server where it was, and its number there.
pub type SessionKey = (u32, u32);

/// What the status variables say.
#[derive(Debug, Default, PartialEq, Eq)]
struct Settings {
    flags: Option<u32>,
    sql_mode: Option<u64>,
    client_collation: Option<u16>,
    connection_collation: Option<u16>,
    time_zone: Option<String>,
    started_micros: Option<u32>,
    databases: Option<Vec<String>>,
    explicit_timestamps: Option<bool>,
    /// Collation number of `default_collation_for_utf8mb4`.
    utf8mb4: Option<u16>,
    /// Pairs of `character_set_collations`.
    set_collations: Vec<(u16, u16)>,
    /// There is something that no server before 8.0 says, or that was left unread.
    of_8: bool,
}

impl Settings {
    /// MySQL says it with every statement since it can be set (8.0.11), and had one default before.
    fn utf8mb4_collation(&self, flavour: Flavour) -> Option<u16> {
        const GENERAL: u16 = 45;
        match (flavour, self.utf8mb4) {
            (Flavour::MariaDb, _) => None,
            (Flavour::MySql, Some(number)) => Some(number),
            (Flavour::MySql, None) => (!self.of_8).then_some(GENERAL),
        }
    }
}

/// Finds the settings among the status variables. The codes and their lengths are the server's
/// `Query_event_status_vars`; after an unknown code nothing can be read, and servers write new codes after old ones.
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
            // FLAGS2
            0 => settings.flags = Some(at.u32("flags")?),
            // AUTO_INCREMENT, MASTER_DATA_WRITTEN
            3 | 10 => drop(at.u32("variable")?),
            // CATALOG with a final zero
            2 => {
                let length = usize::from(at.u8("catalog")?);
                at.read(length + 1, "catalog")?;
            }
            // TIME_ZONE
            5 => {
                let length = usize::from(at.u8("time zone")?);
                let zone = at.read(length, "time zone")?;
                settings.time_zone = Some(String::from_utf8_lossy(zone).into_owned());
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
            // MICROSECONDS, and MariaDB's HRNOW
            13 | 128 => {
                if let [a, b, c] = *at.read(3, "microseconds")? {
                    settings.started_micros = Some(u32::from_le_bytes([a, b, c, 0]));
                }
            }
            // MariaDB's CHARACTER_SET_COLLATIONS, which stands before CHARSET: pairs of collation numbers
            131 => {
                let pairs = usize::from(at.u8("collations of character sets")?);
                for _ in 0..pairs {
                    let of = at.u16("collations of character sets")?;
                    settings.set_collations.push((of, at.u16("collations of character sets")?));
                }
            }
            // EXPLICIT_DEFAULTS_FOR_TIMESTAMP
            16 => settings.explicit_timestamps = Some(at.u8("explicit_defaults_for_timestamp")? != 0),
            // DDL_LOGGED_WITH_XID
            17 => {
                settings.of_8 = true;
                at.u64("transaction of a DDL statement")?;
            }
            18 => settings.utf8mb4 = Some(at.u16("default_collation_for_utf8mb4")?),
            // SQL_REQUIRE_PRIMARY_KEY, DEFAULT_TABLE_ENCRYPTION
            19 | 20 => {
                settings.of_8 = true;
                at.u8("variable")?;
            }
            _ => {
                settings.of_8 = true;
                break;
            }
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

impl Query {
    /// The text, and whether every byte of it was understood.
    pub fn decoded(&self) -> (String, bool) {
        text::decode(&self.text, self.session.client_collation)
    }

    /// The text as UTF-8, where that is another reading of it than the client's character set gives. Servers write some texts
    /// themselves and in UTF-8, whatever the client uses: 5.6 a DROP TABLE, all of them the CREATE TABLE of a CREATE … SELECT.
    pub fn as_utf8(&self, decoded: &str) -> Option<&str> {
        if self.text.is_ascii() {
            return None;
        }
        std::str::from_utf8(&self.text).ok().filter(|text| *text != decoded)
    }

    /// The session, among those of all servers whose statements this log holds.
    pub fn session_key(&self) -> SessionKey {
        (self.server_id, self.session.id)
    }

    /// A name of the statement with its database, in the form in which names are compared.
    pub fn full_name(&self, name: &Name, selected: &SelectedTables) -> TableName {
        selected.folded(&name.full(&self.database))
    }

    /// Whether literals in the decoded text are what the server took them for.
    pub fn keeps_literals(&self, decoded: &str) -> bool {
        text::keeps(decoded, self.session.connection_collation)
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

    fn header(flags: u16) -> Header {
        Header { timestamp: 7, code: 2, server_id: 1, length: 0, log_pos: 0, flags }
    }

    /// `ALTER TABLE t1 COMMENT 'ae'` under latin1, from MySQL 9.7.4.
    const REAL: &str = "110000000000000009000034000000000000012000a0450000000006037374640408000800ff000c0172665f6269\
                        6e6c6f670011610000000000000012ff00130072665f62696e6c6f6700414c544552205441424c4520743120434f\
                        4d4d454e542027616527";

    #[test]
    fn a_statement_of_a_real_server_is_read_with_its_settings() {
        let query = read(&header(0), &bytes(REAL), 0, Flavour::MySql).unwrap();
        assert_eq!(query.database, "rf_binlog");
        assert_eq!((query.session.sql_mode, query.says_sql_mode), (0x45a0_0020, true));
        assert_eq!((query.session.client_collation, query.error_code), (Some(8), 0));
        assert_eq!((query.session.started, query.session.uses_temporary), (Some((7, None)), false));
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
        let unread = Settings { of_8: true, ..Settings::default() };
        assert_eq!(settings(&Bytes::from_static(&[200, 1, 4])), Ok(unread));
    }

    #[test]
    fn when_and_in_which_zone_a_statement_began_is_read() {
        let mut variables = vec![5, 6];
        variables.extend_from_slice(b"-05:30");
        variables.extend_from_slice(&[12, 1, b'd', 0, 13, 0x40, 0xe2, 0x01, 16, 1]);
        let found = settings(&variables.into()).unwrap();
        assert_eq!((found.time_zone.as_deref(), found.started_micros), (Some("-05:30"), Some(123_456)));
        assert_eq!(found.databases, Some(vec!["d".to_owned()]));
        assert_eq!(settings(&Bytes::from_static(&[12, 254])).unwrap().databases, None, "too many to name");
        assert_eq!(found.explicit_timestamps, Some(true));
        // MariaDB: how sets get their collations comes first, the microseconds under another number and last.
        let mut variables = vec![131, 2, 33, 0, 0, 9, 45, 0, 5, 9, 5, 2];
        variables.extend_from_slice(b"UT");
        variables.extend_from_slice(&[128, 0x40, 0xe2, 0x01, 129, 1, 2, 3, 4, 5, 6, 7, 8]);
        let found = settings(&variables.into()).unwrap();
        assert_eq!((found.time_zone.as_deref(), found.started_micros), (Some("UT"), Some(123_456)));
        assert_eq!(found.set_collations, [(33, 2304), (45, 2309)]);
    }

    #[test]
    fn what_sets_without_a_collation_mean_is_read() {
        let body = |variables: &[u8]| {
            let mut body = vec![0; 13];
            body[11] = u8::try_from(variables.len()).unwrap();
            body.extend(variables);
            body.extend(b"\0DROP TABLE t");
            Bytes::from(body)
        };
        let mysql = |variables: &[u8]| read(&header(0), &body(variables), 0, Flavour::MySql).unwrap().session;
        let xid = [17, 1, 0, 0, 0, 0, 0, 0, 0];
        // 9.7 and 8.0; 5.6; one that says it is of 8.0 and not this; one with something unknown in between.
        assert_eq!(mysql(&[&xid[..], &[18, 45, 0, 19, 0]].concat()).utf8mb4_collation, Some(45));
        assert_eq!(mysql(&[18, 255, 0]).utf8mb4_collation, Some(255));
        assert_eq!(mysql(&[4, 33, 0, 33, 0, 8, 0]).utf8mb4_collation, Some(45));
        assert_eq!(mysql(&xid).utf8mb4_collation, None);
        assert_eq!(mysql(&[200, 1, 18, 45, 0]).utf8mb4_collation, None);
        let maria =
            |variables: &[u8]| read(&header(0), &body(variables), 0, Flavour::MariaDb).unwrap().session;
        assert_eq!(
            maria(&[131, 1, 45, 0, 0, 9, 4, 33, 0, 33, 0, 8, 0]).set_collations,
            Some(vec![(45, 2304)])
        );
        assert_eq!(maria(&[4, 33, 0, 33, 0, 8, 0]).set_collations, Some(Vec::new()));
        assert_eq!(maria(&[4, 33, 0, 33, 0, 8, 0]).utf8mb4_collation, None);
        assert_eq!(maria(&[200, 1]).set_collations, None);
    }

    #[test]
    fn mariadb_says_in_its_flags_how_it_takes_timestamps_and_any_server_in_the_headers_what_is_temporary() {
        let with = |flavour, flags: u32, header_flags| {
            let mut body = vec![0; 13];
            body[11] = 5;
            body.push(0);
            body.extend(flags.to_le_bytes());
            body.extend(b"\0DROP TABLE t");
            read(&header(header_flags), &body.into(), 0, flavour).unwrap().session
        };
        assert_eq!(with(Flavour::MariaDb, 1 << 24, 0).explicit_timestamps, Some(true));
        assert_eq!(with(Flavour::MariaDb, 0, 0).explicit_timestamps, Some(false));
        assert_eq!(with(Flavour::MySql, 1 << 24, 0).explicit_timestamps, None);
        assert!(with(Flavour::MySql, 0, 0xc).uses_temporary && !with(Flavour::MySql, 0, 0x8).uses_temporary);
    }

    #[test]
    fn a_load_statement_has_a_longer_fixed_part() {
        let mut body = vec![0; 13];
        body[8] = 1;
        body.extend([7; LOAD_FIXED]);
        body.extend(b"d\0LOAD DATA");
        let query = read(&header(0), &body.into(), LOAD_FIXED, Flavour::MySql).unwrap();
        assert_eq!((query.database.as_str(), &*query.text), ("d", &b"LOAD DATA"[..]));
    }

    #[test]
    fn no_prefix_panics_or_passes_without_its_database() {
        let real = bytes(REAL);
        let text_starts = real.len() - "ALTER TABLE t1 COMMENT 'ae'".len();
        for cut in 0..real.len() {
            assert_eq!(
                read(&header(0), &real.slice(..cut), 0, Flavour::MySql).is_err(),
                cut < text_starts,
                "{cut}"
            );
        }
        let variables = real.slice(13..13 + 0x34);
        for cut in 0..variables.len() {
            // Either cut between two variables or refused.
            let _: Result<_, Malformed> = settings(&variables.slice(..cut));
        }
    }
}
