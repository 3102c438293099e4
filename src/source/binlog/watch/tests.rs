use super::super::code::Reached;
use super::super::code::tests::selected;
use super::*;
use crate::change::Session;
use bytes::Bytes;

fn query(sql: &str) -> Query {
    Query {
        session: Session::default(),
        server_id: 1,
        database: "other".to_owned(),
        says_sql_mode: true,
        databases: None,
        error_code: 0,
        text: Bytes::copy_from_slice(sql.as_bytes()),
    }
}

fn table(name: &str) -> TableName {
    TableName::new("other", name)
}

fn changed(statements: &[&str]) -> Changed {
    let mut changed = Changed::default();
    for sql in statements {
        changed.note(&query(sql), Flavour::MariaDb, &selected("shop.*", false));
    }
    changed
}

fn watched(statements: &[&str], fold_names: bool) -> Watch {
    let mut watch = Watch::default();
    for sql in statements {
        let statement = ddl::read(sql, SqlMode::default().with_flavour(Flavour::MariaDb));
        watch.note(&statement, sql, &query(sql), Flavour::MariaDb, &selected("shop.*", fold_names));
    }
    watch
}

#[test]
fn a_procedure_is_not_the_function_of_that_name() {
    let changed = changed(&[
        "CREATE PROCEDURE g () SELECT 1",
        "DROP FUNCTION g",
        "CREATE VIEW v AS SELECT 1",
        "DROP TRIGGER v",
    ]);
    assert_eq!(changed.code, [("FUNCTION", table("g")), ("TRIGGER", table("v"))].into());
    let watch = watched(
        &[
            "CREATE FUNCTION g () RETURNS INT RETURN 1",
            "CREATE PROCEDURE g () SELECT 1",
            "CREATE FUNCTION G () RETURNS INT RETURN 2",
        ],
        false,
    );
    let kinds: Vec<_> = watch.defined().keys().cloned().collect();
    assert_eq!(kinds, [("FUNCTION", table("g")), ("PROCEDURE", table("g"))]);
    assert!(watch.defined().values().all(|object| !object.body.as_ref().unwrap().contains("RETURN 1")));
}

#[test]
fn what_is_known_of_a_table_says_nothing_of_one_whose_name_differs_by_case() {
    let statements = [
        "CREATE TABLE Log (a INT)",
        "CREATE TRIGGER x AFTER INSERT ON log FOR EACH ROW SET @a = 1",
        "DROP TABLE LOG",
    ];
    let exact = watched(&statements, false);
    assert!(exact.knows(&table("Log")) && !exact.knows(&table("log")) && exact.defined().len() == 1);
    let folded = watched(&statements, true);
    assert!(!folded.knows(&table("log")) && folded.defined().is_empty());
}

/// Code that is made without being logged is seen when the list is read again.
#[test]
fn a_list_is_believed_for_a_while_and_changes_until_the_stream_has_come_to_its_end() {
    let place = |offset| FilePosition { file: "log.000001".into(), offset };
    let dropped = Changed { any: Some("something".into()), ..Changed::default() };
    let code = StoredCode::default().changed_by(dropped, &BTreeMap::new()).read_at(place(50));
    let reached = |watch: &Watch| {
        let text = Mentions::of(b"INSERT INTO t VALUES (1)");
        let code = watch.code()?;
        Some(code.reach(
            &text,
            "other",
            Some(&[table("t")]),
            &|_| false,
            &selected("shop.*", false),
            Vec::new(),
        ))
    };
    let mut watch = Watch::default();
    watch.looked_up(code);
    let age = |watch: &mut Watch| {
        if let Some((_, read)) = &mut watch.code {
            *read = read.checked_sub(AGE).unwrap();
        }
    };
    watch.is_at(&place(49));
    assert!(matches!(reached(&watch), Some(Reached::Unknown { .. })));
    age(&mut watch);
    assert!(reached(&watch).is_some(), "it is younger than the statements");
    let (code, _) = watch.code.take().unwrap();
    watch.looked_up(code);
    watch.is_at(&place(50));
    assert_eq!(reached(&watch), Some(Reached::Nothing));
    age(&mut watch);
    assert_eq!(reached(&watch), None);
}

#[test]
fn a_view_that_has_another_name_is_known_by_that_one() {
    let watch = watched(&["CREATE VIEW v AS SELECT 1", "RENAME TABLE v TO w, t TO v"], false);
    assert!(watch.knows(&table("w")) && !watch.knows(&table("v")));
}

#[test]
fn a_dropped_database_takes_its_own_tables_along() {
    let statements = ["CREATE TABLE t (a INT)", "CREATE VIEW v AS SELECT 1", "DROP DATABASE Other"];
    let knows = |watch: Watch| [watch.knows(&table("t")), watch.knows(&table("v"))];
    assert_eq!(knows(watched(&statements, true)), [false, false]);
    assert_eq!(knows(watched(&statements, false)), [true, true], "case matters");
    assert_eq!(
        knows(watched(&["CREATE TABLE t (a INT)", "DROP DATABASE `#mysql50#other`"], false)),
        [false, false]
    );
}

#[test]
fn statements_that_leave_triggers_and_foreign_keys_alone_change_nothing() {
    let harmless = changed(&[
        "ALTER TABLE x ENGINE = InnoDB",
        "ALTER TABLE x ADD FOREIGN KEY (a) REFERENCES y (a)",
        "ALTER TABLE x DROP COLUMN a",
        "CREATE TRIGGER pt_osc_ins AFTER INSERT ON x FOR EACH ROW REPLACE INTO _x_new VALUES (1)",
        "DROP TRIGGER IF EXISTS pt_osc_ins",
    ]);
    assert!(
        harmless.tables.is_empty() && harmless.code.is_empty() && harmless.keys.is_empty(),
        "{harmless:?}"
    );
    let takes = changed(&[
        "ALTER TABLE y CONVERT TABLE x TO PARTITION p VALUES IN (1)",
        "ALTER TABLE z ENGINE = MERGE, UNION = (m1)",
        "ALTER TABLE k DROP FOREIGN KEY f",
        "RENAME TABLE a TO b",
    ]);
    assert_eq!(takes.tables, [table("x"), table("z")].into());
    assert_eq!((takes.keys, takes.renamed), ([table("k")].into(), vec![(table("a"), table("b"))]));
    assert!(changed(&["ALTER TABLE y FROB TABLE CONVERT x"]).any.is_some());
}
