use super::*;

fn utf8mb4() -> Charset {
    charset("utf8mb4", Some("utf8mb4_0900_ai_ci"))
}

fn of(declared: &str) -> MySqlType {
    parse(declared, &utf8mb4())
}

fn labels(declared: &str) -> Vec<String> {
    match of(declared) {
        MySqlType::Enum { labels, .. } | MySqlType::Set { labels, .. } => labels,
        other => panic!("{declared} was read as {other:?}"),
    }
}

#[test]
fn integers_keep_their_size_and_sign() {
    assert_eq!(of("tinyint(1)"), MySqlType::TinyInt { unsigned: false, display_one: true });
    assert_eq!(of("BOOL"), of("tinyint(1)"));
    assert_eq!(of("Boolean"), of("tinyint(1)"));
    assert_eq!(of("tinyint"), MySqlType::TinyInt { unsigned: false, display_one: false });
    assert_eq!(of("tinyint(4) unsigned"), MySqlType::TinyInt { unsigned: true, display_one: false });
    assert_eq!(of("smallint(5) unsigned zerofill"), MySqlType::SmallInt { unsigned: true });
    assert_eq!(of("mediumint"), MySqlType::MediumInt { unsigned: false });
    assert_eq!(of("INTEGER(11)"), MySqlType::Int { unsigned: false });
    assert_eq!(of("int(10) zerofill"), MySqlType::Int { unsigned: true });
    assert_eq!(of("BIGINT UNSIGNED"), MySqlType::BigInt { unsigned: true });
    assert_eq!(of("int8 signed"), MySqlType::BigInt { unsigned: false });
    assert_eq!(of("SERIAL"), MySqlType::BigInt { unsigned: true });
}

#[test]
fn exact_and_approximate_numbers_are_told_apart() {
    assert_eq!(of("decimal(65,30)"), MySqlType::Decimal { precision: 65, scale: 30 });
    assert_eq!(of("numeric"), MySqlType::Decimal { precision: 10, scale: 0 });
    assert_eq!(of("DEC( 7 )"), MySqlType::Decimal { precision: 7, scale: 0 });
    assert_eq!(of("fixed(5,2) unsigned"), MySqlType::Decimal { precision: 5, scale: 2 });
    assert_eq!(of("float(7,3)"), MySqlType::Float);
    assert_eq!(of("float(24)"), MySqlType::Float);
    assert_eq!(of("float(25)"), MySqlType::Double);
    assert_eq!(of("double(10,2) unsigned"), MySqlType::Double);
    assert_eq!(of("DOUBLE  PRECISION"), MySqlType::Double);
    assert_eq!(of("real"), MySqlType::Double);
    assert_eq!(of("bit(64)"), MySqlType::Bit { bits: 64 });
    assert_eq!(of("bit"), MySqlType::Bit { bits: 1 });
}

#[test]
fn a_time_type_keeps_its_fraction_and_its_storage_format() {
    assert_eq!(of("year(4)"), MySqlType::Year);
    assert_eq!(of("date"), MySqlType::Date);
    assert_eq!(of("time(6)"), MySqlType::Time { fraction: 6, old_format: false });
    assert_eq!(of("DATETIME"), MySqlType::DateTime { fraction: 0, old_format: false });
    assert_eq!(of("timestamp(3)"), MySqlType::Timestamp { fraction: 3, old_format: false });
    assert_eq!(
        of("timestamp /* 5.5 binary format */"),
        MySqlType::Timestamp { fraction: 0, old_format: true }
    );
    assert_eq!(of("datetime /* mariadb-5.3 */"), MySqlType::DateTime { fraction: 0, old_format: true });
    assert_eq!(of("time(2) /* mysql-5.6 */"), MySqlType::Time { fraction: 2, old_format: false });
    assert!(matches!(of("time(2) /* mariadb-5.3 */"), MySqlType::Unknown { .. }));
}

#[test]
fn text_takes_the_columns_charset_unless_it_names_its_own() {
    assert_eq!(of("varchar(255)"), MySqlType::VarChar { length: 255, charset: utf8mb4() });
    assert_eq!(
        of("CHARACTER VARYING(9) CHARACTER SET latin1"),
        MySqlType::VarChar { length: 9, charset: charset("latin1", None) }
    );
    assert_eq!(
        of("char(3) collate gbk_bin"),
        MySqlType::Char { length: 3, charset: charset("gbk", Some("gbk_bin")) }
    );
    assert_eq!(
        of("char(3) charset utf8 collate 'utf8_unicode_ci'"),
        MySqlType::Char { length: 3, charset: charset("utf8mb3", Some("utf8_unicode_ci")) }
    );
    assert_eq!(
        of("varchar(3) binary"),
        MySqlType::VarChar { length: 3, charset: charset("utf8mb4", Some("utf8mb4_bin")) }
    );
    for spelling in ["nchar(3)", "national char(3)", "NATIONAL CHARACTER(3)"] {
        assert_eq!(of(spelling), MySqlType::Char { length: 3, charset: charset("utf8mb3", None) });
    }
    for spelling in ["nvarchar(3)", "national varchar(3)", "nchar varying(3)", "nchar varchar(3)"] {
        assert_eq!(of(spelling), MySqlType::VarChar { length: 3, charset: charset("utf8mb3", None) });
    }
    assert_eq!(of("longtext"), MySqlType::Text { length_bytes: 4, charset: utf8mb4() });
    assert_eq!(of("long varchar"), MySqlType::Text { length_bytes: 3, charset: utf8mb4() });
}

#[test]
fn text_with_a_length_becomes_the_smallest_type_that_holds_it() {
    assert_eq!(of("text(63)"), MySqlType::Text { length_bytes: 1, charset: utf8mb4() });
    assert_eq!(of("text(64)"), MySqlType::Text { length_bytes: 2, charset: utf8mb4() });
    assert_eq!(of("text"), MySqlType::Text { length_bytes: 2, charset: utf8mb4() });
    assert_eq!(of("blob(255)"), MySqlType::Blob { length_bytes: 1 });
    assert_eq!(of("blob(65536)"), MySqlType::Blob { length_bytes: 3 });
    assert_eq!(of("varchar(20000)"), MySqlType::Text { length_bytes: 3, charset: utf8mb4() });
    assert_eq!(of("varbinary(65535)"), MySqlType::VarBinary { length: 65_535 });
}

#[test]
fn a_binary_charset_makes_bytes() {
    assert_eq!(of("char(5) byte"), MySqlType::Binary { length: 5 });
    assert_eq!(of("varchar(5) character set binary"), MySqlType::VarBinary { length: 5 });
    assert_eq!(of("text charset binary"), MySqlType::Blob { length_bytes: 2 });
    assert_eq!(parse("varchar(5)", &charset("binary", None)), MySqlType::VarBinary { length: 5 });
    assert_eq!(of("binary"), MySqlType::Binary { length: 1 });
    assert_eq!(of("long varbinary"), MySqlType::Blob { length_bytes: 3 });
}

#[test]
fn labels_may_hold_anything() {
    assert_eq!(
        labels(r"enum('a''b','c\\d','e,f','g\nh','ü','','z\q','(x)')"),
        ["a'b", "c\\d", "e,f", "g\nh", "ü", "", "zq", "(x)"]
    );
    assert_eq!(
        labels("ENUM ( \"a'\" , 0x4142, x'43', b'01000100', '%\\%' )"),
        ["a'", "AB", "C", "D", "%\\%"]
    );
    assert_eq!(labels("set('x ','y')"), ["x", "y"]);
    assert_eq!(labels("SET('x','y') CHARACTER SET latin1"), ["x", "y"]);
    let unescaped = parse_with(r"enum('a\','b')", &utf8mb4(), false, None);
    assert_eq!(unescaped, MySqlType::Enum { labels: vec!["a\\".into(), "b".into()], charset: utf8mb4() });
}

#[test]
fn the_other_types_are_known() {
    assert_eq!(of("json"), MySqlType::Json);
    assert_eq!(of("geomcollection"), MySqlType::Geometry { kind: "geomcollection".into() });
    assert_eq!(of("POINT"), MySqlType::Geometry { kind: "point".into() });
    assert_eq!(of("vector(3)"), MySqlType::Vector { dimensions: 3 });
}

#[test]
fn what_is_not_understood_is_unknown_and_keeps_its_text() {
    for declared in [
        "uuid(3)",
        "xmltype",
        "",
        "int(",
        "varchar",
        "enum('a'",
        "enum()",
        "int not null",
        "date unsigned",
        "varchar(5) /*M!999999 WHATEVER*/",
        "varchar(5) unsigned",
        "int charset utf8",
        "decimal(66,2)",
        "decimal(5,6)",
        "bit(65)",
        "time(7)",
        "float(54)",
        "double(3)",
        "enum('\u{e9}', 0xe9)",
        "enum(0x4142) character set ucs2",
        "set(x'41') charset utf32",
        "year(2)",
        "`int`",
        "json binary",
        "char(256)",
        "blob(99999999999)",
    ] {
        assert_eq!(of(declared), MySqlType::Unknown { declared: declared.to_owned() }, "{declared}");
    }
}

#[test]
fn what_a_declaration_allows_beyond_its_type_is_kept() {
    let of = |declared| {
        let limits = limits(declared);
        let digits = limits.digits.map_or(String::new(), |(digits, places)| format!(" {digits},{places}"));
        format!(
            "{}{}{digits}",
            if limits.unsigned { "u" } else { "" },
            if limits.zerofill { "z" } else { "" }
        )
    };
    for (declared, expected) in [
        ("int", ""),
        ("int(5) unsigned", "u"),
        ("int(5) zerofill", "uz"),
        ("decimal(10,2)", ""),
        ("decimal(10,2) unsigned zerofill", "uz"),
        ("float", ""),
        ("float(24)", ""),
        ("FLOAT(7,3) UNSIGNED", "u 7,3"),
        ("double precision (10, 2)", " 10,2"),
        ("double unsigned", "u"),
        ("serial", "u"),
        ("enum('unsigned','zerofill')", ""),
        ("varchar(20) character set latin1", ""),
    ] {
        assert_eq!(of(declared), expected, "{declared}");
    }
}
