//! Statements translated: what the target gets to do, and what stops the task.

mod filling;
mod losses;
mod zones;

use super::*;
use crate::change::TargetType;
use crate::change::facts::Flavour;
use crate::schema::ddl::read;
use crate::transform::map_table;
use crate::transform::mapping::tests::{rules, shape, table};
use std::collections::BTreeMap;

/// 2024-01-02 03:04:05 UTC.
const AT: u64 = 1_704_164_645;

fn session(session: Session) -> &'static Session {
    Box::leak(Box::new(session))
}

/// A session in this time zone.
fn zoned(zone: &str) -> &'static Session {
    session(Session { time_zone: Some(zone.to_owned()), ..plain().clone() })
}

/// Strict mode, at [`AT`].
fn plain() -> &'static Session {
    session(Session {
        started: Some((AT, Some(7))),
        utf8mb4_collation: Some(255),
        set_collations: Some(Vec::new()),
        ..Session::default()
    })
}

/// No answers.
fn unasked() -> &'static Answers {
    Box::leak(Box::default())
}

fn issued(sql: &str) -> Issued<'_> {
    let strict = 0x20_0000;
    Issued {
        sql,
        default_database: "shop",
        mode: SqlMode::from_bits(strict).with_flavour(Flavour::MySql).with_explicit_timestamps(true),
        session: plain(),
        names: TableNames::FOLDED,
        cascades: Cascades { silent: true, inline: true },
        answers: unasked(),
    }
}

fn orders() -> Table {
    table(&["id int", "a varchar(20) null", "b smallint", "c enum('x','y') null"])
}

fn run_on(
    before: &Table,
    sql: &str,
    rules: &Rules,
    issued: &Issued<'_>,
) -> Result<Translated, TransformError> {
    let mapping = map_table(before, rules).unwrap();
    let statement = read(sql, issued.mode);
    assert!(!matches!(statement, Statement::Unknown { .. }), "{sql}: {statement:?}");
    translate(before, &mapping, &statement, rules, issued)
}

fn run(sql: &str, rules: &Rules) -> Result<Translated, TransformError> {
    run_on(&orders(), sql, rules, &issued(sql))
}

fn change(change: &TargetChange) -> String {
    match change {
        TargetChange::AddColumn { column, fill, .. } => {
            let null = if column.nullable { "?" } else { "" };
            let fill = fill.as_ref().map_or("NULL".into(), |fill| format!("'{fill}'"));
            format!("add {} {}{null}={fill}", column.name, column.data_type)
        }
        TargetChange::RenameColumn { from, to, .. } => format!("rename {from} {to}"),
        TargetChange::AlterColumn { column, .. } => {
            format!("alter {} {}{}", column.name, column.data_type, if column.nullable { "?" } else { "" })
        }
        TargetChange::DropColumn { column, .. } => format!("drop {column}"),
        TargetChange::Empty { rows, .. } => format!("empty {rows:?}"),
        TargetChange::RequireNone { column, between, .. } => format!("none {column} {between:?}"),
    }
}

fn changes(translated: &Translated) -> String {
    translated.changes.iter().map(change).collect::<Vec<_>>().join("; ")
}

/// The changes, or the error's words.
fn outcome(sql: &str, rules: &Rules) -> String {
    match run(sql, rules) {
        Ok(translated) => changes(&translated),
        Err(error) => {
            assert!(matches!(error.retry(), crate::change::Retry::AfterFix { .. }));
            format!("STOP {error}")
        }
    }
}

fn stops(sql: &str, rules: &Rules, word: &str) {
    let found = outcome(sql, rules);
    assert!(found.starts_with("STOP") && found.contains(word), "{sql}: {found}");
}

const BEFORE: &str = "id integer, a varchar(20)?, b smallint, c text?";

#[test]
fn added_columns_go_to_the_targets_end_wherever_they_stand_at_the_source() {
    let found = run("ALTER TABLE Orders ADD X INT FIRST, ADD y TEXT AFTER a", &rules()).unwrap();
    assert_eq!(changes(&found), "add x integer?=NULL; add y text?=NULL");
    assert_eq!(
        shape(&found.mapping),
        format!("shop.orders: {BEFORE}, x integer?, y text? pk(id) 0>4 1>0 2>1 3>5 4>2 5>3")
    );
    let names: Vec<&str> = found.table.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["X", "id", "a", "y", "b", "c"]);
    assert_eq!(found.table.primary_key, [1]);
}

#[test]
fn a_renamed_column_takes_its_new_name_to_the_target() {
    for (sql, expected, columns) in [
        (
            "ALTER TABLE Orders RENAME COLUMN a TO N",
            "rename a n",
            "id integer, n varchar(20)?, b smallint, c text?",
        ),
        (
            "ALTER TABLE Orders CHANGE a n VARCHAR(20)",
            "rename a n",
            "id integer, n varchar(20)?, b smallint, c text?",
        ),
        (
            "ALTER TABLE Orders RENAME COLUMN id TO no",
            "rename id no",
            "no integer, a varchar(20)?, b smallint, c text?",
        ),
        (
            "ALTER TABLE Orders CHANGE a n VARCHAR(30), ADD a INT",
            "rename a n; alter n varchar(30)?; add a integer?=NULL",
            "id integer, n varchar(30)?, b smallint, c text?, a integer?",
        ),
        (
            "ALTER TABLE Orders RENAME COLUMN a TO b, RENAME COLUMN b TO a",
            "rename a rowferry_moving_0; rename b a; rename rowferry_moving_0 b",
            "id integer, b varchar(20)?, a smallint, c text?",
        ),
        (
            "ALTER TABLE Orders RENAME COLUMN a TO b, RENAME COLUMN b TO z",
            "rename b z; rename a b",
            "id integer, b varchar(20)?, z smallint, c text?",
        ),
        // Only the case changes, and the target folds it.
        ("ALTER TABLE Orders RENAME COLUMN a TO A", "", BEFORE),
    ] {
        let found = run(sql, &rules()).unwrap();
        assert_eq!(changes(&found), expected, "{sql}");
        assert!(shape(&found.mapping).contains(columns), "{sql}: {}", shape(&found.mapping));
    }
    let found = run("ALTER TABLE Orders RENAME COLUMN id TO no", &rules()).unwrap();
    assert_eq!(found.mapping.target.primary_key, ["no"]);
}

#[test]
fn a_column_moved_at_the_source_stays_at_its_place_in_the_target() {
    let found = run("ALTER TABLE Orders MODIFY b SMALLINT NOT NULL FIRST", &rules()).unwrap();
    assert_eq!(changes(&found), "");
    assert_eq!(shape(&found.mapping), format!("shop.orders: {BEFORE} pk(id) 0>2 1>0 2>1 3>3"));
}

#[test]
fn wider_types_are_followed() {
    for (sql, expected) in [
        ("ALTER TABLE Orders MODIFY b BIGINT NOT NULL", "alter b bigint"),
        ("ALTER TABLE Orders MODIFY b BIGINT", "alter b bigint?"),
        ("ALTER TABLE Orders MODIFY b SMALLINT", "alter b smallint?"),
        ("ALTER TABLE Orders MODIFY id BIGINT NOT NULL", "alter id bigint"),
        ("ALTER TABLE Orders MODIFY a VARCHAR(200)", "alter a varchar(200)?"),
        ("ALTER TABLE Orders MODIFY a TEXT", "alter a text?"),
        ("ALTER TABLE Orders MODIFY a VARCHAR(20) COLLATE utf8mb4_bin", ""),
        ("ALTER TABLE Orders MODIFY b MEDIUMINT NOT NULL", "alter b integer"),
        ("ALTER TABLE Orders MODIFY b DECIMAL(10,2) NOT NULL", "alter b numeric(10,2)"),
        ("ALTER TABLE Orders MODIFY c ENUM('x','y','z')", ""),
        ("ALTER TABLE Orders MODIFY c VARCHAR(5)", "alter c varchar(5)?"),
        ("ALTER TABLE Orders MODIFY a VARCHAR(20) NOT NULL", ""),
        ("ALTER TABLE Orders ADD INDEX (a), COMMENT='x', ENGINE=InnoDB, ALTER a SET DEFAULT 'q'", ""),
        ("CREATE UNIQUE INDEX u ON Orders (b)", ""),
    ] {
        assert_eq!(outcome(sql, &rules()), expected, "{sql}");
    }
}

#[test]
fn what_may_change_values_stops() {
    stops("ALTER TABLE Orders MODIFY a VARCHAR(5)", &rules(), "narrow_column");
    stops("ALTER TABLE Orders MODIFY b SMALLINT UNSIGNED NOT NULL", &rules(), "narrow_column");
    stops("ALTER TABLE Orders MODIFY c ENUM('x')", &rules(), "narrow_column");
    stops("ALTER TABLE Orders MODIFY c ENUM('y','x')", &rules(), "relabel_enum");
    stops("ALTER TABLE Orders MODIFY a VARCHAR(20) CHARACTER SET latin1", &rules(), "convert_charset");
    stops("ALTER TABLE Orders CONVERT TO CHARACTER SET latin1", &rules(), "convert_charset");
    stops("ALTER TABLE Orders MODIFY a BLOB", &rules(), "cannot be followed yet");
    stops("ALTER TABLE Orders MODIFY b VARCHAR(9) NOT NULL", &rules(), "cannot be followed yet");
}

#[test]
fn null_that_a_lenient_statement_replaces_stops() {
    let sql = "ALTER TABLE Orders MODIFY a VARCHAR(20) NOT NULL";
    let lenient = Issued { mode: SqlMode::from_bits(0).with_explicit_timestamps(true), ..issued(sql) };
    let error = run_on(&orders(), sql, &rules(), &lenient).unwrap_err().to_string();
    assert!(error.contains("narrow_column"), "{error}");
    let ignore = "ALTER IGNORE TABLE Orders MODIFY a VARCHAR(20) NOT NULL";
    stops(ignore, &rules(), "IGNORE");
}

#[test]
fn dropped_columns_stop() {
    for sql in [
        "ALTER TABLE Orders DROP COLUMN b, ADD d INT",
        "ALTER TABLE Orders DROP id, ADD PRIMARY KEY (b)",
        "ALTER TABLE Orders DROP b, RENAME COLUMN c TO b",
    ] {
        stops(sql, &rules(), "ddl_policy.drop_column");
    }
}

#[test]
fn dropped_columns_pass_or_are_dropped_as_the_policy_says() {
    let passing = |passing| Rules { passing: BTreeMap::from([("drop_column", passing)]), ..rules() };
    let (ignored, applied) = (passing(Passing::Ignored), passing(Passing::Applied));
    // What is NOT NULL takes NULL from there on.
    assert_eq!(outcome("ALTER TABLE Orders DROP b", &ignored), "alter b smallint?");
    assert_eq!(outcome("ALTER TABLE Orders DROP a", &ignored), "");
    assert_eq!(outcome("ALTER TABLE Orders DROP b", &applied), "drop b");
    assert_eq!(outcome("ALTER TABLE Orders DROP b, RENAME COLUMN c TO b", &applied), "drop b; rename c b");
    assert_eq!(
        outcome("ALTER TABLE Orders DROP b, DROP a, ADD d INT", &applied),
        "drop a; drop b; add d integer?=NULL"
    );
    let shared = Rules { shared_target: true, ..applied.clone() };
    assert_eq!(outcome("ALTER TABLE Orders DROP b", &shared), "alter b smallint?");
    // The rows after it go to the columns that are left.
    let after = run("ALTER TABLE Orders DROP a", &ignored).unwrap();
    let names: Vec<&str> = after.mapping.target.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["id", "b", "c"]);
    assert!(after.mapping.columns.iter().all(|column| column.source == column.target), "{after:?}");
    for rules in [&ignored, &applied] {
        stops("ALTER TABLE Orders DROP id, ADD PRIMARY KEY (b)", rules, "ddl_policy.drop_column");
    }
    stops("ALTER TABLE Orders DROP b, RENAME COLUMN c TO b", &ignored, "has a column \"b\" already");
}

#[test]
fn rows_that_a_truncate_takes_stay_or_go_as_the_policy_says() {
    let passing = |passing| Rules { passing: BTreeMap::from([("truncate_table", passing)]), ..rules() };
    let applied = passing(Passing::Applied);
    assert_eq!(outcome("TRUNCATE Orders", &passing(Passing::Ignored)), "");
    assert_eq!(outcome("TRUNCATE Orders", &applied), "empty One");
    let mut kept = applied.clone();
    kept.operations.delete = false;
    assert_eq!(outcome("TRUNCATE Orders", &kept), "");
    stops("TRUNCATE Orders", &Rules { foreign_rows: true, ..applied }, "ddl_policy.truncate_table");
}

#[test]
fn a_changed_key_stops_and_never_merges_rows() {
    for sql in [
        "ALTER TABLE Orders DROP PRIMARY KEY, ADD PRIMARY KEY (id, b)",
        "ALTER TABLE Orders DROP PRIMARY KEY, ADD PRIMARY KEY (b), ADD UNIQUE (id)",
    ] {
        stops(sql, &rules(), "change_primary_key");
    }
    let mut by_unique = orders();
    by_unique.primary_key.clear();
    by_unique.unique_keys = vec![crate::schema::table::UniqueKey { name: "u".into(), columns: vec![2] }];
    let drop = "DROP INDEX u ON Orders";
    let error = run_on(&by_unique, drop, &rules(), &issued(drop)).unwrap_err().to_string();
    assert!(error.contains("no longer tells"), "{error}");
}

#[test]
fn rows_that_move_without_events_and_tables_that_go_stop() {
    for (sql, key) in [
        ("ALTER TABLE Orders DROP PARTITION p", "truncate_partition"),
        ("ALTER TABLE Orders EXCHANGE PARTITION p WITH TABLE x", "truncate_partition"),
        ("ALTER TABLE x EXCHANGE PARTITION p WITH TABLE Orders", "truncate_partition"),
        ("TRUNCATE TABLE Orders", "truncate_table"),
        ("DROP TABLE Orders", "drop_table"),
        ("CREATE OR REPLACE TABLE Orders (id INT)", "drop_table"),
        ("DROP DATABASE shop", "drop_database"),
        ("RENAME TABLE Orders TO x", "rename_table"),
        ("ALTER TABLE Orders RENAME x", "rename_table"),
        ("ALTER TABLE x RENAME Shop.Orders", "rename_table"),
    ] {
        stops(sql, &rules(), key);
    }
    let rules = rules();
    assert_eq!(outcome("ALTER TABLE Orders RENAME Shop.Orders, ADD d INT", &rules), "add d integer?=NULL");
    assert_eq!(outcome("DROP TEMPORARY TABLE Orders", &rules), "");
    assert_eq!(outcome("CREATE TABLE IF NOT EXISTS Orders (id INT)", &rules), "");
    stops("CREATE TABLE Orders (id INT)", &rules, "already known");
    stops("UPDATE Orders SET a = 1", &rules, "by statement");
}

#[test]
fn excluded_columns_stay_out_under_any_name() {
    let mut rules = rules();
    rules.options.exclude_columns = vec!["a".into(), "later".into()];
    rules.exact_options = false;
    assert_eq!(outcome("ALTER TABLE Orders RENAME COLUMN a TO z", &rules), "");
    assert_eq!(outcome("ALTER TABLE Orders MODIFY a BLOB, ADD later INT AUTO_INCREMENT UNIQUE", &rules), "");
    assert_eq!(outcome("ALTER TABLE Orders DROP a", &rules), "");
    let found = run("ALTER TABLE Orders RENAME COLUMN a TO z", &rules).unwrap();
    assert_eq!(shape(&found.mapping), "shop.orders: id integer, b smallint, c text? pk(id) 0>0 2>1 3>2");
}

#[test]
fn without_alter_table_columns_keep_feeding_and_new_ones_do_not() {
    let mut rules = rules();
    rules.operations.alter_table = false;
    let found = run("ALTER TABLE Orders ADD x INT FIRST, RENAME COLUMN a TO z", &rules).unwrap();
    assert_eq!(changes(&found), "");
    assert_eq!(shape(&found.mapping), format!("shop.orders: {BEFORE} pk(id) 1>0 2>1 3>2 4>3"));
    stops("ALTER TABLE Orders DROP a", &rules, "drop_column");
    // The target's column would have to become wider.
    stops("ALTER TABLE Orders MODIFY b INT", &rules, "INT cannot be carried into smallint");
}

#[test]
fn a_name_chosen_in_the_config_stays_with_its_column() {
    let mut rules = rules();
    rules.options.columns.insert("a".into(), "remark".into());
    assert_eq!(outcome("ALTER TABLE Orders RENAME COLUMN a TO z", &rules), "");
    let mut both = rules.clone();
    both.exact_options = false;
    both.options.columns.insert("z".into(), "zed".into());
    assert_eq!(outcome("ALTER TABLE Orders RENAME COLUMN a TO z", &both), "rename remark zed");
    let mut shared = super::tests::rules();
    shared.shared_target = true;
    stops("ALTER TABLE Orders RENAME COLUMN a TO z", &shared, "other tables feed the same");
}

#[test]
fn a_chosen_type_stays_as_long_as_it_can_be_fed() {
    let mut rules = rules();
    rules.options.types.insert("b".into(), "bigint".into());
    assert_eq!(outcome("ALTER TABLE Orders MODIFY b INT NOT NULL", &rules), "");
    rules.options.types.insert("b".into(), "smallint".into());
    // It is the default of the old type, so it follows.
    assert_eq!(outcome("ALTER TABLE Orders MODIFY b INT NOT NULL", &rules), "alter b integer");
    rules.options.types.insert("b".into(), "integer".into());
    stops("ALTER TABLE Orders MODIFY b BIGINT NOT NULL", &rules, "cannot be carried into integer");
    let found = run("ALTER TABLE Orders ADD x INT", &rules).unwrap();
    assert_eq!(found.mapping.target.columns[2].data_type, TargetType::Integer);
}

/// What stands in a remedy must be allowed by the config and leave others' rows alone.
#[test]
fn the_remedy_of_a_table_that_shares_its_target_empties_no_more_than_its_rows() {
    let remedy = |sql: &str, rules: &Rules| match run(sql, rules).unwrap_err() {
        TransformError::Ddl { remedy, .. } => remedy.to_string(),
        other => panic!("{other}"),
    };
    let mut shared = rules();
    shared.options.source_column = Some("src".into());
    shared.shared_target = true;
    // Who copies it again knows which rows are its own.
    for rules in [&rules(), &shared] {
        for sql in ["ALTER TABLE Orders DROP a", "TRUNCATE Orders"] {
            let told = remedy(sql, rules);
            assert_eq!(told, "copy Shop.Orders again: run `rowferry resync -c CONFIG Shop.Orders`");
        }
    }
    let mut foreign = rules();
    foreign.foreign_rows = true;
    let mixed = remedy("TRUNCATE Orders", &foreign);
    assert!(mixed.contains("delete its rows from shop.orders,"), "{mixed}");
}

#[test]
fn a_source_tag_keeps_its_place() {
    let mut rules = rules();
    rules.options.source_column = Some("src".into());
    let found = run("ALTER TABLE Orders RENAME COLUMN id TO no", &rules).unwrap();
    assert_eq!(
        shape(&found.mapping),
        "shop.orders: src text, no integer, a varchar(20)?, b smallint, c text? pk(src,no) 0>1 1>2 2>3 3>4"
    );
    assert_eq!(found.mapping.source_tag, Some((0, "shop:Shop.Orders".into())));
}

#[test]
fn a_statement_that_does_not_fit_stops_with_its_text_shortened() {
    let sql = format!("ALTER TABLE Orders DROP nope /* {} */", "x".repeat(500));
    let TransformError::Ddl { statement, why, remedy, .. } = run(&sql, &rules()).unwrap_err() else {
        panic!("another error");
    };
    assert_eq!(statement.chars().count(), 201);
    assert!(why.contains("there is no column nope") && remedy.to_string().contains("copy Shop.Orders again"));
}
