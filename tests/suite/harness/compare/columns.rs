//! Which columns are compared, and the SQL that makes each side print them alike.

use super::value::Kind;
use crate::harness::{Mysql, PostgresDatabase};
use std::collections::{BTreeMap, BTreeSet};

/// One compared column.
#[derive(Debug)]
pub(super) struct Column {
    /// The source's name.
    pub(super) name: String,
    /// MySQL's expression.
    pub(super) source: String,
    /// PostgreSQL's expression.
    pub(super) target: String,
    /// What is left to do to both texts.
    pub(super) kind: Kind,
}

/// The columns of both tables.
#[derive(Debug)]
pub(super) struct Columns {
    /// Those of the source, those of the primary key first.
    pub(super) compared: Vec<Column>,
    /// How many of them are of the primary key.
    pub(super) key: usize,
    /// One that only the target has, if any.
    pub(super) surplus: Option<String>,
}

/// The columns. An error when the target lacks one.
pub(super) async fn columns(
    mysql: &Mysql,
    source: &str,
    postgres: &PostgresDatabase<'_>,
    target: &str,
    renames: &BTreeMap<String, String>,
    skipped: &BTreeSet<String>,
) -> Result<Columns, String> {
    let (database, table) = source.split_once('.').expect("database.table");
    let (schema, relation) = target.split_once('.').expect("schema.table");
    // Key columns first, in the key's order.
    let ours = mysql
        .sql(&format!(
            "SELECT c.COLUMN_NAME, c.DATA_TYPE, c.COLUMN_TYPE, s.SEQ_IN_INDEX FROM information_schema.COLUMNS c \
             LEFT JOIN information_schema.STATISTICS s ON s.TABLE_SCHEMA = c.TABLE_SCHEMA \
               AND s.TABLE_NAME = c.TABLE_NAME AND s.COLUMN_NAME = c.COLUMN_NAME AND s.INDEX_NAME = 'PRIMARY' \
             WHERE c.TABLE_SCHEMA = '{database}' AND c.TABLE_NAME = '{table}' \
             ORDER BY s.SEQ_IN_INDEX IS NULL, s.SEQ_IN_INDEX, c.ORDINAL_POSITION"
        ))
        .await;
    let theirs = postgres
        .look(&format!(
            "SELECT column_name, udt_name FROM information_schema.columns \
             WHERE table_schema = '{schema}' AND table_name = '{relation}'"
        ))
        .await;
    let mut types: BTreeMap<String, String> = theirs
        .into_iter()
        .filter_map(|row| match row.as_slice() {
            [Some(name), Some(udt)] => Some((name.clone(), udt.clone())),
            _ => None,
        })
        .collect();
    if ours.is_empty() || types.is_empty() {
        let missing = if ours.is_empty() { source } else { target };
        return Err(format!("there is no table {missing}"));
    }
    let (mut compared, mut key) = (Vec::new(), 0);
    for row in ours {
        let [Some(name), Some(data_type), Some(column_type), sequence] = row.as_slice() else {
            panic!("a column of {source}: {row:?}");
        };
        if skipped.contains(name) {
            continue;
        }
        let candidates = [renames.get(name).cloned(), Some(name.clone()), Some(name.to_lowercase())];
        let found = candidates.into_iter().flatten().find_map(|name| types.remove_entry(&name));
        let Some((target_name, udt)) = found else {
            return Err(format!("{target} has no column for {source}.{name}"));
        };
        key += usize::from(sequence.is_some());
        compared.push(column(name, data_type, column_type, &target_name, &udt));
    }
    types.retain(|name, _| !skipped.contains(name));
    Ok(Columns { compared, key, surplus: types.into_keys().next() })
}

fn column(name: &str, data_type: &str, column_type: &str, target_name: &str, udt: &str) -> Column {
    let c = format!("`{}`", name.replace('`', "``"));
    let p = format!("\"{}\"", target_name.replace('"', "\"\""));
    // A date that the target cannot hold becomes NULL: zero and partial ones, year 0, days no month has.
    let dated = |format: &str| {
        format!(
            "CASE WHEN YEAR({c}) = 0 OR MONTH({c}) = 0 OR DAYOFMONTH({c}) = 0 \
             OR DAYOFMONTH({c}) > DAYOFMONTH(LAST_DAY(DATE_FORMAT({c}, '%Y-%m-01'))) THEN NULL \
             ELSE DATE_FORMAT({c}, '{format}') END"
        )
    };
    let (source, target, kind) = match data_type {
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "year" if udt == "bool" => (
            format!("CASE WHEN {c} <> 0 THEN 'true' WHEN {c} = 0 THEN 'false' END"),
            format!("{p}::text"),
            Kind::Text,
        ),
        // `+ 0` takes away ZEROFILL and YEAR's four digits.
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "year" => {
            (format!("{c} + 0"), format!("{p}::text"), Kind::Text)
        }
        "decimal" => {
            let plain = column_type.split_once(')').map_or(column_type, |(digits, _)| digits);
            (format!("CAST({c} AS {plain}))"), format!("{p}::text"), Kind::Text)
        }
        // The product is a double: a FLOAT alone prints with six digits.
        "float" | "double" => (format!("{c} * 1e0"), format!("{p}::float8::text"), Kind::Float),
        "bit" if udt == "bool" => (
            format!("CASE WHEN {c} THEN 'true' WHEN NOT {c} THEN 'false' END"),
            format!("{p}::text"),
            Kind::Text,
        ),
        "bit" => {
            let bits = column_type.trim_start_matches("bit(").trim_end_matches(')');
            (format!("LPAD(BIN({c} + 0), {bits}, '0')"), format!("{p}::text"), Kind::Text)
        }
        "binary" if udt == "uuid" => {
            (format!("HEX({c})"), format!("upper(replace({p}::text, '-', ''))"), Kind::Text)
        }
        "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => {
            (format!("HEX({c})"), format!("upper(encode({p}, 'hex'))"), Kind::Text)
        }
        // What they hold: their texts have several spellings.
        "inet4" | "inet6" if udt == "inet" => {
            let bytes = if data_type == "inet4" { 4 } else { 16 };
            (
                format!("HEX(CAST({c} AS BINARY({bytes})))"),
                format!("upper(substr(encode(inet_send({p}), 'hex'), 9))"),
                Kind::Text,
            )
        }
        "date" => (dated("%Y-%m-%d"), format!("to_char({p}, 'YYYY-MM-DD')"), Kind::Text),
        "datetime" | "timestamp" => {
            (dated("%Y-%m-%d %H:%i:%s.%f"), format!("to_char({p}, 'YYYY-MM-DD HH24:MI:SS.US')"), Kind::Text)
        }
        // Microseconds. MariaDB's seconds have a fraction already.
        "time" => (
            format!(
                "IF(LEFT(CAST({c} AS CHAR), 1) = '-', -1, 1) * (FLOOR(ABS(TIME_TO_SEC({c}))) * 1000000 + MICROSECOND({c}))"
            ),
            format!("(extract(epoch from {p}) * 1000000)::bigint::text"),
            Kind::Text,
        ),
        // MariaDB's JSON.
        "longtext" if udt == "jsonb" => {
            (format!("CONVERT({c} USING utf8mb4)"), format!("{p}::text"), Kind::Json)
        }
        "json" => (format!("CAST({c} AS CHAR)"), format!("{p}::text"), Kind::Json),
        // Little-endian floats; PostgreSQL sends them the other way round.
        "vector" => (
            format!("HEX({c})"),
            format!(
                "CASE WHEN {p} IS NOT NULL THEN upper(coalesce((SELECT string_agg(substr(f.h, 7, 2) || \
                 substr(f.h, 5, 2) || substr(f.h, 3, 2) || substr(f.h, 1, 2), '' ORDER BY f.n) FROM (SELECT \
                 encode(float4send(u.v), 'hex') AS h, u.n FROM unnest({p}) WITH ORDINALITY AS u(v, n)) AS f), '')) END"
            ),
            Kind::Text,
        ),
        // MySQL: SRID, WKB. EWKB: byte order, type with the flag for an SRID, SRID, rest.
        "geometry" | "point" | "linestring" | "polygon" | "multipoint" | "multilinestring"
        | "multipolygon" | "geomcollection" | "geometrycollection" => (
            format!(
                "IF(LEFT({c}, 4) = X'00000000', HEX(SUBSTR({c}, 5)), CONCAT(HEX(SUBSTR({c}, 5, 4)), \
                 LPAD(HEX(ORD(SUBSTR({c}, 9, 1)) | 32), 2, '0'), HEX(LEFT({c}, 4)), HEX(SUBSTR({c}, 10))))"
            ),
            format!("upper(encode({p}, 'hex'))"),
            Kind::Text,
        ),
        _ => (format!("CONVERT({c} USING utf8mb4)"), format!("{p}::text"), Kind::Text),
    };
    Column { name: name.to_owned(), source, target, kind }
}
