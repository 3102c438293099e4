//! Statements after which rows of the source change, or have changed, without a row event.

use super::*;
use crate::schema::Generation;

fn source(cascades: Cascades) -> impl Fn(&str, &[&str]) -> Result<Translated, TransformError> {
    move |sql, accepted| {
        let accepted = accepted.iter().map(|&name| name.to_owned()).collect();
        let rules = Rules { accepted_cascades: accepted, ..rules() };
        run_on(&orders(), sql, &rules, &Issued { cascades, ..issued(sql) })
    }
}

#[test]
fn a_cascade_that_the_log_will_not_show_stops_unless_it_is_accepted() {
    let run = source(Cascades { silent: true, inline: false });
    let named = "ALTER TABLE Orders ADD CONSTRAINT up FOREIGN KEY (b) REFERENCES p (id) ON DELETE CASCADE";
    let unnamed = "ALTER TABLE Orders ADD FOREIGN KEY (b) REFERENCES p (id) ON UPDATE SET NULL";
    for (sql, hint) in [
        (named, "accept_cascades = [\"Shop.Orders.up\"]"),
        (unnamed, "accept_cascades = [\"Shop.Orders.Orders_ibfk_1\"]"),
    ] {
        let Err(TransformError::Ddl { why, remedy, .. }) = run(sql, &[]) else { panic!("{sql}") };
        assert!(why.contains("cascade") && remedy.to_string().contains(hint), "{why} {remedy}");
        assert!(run(sql, &["other"]).is_err());
    }
    assert!(run(named, &["Shop.Orders.UP"]).is_ok());
    assert!(run(named, &["Shop.Orders.Orders_ibfk_1"]).is_err());
    assert!(run(unnamed, &["Shop.Orders.Orders_ibfk_3"]).is_ok());
    assert!(run(unnamed, &["Shop.Orders.7"]).is_ok());
    assert!(run("ALTER TABLE Orders ADD FOREIGN KEY (b) REFERENCES p (id) ON DELETE RESTRICT", &[]).is_ok());
    let logged = source(Cascades { silent: false, inline: true });
    assert!(logged(named, &[]).is_ok());
}

#[test]
fn a_cascade_in_a_columns_definition_counts_where_the_server_heeds_it() {
    let sql = "ALTER TABLE Orders ADD n INT REFERENCES p (id) ON DELETE CASCADE";
    assert!(source(Cascades { silent: true, inline: true })(sql, &[]).is_err());
    assert!(source(Cascades { silent: true, inline: false })(sql, &[]).is_ok());
}

fn stops_on(columns: &[&str], sql: &str, word: &str) {
    match run_on(&table(columns), sql, &rules(), &issued(sql)) {
        Err(TransformError::Ddl { why, .. }) => assert!(why.contains(word), "{sql}: {why}"),
        other => panic!("{sql}: {other:?}"),
    }
}

fn goes_on(columns: &[&str], sql: &str, expected: &str) {
    let translated = run_on(&table(columns), sql, &rules(), &issued(sql));
    assert_eq!(changes(&translated.unwrap_or_else(|error| panic!("{sql}: {error}"))), expected, "{sql}");
}

#[test]
fn digits_that_are_declared_for_a_float_round_it() {
    stops_on(&["id int", "f float"], "ALTER TABLE Orders MODIFY f DOUBLE(10,2) NOT NULL", "converts");
    stops_on(&["id int", "f float"], "ALTER TABLE Orders MODIFY f FLOAT(10,2) NOT NULL", "converts");
    stops_on(&["id int", "f double(10,3)"], "ALTER TABLE Orders MODIFY f DOUBLE(10,2) NOT NULL", "converts");
    stops_on(&["id int", "f double(10,3)"], "ALTER TABLE Orders MODIFY f DOUBLE(9,3) NOT NULL", "converts");
    stops_on(&["id int", "f float(7,2)"], "ALTER TABLE Orders MODIFY f DOUBLE(7,2) NOT NULL", "converts");
    goes_on(&["id int", "f float(7,2)"], "ALTER TABLE Orders MODIFY f FLOAT(7,2) NOT NULL COMMENT 'x'", "");
    goes_on(&["id int", "f double(7,2)"], "ALTER TABLE Orders MODIFY f DOUBLE(9,3) NOT NULL", "");
    goes_on(&["id int", "f double(7,2)"], "ALTER TABLE Orders MODIFY f DOUBLE NOT NULL", "");
    goes_on(
        &["id int", "f float"],
        "ALTER TABLE Orders MODIFY f DOUBLE NOT NULL",
        "alter f double precision",
    );
}

#[test]
fn a_sign_that_is_taken_away_narrows() {
    for (from, to) in
        [("decimal(10,2)", "DECIMAL(12,2) UNSIGNED"), ("float", "FLOAT UNSIGNED"), ("int", "BIGINT UNSIGNED")]
    {
        let sql = format!("ALTER TABLE Orders MODIFY d {to} NOT NULL");
        stops_on(&["id int", &format!("d {from}")], &sql, "narrow_column");
    }
    let signed = "ALTER TABLE Orders MODIFY d DECIMAL(10,2) NOT NULL";
    goes_on(&["id int", "d decimal(10,2) unsigned"], signed, "");
}

#[test]
fn a_generated_column_is_not_left_as_it_was_when_its_table_changes_types() {
    let mut before = table(&["id int", "d decimal(10,2)", "g varchar(20)", "n int unsigned"]);
    before.columns[2].generated = true;
    let outcome = |before: &Table, sql: &str| match run_on(before, sql, &rules(), &issued(sql)) {
        Ok(translated) => changes(&translated),
        Err(error) => error.to_string(),
    };
    for sql in [
        "ALTER TABLE Orders MODIFY d DECIMAL(12,4) NOT NULL",
        "ALTER TABLE Orders CHANGE d e DECIMAL(12,4) NOT NULL, ADD x INT",
        "ALTER TABLE Orders MODIFY n INT(8) UNSIGNED ZEROFILL NOT NULL",
        "ALTER TABLE Orders CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, MODIFY n BIGINT UNSIGNED NOT NULL",
    ] {
        let found = outcome(&before, sql);
        assert!(found.contains("generated column g") || found.contains("convert_charset"), "{sql}: {found}");
    }
    // It is computed where it is read, and nothing that it could be computed from becomes another value.
    before.columns[2].generation = Some(Generation { stored: false, expression: "d * n".into() });
    let renamed = "ALTER TABLE Orders CHANGE d e DECIMAL(10,2) NOT NULL COMMENT 'x', ADD y INT";
    assert_eq!(outcome(&before, renamed), "rename d e; add y integer?=NULL");
    let both = "ALTER TABLE Orders MODIFY d DECIMAL(12,4) NOT NULL, DROP g";
    assert!(outcome(&before, both).contains("drop_column"));
    before.columns[2].generated = false;
    assert_eq!(
        outcome(&before, "ALTER TABLE Orders MODIFY d DECIMAL(12,4) NOT NULL"),
        "alter d numeric(12,4)"
    );
}

#[test]
fn a_stored_column_is_not_computed_anew_under_other_settings() {
    let mut before = table(&["id int", "d decimal(10,2)", "g varchar(20)", "n int"]);
    before.columns[2].generated = true;
    let outcome = |before: &Table, sql: &str| match run_on(before, sql, &rules(), &issued(sql)) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    };
    let hangs = Some(Generation { stored: true, expression: "`d` / 3".into() });
    let settled = Some(Generation { stored: true, expression: "concat(`d`, `n`)".into() });
    for (generation, sql, word) in [
        (&hangs, "ALTER TABLE Orders ADD CHECK (n > 0)", "column g anew"),
        (&hangs, "ALTER TABLE Orders ADD x INT", "\"/\""),
        (&hangs, "CREATE INDEX i ON Orders (n)", "column g anew"),
        (&hangs, "OPTIMIZE TABLE Orders", "column g anew"),
        (&hangs, "ALTER TABLE Orders ADD x INT, ALGORITHM = INPLACE, ALGORITHM = COPY", "column g anew"),
        (&None, "ALTER TABLE Orders ORDER BY n", "not known"),
        (&hangs, "ALTER TABLE Orders ADD x INT, ALGORITHM=INPLACE", ""),
        (&hangs, "CREATE INDEX i ON Orders (n) ALGORITHM INSTANT", ""),
        (&hangs, "DROP INDEX i ON Orders ALGORITHM = INPLACE", ""),
        (&settled, "ALTER TABLE Orders ADD CHECK (n > 0)", ""),
        (&settled, "OPTIMIZE TABLE Orders", ""),
        (&settled, "ALTER TABLE Orders DROP n, ADD n INT", "takes the name"),
        (&settled, "ALTER TABLE Orders DROP d, CHANGE n d INT NOT NULL, ALGORITHM=INPLACE", "takes the name"),
    ] {
        before.columns[2].generation.clone_from(generation);
        let found = run_on(&before, sql, &rules(), &issued(sql))
            .err()
            .map_or(String::new(), |error| error.to_string());
        assert!(found.contains(word) && found.is_empty() == word.is_empty(), "{sql}: {found}");
    }
    // An expression that names a column which has another name now is not known any more.
    before.columns[2].generation = settled;
    let renamed = "ALTER TABLE Orders RENAME COLUMN n TO m";
    let after = run_on(&before, renamed, &rules(), &issued(renamed)).unwrap();
    assert_eq!(after.table.columns[2].generation, None);
    assert!(outcome(&after.table, "OPTIMIZE TABLE Orders").contains("not known"));
}

/// CONVERT TO takes the bytes of labels for those of the new set; a value goes to the first label that is equal to its own.
#[test]
fn labels_that_become_others_or_alike_are_told() {
    let lax = SqlMode::from_bits(0).with_explicit_timestamps(true);
    let strict = issued("").mode;
    let cased = "e enum('a','A') character set utf8mb4 collate utf8mb4_bin null";
    let accented = "e enum('é','b') character set utf8mb4 collate utf8mb4_bin null";
    let general =
        "ALTER TABLE Orders MODIFY e ENUM('a','A') CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci";
    for (column, sql, mode, word) in [
        (
            "e enum('ab') null",
            "ALTER TABLE Orders CONVERT TO CHARACTER SET utf16",
            strict,
            "bytes of the labels",
        ),
        (
            "e set('ab') character set ucs2 null",
            "ALTER TABLE Orders CONVERT TO CHARACTER SET utf8mb4",
            strict,
            "bytes of the labels",
        ),
        ("e enum('ab') null", "ALTER TABLE Orders MODIFY e ENUM('ab') CHARACTER SET utf16", strict, ""),
        (
            "e enum('ab') character set latin1 null",
            "ALTER TABLE Orders CONVERT TO CHARACTER SET utf8mb4",
            strict,
            "",
        ),
        (cased, general, lax, "converts the values"),
        (cased, general, strict, ""),
        (
            cased,
            "ALTER TABLE Orders CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
            lax,
            "converts the values",
        ),
        (
            accented,
            "ALTER TABLE Orders MODIFY e ENUM('é','b') CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
            lax,
            "converts the values",
        ),
        (
            "e enum('a','b') character set utf8mb4 collate utf8mb4_bin null",
            "ALTER TABLE Orders MODIFY e ENUM('a','b') CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
            lax,
            "",
        ),
    ] {
        let found = run_on(&table(&["id int", column]), sql, &rules(), &Issued { mode, ..issued(sql) });
        let found = found.err().map_or(String::new(), |error| error.to_string());
        assert!(found.contains(word) && found.is_empty() == word.is_empty(), "{column}: {sql}: {found}");
    }
}

#[test]
fn a_column_that_becomes_auto_increment_stops_where_rows_get_new_numbers() {
    let sql = "ALTER TABLE Orders MODIFY id INT NOT NULL AUTO_INCREMENT";
    stops_on(&["id int"], sql, "AUTO_INCREMENT");
    let keeps = SqlMode::from_bits(0x28_0000).with_explicit_timestamps(true);
    let kept = |before: &Table| run_on(before, sql, &rules(), &Issued { mode: keeps, ..issued(sql) });
    assert_eq!(changes(&kept(&table(&["id int"])).unwrap()), "");
    let mut before = table(&["x int", "id int null"]);
    assert!(kept(&before).unwrap_err().to_string().contains("NULL"));
    before = table(&["id int"]);
    before.columns[0].auto_increment = true;
    assert_eq!(changes(&run_on(&before, sql, &rules(), &issued(sql)).unwrap()), "");
}

#[test]
fn nulls_of_a_timestamp_are_replaced_in_strict_mode_too() {
    let sql = "ALTER TABLE Orders MODIFY t TIMESTAMP NOT NULL";
    stops_on(&["id int", "t timestamp null"], sql, "current time");
    goes_on(&["id int", "t datetime null"], "ALTER TABLE Orders MODIFY t DATETIME NOT NULL", "");
}

/// The config takes none but "stop": a remedy that names another would lead nowhere.
#[test]
fn a_remedy_names_no_policy_that_the_config_refuses() {
    for sql in [
        "ALTER TABLE Orders DROP COLUMN b",
        "ALTER TABLE Orders MODIFY a VARCHAR(5)",
        "ALTER TABLE Orders MODIFY c ENUM('y','x')",
        "ALTER TABLE Orders CONVERT TO CHARACTER SET latin1",
        "ALTER TABLE Orders DROP PARTITION p",
        "ALTER TABLE Orders DROP PRIMARY KEY, ADD PRIMARY KEY (b)",
        "ALTER TABLE Orders RENAME TO other",
        "TRUNCATE TABLE Orders",
        "DROP TABLE Orders",
        "DROP DATABASE shop",
    ] {
        let Err(TransformError::Ddl { remedy, .. }) = run(sql, &rules()) else { panic!("{sql}") };
        // What is gone cannot be put back.
        let gone = ["RENAME TO", "DROP TABLE", "DROP DATABASE"].iter().any(|words| sql.contains(words));
        assert_eq!(remedy.to_string().contains("copy Shop.Orders again"), !gone, "{sql}: {remedy}");
        assert!(
            remedy.to_string().contains(if gone {
                "take it out of \"tables\" (add \"!Shop.Orders\" to the list, `rowferry reload`)"
            } else {
                "run `rowferry resync -c CONFIG Shop.Orders`"
            }) && !remedy.to_string().contains("ddl_policy"),
            "{sql}: {remedy}"
        );
    }
}

/// A table of utf8mb4 with labels that its old collation tells apart, and under `generated` a column computed from `v`.
fn lettered(collation: &str, generated: bool) -> Table {
    let mut before = table(&["id int", "v varchar(10)", "e enum('ss','ß') null", "g int"]);
    let set = |name: &str, collation: &str| crate::schema::charset::charset(name, Some(collation));
    before.charset = set("utf8mb4", collation);
    for column in &mut before.columns {
        if let crate::schema::MySqlType::VarChar { charset, .. }
        | crate::schema::MySqlType::Enum { charset, .. } = &mut column.data_type
        {
            *charset = set("utf8mb4", collation);
        }
    }
    before.columns[3].generated = generated;
    before.columns[3].generation =
        generated.then(|| Generation { stored: true, expression: "`v` = 's'".into() });
    before
}

/// The same statement under the defaults of different sessions.
#[test]
fn a_collation_that_a_statement_does_not_name_is_its_sessions() {
    const GENERAL: &str = "utf8mb4_general_ci";
    let outcome = |before: &Table, sql: &str, session: Session, flavour, mode: u64| {
        let mode = SqlMode::from_bits(mode).with_flavour(flavour).with_explicit_timestamps(true);
        match run_on(before, sql, &rules(), &Issued { session: &session, mode, ..issued(sql) }) {
            Ok(translated) => changes(&translated),
            Err(error) => error.to_string(),
        }
    };
    let mysql = |number| Session { utf8mb4_collation: number, ..plain().clone() };
    let maria = |pairs: &[(u16, u16)]| Session { set_collations: Some(pairs.to_vec()), ..plain().clone() };
    let untold = Session { set_collations: None, ..plain().clone() };
    let strict = 0x20_0000;
    let modify = "ALTER TABLE Orders MODIFY v VARCHAR(10) CHARACTER SET utf8mb4 NOT NULL, ALGORITHM=INPLACE";
    let default = "ALTER TABLE Orders DEFAULT CHARSET utf8mb4, ALGORITHM=INPLACE";
    let convert = "ALTER TABLE Orders CONVERT TO CHARACTER SET utf8mb4, ALGORITHM=INPLACE";
    for sql in [modify, default, convert] {
        let before = lettered(GENERAL, true);
        for (session, flavour, goes) in [
            (mysql(Some(45)), Flavour::MySql, true),
            (mysql(Some(255)), Flavour::MySql, false),
            (mysql(None), Flavour::MySql, false),
            (maria(&[]), Flavour::MariaDb, true),
            (maria(&[(33, 2048)]), Flavour::MariaDb, true),
            (maria(&[(45, 2304)]), Flavour::MariaDb, false),
            (maria(&[(45, 46)]), Flavour::MariaDb, false),
            (untold.clone(), Flavour::MariaDb, false),
        ] {
            let found = outcome(&before, sql, session.clone(), flavour, strict);
            assert_eq!(!found.contains("generated column g"), goes, "{flavour:?} {sql} {session:?}: {found}");
        }
    }
    // Labels go by the collation only where that becomes another.
    let relabel = "ALTER TABLE Orders MODIFY e ENUM('ss','ß') CHARACTER SET utf8mb4";
    for (session, flavour, goes) in [
        (mysql(Some(45)), Flavour::MySql, true),
        (mysql(Some(255)), Flavour::MySql, false),
        (maria(&[]), Flavour::MariaDb, true),
        (maria(&[(45, 2304)]), Flavour::MariaDb, false),
        (untold.clone(), Flavour::MariaDb, false),
    ] {
        let found = outcome(&lettered(GENERAL, false), relabel, session.clone(), flavour, 0);
        assert_eq!(
            !found.contains("converts the values of column e"),
            goes,
            "{flavour:?} {session:?}: {found}"
        );
    }
}

#[test]
fn a_collation_that_is_not_known_stays_unequal_and_disturbs_no_other_statement() {
    let session = Session { set_collations: None, ..plain().clone() };
    let maria = SqlMode::from_bits(0).with_flavour(Flavour::MariaDb).with_explicit_timestamps(true);
    let run = |before: &Table, sql: &str| {
        run_on(before, sql, &rules(), &Issued { session: &session, mode: maria, ..issued(sql) })
    };
    let before = lettered("utf8mb4_general_ci", false);
    let retyped = "ALTER TABLE Orders MODIFY e ENUM('ss','a') CHARACTER SET utf8mb4 NULL";
    let plain_labels = table(&["id int", "v varchar(10)", "e enum('ss','a') null"]);
    let once = run(&plain_labels, retyped).unwrap().table;
    assert!(run(&once, "ALTER TABLE Orders ADD n INT").is_ok(), "another column");
    let mut once = once;
    if let crate::schema::MySqlType::Enum { labels, .. } = &mut once.columns[2].data_type {
        labels[1] = "ß".into();
    }
    let again = run(&once, "ALTER TABLE Orders MODIFY e ENUM('ss','ß') CHARACTER SET utf8mb4 NULL");
    assert!(again.unwrap_err().to_string().contains("converts the values of column e"));
    assert!(run(&before, "ALTER TABLE Orders ADD n INT").is_ok());
}
