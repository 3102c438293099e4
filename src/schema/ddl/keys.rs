//! Keys as ALTER TABLE and CREATE INDEX declare them, and what they make of a table's keys.

use super::clause::Clause;
use super::column;
use super::cursor::{Cursor, Unreadable};
use super::statement::{AlterStep, InlineKey};
use crate::change::names::alike;
use crate::schema::table::{ForeignKey, UniqueKey};
use crate::schema::{SchemaError, Table};

/// A key's columns: `(a, b(10) DESC)`; `None` where a part is an expression.
///
/// A prefix counts as its column: what is unique in its first characters is unique as a whole.
pub(super) fn columns(cursor: &mut Cursor<'_, '_>) -> Result<Option<Vec<String>>, Unreadable> {
    let mut parts = cursor.group_reader()?;
    let mut columns = Some(Vec::new());
    loop {
        if parts.at_symbol('(') {
            parts.group()?;
            columns = None;
        } else {
            let name = parts.name()?;
            if parts.at_symbol('(') {
                parts.group()?;
            }
            if let Some(columns) = &mut columns {
                columns.push(name);
            }
        }
        parts.one_of(&["ASC", "DESC"]);
        // MariaDB: a key over a period of time is not unique in its columns alone.
        if parts.words(&["WITHOUT", "OVERLAPS"]) {
            return Err("a key WITHOUT OVERLAPS".into());
        }
        if parts.at_end() {
            return Ok(columns);
        }
        parts.need_symbol(',')?;
    }
}

/// `USING BTREE`, `TYPE BTREE` before a key's columns.
fn method(cursor: &mut Cursor<'_, '_>) -> Result<(), Unreadable> {
    if cursor.one_of(&["USING", "TYPE"]).is_some() { cursor.name().map(drop) } else { Ok(()) }
}

/// What may stand between the kind of a key and its columns: a name, a method. Gives the name.
fn heading(cursor: &mut Cursor<'_, '_>) -> Result<Option<String>, Unreadable> {
    cursor.words(&["IF", "NOT", "EXISTS"]);
    let unnamed = cursor.at_symbol('(') || cursor.at_word("USING") || cursor.at_words(&["TYPE", "BTREE"]);
    let name = if unnamed { None } else { Some(cursor.name()?) };
    method(cursor)?;
    Ok(name)
}

/// A key or constraint where a table element may stand; `None` when there is none. Takes the whole clause.
pub(super) fn table_element(cursor: &mut Cursor<'_, '_>) -> Result<Option<AlterStep>, Unreadable> {
    let mut symbol = None;
    if cursor.word("CONSTRAINT") {
        let unnamed = ["PRIMARY", "UNIQUE", "FOREIGN", "CHECK"].iter().any(|word| cursor.at_word(word));
        if !unnamed {
            cursor.words(&["IF", "NOT", "EXISTS"]);
            symbol = Some(cursor.name()?);
        }
        if !["PRIMARY", "UNIQUE", "FOREIGN", "CHECK"].iter().any(|word| cursor.at_word(word)) {
            return Err(cursor.expected("a constraint"));
        }
    }
    let step = if cursor.words(&["PRIMARY", "KEY"]) {
        heading(cursor)?;
        AlterStep::AddPrimaryKey { columns: columns(cursor)? }
    } else if cursor.word("UNIQUE") {
        cursor.one_of(&["INDEX", "KEY"]);
        let name = heading(cursor)?.or(symbol);
        AlterStep::AddUnique { name, columns: columns(cursor)? }
    } else if cursor.words(&["FOREIGN", "KEY"]) {
        foreign_key(cursor, symbol)?
    } else if cursor.word("CHECK") {
        AlterStep::Other(Clause::Check)
    } else if plain_index(cursor) {
        AlterStep::Other(Clause::Index)
    } else {
        return Ok(None);
    };
    // Index options, references and the rest of the clause change nothing that is followed here.
    cursor.skip_clause()?;
    Ok(Some(step))
}

/// A foreign key after `FOREIGN KEY`, up to its actions.
fn foreign_key(cursor: &mut Cursor<'_, '_>, symbol: Option<String>) -> Result<AlterStep, Unreadable> {
    let name = heading(cursor)?;
    let cascades = column::cascades(*cursor)?;
    Ok(if cascades {
        AlterStep::AddCascade { name: symbol.or(name) }
    } else {
        AlterStep::Other(Clause::ForeignKey)
    })
}

/// `INDEX`, `FULLTEXT KEY`, …: takes the words if a key that is not unique is declared here.
fn plain_index(cursor: &mut Cursor<'_, '_>) -> bool {
    cursor.one_of(&["INDEX", "KEY", "FULLTEXT", "SPATIAL"]).is_some()
        || cursor.words(&["VECTOR", "INDEX"])
        || cursor.words(&["VECTOR", "KEY"])
}

/// Fills in the keys of `after`, whose columns are known already.
pub(super) fn evolve_keys(
    before: &Table,
    after: &mut Table,
    origin: &[Option<usize>],
    steps: &[AlterStep],
) -> Result<(), SchemaError> {
    // The server looks a key's columns up by their old names among the new columns, from the first on, and an added
    // column that bears such a name is found as well (`prepare_fields_and_keys`).
    let place = |old: &usize| {
        let name = before.columns.get(*old).map(|column| column.name.as_str())?;
        after.columns.iter().zip(origin).position(|(column, from)| {
            let bears = from.and_then(|from| before.columns.get(from)).unwrap_or(column);
            alike(&bears.name, name)
        })
    };
    let moved = |columns: &[usize]| -> Vec<usize> { columns.iter().filter_map(place).collect() };
    let primary_key = moved(&before.primary_key);
    let unique_keys: Vec<UniqueKey> = before
        .unique_keys
        .iter()
        .map(|key| UniqueKey { name: key.name.clone(), columns: moved(&key.columns) })
        .filter(|key| !key.columns.is_empty())
        .collect();
    after.primary_key = primary_key;
    after.unique_keys = unique_keys;
    let is_dropped = |name: &str| {
        steps.iter().any(|step| match step {
            AlterStep::DropForeignKey { name: dropped }
            | AlterStep::DropIndex { name: dropped, constraint: true } => alike(dropped, name),
            _ => false,
        })
    };
    let stay = before.foreign_keys.iter().filter(|key| !is_dropped(&key.name));
    let stay = stay.map(|key| ForeignKey { columns: moved(&key.columns), ..key.clone() });
    after.foreign_keys = stay.filter(|key| key.columns.len() == key.referenced.len()).collect();
    drop_keys(after, steps);
    for step in steps {
        match step {
            AlterStep::AddPrimaryKey { columns } => {
                let columns = columns.as_ref().ok_or_else(|| {
                    SchemaError::misfit(&before.name, "a primary key over an expression cannot be followed")
                })?;
                set_primary_key(after, columns)?;
            }
            AlterStep::AddUnique { name, columns: Some(columns) } => {
                add_unique(after, name.as_deref(), columns)?;
            }
            AlterStep::AddColumn { column, .. } | AlterStep::ChangeColumn { column, .. } => {
                // Skipped by IF EXISTS or IF NOT EXISTS: no such new column.
                let made = after.column_index(&column.name).is_some();
                match column.key {
                    InlineKey::Primary if made => {
                        set_primary_key(after, std::slice::from_ref(&column.name))?;
                    }
                    InlineKey::Unique if made => {
                        add_unique(after, None, std::slice::from_ref(&column.name))?;
                    }
                    InlineKey::Primary | InlineKey::Unique | InlineKey::None => {}
                }
            }
            _ => {}
        }
    }
    // A primary key column is NOT NULL even where a statement leaves that out.
    for index in after.primary_key.clone() {
        if let Some(column) = after.columns.get_mut(index) {
            column.nullable = false;
        }
    }
    let columns = &after.columns;
    let takes_null = |index: &usize| columns.get(*index).is_none_or(|column| column.nullable);
    after.unique_keys.retain(|key| !key.columns.iter().any(takes_null));
    Ok(())
}

fn drop_keys(after: &mut Table, steps: &[AlterStep]) {
    for step in steps {
        match step {
            AlterStep::DropPrimaryKey => after.primary_key.clear(),
            AlterStep::DropIndex { name, .. } => {
                // A key that was declared without a name got its first column's, perhaps with a number that
                // cannot be known here: when in doubt the key counts as gone.
                let base = name.rsplit_once('_').filter(|(_, number)| number.parse::<u8>().is_ok());
                let known = after.unique_keys.iter().any(|key| alike(&key.name, name));
                after.unique_keys.retain(|key| {
                    !alike(&key.name, name)
                        && (known || !base.is_some_and(|(base, _)| alike(&key.name, base)))
                });
            }
            _ => {}
        }
    }
    // All at once: two keys may take each other's name.
    for key in &mut after.unique_keys {
        let renamed = steps.iter().find_map(|step| match step {
            AlterStep::RenameIndex { from, to } if alike(&key.name, from) => Some(to),
            _ => None,
        });
        if let Some(to) = renamed {
            key.name.clone_from(to);
        }
    }
}

fn indexes(table: &Table, columns: &[String]) -> Result<Vec<usize>, SchemaError> {
    columns
        .iter()
        .map(|column| {
            table.column_index(column).ok_or_else(|| {
                SchemaError::misfit(&table.name, format!("a key names column {column}, which is not there"))
            })
        })
        .collect()
}

fn set_primary_key(table: &mut Table, columns: &[String]) -> Result<(), SchemaError> {
    let key = indexes(table, columns)?;
    if !table.primary_key.is_empty() && table.primary_key != key {
        return Err(SchemaError::misfit(&table.name, "it has a primary key already"));
    }
    table.primary_key = key;
    Ok(())
}

fn add_unique(table: &mut Table, name: Option<&str>, columns: &[String]) -> Result<(), SchemaError> {
    let key = indexes(table, columns)?;
    let taken = |name: &str| table.unique_keys.iter().any(|key| alike(&key.name, name));
    let name = match (name, columns.first()) {
        (Some(name), _) => name.to_owned(),
        (None, Some(first)) if !taken(first) => first.clone(),
        (None, Some(first)) => (2..100)
            .map(|number| format!("{first}_{number}"))
            .find(|name| !taken(name))
            .unwrap_or_else(|| first.clone()),
        (None, None) => return Err(SchemaError::misfit(&table.name, "a key without columns")),
    };
    // `IF NOT EXISTS` and a repeated MODIFY … UNIQUE leave the key that is there.
    if !taken(&name) {
        table.unique_keys.push(UniqueKey { name, columns: key });
    }
    Ok(())
}
