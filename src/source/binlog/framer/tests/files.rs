//! Where one file of the log ends and the next begins.

use super::*;
use crate::change::{Taken, XaState};

/// Two files, of which the first ends inside what `open` has written, as a server does that died there.
fn cut(open: impl FnOnce(&mut Log)) -> Log {
    let mut log = Log::new();
    log.gtid(4).unwrap();
    log.query("CREATE USER u").unwrap();
    log.short();
    open(&mut log);
    log
}

fn with_rows(log: &mut Log) {
    log.gtid(5).unwrap();
    log.query("BEGIN").unwrap();
    log.event(19, MAP).unwrap();
    log.event(30, INSERT).unwrap();
}

fn describe(log: &mut Log, created: u8) -> Result<(), SourceError> {
    let mut body = description(true);
    body[52] = created;
    let bytes = log.bytes(15, 0, &body, true);
    log.send(bytes)
}

#[test]
fn a_transaction_that_the_server_died_in_is_given_up_and_its_name_may_come_again() {
    let mut log = cut(|_| {});
    let last_end = format!("binlog.000009:{}", log.offset);
    with_rows(&mut log);
    log.rotate("binlog.000010", FLAG_ARTIFICIAL).unwrap();
    describe(&mut log, 9).unwrap();
    let Some(Change::Rollback(boundary)) = log.out.get(2) else { panic!("no rollback: {:?}", log.out) };
    assert_eq!((&boundary.gtid, boundary.file.to_string()), (&None, last_end));
    assert_eq!(log.short(), ["begin 5", "Insert rf_binlog.t1 14", "rollback 0"]);
    with_rows(&mut log);
    log.event(16, &[0; 8]).unwrap();
    assert_eq!(log.short(), ["begin 5", "Insert rf_binlog.t1 14", "commit 5"]);
    assert!(log.framer.position().to_string().starts_with("binlog.000010:"));
}

#[test]
fn of_one_without_rows_nothing_is_left() {
    let mut log = cut(|log| log.gtid(5).unwrap());
    log.rotate("binlog.000010", FLAG_ARTIFICIAL).unwrap();
    describe(&mut log, 9).unwrap();
    assert_eq!(log.short(), [""; 0]);
    log.gtid(5).unwrap();
    log.query("CREATE USER u").unwrap();
    assert_eq!(log.short(), ["commit 5"]);
}

#[test]
fn a_rotation_inside_a_transaction_is_a_contradiction() {
    let mut log = cut(with_rows);
    assert!(why(log.rotate("binlog.000010", 0)).contains("the file ends inside"));
    let mut log = cut(with_rows);
    assert!(
        why(log.event(3, &[])).contains("the file ends inside"),
        "a server that was stopped in good order"
    );
    let mut log = cut(with_rows);
    log.rotate("binlog.000010", FLAG_ARTIFICIAL).unwrap();
    assert!(why(describe(&mut log, 0)).contains("the file ends inside"), "a mere rotation");
    let mut log = cut(with_rows);
    log.rotate("binlog.000010", FLAG_ARTIFICIAL).unwrap();
    assert!(log.gtid(6).is_err());
}

#[test]
fn another_file_of_the_known_name_stops_the_stream() {
    for (begun, good) in [(7, true), (8, false)] {
        let mut log = Log::silent("rf_binlog.*", true);
        let position = Position {
            server: "s".into(),
            file: FilePosition { file: "binlog.000009".into(), offset: 300 },
            file_begun: Some(begun),
            taken: Taken::Files,
            xa: XaState::default(),
        };
        log.framer.take_up(&position, 0).unwrap();
        log.rotate("binlog.000009", FLAG_ARTIFICIAL).unwrap();
        let described = log.describe();
        assert_eq!(described.is_ok(), good);
        if !good {
            assert!(why(described).contains("the log was reset"));
        }
    }
}

/// As MariaDB's log stands after a crash: the sender names the next file, and that one is the first after a start.
#[test]
fn a_transaction_in_which_its_server_died_is_rolled_back_where_the_next_file_begins() {
    for (started, cut_off) in [(true, false), (true, true), (false, false), (false, true)] {
        let mut log = Log::new();
        log.gtid(5).unwrap();
        log.query("BEGIN").unwrap();
        log.event(19, MAP).unwrap();
        log.event(30, INSERT).unwrap();
        if cut_off {
            log.framer.file_is_cut_off(Checksum::Crc32);
        }
        log.rotate("binlog.000010", FLAG_ARTIFICIAL).unwrap();
        let mut body = description(true);
        body[52] = u8::from(started);
        let bytes = log.bytes(15, 0, &body, true);
        let sent = log.send(bytes);
        if started {
            sent.unwrap();
            assert_eq!(log.short(), ["begin 5", "Insert rf_binlog.t1 14", "rollback 0"]);
            log.gtid(5).unwrap();
            log.query("CREATE USER u").unwrap();
            assert_eq!(log.short(), ["commit 5"]);
        } else {
            let inside = if cut_off { "not by a crash" } else { "the file ends inside" };
            assert!(why(sent).contains(inside));
        }
    }
}
