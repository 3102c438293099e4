use super::*;
use crate::change::policy::{IdentifierCase, Operations, TableOptions, TimeAs, TinyInt1};
use crate::schema::charset::charset;
use crate::schema::table::UniqueKey;
use crate::schema::{ColumnDefault, column_type};
use std::collections::BTreeMap;

/// The config's defaults.
pub(crate) fn rules() -> Rules {
    Rules {
        task: "shop".into(),
        schemas: BTreeMap::new(),
        identifier_case: IdentifierCase::Lower,
        zero_dates: ZeroDates::Null,
        tinyint1: TinyInt1::Smallint,
        time: TimeAs::Interval,
        operations: Operations { insert: true, update: true, delete: true, alter_table: true },
        accepted_cascades: Vec::new(),
        options: TableOptions::default(),
        exact_options: true,
        foreign_rows: false,
        shared_target: false,
        omits_generated: false,
        passing: BTreeMap::new(),
    }
}

/// A table `Shop.Orders` of `name type [null]` columns; the first is the primary key.
pub(crate) fn table(columns: &[&str]) -> Table {
    let defaults = charset("utf8mb4", None);
    let column = |text: &&str| {
        let (name, declared) = text.split_once(' ').unwrap();
        let (declared, nullable) =
            declared.strip_suffix(" null").map_or((declared, false), |rest| (rest, true));
        Column {
            name: name.into(),
            data_type: column_type::parse(declared, &defaults),
            nullable,
            default: ColumnDefault::None,
            generated: false,
            generation: None,
            auto_increment: false,
            limits: column_type::limits(declared),
        }
    };
    Table {
        name: TableName::new("Shop", "Orders"),
        columns: columns.iter().map(column).collect(),
        primary_key: vec![0],
        unique_keys: Vec::new(),
        foreign_keys: Vec::new(),
        hidden: crate::schema::HiddenColumns::default(),
        charset: defaults.clone(),
    }
}

/// The target in one line: columns with types, `?` where they take NULL, and the key.
pub(crate) fn shape(mapping: &TableMapping) -> String {
    let columns: Vec<String> = mapping
        .target
        .columns
        .iter()
        .map(|column| {
            format!("{} {}{}", column.name, column.data_type, if column.nullable { "?" } else { "" })
        })
        .collect();
    let feeds: Vec<String> =
        mapping.columns.iter().map(|column| format!("{}>{}", column.source, column.target)).collect();
    format!(
        "{}: {} pk({}) {}",
        mapping.target.name,
        columns.join(", "),
        mapping.target.primary_key.join(","),
        feeds.join(" ")
    )
}

fn refusal(table: &Table, rules: &Rules) -> String {
    let error = map_table(table, rules).unwrap_err();
    assert!(matches!(error.retry(), crate::change::Retry::AfterFix { .. }), "{error}");
    error.to_string()
}

#[test]
fn names_are_folded_and_columns_keep_their_order() {
    let orders = table(&["Id bigint", "Note varchar(20) null", "At datetime", "Born date null"]);
    assert_eq!(
        shape(&map_table(&orders, &rules()).unwrap()),
        "shop.orders: id bigint, note varchar(20)?, at timestamp(0)?, born date? pk(id) 0>0 1>1 2>2 3>3"
    );
    let mut preserving = rules();
    preserving.identifier_case = IdentifierCase::Preserve;
    preserving.zero_dates = ZeroDates::Error;
    assert_eq!(
        shape(&map_table(&orders, &preserving).unwrap()),
        "Shop.Orders: Id bigint, Note varchar(20)?, At timestamp(0), Born date? pk(Id) 0>0 1>1 2>2 3>3"
    );
}

#[test]
fn the_tables_options_are_followed() {
    let orders = table(&["Id bigint", "Note varchar(20) null", "Secret text null", "Paid tinyint(1)"]);
    let mut rules = rules();
    rules.schemas.insert("Shop".into(), "DW".into());
    rules.options = TableOptions {
        target: Some("Orders_All".into()),
        columns: BTreeMap::from([("note".into(), "Remark".into())]),
        exclude_columns: vec!["SECRET".into()],
        types: BTreeMap::from([("paid".into(), "bool".into())]),
        source_column: Some("src".into()),
        distributed_by: Some(Distributed::By(vec!["ID".into()])),
        storage: Some("fillfactor=90".into()),
        primary_key: Some(vec!["paid".into(), "id".into()]),
        ddl_policy: BTreeMap::new(),
        bad_rows: None,
    };
    let mapping = map_table(&orders, &rules).unwrap();
    assert_eq!(
        shape(&mapping),
        "DW.Orders_All: src text, id bigint, Remark varchar(20)?, paid boolean pk(src,paid,id) 0>1 1>2 3>3"
    );
    assert_eq!(mapping.source_tag, Some((0, "shop:Shop.Orders".into())));
    assert_eq!(mapping.target.distribution, Some(Distribution::By(vec!["id".into()])));
    assert_eq!(mapping.target.storage.as_deref(), Some("fillfactor=90"));
    // The column that tells sources apart is none of the source.
    rules.options.distributed_by = Some(Distributed::By(vec!["src".into(), "id".into()]));
    let mapping = map_table(&orders, &rules).unwrap();
    assert_eq!(mapping.target.distribution, Some(Distribution::By(vec!["src".into(), "id".into()])));
}

#[test]
fn without_a_primary_key_a_unique_key_serves() {
    let mut orders = table(&["a int null", "b int", "c int"]);
    orders.primary_key.clear();
    assert!(refusal(&orders, &rules()).contains("neither a primary key nor a unique key"));
    orders.unique_keys = vec![UniqueKey { name: "u".into(), columns: vec![2, 1] }];
    assert_eq!(map_table(&orders, &rules()).unwrap().target.primary_key, ["c", "b"]);
}

#[test]
fn a_chosen_key_must_hold_a_key_of_the_source() {
    let mut orders = table(&["id int", "a int", "b int null"]);
    orders.unique_keys = vec![UniqueKey { name: "a".into(), columns: vec![1] }];
    let with = |key: &[&str]| {
        let mut rules = rules();
        rules.options.primary_key = Some(key.iter().map(|name| (*name).to_owned()).collect());
        rules
    };
    assert_eq!(map_table(&orders, &with(&["a"])).unwrap().target.primary_key, ["a"]);
    assert_eq!(map_table(&orders, &with(&["A", "id"])).unwrap().target.primary_key, ["a", "id"]);
    assert!(refusal(&orders, &with(&["b"])).contains("would merge rows"));
    assert!(refusal(&orders, &with(&["id", "b"])).contains("would merge rows"));
    assert!(refusal(&orders, &with(&[])).contains("would merge rows"));
    assert!(refusal(&orders, &with(&["nope"])).contains("does not have"));
    let mut excluding = with(&["a"]);
    excluding.options.exclude_columns = vec!["a".into()];
    assert!(refusal(&orders, &excluding).contains("left out by exclude_columns"));
}

#[test]
fn what_would_merge_rows_is_refused_in_a_key_only() {
    let charsets =
        ["cp932", "sjis", "ujis", "armscii8"].map(|name| format!("varchar(9) character set {name}"));
    let declarations = ["enum('','a')", "set('','a')"].into_iter().chain(charsets.iter().map(String::as_str));
    for declared in declarations {
        let column = format!("k {declared}");
        assert!(
            refusal(&table(&[column.as_str(), "a int"]), &rules()).contains("would merge rows"),
            "{declared}"
        );
        assert!(map_table(&table(&["id int", column.as_str()]), &rules()).is_ok(), "{declared}");
    }
    // A key never takes NULL: a zero date there is an error when it comes.
    let dated = map_table(&table(&["day date", "at date"]), &rules()).unwrap();
    assert_eq!(shape(&dated), "shop.orders: day date, at date? pk(day) 0>0 1>1");
}

#[test]
fn labels_that_may_stand_for_others_are_refused() {
    for declared in ["enum('?','a')", "set('a','x?y')", "enum('a?') character set gb18030"] {
        let table = table(&["id int", &format!("e {declared}")]);
        assert!(refusal(&table, &rules()).contains("question mark"), "{declared}");
        let mut without = rules();
        without.options.exclude_columns = vec!["e".into()];
        assert!(map_table(&table, &without).is_ok(), "{declared}");
    }
    for declared in ["enum('?') character set latin1", "set('?','b') character set utf8mb3", "enum('!')"] {
        assert!(map_table(&table(&["id int", &format!("e {declared}")]), &rules()).is_ok(), "{declared}");
    }
}

#[test]
fn labels_in_a_character_set_that_is_not_decoded_are_refused() {
    for charset in ["big5", "eucjpms", "swe7", "binary"] {
        let table = table(&["id int", &format!("e enum('a','b') character set {charset}")]);
        assert!(refusal(&table, &rules()).contains(charset), "{charset}");
    }
}

#[test]
fn types_that_cannot_be_carried_are_named() {
    let with = |written: &str| {
        let mut rules = rules();
        rules.options.types.insert("a".into(), written.into());
        rules
    };
    let orders = table(&["id int", "a int"]);
    assert!(refusal(&orders, &with("frobs")).contains("frobs"));
    assert!(refusal(&orders, &with("date")).contains("INT cannot be carried into date"));
    assert!(refusal(&orders, &with("smallint")).contains("cannot be carried"));
    assert!(map_table(&orders, &with("numeric")).is_ok());
    assert!(refusal(&table(&["id int", "a xmltype"]), &rules()).contains("xmltype"));
    assert!(refusal(&table(&["id int", "a text character set swe7"]), &rules()).contains("swe7"));
}

#[test]
fn names_the_target_cannot_have_are_refused() {
    let long = "x".repeat(64);
    let column = format!("{long} int");
    assert!(refusal(&table(&["id int", column.as_str()]), &rules()).contains("64 bytes"));
    assert!(refusal(&table(&["id int", "ctid int"]), &rules()).contains("system column"));
    assert!(
        refusal(&table(&["id int", "A int", "a2 int"]), &{
            let mut rules = rules();
            rules.options.columns.insert("a2".into(), "a".into());
            rules
        })
        .contains("would both be \"a\"")
    );
    let with = |change: fn(&mut TableOptions)| {
        let mut rules = rules();
        change(&mut rules.options);
        rules
    };
    let orders = table(&["id int", "a int"]);
    assert!(refusal(&orders, &with(|options| options.target = Some("dw.x".into()))).contains("dot"));
    assert!(refusal(&orders, &with(|options| options.target = Some(String::new()))).contains("empty"));
    assert!(refusal(&orders, &with(|options| options.source_column = Some("A".repeat(64)))).contains("64"));
    assert!(refusal(&orders, &with(|options| options.source_column = Some("a".into()))).contains("both be"));
    let by_a = |options: &mut TableOptions| {
        options.distributed_by = Some(Distributed::By(vec!["a".into()]));
    };
    assert!(refusal(&orders, &with(by_a)).contains("not in the target's primary key"));
}

#[test]
fn a_misspelt_column_is_an_error_unless_a_glob_named_it() {
    let mut rules = rules();
    rules.options.exclude_columns = vec!["secert".into()];
    let orders = table(&["id int", "secret text"]);
    assert!(refusal(&orders, &rules).contains("secert"));
    rules.exact_options = false;
    assert!(map_table(&orders, &rules).is_ok());
}

#[test]
fn a_mapping_survives_being_stored() {
    let mapping = map_table(&table(&["id int", "a text null"]), &rules()).unwrap();
    let text = serde_json::to_string(&mapping).unwrap();
    assert_eq!(serde_json::from_str::<TableMapping>(&text).unwrap(), mapping);
}

#[test]
fn a_virtual_column_that_hangs_on_who_reads_it_is_not_mapped() {
    let mapped = |stored: bool, expression: &str, excluded: &[&str]| {
        let mut table = table(&["id int", "ts timestamp", "d datetime", "g varchar(30)"]);
        table.columns[3].generated = true;
        table.columns[3].generation =
            Some(crate::schema::Generation { stored, expression: expression.to_owned() });
        let mut rules = rules();
        rules.options.exclude_columns = excluded.iter().map(|&name| name.to_owned()).collect();
        map_table(&table, &rules).map(|_| ()).map_err(|error| format!("{error} {}", error.retry().remedy()))
    };
    let refused = mapped(false, "concat(`ts`)", &[]).unwrap_err();
    assert!(refused.contains("virtual column g has no one value"), "{refused}");
    assert!(refused.contains("exclude_columns = [\"g\"]"), "{refused}");
    assert_eq!(mapped(false, "concat(`ts`)", &["g"]), Ok(()));
    for settled in ["`id` + 1", "`id` / 3", "date(`d`)"] {
        assert_eq!(mapped(false, settled, &[]), Ok(()), "{settled}");
    }
    assert!(mapped(false, "from_unixtime(`id`)", &[]).is_err());
    assert_eq!(mapped(true, "concat(`ts`)", &[]), Ok(()));
}
