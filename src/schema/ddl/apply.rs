//! The definition of a table after ALTER TABLE.
//!
//! The server does not take the steps one by one (server source, `sql/sql_table.cc`, `prepare_fields_and_keys`): it
//! walks the old columns, leaving out the dropped and changing the changed in place; then it adds the new columns and
//! moves those that move, in the order written. Old names are looked up in the table as it was, `AFTER` in what has
//! become of it by then.
//!
//! What must never happen here: a definition that is guessed. What the statement does not tell is an error.

use super::keys::evolve_keys;
use super::statement::{AlterStep, AlterTable, ColumnDefinition, InlineKey, Place};
use crate::change::TableName;
use crate::change::facts::Flavour;
use crate::change::names::{alike, folded};
use crate::schema::charset::{Defaults, charset_of_collation, max_bytes_per_char};
use crate::schema::{Charset, Column, HiddenColumns, MySqlType, SchemaError, Table, column_type};

/// A table after a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evolved {
    /// The definition, under its old name: renaming the table is the caller's matter.
    pub table: Table,
    /// For each column of `table`, which column of the definition before it was; `None` for a new one.
    pub origin: Vec<Option<usize>>,
}

/// A column on its way into the new definition.
#[derive(Clone)]
struct ColumnDraft {
    column: Column,
    origin: Option<usize>,
}

/// The definition after `alter`. `unnamed` is what its session takes for the collation of a character set without one.
///
/// # Errors
/// [`SchemaError::Misfit`] when the statement speaks of columns that are not there, [`SchemaError::Uncertain`] when
/// the outcome depends on something the statement does not say.
pub fn evolve(before: &Table, alter: &AlterTable, unnamed: Defaults<'_>) -> Result<Evolved, SchemaError> {
    let name = &before.name;
    let defaults = default_charset(before, &alter.steps, unnamed)?;
    let mut kept = Vec::new();
    for (index, column) in before.columns.iter().enumerate() {
        kept.extend(keep(column, index, &alter.steps, name, &defaults, unnamed)?);
    }
    for step in &alter.steps {
        let (draft, place) = match step {
            AlterStep::AddColumn { column, if_not_exists, .. }
                if *if_not_exists && before.column_index(&column.name).is_some() =>
            {
                continue;
            }
            AlterStep::AddColumn { column, place, .. } => {
                (ColumnDraft { column: declare(name, column, &defaults, unnamed)?, origin: None }, place)
            }
            AlterStep::ChangeColumn { from, if_exists, .. }
            | AlterStep::RenameColumn { from, if_exists, .. }
            | AlterStep::DropColumn { name: from, if_exists }
                if before.column_index(from).is_none() =>
            {
                if *if_exists {
                    continue;
                }
                return Err(SchemaError::misfit(name, format!("there is no column {from}")));
            }
            AlterStep::ChangeColumn { from, place, .. } if *place != Place::Default => {
                let origin = before.column_index(from);
                let found = kept.iter().position(|draft| draft.origin.is_some() && draft.origin == origin);
                let found = found
                    .ok_or_else(|| SchemaError::misfit(name, format!("column {from} goes and moves")))?;
                (kept.remove(found), place)
            }
            _ => continue,
        };
        let at = match place {
            Place::Default => kept.len(),
            Place::First => 0,
            Place::After(after) => {
                let found = kept.iter().position(|draft| alike(&draft.column.name, after));
                found.ok_or_else(|| SchemaError::misfit(name, format!("there is no column {after}")))? + 1
            }
        };
        kept.insert(at, draft);
    }
    for (index, draft) in kept.iter().enumerate() {
        if kept.iter().skip(index + 1).any(|other| alike(&other.column.name, &draft.column.name)) {
            return Err(SchemaError::misfit(
                name,
                format!("column {} would be there twice", draft.column.name),
            ));
        }
    }
    forget_renamed(before, &mut kept);
    if let Some(charset) = conversion(name, &alter.steps, unnamed)? {
        for draft in &mut kept {
            let mut after = converted(&draft.column.data_type, &charset);
            told_from(&mut after, &draft.column.data_type);
            let declared = alter.steps.iter().any(|step| match step {
                AlterStep::AddColumn { column, .. } | AlterStep::ChangeColumn { column, .. } => {
                    alike(&column.name, &draft.column.name)
                }
                _ => false,
            });
            if declared && width(&after) != width(&draft.column.data_type) {
                // MySQL 9.7 widens such a column, MySQL 5.6 and MariaDB do not.
                return Err(SchemaError::Uncertain {
                    table: name.clone(),
                    why: format!("column {} is declared and converted at once", draft.column.name),
                });
            }
            draft.column.data_type = after;
        }
    }
    for step in &alter.steps {
        let AlterStep::AddPeriod { columns } = step else { continue };
        for draft in &mut kept {
            if columns.iter().any(|column| alike(column, &draft.column.name)) {
                draft.column.nullable = false;
            }
        }
    }
    let (columns, origin): (Vec<_>, Vec<_>) =
        kept.into_iter().map(|draft| (draft.column, draft.origin)).unzip();
    let mut table = Table {
        name: name.clone(),
        columns,
        primary_key: Vec::new(),
        unique_keys: Vec::new(),
        foreign_keys: Vec::new(),
        charset: defaults,
        hidden: hidden(before.hidden, alter, unnamed),
    };
    evolve_keys(before, &mut table, &origin, &alter.steps)?;
    Ok(Evolved { table, origin })
}

/// How many columns are hidden afterwards.
fn hidden(before: HiddenColumns, alter: &AlterTable, unnamed: Defaults<'_>) -> HiddenColumns {
    if unnamed.flavour() != Some(Flavour::MariaDb) {
        return before;
    }
    let HiddenColumns { mut least, mut most, mut keys } = before;
    for step in &alter.steps {
        let made = match step {
            AlterStep::AddColumn { column, .. } | AlterStep::ChangeColumn { column, .. } => {
                column.key == InlineKey::Unique
            }
            AlterStep::AddUnique { .. } => true,
            _ => false,
        };
        (keys, most) = (keys + usize::from(made), most + usize::from(made));
    }
    for step in &alter.steps {
        match step {
            // A key may come to need one, or to need none.
            AlterStep::ChangeColumn { .. } | AlterStep::ConvertCharset { .. } => (least, most) = (0, keys),
            AlterStep::DropColumn { .. } | AlterStep::DropIndex { .. } => least = 0,
            _ => {}
        }
    }
    HiddenColumns { least, most, keys }
}

/// MariaDB puts new names of columns into the expressions of generated ones, which is not followed here: an expression that may
/// name a column whose name is another afterwards is not known any more.
fn forget_renamed(before: &Table, kept: &mut [ColumnDraft]) {
    let stays = |index: usize, name: &str| {
        kept.iter().any(|draft| draft.origin == Some(index) && draft.column.name == name)
    };
    let gone: Vec<String> = before
        .columns
        .iter()
        .enumerate()
        .filter(|(index, column)| !stays(*index, &column.name))
        .map(|(_, column)| folded(&column.name))
        .collect();
    for draft in kept {
        draft.column.generation.take_if(|generation| {
            let expression = folded(&generation.expression);
            gone.iter().any(|name| expression.contains(name.as_str()))
        });
    }
}

/// What becomes of an old column where it stands; `None` when it goes.
fn keep(
    column: &Column,
    index: usize,
    steps: &[AlterStep],
    name: &TableName,
    defaults: &Charset,
    unnamed: Defaults<'_>,
) -> Result<Option<ColumnDraft>, SchemaError> {
    let mut kept = column.clone();
    for step in steps {
        match step {
            AlterStep::DropColumn { name, .. } if alike(name, &column.name) => return Ok(None),
            AlterStep::ChangeColumn { from, column: new, .. } if alike(from, &column.name) => {
                kept = declare(name, new, defaults, unnamed)?;
                told_from(&mut kept.data_type, &column.data_type);
            }
            AlterStep::RenameColumn { from, to, .. } if alike(from, &column.name) => kept.name.clone_from(to),
            AlterStep::SetDefault { column: of, default } if alike(of, &column.name) => {
                kept.default = default.to_column_default();
            }
            _ => {}
        }
    }
    Ok(Some(ColumnDraft { column: kept, origin: Some(index) }))
}

/// A collation that is not known is not taken for the one that a column had before the statement declared or converted it.
fn told_from(after: &mut MySqlType, before: &MySqlType) {
    if let (Some(after), Some(before)) = (charset_mut(after), charset_mut(&mut before.clone())) {
        after.told_from(before);
    }
}

fn charset_mut(of: &mut MySqlType) -> Option<&mut Charset> {
    match of {
        MySqlType::Char { charset, .. }
        | MySqlType::VarChar { charset, .. }
        | MySqlType::Text { charset, .. }
        | MySqlType::Enum { charset, .. }
        | MySqlType::Set { charset, .. } => Some(charset),
        _ => None,
    }
}

/// A declared column as a table keeps it. `charset` is the table's default.
///
/// # Errors
/// [`SchemaError::Uncertain`] for a TIMESTAMP whose nullability is not known.
pub fn declare(
    table: &TableName,
    definition: &ColumnDefinition,
    charset: &Charset,
    unnamed: Defaults<'_>,
) -> Result<Column, SchemaError> {
    let data_type = column_type::parse_with(&definition.declared, charset, false, Some(unnamed));
    let never_null = definition.auto_increment || definition.key == InlineKey::Primary;
    let nullable = match definition.nullable {
        _ if never_null => false,
        Some(nullable) => nullable,
        None if matches!(data_type, MySqlType::Timestamp { .. }) && definition.generated.is_none() => {
            return Err(SchemaError::Uncertain {
                table: table.clone(),
                why: format!(
                    "whether TIMESTAMP column {} takes NULL depends on explicit_defaults_for_timestamp",
                    definition.name
                ),
            });
        }
        None => true,
    };
    Ok(Column {
        name: definition.name.clone(),
        data_type,
        nullable,
        default: definition.default.to_column_default(),
        generated: definition.generated.is_some(),
        generation: definition.generated.clone(),
        auto_increment: definition.auto_increment,
        limits: column_type::limits(&definition.declared),
    })
}

/// The table's default character set after the statement.
fn default_charset(
    before: &Table,
    steps: &[AlterStep],
    unnamed: Defaults<'_>,
) -> Result<Charset, SchemaError> {
    let mut default = before.charset.clone();
    for step in steps {
        if let AlterStep::DefaultCharset { charset, collation }
        | AlterStep::ConvertCharset { charset, collation } = step
        {
            default = named(&before.name, charset.as_deref(), collation.as_deref(), unnamed)?;
            default.told_from(&before.charset);
        }
    }
    Ok(default)
}

/// The character set that every text column is converted to.
fn conversion(
    name: &TableName,
    steps: &[AlterStep],
    unnamed: Defaults<'_>,
) -> Result<Option<Charset>, SchemaError> {
    for step in steps {
        if let AlterStep::ConvertCharset { charset, collation } = step {
            return named(name, charset.as_deref(), collation.as_deref(), unnamed).map(Some);
        }
    }
    Ok(None)
}

fn named(
    table: &TableName,
    set: Option<&str>,
    collation: Option<&str>,
    unnamed: Defaults<'_>,
) -> Result<Charset, SchemaError> {
    let known = match (set, collation) {
        (Some(set), collation) => Some(unnamed.charset(set, collation)),
        (None, Some(collation)) => charset_of_collation(collation),
        (None, None) => None,
    };
    known.ok_or_else(|| SchemaError::Uncertain {
        table: table.clone(),
        why: "the character set is the default of its database, which is not known here".into(),
    })
}

/// A column type after CONVERT TO CHARACTER SET: text that may need more bytes than its type holds gets a larger one
/// (reference manual, "ALTER TABLE Statement", "Changing the Character Set").
fn converted(before: &MySqlType, to: &Charset) -> MySqlType {
    let to = to.clone();
    match before {
        MySqlType::Char { length, .. } => MySqlType::Char { length: *length, charset: to },
        MySqlType::VarChar { length, .. } => {
            let declared = format!("varchar({length})");
            column_type::parse_with(&declared, &to, false, None)
        }
        MySqlType::Text { length_bytes, charset } => {
            let most = (1_u64 << (8 * u32::from(*length_bytes).min(4))) - 1;
            let characters = most / u64::from(max_bytes_per_char(&charset.name));
            let bytes = characters * u64::from(max_bytes_per_char(&to.name));
            let needed = match bytes {
                0..=0xff => 1,
                0x100..=0xffff => 2,
                0x1_0000..=0xff_ffff => 3,
                _ => 4,
            };
            // A set of narrower characters does not shrink the type.
            let same_set = charset.name == to.name;
            let length_bytes = if same_set { *length_bytes } else { needed.max(*length_bytes) };
            MySqlType::Text { length_bytes, charset: to }
        }
        MySqlType::Enum { labels, charset } if charset.name != "binary" => {
            MySqlType::Enum { labels: labels.clone(), charset: to }
        }
        MySqlType::Set { labels, charset } if charset.name != "binary" => {
            MySqlType::Set { labels: labels.clone(), charset: to }
        }
        other => other.clone(),
    }
}

/// The length prefix of a TEXT, which is what a conversion may widen.
fn width(of: &MySqlType) -> Option<u8> {
    match of {
        MySqlType::Text { length_bytes, .. } => Some(*length_bytes),
        _ => None,
    }
}
