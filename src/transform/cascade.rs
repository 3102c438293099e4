//! Which foreign keys of the source the target can follow exactly, where the source's log is silent about them.
//!
//! InnoDB finds the rows that refer to a changed one by comparing values of the source. The target finds the same ones where equal
//! there means equal here, and where all that decides is in the target. Everything else is refused, with the reason.
//!
//! What must never happen here: a key taken for one that can be followed whose rows would differ afterwards.

use super::TableMapping;
use super::mapping::is_dated;
use crate::change::cascade::KeyEffect;
use crate::change::names::alike;
use crate::change::policy::{NulBytes, Operations, ZeroDates};
use crate::change::{TableName, TargetType};
use crate::schema::{Column, ForeignKey, KeyAction, MySqlType, Table};

/// What the config says about it.
#[derive(Clone, Copy, Debug)]
pub struct KeyRules {
    /// What is carried.
    pub operations: Operations,
    /// What a zero date becomes.
    pub zero_dates: ZeroDates,
    /// What becomes of NUL in text.
    pub nul_bytes: NulBytes,
    /// The table may hold rows in the target that are none of the source's.
    pub foreign_rows: bool,
    /// Rows of the table that the target cannot hold are kept beside it.
    pub quarantines: bool,
}

/// A table as it is carried.
#[derive(Clone, Copy, Debug)]
pub struct KeyTable<'a> {
    /// Its definition.
    pub table: &'a Table,
    /// How it is carried.
    pub mapping: &'a TableMapping,
    /// The rules for it.
    pub rules: KeyRules,
}

/// A key that can be followed, by indexes of source columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FollowedKey {
    /// Columns of the table that the key refers to.
    pub referenced: Vec<usize>,
    /// Per column whether blanks at the end do not count.
    pub padded: Vec<bool>,
    /// What a delete does.
    pub on_delete: KeyEffect,
    /// What an update does.
    pub on_update: KeyEffect,
}

/// How a foreign key of `child` is followed. `parent` is the table that it refers to, where it is carried by the same task.
///
/// # Errors
/// Why it cannot be.
pub fn follow(
    child: KeyTable<'_>,
    key: &ForeignKey,
    parent: Option<KeyTable<'_>>,
) -> Result<FollowedKey, String> {
    let rules = child.rules;
    if [key.on_delete, key.on_update].contains(&KeyAction::SetDefault) {
        return Err("SET DEFAULT is not known well enough".to_owned());
    }
    let parent = parent.ok_or_else(|| {
        format!("{} is not among the tables that are carried, so nothing is known of its rows", key.parent)
    })?;
    if rules.foreign_rows {
        return Err("the target table may hold rows of others (existing_tables = \"ignore\")".to_owned());
    }
    if rules.quarantines {
        return Err(
            "rows of its table may be in quarantine, where they cannot be found by it (bad_rows)".to_owned()
        );
    }
    let column = |of: KeyTable<'_>, index: usize| of.table.columns.get(index).cloned();
    let mut followed = FollowedKey {
        referenced: Vec::new(),
        padded: Vec::new(),
        on_delete: effect(key.on_delete, KeyEffect::Delete),
        on_update: effect(key.on_update, KeyEffect::Follow),
    };
    let carried = key.columns.iter().filter(|index| child.mapping.target_of(**index).is_some()).count();
    if carried == 0 && followed.on_delete != KeyEffect::Delete {
        // What changes is not in the target.
        (followed.on_delete, followed.on_update) = (KeyEffect::Nothing, KeyEffect::Nothing);
    }
    for (index, name) in key.columns.iter().zip(&key.referenced) {
        let referenced = parent.table.column_index(name);
        let referenced = referenced.ok_or_else(|| format!("{} has no column {name}", key.parent))?;
        followed.referenced.push(referenced);
        let (Some(own), Some(other)) = (column(child, *index), column(parent, referenced)) else {
            return Err("its columns are not those of its table".to_owned());
        };
        let target = |of: KeyTable<'_>, source: usize| {
            let index = of.mapping.target_of(source)?;
            of.mapping.target.columns.get(index).map(|column| column.data_type.clone())
        };
        if (followed.on_delete, followed.on_update) == (KeyEffect::Nothing, KeyEffect::Nothing) {
            followed.padded.push(false);
            continue;
        }
        let Some(own_type) = target(child, *index) else {
            return Err(format!("its column {} is not carried", own.name));
        };
        let Some(other_type) = target(parent, referenced) else {
            return Err(format!("column {} of {} is not carried", other.name, key.parent));
        };
        followed.padded.push(compares(&own, &other, (&own_type, &other_type), (rules, parent.rules))?);
    }
    if let Some((operation, why)) = [
        (rules.operations.delete, KeyEffect::Delete, "delete"),
        (rules.operations.update, KeyEffect::SetNull, "update"),
        (rules.operations.update, KeyEffect::Follow, "update"),
    ]
    .into_iter()
    .find(|(carried, effect, _)| !carried && [followed.on_delete, followed.on_update].contains(effect))
    .map(|(_, _, operation)| (operation, "is not among operations"))
    {
        return Err(format!("\"{operation}\" {why}"));
    }
    changes_alone(child, key, &followed)?;
    Ok(followed)
}

fn effect(action: KeyAction, cascade: KeyEffect) -> KeyEffect {
    match action {
        KeyAction::Cascade => cascade,
        KeyAction::SetNull => KeyEffect::SetNull,
        KeyAction::Nothing | KeyAction::SetDefault => KeyEffect::Nothing,
    }
}

/// Whether what the key changes in a row of its table is all that changes there, whatever comes first.
fn changes_alone(child: KeyTable<'_>, key: &ForeignKey, followed: &FollowedKey) -> Result<(), String> {
    let updates = |on_delete: KeyEffect, on_update: KeyEffect| {
        [on_delete, on_update].iter().any(|effect| matches!(effect, KeyEffect::SetNull | KeyEffect::Follow))
    };
    let own = updates(followed.on_delete, followed.on_update);
    for other in child.table.foreign_keys.iter().filter(|other| other.name != key.name) {
        let others =
            updates(effect(other.on_delete, KeyEffect::Delete), effect(other.on_update, KeyEffect::Follow));
        if (own || others)
            && let Some(shared) = key.columns.iter().find(|column| other.columns.contains(column))
        {
            let name = child.table.columns.get(*shared).map(|column| column.name.clone()).unwrap_or_default();
            return Err(format!(
                "it shares column {name} with {}, so that what becomes of a row hangs on which of them comes first",
                other.name
            ));
        }
    }
    if !own {
        return Ok(());
    }
    let names: Vec<String> = key
        .columns
        .iter()
        .filter_map(|index| child.table.columns.get(*index))
        .map(|column| column.name.to_lowercase())
        .collect();
    for (index, column) in child.table.columns.iter().enumerate() {
        if !column.generated || child.mapping.target_of(index).is_none() {
            continue;
        }
        let expression = column.generation.as_ref().map(|generation| generation.expression.to_lowercase());
        // A name in it may be another one's, or stand in a string: one more is refused then.
        if expression.is_none_or(|text| names.iter().any(|name| text.contains(name.as_str()))) {
            return Err(format!("generated column {} may be computed from it", column.name));
        }
    }
    Ok(())
}

/// Whether values of two columns are equal in the target exactly where they are at the source; true where blanks at their end do not count.
fn compares(
    own: &Column,
    other: &Column,
    (own_type, other_type): (&TargetType, &TargetType),
    (own_rules, other_rules): (KeyRules, KeyRules),
) -> Result<bool, String> {
    let name = &own.name;
    if own.generated || other.generated {
        return Err(format!("column {} is a generated one", if own.generated { name } else { &other.name }));
    }
    let texts = |data_type: &TargetType| matches!(data_type, TargetType::Text | TargetType::Varchar(_));
    if own_type != other_type && !(texts(own_type) && texts(other_type)) {
        return Err(format!(
            "column {name} is {own_type} in the target, and what it refers to is {other_type}"
        ));
    }
    let is_one_type = || {
        let same = own.data_type == other.data_type;
        same.then_some(()).ok_or_else(|| {
            format!("column {name} is {} and what it refers to is {}", own.data_type, other.data_type)
        })
    };
    match (&own.data_type, &other.data_type) {
        (
            MySqlType::TinyInt { .. }
            | MySqlType::SmallInt { .. }
            | MySqlType::MediumInt { .. }
            | MySqlType::Int { .. }
            | MySqlType::BigInt { .. }
            | MySqlType::Decimal { .. }
            | MySqlType::Year,
            _,
        ) if matches!(
            own_type,
            TargetType::Smallint | TargetType::Integer | TargetType::Bigint | TargetType::Numeric(_)
        ) =>
        {
            // With other bounds, signs or scales the server would not have made the key.
            let kinds = (own.data_type.clone(), other.data_type.clone());
            let kinds = [kinds.0, kinds.1].map(|kind| match kind {
                MySqlType::TinyInt { unsigned, .. } => MySqlType::TinyInt { unsigned, display_one: false },
                kind => kind,
            });
            if kinds[0] == kinds[1] { Ok(false) } else { is_one_type().map(|()| false) }
        }
        (MySqlType::Bit { .. }, _) if matches!(own_type, TargetType::Bit(_)) => is_one_type().map(|()| false),
        (MySqlType::Binary { .. }, _) if *own_type == TargetType::Bytea => is_one_type().map(|()| false),
        (MySqlType::VarBinary { .. }, MySqlType::VarBinary { .. }) if *own_type == TargetType::Bytea => {
            Ok(false)
        }
        (data_type, _) if is_dated(data_type) => {
            is_one_type()?;
            let null = [own_rules, other_rules].iter().any(|rules| rules.zero_dates == ZeroDates::Null);
            let kept =
                matches!(own_type, TargetType::Date | TargetType::Timestamp(_) | TargetType::TimestampTz(_));
            match (null, kept) {
                (false, true) => Ok(false),
                (true, _) => Err(format!("zero dates of column {name} are NULL in the target (zero_dates)")),
                (_, false) => Err(format!("column {name} is {own_type} in the target")),
            }
        }
        (
            MySqlType::Char { charset, .. } | MySqlType::VarChar { charset, .. },
            MySqlType::Char { charset: of_other, .. } | MySqlType::VarChar { charset: of_other, .. },
        ) if texts(own_type) => {
            if charset != of_other {
                return Err(format!("column {name} and what it refers to have different collations"));
            }
            if !charset.collation.ends_with("_bin") {
                return Err(format!(
                    "column {name} is compared by collation {}, under which texts are equal that are not in the target",
                    charset.collation
                ));
            }
            if [own_rules, other_rules].iter().any(|rules| rules.nul_bytes != NulBytes::Error) {
                return Err(format!("NULs of column {name} are lost in the target (nul_bytes)"));
            }
            let unpadded = charset.collation.contains("_nopad_") || charset.collation.ends_with("_0900_bin");
            let both_stripped = matches!(
                (&own.data_type, &other.data_type),
                (MySqlType::Char { .. }, MySqlType::Char { .. })
            );
            Ok(!unpadded && !both_stripped)
        }
        (data_type, _) => {
            Err(format!("column {name} is {data_type}, which is not known to compare alike in the target"))
        }
    }
}

/// The name of a key as `accept_cascades` takes it.
pub fn name(table: &TableName, key: &ForeignKey) -> String {
    format!("{table}.{}", key.name)
}

/// Whether one of these entries of `accept_cascades` names a key: as it is, or by a pattern.
pub fn accepts(entries: &[String], key: &str) -> bool {
    entries.iter().any(|entry| {
        alike(entry, key) || globset::Glob::new(entry).is_ok_and(|glob| glob.compile_matcher().is_match(key))
    })
}

/// A key's name as an entry that names it alone.
pub fn escaped(key: &str) -> String {
    // A name that is one as it stands is the better one to read.
    if accepts(&[key.to_owned()], key) { key.to_owned() } else { globset::escape(key) }
}
