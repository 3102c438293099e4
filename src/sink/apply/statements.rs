//! The statements of one session, prepared once per layout.
//!
//! A layout is a table version: after an ALTER rows come with another layout and so by other statements. What
//! they answer with is fixed by their text (the key's columns or one text), so that a plan made anew after an
//! ALTER never changes its result type.

use super::plan::Expect;
use super::shape::Shape;
use super::{types, update};
use crate::change::RowLayout;
use crate::change::remedy::InConfig;
use crate::quote::{identifier, literal, qualified};
use crate::sink::{Session, SinkError, SinkErrorKind};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;
use tokio_postgres::Statement;
use tokio_postgres::types::Type;

/// What a statement does to its layout's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum StatementKind {
    /// Deletes keys given as arrays; answers with those it found unless that does not matter.
    Delete(Expect),
    /// Merges rows given as arrays; answers per row with NULL, or with the key when that was not as expected.
    MergeArrays(Expect),
    /// The same from staging.
    MergeStaged(Expect),
    /// COPY into the table.
    CopyTable,
    /// Inserts rows given as arrays.
    InsertArrays,
    /// Updates from arrays what the table holds.
    UpdateArrays,
    /// From arrays what the table does not hold.
    KeepArrays,
    /// COPY into staging.
    CopyStaging,
    /// From staging what the table does not hold. With or without ON CONFLICT.
    Keep { on_conflict: bool },
    /// Updates from staging what the table holds; answers with their keys where they should not be there.
    Update(Expect),
    /// From staging what the table does not hold; answers with the keys.
    InsertRest,
}

/// What is prepared in a session.
#[derive(Debug, Default)]
pub(super) struct Statements {
    /// By the layout's address; `held` keeps the address taken.
    numbers: HashMap<usize, usize>,
    held: Vec<Arc<RowLayout>>,
    distinct: Vec<Arc<RowLayout>>,
    prepared: HashMap<(usize, StatementKind), Statement>,
    staging_size: Option<Statement>,
    /// What foreign keys do, by its text.
    pub(super) texts: HashMap<String, Statement>,
    /// How often rows were looked for by columns of a table, while it is not known that these have an index.
    pub(super) indexed: HashMap<String, u32>,
    pub(super) shapes: HashMap<usize, Shape>,
    pub(super) column_counts: Option<Statement>,
}

impl Statements {
    /// The layout's number in this session. Equal layouts have the same.
    pub(super) fn number(&mut self, layout: &Arc<RowLayout>) -> usize {
        let address = Arc::as_ptr(layout).addr();
        if let Some(number) = self.numbers.get(&address) {
            return *number;
        }
        let number = self.distinct.iter().position(|known| known == layout).unwrap_or_else(|| {
            self.distinct.push(Arc::clone(layout));
            self.distinct.len() - 1
        });
        self.held.push(Arc::clone(layout));
        self.numbers.insert(address, number);
        number
    }

    /// The statement, prepared at its first use. Does not wait otherwise.
    pub(super) async fn get(
        &mut self,
        session: &Session,
        layout: &Arc<RowLayout>,
        kind: StatementKind,
    ) -> Result<Statement, SinkError> {
        let number = self.number(layout);
        if let Some(statement) = self.prepared.get(&(number, kind)) {
            return Ok(statement.clone());
        }
        let staging = staging_name(number);
        let Some((sql, parameters)) = render(layout, kind, &staging) else {
            return Err(SinkErrorKind::Table {
                table: layout.target.to_string(),
                why: "a column of its primary key has a type that cannot be a key".into(),
                remedy: InConfig::OtherKey.into(),
            }
            .at(session.label()));
        };
        let statement = session
            .client()
            .prepare_typed(&sql, &parameters)
            .await
            .map_err(|error| session.error(&format!("preparing to write {}", layout.target), error))?;
        self.prepared.insert((number, kind), statement.clone());
        Ok(statement)
    }

    /// Asks for the size in bytes of a temporary table of this session; no row when there is none.
    pub(super) async fn staging_size(&mut self, session: &Session) -> Result<Statement, SinkError> {
        const SIZE: &str = "SELECT pg_catalog.pg_relation_size(c.oid) FROM pg_catalog.pg_class c \
            WHERE c.relnamespace = pg_catalog.pg_my_temp_schema() AND c.relname = $1";
        if let Some(statement) = &self.staging_size {
            return Ok(statement.clone());
        }
        let statement = session
            .client()
            .prepare_typed(SIZE, &[Type::TEXT])
            .await
            .map_err(|error| session.error("preparing staging", error))?;
        self.staging_size = Some(statement.clone());
        Ok(statement)
    }
}

/// The staging table of a layout, in the session's own temporary schema.
pub(super) fn staging_name(number: usize) -> String {
    format!("rowferry_staging_{number}")
}

/// The layout's columns as a list.
pub(super) fn columns(layout: &RowLayout) -> String {
    layout.columns.iter().map(|column| identifier(&column.name)).collect::<Vec<_>>().join(", ")
}

/// The quoted names of the key's columns, in key order.
pub(super) fn key(layout: &RowLayout) -> Vec<String> {
    layout
        .key
        .iter()
        .filter_map(|&index| layout.columns.get(index))
        .map(|column| identifier(&column.name))
        .collect()
}

/// An expression that prints a key: `id=7, region=north`. `value` gives the expression of the key's n-th column.
pub(super) fn key_text(layout: &RowLayout, value: impl Fn(usize) -> String) -> String {
    let mut sql = String::from("pg_catalog.concat(");
    for (position, &index) in layout.key.iter().enumerate() {
        let name = layout.columns.get(index).map_or("", |column| &column.name);
        let (comma, before) = if position == 0 { ("", "") } else { (", ", ", ") };
        let _ = write!(sql, "{comma}{}, {}", literal(&format!("{before}{name}=")), value(position));
    }
    sql.push(')');
    sql
}

/// `$1, $2, …`
fn parameters(first: usize, count: usize) -> String {
    (first..first + count).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ")
}

/// `k1, k2, …`
fn aliases(count: usize) -> String {
    (1..=count).map(|n| format!("k{n}")).collect::<Vec<_>>().join(", ")
}

/// A query for the text of one key among the arrays `$1…$n` that is not among `$n+1…$2n`.
pub(super) fn lacking_key(layout: &RowLayout) -> String {
    let n = layout.key.len();
    format!(
        "SELECT {} FROM (SELECT * FROM unnest({}) EXCEPT SELECT * FROM unnest({})) AS k ({}) LIMIT 1",
        key_text(layout, |position| format!("k.k{}", position + 1)),
        parameters(1, n),
        parameters(n + 1, n),
        aliases(n),
    )
}

/// A query for the text of one key among the arrays `$1…$n`.
pub(super) fn any_key(layout: &RowLayout) -> String {
    let n = layout.key.len();
    format!(
        "SELECT {} FROM unnest({}) AS k ({}) LIMIT 1",
        key_text(layout, |position| format!("k.k{}", position + 1)),
        parameters(1, n),
        aliases(n),
    )
}

/// A statement's text and the types of its parameters; `None` when a type has no array.
fn render(layout: &RowLayout, kind: StatementKind, staging: &str) -> Option<(String, Vec<Type>)> {
    let table = qualified(&layout.target);
    let staging = format!("pg_temp.{}", identifier(staging));
    let columns = columns(layout);
    let arrays = |types: Vec<(Type, Type)>| types.into_iter().map(|(_, array)| array).collect::<Vec<_>>();
    Some(match kind {
        StatementKind::Delete(expect) => (delete(layout, &table, expect), arrays(types::key_arrays(layout)?)),
        StatementKind::MergeArrays(expect) => {
            let source = format!("unnest({})", parameters(1, layout.columns.len()));
            let sql = merge(layout, &table, &format!("SELECT * FROM {source}"), expect);
            (sql, arrays(types::row_arrays(layout)?))
        }
        StatementKind::MergeStaged(expect) => {
            let source = format!("SELECT {columns} FROM {staging}");
            (merge(layout, &table, &source, expect), Vec::new())
        }
        StatementKind::CopyTable => {
            (format!("COPY {table} ({columns}) FROM STDIN WITH (FORMAT binary)"), Vec::new())
        }
        StatementKind::InsertArrays => {
            let source = format!("unnest({})", parameters(1, layout.columns.len()));
            (
                format!("INSERT INTO {table} ({columns}) SELECT * FROM {source}"),
                arrays(types::row_arrays(layout)?),
            )
        }
        StatementKind::UpdateArrays => (
            update::update(layout, &table, &unnested(layout), Expect::Either),
            arrays(types::row_arrays(layout)?),
        ),
        StatementKind::KeepArrays => {
            (update::insert_rest(layout, &table, &unnested(layout)), arrays(types::row_arrays(layout)?))
        }
        StatementKind::CopyStaging => {
            (format!("COPY {staging} ({columns}) FROM STDIN WITH (FORMAT binary)"), Vec::new())
        }
        StatementKind::Keep { on_conflict: true } => {
            let key = key(layout).join(", ");
            let select = format!("SELECT {columns} FROM {staging}");
            (format!("INSERT INTO {table} ({columns}) {select} ON CONFLICT ({key}) DO NOTHING"), Vec::new())
        }
        StatementKind::Keep { on_conflict: false } => {
            (update::insert_rest(layout, &table, &staging), Vec::new())
        }
        StatementKind::Update(expect) => (update::update(layout, &table, &staging, expect), Vec::new()),
        StatementKind::InsertRest => {
            // Bare names: INSERT takes no alias on 9.4.
            let names = key(layout);
            let text = key_text(layout, |position| names.get(position).cloned().unwrap_or_default());
            (format!("{} RETURNING {text}", update::insert_rest(layout, &table, &staging)), Vec::new())
        }
    })
}

/// The rows given as arrays, with their columns' names.
fn unnested(layout: &RowLayout) -> String {
    let rows = parameters(1, layout.columns.len());
    format!("(SELECT * FROM unnest({rows}) AS r ({}))", columns(layout))
}

fn delete(layout: &RowLayout, table: &str, expect: Expect) -> String {
    let key = key(layout);
    let returning = match expect {
        Expect::Either => String::new(),
        Expect::Present | Expect::Absent => {
            let key: Vec<String> = key.iter().map(|name| format!("t.{name}")).collect();
            format!(" RETURNING {}", key.join(", "))
        }
    };
    if let [name] = key.as_slice() {
        // The index scan sorts the keys first: measured faster than a join, and the more the more keys there are.
        return format!("DELETE FROM {table} AS t WHERE t.{name} = ANY ($1){returning}");
    }
    let equal: Vec<String> =
        key.iter().enumerate().map(|(index, name)| format!("t.{name} = k.k{}", index + 1)).collect();
    format!(
        "DELETE FROM {table} AS t USING unnest({}) AS k ({}) WHERE {}{returning}",
        parameters(1, key.len()),
        aliases(key.len()),
        equal.join(" AND "),
    )
}

fn merge(layout: &RowLayout, table: &str, source: &str, expect: Expect) -> String {
    let key = key(layout);
    let mut sets: Vec<String> = layout
        .columns
        .iter()
        .enumerate()
        .filter(|(index, _)| !layout.key.contains(index))
        .map(|(_, column)| identifier(&column.name))
        .map(|name| format!("{name} = EXCLUDED.{name}"))
        .collect();
    // Rows that conflict are answered with only when they are updated.
    if sets.is_empty() && expect != Expect::Either {
        sets.extend(key.iter().map(|name| format!("{name} = EXCLUDED.{name}")));
    }
    let conflict =
        if sets.is_empty() { "DO NOTHING".to_owned() } else { format!("DO UPDATE SET {}", sets.join(", ")) };
    // The row lock that ON CONFLICT takes stays in the xmax of the updated row; an inserted one has none.
    let unexpected = match expect {
        Expect::Present => "=",
        Expect::Absent => "<>",
        Expect::Either => "",
    };
    let returning = if unexpected.is_empty() {
        String::new()
    } else {
        let text = key_text(layout, |position| format!("t.{}", key.get(position).map_or("", String::as_str)));
        format!(" RETURNING CASE WHEN t.xmax {unexpected} 0 THEN {text} END")
    };
    format!(
        "INSERT INTO {table} AS t ({}) {source} ON CONFLICT ({}) {conflict}{returning}",
        columns(layout),
        key.join(", "),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::{TargetColumn, TargetName, TargetType};

    fn layout(key: &[usize]) -> Arc<RowLayout> {
        let column = |name: &str, data_type| TargetColumn { name: name.into(), data_type, nullable: false };
        Arc::new(RowLayout {
            target: TargetName { schema: "S".into(), table: "t".into() },
            columns: vec![column("a", TargetType::Bigint), column("it's", TargetType::Bit(3))],
            key: key.to_vec(),
        })
    }

    #[test]
    fn a_key_of_several_columns_is_matched_column_by_column_in_key_order() {
        let (sql, types) = render(&layout(&[1, 0]), StatementKind::Delete(Expect::Either), "x").unwrap();
        assert_eq!(
            sql,
            r#"DELETE FROM "S"."t" AS t USING unnest($1, $2) AS k (k1, k2) WHERE t."it's" = k.k1 AND t."a" = k.k2"#
        );
        assert_eq!(types, [Type::BIT_ARRAY, Type::INT8_ARRAY]);
    }

    #[test]
    fn a_merge_sets_all_but_the_key_and_names_the_keys_that_are_unexpected() {
        let (sql, _) = render(&layout(&[0]), StatementKind::MergeStaged(Expect::Present), "x").unwrap();
        assert_eq!(
            sql,
            r#"INSERT INTO "S"."t" AS t ("a", "it's") SELECT "a", "it's" FROM pg_temp."x" ON CONFLICT ("a") DO UPDATE SET "it's" = EXCLUDED."it's" RETURNING CASE WHEN t.xmax = 0 THEN pg_catalog.concat('a=', t."a") END"#
        );
    }

    #[test]
    fn a_key_is_printed_with_its_column_names() {
        let text = key_text(&layout(&[0, 1]), |position| format!("v{position}"));
        assert_eq!(text, "pg_catalog.concat('a=', v0, ', it''s=', v1)");
    }

    #[test]
    fn equal_layouts_share_their_statements_and_different_ones_do_not() {
        let mut statements = Statements::default();
        let (first, again, other) = (layout(&[0]), layout(&[0]), layout(&[0, 1]));
        assert_eq!(statements.number(&first), statements.number(&again));
        assert_ne!(statements.number(&first), statements.number(&other));
    }
}
