//! Which target table and columns a source table feeds: the result of names, types and policies.

mod fit;
mod refused;

pub(super) use fit::{check_fit, codec_for};

use super::ddl::computed::time_zone;
use super::plan::computing::computable;
use super::plan::whole::left_out;
use super::rules::Rules;
use super::typemap::{default_type, parse_target_type};
use super::{TransformError, names};
use crate::change::names::alike;
use crate::change::policy::{Distributed, ZeroDates};
use crate::change::remedy::{AtSource, InConfig, Remedy};
use crate::change::shape::Distribution;
use crate::change::{TableName, TargetColumn, TargetName, TargetTable, TargetType};
use crate::schema::{Column, MySqlType, Table};
use serde::{Deserialize, Serialize};

/// How one source table is carried.
///
/// After DDL this is no longer what [`map_table`] would make of the table (ignored columns, kept names, columns at the
/// target's end): it is durable state, like the table's definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableMapping {
    /// The source table.
    pub source: TableName,
    /// The wanted target table (what `CREATE TABLE` makes; an existing one is compared with it).
    pub target: TargetTable,
    /// The carried columns, in the source table's column order.
    pub columns: Vec<ColumnMapping>,
    /// Text put into an extra leading key column of the target (`source_column`): its target column's
    /// index and the constant `<task>:<db>.<table>`.
    pub source_tag: Option<(usize, String)>,
}

/// How one source column is carried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnMapping {
    /// Index into the source table's columns.
    pub source: usize,
    /// Index into the target table's columns.
    pub target: usize,
}

impl TableMapping {
    /// The source column that feeds the target column of this name.
    pub fn source_of(&self, name: &str) -> Option<usize> {
        let index = self.target.columns.iter().position(|column| column.name == name)?;
        self.columns.iter().find(|column| column.target == index).map(|column| column.source)
    }

    /// Leaves out a target column that nothing feeds.
    pub fn forget_target(&mut self, index: usize) {
        if index >= self.target.columns.len() {
            return;
        }
        self.target.columns.remove(index);
        let moved = |target: &mut usize| *target -= usize::from(*target > index);
        self.columns.iter_mut().for_each(|column| moved(&mut column.target));
        if let Some((column, _)) = &mut self.source_tag {
            moved(column);
        }
    }

    /// The target column that a source column feeds.
    pub fn target_of(&self, source: usize) -> Option<usize> {
        self.columns.iter().find(|column| column.source == source).map(|column| column.target)
    }
}

/// Maps a source table by the rules.
///
/// # Errors
/// [`TransformError::Mapping`] for names, keys and options that do not fit, [`TransformError::Type`] for types.
pub fn map_table(table: &Table, rules: &Rules) -> Result<TableMapping, TransformError> {
    let name = target_name(table, rules)?;
    if rules.exact_options {
        check_options(table, rules)?;
    }
    let key = key_columns(table, rules)?;
    let mut target = TargetTable {
        name,
        columns: Vec::new(),
        primary_key: Vec::new(),
        distribution: None,
        storage: rules.options.storage.clone(),
    };
    let mut source_tag = None;
    if let Some(tag) = &rules.options.source_column {
        names::check(&table.name, tag, "column", "source_column")?;
        target.columns.push(TargetColumn { name: tag.clone(), data_type: TargetType::Text, nullable: false });
        target.primary_key.push(tag.clone());
        source_tag = Some((0, rules.tag(&table.name)));
    }
    let mut columns = Vec::new();
    let mut refused = Vec::new();
    for (source, column) in table.columns.iter().enumerate() {
        if rules.excludes(&column.name) {
            continue;
        }
        let made = has_one_value(table, column, rules)
            .and_then(|()| made_column(&table.name, column, key.contains(&source), rules));
        let made = match made {
            Ok(made) => made,
            Err(error) => {
                refused.push((column.name.as_str(), error));
                continue;
            }
        };
        if target.columns.iter().any(|other| other.name == made.name) {
            return Err(mapping_error(
                &table.name,
                format!("two columns would both be \"{}\" in the target", made.name),
                Remedy::OtherName { key: format!("columns = {{ {} = \"…\" }}", column.name) },
            ));
        }
        columns.push(ColumnMapping { source, target: target.columns.len() });
        target.columns.push(made);
    }
    if let Some(error) = refused::columns(&table.name, refused, rules) {
        return Err(error);
    }
    let mut mapping = TableMapping { source: table.name.clone(), target, columns, source_tag };
    for source in key {
        let name = mapping
            .target_of(source)
            .and_then(|index| mapping.target.columns.get(index))
            .map(|column| column.name.clone());
        mapping.target.primary_key.extend(name);
    }
    mapping.target.distribution = distribution(table, &mapping, rules)?;
    Ok(mapping)
}

/// A virtual column is computed where it is read: by the copy, and by each session that writes a row to the log. Where the time zone
/// decides, their values differ, and the log does not tell under which one a value came about.
fn has_one_value(table: &Table, column: &Column, rules: &Rules) -> Result<(), TransformError> {
    let read = column.generation.as_ref().is_some_and(|generation| !generation.stored);
    let Some(what) = (if read { time_zone(table, column) } else { None }) else {
        let omitted = column.generated && rules.omits_generated;
        return match computable(table, column) {
            Err(why) if omitted => Err(left_out(&table.name, column, &why)),
            _ => Ok(()),
        };
    };
    Err(mapping_error(
        &table.name,
        format!(
            "virtual column {} has no one value: it is computed where it is read, under the time zone of whoever reads it and when ({what})",
            column.name
        ),
        Remedy::leave_out_column(&[], &column.name).or(AtSource::StoreColumn),
    ))
}

/// What the rules now say otherwise than a recorded mapping of `table`, in words. Such a change has no effect: the
/// mapping is durable. Types are left out, for DDL changes them too.
pub fn deviation(table: &Table, mapping: &TableMapping, rules: &Rules) -> Option<String> {
    let target = &mapping.target;
    let wanted = TargetName {
        schema: names::schema_name(&table.name.database, rules),
        table: names::table_name(&table.name.table, rules),
    };
    if wanted != target.name {
        return Some(format!("the config now says {wanted}, but it feeds {}", target.name));
    }
    let target_column = |index: usize| target.columns.get(index).map(|column| column.name.as_str());
    let tag = mapping.source_tag.as_ref().and_then(|(index, _)| target_column(*index));
    if tag != rules.options.source_column.as_deref() {
        return Some(format!("source_column was {} when it was copied", tag.unwrap_or("not set")));
    }
    let mut carried = Vec::new();
    for column in &mapping.columns {
        if let Some((source, now)) = table.columns.get(column.source).zip(target_column(column.target)) {
            carried.push((source.name.as_str(), now));
        }
    }
    for (source, now) in &carried {
        if rules.excludes(source) {
            return Some(format!("column {source} is carried although exclude_columns now names it"));
        }
        if let Some(renamed) = rules.renamed(source).filter(|renamed| renamed != now) {
            return Some(format!("column {source} feeds {now}, not {renamed} as columns now says"));
        }
    }
    let key = rules.options.primary_key.as_ref()?;
    let in_target =
        |name: &String| carried.iter().find(|(source, _)| alike(source, name)).map(|(_, now)| *now);
    let key: Vec<&str> = key.iter().filter_map(in_target).collect();
    let tagged = usize::from(tag.is_some());
    let differs = !target.primary_key.iter().skip(tagged).map(String::as_str).eq(key);
    differs.then(|| {
        format!("its primary key is ({}), not as primary_key now says", target.primary_key.join(", "))
    })
}

pub(super) fn mapping_error(
    table: &TableName,
    why: impl Into<String>,
    remedy: impl Into<Remedy>,
) -> TransformError {
    TransformError::Mapping { table: table.clone(), why: why.into(), remedy: remedy.into() }
}

/// The error for a column that a target type cannot take.
fn type_error(table: &TableName, column: &Column, target: &str, remedy: Remedy) -> TransformError {
    TransformError::Type {
        table: table.clone(),
        column: column.name.clone(),
        source_type: column.data_type.to_string(),
        target_type: target.to_owned(),
        remedy,
    }
}

fn target_name(table: &Table, rules: &Rules) -> Result<TargetName, TransformError> {
    let schema = names::schema_name(&table.name.database, rules);
    names::check(&table.name, &schema, "schema", "schemas = { … } of the task")?;
    if rules.options.target.as_ref().is_some_and(|target| target.contains('.')) {
        return Err(mapping_error(&table.name, "its target holds a dot", InConfig::NameAlone));
    }
    let name = names::table_name(&table.name.table, rules);
    names::check(&table.name, &name, "table", "target = \"…\" in its table options")?;
    Ok(TargetName { schema, table: name })
}

/// Every column that the table's own options name must be there: a misspelt `exclude_columns` would publish a secret.
fn check_options(table: &Table, rules: &Rules) -> Result<(), TransformError> {
    let options = &rules.options;
    let distributed = match &options.distributed_by {
        Some(Distributed::By(columns)) => columns.as_slice(),
        Some(Distributed::Replicated) | None => &[],
    };
    let named = options.columns.keys().map(|name| ("columns", name));
    let named = named.chain(options.types.keys().map(|name| ("types", name)));
    let named = named.chain(options.exclude_columns.iter().map(|name| ("exclude_columns", name)));
    let named = named.chain(options.primary_key.iter().flatten().map(|name| ("primary_key", name)));
    // The source tag is no column of the source.
    let tag = |name: &String| options.source_column.as_ref().is_some_and(|tag| alike(tag, name));
    let distributed = distributed.iter().filter(|name| !tag(name));
    let mut named = named.chain(distributed.map(|name| ("distributed_by", name)));
    match named.find(|(_, name)| table.column_index(name).is_none()) {
        Some((key, name)) => Err(mapping_error(
            &table.name,
            format!("{key} names column {name}, which the table does not have"),
            Remedy::CorrectColumns { key: key.to_string(), columns: column_list(table) },
        )),
        None => Ok(()),
    }
}

fn column_list(table: &Table) -> String {
    table.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// The source columns that make the target's primary key, in key order.
fn key_columns(table: &Table, rules: &Rules) -> Result<Vec<usize>, TransformError> {
    let key = match &rules.options.primary_key {
        Some(names) => chosen_key(table, names)?,
        None => natural_key(table).ok_or_else(|| {
            mapping_error(
                &table.name,
                "it has neither a primary key nor a unique key over NOT NULL columns",
                AtSource::AddKey.or(InConfig::LeaveTableOut),
            )
        })?,
    };
    for index in &key {
        let excluded = table.columns.get(*index).filter(|column| rules.excludes(&column.name));
        if let Some(column) = excluded {
            return Err(mapping_error(
                &table.name,
                format!("key column {} is left out by exclude_columns", column.name),
                InConfig::CarryColumn.or(InConfig::OtherKey),
            ));
        }
    }
    Ok(key)
}

fn natural_key(table: &Table) -> Option<Vec<usize>> {
    if !table.primary_key.is_empty() {
        return Some(table.primary_key.clone());
    }
    table.unique_keys.first().map(|key| key.columns.clone())
}

/// Whether rows that differ always differ in these columns, and none of them is ever NULL.
pub(super) fn identifies_rows(table: &Table, columns: &[usize]) -> bool {
    let contains = |key: &[usize]| !key.is_empty() && key.iter().all(|index| columns.contains(index));
    let never_null = |index: &usize| table.columns.get(*index).is_some_and(|column| !column.nullable);
    columns.iter().all(never_null)
        && (contains(&table.primary_key) || table.unique_keys.iter().any(|key| contains(&key.columns)))
}

fn chosen_key(table: &Table, names: &[String]) -> Result<Vec<usize>, TransformError> {
    let mut key = Vec::new();
    for name in names {
        let index = table.column_index(name).ok_or_else(|| {
            mapping_error(
                &table.name,
                format!("primary_key names column {name}, which the table does not have"),
                Remedy::CorrectColumns { key: "primary_key".to_owned(), columns: column_list(table) },
            )
        })?;
        if !key.contains(&index) {
            key.push(index);
        }
    }
    if identifies_rows(table, &key) {
        return Ok(key);
    }
    Err(mapping_error(
        &table.name,
        format!("primary_key = {names:?} would merge rows: it holds no unique key over NOT NULL columns"),
        InConfig::WholeKey,
    ))
}

/// The source columns that feed these target columns, when they can be the table's key (`primary_key`).
pub fn source_key<'a>(table: &'a Table, mapping: &TableMapping, key: &[String]) -> Option<Vec<&'a str>> {
    if mapping.source_tag.is_some() {
        return None;
    }
    let columns: Vec<usize> = key.iter().map(|name| mapping.source_of(name)).collect::<Option<_>>()?;
    if !identifies_rows(table, &columns) {
        return None;
    }
    columns.iter().map(|index| Some(table.columns.get(*index)?.name.as_str())).collect()
}

/// Whether `types` of the config may give this type to a column.
pub fn accepts(table: &TableName, column: &Column, target: &TargetType, in_key: bool) -> bool {
    parse_target_type(&target.to_string()).as_ref() == Some(target)
        && check_fit(table, column, target, in_key).is_ok()
}

/// The target column of a source column.
pub(super) fn target_column(
    table: &TableName,
    column: &Column,
    in_key: bool,
    rules: &Rules,
) -> Result<TargetColumn, TransformError> {
    let made = made_column(table, column, in_key, rules);
    made.map_err(|error| refused::column(error, &column.name, rules))
}

fn made_column(
    table: &TableName,
    column: &Column,
    in_key: bool,
    rules: &Rules,
) -> Result<TargetColumn, TransformError> {
    let name = names::column_name(&column.name, rules);
    names::check(table, &name, "column", &format!("columns = {{ {} = \"…\" }}", column.name))?;
    let data_type = target_type(table, column, in_key, rules)?;
    Ok(TargetColumn { name, data_type, nullable: takes_null(column, in_key, rules) })
}

/// Whether the target column takes NULL. A zero date becomes NULL, but never in a key: there it is an error when it comes.
pub(super) fn takes_null(column: &Column, in_key: bool, rules: &Rules) -> bool {
    !in_key && (column.nullable || (is_dated(&column.data_type) && rules.zero_dates == ZeroDates::Null))
}

/// Whether values may be zero dates.
pub(crate) fn is_dated(data_type: &MySqlType) -> bool {
    matches!(data_type, MySqlType::Date | MySqlType::DateTime { .. } | MySqlType::Timestamp { .. })
}

fn target_type(
    table: &TableName,
    column: &Column,
    in_key: bool,
    rules: &Rules,
) -> Result<TargetType, TransformError> {
    let refused = |target: &str, remedy: Remedy| type_error(table, column, target, remedy);
    let chosen = match rules.type_override(&column.name) {
        Some(written) => parse_target_type(written)
            .ok_or_else(|| refused(written, Remedy::KnownType { written: written.to_owned() }))?,
        None => default_type(&column.data_type, rules)
            .ok_or_else(|| {
                let left_out = Remedy::leave_out_column(&[], &column.name);
                // Of MariaDB's formats that of before 10.0 is not carried where it has a fraction.
                let old = matches!(&column.data_type, MySqlType::Unknown { declared } if declared.contains("mariadb-5.3"));
                refused("any type", if old { Remedy::from(AtSource::StoreTimesAnew).or(left_out) } else { left_out })
            })?,
    };
    check_fit(table, column, &chosen, in_key)?;
    Ok(chosen)
}

fn distribution(
    table: &Table,
    mapping: &TableMapping,
    rules: &Rules,
) -> Result<Option<Distribution>, TransformError> {
    let columns = match &rules.options.distributed_by {
        None => return Ok(None),
        Some(Distributed::Replicated) => return Ok(Some(Distribution::Replicated)),
        Some(Distributed::By(columns)) => columns,
    };
    let mut by = Vec::new();
    for name in columns {
        // The source tag is no source column and may be named by its own name.
        let tag = rules.options.source_column.as_ref().filter(|tag| alike(tag, name)).cloned();
        let target = table
            .column_index(name)
            .and_then(|index| mapping.target_of(index))
            .and_then(|index| mapping.target.columns.get(index))
            .map(|column| column.name.clone())
            .or(tag);
        match target {
            Some(target) if mapping.target.primary_key.contains(&target) => by.push(target),
            Some(_) | None => {
                return Err(mapping_error(
                    &table.name,
                    format!("distributed_by names {name}, which is not in the target's primary key"),
                    Remedy::OfKey { key: mapping.target.primary_key.clone() },
                ));
            }
        }
    }
    Ok(Some(Distribution::By(by)))
}

#[cfg(test)]
pub(crate) mod tests;
