use super::*;
use crate::change::{
    FilePosition, GtidSet, RowOp, RowSpan, Taken, TargetColumn, TargetName, TargetType, XaState,
};

fn layout(table: &str) -> Arc<RowLayout> {
    Arc::new(RowLayout {
        target: TargetName { schema: "s".into(), table: table.into() },
        columns: vec![TargetColumn { name: "id".into(), data_type: TargetType::Integer, nullable: false }],
        key: vec![0],
    })
}

fn builder(rows: usize) -> BatchBuilder {
    let file = FilePosition { file: "b.000001".into(), offset: 4 };
    let taken = Taken::Gtids(GtidSet::default());
    let position = Position { server: "x".into(), file, file_begun: None, taken, xa: XaState::default() };
    BatchBuilder::new(BatchLimits { rows, bytes: 1 << 20 }, position)
}

fn insert(builder: &mut BatchBuilder, layout: &Arc<RowLayout>, key: u8) {
    let run = builder.run(layout);
    let start = run.buffer.len();
    run.buffer.extend_from_slice(&[0, 1, 0, 0, 0, 1, key]);
    run.spans.push(RowSpan { op: RowOp::Insert, key: start + 2..start + 7, row: start..start + 7 });
}

fn boundary(offset: u64) -> Boundary {
    Boundary {
        gtid: None,
        file: FilePosition { file: "b.000001".into(), offset },
        committed_micros: offset,
        xa: None,
    }
}

fn end_offset(batch: &Batch) -> Option<u64> {
    match &batch.end {
        BatchEnd::Commit(position) => Some(position.file.offset),
        BatchEnd::Open => None,
    }
}

#[test]
fn transactions_without_rows_do_not_hold_back_the_pieces_of_a_large_one() {
    let (mut builder, table) = (builder(2), layout("t"));
    builder.commit(&boundary(10));
    insert(&mut builder, &table, 1);
    assert_eq!(builder.ready(), Ready::Position);
    insert(&mut builder, &table, 2);
    assert_eq!(builder.ready(), Ready::Full);
    let batch = builder.take().unwrap();
    assert!(batch.changes.is_empty() && end_offset(&batch) == Some(10));
    assert_eq!(builder.ready(), Ready::Piece);
    assert_eq!(builder.take_piece().unwrap().changes.operations(), 2);
}

#[test]
fn rows_of_an_open_transaction_stay_out_of_the_batch() {
    let (mut builder, table) = (builder(100), layout("t"));
    insert(&mut builder, &table, 1);
    assert_eq!(builder.ready(), Ready::Nothing);
    builder.commit(&boundary(10));
    insert(&mut builder, &table, 2);
    assert_eq!(builder.ready(), Ready::Rows);
    let batch = builder.take().unwrap();
    assert_eq!((batch.changes.operations(), end_offset(&batch)), (1, Some(10)));
    assert!(builder.take().is_none());
    builder.commit(&boundary(20));
    let batch = builder.take().unwrap();
    assert_eq!((batch.changes.operations(), end_offset(&batch), batch.transactions), (1, Some(20), 1));
}

#[test]
fn a_new_file_moves_the_position_but_not_inside_a_transaction_of_which_pieces_are_out() {
    let (mut builder, table) = (builder(1), layout("t"));
    let file = |name: &str| LogFile { file: name.into(), begun: 5 };
    builder.begin_file(&file("b.000009"));
    assert_eq!(builder.ready(), Ready::Position);
    let BatchEnd::Commit(position) = builder.take().unwrap().end else { panic!("not committed") };
    assert_eq!((&*position.file.file, position.file.offset), ("b.000009", 4));
    builder.begin_file(&file("b.000009"));
    assert_eq!(builder.ready(), Ready::Nothing);
    builder.begin_file(&file("b.000010"));
    for id in 0..2 {
        insert(&mut builder, &table, id);
    }
    assert_eq!(builder.ready(), Ready::Piece);
    assert!(builder.take_piece().is_some());
    assert!(builder.take().is_none() && builder.ready() == Ready::Nothing);
}

#[test]
fn a_transaction_without_rows_moves_only_the_position() {
    let mut builder = builder(100);
    builder.commit(&boundary(10));
    assert_eq!(builder.ready(), Ready::Position);
    let batch = builder.take().unwrap();
    assert!(batch.changes.is_empty());
    assert_eq!(end_offset(&batch), Some(10));
    assert_eq!(builder.ready(), Ready::Nothing);
}

#[test]
fn the_limit_cuts_before_the_open_transaction() {
    let (mut builder, table) = (builder(3), layout("t"));
    insert(&mut builder, &table, 1);
    builder.commit(&boundary(10));
    insert(&mut builder, &table, 2);
    insert(&mut builder, &table, 3);
    assert_eq!(builder.ready(), Ready::Full);
    assert_eq!(builder.take().unwrap().changes.operations(), 1);
    assert_eq!(builder.ready(), Ready::Nothing);
}

#[test]
fn a_transaction_over_the_limit_leaves_in_pieces_and_commits_with_the_last() {
    let (mut builder, table) = (builder(2), layout("t"));
    for key in 1..=2 {
        insert(&mut builder, &table, key);
    }
    assert_eq!(builder.ready(), Ready::Piece);
    let piece = builder.take_piece().unwrap();
    assert_eq!((piece.changes.operations(), end_offset(&piece), piece.continues), (2, None, false));
    assert_eq!(builder.ready(), Ready::Nothing);
    for key in 3..=4 {
        insert(&mut builder, &table, key);
    }
    let piece = builder.take_piece().unwrap();
    assert!(piece.continues && end_offset(&piece).is_none());
    insert(&mut builder, &table, 5);
    builder.commit(&boundary(30));
    assert_eq!(builder.ready(), Ready::Full);
    let last = builder.take().unwrap();
    assert!(last.continues);
    assert_eq!((last.changes.operations(), end_offset(&last)), (1, Some(30)));
    insert(&mut builder, &table, 6);
    builder.commit(&boundary(40));
    assert!(!builder.take().unwrap().continues);
}

#[test]
fn a_pumped_transaction_whose_last_piece_is_empty_still_commits() {
    let (mut builder, table) = (builder(1), layout("t"));
    insert(&mut builder, &table, 1);
    assert!(builder.take_piece().is_some());
    builder.commit(&boundary(10));
    assert_eq!(builder.ready(), Ready::Full);
    let last = builder.take().unwrap();
    assert!(last.continues && last.changes.is_empty() && end_offset(&last) == Some(10));
}

#[test]
fn whole_transactions_are_taken_before_a_piece() {
    let (mut builder, table) = (builder(2), layout("t"));
    builder.commit(&boundary(10));
    insert(&mut builder, &table, 1);
    insert(&mut builder, &table, 2);
    assert!(builder.take_piece().is_none());
    assert_eq!(end_offset(&builder.take().unwrap()), Some(10));
    assert!(builder.take_piece().is_some());
}

#[test]
fn an_abandoned_transaction_leaves_its_position_only() {
    let (mut builder, table) = (builder(1), layout("t"));
    insert(&mut builder, &table, 1);
    assert!(!builder.abandon(&boundary(10)));
    assert_eq!(builder.ready(), Ready::Position);
    let batch = builder.take().unwrap();
    assert!(batch.changes.is_empty() && end_offset(&batch) == Some(10));
    insert(&mut builder, &table, 1);
    assert!(builder.take_piece().is_some());
    assert!(builder.abandon(&boundary(20)), "the target holds a piece");
    insert(&mut builder, &table, 2);
    builder.commit(&boundary(30));
    assert!(!builder.take().unwrap().continues);
}

#[test]
fn runs_of_two_tables_keep_their_order_and_reuse_buffers() {
    let (mut builder, a, b) = (builder(100), layout("a"), layout("b"));
    for round in 0..3_u8 {
        insert(&mut builder, &a, round);
        insert(&mut builder, &b, round);
        insert(&mut builder, &a, round + 100);
        builder.commit(&boundary(u64::from(round) + 10));
    }
    assert!(builder.spare.len() >= 3);
    let batch = builder.take().unwrap();
    let rows: Vec<usize> = batch.changes.tables.iter().map(|table| table.new.len()).collect();
    assert_eq!(rows, [6, 3]);
}

#[test]
fn room_that_earlier_runs_have_left_does_not_make_a_small_transaction_a_large_one() {
    let (mut builder, a, b) = (builder(100), layout("a"), layout("b"));
    builder.limits.bytes = 64 << 10;
    for round in 0..8_u8 {
        for table in [&a, &b] {
            let run = builder.run(table);
            run.buffer.reserve(32 << 10);
            insert(&mut builder, table, round);
        }
    }
    builder.commit(&boundary(10));
    assert!(builder.take().is_some() && builder.spare.len() == 16);
    for round in 0..8_u8 {
        insert(&mut builder, &a, round);
        insert(&mut builder, &b, round);
        assert_eq!(builder.ready(), Ready::Nothing);
    }
}

#[test]
fn a_full_run_is_left_for_another() {
    let (mut builder, table) = (builder(100), layout("t"));
    let wide = |builder: &mut BatchBuilder, key: u8| {
        let run = builder.run(&table);
        let start = run.buffer.len();
        run.buffer.extend_from_slice(&[0, 1, 0, 0, 0, 1, key]);
        run.buffer.resize(start + RUN_BYTES, 0);
        run.spans.push(RowSpan {
            op: RowOp::Insert,
            key: start + 2..start + 7,
            row: start..start + RUN_BYTES,
        });
    };
    wide(&mut builder, 1);
    (2..5).for_each(|key| wide(&mut builder, key));
    assert_eq!(builder.open.len(), 4);
    assert!(builder.open.iter().all(|run| run.buffer.capacity() < 2 * RUN_BYTES));
    builder.commit(&boundary(10));
    let batch = builder.take().unwrap();
    let [changes] = batch.changes.tables.as_slice() else { panic!("one table") };
    let keys: Vec<u8> = changes.new.iter().map(|at| changes.key(*at)[4]).collect();
    assert_eq!(keys, [1, 2, 3, 4]);
}

/// MariaDB's GTIDs, `0-1-9` at least, lie before `b.000007:500`.
fn taken_up_by_gtids() -> BatchBuilder {
    let mut builder = builder(100);
    builder.position.taken = Taken::Domains("0-1-9".parse().unwrap());
    builder.position.file = FilePosition { file: "".into(), offset: 0 };
    builder.taken_up_by_gtids(FilePosition { file: "b.000007".into(), offset: 500 });
    builder.begin_file(&LogFile { file: "b.000007".into(), begun: 5 });
    builder
}

fn end(builder: &mut BatchBuilder) -> (String, Option<u32>) {
    let BatchEnd::Commit(position) = builder.take().unwrap().end else { panic!("not committed") };
    (position.file.to_string(), position.file_begun)
}

#[test]
fn a_stream_taken_up_by_gtids_gives_no_place_to_go_on_from_before_all_of_them() {
    let mut builder = taken_up_by_gtids();
    assert_eq!(builder.ready(), Ready::Nothing, "everything after the start of the file would come again");
    let at = |offset| Boundary { file: FilePosition { file: "b.000007".into(), offset }, ..boundary(offset) };
    // Another domain's, before some that are taken in.
    builder.commit(&at(300));
    assert_eq!(end(&mut builder), ("b.000007:300".to_owned(), None));
    builder.commit(&at(500));
    assert_eq!(end(&mut builder), ("b.000007:500".to_owned(), Some(5)));
    builder.begin_file(&LogFile { file: "b.000008".into(), begun: 6 });
    assert_eq!(end(&mut builder), ("b.000008:4".to_owned(), Some(6)));
}

#[test]
fn a_heartbeat_or_a_later_file_makes_the_place_count_too() {
    let mut builder = taken_up_by_gtids();
    builder.move_to(FilePosition { file: "b.000007".into(), offset: 500 });
    assert_eq!(end(&mut builder), ("b.000007:500".to_owned(), Some(5)));
    let mut builder = taken_up_by_gtids();
    builder.begin_file(&LogFile { file: "b.000008".into(), begun: 6 });
    assert_eq!(end(&mut builder), ("b.000008:4".to_owned(), Some(6)));
}
