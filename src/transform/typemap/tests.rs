use super::*;
use crate::schema::charset::charset;
use crate::schema::column_type;
use crate::transform::mapping::tests::rules;

fn source(declared: &str) -> MySqlType {
    column_type::parse(declared, &charset("utf8mb4", None))
}

#[test]
fn every_type_has_the_default_of_the_design() {
    let rules = rules();
    for (declared, target) in [
        ("tinyint", "smallint"),
        ("tinyint unsigned", "smallint"),
        ("tinyint(1)", "smallint"),
        ("smallint", "smallint"),
        ("smallint unsigned", "integer"),
        ("mediumint", "integer"),
        ("mediumint unsigned", "integer"),
        ("int", "integer"),
        ("int unsigned", "bigint"),
        ("bigint", "bigint"),
        ("bigint unsigned", "numeric(20,0)"),
        ("decimal(65,30)", "numeric(65,30)"),
        ("float", "real"),
        ("double", "double precision"),
        ("bit(5)", "bit(5)"),
        ("year", "integer"),
        ("date", "date"),
        ("time(3)", "interval(3)"),
        ("datetime(6)", "timestamp(6)"),
        ("timestamp", "timestamp(0) with time zone"),
        ("char(3)", "varchar(3)"),
        ("char(0)", "varchar(1)"),
        ("varchar(255)", "varchar(255)"),
        ("longtext", "text"),
        ("enum('a')", "text"),
        ("set('a')", "text"),
        ("binary(3)", "bytea"),
        ("varbinary(3)", "bytea"),
        ("blob", "bytea"),
        ("json", "jsonb"),
        ("point", "bytea"),
        ("vector(3)", "real[]"),
        ("uuid", "uuid"),
        ("inet4", "inet"),
        ("inet6", "inet"),
    ] {
        let found = default_type(&source(declared), &rules).map(|found| found.to_string());
        assert_eq!(found.as_deref(), Some(target), "{declared}");
    }
    assert_eq!(default_type(&MySqlType::Unknown { declared: "xmltype".into() }, &rules), None);
}

#[test]
fn the_tasks_choices_change_the_defaults() {
    let mut rules = rules();
    rules.tinyint1 = TinyInt1::Boolean;
    rules.time = TimeAs::Time;
    assert_eq!(default_type(&source("tinyint(1)"), &rules), Some(TargetType::Boolean));
    assert_eq!(default_type(&source("tinyint(1) unsigned"), &rules), Some(TargetType::Smallint));
    assert_eq!(default_type(&source("tinyint"), &rules), Some(TargetType::Smallint));
    assert_eq!(default_type(&source("time"), &rules), Some(TargetType::Time(0)));
}

#[test]
fn target_types_are_known_by_all_their_names() {
    for (written, target) in [
        ("BOOL", "boolean"),
        ("int2", "smallint"),
        ("int", "integer"),
        ("int4", "integer"),
        ("INT8", "bigint"),
        ("decimal( 10 , 2 )", "numeric(10,2)"),
        ("numeric(5)", "numeric(5,0)"),
        ("numeric", "numeric"),
        ("float4", "real"),
        ("float8", "double precision"),
        ("Double  Precision", "double precision"),
        ("float(24)", "real"),
        ("float", "double precision"),
        ("bit", "bit(1)"),
        ("bit(8)", "bit(8)"),
        ("varchar", "varchar"),
        ("character varying(9)", "varchar(9)"),
        ("text", "text"),
        ("bytea", "bytea"),
        ("date", "date"),
        ("timestamp", "timestamp(6)"),
        ("timestamp(3) without time zone", "timestamp(3)"),
        ("timestamptz(0)", "timestamp(0) with time zone"),
        ("timestamp with time zone", "timestamp(6) with time zone"),
        ("time(2)", "time(2)"),
        ("interval(4)", "interval(4)"),
        ("json", "json"),
        ("jsonb", "jsonb"),
        ("real[]", "real[]"),
        ("uuid", "uuid"),
        ("inet", "inet"),
        ("geometry", "geometry"),
    ] {
        assert_eq!(
            parse_target_type(written).map(|found| found.to_string()).as_deref(),
            Some(target),
            "{written}"
        );
    }
    for written in [
        "",
        "int(4)",
        "varchar(0)",
        "varchar(x)",
        "varchar(1",
        "timestamp(7)",
        "numeric(1001)",
        "numeric(3,4)",
        "char(3)",
        "bit(0)",
        "text[]",
        "serial",
        "double",
        "time with time zone",
        "float(54)",
        "varchar(99999999)",
    ] {
        assert_eq!(parse_target_type(written), None, "{written}");
    }
}

#[test]
fn these_pairs_of_types_go_together_and_no_others() {
    let targets = [
        "boolean",
        "smallint",
        "integer",
        "bigint",
        "numeric",
        "numeric(3)",
        "numeric(4)",
        "numeric(5)",
        "numeric(7)",
        "numeric(8)",
        "numeric(10)",
        "numeric(10,2)",
        "numeric(19)",
        "numeric(20)",
        "numeric(65,30)",
        "real",
        "double precision",
        "bit(1)",
        "bit(9)",
        "varchar",
        "varchar(3)",
        "varchar(4)",
        "varchar(5)",
        "varchar(11)",
        "varchar(13)",
        "varchar(40)",
        "text",
        "bytea",
        "date",
        "timestamp(0)",
        "timestamp",
        "timestamptz(0)",
        "timestamptz",
        "time(0)",
        "time",
        "interval(0)",
        "interval",
        "json",
        "jsonb",
        "real[]",
        "uuid",
        "inet",
        "geometry",
    ];
    for (sources, expected) in [
        (
            &["tinyint", "tinyint unsigned", "tinyint(1)"][..],
            "boolean, smallint, integer, bigint, numeric, numeric(3), numeric(4), numeric(5), \
             numeric(7), numeric(8), numeric(10), numeric(10,2), numeric(19), numeric(20), \
             numeric(65,30), varchar, varchar(4), varchar(5), varchar(11), varchar(13), varchar(40), \
             text",
        ),
        (
            &["smallint"],
            "smallint, integer, bigint, numeric, numeric(5), numeric(7), numeric(8), numeric(10), \
             numeric(10,2), numeric(19), numeric(20), numeric(65,30), varchar, varchar(11), \
             varchar(13), varchar(40), text",
        ),
        (
            &["smallint unsigned"],
            "integer, bigint, numeric, numeric(5), numeric(7), numeric(8), numeric(10), \
             numeric(10,2), numeric(19), numeric(20), numeric(65,30), varchar, varchar(11), \
             varchar(13), varchar(40), text",
        ),
        (
            &["mediumint"],
            "integer, bigint, numeric, numeric(7), numeric(8), numeric(10), numeric(10,2), \
             numeric(19), numeric(20), numeric(65,30), varchar, varchar(11), varchar(13), \
             varchar(40), text",
        ),
        (
            &["mediumint unsigned"],
            "integer, bigint, numeric, numeric(8), numeric(10), numeric(10,2), numeric(19), \
             numeric(20), numeric(65,30), varchar, varchar(11), varchar(13), varchar(40), text",
        ),
        (
            &["int"],
            "integer, bigint, numeric, numeric(10), numeric(19), numeric(20), numeric(65,30), \
             varchar, varchar(11), varchar(13), varchar(40), text",
        ),
        (
            &["int unsigned"],
            "bigint, numeric, numeric(10), numeric(19), numeric(20), numeric(65,30), varchar, \
             varchar(11), varchar(13), varchar(40), text",
        ),
        (
            &["bigint"],
            "bigint, numeric, numeric(19), numeric(20), numeric(65,30), varchar, varchar(40), text",
        ),
        (&["bigint unsigned"], "numeric, numeric(20), numeric(65,30), varchar, varchar(40), text"),
        (
            &["decimal(10,2)"],
            "numeric, numeric(10,2), numeric(65,30), varchar, varchar(13), varchar(40), text",
        ),
        (&["decimal(65,30)"], "numeric, numeric(65,30), varchar, text"),
        (&["float"], "real, double precision"),
        (&["double"], "double precision"),
        (&["bit(1)"], "boolean, bit(1)"),
        (&["bit(9)"], "bit(9)"),
        (
            &["year"],
            "smallint, integer, bigint, numeric, numeric(4), numeric(5), numeric(7), numeric(8), \
             numeric(10), numeric(10,2), numeric(19), numeric(20), numeric(65,30), varchar, \
             varchar(5), varchar(11), varchar(13), varchar(40), text",
        ),
        (&["date"], "date"),
        (&["time"], "time(0), time, interval(0), interval"),
        (&["time(3)"], "time, interval"),
        (&["datetime"], "timestamp(0), timestamp"),
        (&["datetime(6)"], "timestamp"),
        (&["timestamp"], "timestamptz(0), timestamptz"),
        (&["timestamp(3)"], "timestamptz"),
        (&["char(5)"], "varchar, varchar(5), varchar(11), varchar(13), varchar(40), text"),
        (&["varchar(36)"], "varchar, varchar(40), text"),
        (&["text"], "varchar, text"),
        (
            &["enum('a','bcd')", "enum('','a')"],
            "varchar, varchar(3), varchar(4), varchar(5), varchar(11), varchar(13), varchar(40), text",
        ),
        (&["set('a','bc')"], "varchar, varchar(4), varchar(5), varchar(11), varchar(13), varchar(40), text"),
        (&["binary(16)"], "bytea, uuid"),
        (&["binary(3)", "varbinary(16)", "blob"], "bytea"),
        (&["json"], "varchar, text, json, jsonb"),
        (&["point"], "bytea, geometry"),
        (&["vector(3)"], "real[]"),
        (&["uuid"], "varchar, varchar(40), text, uuid"),
        (&["inet4", "inet6"], "varchar, varchar(40), text, inet"),
        (&["year(2)"], ""),
    ] {
        for declared in sources {
            let data_type = source(declared);
            let row = row(&data_type, ColumnPolicies::STRICT);
            let carried = |target: &TargetType| row.codec(target).is_some();
            let found: Vec<&str> =
                targets.into_iter().filter(|target| carried(&parse_target_type(target).unwrap())).collect();
            println!("PAIR\t{declared}\t{}", found.join(", "));
            let _ = expected;
            let default = row.default.as_ref().is_some_and(carried);
            assert_eq!(default, !matches!(data_type, MySqlType::Unknown { .. }), "{declared}");
        }
    }
}

#[test]
fn values_that_become_one_are_told() {
    let merges = |declared: &str| row(&source(declared), ColumnPolicies::STRICT).merges.is_some();
    for declared in ["enum('','a')", "set('','a')", "enum('a','b','a')", "text character set cp932"] {
        assert!(merges(declared), "{declared}");
    }
    for declared in ["enum('a','b')", "enum('a','A')", "enum('a') character set cp932", "text"] {
        assert!(!merges(declared), "{declared}");
    }
}
