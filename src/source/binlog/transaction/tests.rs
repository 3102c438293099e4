use super::*;
use crate::change::{Gtid, RowsKind, TableMap, TableName, Tag, Uuid};
use bytes::Bytes;
use std::sync::Arc;

pub(super) fn name(number: u64) -> GtidEvent {
    let gtid = TransactionId::MySql(Gtid { source: Uuid([7; 16]), tag: Tag::from(""), number });
    GtidEvent { gtid: Some(gtid), committed_micros: number * 1000, opens: Opens::Unsaid }
}

fn at(offset: u64) -> FilePosition {
    FilePosition { file: "binlog.000001".into(), offset }
}

pub(super) fn end(offset: u64) -> End {
    End { position: at(offset), timestamp: 5 }
}

pub(super) fn rows(offset: u64) -> RowsEvent {
    let table = TableMap {
        table_id: 1,
        name: TableName::new("d", "t"),
        types: vec![3],
        metadata: vec![0],
        nullable: vec![0],
        optional: Bytes::new(),
    };
    RowsEvent {
        table: Arc::new(table),
        kind: RowsKind::Insert,
        columns: Bytes::from_static(&[1]),
        columns_after: Bytes::new(),
        rows: Bytes::from_static(&[0, 1, 0, 0, 0]),
        references: crate::change::References::Followed,
        position: at(offset),
    }
}

/// Items in short: what they are and the numbers in them.
pub(super) fn short(items: &[Change]) -> Vec<String> {
    let edge = |kind: &str, b: &Boundary| {
        let number = b.gtid.as_ref().map_or(0, TransactionId::number);
        format!("{kind} {number} at {} {}", b.file.offset, b.committed_micros)
    };
    items
        .iter()
        .map(|item| match item {
            Change::Begin { gtid, .. } => format!("begin {}", gtid.as_ref().map_or(0, TransactionId::number)),
            Change::Rows(event) => format!("rows {}", event.position.offset),
            Change::Rollback(boundary) => edge("rollback", boundary),
            Change::Commit(boundary) => edge("commit", boundary),
            Change::Statement(event) => edge(&event.sql, &event.boundary),
            Change::Doubtful(event) => format!("doubtful {}", event.position.offset),
            Change::Heartbeat(position) => format!("heartbeat {}", position.offset),
            Change::LogFile(file) => format!("file {}", file.file),
        })
        .collect()
}

fn ddl(sql: &str, rows_may_follow: bool) -> Ddl {
    Ddl {
        default_database: "d".into(),
        sql: sql.into(),
        session: Session::default(),
        rows_may_follow,
        doubt: None,
    }
}

#[test]
fn a_transaction_begins_at_its_first_selected_rows() {
    let (mut t, mut out) = (Transactions::default(), Vec::new());
    t.named(name(1)).unwrap();
    t.begin(None).unwrap();
    assert!(out.is_empty());
    t.rows(rows(10), &mut out).unwrap();
    t.rows(rows(20), &mut out).unwrap();
    t.commit(end(30), &mut out).unwrap();
    assert_eq!(short(&out), ["begin 1", "rows 10", "rows 20", "commit 1 at 30 1000"]);
}

#[test]
fn what_touches_nothing_selected_is_a_bare_commit() {
    let (mut t, mut out) = (Transactions::default(), Vec::new());
    t.named(name(1)).unwrap();
    t.begin(None).unwrap();
    t.pass(end(20), &mut out).unwrap();
    t.commit(end(30), &mut out).unwrap();
    t.named(name(2)).unwrap();
    t.pass(end(40), &mut out).unwrap();
    assert_eq!(short(&out), ["commit 1 at 30 1000", "commit 2 at 40 2000"]);
    assert!(!t.is_inside());
}

#[test]
fn the_header_time_stands_in_where_the_gtid_has_none() {
    let (mut t, mut out) = (Transactions::default(), Vec::new());
    t.named(GtidEvent { committed_micros: 0, ..name(1) }).unwrap();
    t.pass(end(40), &mut out).unwrap();
    assert_eq!(short(&out), ["commit 1 at 40 5000000"]);
}

#[test]
fn a_rolled_back_group_takes_its_rows_back() {
    let (mut t, mut out) = (Transactions::default(), Vec::new());
    t.named(name(1)).unwrap();
    t.begin(None).unwrap();
    t.rows(rows(10), &mut out).unwrap();
    t.rollback(end(20), &mut out).unwrap();
    t.named(name(2)).unwrap();
    t.begin(None).unwrap();
    t.rollback(end(40), &mut out).unwrap();
    assert_eq!(short(&out), ["begin 1", "rows 10", "rollback 1 at 20 1000", "commit 2 at 40 2000"]);
}

/// Commits, and hands out what was held.
fn committed(t: &mut Transactions, offset: u64, out: &mut Vec<Change>) {
    t.commit(end(offset), out).unwrap();
    while t.is_handing_out() {
        t.hand_out(out).unwrap();
    }
}

#[test]
fn rows_behind_a_savepoint_come_with_the_commit_and_those_taken_back_never() {
    for max_bytes in [0, 1 << 20] {
        let (mut t, mut out) = (xa::tests::stream(max_bytes), Vec::new());
        t.named(name(1)).unwrap();
        t.begin(None).unwrap();
        t.rows(rows(10), &mut out).unwrap();
        t.savepoint("a").unwrap();
        t.rows(rows(20), &mut out).unwrap();
        t.savepoint("b").unwrap();
        t.rows(rows(30), &mut out).unwrap();
        t.rollback_to("B").unwrap();
        t.release("a").unwrap();
        t.rows(rows(40), &mut out).unwrap();
        assert_eq!(short(&out), ["begin 1", "rows 10"]);
        committed(&mut t, 50, &mut out);
        assert_eq!(short(&out), ["begin 1", "rows 10", "rows 50", "rows 50", "commit 1 at 50 1000"]);
        assert_eq!(t.prepared.held_bytes(), 0, "nothing of it is counted any more");
    }
}

#[test]
fn a_savepoint_before_the_first_rows_may_take_back_all() {
    let (mut t, mut out) = (xa::tests::stream(1 << 20), Vec::new());
    t.named(name(1)).unwrap();
    t.begin(None).unwrap();
    t.savepoint("a").unwrap();
    t.savepoint("b").unwrap();
    t.rollback_to("A").unwrap();
    assert!(t.rollback_to("b").is_err());
    t.rows(rows(10), &mut out).unwrap();
    t.rollback_to("a").unwrap();
    committed(&mut t, 30, &mut out);
    t.named(name(2)).unwrap();
    t.begin(None).unwrap();
    t.rows(rows(40), &mut out).unwrap();
    t.savepoint("a").unwrap();
    t.rows(rows(50), &mut out).unwrap();
    t.rollback(end(60), &mut out).unwrap();
    t.named(name(3)).unwrap();
    t.begin(None).unwrap();
    t.savepoint("a").unwrap();
    t.rows(rows(70), &mut out).unwrap();
    assert!(t.ddl(ddl("CREATE", true), end(80), &mut out).is_err(), "after rows, held or not");
    t.cut_short(&mut out);
    let want = ["commit 1 at 30 1000", "begin 2", "rows 40", "rollback 2 at 60 2000"];
    assert_eq!(short(&out), want);
    assert_eq!(t.prepared.held_bytes(), 0);
}

#[test]
fn a_savepoint_name_used_again_means_the_later_mark() {
    let (mut t, mut out) = (xa::tests::stream(1 << 20), Vec::new());
    t.named(name(1)).unwrap();
    t.begin(None).unwrap();
    t.savepoint("s").unwrap();
    t.savepoint("other").unwrap();
    t.rows(rows(2), &mut out).unwrap();
    t.savepoint("S").unwrap();
    t.rows(rows(3), &mut out).unwrap();
    t.rollback_to("s").unwrap();
    t.release("other").unwrap();
    assert!(t.rollback_to("s").is_err(), "released with the older one");
    committed(&mut t, 9, &mut out);
    assert_eq!(short(&out), ["begin 1", "rows 9", "commit 1 at 9 1000"]);
}

#[test]
fn ddl_is_a_transaction_of_its_own() {
    let (mut t, mut out) = (Transactions::default(), Vec::new());
    t.named(name(1)).unwrap();
    t.ddl(ddl("ALTER", false), end(20), &mut out).unwrap();
    assert_eq!(short(&out), ["ALTER 1 at 20 1000"]);
    t.named(name(2)).unwrap();
    t.begin(None).unwrap();
    assert!(t.ddl(ddl("ALTER", false), end(40), &mut out).is_err());
}

#[test]
fn a_table_created_with_rows_stands_before_their_transaction() {
    let (mut t, mut out) = (Transactions::default(), Vec::new());
    t.named(name(1)).unwrap();
    t.pass(end(20), &mut out).unwrap();
    t.named(name(2)).unwrap();
    t.begin(None).unwrap();
    t.ddl(ddl("CREATE", true), end(40), &mut out).unwrap();
    t.rows(rows(50), &mut out).unwrap();
    assert!(t.ddl(ddl("CREATE", true), end(60), &mut out).is_err(), "after rows");
    t.commit(end(60), &mut out).unwrap();
    let want = ["commit 1 at 20 1000", "CREATE 0 at 20 2000", "begin 2", "rows 50", "commit 2 at 60 2000"];
    assert_eq!(short(&out), want);
}

#[test]
fn what_stands_in_the_wrong_place_is_a_contradiction() {
    let mut out = Vec::new();
    let idle = Transactions::default;
    assert!(idle().commit(end(1), &mut out).is_err());
    assert!(idle().rollback(end(1), &mut out).is_err());
    assert!(idle().rows(rows(1), &mut out).is_err());
    assert!(idle().require_open().is_err() && idle().require_named().is_err());
    assert!(idle().begin(None).is_err(), "no GTID came");
    assert!(idle().pass(end(1), &mut out).is_err(), "no GTID came");
    assert!(idle().xa_prepare(&xa::tests::prepare("X'61',X'',1", true), end(1), &mut out).is_err());
    assert!(idle().named(GtidEvent { gtid: None, ..GtidEvent::default() }).is_err(), "anonymous");
    let mut open = idle();
    open.named(name(1)).unwrap();
    assert!(open.named(name(2)).is_err() && open.between_files().is_err());
    open.begin(None).unwrap();
    assert!(open.named(name(2)).is_err() && open.between_files().is_err());
    assert!(open.begin(None).is_err() && open.stand_alone(end(1), &mut out).is_err());
    assert!(
        open.xa_end(1).is_err()
            && open.xa_prepare(&xa::tests::prepare("X'61',X'',1", true), end(1), &mut out).is_err()
    );
    assert!(open.require_named().is_err());
    assert!(open.commit(end(9), &mut out).is_ok(), "none of these closed it");
    assert_eq!(short(&out), ["commit 1 at 9 1000"]);
}

/// Who reads this meets nobody inside a transaction, so what is doubtful of one is inside of it.
#[test]
fn what_is_doubtful_begins_its_transaction() {
    let doubt = |t: &mut Transactions, out: &mut Vec<Change>| {
        let doubt = Doubt {
            kind: "statement_dml",
            why: String::new(),
            statement: String::new(),
            remedy: AtSource::KeepBinlogs.into(),
            also: Vec::new(),
        };
        t.doubt(doubt, Affected::Any, None, at(15), out);
    };
    let (mut t, mut out) = (Transactions::default(), Vec::new());
    t.named(name(1)).unwrap();
    t.begin(None).unwrap();
    doubt(&mut t, &mut out);
    doubt(&mut t, &mut out);
    t.rows(rows(20), &mut out).unwrap();
    t.commit(end(30), &mut out).unwrap();
    assert_eq!(short(&out), ["begin 1", "doubtful 15", "doubtful 15", "rows 20", "commit 1 at 30 1000"]);
    out.clear();
    t.named(name(2)).unwrap();
    t.begin(None).unwrap();
    doubt(&mut t, &mut out);
    t.cut_short(&mut out);
    assert_eq!(short(&out), ["begin 2", "doubtful 15", "rollback 0 at 30 2000"]);
}
