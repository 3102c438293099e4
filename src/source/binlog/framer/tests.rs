use super::super::code::StoredCode;
use super::*;
use crate::config::types::Selection;
use crate::source::SourceErrorKind;
use crate::source::binlog::selected::SelectedTables;
use globset::{Glob, GlobSet, GlobSetBuilder};

mod files;
mod payloads;

const SOURCE: [u8; 16] = [0x79, 0x33, 0xd8, 0xa3, 0xe6, 0x9d, 0x11, 0xf1, 0x92, 0xc8, 2, 0xfc, 0, 0, 0, 1];
/// `rf_binlog.t1 (id INT, v VARCHAR(20))`, number 0x71, as MySQL 9.7.4 wrote it.
const MAP: &[u8] =
    b"\x71\0\0\0\0\0\x01\0\x09rf_binlog\0\x02t1\0\x02\x03\x0f\x02\x50\x00\x02\x01\x01\0\x02\x03\xfc\xff\0";
/// `(1, 'a'), (2, 'b')` into it.
const INSERT: &[u8] = b"\x71\0\0\0\0\0\x11\0\x02\0\x02\xff\0\x01\0\0\0\x01a\0\x02\0\0\0\x01b";

/// A log being written: events with places and checksums, and what came of them.
struct Log {
    framer: Framer,
    offset: u32,
    checksum: bool,
    out: Vec<Change>,
}

fn maps(pattern: &str) -> TableMaps {
    let include = GlobSetBuilder::new().add(Glob::new(pattern).unwrap()).build().unwrap();
    let selection = Selection { patterns: vec![pattern.to_owned()], include, exclude: GlobSet::empty() };
    TableMaps::new(SelectedTables::new(selection, crate::change::TableNames::EXACT).unwrap())
}

fn description(checksum: bool) -> Vec<u8> {
    let mut body = 4_u16.to_le_bytes().to_vec();
    let mut version = b"9.7.4".to_vec();
    version.resize(50, 0);
    body.extend(version);
    body.extend([0, 0, 0, 0, 19]);
    let mut lengths = [8_u8; 42];
    lengths[1] = 13;
    body.extend(lengths);
    body.push(u8::from(checksum));
    body
}

impl Log {
    fn silent(pattern: &str, checksum: bool) -> Self {
        let start = FilePosition { file: "binlog.000001".into(), offset: 4 };
        let word = if checksum { Checksum::Crc32 } else { Checksum::None };
        let framer = Framer::new("shop (h:3306)".into(), start, Naming::Gtids, word, maps(pattern), 1 << 20);
        Self { framer, offset: 4, checksum, out: Vec::new() }
    }

    /// A log with a file's start.
    fn with(pattern: &str, checksum: bool) -> Self {
        let mut log = Self::silent(pattern, checksum);
        log.rotate("binlog.000009", FLAG_ARTIFICIAL).unwrap();
        log.describe().unwrap();
        log.event(35, &[0; 8]).unwrap();
        log.out.clear();
        log
    }

    fn new() -> Self {
        Self::with("rf_binlog.*", true)
    }

    fn bytes(&mut self, code: u8, flags: u16, body: &[u8], tail: bool) -> Vec<u8> {
        let length = 19 + body.len() + if tail { 4 } else { 0 };
        let length = u32::try_from(length).unwrap();
        let artificial = flags & FLAG_ARTIFICIAL != 0;
        self.offset = if artificial { self.offset } else { self.offset + length };
        let mut bytes = 7_u32.to_le_bytes().to_vec();
        bytes.push(code);
        bytes.extend(97_u32.to_le_bytes());
        bytes.extend(length.to_le_bytes());
        bytes.extend(if artificial { 0 } else { self.offset }.to_le_bytes());
        bytes.extend(flags.to_le_bytes());
        bytes.extend(body);
        if tail {
            let crc = crc32fast::hash(&bytes);
            bytes.extend(crc.to_le_bytes());
        }
        bytes
    }

    fn send(&mut self, bytes: Vec<u8>) -> Result<(), SourceError> {
        self.framer.event(&bytes.into(), &mut self.out)?;
        while self.framer.is_inside_payload() {
            self.framer.inside(&mut self.out)?;
        }
        Ok(())
    }

    fn flagged(&mut self, code: u8, flags: u16, body: &[u8]) -> Result<(), SourceError> {
        let bytes = self.bytes(code, flags, body, self.checksum);
        self.send(bytes)
    }

    fn event(&mut self, code: u8, body: &[u8]) -> Result<(), SourceError> {
        self.flagged(code, 0, body)
    }

    fn describe(&mut self) -> Result<(), SourceError> {
        let bytes = self.bytes(15, 0, &description(self.checksum), true);
        self.send(bytes)
    }

    fn rotate(&mut self, file: &str, flags: u16) -> Result<(), SourceError> {
        let mut body = 4_u64.to_le_bytes().to_vec();
        body.extend(file.as_bytes());
        let result = self.flagged(4, flags, &body);
        self.offset = 4;
        result
    }

    fn gtid(&mut self, number: u64) -> Result<(), SourceError> {
        let mut body = vec![0];
        body.extend(SOURCE);
        body.extend(number.to_le_bytes());
        body.push(2);
        body.extend([0; 16]);
        body.extend([9, 0, 0, 0, 0, 0, 0]);
        self.event(33, &body)
    }

    fn query(&mut self, sql: &str) -> Result<(), SourceError> {
        self.event(2, &query("rf_binlog", sql))
    }

    /// The items so far in short; they are taken out.
    fn short(&mut self) -> Vec<String> {
        let number = |gtid: &Option<crate::change::TransactionId>| {
            gtid.as_ref().map_or(0, crate::change::TransactionId::number)
        };
        std::mem::take(&mut self.out)
            .iter()
            .filter(|item| !matches!(item, Change::LogFile(_)))
            .map(|item| match item {
                Change::Begin { gtid, .. } => format!("begin {}", number(gtid)),
                Change::Rows(event) => format!("{:?} {} {}", event.kind, event.table.name, event.rows.len()),
                Change::Rollback(boundary) => format!("rollback {}", number(&boundary.gtid)),
                Change::Commit(boundary) => format!("commit {}", number(&boundary.gtid)),
                Change::Statement(event) => format!("{} {}", event.sql, number(&event.boundary.gtid)),
                Change::Doubtful(event) => format!("{:?} {}", event.affected, number(&event.gtid)),
                Change::Heartbeat(position) => format!("heartbeat {position}"),
                Change::LogFile(file) => format!("file {}", file.file),
            })
            .collect()
    }
}

fn query(database: &str, sql: &str) -> Vec<u8> {
    let mut body = vec![0; 8];
    body.push(u8::try_from(database.len()).unwrap());
    let mut variables = vec![1, 0, 0, 0, 0, 0, 0, 0, 0, 4, 255, 0, 255, 0, 255, 0, 12, 1];
    variables.extend(database.as_bytes());
    variables.push(0);
    body.extend([0, 0]);
    body.extend(u16::try_from(variables.len()).unwrap().to_le_bytes());
    body.extend(variables);
    body.extend(database.as_bytes());
    body.push(0);
    body.extend(sql.as_bytes());
    body
}

fn why(result: Result<(), SourceError>) -> String {
    result.expect_err("it passed").to_string()
}

#[test]
fn a_transaction_gives_begin_rows_and_commit_with_its_place() {
    for checksum in [true, false] {
        let mut log = Log::with("rf_binlog.*", checksum);
        log.gtid(5).unwrap();
        log.query("BEGIN").unwrap();
        log.flagged(29, event::FLAG_IGNORABLE, b"\x05a query").unwrap();
        log.event(19, MAP).unwrap();
        log.event(30, INSERT).unwrap();
        log.event(16, &[0; 8]).unwrap();
        let Some(Change::Commit(boundary)) = log.out.last() else { panic!("no commit") };
        assert_eq!(boundary.file.to_string(), format!("binlog.000009:{}", log.offset));
        assert_eq!(boundary.committed_micros, 9);
        assert_eq!(log.short(), ["begin 5", "Insert rf_binlog.t1 14", "commit 5"]);
    }
}

/// An insert of one row whose text has `length` bytes, taken in from a packet of its own.
fn insert_of(length: usize) -> (Bytes, crate::change::RowsEvent) {
    let mut log = Log::new();
    log.gtid(5).unwrap();
    log.query("BEGIN").unwrap();
    log.event(19, MAP).unwrap();
    let body = [&INSERT[..12], &vec![b'x'; length]].concat();
    let packet = Bytes::from(log.bytes(30, 0, &body, true));
    log.framer.event(&packet, &mut log.out).unwrap();
    let Some(Change::Rows(event)) = log.out.pop() else { panic!("no rows") };
    assert_eq!(event.rows.len(), length);
    (packet, event)
}

#[test]
fn small_rows_do_not_hold_the_block_they_came_in() {
    let (packet, event) = insert_of(rows::OWN_BELOW_BYTES - 1);
    assert!(packet.is_unique(), "hours of unselected traffic would wait in memory with them");
    assert_eq!((&*event.columns, event.columns_after.len()), (&[0xff][..], 0));
}

#[test]
fn large_rows_are_slices_of_their_packet() {
    let (packet, event) = insert_of(rows::OWN_BELOW_BYTES);
    assert!(packet.as_ptr_range().contains(&event.rows.as_ptr()));
}

#[test]
fn rows_of_unselected_tables_are_dropped_unseen() {
    let mut log = Log::with("other.*", true);
    log.gtid(5).unwrap();
    log.query("BEGIN").unwrap();
    log.event(19, MAP).unwrap();
    // Garbage after the header, and an update with JSON differences.
    log.event(31, b"\x71\0\0\0\0\0\0\0\x02\0garbage").unwrap();
    log.event(39, b"\x71\0\0\0\0\0\x01\0\x02\0garbage").unwrap();
    log.event(16, &[0; 8]).unwrap();
    assert_eq!(log.short(), ["commit 5"]);
}

#[test]
fn table_maps_end_with_their_statement() {
    let mut log = Log::new();
    log.gtid(5).unwrap();
    log.query("BEGIN").unwrap();
    log.event(19, MAP).unwrap();
    log.event(30, INSERT).unwrap();
    assert!(why(log.event(30, INSERT)).contains("no table map came before it"));
    let mut log = Log::new();
    log.gtid(5).unwrap();
    log.query("BEGIN").unwrap();
    log.event(19, MAP).unwrap();
    // Rows of no table that only end the statement.
    log.event(30, b"\xff\xff\xff\0\0\0\x01\0\x02\0\x01\xff").unwrap();
    assert!(log.event(30, INSERT).is_err());
    assert!(log.event(30, b"\xff\xff\xff\0\0\0\0\0\x02\0\x01\xff").is_err(), "without the end mark");
}

#[test]
fn updates_with_json_differences_are_carried_as_they_are() {
    let mut log = Log::new();
    log.gtid(5).unwrap();
    log.query("BEGIN").unwrap();
    log.event(19, MAP).unwrap();
    // (1, 'a') becomes (1, 'b'); no options.
    let update = b"\x71\0\0\0\0\0\x11\0\x02\0\x02\xff\xff\0\x01\0\0\0\x01a\0\0\x01\0\0\0\x01b";
    log.event(39, update).unwrap();
    log.event(16, &[0; 8]).unwrap();
    assert_eq!(log.short(), ["begin 5", "PartialUpdate rf_binlog.t1 15", "commit 5"]);
}

#[test]
fn what_stands_behind_a_savepoint_waits_for_the_end() {
    let mut log = Log::new();
    for ends in ["ROLLBACK", "COMMIT"] {
        log.gtid(5).unwrap();
        log.query("BEGIN").unwrap();
        log.query("SAVEPOINT `a`").unwrap();
        log.event(19, MAP).unwrap();
        log.event(30, INSERT).unwrap();
        log.query("ROLLBACK TO `a`").unwrap();
        log.event(19, MAP).unwrap();
        log.event(30, INSERT).unwrap();
        log.query(ends).unwrap();
        while log.framer.is_handing_out() {
            log.framer.hand_out(&mut log.out).unwrap();
        }
    }
    assert_eq!(log.short(), ["commit 5", "begin 5", "Insert rf_binlog.t1 14", "commit 5"]);
}

#[test]
fn a_statement_is_handed_out_with_its_settings() {
    let mut log = Log::new();
    log.gtid(5).unwrap();
    log.query("ALTER TABLE t1 ADD c INT").unwrap();
    let Some(Change::Statement(event)) = log.out.last() else { panic!("no statement") };
    assert_eq!((event.default_database.as_str(), event.session.sql_mode), ("rf_binlog", 0));
    assert_eq!(event.boundary.file.offset, u64::from(log.offset));
    log.gtid(6).unwrap();
    log.query("CREATE USER u").unwrap();
    assert_eq!(log.short(), ["ALTER TABLE t1 ADD c INT 5", "commit 6"]);
}

#[test]
fn values_that_go_with_a_statement_do_not_matter_but_the_statement_does() {
    let mut log = Log::new();
    log.gtid(5).unwrap();
    log.query("BEGIN").unwrap();
    for code in [5, 13, 14, 17, 9] {
        log.event(code, b"values").unwrap();
    }
    log.event(2, &query("other", "INSERT INTO x VALUES (1)")).unwrap();
    let code = || StoredCode::new(Vec::new(), Vec::new(), None);
    log.query("INSERT INTO t1 VALUES (1)").unwrap();
    log.framer.answer(code(), &mut log.out).unwrap();
    let mut load = query("rf_binlog", "LOAD DATA INFILE 'x' INTO TABLE t1");
    load.splice(13..13, [0; 13]);
    log.event(18, &load).unwrap();
    let told = "Tables([TableName { database: \"rf_binlog\", table: \"t1\" }]) 5";
    assert_eq!(log.short(), ["begin 5", told, told]);
}

#[test]
fn a_rotation_moves_to_the_next_file() {
    let mut log = Log::new();
    log.event(3, &[]).unwrap();
    log.rotate("binlog.000010", 0).unwrap();
    log.rotate("binlog.000010", FLAG_ARTIFICIAL).unwrap();
    assert_eq!(log.framer.position().to_string(), "binlog.000010:4");
    log.describe().unwrap();
    log.gtid(1).unwrap();
    assert!(why(log.rotate("binlog.000011", 0)).contains("after the GTID of"));
}

#[test]
fn the_format_description_decides_about_checksums_of_its_file() {
    let mut log = Log::new();
    log.rotate("binlog.000010", 0).unwrap();
    log.checksum = false;
    log.describe().unwrap();
    log.gtid(5).unwrap();
    log.query("CREATE USER u").unwrap();
    assert_eq!(log.short(), ["commit 5"]);
}

#[test]
fn heartbeats_tell_the_place_but_not_inside_a_transaction() {
    let mut log = Log::new();
    let mut second = b"\x01\x0dbinlog.000009\x02\x09\xfe".to_vec();
    second.extend(0x1_0000_1000_u64.to_le_bytes());
    second.push(0);
    let here = log.offset + 100;
    log.offset = here - 19 - 13 - 4;
    log.event(27, b"binlog.000009").unwrap();
    log.flagged(41, FLAG_ARTIFICIAL, &second).unwrap();
    let first = format!("heartbeat binlog.000009:{here}");
    assert_eq!(log.short(), [first.as_str(), "heartbeat binlog.000009:4294971392"]);
    log.gtid(5).unwrap();
    log.flagged(41, FLAG_ARTIFICIAL, &second).unwrap();
    assert_eq!(log.short(), [""; 0]);
    assert!(why(log.event(27, b"binlog.000008")).contains("another file"));
    // MariaDB may still be at the end of the file that it has left.
    let mut log = Log::new();
    log.rotate("binlog.000010", 0).unwrap();
    log.event(27, b"binlog.000009").unwrap();
    assert_eq!(log.short(), [""; 0]);
    assert!(why(log.event(27, b"binlog.000008")).contains("another file"));
    assert!(log.event(41, b"\x01\x01x").is_err());
}

#[test]
fn a_compressed_transaction_gives_the_same_items() {
    let mut log = Log::new();
    log.gtid(5).unwrap();
    let mut inner = Vec::new();
    let mut plain = Log::with("rf_binlog.*", false);
    for (code, body) in [(2, query("rf_binlog", "BEGIN")), (19, MAP.to_vec()), (30, INSERT.to_vec())] {
        inner.extend(plain.bytes(code, 0, &body, false));
    }
    let open = inner.clone();
    inner.extend(plain.bytes(16, 0, &[0; 8], false));
    log.event(40, &compressed(&inner)).unwrap();
    let Some(Change::Commit(boundary)) = log.out.last() else { panic!("no commit") };
    assert_eq!(boundary.file.offset, u64::from(log.offset), "the end of the whole");
    assert_eq!(log.short(), ["begin 5", "Insert rf_binlog.t1 14", "commit 5"]);
    log.gtid(6).unwrap();
    assert!(why(log.event(40, &compressed(&open))).contains("does not end the transaction"));
    let mut log = Log::new();
    log.gtid(6).unwrap();
    let nested = plain.bytes(40, 0, b"x", false);
    assert!(why(log.event(40, &compressed(&nested))).contains("stands inside it"));
    assert!(Log::new().event(40, &compressed(&inner)).is_err(), "without a GTID");
}

fn compressed(inner: &[u8]) -> Vec<u8> {
    let packed = zstd::encode_all(inner, 3).unwrap();
    let mut body = vec![2, 1, 0, 3, 9, 254];
    body.extend(u64::try_from(inner.len()).unwrap().to_le_bytes());
    body.extend([1, 9, 254]);
    body.extend(u64::try_from(packed.len()).unwrap().to_le_bytes());
    body.push(0);
    body.extend(packed);
    body
}

#[test]
fn every_kind_that_is_not_listed_stops_the_stream() {
    for code in 0..=255_u8 {
        if EventKind::of(code, 0) != EventKind::Refused {
            continue;
        }
        let mut log = Log::new();
        let Err(error) = log.event(code, b"whatever") else { panic!("{code} passed") };
        let SourceErrorKind::Event { event, position, remedy, .. } = &error.kind else { panic!("{error}") };
        assert!(event.contains(&code.to_string()) && remedy.is_some());
        assert_eq!(*position, format!("binlog.000009:{}", log.offset));
        assert!(Log::new().flagged(code, event::FLAG_IGNORABLE, b"whatever").is_ok());
    }
}

#[test]
fn damage_is_tried_again_and_contradictions_are_not() {
    let mut log = Log::new();
    let mut bytes = log.bytes(33, 0, &[0; 40], true);
    bytes[25] ^= 0x10;
    let Err(error) = log.send(bytes) else { panic!("it passed") };
    assert!(matches!(error.kind, SourceErrorKind::Connection { .. }));
    assert!(error.to_string().contains("GTID (33)"));
    let Err(error) = Log::new().event(16, &[0; 8]) else { panic!("it passed") };
    assert_eq!(error.retry(), crate::change::Retry::Never);
}

#[test]
fn nothing_is_taken_before_the_format_description() {
    let mut log = Log::silent("*.*", true);
    assert!(why(log.gtid(1)).contains("format description"));
}

#[test]
fn an_event_over_the_limit_is_refused() {
    let mut log = Log::new();
    assert!(why(log.event(29, &vec![0; 1 << 20])).contains("at most 1048576 fit"));
}

/// Each event kind with a body cut at every length, the checksum right: errors, never panics.
#[test]
fn no_cut_of_any_event_panics() {
    let kinds: [(u8, Vec<u8>); 13] = [
        (2, query("rf_binlog", "ALTER TABLE t1 ADD c INT")),
        (4, b"\x04\0\0\0\0\0\0\0binlog.000010".to_vec()),
        (15, description(true)),
        (16, vec![0; 8]),
        (18, query("rf_binlog", "LOAD DATA")),
        (19, MAP.to_vec()),
        (23, INSERT.to_vec()),
        (27, b"binlog.000009".to_vec()),
        (30, INSERT.to_vec()),
        (31, INSERT.to_vec()),
        (38, vec![0; 10]),
        (40, compressed(INSERT)),
        (41, b"\x01\x0dbinlog.000009\x02\x01\x09\0".to_vec()),
    ];
    for (code, body) in kinds {
        for cut in 0..=body.len() {
            for open in [false, true] {
                let mut log = Log::new();
                log.gtid(5).unwrap();
                if open {
                    log.query("BEGIN").unwrap();
                    log.event(19, MAP).unwrap();
                }
                let result = log.event(code, &body[..cut]);
                assert!(result.is_ok() || log.out.is_empty(), "{code} {cut}: an item in spite of an error");
            }
        }
    }
}
