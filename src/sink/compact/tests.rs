use super::*;
use crate::change::{RowOp, RowSpan, TargetColumn, TargetType};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn layout(table: &str, extra: &str) -> Arc<RowLayout> {
    let column = |name: &str, data_type| TargetColumn { name: name.into(), data_type, nullable: false };
    Arc::new(RowLayout {
        target: TargetName { schema: "s".into(), table: table.into() },
        columns: vec![column("id", TargetType::Integer), column(extra, TargetType::Text)],
        key: vec![0],
    })
}

fn field(bytes: &[u8]) -> Vec<u8> {
    [&i32::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}

fn key_bytes(key: i32) -> Vec<u8> {
    field(&key.to_be_bytes())
}

fn row_bytes(key: i32, value: u32) -> Vec<u8> {
    [vec![0, 2], key_bytes(key), field(&value.to_be_bytes())].concat()
}

fn put(run: &mut EncodedRows, op: RowOp, key: i32, value: u32) {
    let start = run.buffer.len();
    if op == RowOp::Delete {
        run.buffer.extend_from_slice(&key_bytes(key));
        let end = run.buffer.len();
        run.spans.push(RowSpan { op, key: start..end, row: end..end });
    } else {
        run.buffer.extend_from_slice(&row_bytes(key, value));
        run.spans.push(RowSpan { op, key: start + 2..start + 10, row: start..run.buffer.len() });
    }
}

fn run_of(layout: &Arc<RowLayout>, operations: &[(RowOp, i32, u32)]) -> EncodedRows {
    let mut run = EncodedRows::new(Arc::clone(layout));
    for &(op, key, value) in operations {
        put(&mut run, op, key, value);
    }
    run
}

fn compact(operations: &[(RowOp, i32, u32)]) -> Compacted {
    let mut compactor = Compactor::new();
    compactor.push(&mut run_of(&layout("t", "v"), operations));
    compactor.finish()
}

/// The groups as sorted lists: (new, changed, gone, never); rows as (key, value), keys alone.
type Groups = (Vec<(i32, u32)>, Vec<(i32, u32)>, Vec<i32>, Vec<i32>);

fn groups(compacted: &Compacted) -> Groups {
    let mut all: Groups = Groups::default();
    for table in &compacted.tables {
        let key = |&at: &RowRef| i32::from_be_bytes(table.key(at)[4..].try_into().unwrap());
        let row = |at: &RowRef| {
            let row = table.row(*at);
            (key(at), u32::from_be_bytes(row[14..].try_into().unwrap()))
        };
        all.0.extend(table.new.iter().map(row));
        all.1.extend(table.changed.iter().map(row));
        all.2.extend(table.gone.iter().map(key));
        all.3.extend(table.never.iter().map(key));
    }
    all.0.sort_unstable();
    all.1.sort_unstable();
    all.2.sort_unstable();
    all.3.sort_unstable();
    all
}

use RowOp::{Arrive, Delete, Insert, Update};

#[test]
fn a_swap_of_keys_comes_out_right() {
    // 1 → 9, 2 → 1, 9 → 2
    let moves =
        [(Delete, 1, 0), (Arrive, 9, 10), (Delete, 2, 0), (Arrive, 1, 20), (Delete, 9, 0), (Arrive, 2, 10)];
    let compacted = compact(&moves);
    assert_eq!(groups(&compacted), (vec![], vec![(1, 20), (2, 10)], vec![], vec![9]));
    let counts = OperationCounts { inserts: 0, updates: 3, deletes: 0 };
    assert_eq!(compacted.tables[0].counts, counts);
}

#[test]
fn a_chain_of_keys_comes_out_right() {
    // 2 → 3, then 1 → 2
    let moves = [(Delete, 2, 0), (Arrive, 3, 20), (Delete, 1, 0), (Arrive, 2, 10)];
    assert_eq!(groups(&compact(&moves)), (vec![(3, 20)], vec![(2, 10)], vec![1], vec![]));
}

#[test]
fn a_move_there_and_back_is_a_change() {
    let moves = [(Delete, 1, 0), (Arrive, 2, 5), (Delete, 2, 0), (Arrive, 1, 6)];
    assert_eq!(groups(&compact(&moves)), (vec![], vec![(1, 6)], vec![], vec![2]));
}

#[test]
fn insert_then_delete_leaves_a_key_that_never_was() {
    assert_eq!(groups(&compact(&[(Insert, 1, 1), (Delete, 1, 0)])), (vec![], vec![], vec![], vec![1]));
}

#[test]
fn delete_then_insert_is_a_change() {
    let compacted = compact(&[(Delete, 1, 0), (Insert, 1, 7)]);
    assert_eq!(groups(&compacted), (vec![], vec![(1, 7)], vec![], vec![]));
    assert_eq!(compacted.tables[0].counts, OperationCounts { inserts: 1, updates: 0, deletes: 1 });
}

#[test]
fn insert_then_updates_is_one_new_row_with_the_last_image() {
    assert_eq!(
        groups(&compact(&[(Insert, 1, 1), (Update, 1, 2), (Update, 1, 3)])),
        (vec![(1, 3)], vec![], vec![], vec![])
    );
}

#[test]
fn a_row_that_wanders_between_source_tables_of_one_target_is_one_key() {
    let (a, b) = (layout("t", "v"), layout("t", "w"));
    let mut compactor = Compactor::new();
    compactor.push(&mut run_of(&a, &[(Update, 1, 1), (Delete, 1, 0)]));
    compactor.push(&mut run_of(&b, &[(Insert, 1, 2)]));
    let compacted = compactor.finish();
    assert_eq!(groups(&compacted), (vec![], vec![(1, 2)], vec![], vec![]));
    assert_eq!(compacted.tables[0].changed.len(), 0);
    assert_eq!(*compacted.tables[1].layout, *b);
}

#[test]
fn equal_keys_of_different_tables_have_nothing_to_do_with_each_other() {
    let mut compactor = Compactor::new();
    compactor.push(&mut run_of(&layout("t", "v"), &[(Insert, 1, 1)]));
    compactor.push(&mut run_of(&layout("u", "v"), &[(Delete, 1, 0)]));
    assert_eq!(groups(&compactor.finish()), (vec![(1, 1)], vec![], vec![1], vec![]));
}

#[test]
fn the_weight_grows_with_the_rows_and_counts_both_small_and_big_runs() {
    let mut compactor = Compactor::new();
    let table = layout("t", "v");
    let mut small = run_of(&table, &[(Insert, 1, 1)]);
    compactor.push(&mut small);
    assert!(small.spans.is_empty() && small.buffer.capacity() > 0);
    let light = compactor.weight_bytes();
    let many: Vec<_> = (0..20_000).map(|key| (Update, key, 1)).collect();
    let mut big = run_of(&table, &many);
    let bytes = big.weight_bytes();
    compactor.push(&mut big);
    assert!(compactor.weight_bytes() >= light + bytes);
    assert_eq!((compactor.operations(), big.buffer.capacity()), (20_001, 0));
    assert_eq!(groups(&compactor.finish()).0, vec![(1, 1)]);
}

#[test]
fn keys_leave_in_the_order_of_their_bytes() {
    let log: Vec<_> = [5, 1, 300, 2, 70_000].into_iter().map(|key| (Update, key, 0)).collect();
    let compacted = compact(&log);
    let table = &compacted.tables[0];
    assert!(table.changed.windows(2).all(|pair| table.key(pair[0]) < table.key(pair[1])));
}

fn operation() -> impl Strategy<Value = (RowOp, i32, u32)> {
    (prop_oneof![Just(Insert), Just(Update), Just(Delete), Just(Arrive)], 0..8_i32, any::<u32>())
}

/// Moves, swaps and single operations that fit the state they meet, as a source would log them.
fn consistent(seed: &[(u8, i32, i32, u32)], start: &BTreeMap<i32, u32>) -> Vec<(RowOp, i32, u32)> {
    let mut state = start.clone();
    let mut log = Vec::new();
    let mut apply = |state: &mut BTreeMap<i32, u32>, op, key, value| {
        if op == Delete {
            state.remove(&key);
        } else {
            state.insert(key, value);
        }
        log.push((op, key, value));
    };
    for &(kind, key, other, value) in seed {
        match (state.contains_key(&key), state.contains_key(&other)) {
            (false, _) => apply(&mut state, Insert, key, value),
            (true, false) if kind % 3 == 0 && key != other => {
                apply(&mut state, Delete, key, 0);
                apply(&mut state, Arrive, other, value);
            }
            (true, true) if kind % 3 == 0 && key != other => {
                let (mine, its) = (state[&key], state[&other]);
                for (op, at, value) in [
                    (Delete, key, 0),
                    (Arrive, 99, mine),
                    (Delete, other, 0),
                    (Arrive, key, its),
                    (Delete, 99, 0),
                    (Arrive, other, mine),
                ] {
                    apply(&mut state, op, at, value);
                }
            }
            (true, _) if kind % 3 == 1 => apply(&mut state, Delete, key, 0),
            (true, _) => apply(&mut state, Update, key, value),
        }
    }
    log
}

fn sequential(start: &BTreeMap<i32, u32>, log: &[(RowOp, i32, u32)]) -> BTreeMap<i32, u32> {
    let mut state = start.clone();
    for &(op, key, value) in log {
        if op == Delete {
            state.remove(&key);
        } else {
            state.insert(key, value);
        }
    }
    state
}

/// Compacts `log` cut into runs of `cut`, over two layouts of the same table.
fn compact_in_runs(log: &[(RowOp, i32, u32)], cut: usize) -> Compacted {
    let layouts = [layout("t", "v"), layout("t", "w")];
    let mut compactor = Compactor::new();
    for (number, run) in log.chunks(cut).enumerate() {
        compactor.push(&mut run_of(&layouts[number % 2], run));
    }
    compactor.finish()
}

fn check(start: &BTreeMap<i32, u32>, log: &[(RowOp, i32, u32)], cut: usize) {
    let (new, changed, gone, never) = groups(&compact_in_runs(log, cut));
    let mut state = start.clone();
    for key in gone.iter().chain(&never) {
        state.remove(key);
    }
    state.extend(new.iter().chain(&changed).copied());
    assert_eq!(state, sequential(start, log));

    let mut expected = BTreeMap::new();
    for &(op, key, _) in log {
        expected.entry(key).or_insert(matches!(op, Update | Delete));
    }
    let absent = new.iter().map(|row| row.0).chain(never).map(|key| (key, false));
    let present = changed.iter().map(|row| row.0).chain(gone).map(|key| (key, true));
    let all: Vec<(i32, bool)> = absent.chain(present).collect();
    assert_eq!(all.len(), expected.len(), "each key is in one group");
    assert_eq!(all.into_iter().collect::<BTreeMap<_, _>>(), expected);
}

proptest! {
    #[test]
    fn compacted_is_the_same_as_one_after_the_other_whatever_comes(
        start in prop::collection::btree_map(0..8_i32, any::<u32>(), 0..8),
        log in prop::collection::vec(operation(), 0..40),
        cut in 1..7_usize,
    ) {
        check(&start, &log, cut);
    }

    #[test]
    fn a_consistent_log_expects_exactly_what_was_there(
        start in prop::collection::btree_map(0..8_i32, any::<u32>(), 0..8),
        seed in prop::collection::vec((any::<u8>(), 0..8_i32, 0..8_i32, any::<u32>()), 0..40),
        cut in 1..7_usize,
    ) {
        let log = consistent(&seed, &start);
        check(&start, &log, cut);
        let (new, changed, gone, never) = groups(&compact_in_runs(&log, cut));
        prop_assert!(new.iter().all(|row| !start.contains_key(&row.0)));
        prop_assert!(never.iter().all(|key| !start.contains_key(key)));
        prop_assert!(changed.iter().all(|row| start.contains_key(&row.0)));
        prop_assert!(gone.iter().all(|key| start.contains_key(key)));
    }
}

#[test]
fn a_key_whose_row_does_not_fit_has_none_afterwards() {
    let compacted = compact(&[
        (RowOp::InsertUnfit, 1, 7),
        (RowOp::Update, 2, 1),
        (RowOp::UpdateUnfit, 2, 8),
        (RowOp::UpdateUnfit, 3, 9),
        (RowOp::Update, 3, 10),
    ]);
    assert_eq!(groups(&compacted), (vec![], vec![(3, 10)], vec![2], vec![1]));
    let table = &compacted.tables[0];
    let mut unfit: Vec<&[u8]> = table.unfit.iter().map(|at| table.key(*at)).collect();
    unfit.sort_unstable();
    assert_eq!(unfit, [key_bytes(1), key_bytes(2)]);
}

#[test]
fn what_the_target_is_known_to_lack_is_expected_to_be_absent() {
    let mut compacted = compact(&[(RowOp::Update, 1, 7), (RowOp::Delete, 2, 0), (RowOp::Update, 3, 9)]);
    let table = &mut compacted.tables[0];
    let known = table.lacks(|key| key != key_bytes(3));
    assert_eq!(known.len(), 2);
    let changed = table.changed.clone();
    assert_eq!(groups(&compacted), (vec![(1, 7)], vec![(3, 9)], vec![], vec![2]));
    let table = &mut compacted.tables[0];
    table.leave_out(&[known[0], changed[0]]);
    assert_eq!(groups(&compacted), (vec![], vec![], vec![3], vec![1, 2]));
}
