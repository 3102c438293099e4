use super::*;
use crate::change::facts::TargetKind;

fn dialect(kind: TargetKind) -> Dialect {
    Dialect {
        kind,
        version: String::new(),
        version_number: 150_000,
        distributed: kind != TargetKind::PostgreSql,
        on_conflict: true,
        copy_on_conflict: false,
        geometry: Some("gis.geometry".into()),
    }
}

fn name() -> TargetName {
    TargetName { schema: "Shop".into(), table: "or\"ders".into() }
}

fn column(name: &str, data_type: TargetType, nullable: bool) -> TargetColumn {
    TargetColumn { name: name.into(), data_type, nullable }
}

fn table() -> TargetTable {
    TargetTable {
        name: name(),
        columns: vec![
            column("id", TargetType::Bigint, false),
            column("region", TargetType::Varchar(Some(20)), false),
            column("seen", TargetType::TimestampTz(3), true),
            column("place", TargetType::Geometry, true),
        ],
        primary_key: vec!["region".into(), "id".into()],
        distribution: None,
        storage: None,
    }
}

fn found() -> FoundTable {
    FoundTable {
        table: table(),
        has_rows: true,
        append_optimized: false,
        primary_key_name: Some("or\"ders_pkey".into()),
        unique_indexes: Vec::new(),
        unique_statements: vec![],
        writable: true,
        truncatable: true,
        owned: true,
        unlogged: false,
        without_default_partition: false,
        loose_columns: Vec::new(),
        checks: Vec::new(),
        filled: Vec::new(),
        active: Vec::new(),
        fed_by: None,
    }
}

fn on_postgres(wanted: &TargetChange) -> Result<Vec<String>, Unfit> {
    change(wanted, &dialect(TargetKind::PostgreSql), &found())
}

const BODY: &str = "CREATE TABLE \"Shop\".\"or\"\"ders\" (\n  \"id\" bigint NOT NULL,\n  \"region\" varchar(20) NOT NULL,\n  \
     \"seen\" timestamp(3) with time zone,\n  \"place\" gis.geometry,\n  PRIMARY KEY (\"region\", \"id\")\n)";

#[test]
fn a_table_is_created_with_its_key_in_key_order() {
    assert_eq!(create_table(&table(), &dialect(TargetKind::PostgreSql)).unwrap(), BODY);
    let stored = TargetTable { storage: Some("fillfactor=90".into()), ..table() };
    let sql = create_table(&stored, &dialect(TargetKind::PostgreSql)).unwrap();
    assert_eq!(sql, format!("{BODY} WITH (fillfactor=90)"));
}

#[test]
fn postgresql_ignores_a_distribution() {
    let spread = TargetTable { distribution: Some(Distribution::Replicated), ..table() };
    assert_eq!(create_table(&spread, &dialect(TargetKind::PostgreSql)).unwrap(), BODY);
}

#[test]
fn greenplum_gets_heap_storage_and_an_explicit_distribution() {
    let greenplum = dialect(TargetKind::Greenplum);
    let heap = format!("{BODY} WITH (appendonly=false)");
    for (distribution, clause) in [
        (None, "DISTRIBUTED BY (\"region\", \"id\")"),
        (Some(Distribution::By(vec!["id".into()])), "DISTRIBUTED BY (\"id\")"),
        (Some(Distribution::Replicated), "DISTRIBUTED REPLICATED"),
    ] {
        let spread = TargetTable { distribution, ..table() };
        assert_eq!(create_table(&spread, &greenplum).unwrap(), format!("{heap} {clause}"));
    }
    let keyless = TargetTable { primary_key: Vec::new(), ..table() };
    assert!(create_table(&keyless, &greenplum).unwrap().ends_with(") DISTRIBUTED RANDOMLY"));
    let chosen = TargetTable { storage: Some("appendoptimized=false, fillfactor=70".into()), ..table() };
    assert!(
        create_table(&chosen, &greenplum)
            .unwrap()
            .contains(" WITH (appendoptimized=false, fillfactor=70) DISTRIBUTED")
    );
}

#[test]
fn a_name_the_server_would_cut_off_is_refused() {
    let mut long = table();
    long.columns.push(column(&"é".repeat(32), TargetType::Text, true));
    let error = create_table(&long, &dialect(TargetKind::PostgreSql)).unwrap_err();
    assert!(error.why.contains("64 bytes"), "{error}");
}

#[test]
fn an_added_column_fills_the_rows_that_exist_and_keeps_no_default() {
    let add = |nullable, fill: Option<&str>| TargetChange::AddColumn {
        table: name(),
        column: column("note", TargetType::Varchar(Some(9)), nullable),
        fill: fill.map(str::to_owned),
        rows: RowsOf::One,
    };
    let head = "ALTER TABLE \"Shop\".\"or\"\"ders\" ADD COLUMN \"note\" varchar(9)";
    assert_eq!(on_postgres(&add(true, None)).unwrap(), [head]);
    assert_eq!(
        on_postgres(&add(false, Some("it's"))).unwrap(),
        [
            format!("{head} NOT NULL DEFAULT 'it''s'"),
            "ALTER TABLE \"Shop\".\"or\"\"ders\" ALTER COLUMN \"note\" DROP DEFAULT".to_owned(),
        ]
    );
}

#[test]
fn an_identical_existing_column_is_no_error_and_another_one_is() {
    let add = |data_type, nullable| TargetChange::AddColumn {
        table: name(),
        column: column("seen", data_type, nullable),
        fill: None,
        rows: RowsOf::One,
    };
    for nullable in [true, false] {
        assert!(on_postgres(&add(TargetType::TimestampTz(3), nullable)).is_ok());
    }
    let error = on_postgres(&add(TargetType::Date, true)).unwrap_err();
    assert!(error.why.contains("timestamp(3) with time zone and shall be date"), "{error}");
    let tighter = TargetChange::AddColumn {
        table: name(),
        column: column("id", TargetType::Bigint, true),
        fill: None,
        rows: RowsOf::One,
    };
    assert!(on_postgres(&tighter).is_err());
}

#[test]
fn a_column_that_is_there_is_filled_in_the_rows_of_the_source_that_adds_it() {
    let add = |fill: Option<&str>, rows| {
        on_postgres(&TargetChange::AddColumn {
            table: name(),
            column: column("region", TargetType::Varchar(Some(20)), false),
            fill: fill.map(str::to_owned),
            rows,
        })
    };
    let tagged = || RowsOf::Tagged { column: "src".into(), tag: "a:b'c".into() };
    let head = "UPDATE \"Shop\".\"or\"\"ders\" SET \"region\" =";
    assert_eq!(
        add(Some("x"), RowsOf::One).unwrap(),
        [format!("{head} 'x' WHERE \"region\" IS DISTINCT FROM 'x'")]
    );
    assert_eq!(
        add(Some("x"), tagged()).unwrap(),
        [format!("{head} 'x' WHERE \"src\" = 'a:b''c' AND \"region\" IS DISTINCT FROM 'x'")]
    );
    assert_eq!(
        add(None, tagged()).unwrap(),
        [format!("{head} NULL WHERE \"src\" = 'a:b''c' AND \"region\" IS NOT NULL")]
    );
    assert_eq!(add(None, RowsOf::Anybody).unwrap(), Vec::<String>::new());
}

#[test]
fn a_column_that_is_there_is_asked_for_other_values_where_nobody_can_tell_whose_rows_are_whose() {
    let add = |column, fill: Option<&str>, rows| TargetChange::AddColumn {
        table: name(),
        column,
        fill: fill.map(str::to_owned),
        rows,
    };
    let region = || column("region", TargetType::Varchar(Some(20)), false);
    let asked =
        |column, fill| rows_unlike(&add(column, fill, RowsOf::Anybody), &found()).map(|(query, _)| query);
    let head = "SELECT 1 FROM \"Shop\".\"or\"\"ders\" WHERE";
    assert_eq!(
        asked(region(), Some("x")).unwrap(),
        format!("{head} \"region\" IS DISTINCT FROM 'x' LIMIT 1")
    );
    assert_eq!(asked(region(), None).unwrap(), format!("{head} \"region\" IS NOT NULL LIMIT 1"));
    let place = column("place", TargetType::Geometry, true);
    assert_eq!(asked(place, Some("x")).unwrap(), format!("{head} true LIMIT 1"));
    let (_, unfit) = rows_unlike(&add(region(), Some("x"), RowsOf::Anybody), &found()).unwrap();
    assert!(
        unfit.why.contains("exists already") && unfit.remedy.to_string().contains("exclude_columns"),
        "{unfit}"
    );
    assert_eq!(asked(column("new", TargetType::Text, true), Some("x")), None);
    assert_eq!(rows_unlike(&add(region(), Some("x"), RowsOf::One), &found()), None);
}

#[test]
fn a_column_added_where_others_feed_the_table_too_takes_null() {
    let tagged = RowsOf::Tagged { column: "src".into(), tag: "a:b.c".into() };
    for (rows, not_null) in [(RowsOf::One, true), (RowsOf::Anybody, false), (tagged, false)] {
        let statements = on_postgres(&TargetChange::AddColumn {
            table: name(),
            column: column("note", TargetType::Integer, false),
            fill: Some("5".into()),
            rows,
        });
        assert_eq!(statements.unwrap()[0].contains("NOT NULL"), not_null);
    }
}

#[test]
fn a_column_is_altered_only_where_it_differs() {
    let alter = |data_type, nullable| TargetChange::AlterColumn {
        table: name(),
        column: column("region", data_type, nullable),
    };
    assert_eq!(
        on_postgres(&alter(TargetType::Text, true)).unwrap(),
        ["ALTER TABLE \"Shop\".\"or\"\"ders\" ALTER COLUMN \"region\" TYPE text USING \"region\"::text, \
             ALTER COLUMN \"region\" DROP NOT NULL"]
    );
    assert_eq!(on_postgres(&alter(TargetType::Varchar(Some(20)), false)).unwrap(), Vec::<String>::new());
    // Wider already: by another task that feeds the table, whose values must stay whole.
    assert_eq!(on_postgres(&alter(TargetType::Varchar(Some(10)), false)).unwrap(), Vec::<String>::new());
    let missing = TargetChange::AlterColumn { table: name(), column: column("x", TargetType::Text, true) };
    assert!(on_postgres(&missing).is_err());
}

#[test]
fn renaming_is_plain() {
    let rename = TargetChange::RenameColumn { table: name(), from: "seen".into(), to: "Last".into() };
    assert_eq!(
        on_postgres(&rename).unwrap(),
        ["ALTER TABLE \"Shop\".\"or\"\"ders\" RENAME COLUMN \"seen\" TO \"Last\""]
    );
}
