//! Statements of which a part is not known.

use super::*;

/// What a glob matches need not be carried: only the task knows that.
#[test]
fn what_cannot_be_carried_is_left_to_who_knows_what_is() {
    let doubt = |query: &Query| match judged(query, &selected(false)) {
        Ok(Meaning::Ddl { doubt, .. }) => doubt,
        other => panic!("{other:?}"),
    };
    let mut leftover = query("Shop", "ALTER TABLE item ADD a INT");
    assert_eq!(doubt(&leftover), None);
    leftover.session.uses_temporary = true;
    assert!(doubt(&leftover).unwrap().why.contains("temporary table"));
    let mut failed = query("Shop", "DROP TABLE item, other.x");
    failed.error_code = 1051;
    let told = doubt(&failed).unwrap();
    assert!(told.why.contains("1051") && told.statement == "DROP TABLE item, other.x", "{told:?}");
    let mut two = query("Shop", "TRUNCATE caf\u{e9}");
    two.session.client_collation = Some(8);
    let told = doubt(&two).unwrap();
    assert!(told.why.contains("two ways") && told.also == [TableName::new("Shop", "caf\u{e9}")], "{told:?}");
    // The task says of its own tables that it is not understood.
    assert_eq!(doubt(&query("Shop", "ALTER TABLE item ODDLY")), None);
    assert_eq!(
        meaning("Shop", "ALTER TABLE other.item ODDLY"),
        Ok(Meaning::Ddl { sql: "ALTER TABLE other.item ODDLY".into(), rows_may_follow: false, doubt: None }),
        "any word may be the table"
    );
    assert_eq!(meaning("other", "ALTER TABLE item ODDLY"), Ok(Meaning::OutOfReach));
    assert_eq!(meaning("other", "ALTER TABLE item COMMENT 'Shop' ODDLY"), Ok(Meaning::OutOfReach));
}

#[test]
fn unreadable_bytes_in_strings_hide_no_names() {
    let with = |database: &str, collation: u16, text: &[u8]| {
        let mut query = Query { text: Bytes::copy_from_slice(text), ..query(database, "") };
        query.session.client_collation = Some(collation);
        query
    };
    // utf8mb4, binary, and a set of which only the ASCII part is known.
    for collation in [255, 63, 4] {
        for text in [&b"ALTER TABLE away.x COMMENT 'caf\xe9'"[..], b"TRUNCATE away.x -- caf\xe9"] {
            let meaning = judged(&with("Shop", collation, text), &selected(false));
            assert_eq!(meaning, Ok(Meaning::Pass), "{collation} {text:?}");
        }
        // Of a carried table what it says counts.
        for text in [
            &b"ALTER TABLE item ADD e ENUM('caf\xe9')"[..],
            b"TRUNCATE away.caf\xe9",
            b"TRUNCATE away.`caf\xe9`",
        ] {
            assert!(stops(&with("Shop", collation, text)), "{collation} {text:?}");
        }
    }
    // In sjis the byte may take the quote after it; swe7 has letters in the places of signs; the last is not known at all.
    for collation in [13, 10, 60000] {
        assert!(stops(&with("Shop", collation, b"ALTER TABLE away.x COMMENT 'caf\xff'")), "{collation}");
    }
}
