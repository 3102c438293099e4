//! New types, character sets and zones.

use super::{Case, Outcome, try_all};
use crate::harness::{Mysql, mariadb, mysql56, mysql97};

/// A zone with daylight saving for whoever asks for it by name: two instants of 2025-10-26 have one local time.
const ZONE: &str = "INSERT IGNORE INTO mysql.time_zone (Time_zone_id, Use_leap_seconds) VALUES (7001, 'N'); \
    INSERT IGNORE INTO mysql.time_zone_name (Name, Time_zone_id) VALUES ('Test/Berlin', 7001); \
    INSERT IGNORE INTO mysql.time_zone_transition_type VALUES (7001, 0, 3600, 0, 'CET'), (7001, 1, 7200, 1, 'CEST'); \
    INSERT IGNORE INTO mysql.time_zone_transition VALUES (7001, 1743296400, 1), (7001, 1761440400, 0)";
const INSTANTS: &str = "SET time_zone = '+00:00'; CREATE TABLE {t} (id INT PRIMARY KEY, ts TIMESTAMP NULL); \
    INSERT INTO {t} VALUES (1, '2025-10-26 00:30:00'), (2, '2025-10-26 01:30:00'), (3, NULL)";
const EVERYDAY: &str = "SET time_zone = '+00:00'; CREATE TABLE {t} (id INT PRIMARY KEY, ts TIMESTAMP NULL); \
    INSERT INTO {t} VALUES (1, '2025-10-25 22:30:00'), (2, '2025-10-26 12:30:00'), (3, NULL), (4, '1970-01-01 00:00:01'), \
    (5, '2025-03-30 00:59:59')";
const BLANKS: &str = "CREATE TABLE {t} (id INT PRIMARY KEY, c CHAR(10)) CHARSET latin1; INSERT INTO {t} VALUES (1, 'a'), (2, ''), (3, NULL)";
const TEXTS: &str = "SET NAMES utf8; CREATE TABLE {t} (id INT PRIMARY KEY, c CHAR(10), v VARCHAR(20), x TEXT, \
    e ENUM('a', 'b')) CHARSET latin1; INSERT INTO {t} VALUES (1, 'é', 'ü€', 'ß', 'a'), (2, '', '', '', 'b')";

const LABELS: &str = "SET NAMES utf8; CREATE TABLE {t} (id INT PRIMARY KEY, e ENUM('ä', 'b'), s SET('ä', 'b')) CHARSET latin1; \
    INSERT INTO {t} VALUES (1, 'ä', 'ä'), (2, 'b', 'ä,b')";

const ASCII: &str = "CREATE TABLE {t} (id INT PRIMARY KEY, e ENUM('ab', 'cd'), s SET('x', 'y')) CHARSET utf8; \
    INSERT INTO {t} VALUES (1, 'ab', 'x,y')";
const CASED: &str = "SET sql_mode = ''; CREATE TABLE {t} (id INT PRIMARY KEY, e ENUM('a', 'A') CHARSET utf8 COLLATE utf8_bin); \
    INSERT INTO {t} VALUES (1, 'A'), (2, 'a')";

fn everywhere(mysql: bool) -> Vec<Case> {
    use Outcome::{Carried, Told};
    let case = |table, made, session, statement, outcome| Case { table, made, session, statement, outcome };
    vec![
        case(
            "doubled_hour",
            INSTANTS,
            "SET time_zone = 'Test/Berlin'",
            "ALTER TABLE {t} MODIFY ts TIMESTAMP(3) NULL",
            if mysql { Told("Test/Berlin") } else { Carried },
        ),
        // The column stays what it is, and a copy of the table moves its instants all the same.
        case(
            "copied_hour",
            INSTANTS,
            "SET time_zone = 'Test/Berlin'",
            "ALTER TABLE {t} ADD v INT, ALGORITHM = COPY",
            if mysql { Told("Test/Berlin") } else { Carried },
        ),
        case(
            "indexed_hour",
            INSTANTS,
            "SET time_zone = 'Test/Berlin'",
            "CREATE INDEX i ON {t} (ts) ALGORITHM = COPY",
            if mysql { Told("Test/Berlin") } else { Carried },
        ),
        case(
            "optimized_hour",
            INSTANTS,
            "SET time_zone = 'Test/Berlin'",
            "SET SESSION old_alter_table = 1; OPTIMIZE TABLE {t}",
            if mysql { Told("Test/Berlin") } else { Carried },
        ),
        case(
            "no_doubled_hour",
            EVERYDAY,
            "SET time_zone = 'Test/Berlin'",
            "ALTER TABLE {t} MODIFY ts TIMESTAMP(3) NULL, ADD v DATETIME DEFAULT CURRENT_TIMESTAMP",
            Carried,
        ),
        case(
            "fixed_zone",
            INSTANTS,
            "SET time_zone = '+00:00'",
            "ALTER TABLE {t} MODIFY ts TIMESTAMP(3) NULL",
            Carried,
        ),
        case(
            "padded_varchar",
            BLANKS,
            "SET sql_mode = 'PAD_CHAR_TO_FULL_LENGTH,STRICT_ALL_TABLES'",
            "ALTER TABLE {t} MODIFY c VARCHAR(20)",
            Told("PAD_CHAR_TO_FULL_LENGTH"),
        ),
        case(
            "padded_text",
            BLANKS,
            "SET sql_mode = 'PAD_CHAR_TO_FULL_LENGTH'",
            "ALTER TABLE {t} MODIFY c TEXT",
            Told("PAD_CHAR_TO_FULL_LENGTH"),
        ),
        case(
            "padded_char",
            BLANKS,
            "SET sql_mode = 'PAD_CHAR_TO_FULL_LENGTH'",
            "ALTER TABLE {t} MODIFY c CHAR(12)",
            Carried,
        ),
        case(
            "plain_varchar",
            BLANKS,
            "SET sql_mode = 'STRICT_ALL_TABLES'",
            "ALTER TABLE {t} MODIFY c VARCHAR(20)",
            Carried,
        ),
        case(
            "converted",
            TEXTS,
            "SET sql_mode = 'STRICT_ALL_TABLES'",
            "ALTER TABLE {t} CONVERT TO CHARACTER SET utf8; SET NAMES utf8; INSERT INTO {t} VALUES (3, 'ж', 'ж', 'ж', 'b')",
            Carried,
        ),
        case(
            "labels_declared",
            LABELS,
            "SET NAMES utf8, sql_mode = 'STRICT_ALL_TABLES'",
            "ALTER TABLE {t} MODIFY e ENUM('ä', 'b') CHARSET utf8, MODIFY s SET('ä', 'b') CHARSET utf8",
            Carried,
        ),
        case(
            "label_lost",
            TEXTS,
            "SET NAMES utf8, sql_mode = ''",
            "ALTER TABLE {t} ADD n ENUM('漢', 'b') NOT NULL",
            Told("question marks"),
        ),
        case(
            "label_declared_lost",
            TEXTS,
            "SET NAMES utf8, sql_mode = ''",
            "ALTER TABLE {t} MODIFY e ENUM('a', 'b', '漢')",
            Told("question marks"),
        ),
        case(
            "label_of_bytes",
            TEXTS,
            "SET NAMES utf8, sql_mode = ''",
            "ALTER TABLE {t} ADD n ENUM(x'C3A9') NOT NULL",
            Told("enum(0xC3A9)"),
        ),
        case(
            "default_lost_by_connection",
            TEXTS,
            "SET NAMES utf8, sql_mode = ''; SET character_set_connection = latin5",
            "ALTER TABLE {t} ADD n VARCHAR(9) CHARACTER SET utf8 NOT NULL DEFAULT '€'",
            Told("collation_connection"),
        ),
        case(
            "labels_widened",
            ASCII,
            "SET sql_mode = ''",
            "ALTER TABLE {t} CONVERT TO CHARACTER SET utf16",
            Told("bytes of the labels"),
        ),
        case(
            "labels_merged",
            CASED,
            "SET sql_mode = ''",
            "ALTER TABLE {t} MODIFY e ENUM('a', 'A') CHARSET utf8 COLLATE utf8_general_ci",
            Told("converts the values"),
        ),
        case(
            "converted_back",
            TEXTS,
            "SET sql_mode = 'STRICT_ALL_TABLES'",
            "ALTER TABLE {t} CONVERT TO CHARACTER SET latin2 COLLATE latin2_general_ci, DROP c, DROP v, DROP x",
            Told("drop_column"),
        ),
        case(
            "converted_narrower",
            TEXTS,
            "SET sql_mode = ''",
            "ALTER TABLE {t} CONVERT TO CHARACTER SET ascii",
            Told("convert_charset"),
        ),
        case(
            "converted_to_bytes",
            TEXTS,
            "SET sql_mode = ''",
            "ALTER TABLE {t} CONVERT TO CHARACTER SET binary",
            Told("convert_charset"),
        ),
    ]
}

async fn on(mysql: &Mysql, more: Vec<Case>) {
    mysql.sql(ZONE).await;
    let mut cases = everywhere(mysql.kind() != "mariadb");
    cases.extend(more);
    try_all(mysql, &format!("effect_types_{}", mysql.kind()), &cases).await;
}

#[tokio::test]
async fn values_under_mysql_9_7_stay_or_it_is_told() {
    on(
        mysql97().await,
        computed("CREATE TABLE {t} (id INT PRIMARY KEY, c CHAR(4), g VARCHAR(9) AS (CONCAT(c, '|')) STORED)"),
    )
    .await;
}

/// A stored column hangs on more than its row (in a table like `read`, on how CHAR is read), or does not.
fn computed(read: &'static str) -> Vec<Case> {
    use Outcome::{Carried, Told};
    const DIVIDED: &str = "CREATE TABLE {t} (id INT PRIMARY KEY, a INT, g VARCHAR(40) AS (a / 3) STORED); \
        INSERT INTO {t} (id, a) VALUES (1, 100)";
    const SETTLED: &str = "CREATE TABLE {t} (id INT PRIMARY KEY, a INT, v VARCHAR(4), h INT AS (a + 1), \
        g VARCHAR(20) AS (CONCAT(v, '|', h)) STORED, w DOUBLE AS (a * 3)); INSERT INTO {t} (id, a, v) VALUES (1, 100, 'x')";
    let told = Told("generated column g");
    let case = |table, made, session, statement, outcome| Case { table, made, session, statement, outcome };
    let places = "SET div_precision_increment = 9";
    let copy = "ALTER TABLE {t} ADD n INT, ALGORITHM = COPY";
    vec![
        case("computed_padded", read, "SET sql_mode = 'PAD_CHAR_TO_FULL_LENGTH'", copy, told),
        case("computed_checked", DIVIDED, places, "ALTER TABLE {t} ADD CHECK (a > 0)", told),
        case("computed_sorted", DIVIDED, places, "ALTER TABLE {t} ORDER BY a", told),
        case(
            "computed_old",
            DIVIDED,
            "SET old_alter_table = 1, div_precision_increment = 9",
            "OPTIMIZE TABLE {t}",
            told,
        ),
        case("computed_in_place", DIVIDED, places, "ALTER TABLE {t} ADD n INT, ALGORITHM = INPLACE", Carried),
        case("computed_indexed", DIVIDED, places, "CREATE INDEX i ON {t} (a) ALGORITHM = INPLACE", Carried),
        case("computed_alike", SETTLED, places, copy, Carried),
        case(
            "computed_alike_checked",
            SETTLED,
            places,
            "ALTER TABLE {t} ADD CHECK (a > 0), ADD n INT FIRST",
            Carried,
        ),
    ]
}

/// Values with such labels become the empty one; MySQL 9.7 fails.
fn converted_labels() -> Case {
    Case {
        table: "labels_converted",
        made: LABELS,
        session: "SET sql_mode = ''",
        statement: "ALTER TABLE {t} CONVERT TO CHARACTER SET utf8",
        outcome: Outcome::Told("convert_charset"),
    }
}

#[tokio::test]
async fn values_under_mysql_5_6_stay_or_it_is_told() {
    on(mysql56().await, vec![converted_labels()]).await;
}

#[tokio::test]
async fn values_under_mariadb_stay_or_it_is_told() {
    const SUCCEEDED: &str = "CREATE TABLE {t} (id INT PRIMARY KEY, a INT, b INT, v INT AS (a + 1), w INT AS (a + 1) STORED); \
        INSERT INTO {t} (id, a, b) VALUES (1, 10, 20)";
    const PERIOD: &str = "CREATE TABLE {t} (id INT PRIMARY KEY, a DATE NOT NULL, b DATE NOT NULL); \
        INSERT INTO {t} VALUES (1, '2020-01-01', '2020-02-02')";
    const OPEN: &str = "CREATE TABLE {t} (id INT PRIMARY KEY, a DATE, b DATE); INSERT INTO {t} VALUES (1, NULL, '2020-02-02')";
    let case = |table, made, session, statement, outcome| Case { table, made, session, statement, outcome };
    let add = "ALTER TABLE {t} ADD PERIOD FOR p (a, b)";
    let mut cases =
        computed("CREATE TABLE {t} (id INT PRIMARY KEY, a DOUBLE, g VARCHAR(40) AS (a / 3) STORED)");
    cases.extend(vec![
        case(
            "succeeded",
            SUCCEEDED,
            "SET sql_mode = ''",
            "ALTER TABLE {t} DROP a, ADD a INT DEFAULT 5",
            Outcome::Told("takes the name"),
        ),
        case(
            "taken_over",
            SUCCEEDED,
            "SET sql_mode = ''",
            "ALTER TABLE {t} DROP a, CHANGE b a INT",
            Outcome::Told("takes the name"),
        ),
        case("period", PERIOD, "SET sql_mode = 'STRICT_ALL_TABLES'", add, Outcome::Carried),
        converted_labels(),
        case("period_of_null", OPEN, "SET sql_mode = ''", add, Outcome::Told("NOT NULL")),
        case(
            "versioned",
            PERIOD,
            "SET sql_mode = 'STRICT_ALL_TABLES'",
            "ALTER TABLE {t} ADD SYSTEM VERSIONING",
            Outcome::Told("SYSTEM VERSIONING"),
        ),
    ]);
    on(mariadb().await, cases).await;
}
