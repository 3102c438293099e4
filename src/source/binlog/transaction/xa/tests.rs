use super::super::tests::{end, name, rows, short};
use super::*;
use crate::change::{Committer, DomainGtid, GtidSet, ReadAgain, RowsEvent, Taken, TransactionId, XaState};
use crate::source::binlog::gtid::{GtidEvent, Opens};
use crate::source::binlog::transaction::Naming;

pub(in super::super) fn id(text: &str) -> Xid {
    Xid::of_statement(&format!("XA START {text}")).unwrap()
}

pub(in super::super) fn prepare(text: &str, one_phase: bool) -> PrepareEvent {
    PrepareEvent { one_phase, xid: id(text) }
}

const A: &str = "X'61',X'',1";
const B: &str = "X'62',X'',1";

/// A stream with so many bytes for held rows.
pub(in super::super) fn stream(max_bytes: usize) -> Transactions {
    let mut transactions = Transactions::default();
    transactions.take_up(&position(Taken::Gtids(GtidSet::default()), 4), max_bytes).unwrap();
    transactions.starts_at(at(4));
    transactions
}

fn at(offset: u64) -> FilePosition {
    FilePosition { file: "binlog.000001".into(), offset }
}

fn position(taken: Taken, offset: u64) -> Position {
    Position { server: "s".into(), file: at(offset), file_begun: None, taken, xa: XaState::default() }
}

/// Prepares a transaction with rows whose events end at these offsets, and in `number` + 9.
fn prepared(t: &mut Transactions, xid: &str, number: u64, offsets: &[u64], out: &mut Vec<Change>) {
    t.named(name(number)).unwrap();
    t.begin(Some(id(xid))).unwrap();
    for offset in offsets {
        t.rows(distinct(*offset), out).unwrap();
    }
    t.xa_end(1).unwrap();
    t.xa_prepare(&prepare(xid, false), end(number + 9), out).unwrap();
}

/// A row event that its bytes tell apart.
fn distinct(offset: u64) -> RowsEvent {
    RowsEvent { rows: offset.to_le_bytes().to_vec().into(), ..rows(offset) }
}

fn finished(t: &mut Transactions, xid: &str, commits: bool, number: u64, out: &mut Vec<Change>) {
    t.named(name(number)).unwrap();
    t.xa_finish(&id(xid), commits, 1, end(number + 9), out).unwrap();
    while t.is_handing_out() {
        t.hand_out(out).unwrap();
    }
}

/// What distinguishes the row events, in order.
fn which(items: &[Change]) -> Vec<u8> {
    items
        .iter()
        .filter_map(|item| if let Change::Rows(event) = item { Some(event.rows[0]) } else { None })
        .collect()
}

fn steps(items: &[Change]) -> Vec<Option<XaStep>> {
    items
        .iter()
        .filter_map(|item| if let Change::Commit(b) = item { Some(b.xa.clone()) } else { None })
        .collect()
}

#[test]
fn rows_come_with_the_xa_commit_under_its_name_and_place() {
    for max_bytes in [1 << 20, 0] {
        let (mut t, mut out) = (stream(max_bytes), Vec::new());
        prepared(&mut t, A, 10, &[1, 2, 3], &mut out);
        prepared(&mut t, B, 20, &[4], &mut out);
        assert_eq!(short(&out), ["commit 10 at 19 10000", "commit 20 at 29 20000"]);
        let xid = Arc::from(A);
        assert_eq!(steps(&out)[0], Some(XaStep::Prepared { xid, start: at(4) }));
        out.clear();
        finished(&mut t, B, true, 30, &mut out);
        finished(&mut t, A, true, 40, &mut out);
        let want = [
            "begin 30",
            "rows 39",
            "commit 30 at 39 30000",
            "begin 40",
            "rows 49",
            "rows 49",
            "rows 49",
            "commit 40 at 49 40000",
        ];
        assert_eq!((short(&out), which(&out)), (want.map(str::to_owned).to_vec(), vec![4, 1, 2, 3]));
        assert_eq!(steps(&out)[1], Some(XaStep::Ended { xid: A.into(), committed: None }));
    }
}

#[test]
fn what_was_rolled_back_before_or_behind_xa_prepare_does_not_come() {
    let (mut t, mut out) = (stream(1 << 20), Vec::new());
    t.named(name(10)).unwrap();
    t.begin(Some(id(A))).unwrap();
    t.rows(distinct(1), &mut out).unwrap();
    t.savepoint("s").unwrap();
    t.rows(distinct(2), &mut out).unwrap();
    t.rollback_to("S").unwrap();
    t.rows(distinct(3), &mut out).unwrap();
    t.xa_prepare(&prepare(A, false), end(19), &mut out).unwrap();
    finished(&mut t, A, true, 20, &mut out);
    assert_eq!(which(&out), [1, 3]);
    out.clear();
    prepared(&mut t, A, 30, &[4], &mut out);
    finished(&mut t, A, false, 40, &mut out);
    assert_eq!(short(&out), ["commit 30 at 39 30000", "commit 40 at 49 40000"]);
    // Its id may be used again, and rolled back before it is prepared.
    t.named(name(50)).unwrap();
    t.begin(Some(id(A))).unwrap();
    t.rows(distinct(5), &mut out).unwrap();
    t.xa_finish(&id(A), false, 1, end(59), &mut out).unwrap();
    prepared(&mut t, A, 60, &[6], &mut out);
    finished(&mut t, A, true, 70, &mut out);
    assert_eq!(which(&out), [6]);
}

#[test]
fn one_phase_is_a_commit() {
    let (mut t, mut out) = (stream(1 << 20), Vec::new());
    t.named(name(1)).unwrap();
    t.begin(Some(id(A))).unwrap();
    t.rows(rows(10), &mut out).unwrap();
    assert!(t.commit(end(15), &mut out).is_err(), "not by COMMIT");
    t.xa_end(1).unwrap();
    t.xa_prepare(&prepare(A, true), end(20), &mut out).unwrap();
    while t.is_handing_out() {
        t.hand_out(&mut out).unwrap();
    }
    assert_eq!(short(&out), ["begin 1", "rows 20", "commit 1 at 20 1000"]);
    assert_eq!(steps(&out), [None]);
}

#[test]
fn the_commit_of_a_transaction_never_seen_stops_the_stream_and_its_rollback_does_not() {
    let (mut t, mut out) = (stream(1 << 20), Vec::new());
    finished(&mut t, A, false, 10, &mut out);
    prepared(&mut t, A, 20, &[], &mut out);
    finished(&mut t, A, true, 30, &mut out);
    assert_eq!(which(&out), [0_u8; 0]);
    t.named(name(40)).unwrap();
    let Err(Refusal::Event { why, remedy: Some(remedy) }) = t.xa_finish(&id(B), true, 1, end(49), &mut out)
    else {
        panic!()
    };
    assert!(why.contains(B) && matches!(remedy, Remedy::CopyTask(_)), "{why}: {remedy}");
}

#[test]
fn a_commit_that_the_copy_has_seen_brings_nothing() {
    let mut start = position(Taken::Files, 4);
    start.xa.seen_until = Some(at(100));
    let (mut t, mut out) = (Transactions::new(Naming::Places), Vec::new());
    t.take_up(&start, 1 << 20).unwrap();
    t.xa_finish(&id(A), true, 1, end(100), &mut out).unwrap();
    assert_eq!(short(&out), ["commit 0 at 100 5000000"]);
    assert!(t.xa_finish(&id(B), true, 1, end(101), &mut out).is_err());
}

#[test]
fn a_prepared_one_of_the_position_that_does_not_come_again_stops_the_stream() {
    let mut start = position(Taken::Gtids(GtidSet::default()), 4);
    start.xa.seen_until = Some(at(100));
    start.xa.prepare(&A.into(), crate::change::ReadAgain::Gtid(GtidSet::default()));
    let (mut t, mut out) = (Transactions::default(), Vec::new());
    t.take_up(&start, 1 << 20).unwrap();
    t.named(name(40)).unwrap();
    assert!(t.xa_finish(&id(A), true, 1, end(49), &mut out).is_err());
}

/// A position advanced over everything, and the items.
fn advanced(position: &mut Position, out: &[Change]) {
    for item in out {
        if let Change::Commit(boundary) = item {
            position.advance(boundary);
        }
    }
}

#[test]
fn by_places_what_lies_between_a_prepare_and_the_position_is_passed_over() {
    let mut t = Transactions::new(Naming::Places);
    let start = position(Taken::Files, 4);
    t.take_up(&start, 1 << 20).unwrap();
    t.starts_at(at(4));
    // Transactions one after the other, each event's end 10 after the last.
    let run = |t: &mut Transactions, from: u64, upto: u64| {
        let mut out = Vec::new();
        let mut event =
            |t: &mut Transactions, offset: u64, act: &dyn Fn(&mut Transactions, End, &mut Vec<Change>)| {
                if offset > from && offset <= upto {
                    t.reach(&at(offset)).unwrap();
                    let mut nothing = Vec::new();
                    let passes = t.resume().passes();
                    act(t, end(offset), if passes { &mut nothing } else { &mut out });
                    while t.is_handing_out() {
                        t.hand_out(&mut out).unwrap();
                    }
                }
            };
        event(t, 10, &|t, _, _| t.begin(None).unwrap());
        event(t, 20, &|t, _, out| t.rows(distinct(20), out).unwrap());
        event(t, 30, &|t, end, out| t.commit(end, out).unwrap());
        event(t, 40, &|t, _, _| t.begin(Some(id(A))).unwrap());
        event(t, 50, &|t, _, out| t.rows(distinct(50), out).unwrap());
        event(t, 60, &|t, end, out| t.xa_prepare(&prepare(A, false), end, out).unwrap());
        event(t, 70, &|t, _, _| t.begin(Some(id(B))).unwrap());
        event(t, 80, &|t, _, out| t.rows(distinct(80), out).unwrap());
        event(t, 90, &|t, end, out| t.xa_prepare(&prepare(B, false), end, out).unwrap());
        event(t, 100, &|t, end, out| t.xa_finish(&id(B), true, 1, end, out).unwrap());
        event(t, 110, &|t, _, _| t.begin(None).unwrap());
        event(t, 120, &|t, _, out| t.rows(distinct(120), out).unwrap());
        event(t, 130, &|t, end, out| t.commit(end, out).unwrap());
        event(t, 140, &|t, end, out| t.xa_finish(&id(A), true, 1, end, out).unwrap());
        out
    };
    let all = run(&mut t, 0, 140);
    assert_eq!(which(&all), [20, 80, 120, 50]);
    // Cut at every boundary, the rest is the same.
    for cut in [30, 60, 90, 100, 130, 140] {
        let mut t = Transactions::new(Naming::Places);
        t.take_up(&start, 1 << 20).unwrap();
        t.starts_at(at(4));
        let mut position = start.clone();
        let before = run(&mut t, 0, cut);
        advanced(&mut position, &before);
        assert_eq!(position.file, at(cut));
        let origin = crate::source::binlog::resume::origin(&position);
        assert_eq!(origin.file.offset, if (60..140).contains(&cut) { 30 } else { cut }, "{cut}");
        let mut again = Transactions::new(Naming::Places);
        again.take_up(&position, 1 << 20).unwrap();
        again.starts_at(origin.file.clone());
        let after = run(&mut again, origin.file.offset, 140);
        assert_eq!([short(&before), short(&after)].concat(), short(&all), "{cut}");
        assert_eq!([which(&before), which(&after)].concat(), which(&all), "{cut}");
    }
}

/// A transaction's name, and what it is: an XA PREPARE, rows, the XA COMMIT.
type Act = (DomainGtid, &'static str);

#[test]
fn by_domains_each_is_passed_over_up_to_its_own_last_transaction() {
    let gtid = |domain: u32, sequence: u64| DomainGtid { domain, server: 1, sequence };
    let named = |t: &mut Transactions, id: DomainGtid, opens: Opens| {
        t.named(GtidEvent { gtid: Some(TransactionId::MariaDb(id)), committed_micros: 0, opens }).unwrap();
    };
    // What the log has: an XA of domain 1, others of both, its end.
    let log: [Act; 6] = [
        (gtid(1, 5), "x"),
        (gtid(2, 1), "r"),
        (gtid(1, 4), "r"),
        (gtid(2, 2), "r"),
        (gtid(1, 6), "r"),
        (gtid(2, 3), "c"),
    ];
    let run = |t: &mut Transactions, log: &[Act]| {
        let mut out = Vec::new();
        for (number, (id_, act)) in (1_u64..).zip(log) {
            let opens = match *act {
                "x" => Opens::Xa(id(A)),
                "c" => Opens::Statement,
                _ => Opens::Group,
            };
            named(t, *id_, opens);
            let mut nothing = Vec::new();
            let passes = t.resume().passes();
            let to = if passes { &mut nothing } else { &mut out };
            let sequence = id_.sequence + u64::from(id_.domain) * 10;
            match *act {
                "c" => t.xa_finish(&id(A), true, 1, end(number), to).unwrap(),
                act => {
                    t.rows(distinct(sequence), to).unwrap();
                    if act == "x" {
                        t.xa_prepare(&prepare(A, false), end(number), to).unwrap();
                    } else {
                        t.commit(end(number), to).unwrap();
                    }
                }
            }
            while t.is_handing_out() {
                t.hand_out(&mut out).unwrap();
            }
        }
        out
    };
    let start = position(Taken::Domains("1-1-3".parse().unwrap()), 0);
    for cut in 0..=log.len() {
        let mut t = Transactions::new(Naming::Domains);
        t.take_up(&start, 1 << 20).unwrap();
        let mut position = start.clone();
        let before = run(&mut t, &log[..cut]);
        advanced(&mut position, &before);
        // Another server, on which no place is known.
        position.file = FilePosition { file: "".into(), offset: 0 };
        let origin = crate::source::binlog::resume::origin(&position);
        // The server sends what follows the origin.
        let from = if position.xa.prepared.is_empty() { cut } else { 0 };
        assert_eq!(origin.taken == start.taken, cut == 0 || from == 0 && cut > 0, "{cut}");
        let mut again = Transactions::new(Naming::Domains);
        again.take_up(&position, 1 << 20).unwrap();
        let after = run(&mut again, &log[from..]);
        assert_eq!([which(&before), which(&after)].concat(), [21, 14, 22, 16, 15], "{cut}");
    }
}

/// Half of an XA transaction at the end of a log in which its server died is not what a later one of the same id commits.
#[test]
fn what_a_dying_server_wrote_of_an_xa_transaction_is_let_go() {
    for max_bytes in [1 << 20, 0] {
        let (mut t, mut out) = (stream(max_bytes), Vec::new());
        t.named(name(10)).unwrap();
        t.begin(Some(id(A))).unwrap();
        t.rows(distinct(1), &mut out).unwrap();
        t.cut_short(&mut out);
        assert!(out.is_empty() && !t.is_inside());
        prepared(&mut t, A, 20, &[2], &mut out);
        finished(&mut t, A, true, 30, &mut out);
        assert_eq!(which(&out), [2]);
    }
}

/// The stream of a log of MariaDB, begun at a position.
fn domains(position: &Position) -> Transactions {
    let mut transactions = Transactions::new(Naming::Domains);
    transactions.take_up(position, 1 << 20).unwrap();
    transactions
}

/// `XA COMMIT` or `XA ROLLBACK` of `A` by this session, as transaction 0-1-number.
fn ends(
    t: &mut Transactions,
    commits: bool,
    session: u32,
    number: u64,
    out: &mut Vec<Change>,
) -> Result<(), Refusal> {
    let gtid = DomainGtid { domain: 0, server: 1, sequence: number };
    let gtid = Some(TransactionId::MariaDb(gtid));
    t.named(GtidEvent { gtid, committed_micros: 0, opens: Opens::Statement }).unwrap();
    t.xa_finish(&id(A), commits, session, end(number), out)?;
    while t.is_handing_out() {
        t.hand_out(out)?;
    }
    Ok(())
}

/// XA PREPARE of `A` by session 1, as transaction 0-1-number.
fn prepares(t: &mut Transactions, number: u64, out: &mut Vec<Change>) {
    let gtid = DomainGtid { domain: 0, server: 1, sequence: number };
    let gtid = Some(TransactionId::MariaDb(gtid));
    t.named(GtidEvent { gtid, committed_micros: 0, opens: Opens::Xa(id(A)) }).unwrap();
    t.rows(distinct(number), out).unwrap();
    t.xa_end(1).unwrap();
    t.xa_prepare(&prepare(A, false), end(number), out).unwrap();
}

/// MariaDB lists a transaction that its log has committed again when it is restarted, and by then the stream is another.
#[test]
fn a_second_end_is_known_for_one_behind_a_reconnect() {
    for session in [1, 2] {
        let mut position = position(Taken::Domains("0-1-9".parse().unwrap()), 9);
        let (mut t, mut out) = (domains(&position), Vec::new());
        prepares(&mut t, 10, &mut out);
        ends(&mut t, true, session, 11, &mut out).unwrap();
        advanced(&mut position, &out);
        assert!(position.xa.prepared.is_empty());
        let stored = serde_json::to_string(&position).unwrap();
        let mut position: Position = serde_json::from_str(&stored).unwrap();

        let mut refusing = domains(&position);
        let refused = ends(&mut refusing, false, 7, 12, &mut Vec::new()).unwrap_err();
        assert!(format!("{refused:?}").contains("committed before"), "{refused:?}");

        let (mut t, mut out) = (domains(&position), Vec::new());
        ends(&mut t, true, 7, 12, &mut out).unwrap();
        prepares(&mut t, 13, &mut out);
        advanced(&mut position, &out);
        assert_eq!(which(&out), [0_u8; 0]);
        // Its id is that of another transaction now.
        let (mut t, mut out) = (domains(&position), Vec::new());
        prepares(&mut t, 13, &mut out);
        ends(&mut t, false, 1, 14, &mut out).unwrap();
        ends(&mut t, false, 1, 15, &mut out).unwrap();
        assert_eq!(which(&out), [0_u8; 0]);
    }
}

/// What is read again may have the end of an earlier transaction of the id that the position knows as committed.
#[test]
fn a_rollback_that_is_passed_over_is_not_held_against_a_later_commit() {
    let mut position = position(Taken::Domains("0-1-30".parse().unwrap()), 30);
    position.xa.committed.add(&A.into(), Committer::Another);
    let again = ReadAgain::After { domains: "0-1-9".parse().unwrap(), server: "s".into(), file: at(9) };
    assert_eq!(position.xa.prepare(&B.into(), again), None);
    let (mut t, mut out) = (domains(&position), Vec::new());
    t.reach(&at(10)).unwrap();
    ends(&mut t, false, 1, 10, &mut out).unwrap();
    t.reach(&at(31)).unwrap();
    let refused = ends(&mut t, false, 1, 31, &mut out).unwrap_err();
    assert!(format!("{refused:?}").contains("committed before"), "{refused:?}");
}

/// MariaDB logs an XA COMMIT before its engine is asked, which may refuse: it is repeated, or worse.
#[test]
fn a_second_end_of_a_committed_one_brings_nothing_and_may_not_be_another() {
    let (mut t, mut out) = (stream(1 << 20), Vec::new());
    prepared(&mut t, A, 20, &[1], &mut out);
    finished(&mut t, A, true, 30, &mut out);
    finished(&mut t, A, true, 40, &mut out);
    assert_eq!(which(&out), [1]);
    // Its id may be used again.
    prepared(&mut t, A, 50, &[2], &mut out);
    finished(&mut t, A, false, 60, &mut out);
    finished(&mut t, A, false, 70, &mut out);
    assert_eq!(which(&out), [1]);
    prepared(&mut t, A, 80, &[3], &mut out);
    finished(&mut t, A, true, 90, &mut out);
    t.named(name(100)).unwrap();
    let refused = t.xa_finish(&id(A), false, 1, end(100), &mut out).unwrap_err();
    assert!(format!("{refused:?}").contains("committed before"), "{refused:?}");
}
