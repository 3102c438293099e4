//! A table that is copied beside another one takes its place, in one transaction: readers see the old rows, then the new.
//!
//! By a change of names where nothing hangs on the old table that the new one has not: no view, grant, index, policy, comment or foreign
//! column. Else the old table gets the new one's rows: keys that are no more are deleted, rows that differ are updated, new ones
//! inserted, so that everything that hangs on it stays. Where its columns have to become others too it is emptied, altered and filled.
//!
//! What must never happen here: a transaction that commits one without the other, a row of another feeder touched, a column of
//! somebody else's lost.

use super::ddl::{Clear, render};
use super::{Session, SinkError, catalog};
use crate::change::facts::FoundTable;
use crate::change::remedy::AtTarget;
use crate::change::{TableName, TargetColumn, TargetName, TargetTable, TargetType};
use crate::quote::{identifier, identifiers, literal, qualified};
use tokio_postgres::types::Type;

/// Longest identifier in bytes.
const NAME_BYTES: usize = 63;
/// SQLSTATE of a lock that is not had: the place is to be filled instead.
const LOCK_NOT_AVAILABLE: &str = "55P03";
/// How long readers are waited for before the names are left as they are and rows go the other way.
const READERS: &str = "SET LOCAL lock_timeout = '2s'";

/// The name of the table beside `table` for what a source table feeds: the same every time, and another one for another table or task.
pub fn beside(table: &TargetName, task: &str, source: &TableName) -> TargetName {
    let text = format!("{task}\0{source}\0{}\0{}", table.schema, table.table);
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mark = format!("_rowferry_{hash:016x}");
    let mut kept = NAME_BYTES - mark.len();
    while !table.table.is_char_boundary(kept.min(table.table.len())) {
        kept -= 1;
    }
    let name = table.table.get(..kept.min(table.table.len())).unwrap_or_default();
    TargetName { schema: table.schema.clone(), table: format!("{name}{mark}") }
}

/// How a table took its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placed {
    /// It has the other's name now; the other is gone.
    Renamed,
    /// The other has its rows now; it is gone.
    Refilled,
}

/// Puts `shadow` in the place of `place`, inside a transaction. `own` tells the rows of the place that are this feeder's, of which those
/// that the shadow has not stay where it `keeps` them; `ours` are columns that this feeder has made there before.
///
/// # Errors
/// What the server answers, and when the place cannot become as the shadow is. [`SinkError::Server`] with a lock's SQLSTATE (55P03)
/// where `rename` is allowed and readers hold on to the place: roll back, and try without.
pub async fn put_in_place(
    session: &Session,
    shadow: &TargetTable,
    place: &TargetName,
    own: &Clear,
    keeps: bool,
    ours: &[String],
    rename: bool,
) -> Result<Placed, SinkError> {
    let doing = format!("putting {} in the place of {place}", shadow.name);
    let Some(found) = catalog::shape(session, place).await? else {
        // Somebody has dropped it: nothing is replaced.
        let statements = [rename_to(&shadow.name, place)];
        run(session, &doing, &statements).await?;
        return Ok(Placed::Renamed);
    };
    let foreign = |column: &&TargetColumn| {
        !ours.contains(&column.name) && !shadow.columns.iter().any(|own| own.name == column.name)
    };
    if rename
        && *own == Clear::All
        && found.owned
        && !found.table.columns.iter().any(|column| foreign(&column))
    {
        // Nothing is hung on it between the look and the change.
        let lock = format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", qualified(place));
        run(session, &doing, &[READERS.to_owned(), lock]).await?;
        let new = catalog::shape(session, &shadow.name).await?;
        let spread_alike = new.as_ref().map(|new| &new.table.distribution) == Some(&found.table.distribution);
        if !spread_alike || !is_plain(session, place, &shadow.name).await? {
            // A lock is kept until the transaction ends, and readers are not to wait for rows.
            return Err(super::SinkErrorKind::Server {
                doing,
                state: LOCK_NOT_AVAILABLE.to_owned(),
                message: format!("something hangs on {place}"),
                cause: None,
                retry: crate::change::Retry::AfterBackoff,
            }
            .at(session.label()));
        }
        let new_key = new.and_then(|new| new.primary_key_name);
        let statements = renaming(&found, new_key, &shadow.name, place);
        run(session, &doing, &statements).await?;
        return Ok(Placed::Renamed);
    }
    let statements = refill(session, shadow, &found, own, keeps, ours)?;
    run(session, &doing, &statements).await?;
    Ok(Placed::Refilled)
}

async fn run(session: &Session, doing: &str, statements: &[String]) -> Result<(), SinkError> {
    for sql in statements {
        session.client().batch_execute(sql).await.map_err(|error| session.error(doing, error))?;
    }
    Ok(())
}

fn rename_to(from: &TargetName, to: &TargetName) -> String {
    format!("ALTER TABLE {} RENAME TO {}", qualified(from), identifier(&to.table))
}

/// The statements that give the shadow the other's name, and its key's index the name that the other's had.
fn renaming(
    found: &FoundTable,
    new_key: Option<String>,
    shadow: &TargetName,
    place: &TargetName,
) -> Vec<String> {
    let mut statements = vec![
        READERS.to_owned(),
        format!("DROP TABLE {}", qualified(place)),
        rename_to(shadow, place),
        "SET LOCAL lock_timeout TO DEFAULT".to_owned(),
    ];
    if let (Some(from), Some(to)) = (new_key, &found.primary_key_name)
        && from != *to
    {
        let index = TargetName { schema: place.schema.clone(), table: from };
        statements.push(format!("ALTER INDEX {} RENAME TO {}", qualified(&index), identifier(to)));
    }
    statements
}

/// What hangs on a table, beside what every table has; one row that is true when there is nothing. Catalogs that only later versions
/// have are not named: what they hold is found by `pg_depend`.
const PLAIN: &str = "\
SELECT c.relkind = 'r' AND c.relacl::text IS NOT DISTINCT FROM s.relacl::text AND c.relowner = s.relowner \
 AND c.reloptions::text IS NOT DISTINCT FROM s.reloptions::text AND c.reltablespace = s.reltablespace \
 AND NOT coalesce((row_to_json(c)->>'relrowsecurity')::boolean, false) AND row_to_json(c)->>'relreplident' = row_to_json(s)->>'relreplident' \
 AND c.relpersistence = s.relpersistence AND row_to_json(c)->>'relam' IS NOT DISTINCT FROM row_to_json(s)->>'relam' \
 AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid \
  AND NOT (d.classid = 'pg_type'::regclass AND d.deptype = 'i') \
  AND NOT (d.classid = 'pg_class'::regclass AND d.objid = c.reltoastrelid) \
  AND NOT (d.classid = 'pg_constraint'::regclass AND EXISTS (SELECT 1 FROM pg_constraint k WHERE k.oid = d.objid \
   AND (k.contype = 'p' OR k.contype = 'n')))) \
 AND NOT EXISTS (SELECT 1 FROM pg_depend d JOIN pg_type y ON d.refobjid IN (y.oid, y.typarray) \
  WHERE d.refclassid = 'pg_type'::regclass AND y.typrelid = c.oid AND d.objid <> y.typarray) \
 AND NOT EXISTS (SELECT 1 FROM pg_inherits h WHERE c.oid IN (h.inhparent, h.inhrelid)) \
 AND NOT EXISTS (SELECT 1 FROM pg_description d WHERE d.classoid = 'pg_class'::regclass AND d.objoid = c.oid) \
 AND NOT EXISTS (SELECT 1 FROM pg_seclabel l WHERE l.classoid = 'pg_class'::regclass AND l.objoid = c.oid) \
 AND NOT EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
  AND (a.attacl IS NOT NULL OR a.atthasdef OR a.attoptions IS NOT NULL)) \
 AND (SELECT count(*) FROM pg_index i WHERE i.indrelid = c.oid) = (SELECT count(*) FROM pg_index i WHERE i.indrelid = s.oid) \
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, pg_class s JOIN pg_namespace m ON m.oid = s.relnamespace \
WHERE n.nspname::text = $1 AND c.relname::text = $2 AND m.nspname::text = $3 AND s.relname::text = $4";

/// Whether nothing hangs on a table that the other has not.
async fn is_plain(session: &Session, table: &TargetName, other: &TargetName) -> Result<bool, SinkError> {
    const DOING: &str = "asking what hangs on a table";
    let names = [&table.schema, &table.table, &other.schema, &other.table];
    let parameters = names.map(|name| (name as &(dyn tokio_postgres::types::ToSql + Sync), Type::TEXT));
    let rows = session.client().query_typed(PLAIN, &parameters).await;
    let rows = rows.map_err(|error| session.error(DOING, error))?;
    let plain: Option<bool> = match rows.first() {
        Some(row) => row.try_get(0).map_err(|error| session.error(DOING, error))?,
        None => None,
    };
    Ok(plain == Some(true))
}

/// The statements that give the place the shadow's columns and rows.
fn refill(
    session: &Session,
    shadow: &TargetTable,
    found: &FoundTable,
    own: &Clear,
    keeps: bool,
    ours: &[String],
) -> Result<Vec<String>, SinkError> {
    let place = &found.table;
    let (name, from) = (qualified(&place.name), qualified(&shadow.name));
    let condition = match own {
        Clear::Tagged { column, tag } => format!("p.{} = {}", identifier(column), literal(tag)),
        Clear::All | Clear::Nothing => "true".to_owned(),
    };
    let mut alters = Vec::new();
    let mut retyped = false;
    for column in &shadow.columns {
        let data_type = render::type_name(&column.data_type, session.dialect());
        let column_name = identifier(&column.name);
        match place.columns.iter().find(|other| other.name == column.name) {
            None => alters.push(format!("ALTER TABLE {name} ADD COLUMN {column_name} {data_type}")),
            Some(is) if is.data_type == column.data_type => {
                if !is.nullable && column.nullable {
                    alters.push(format!("ALTER TABLE {name} ALTER COLUMN {column_name} DROP NOT NULL"));
                }
            }
            Some(_) => {
                retyped = true;
                alters.push(format!(
                    "ALTER TABLE {name} ALTER COLUMN {column_name} TYPE {data_type} USING NULL::{data_type}"
                ));
            }
        }
    }
    // What is ours and no more at the source takes NULL from here on.
    for column in &place.columns {
        let gone = !shadow.columns.iter().any(|own| own.name == column.name);
        if gone && !column.nullable && ours.contains(&column.name) {
            alters
                .push(format!("ALTER TABLE {name} ALTER COLUMN {} DROP NOT NULL", identifier(&column.name)));
        }
    }
    let rekeyed = place.primary_key != shadow.primary_key;
    if (retyped || rekeyed) && (*own != Clear::All || keeps) {
        let why = "its columns or its key would have to become others, and rows that are not of this copy stay in it";
        let kind = super::SinkErrorKind::Table {
            table: place.name.to_string(),
            why: why.to_owned(),
            remedy: AtTarget::AlterLikeSource.into(),
        };
        return Err(kind.at(session.label()));
    }
    let mut statements = vec!["SET LOCAL statement_timeout = 0".to_owned()];
    let columns = identifiers(shadow.columns.iter().map(|column| &column.name));
    let insert = format!("INSERT INTO {name} ({columns}) SELECT {columns} FROM {from}");
    if retyped || rekeyed {
        statements.push(format!("DELETE FROM {name}"));
        if let (true, Some(key)) = (rekeyed, &found.primary_key_name) {
            statements.push(format!("ALTER TABLE {name} DROP CONSTRAINT {}", identifier(key)));
        }
        statements.append(&mut alters);
        if rekeyed {
            let key = identifiers(&shadow.primary_key);
            let constraint = found.primary_key_name.as_ref();
            let constraint = constraint.map(|name| format!("CONSTRAINT {} ", identifier(name)));
            statements.push(format!(
                "ALTER TABLE {name} ADD {}PRIMARY KEY ({key})",
                constraint.unwrap_or_default()
            ));
        }
        statements.push(insert);
    } else {
        statements.append(&mut alters);
        let same = |column: &String| format!("p.{0} = s.{0}", identifier(column));
        let same_key = shadow.primary_key.iter().map(same).collect::<Vec<_>>().join(" AND ");
        if !keeps {
            statements.push(format!(
                "DELETE FROM {name} p WHERE {condition} AND NOT EXISTS (SELECT 1 FROM {from} s WHERE {same_key})"
            ));
        }
        let values: Vec<&TargetColumn> =
            shadow.columns.iter().filter(|column| !shadow.primary_key.contains(&column.name)).collect();
        if !values.is_empty() {
            let set = values.iter().map(|column| format!("{0} = s.{0}", identifier(&column.name)));
            let set = set.collect::<Vec<_>>().join(", ");
            let differs = values.iter().map(|column| differs(column)).collect::<Vec<_>>().join(" OR ");
            statements
                .push(format!("UPDATE {name} p SET {set} FROM {from} s WHERE {same_key} AND ({differs})"));
        }
        statements.push(format!("{insert} s WHERE NOT EXISTS (SELECT 1 FROM {name} p WHERE {same_key})"));
    }
    statements.push(format!("DROP TABLE {from}"));
    Ok(statements)
}

/// Whether two values of a column are not the very same: what is equal may still be another value (-0, 1.00, letters under a
/// collation), or know no equality at all (json), so it is the text that counts.
fn differs(column: &TargetColumn) -> String {
    let name = identifier(&column.name);
    match column.data_type {
        TargetType::Boolean
        | TargetType::Smallint
        | TargetType::Integer
        | TargetType::Bigint
        | TargetType::Bit(_)
        | TargetType::Bytea
        | TargetType::Date
        | TargetType::Timestamp(_)
        | TargetType::TimestampTz(_)
        | TargetType::Time(_)
        | TargetType::Uuid => format!("p.{name} IS DISTINCT FROM s.{name}"),
        TargetType::Numeric(_)
        | TargetType::Real
        | TargetType::Double
        | TargetType::Varchar(_)
        | TargetType::Text
        | TargetType::Interval(_)
        | TargetType::Json
        | TargetType::Jsonb
        | TargetType::RealArray
        | TargetType::Geometry
        | TargetType::Other(_) => {
            format!("p.{name}::text COLLATE \"C\" IS DISTINCT FROM s.{name}::text COLLATE \"C\"")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(table: &str) -> TargetName {
        TargetName { schema: "dw".to_owned(), table: table.to_owned() }
    }

    #[test]
    fn the_table_beside_has_a_name_that_fits_and_is_its_own() {
        let source = TableName::new("shop", "t");
        let long = "é".repeat(31) + "x";
        for table in ["t", long.as_str()] {
            let found = beside(&name(table), "shop", &source);
            assert!(found.table.len() <= NAME_BYTES, "{found}");
            assert_eq!(found, beside(&name(table), "shop", &source));
            assert_ne!(found, beside(&name(table), "other", &source));
            // Several that feed one table have a copy each.
            assert_ne!(found, beside(&name(table), "shop", &TableName::new("shop2", "t")));
        }
        let cut = |end: &str| beside(&name(&format!("{long}{end}")), "shop", &source);
        assert_ne!(cut("1"), cut("2"));
    }
}
