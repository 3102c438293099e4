use super::*;
use crate::change::policy::{NulBytes, ZeroDates};
use crate::change::{TableName, TargetColumn, TargetName, TargetTable};
use crate::schema::charset::charset;
use crate::schema::{Column, ColumnDefault, Table, column_type};
use crate::transform::mapping::tests::rules;
use crate::transform::{ColumnMapping, Plan, Policies, TableMapping};

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
    ] {
        let found = default_type(&source(declared), &rules).map(|found| found.to_string());
        assert_eq!(found.as_deref(), Some(target), "{declared}");
    }
    assert_eq!(default_type(&MySqlType::Unknown { declared: "uuid".into() }, &rules), None);
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

/// What is offered must be what the plan can do, for every pair.
#[test]
fn a_fit_is_promised_exactly_where_the_plan_has_a_codec() {
    let sources = [
        "tinyint",
        "tinyint unsigned",
        "tinyint(1)",
        "smallint",
        "smallint unsigned",
        "mediumint",
        "mediumint unsigned",
        "int",
        "int unsigned",
        "bigint",
        "bigint unsigned",
        "decimal(10,2)",
        "decimal(65,30)",
        "float",
        "double",
        "bit(1)",
        "bit(9)",
        "year",
        "date",
        "time",
        "time(3)",
        "datetime",
        "datetime(6)",
        "timestamp",
        "timestamp(3)",
        "char(5)",
        "varchar(36)",
        "text",
        "enum('a','bcd')",
        "enum('','a')",
        "set('a','b')",
        "binary(16)",
        "binary(3)",
        "varbinary(16)",
        "blob",
        "json",
        "point",
        "vector(3)",
    ];
    let targets = [
        "boolean",
        "smallint",
        "integer",
        "bigint",
        "numeric",
        "numeric(3)",
        "numeric(4)",
        "numeric(10,2)",
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
        "geometry",
    ];
    for declared in sources {
        for written in targets {
            let target = parse_target_type(written).unwrap();
            let column = Column {
                name: "a".into(),
                data_type: source(declared),
                nullable: true,
                default: ColumnDefault::None,
                generated: false,
                generation: None,
                auto_increment: false,
                limits: crate::schema::Limits::default(),
            };
            let name = TableName::new("d", "t");
            let table = Table {
                name: name.clone(),
                columns: vec![column],
                primary_key: Vec::new(),
                unique_keys: Vec::new(),
                hidden: crate::schema::HiddenColumns::default(),
                charset: charset("utf8mb4", None),
            };
            let columns = vec![TargetColumn { name: "a".into(), data_type: target.clone(), nullable: true }];
            let mapping = TableMapping {
                source: name,
                target: TargetTable {
                    name: TargetName { schema: "d".into(), table: "t".into() },
                    columns: columns.clone(),
                    primary_key: Vec::new(),
                    distribution: None,
                    storage: None,
                },
                columns: vec![ColumnMapping { source: 0, target: 0 }],
                source_tag: None,
            };
            let policies = Policies { zero_dates: ZeroDates::Null, nul_bytes: NulBytes::Error };
            let planned = Plan::compile(&table, &mapping, &columns, &policies).is_ok();
            let promised = fit(&source(declared), &target) != Fit::No;
            assert_eq!(promised, planned, "{declared} into {written}");
        }
    }
}

#[test]
fn labels_that_are_one_as_text_are_found() {
    assert_eq!(fit(&source("enum('','a')"), &TargetType::Text), Fit::Merging);
    assert_eq!(fit(&source("set('','a')"), &TargetType::Text), Fit::Merging);
    assert_eq!(fit(&source("enum('a','b')"), &TargetType::Text), Fit::Exact);
    assert_eq!(fit(&source("tinyint(1)"), &TargetType::Boolean), Fit::Checked);
}
