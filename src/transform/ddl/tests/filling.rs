//! What existing rows get. The expected values were read back from MySQL 9.7.

use super::*;
use crate::change::Asked;

/// The fill of `ALTER TABLE Orders ADD n …`, `NULL`, or `STOP`.
fn filled(definition: &str, rules: &Rules, zone: Option<&str>) -> String {
    let sql = format!("ALTER TABLE Orders ADD n {definition}");
    let session = zone.map_or(plain(), zoned);
    let issued = Issued { session, ..issued(&sql) };
    filled_as(definition, &sql, rules, &issued)
}

fn filled_as(definition: &str, sql: &str, rules: &Rules, issued: &Issued<'_>) -> String {
    match run_on(&orders(), sql, rules, issued) {
        Ok(translated) => match translated.changes.as_slice() {
            [TargetChange::AddColumn { fill, column, .. }] => {
                assert!(fill.is_some() || column.nullable, "{definition}: NULL for NOT NULL");
                fill.clone().unwrap_or_else(|| "NULL".into())
            }
            other => panic!("{definition}: {other:?}"),
        },
        Err(TransformError::Asks(question)) => match question.asked {
            Asked::Values(values) => format!("ASK {}", values.join(", ")),
            Asked::Stored { data_type, expression, shown } => {
                format!("STORE {expression} in {data_type} as {}", shown.join(", "))
            }
        },
        Err(TransformError::Ddl { remedy, .. }) => {
            assert!(remedy.to_string().contains("exclude_columns = [\"n\"]"), "{definition}: {remedy}");
            "STOP".into()
        }
        Err(other) => panic!("{definition}: {other}"),
    }
}

fn check(cases: &[(&str, &str)]) {
    for (definition, expected) in cases {
        assert_eq!(filled(definition, &rules(), None), *expected, "{definition}");
    }
}

#[test]
fn literals_become_the_value_the_source_made_of_them() {
    check(&[
        ("INT DEFAULT '007'", "7"),
        ("INT DEFAULT 0x1F", "31"),
        ("INT DEFAULT b'101'", "5"),
        ("INT DEFAULT -0", "0"),
        ("BIGINT UNSIGNED DEFAULT 18446744073709551615", "18446744073709551615"),
        ("BOOL NOT NULL DEFAULT TRUE", "1"),
        ("DECIMAL(8,3) DEFAULT -1.50", "-1.5"),
        ("DECIMAL(5,1) DEFAULT 1.25", "1.3"),
        ("FLOAT DEFAULT 1.1", "1.1"),
        ("DOUBLE DEFAULT -0", "0"),
        ("DOUBLE DEFAULT -0.0", "0"),
        ("DOUBLE DEFAULT -0e0", "-0"),
        ("FLOAT DEFAULT '-0.0'", "-0"),
        ("DOUBLE(10,2) DEFAULT -0e0", "0"),
        ("DOUBLE(10,2) DEFAULT '-0'", "0"),
        ("VARCHAR(9) DEFAULT -0e0", "-0"),
        ("INT DEFAULT -0e0", "0"),
        ("FLOAT DEFAULT 16777217", "16777216"),
        ("FLOAT(7,2) DEFAULT 1.005", "1"),
        ("DOUBLE DEFAULT 1e10", "10000000000"),
        ("BIT(5) DEFAULT 5", "00101"),
        ("BIT(5) DEFAULT b'11'", "00011"),
        ("YEAR DEFAULT 2024", "2024"),
        ("YEAR DEFAULT '0000'", "0"),
        ("YEAR DEFAULT '24'", "2024"),
        ("DATE DEFAULT 20240229", "2024-02-29"),
        ("DATE DEFAULT '2024-02-29'", "2024-02-29"),
        ("DATE DEFAULT '00010203'", "0001-02-03"),
        ("DATE DEFAULT 00010203", "ASK CAST((00010203) AS DATE)"),
        ("DATE DEFAULT '24-2-9'", "ASK CAST(('24-2-9') AS DATE)"),
        ("DATETIME(3) DEFAULT '2024-01-02 03:04:05.5'", "2024-01-02 03:04:05.5"),
        ("DATETIME DEFAULT '2024-01-02'", "2024-01-02 00:00:00"),
        ("DATETIME DEFAULT '2024-01-02 03:04:05.5'", "ASK CAST(('2024-01-02 03:04:05.5') AS DATETIME(0))"),
        ("DATETIME DEFAULT '2024-01-02 03:04:05.1234567'", "STOP"),
        ("TIME(2) DEFAULT '-12:03:04.5'", "-12:03:04.5"),
        ("TIME DEFAULT '838:59:59'", "838:59:59"),
        ("VARCHAR(9) DEFAULT 1.50", "1.50"),
        ("VARCHAR(9) DEFAULT 007", "7"),
        ("VARCHAR(9) DEFAULT TRUE", "1"),
        ("VARCHAR(9) DEFAULT -0", "0"),
        ("VARCHAR(9) DEFAULT 'ab  '", "ab  "),
        ("CHAR(9) DEFAULT 'ab  '", "ab"),
        ("VARCHAR(9) DEFAULT x'414243'", "ABC"),
        ("VARCHAR(9) DEFAULT x'FF'", "STOP"),
        ("VARCHAR(9) DEFAULT 'it''s \\\\ ü'", "it's \\ ü"),
        ("VARCHAR(9) DEFAULT 'a\\0b'", "STOP"),
        ("ENUM('Aa','b') DEFAULT 'aA'", "Aa"),
        ("SET('x','y','z') DEFAULT 'z,x'", "x,z"),
        // The first that is equal in the column's collation.
        (
            "ENUM('A','a') CHARACTER SET latin1 DEFAULT 'a'",
            "ASK FIELD(CONVERT('a' USING latin1) COLLATE latin1_swedish_ci, CONVERT('A' USING latin1), CONVERT('a' USING latin1))",
        ),
        ("VARCHAR(9) CHARACTER SET ucs2 DEFAULT 0x4142", "䅂"),
        ("ENUM('A','B') CHARACTER SET ucs2 DEFAULT 0x41", "STOP"),
        ("VARCHAR(9) DEFAULT _ucs2 'AB'", "ASK (_ucs2 'AB')"),
        // A date is not its text.
        ("VARCHAR(9) DEFAULT (DATE '2020-1-2')", "ASK (DATE '2020-1-2')"),
        // What stands in parentheses need not fit.
        ("TINYINT DEFAULT (300)", "ASK (300)"),
        ("INT DEFAULT (EXTRACT(WEEK FROM '2021-01-02'))", "STOP"),
        // 9.7 takes a number for a label, 5.6 and MariaDB for a label's number.
        ("ENUM('0','1') NOT NULL DEFAULT 1", "STOP"),
        ("SET('0','1','2') DEFAULT 2", "STOP"),
        ("BINARY(4) DEFAULT 'ab'", "\\x61620000"),
        ("BINARY(3) DEFAULT 0x1", "\\x010000"),
        ("VARBINARY(4) DEFAULT x'0102'", "\\x0102"),
        ("VARBINARY(4) DEFAULT 'ü'", "ASK HEX('ü')"),
        ("JSON DEFAULT (JSON_ARRAY())", "[]"),
        ("JSON DEFAULT ('{\"a\": true}')", "ASK ('{\"a\": true}')"),
        ("JSON DEFAULT ('[1.50]')", "ASK ('[1.50]')"),
        ("TEXT DEFAULT ('x')", "ASK ('x')"),
        ("TEXT DEFAULT ''", "NULL"),
        ("BLOB NOT NULL DEFAULT ''", "\\x"),
        ("INT NULL DEFAULT NULL", "NULL"),
        ("INT", "NULL"),
        ("POINT", "NULL"),
    ]);
}

#[test]
fn a_column_that_takes_no_null_gets_its_types_own_value() {
    check(&[
        ("INT NOT NULL", "0"),
        ("DECIMAL(5,2) NOT NULL", "0"),
        ("DOUBLE NOT NULL", "0"),
        ("BIT(3) NOT NULL", "000"),
        ("YEAR NOT NULL", "0"),
        ("TIME NOT NULL", "00:00:00"),
        ("VARCHAR(5) NOT NULL", ""),
        ("TEXT NOT NULL", ""),
        ("ENUM('q','r') NOT NULL", "q"),
        ("SET('q','r') NOT NULL", ""),
        ("BINARY(3) NOT NULL", "\\x000000"),
        ("BLOB NOT NULL", "\\x"),
        ("JSON NOT NULL", "null"),
        ("POINT NOT NULL", "STOP"),
        // Zero dates, which the default policy makes NULL.
        ("DATE NOT NULL", "NULL"),
        ("DATETIME NOT NULL DEFAULT '0000-00-00 00:00:00'", "NULL"),
        ("TIMESTAMP NOT NULL DEFAULT 0", "NULL"),
        ("DATE DEFAULT '2024-00-10'", "NULL"),
    ]);
    let mut strict = rules();
    strict.zero_dates = crate::change::policy::ZeroDates::Error;
    assert_eq!(filled("DATE NOT NULL", &strict, None), "STOP");
    assert_eq!(filled("DATE NOT NULL DEFAULT '2024-01-02'", &strict, None), "2024-01-02");
}

#[test]
fn the_current_time_is_when_the_statement_began() {
    check(&[
        ("TIMESTAMP DEFAULT CURRENT_TIMESTAMP", "2024-01-02 03:04:05+00"),
        ("TIMESTAMP(6) NOT NULL DEFAULT NOW(6) ON UPDATE NOW(6)", "2024-01-02 03:04:05.000007+00"),
        ("TIMESTAMP(3) DEFAULT CURRENT_TIMESTAMP(3)", "2024-01-02 03:04:05.000+00"),
        ("DATETIME DEFAULT CURRENT_TIMESTAMP", "STOP"),
        ("TIMESTAMP DEFAULT '2024-01-02 03:04:05'", "STOP"),
    ]);
    let east = Some("+02:00");
    assert_eq!(filled("DATETIME DEFAULT CURRENT_TIMESTAMP", &rules(), east), "2024-01-02 05:04:05");
    assert_eq!(filled("TIMESTAMP DEFAULT '2024-01-01 01:04:05'", &rules(), east), "2023-12-31 23:04:05+00");
    let sql = "ALTER TABLE Orders ADD n TIMESTAMP(3) DEFAULT NOW(3)";
    for started in [None, Some((AT, None))] {
        let session = session(Session { started, ..Session::default() });
        assert!(run_on(&orders(), sql, &rules(), &Issued { session, ..issued(sql) }).is_err());
    }
}

#[test]
fn a_value_that_may_differ_from_row_to_row_stops_the_task() {
    check(&[
        ("CHAR(36) DEFAULT (UUID())", "STOP"),
        ("INT NOT NULL AUTO_INCREMENT UNIQUE", "STOP"),
        ("INT GENERATED ALWAYS AS (b + 1) STORED", "STOP"),
        ("INT DEFAULT (RAND() * 5)", "STOP"),
        ("DATE DEFAULT (CURRENT_DATE)", "STOP"),
    ]);
}

#[test]
fn a_chosen_type_gets_the_value_in_its_own_form() {
    let with = |written: &str, definition: &str| {
        let mut rules = rules();
        rules.exact_options = false;
        rules.options.types.insert("n".into(), written.into());
        filled(definition, &rules, None)
    };
    assert_eq!(with("boolean", "TINYINT(1) NOT NULL DEFAULT 1"), "true");
    assert_eq!(with("boolean", "TINYINT(1) NOT NULL"), "false");
    assert_eq!(with("boolean", "TINYINT(1) DEFAULT 2"), "STOP");
    assert_eq!(with("time", "TIME DEFAULT '12:00:00'"), "12:00:00");
    assert_eq!(with("time", "TIME DEFAULT '-12:00:00'"), "STOP");
    assert_eq!(with("json", "JSON DEFAULT (JSON_ARRAY())"), "[]");
    assert_eq!(with("numeric", "INT DEFAULT 5"), "5");
    assert_eq!(with("double precision", "FLOAT DEFAULT 0.1"), "0.10000000149011612");
    assert_eq!(with("double precision", "DOUBLE DEFAULT 0.1"), "0.1");
    assert_eq!(with("text", "INT DEFAULT 5"), "STOP");
}

#[test]
fn days_are_counted_as_the_calendar_has_them() {
    use super::calendar::{date_time, days};
    assert_eq!(days(1970, 1, 1), Some(0));
    assert_eq!(days(2000, 2, 29), Some(11_016));
    assert_eq!(days(1900, 2, 29), None);
    assert_eq!(days(2024, 13, 1), None);
    assert_eq!(date_time(-1).as_deref(), Some("1969-12-31 23:59:59"));
    assert_eq!(date_time(253_402_300_799).as_deref(), Some("9999-12-31 23:59:59"));
    assert_eq!(date_time(253_402_300_800), None);
    // Every day of some centuries there and back.
    for day in -150_000..150_000 {
        let text = date_time(day * 86_400).unwrap();
        let part = |range: std::ops::Range<usize>| text[range].parse::<i64>().unwrap();
        assert_eq!(days(part(0..4), part(5..7), part(8..10)), Some(day));
        assert_eq!(super::calendar::seconds(&format!("{text}.5")), Some(day * 86_400));
    }
}

/// As [`filled`], on MariaDB.
fn filled_on_mariadb(definition: &str, session: &'static Session) -> String {
    let sql = format!("ALTER TABLE Orders ADD n {definition}");
    let mode = SqlMode::from_bits(0x20_0000).with_flavour(Flavour::MariaDb).with_explicit_timestamps(true);
    filled_as(definition, &sql, &rules(), &Issued { mode, session, ..issued(&sql) })
}

#[test]
fn mariadb_stores_what_is_not_plain_in_a_variable() {
    let cases = [
        ("INT DEFAULT 5", "5"),
        ("INT DEFAULT '1.5'", "STORE '1.5' in int as v"),
        ("FLOAT(7,3) DEFAULT 1.23456", "STORE 1.23456 in float(7,3) as v*1e0"),
        ("INT DEFAULT (1+2)", "STORE 1+2 in int as v"),
        ("BIT(3) DEFAULT '1'", "STORE '1' in bit(3) as v+0"),
        (
            "VARCHAR(9) CHARACTER SET latin1 DEFAULT x'E9'",
            "STORE x'E9' in VARCHAR(9) CHARACTER SET latin1 COLLATE latin1_swedish_ci as HEX(CONVERT(v USING utf8mb4))",
        ),
        (
            "ENUM('0','1') DEFAULT 1",
            "STORE 1 in ENUM('0','1') CHARACTER SET utf8mb4 as HEX(CONVERT(v USING utf8mb4))",
        ),
        ("VARBINARY(9) DEFAULT (CONCAT('a', '\\\\'))", "STORE CONCAT('a', '\\\\') in VARBINARY(9) as HEX(v)"),
        ("DATE DEFAULT CURRENT_DATE", "STOP"),
        ("DATETIME(3) DEFAULT CURRENT_TIMESTAMP", "STOP"),
        ("TIMESTAMP(6) DEFAULT CURRENT_TIMESTAMP", "2024-01-02 03:04:05.000007+00"),
        ("DOUBLE DEFAULT RAND()", "STOP"),
        ("INT DEFAULT NEXTVAL(s)", "STOP"),
        ("INT DEFAULT X'31'", "STORE X'31' in int as v"),
        ("INT DEFAULT 0x31", "STORE 0x31 in int as v"),
        ("YEAR DEFAULT b'11'", "STORE b'11' in year as v"),
        ("DOUBLE DEFAULT -0e0", "STORE -0e0 in double as v*1e0"),
    ];
    for (definition, expected) in cases {
        assert_eq!(filled_on_mariadb(definition, plain()), expected, "{definition}");
    }
    let zoned = zoned("SYSTEM");
    assert_eq!(filled_on_mariadb("DATE DEFAULT CURRENT_DATE", zoned), "STORE CURRENT_DATE in date as v");
    assert_eq!(
        filled_on_mariadb("DATETIME(3) DEFAULT CURRENT_TIMESTAMP", zoned),
        "ASK FROM_UNIXTIME(1704164645)"
    );
}

#[test]
fn mysql_is_asked_for_local_times_and_for_expressions() {
    let system = Some("SYSTEM");
    let asked = |definition: &str| filled(definition, &rules(), system);
    assert_eq!(asked("DATETIME DEFAULT CURRENT_TIMESTAMP"), "ASK FROM_UNIXTIME(1704164645)");
    assert_eq!(asked("DATETIME DEFAULT CURRENT_TIMESTAMP(3)"), "STOP");
    assert_eq!(asked("DATETIME DEFAULT (NOW())"), "ASK (NOW())");
    assert_eq!(asked("INT DEFAULT (1 + 2)"), "ASK (1 + 2)");
    assert_eq!(
        asked("TIMESTAMP DEFAULT '2024-01-01'"),
        "ASK CAST(('2024-01-01') AS DATETIME(0)), UNIX_TIMESTAMP(CAST(('2024-01-01') AS DATETIME(0))), \
         CAST(FROM_UNIXTIME(UNIX_TIMESTAMP(CAST(('2024-01-01') AS DATETIME(0)))) AS DATETIME(0))"
    );
    for definition in
        ["INT DEFAULT (UUID_SHORT())", "INT DEFAULT (@x)", "INT DEFAULT (b)", "DOUBLE DEFAULT (1/3)"]
    {
        // A column's name is no word of an expression; that it is a column the source would say.
        assert_eq!(asked(definition), "STOP", "{definition}");
    }
}

#[test]
fn an_answer_becomes_the_value_of_its_column() {
    use crate::change::{AnsweredValue, ValueKind as K};
    let filled = |definition: &str, answered: &[(K, Option<&str>)]| {
        let sql = format!("ALTER TABLE Orders ADD n {definition}");
        let mut answers = Answers::default();
        for (kind, text) in answered {
            let issued = Issued { session: zoned("SYSTEM"), answers: &answers, ..issued(&sql) };
            let Err(TransformError::Asks(question)) = run_on(&orders(), &sql, &rules(), &issued) else {
                panic!("{definition}: nothing is asked");
            };
            assert!(question.same_server || !definition.contains("NOW"), "{definition}");
            let text = text.map(|text| text.as_bytes().to_vec());
            answers.add(*question, Ok(vec![AnsweredValue { kind: *kind, text }]));
        }
        filled_as(
            definition,
            &sql,
            &rules(),
            &Issued { session: zoned("SYSTEM"), answers: &answers, ..issued(&sql) },
        )
    };
    assert_eq!(filled("INT DEFAULT (1 + 2)", &[(K::Integer, Some("3"))]), "3");
    assert_eq!(filled("TINYINT DEFAULT (100 + 100)", &[(K::Integer, Some("200"))]), "STOP");
    assert_eq!(filled("TINYINT DEFAULT (300)", &[(K::Integer, Some("300"))]), "STOP");
    assert_eq!(filled("INT UNSIGNED DEFAULT (-1)", &[(K::Integer, Some("-1"))]), "STOP");
    assert_eq!(filled("TINYTEXT DEFAULT ('x')", &[(K::Text, Some("é".repeat(63).as_str()))]), "é".repeat(63));
    assert_eq!(filled("TINYTEXT DEFAULT ('x')", &[(K::Text, Some("a".repeat(256).as_str()))]), "STOP");
    assert_eq!(filled("TINYBLOB DEFAULT (x'00')", &[(K::Bytes, Some("a".repeat(256).as_str()))]), "STOP");
    let late = [(K::Text, Some("2050-01-01")), (K::Text, Some("2050-01-01 00:00:00"))];
    assert_eq!(filled("TIMESTAMP NULL DEFAULT ('2050-01-01')", &late), "STOP");
    assert_eq!(filled("VARCHAR(9) DEFAULT (DATE '2020-1-2')", &[(K::Date, Some("2020-01-02"))]), "STOP");
    assert_eq!(
        filled("VARCHAR(10) DEFAULT (DATE '2020-1-2')", &[(K::Date, Some("2020-01-02"))]),
        "2020-01-02"
    );
    assert_eq!(filled("INT DEFAULT (DATE '2020-1-2')", &[(K::Date, Some("2020-01-02"))]), "STOP");
    assert_eq!(filled("DATETIME DEFAULT (TIME '10:11:12')", &[(K::Time, Some("10:11:12"))]), "STOP");
    assert_eq!(filled("ENUM('e','é') DEFAULT 'é'", &[(K::Integer, Some("1"))]), "e");
    assert_eq!(
        filled("SET('x','é','z') DEFAULT 'z,é'", &[(K::Integer, Some("3")), (K::Integer, Some("2"))]),
        "é,z"
    );
    assert_eq!(filled("INT DEFAULT (2.5 + 0)", &[(K::Decimal, Some("2.5"))]), "3");
    assert_eq!(filled("INT DEFAULT (2.5e0)", &[(K::Real, Some("2.5")), (K::Real, Some("2.5"))]), "2");
    assert_eq!(
        filled("DOUBLE DEFAULT (PI())", &[(K::Real, Some("3.141593")), (K::Real, Some("3.141592653589793"))]),
        "3.141592653589793"
    );
    assert_eq!(
        filled("VARCHAR(9) DEFAULT (PI())", &[(K::Real, Some("3.1")), (K::Real, Some("1e20"))]),
        "STOP"
    );
    assert_eq!(
        filled(
            "DATETIME DEFAULT (NOW())",
            &[(K::DateTime, Some("2024-01-02 04:04:05")), (K::DateTime, Some("2024-01-02 04:04:05"))]
        ),
        "2024-01-02 04:04:05"
    );
    assert_eq!(filled("TIME DEFAULT (NOW())", &[(K::DateTime, Some("2024-01-02 04:04:05"))]), "STOP");
    assert_eq!(filled("INT DEFAULT (NULL + 1)", &[(K::Integer, None)]), "NULL");
    assert_eq!(filled("INT NOT NULL DEFAULT (NULL + 1)", &[(K::Integer, None)]), "STOP");
    assert_eq!(
        filled("JSON DEFAULT ('[1.0]')", &[(K::Text, Some("[1.0]")), (K::Json, Some("[1.0]"))]),
        "[1.0]"
    );
    assert_eq!(
        filled("VARBINARY(9) DEFAULT (CONCAT('ü'))", &[(K::Text, Some("ü")), (K::Text, Some("FC"))]),
        "\\xfc"
    );
}

/// MySQL reads the text of an expression again, in the default collation of the literals' set and with the backslashes that it put
/// there.
#[test]
fn an_expression_is_asked_for_as_it_is_read_again() {
    const UTF8MB4_BIN: u16 = 46;
    let binary = session(Session { connection_collation: Some(UTF8MB4_BIN), ..plain().clone() });
    let literals = |sql: &str, issued: &Issued<'_>| match run_on(&orders(), sql, &rules(), issued) {
        Err(TransformError::Asks(question)) => Ok(question.literals),
        other => Err(other),
    };
    let sql = "ALTER TABLE Orders ADD n INT DEFAULT ('a' = 'A')";
    let asked = literals(sql, &Issued { session: binary, ..issued(sql) }).unwrap();
    assert_eq!(asked, Some(crate::change::Literals::Charset("utf8mb4".into())));
    // A literal is not read again.
    let sql = "ALTER TABLE Orders ADD n VARBINARY(9) DEFAULT 'é'";
    assert_eq!(literals(sql, &Issued { session: binary, ..issued(sql) }).unwrap(), None);
    for (definition, read) in [
        ("TEXT DEFAULT ('a\\b')", false),
        ("TEXT DEFAULT ('a''b')", false),
        ("TEXT DEFAULT ('a\nb')", false),
        ("TEXT DEFAULT ('ab')", true),
    ] {
        let sql = format!("ALTER TABLE Orders ADD n {definition}");
        let mode = SqlMode { no_backslash_escapes: true, ..issued(&sql).mode };
        assert_eq!(literals(&sql, &Issued { mode, ..issued(&sql) }).is_ok(), read, "{definition}");
    }
}

#[test]
fn letters_that_a_literal_loses_on_its_way_stop_the_task() {
    const LATIN1: u16 = 8;
    const LATIN5: u16 = 30;
    const UTF8: u16 = 33;
    const BINARY: u16 = 63;
    let of = |definition: &str, client, connection| {
        let sql = format!("ALTER TABLE Orders ADD n {definition}");
        let session = Session {
            client_collation: Some(client),
            connection_collation: Some(connection),
            ..plain().clone()
        };
        let issued = Issued { session: &session, ..issued(&sql) };
        match run_on(&orders(), &sql, &rules(), &issued) {
            Ok(translated) => changes(&translated),
            Err(TransformError::Asks(_)) => "ASK".to_owned(),
            Err(error) => format!("STOP {error}"),
        }
    };
    for (definition, client, connection, stops) in [
        ("ENUM('漢','b')", UTF8, UTF8, false),
        ("ENUM('漢','b') CHARACTER SET latin1", UTF8, UTF8, true),
        ("ENUM('é','b') CHARACTER SET latin1", UTF8, LATIN1, false),
        ("ENUM('漢','b')", UTF8, LATIN1, true),
        ("SET('€')", UTF8, LATIN5, true),
        ("VARCHAR(9) DEFAULT '漢'", UTF8, UTF8, false),
        ("VARCHAR(9) DEFAULT '漢'", UTF8, LATIN1, true),
        ("VARCHAR(9) DEFAULT ('漢')", UTF8, LATIN1, true),
        ("VARCHAR(9) DEFAULT 'é'", BINARY, UTF8, true),
        ("VARCHAR(9) DEFAULT 'é'", UTF8, BINARY, true),
        ("VARCHAR(9) DEFAULT 'e' COMMENT 'é'", UTF8, BINARY, false),
    ] {
        let found = of(definition, client, connection);
        assert_eq!(found.starts_with("STOP"), stops, "{definition} {client} {connection}: {found}");
    }
}

#[test]
fn a_timestamp_without_a_default_gets_the_current_time_only_as_the_first_of_its_table() {
    let run = |added: &str, explicit: Option<bool>| {
        let sql = format!("ALTER TABLE Orders {added}");
        let mode = SqlMode::from_bits(0).with_flavour(Flavour::MySql);
        let mode = explicit.map_or(mode, |explicit| mode.with_explicit_timestamps(explicit));
        let stamped = table(&["id int", "ts timestamp null"]);
        let issued = Issued { mode, session: zoned("+00:00"), ..issued(&sql) };
        match run_on(&stamped, &sql, &rules(), &issued) {
            Ok(translated) => changes(&translated),
            Err(_) => "STOP".to_owned(),
        }
    };
    let first = run("ADD n TIMESTAMP NOT NULL FIRST", Some(false));
    assert!(first.ends_with("='2024-01-02 03:04:05+00'"), "{first}");
    assert_eq!(run("ADD n TIMESTAMP FIRST", Some(false)), first);
    let second = run("ADD n TIMESTAMP NOT NULL", Some(false));
    assert!(second.ends_with("=NULL"), "{second}");
    assert_eq!(run("ADD n TIMESTAMP NOT NULL FIRST", Some(true)), second);
    assert_eq!(run("ADD n TIMESTAMP NOT NULL ON UPDATE NOW() FIRST", Some(false)), second);
    // Where the log does not tell, the place may.
    assert_eq!(run("ADD n TIMESTAMP NOT NULL", None), second);
    assert_eq!(run("ADD n TIMESTAMP NOT NULL FIRST", None), "STOP");
    assert_eq!(run("ADD n TIMESTAMP", None), "STOP");
}

#[test]
fn text_that_the_columns_set_does_not_give_back_is_not_plainly_the_default() {
    check(&[
        ("VARCHAR(9) CHARACTER SET latin1 DEFAULT 'é'", "é"),
        ("CHAR(9) CHARACTER SET utf8mb3 DEFAULT 'é'", "é"),
        // It is a letter of ASCII there, and comes back as that.
        ("VARCHAR(9) CHARACTER SET sjis DEFAULT '‾'", "STOP"),
        ("CHAR(9) CHARACTER SET cp932 NOT NULL DEFAULT '‾'", "STOP"),
    ]);
}
