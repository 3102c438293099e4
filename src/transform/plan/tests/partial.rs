//! `PARTIAL_UPDATE_ROWS_EVENT`, by events of MySQL 9.7.

use super::*;
use crate::schema::binding::code;

/// Row images of `UPDATE t SET c1 = JSON_SET(c1, '$.x', 2), c2 = c2 + 1` on four rows: a difference, NULL, a new document
/// that is shorter than the difference, and one that stays the same.
const FOUR: &[u8] = b"\0\x01\0\0\0)\0\0\0\0\x02\0(\0\x12\0\x01\0\x13\0\x01\0\x05\x01\0\x0c\x14\0xy\x13text of some length\x01\0\0\0\x0e\0\0\0\x02\x03\0\x0d\0\x05\x01\0\x05\x02\0\x05\x03\0\x01\x03\0\x01\0\0\0\x09\0\0\0\0\x03$.x\x03\x05\x02\0\x02\0\0\0\0\0\0\0\x02\x02\0\0\0\x02\0\0\0\x08\0\0\0\x02\x01\0\x07\0\x05\x04\0\x01\x02\x02\x02\0\0\0\x03\0\0\0\0\0\0\0\x08\x03\0\0\0\x05\0\0\0\0\0\0\x04\0\x03\0\0\0\0\x08\x03\0\0\0\x0d\0\0\0\0\x01\0\x0c\0\x0b\0\x01\0\x05\x02\0x\x04\0\0\0\0\x04\0\0\0/\0\0\0\0\x02\0.\0\x12\0\x01\0\x13\0\x04\0\x05\x02\0\x0c\x17\0xlong\x16and the same as before\x04\0\0\0\x08\0\0\0\x02\x01\0\x07\0\x05\x05\0\x01\x03\0\x04\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0";
/// Of an update of `c2` where `c1` is NULL.
const NO_DOCUMENT: &[u8] =
    b"\x02\x02\0\0\0\x03\0\0\0\x08\0\0\0\x02\x01\0\x07\0\x05\x04\0\x01\x02\x02\x02\0\0\0\x09\0\0\0\0\0\0\0";
/// Of `UPDATE t SET c0 = 11 WHERE c0 = 1`.
const MOVED: &[u8] = b"\0\x01\0\0\0)\0\0\0\0\x02\0(\0\x12\0\x01\0\x13\0\x01\0\x05\x02\0\x0c\x14\0xy\x13text of some length\x02\0\0\0\x0e\0\0\0\x02\x03\0\x0d\0\x05\x01\0\x05\x02\0\x05\x03\0\x01\x03\0\x0b\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0";
/// Of `UPDATE t SET c1 = JSON_REMOVE(c1, '$.y'), c3 = NULL`.
const REMOVED: &[u8] = b"\0\x0b\0\0\0)\0\0\0\0\x02\0(\0\x12\0\x01\0\x13\0\x01\0\x05\x02\0\x0c\x14\0xy\x13text of some length\x02\0\0\0\x0e\0\0\0\x02\x03\0\x0d\0\x05\x01\0\x05\x02\0\x05\x03\0\x01\x01\x08\x0b\0\0\0\x05\0\0\0\x02\x03$.y\x02\0\0\0";

/// `(c0 INT PRIMARY KEY, c1 JSON, c2 INT, c3 JSON)`, the documents into texts.
fn table(skip: &[usize]) -> Fixture {
    let int =
        || spec(MySqlType::Int { unsigned: false }, TargetType::Integer, ValueEnd::Fixed(4), code::LONG);
    let json = || spec(MySqlType::Json, TargetType::Json, ValueEnd::Prefixed(4), code::JSON);
    let mut fixture = try_fixture(&[int(), json(), int(), json()], &[0], skip, None, POLICIES).unwrap();
    let types = vec![code::LONG, code::JSON, code::LONG, code::JSON];
    fixture.map = Arc::new(TableMap { types, ..(*fixture.map).clone() });
    fixture
}

/// What became of each row: the operation and its fields, numbers and texts.
fn told(fixture: &Fixture, rows: &[u8]) -> Result<Vec<String>, TransformError> {
    let encoded = fixture.logged(RowsKind::PartialUpdate, rows)?;
    let row = |range: &Range<usize>| fields(&encoded.buffer[range.clone()]);
    Ok(encoded.spans.iter().map(|span| format!("{:?} {}", span.op, row(&span.row))).collect())
}

fn fields(row: &[u8]) -> String {
    let mut told = Vec::new();
    let mut rest = row.get(2..).unwrap_or_default();
    while let Some((length, tail)) = rest.split_first_chunk() {
        let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else {
            told.push("NULL".to_owned());
            rest = tail;
            continue;
        };
        let (field, tail) = tail.split_at(length);
        told.push(match <[u8; 4]>::try_from(field) {
            Ok(number) => i32::from_be_bytes(number).to_string(),
            Err(_) => String::from_utf8(field.to_vec()).unwrap(),
        });
        rest = tail;
    }
    told.join(", ")
}

#[test]
fn differences_become_the_documents_the_server_has() {
    let fixture = table(&[]);
    assert_eq!(
        told(&fixture, FOUR).unwrap(),
        [
            r#"Update 1, {"x": 2, "y": "text of some length"}, 2, [1, 2, 3]"#,
            "Update 2, NULL, 3, [4]",
            r#"Update 3, {"x": 2}, 4, NULL"#,
            r#"Update 4, {"x": 2, "long": "and the same as before"}, 5, [5]"#,
        ]
    );
    assert_eq!(told(&fixture, NO_DOCUMENT).unwrap(), ["Update 2, NULL, 9, [4]"]);
    assert_eq!(
        told(&fixture, MOVED).unwrap(),
        ["Delete ", r#"Arrive 11, {"x": 2, "y": "text of some length"}, 2, [1, 2, 3]"#]
    );
    assert_eq!(told(&fixture, REMOVED).unwrap(), [r#"Update 11, {"x": 2}, 2, NULL"#]);
}

#[test]
fn a_column_that_is_not_carried_does_not_matter() {
    let fixture = table(&[1]);
    assert_eq!(told(&fixture, FOUR).unwrap()[3], "Update 4, 5, [5]");
    // Its difference may be whatever it likes.
    let mut strange = FOUR.to_vec();
    let at = strange.windows(3).position(|bytes| bytes == b"$.x").unwrap();
    strange[at] = b'?';
    assert_eq!(told(&fixture, &strange).unwrap()[0], "Update 1, 2, [1, 2, 3]");
    assert!(told(&table(&[]), &strange).is_err());
}

#[test]
fn partial_updates_that_are_not_carried_give_nothing() {
    let fixture = table(&[]);
    let operations = Operations { update: false, ..ALL };
    let mut rows = EncodedRows::new(fixture.plan.layout().clone());
    let event = fixture.event(RowsKind::PartialUpdate, FOUR);
    fixture.plan.encode_event(&fixture.bound, &event, &operations, &mut rows).unwrap();
    assert_eq!((rows.spans.len(), rows.buffer.len()), (0, 0));
}

#[test]
fn a_difference_that_does_not_fit_names_row_column_and_remedy() {
    let fixture = table(&[]);
    let mut misfit = FOUR.to_vec();
    let at = misfit.windows(3).position(|bytes| bytes == b"$.x").unwrap();
    misfit[at + 2] = b'q';
    let error = told(&fixture, &misfit).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("column c1") && text.contains("REPLACE at $.q"), "{text}");
    assert!(text.contains("(in the event that ends at b.000001:4)"), "{text}");
    assert!(error.retry().remedy().to_string().contains("again: run `rowferry resync"), "{error:?}");
}

#[test]
fn options_and_bits_that_contradict_the_row_are_malformed() {
    let fixture = table(&[]);
    let strange = |change: &dyn Fn(&mut [u8])| {
        let mut rows = REMOVED.to_vec();
        change(&mut rows);
        assert!(matches!(told(&fixture, &rows), Err(TransformError::Malformed { .. })), "{rows:?}");
    };
    // Options 01, difference bits 01 (c1), NULL bits 08 (c3).
    let at = REMOVED.windows(3).position(|bytes| bytes == [1, 1, 8]).unwrap();
    strange(&|rows| rows[at] = 3);
    strange(&|rows| rows[at] = 251);
    strange(&|rows| rows[at + 1] = 3);
    for end in 1..REMOVED.len() {
        assert!(told(&fixture, &REMOVED[..end]).is_err(), "{end}");
    }
    // A difference where NULL was before.
    let mut rows = MOVED.to_vec();
    let before = rows.windows(4).position(|bytes| bytes == [0x29, 0, 0, 0]).unwrap();
    rows.drain(before..before + 4 + 0x29);
    rows[0] = 2;
    let error = told(&fixture, &rows).unwrap_err().to_string();
    assert!(error.contains("NULL before it"), "{error}");
}
