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
use crate::change::shape::Distribution;
use crate::change::{TableName, TargetColumn, TargetName, TargetTable, TargetType};
use crate::quote::{identifier, identifiers, literal, qualified};
use tokio_postgres::types::{ToSql, Type};

/// Longest identifier in bytes.
const NAME_BYTES: usize = 63;
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

/// A table that takes the place of another one.
#[derive(Clone, Copy, Debug)]
pub struct Putting<'a> {
    /// The table that has been copied.
    pub shadow: &'a TargetTable,
    /// The table that readers know.
    pub place: &'a TargetName,
    /// Tells the rows of the place that are this feeder's.
    pub own: &'a Clear,
    /// Rows of the place that the shadow has not stay.
    pub keeps: bool,
    /// Values of rows that both have stay.
    pub keeps_values: bool,
    /// Columns that this feeder has made in the place before.
    pub ours: &'a [String],
    /// Columns of the place that have another name in the shadow: the place's name first.
    pub renamed: &'a [(String, String)],
    /// Those of them that the shadow has not stay.
    pub keeps_columns: bool,
}

impl Putting<'_> {
    /// Gives the shadow the name, inside a transaction; false where that would lose something, or where readers hold on to the place
    /// (as an error with that SQLSTATE): then it is to be rolled back, and the place gets the shadow's rows instead.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn rename(&self, session: &Session) -> Result<bool, SinkError> {
        let Self { shadow, place, .. } = self;
        let doing = self.doing();
        let Some(found) = catalog::shape(session, place).await? else {
            // Somebody has dropped it: nothing is replaced.
            run(session, &doing, &[rename_to(&shadow.name, place)]).await?;
            return Ok(true);
        };
        let foreign = |column: &TargetColumn| {
            let ours = !self.keeps_columns && self.ours.contains(&column.name);
            !ours
                && !self.renames(&found).any(|(from, _)| *from == column.name)
                && !shadow.columns.iter().any(|own| own.name == column.name)
        };
        if self.keeps
            || self.keeps_values
            || *self.own != Clear::All
            || !found.owned
            || found.table.columns.iter().any(foreign)
        {
            return Ok(false);
        }
        // Nothing is hung on it between the look and the change.
        let lock = format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", qualified(place));
        run(session, &doing, &[READERS.to_owned(), lock]).await?;
        let new = catalog::shape(session, &shadow.name).await?;
        let spread_alike = new.as_ref().map(|new| &new.table.distribution) == Some(&found.table.distribution);
        if !spread_alike || !is_plain(session, place, &shadow.name).await? {
            return Ok(false);
        }
        let new_key = new.and_then(|new| new.primary_key_name);
        run(session, &doing, &renaming(&found, new_key, &shadow.name, place)).await?;
        Ok(true)
    }

    /// Columns of the place that get the shadow's names.
    fn renames<'a>(&'a self, found: &'a FoundTable) -> impl Iterator<Item = &'a (String, String)> {
        let has = |columns: &[TargetColumn], name: &String| columns.iter().any(|column| column.name == *name);
        self.renamed.iter().filter(move |(from, to)| {
            let (there, here) = (&found.table.columns, &self.shadow.columns);
            found.owned && has(there, from) && !has(here, from) && has(here, to) && !has(there, to)
        })
    }

    /// Whether columns of the place are to get the shadow's names, so that what they are called before does not stay.
    pub fn has_other_names(&self, found: &FoundTable) -> bool {
        self.renames(found).next().is_some()
    }

    /// Gives columns of the place the shadow's names, inside a transaction.
    ///
    /// # Errors
    /// As [`Self::fit`].
    pub async fn name_columns(&self, session: &Session, found: &FoundTable) -> Result<(), SinkError> {
        let renames = self.renames(found).map(|(from, to)| {
            let (place, from, to) = (qualified(self.place), identifier(from), identifier(to));
            format!("ALTER TABLE {place} RENAME COLUMN {from} TO {to}")
        });
        let statements: Vec<String> = std::iter::once(READERS.to_owned()).chain(renames).collect();
        run(session, &self.doing(), &statements).await
    }

    /// Whether the place's rows are all written anew, since its columns or its key become others.
    pub fn is_made_anew(&self, found: &FoundTable) -> bool {
        let retyped = |column: &TargetColumn| {
            let is = found.table.columns.iter().find(|is| is.name == column.name);
            is.is_some_and(|is| is.data_type != column.data_type)
        };
        found.table.primary_key != self.shadow.primary_key || self.shadow.columns.iter().any(retyped)
    }

    /// Gives the place the columns that the shadow has, inside a transaction.
    ///
    /// # Errors
    /// What the server answers; a lock that is not had (55P03) may be had later.
    pub async fn fit(&self, session: &Session, found: &FoundTable) -> Result<(), SinkError> {
        let mut alters = self.alters(session, found);
        if alters.is_empty() {
            return Ok(());
        }
        alters.insert(0, READERS.to_owned());
        run(session, &self.doing(), &alters).await
    }

    /// Gives the place the shadow's rows, inside a transaction, and drops the shadow. Where the place is made anew its columns too.
    ///
    /// # Errors
    /// What the server answers, and when the place cannot become as the shadow is.
    pub async fn refill(&self, session: &Session, found: &FoundTable) -> Result<(), SinkError> {
        let statements = if self.is_made_anew(found) {
            if *self.own != Clear::All || self.keeps || self.keeps_values {
                let why = "its columns or its key would have to become others, and rows that are not of this copy stay in it";
                let kind = super::SinkErrorKind::Table {
                    table: self.place.to_string(),
                    why: why.to_owned(),
                    remedy: AtTarget::AlterLikeSource.into(),
                };
                return Err(kind.at(session.label()));
            }
            self.anew(session, found)
        } else {
            self.differing()
        };
        run(session, &self.doing(), &statements).await
    }

    fn doing(&self) -> String {
        format!("putting {} in the place of {}", self.shadow.name, self.place)
    }
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
        format!("SET LOCAL lock_timeout = '{}'", super::session::LOCK_TIMEOUT),
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
/// have are not named: what they hold is found by `pg_depend`. (Before PostgreSQL 9.5 IS binds tighter than ->>.)
const PLAIN: &str = "\
SELECT c.relkind = 'r' AND c.relacl::text IS NOT DISTINCT FROM s.relacl::text AND c.relowner = s.relowner \
 AND c.reloptions::text IS NOT DISTINCT FROM s.reloptions::text AND c.reltablespace = s.reltablespace \
 AND NOT coalesce((row_to_json(c)->>'relrowsecurity')::boolean, false) AND (row_to_json(c)->>'relreplident') = (row_to_json(s)->>'relreplident') \
 AND c.relpersistence = s.relpersistence AND (row_to_json(c)->>'relam') IS NOT DISTINCT FROM (row_to_json(s)->>'relam') \
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
    let parameters = names.map(|name| -> (&(dyn ToSql + Sync), Type) { (name, Type::TEXT) });
    let rows = session.client().query_typed(PLAIN, &parameters).await;
    let rows = rows.map_err(|error| session.error(DOING, error))?;
    let plain: Option<bool> = match rows.first() {
        Some(row) => row.try_get(0).map_err(|error| session.error(DOING, error))?,
        None => None,
    };
    Ok(plain == Some(true))
}

impl Putting<'_> {
    /// The statements that give the place the columns that the shadow has.
    fn alters(&self, session: &Session, found: &FoundTable) -> Vec<String> {
        let alter = format!("ALTER TABLE {}", qualified(self.place));
        let mut alters = Vec::new();
        for column in &self.shadow.columns {
            let data_type = render::type_name(&column.data_type, session.dialect());
            let name = identifier(&column.name);
            match found.table.columns.iter().find(|is| is.name == column.name) {
                None => alters.push(format!("{alter} ADD COLUMN {name} {data_type}")),
                Some(is) if is.data_type != column.data_type => alters
                    .push(format!("{alter} ALTER COLUMN {name} TYPE {data_type} USING NULL::{data_type}")),
                Some(is) if !is.nullable && column.nullable => {
                    alters.push(format!("{alter} ALTER COLUMN {name} DROP NOT NULL"));
                }
                Some(_) => {}
            }
        }
        // What is ours and no more at the source takes NULL from here on.
        for column in &found.table.columns {
            let gone = !self.shadow.columns.iter().any(|own| own.name == column.name);
            if gone && !column.nullable && self.ours.contains(&column.name) {
                alters.push(format!("{alter} ALTER COLUMN {} DROP NOT NULL", identifier(&column.name)));
            }
        }
        alters
    }

    fn insert(&self) -> String {
        let columns = identifiers(self.shadow.columns.iter().map(|column| &column.name));
        let (name, from) = (qualified(self.place), qualified(&self.shadow.name));
        format!("INSERT INTO {name} ({columns}) SELECT {columns} FROM {from}")
    }

    /// The statements that empty the place, make its columns and its key those of the shadow, and fill it.
    fn anew(&self, session: &Session, found: &FoundTable) -> Vec<String> {
        let name = qualified(self.place);
        let rekeyed = found.table.primary_key != self.shadow.primary_key;
        let mut statements = vec![READERS.to_owned(), format!("DELETE FROM {name}")];
        let retyped = |column: &&String| {
            let of = |columns: &[TargetColumn]| {
                columns.iter().find(|one| one.name == **column).map(|one| one.data_type.clone())
            };
            of(&found.table.columns) != of(&self.shadow.columns)
        };
        // Greenplum alters no column by which rows are spread, nor of a key, and spreads rows by columns of the key alone.
        let distributed = session.dialect().distributed;
        let spread = match &found.table.distribution {
            Some(Distribution::By(columns)) if distributed => columns.as_slice(),
            Some(Distribution::By(_) | Distribution::Replicated) | None => &[],
        };
        let respread = spread
            .iter()
            .find(|column| !self.shadow.primary_key.contains(*column) || retyped(column))
            .is_some();
        let rekeyed =
            rekeyed || respread || distributed && found.table.primary_key.iter().any(|own| retyped(&own));
        if let (true, Some(key)) = (rekeyed, &found.primary_key_name) {
            statements.push(format!("ALTER TABLE {name} DROP CONSTRAINT {}", identifier(key)));
        }
        if respread {
            statements.push(format!("ALTER TABLE {name} SET DISTRIBUTED RANDOMLY"));
        }
        statements.append(&mut self.alters(session, found));
        if respread {
            let kept = spread.iter().all(|column| self.shadow.primary_key.contains(column));
            let by = render::distributed(if kept { &found.table } else { self.shadow });
            statements.push(format!("ALTER TABLE {name} SET{by}"));
        }
        if rekeyed {
            let key = identifiers(&self.shadow.primary_key);
            let constraint = found.primary_key_name.as_ref();
            let constraint = constraint.map(|name| format!("CONSTRAINT {} ", identifier(name)));
            let constraint = constraint.unwrap_or_default();
            statements.push(format!("ALTER TABLE {name} ADD {constraint}PRIMARY KEY ({key})"));
        }
        statements.push(self.insert());
        statements.push(format!("DROP TABLE {}", qualified(&self.shadow.name)));
        statements
    }

    /// The statements that take out, change and add what differs.
    fn differing(&self) -> Vec<String> {
        let (name, from) = (qualified(self.place), qualified(&self.shadow.name));
        let condition = match self.own {
            Clear::Tagged { column, tag } => format!("p.{} = {}", identifier(column), literal(tag)),
            Clear::All | Clear::Nothing => "true".to_owned(),
        };
        let mut statements = Vec::new();
        let same = |column: &String| format!("p.{0} = s.{0}", identifier(column));
        let same_key = self.shadow.primary_key.iter().map(same).collect::<Vec<_>>().join(" AND ");
        if !self.keeps {
            statements.push(format!(
                "DELETE FROM {name} p WHERE {condition} AND NOT EXISTS (SELECT 1 FROM {from} s WHERE {same_key})"
            ));
        }
        let is_value = |column: &&TargetColumn| !self.shadow.primary_key.contains(&column.name);
        let values: Vec<&TargetColumn> = self.shadow.columns.iter().filter(is_value).collect();
        if !values.is_empty() && !self.keeps_values {
            let set = values.iter().map(|column| format!("{0} = s.{0}", identifier(&column.name)));
            let set = set.collect::<Vec<_>>().join(", ");
            let differs = values.iter().map(|column| differs(column)).collect::<Vec<_>>().join(" OR ");
            statements
                .push(format!("UPDATE {name} p SET {set} FROM {from} s WHERE {same_key} AND ({differs})"));
        }
        let insert = self.insert();
        statements.push(format!("{insert} s WHERE NOT EXISTS (SELECT 1 FROM {name} p WHERE {same_key})"));
        statements.push(format!("DROP TABLE {from}"));
        statements
    }
}

/// The publication of the target that sends every table to its subscribers that is made where this one is: a copy beside it too.
///
/// # Errors
/// What the server answers.
pub async fn published_by(session: &Session, place: &TargetName) -> Result<Option<String>, SinkError> {
    const DOING: &str = "asking for publications";
    let rows_of = async |sql: &str, parameters: &[(&(dyn ToSql + Sync), Type)]| {
        let rows = session.client().query_typed(sql, parameters).await;
        rows.map_err(|error| session.error(DOING, error))
    };
    // Servers before PostgreSQL 10 have none, those before 15 none of schemas.
    let catalogs = "SELECT relname::text FROM pg_class WHERE relname IN ('pg_publication', 'pg_publication_namespace') \
        AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = 'pg_catalog') ORDER BY 1";
    let catalogs = rows_of(catalogs, &[]).await?.len();
    let of_all = "SELECT pubname::text FROM pg_publication p WHERE puballtables";
    let sql = match catalogs {
        0 => return Ok(None),
        1 => format!("{of_all} AND $1 <> '' LIMIT 1"),
        _ => format!(
            "{of_all} OR EXISTS (SELECT 1 FROM pg_publication_namespace s JOIN pg_namespace n ON n.oid = s.pnnspid \
             WHERE s.pnpubid = p.oid AND n.nspname::text = $1) LIMIT 1"
        ),
    };
    let rows = rows_of(&sql, &[(&place.schema, Type::TEXT)]).await?;
    let name = rows.first().map(|row| row.try_get(0)).transpose();
    name.map_err(|error| session.error(DOING, error))
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
        | TargetType::Uuid
        | TargetType::Inet => format!("p.{name} IS DISTINCT FROM s.{name}"),
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
