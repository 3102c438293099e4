//! Sessions by dice: settings that change what a statement does, or how it is logged or read.

use super::server::Server;
use crate::load::Dice;

const MODES: [&str; 14] = [
    "STRICT_ALL_TABLES",
    "STRICT_TRANS_TABLES",
    "PAD_CHAR_TO_FULL_LENGTH",
    "NO_ZERO_DATE",
    "NO_ZERO_IN_DATE",
    "ALLOW_INVALID_DATES",
    "ANSI_QUOTES",
    "NO_BACKSLASH_ESCAPES",
    "REAL_AS_FLOAT",
    "NO_AUTO_VALUE_ON_ZERO",
    "HIGH_NOT_PRECEDENCE",
    "PIPES_AS_CONCAT",
    "IGNORE_SPACE",
    "ERROR_FOR_DIVISION_BY_ZERO",
];

const NAMES: [&str; 7] = ["latin1", "utf8", "utf8mb4", "gbk", "binary", "sjis", "cp1251"];

const MODES_OF_97: [&str; 1] = ["TIME_TRUNCATE_FRACTIONAL"];

const MODES_OF_OLD: [&str; 4] = ["MYSQL40", "ANSI", "TRADITIONAL", "NO_FIELD_OPTIONS"];

const MODES_OF_MARIA: [&str; 8] = [
    "ORACLE",
    "EMPTY_STRING_IS_NULL",
    "MAXDB",
    "MSSQL",
    "SIMULTANEOUS_ASSIGNMENT",
    "TIME_ROUND_FRACTIONAL",
    "ANSI",
    "TRADITIONAL",
];

const OLD_MODES_OF_MARIA: [&str; 4] =
    ["", "UTF8_IS_UTF8MB3", "ZERO_DATE_TIME_CAST", "NO_DUP_KEY_WARNINGS_WITH_IGNORE,NO_PROGRESS_INFO"];

/// The settings of a session, each a statement of its own; none at times.
pub fn settings(dice: &mut Dice, server: Server, wide: bool) -> Vec<String> {
    let mut settings = Vec::new();
    let mut set = |dice: &mut Dice, percent: u64, setting: &dyn Fn(&mut Dice) -> String| {
        if dice.percent(percent) {
            settings.push(setting(dice));
        }
    };
    set(dice, 55, &|dice| format!("SET sql_mode = '{}'", modes(dice, server)));
    set(dice, 35, &|dice| {
        let zone = dice.pick(&["SYSTEM", "Europe/Berlin", "America/New_York", "+00:00", "+05:30", "-11:00"]);
        format!("SET time_zone = '{zone}'")
    });
    set(dice, 15, &|dice| {
        // What the client's character set cannot say is read by nobody, and so concerns everybody.
        let names = if wide { &NAMES[..] } else { &NAMES[..3] };
        format!("SET NAMES {}", dice.pick(names))
    });
    set(dice, 25, &|dice| {
        format!("SET binlog_format = {}", dice.pick(&["ROW", "MIXED", "STATEMENT", "STATEMENT"]))
    });
    set(dice, 8, &|dice| format!("SET foreign_key_checks = {}", dice.below(2)));
    set(dice, 5, &|dice| format!("SET unique_checks = {}", dice.below(2)));
    if server != Server::Mysql56 {
        set(dice, 15, &|dice| format!("SET explicit_defaults_for_timestamp = {}", dice.below(2)));
    }
    if server.is_maria() {
        set(dice, 15, &|dice| {
            format!(
                "SET alter_algorithm = {}",
                dice.pick(&["DEFAULT", "COPY", "INPLACE", "NOCOPY", "INSTANT"])
            )
        });
        set(dice, 8, &|dice| format!("SET old_mode = '{}'", dice.pick(&OLD_MODES_OF_MARIA)));
        set(dice, 5, &|_| "SET binlog_alter_two_phase = 1".to_owned());
        set(dice, 5, &|_| "SET check_constraint_checks = 0".to_owned());
        set(dice, 4, &|dice| {
            format!("SET system_versioning_alter_history = {}", dice.pick(&["KEEP", "ERROR"]))
        });
        set(dice, 4, &|_| "SET timestamp = 1729988000.25".to_owned());
    } else {
        set(dice, 10, &|_| "SET old_alter_table = 1".to_owned());
        set(dice, 4, &|_| "SET timestamp = 1729988000".to_owned());
    }
    if server == Server::Maria118 {
        set(dice, 20, &|dice| {
            let sets =
                dice.pick(&["", "utf8mb3=utf8mb3_bin,utf8mb4=utf8mb4_general_ci", "utf8mb4=utf8mb4_bin"]);
            format!("SET character_set_collations = '{sets}'")
        });
    }
    if server == Server::Mysql97 {
        set(dice, 20, &|_| "SET default_collation_for_utf8mb4 = utf8mb4_general_ci".to_owned());
        set(dice, 4, &|_| "SET sql_require_primary_key = 1".to_owned());
        set(dice, 4, &|_| "SET sql_generate_invisible_primary_key = 1".to_owned());
        set(dice, 3, &|_| "SET binlog_transaction_compression = 1".to_owned());
        set(dice, 3, &|_| "SET print_identified_with_as_hex = 1".to_owned());
    }
    set(dice, 6, &|dice| {
        format!(
            "SET collation_connection = {}",
            dice.pick(&[
                "utf8mb4_bin",
                "latin1_swedish_ci",
                "latin5_turkish_ci",
                "ucs2_general_ci",
                "gbk_bin"
            ])
        )
    });
    set(dice, 4, &|dice| format!("SET default_storage_engine = {}", dice.pick(&["MyISAM", "InnoDB"])));
    set(dice, 3, &|_| "SET autocommit = 0".to_owned());
    set(dice, 3, &|_| "SET auto_increment_increment = 7, auto_increment_offset = 3".to_owned());
    set(dice, 8, &|dice| format!("SET div_precision_increment = {}", dice.pick(&[2, 9])));
    set(dice, 5, &|dice| format!("SET lc_time_names = {}", dice.pick(&["de_DE", "fr_FR"])));
    set(dice, 5, &|dice| format!("SET default_week_format = {}", dice.pick(&[3, 6])));
    settings
}

/// Some modes.
pub fn modes(dice: &mut Dice, server: Server) -> String {
    let own: &[&str] = match server {
        Server::Mysql97 => &MODES_OF_97,
        Server::Mysql56 => &MODES_OF_OLD,
        Server::Maria | Server::Maria118 => &MODES_OF_MARIA,
    };
    let mut modes: Vec<&str> = Vec::new();
    for _ in 0..dice.below(4) {
        modes.push(if dice.percent(75) { *dice.pick(&MODES) } else { *dice.pick(own) });
    }
    modes.join(",")
}

/// `SET STATEMENT … FOR`, before a statement of MariaDB's.
pub fn for_one_statement(dice: &mut Dice, server: Server, wide: bool) -> String {
    match dice.below(4) {
        0 if wide => format!("SET STATEMENT sql_mode = '{}' FOR ", modes(dice, server)),
        1 => "SET STATEMENT lock_wait_timeout = 3 FOR ".to_owned(),
        2 => "SET STATEMENT alter_algorithm = 'COPY', foreign_key_checks = 0 FOR ".to_owned(),
        _ => "SET STATEMENT timestamp = 1000000000 FOR ".to_owned(),
    }
}
