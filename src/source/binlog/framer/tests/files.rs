//! Where one file of the log ends and the next begins.

use super::*;
use crate::change::{ReadAgain, Taken, XaState};
use crate::source::binlog::gtid_list::tests::body;

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

/// As a log stands after a crash between two events: the sender names the next file, and that one is the first after a start.
#[test]
fn a_transaction_in_which_its_server_died_is_rolled_back_where_the_next_file_begins() {
    for started in [true, false] {
        let mut log = cut(with_rows);
        log.rotate("binlog.000010", FLAG_ARTIFICIAL).unwrap();
        let described = describe(&mut log, u8::from(started));
        if started {
            described.unwrap();
            assert_eq!(log.short(), ["begin 5", "Insert rf_binlog.t1 14", "rollback 0"]);
            log.gtid(5).unwrap();
            log.query("CREATE USER u").unwrap();
            assert_eq!(log.short(), ["commit 5"]);
        } else {
            assert!(why(described).contains("the file ends inside"));
        }
    }
}

/// A log of MariaDB that was taken up after 0-97-91 and 1-97-5.
fn mariadb() -> Log {
    let mut log = Log::silent("rf_binlog.*", true);
    let start = FilePosition { file: "binlog.000001".into(), offset: 4 };
    let name = "shop (h:3306)".to_owned();
    log.framer =
        Framer::new(name, start.clone(), Naming::Domains, Checksum::Crc32, maps("rf_binlog.*"), 1 << 20);
    let taken = Taken::Domains("0-97-91,1-97-5".parse().unwrap());
    let position =
        Position { server: "s".into(), file: start, file_begun: None, taken, xa: XaState::default() };
    log.framer.take_up(&position, 0).unwrap();
    log.rotate("binlog.000009", FLAG_ARTIFICIAL).unwrap();
    log.describe().unwrap();
    log.out.clear();
    log
}

/// Rows of the transaction 0-97-`sequence`, without their end.
fn rows_of(log: &mut Log, sequence: u64) {
    let mut body = sequence.to_le_bytes().to_vec();
    body.extend([0; 4 + 1 + 6]);
    log.event(162, &body).unwrap();
    log.event(19, MAP).unwrap();
    log.event(30, INSERT).unwrap();
}

#[test]
fn a_file_that_ends_inside_a_transaction_is_left_only_if_the_next_lists_nothing_more() {
    for (list, good) in [
        (["0-97-92", "1-97-5"], true),
        (["0-97-92", "1-97-4"], true),
        (["0-97-93", "1-97-5"], false),
        (["0-97-92", "1-97-6"], false),
        (["0-97-92", "2-97-1"], false),
    ] {
        let mut log = mariadb();
        rows_of(&mut log, 92);
        log.event(16, &[0; 8]).unwrap();
        rows_of(&mut log, 93);
        log.rotate("binlog.000010", FLAG_ARTIFICIAL).unwrap();
        describe(&mut log, 1).unwrap();
        let listed = log.event(163, &body(&list));
        assert_eq!(listed.is_ok(), good, "{list:?}");
        if let Err(error) = listed {
            assert!(why(Err(error)).contains("has not been sent"));
        } else {
            // Its name comes again; a list that follows no crash is none of our business.
            rows_of(&mut log, 93);
            log.event(16, &[0; 8]).unwrap();
            log.rotate("binlog.000011", FLAG_ARTIFICIAL).unwrap();
            log.describe().unwrap();
            log.event(163, &body(&["7-97-1"])).unwrap();
        }
    }
}

#[test]
fn what_ended_before_a_file_was_cut_off_is_what_the_next_may_list() {
    let mut log = mariadb();
    let reached = |log: &Log| log.framer.reached().to_string();
    assert_eq!(reached(&log), "0-97-91,1-97-5");
    rows_of(&mut log, 92);
    log.event(16, &[0; 8]).unwrap();
    rows_of(&mut log, 93);
    log.short();
    log.framer.file_is_cut_off(Checksum::Crc32, &mut log.out);
    assert_eq!((reached(&log).as_str(), log.out.len()), ("0-97-92,1-97-5", 1));
    assert!(matches!(log.out[0], Change::Rollback(_)), "{:?}", log.out);
    // A stream that was begun by GTIDs may go on in a later file than the next.
    log.rotate("binlog.000012", FLAG_ARTIFICIAL).unwrap();
    log.describe().unwrap();
    rows_of(&mut log, 93);
    log.event(16, &[0; 8]).unwrap();
    assert_eq!(reached(&log), "0-97-93,1-97-5");
}

/// What is read again for a prepared XA transaction begins before the position, and so does what has been reached.
#[test]
fn what_has_been_reached_begins_where_the_stream_does() {
    let mut log = mariadb();
    let at = |offset| FilePosition { file: "binlog.000009".into(), offset };
    let taken = Taken::Domains("0-97-91,1-97-5".parse().unwrap());
    let mut position =
        Position { server: "s".into(), file: at(900), file_begun: None, taken, xa: XaState::default() };
    let domains = "0-97-3,1-97-5".parse().unwrap();
    position.xa.prepare(&"x".into(), ReadAgain::After { domains, server: "s".into(), file: at(200) });
    log.framer.take_up(&position, 0).unwrap();
    assert_eq!(log.framer.reached().to_string(), "0-97-3,1-97-5");
}
