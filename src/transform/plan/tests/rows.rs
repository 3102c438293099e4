//! Rows, keys and operations.

use super::*;

fn int(target: TargetType) -> Spec {
    spec(MySqlType::Int { unsigned: false }, target, ValueEnd::Fixed(4), 3)
}

fn varchar() -> Spec {
    spec(MySqlType::VarChar { length: 20, charset: utf8() }, TargetType::Text, ValueEnd::Prefixed(1), 253)
}

/// An image of an int, a varchar and an int.
fn image(a: i32, b: &str, c: i32) -> Vec<u8> {
    let mut row = vec![0];
    row.extend(a.to_le_bytes());
    row.push(u8::try_from(b.len()).unwrap());
    row.extend(b.as_bytes());
    row.extend(c.to_le_bytes());
    row
}

fn int_field(value: i32) -> Vec<u8> {
    [4i32.to_be_bytes(), value.to_be_bytes()].concat()
}

fn text_field(value: &str) -> Vec<u8> {
    [&i32::try_from(value.len()).unwrap().to_be_bytes()[..], value.as_bytes()].concat()
}

fn row(a: i32, b: &str, c: i32) -> Vec<u8> {
    [&3i16.to_be_bytes()[..], &int_field(a), &text_field(b), &int_field(c)].concat()
}

fn parts(rows: &EncodedRows) -> Vec<(RowOp, Vec<u8>, Vec<u8>)> {
    let bytes = |range: &Range<usize>| rows.buffer[range.clone()].to_vec();
    rows.spans.iter().map(|span| (span.op, bytes(&span.key), bytes(&span.row))).collect()
}

fn three(key: &[usize]) -> Fixture {
    fixture(&[int(TargetType::Integer), varchar(), int(TargetType::Integer)], key)
}

#[test]
fn inserted_rows_carry_all_fields_and_their_key() {
    let rows = three(&[0]).logged(RowsKind::Insert, &[image(1, "a", 2), image(-3, "", 4)].concat()).unwrap();
    assert_eq!(
        parts(&rows),
        [(RowOp::Insert, int_field(1), row(1, "a", 2)), (RowOp::Insert, int_field(-3), row(-3, "", 4))]
    );
    assert_eq!(rows.buffer.len(), row(1, "a", 2).len() + row(-3, "", 4).len(), "keys are not copied");
}

#[test]
fn a_key_out_of_order_is_copied_behind_the_row() {
    for (key, expected) in [
        (&[2, 0][..], [int_field(2), int_field(1)].concat()),
        (&[0, 2], [int_field(1), int_field(2)].concat()),
        (&[1, 0], [text_field("a"), int_field(1)].concat()),
        (&[0, 1], [int_field(1), text_field("a")].concat()),
    ] {
        let fixture = three(key);
        let rows = fixture.logged(RowsKind::Insert, &image(1, "a", 2)).unwrap();
        assert_eq!(parts(&rows), [(RowOp::Insert, expected.clone(), row(1, "a", 2))], "{key:?}");
        let rows = fixture.logged(RowsKind::Delete, &image(1, "a", 2)).unwrap();
        assert_eq!(parts(&rows), [(RowOp::Delete, expected.clone(), vec![])], "{key:?}");
        let update = [image(1, "a", 2), image(1, "a", 2)].concat();
        let rows = fixture.logged(RowsKind::Update, &update).unwrap();
        assert_eq!(parts(&rows), [(RowOp::Update, expected, row(1, "a", 2))], "{key:?}");
    }
}

#[test]
fn an_update_that_moves_the_key_deletes_the_old_one_first() {
    let rows = three(&[0])
        .logged(
            RowsKind::Update,
            &[image(1, "a", 2), image(9, "b", 3), image(2, "x", 5), image(2, "y", 5)].concat(),
        )
        .unwrap();
    assert_eq!(
        parts(&rows),
        [
            (RowOp::Delete, int_field(1), vec![]),
            (RowOp::Arrive, int_field(9), row(9, "b", 3)),
            (RowOp::Update, int_field(2), row(2, "y", 5)),
        ]
    );
}

#[test]
fn a_source_tag_leads_rows_and_keys() {
    let specs = [int(TargetType::Integer), varchar(), int(TargetType::Integer)];
    let fixture = try_fixture(&specs, &[0], &[], Some("task:db.t"), POLICIES).unwrap();
    let key = [text_field("task:db.t"), int_field(1)].concat();
    let tagged = [&4i16.to_be_bytes()[..], &text_field("task:db.t"), &row(1, "a", 2)[2..]].concat();
    let rows = fixture.logged(RowsKind::Insert, &image(1, "a", 2)).unwrap();
    assert_eq!(parts(&rows), [(RowOp::Insert, key.clone(), tagged)]);
    let rows = fixture.logged(RowsKind::Delete, &image(1, "a", 2)).unwrap();
    assert_eq!(parts(&rows), [(RowOp::Delete, key, vec![])]);
    assert_eq!(fixture.plan.layout().columns[0].name, "src");
    assert_eq!(fixture.plan.layout().key, [0, 1]);
}

#[test]
fn a_column_that_is_not_carried_is_skipped_by_its_width() {
    let specs = [int(TargetType::Integer), varchar(), int(TargetType::Integer)];
    let fixture = try_fixture(&specs, &[0], &[1], None, POLICIES).unwrap();
    assert_eq!(fixture.plan.select_columns(), ["c0", "c2"]);
    let expected = [&2i16.to_be_bytes()[..], &int_field(1), &int_field(2)].concat();
    let rows = fixture.logged(RowsKind::Insert, &image(1, "left out", 2)).unwrap();
    assert_eq!(parts(&rows), [(RowOp::Insert, int_field(1), expected.clone())]);
    let selected = [&[0, 0][..], &1i32.to_le_bytes(), &2i32.to_le_bytes()].concat();
    assert_eq!(parts(&fixture.selected(&selected).unwrap()), [(RowOp::Insert, int_field(1), expected)]);
}

#[test]
fn null_bits_are_found_in_both_bitmaps_past_a_byte() {
    let specs: Vec<Spec> = (0..20).map(|_| int(TargetType::Integer)).collect();
    let fixture = fixture(&specs, &[0]);
    for null in 1..20usize {
        let mut logged = vec![0; 3];
        logged[null / 8] |= 1 << (null % 8);
        let mut selected = vec![0; 4];
        selected[1 + (null + 2) / 8] |= 1 << ((null + 2) % 8);
        for value in (0..20).filter(|value| *value != null) {
            logged.extend(i32::try_from(value).unwrap().to_le_bytes());
            selected.extend(i32::try_from(value).unwrap().to_le_bytes());
        }
        let logged = fixture.logged(RowsKind::Insert, &logged).unwrap();
        let selected = fixture.selected(&selected).unwrap();
        assert_eq!(parts(&logged), parts(&selected));
        let before = 2 + 8 * null;
        assert_eq!(logged.buffer[before..before + 4], (-1i32).to_be_bytes(), "{null}");
    }
}

#[test]
fn null_in_a_column_that_takes_none_is_an_error() {
    let mut specs = vec![int(TargetType::Integer), int(TargetType::Integer)];
    specs[1].nullable = false;
    let fixture = fixture(&specs, &[0]);
    let error = fixture.logged(RowsKind::Insert, &[2, 1, 0, 0, 0]).unwrap_err();
    let TransformError::Value { column, row, .. } = error else { panic!("{error}") };
    assert_eq!(
        (column.as_str(), row.as_str()),
        ("c1", "the row with c0 = 1 (in the event that ends at b.000001:4)")
    );
}

#[test]
fn a_failed_event_leaves_the_rows_as_they_were() {
    let fixture = three(&[0]);
    let mut rows = EncodedRows::new(fixture.plan.layout().clone());
    let sound = fixture.event(RowsKind::Insert, &image(1, "a", 2));
    fixture.plan.encode_event(&fixture.bound, &sound, &ALL, &mut rows).unwrap();
    let before = (rows.buffer.clone(), rows.spans.clone());
    let mut cut = [image(2, "b", 3), image(3, "c", 4)].concat();
    cut.pop();
    let cut = fixture.event(RowsKind::Insert, &cut);
    assert!(matches!(
        fixture.plan.encode_event(&fixture.bound, &cut, &ALL, &mut rows),
        Err(TransformError::Malformed { .. })
    ));
    assert_eq!((rows.buffer, rows.spans), before);
}

#[test]
fn operations_that_are_left_out_give_no_rows() {
    let fixture = three(&[0]);
    let images = [image(1, "a", 2), image(1, "b", 2)].concat();
    for kind in [RowsKind::Insert, RowsKind::Update, RowsKind::Delete] {
        let operations = Operations {
            insert: kind != RowsKind::Insert,
            update: kind != RowsKind::Update,
            delete: kind != RowsKind::Delete,
            alter_table: true,
        };
        let mut rows = EncodedRows::new(fixture.plan.layout().clone());
        fixture
            .plan
            .encode_event(&fixture.bound, &fixture.event(kind, &images), &operations, &mut rows)
            .unwrap();
        assert!(rows.spans.is_empty() && rows.buffer.is_empty());
    }
}

#[test]
fn an_event_without_all_columns_is_an_error_that_says_what_to_set() {
    let fixture = three(&[0]);
    let mut event = fixture.event(RowsKind::Insert, &image(1, "a", 2));
    event.columns = bytes::Bytes::from_static(&[0b101]);
    let mut rows = EncodedRows::new(fixture.plan.layout().clone());
    let error = fixture.plan.encode_event(&fixture.bound, &event, &ALL, &mut rows).unwrap_err();
    assert!(
        matches!(&error, TransformError::Ddl { remedy, .. } if remedy.to_string().contains("binlog_row_image = FULL"))
    );
}

#[test]
fn no_prefix_of_a_row_is_taken_for_a_row() {
    let fixture = three(&[0]);
    let whole = image(1, "some text", 2);
    for length in 1..whole.len() {
        for kind in [RowsKind::Insert, RowsKind::Delete, RowsKind::Update] {
            let error = fixture.logged(kind, &whole[..length]).unwrap_err();
            assert!(matches!(error, TransformError::Malformed { .. }), "{length}: {error}");
        }
    }
    let mut selected = vec![0, 0];
    selected.extend(&whole[1..]);
    assert!(fixture.selected(&selected).is_ok());
    for length in 0..selected.len() {
        assert!(fixture.selected(&selected[..length]).is_err(), "{length}");
    }
    selected.push(0);
    assert!(fixture.selected(&selected).is_err(), "one byte more");
    assert!(fixture.logged(RowsKind::Update, &whole).is_err(), "an update without an after image");
}

#[test]
fn a_result_of_other_columns_means_that_the_table_changed() {
    let fixture = three(&[0]);
    let changed = |found: Vec<ResultColumn>| {
        let rows = ResultRows { columns: found.into(), ..ResultRows::default() };
        let mut out = EncodedRows::new(fixture.plan.layout().clone());
        matches!(fixture.plan.encode_result(&rows, &mut out), Err(TransformError::Changed { .. }))
    };
    let sound = fixture.found.to_vec();
    assert!(!changed(sound.clone()));
    assert!(changed(sound[..2].to_vec()));
    for (index, found) in [
        (0, ResultColumn { type_code: 3, flags: 32, collation: 63 }),
        (0, ResultColumn { type_code: 253, flags: 0, collation: 255 }),
        (1, ResultColumn { type_code: 253, flags: 0, collation: 63 }),
        (1, ResultColumn { type_code: 254, flags: 256, collation: 255 }),
        (1, ResultColumn { type_code: 253, flags: 0, collation: 1 }),
    ] {
        let mut other = sound.clone();
        other[index] = found;
        assert!(changed(other), "{found:?}");
    }
}

#[test]
fn lossy_keys_and_pairs_of_types_that_do_not_fit_are_refused() {
    let refused = |source: MySqlType, target: TargetType, key: &[usize]| {
        let specs = [spec(source, target, ValueEnd::Fixed(1), 3), int(TargetType::Integer)];
        try_fixture(&specs, key, &[], None, POLICIES).err()
    };
    let labels = |labels: &[&str]| labels.iter().map(|label| (*label).to_owned()).collect::<Vec<_>>();
    for (source, target) in [
        (MySqlType::Int { unsigned: true }, TargetType::Integer),
        (MySqlType::BigInt { unsigned: true }, TargetType::Numeric(Some((19, 0)))),
        (MySqlType::Decimal { precision: 10, scale: 2 }, TargetType::Numeric(Some((10, 1)))),
        (MySqlType::Decimal { precision: 10, scale: 2 }, TargetType::Double),
        (MySqlType::Double, TargetType::Real),
        (MySqlType::DateTime { fraction: 6, old_format: false }, TargetType::Timestamp(3)),
        (MySqlType::DateTime { fraction: 0, old_format: false }, TargetType::TimestampTz(6)),
        (MySqlType::VarChar { length: 20, charset: utf8() }, TargetType::Varchar(Some(19))),
        (MySqlType::Bit { bits: 8 }, TargetType::Bit(9)),
        (MySqlType::Json, TargetType::Other("hstore".into())),
        (MySqlType::Unknown { declared: "inet6".into() }, TargetType::Text),
    ] {
        assert!(matches!(refused(source, target, &[1]), Some(TransformError::Type { .. })));
    }
    let empty = MySqlType::Enum { labels: labels(&["", "a"]), charset: utf8() };
    assert!(refused(empty.clone(), TargetType::Text, &[1]).is_none());
    assert!(matches!(refused(empty, TargetType::Text, &[0]), Some(TransformError::Mapping { .. })));
    for (name, key) in [("cp932", 0), ("big5", 1)] {
        let charset = Charset { name: name.into(), collation: "x".into() };
        let text = MySqlType::VarChar { length: 9, charset };
        assert!(matches!(refused(text, TargetType::Text, &[key]), Some(TransformError::Mapping { .. })));
    }
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_a_plan_panic(raw: Vec<u8>, update: bool) {
        let fixture = three(&[2, 0]);
        let _ = fixture.logged(if update { RowsKind::Update } else { RowsKind::Delete }, &raw);
        let _ = fixture.logged(RowsKind::Insert, &raw);
        let _ = fixture.selected(&raw);
    }
}
