use super::*;

/// After its own table stands what that leads to; what is not understood may have changed what its text may name.
#[test]
fn what_may_have_changed_is_no_more_than_what_a_statement_can_reach() {
    let tables = |names: &[&str]| {
        let names = names.iter().map(|name| TableName::new("Shop", *name)).collect();
        Some(Affected::Tables(names))
    };
    let databases =
        |names: &[&str]| Some(Affected::Databases(names.iter().map(|name| (*name).into()).collect()));
    let of = |databases: Option<&[&str]>, database: &str, sql: &str| {
        let flavour = if databases.is_some() { Flavour::MySql } else { Flavour::MariaDb };
        let databases = databases.map(|names| names.iter().map(|name| (*name).into()).collect());
        reached(asked(&Query { databases, ..query(database, sql) }, flavour))
    };
    let both = "UPDATE item, Shop.a_1, other.x SET item.a = 1, a_1.a = 1, x.a = 1";
    for logged in [None, Some(&["Shop", "other"][..])] {
        assert_eq!(of(logged, "Shop", "UPDATE item SET a = 1"), tables(&["item"]));
        assert_eq!(of(logged, "Shop", both), tables(&["item", "a_1"]), "{logged:?}");
    }
    // A trigger of another table that it writes.
    let more = "UPDATE item, other.log SET item.a = 1, log.a = 1";
    assert_eq!(of(Some(&["Shop", "other"]), "Shop", more), databases(&["Shop", "Shop"]));
    assert_eq!(of(None, "Shop", more), Some(Affected::Any));
    assert_eq!(of(Some(&["other"]), "other", "FROBNICATE Shop.x"), databases(&["Shop"]));
    assert_eq!(of(Some(&["Shop"]), "Shop", "FROBNICATE x"), databases(&["Shop", "Shop"]));
    assert_eq!(of(None, "Shop", "FROBNICATE x"), databases(&["Shop"]));
}

#[test]
fn random_bytes_stop_nothing_unless_they_may_name_what_is_selected() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let pieces: [&[u8]; 14] = [
        b"/*",
        b"*/",
        b"'",
        b"`",
        b"\"",
        b";",
        b"INSERT INTO ",
        b"ALTER TABLE ",
        b"x",
        b".",
        b"\\",
        b"-- ",
        b"\xb1`",
        b"SET STATEMENT ",
    ];
    let collations = [Some(255), Some(8), Some(28), Some(13), Some(63), None, Some(60000)];
    for _ in 0..3000 {
        let mut text = Vec::new();
        for _ in 0..random() % 40 {
            if random().is_multiple_of(3) {
                text.extend_from_slice(pieces[usize::try_from(random() % 14).unwrap()]);
            } else {
                text.extend_from_slice(&random().to_le_bytes()[..2]);
            }
        }
        let mut query = query("other", "");
        query.session.client_collation = collations[usize::try_from(random() % 7).unwrap()];
        query.says_sql_mode = !random().is_multiple_of(5);
        for (database, flavour) in
            [("other", Flavour::MySql), ("", Flavour::MariaDb), ("other", Flavour::MariaDb)]
        {
            let databases = (flavour == Flavour::MySql).then(|| vec!["other".to_owned()]);
            let random =
                Query { text: text.clone().into(), database: database.into(), databases, ..query.clone() };
            // Letters of these names may be among the bytes.
            let lower = String::from_utf8_lossy(&text).to_lowercase();
            if !lower.contains("shop") && !lower.contains("log") && !lower.contains("writes") {
                let judged = asked(&random, flavour);
                assert!(goes(&judged) || lower.starts_with("xa"), "{text:?} {random:?} {judged:?}");
            }
            let mut named = text.clone();
            let at = usize::try_from(state_of(&text)).unwrap() % (named.len() + 1);
            named.splice(at..at, b" `Shop`.item ".iter().copied());
            let named = Query { text: named.into(), ..random };
            if let Ok(meaning) = asked(&named, flavour) {
                // It may have become a comment or a string of a statement that is understood.
                assert!(meaning != Meaning::OutOfReach || ddl_reads(&named, flavour), "{named:?}");
            }
        }
    }
}

fn state_of(text: &[u8]) -> u64 {
    text.iter().fold(7, |sum, byte| sum * 31 % 1_000_003 + u64::from(*byte))
}

/// Whether the text is a statement that is understood, or names its tables at least.
fn ddl_reads(query: &Query, flavour: Flavour) -> bool {
    query.says_sql_mode && !matches!(read(query, flavour).statement, Statement::Unknown { tables: None, .. })
}
