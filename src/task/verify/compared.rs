//! A table as it is on record, in the form that comparing takes.

use super::super::TaskError;
use super::super::context::Context;
use super::super::recorded::Recorded;
use super::key;
use crate::change::verdict::{Difference, DifferingKey};
use crate::change::{EncodedRows, ResultRows, TableName, TargetType};
use crate::schema::Table;
use crate::sink::Session;
use crate::sink::store::{self, Stored, StoredTable};
use crate::source::snapshot::ChunkKey;
use crate::source::snapshot::lookup::{Hold, is_askable, rows_query};
use crate::transform::{Plan, TransformError};

/// A column of the target's key.
#[derive(Clone, Debug)]
pub struct KeyPart {
    /// Its name.
    pub name: String,
    /// Its type.
    data_type: TargetType,
    /// The source's column; `None` for the one that tells whose a row is.
    column: Option<usize>,
}

/// A table to compare.
#[derive(Debug)]
pub struct Compared {
    /// The source's definition.
    pub table: Table,
    /// How rows become those of the target.
    pub plan: Plan,
    /// What the source is read along; `None` where it is read as one chunk.
    pub chunks: Option<ChunkKey>,
    /// The target's key.
    pub key: Vec<KeyPart>,
    /// In a table of several feeders: the column of a row that tells whose it is, and what it holds in ours.
    pub tag: Option<(usize, String)>,
    /// A range of the source's key is the same range of the target's.
    pub ordered: bool,
    /// Why its rows cannot be asked for by their keys, where they cannot.
    pub unaskable: Option<String>,
    /// The source holds rows where it is asked to.
    pub is_transactional: bool,
    /// What is not looked for, a sentence each.
    pub not_looked_for: Vec<String>,
    /// Differences that say nothing.
    pub ignored: Vec<Difference>,
    /// Rows that the target cannot hold are in quarantine.
    keeps_unfit: bool,
    /// The record that this was made of.
    recorded: StoredTable,
}

impl Compared {
    /// Reads what is on record of a table.
    ///
    /// # Errors
    /// When the record cannot be read, or the target cannot be asked.
    pub async fn read(
        context: &Context,
        session: &Session,
        stored: &Stored,
        name: &TableName,
        known: &StoredTable,
    ) -> Result<Self, TaskError> {
        let schema =
            known.schemas.last().ok_or_else(|| TaskError::missing(format!("the definition of {name}")))?;
        let Recorded { table, mapping, mixed, .. } = Recorded::read(context, &schema.table, known)?;
        let plan = Plan::compile(&table, &mapping, &mapping.target.columns, &context.policies())?;
        let layout = plan.layout();
        let tagged = mapping.source_tag.as_ref().and_then(|(index, value)| {
            Some((mapping.target.columns.get(*index)?.name.clone(), value.clone()))
        });
        let tag = tagged.and_then(|(name, value)| {
            Some((layout.columns.iter().position(|column| column.name == name)?, value))
        });
        let parts = layout.key.iter().map(|index| {
            let column = layout.columns.get(*index)?;
            let of_tag = tag.as_ref().is_some_and(|(tag, _)| tag == index);
            let source = mapping.source_of(&column.name);
            (of_tag || source.is_some()).then(|| KeyPart {
                name: column.name.clone(),
                data_type: column.data_type.clone(),
                column: source.filter(|_| !of_tag),
            })
        });
        let key = parts
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| TaskError::missing(format!("the source of a key column of {}", known.target)))?;
        let fed: Vec<usize> = key.iter().filter_map(|part| part.column).collect();
        let along = if table.primary_key.is_empty() { &fed } else { &table.primary_key };
        let chunks = ChunkKey::of(&table, along);
        let alike = |part: &KeyPart| {
            let column = part.column.and_then(|index| table.columns.get(index));
            column.is_none_or(|column| {
                key::is_ordered_alike(column, &part.data_type, context.policies().key_dates)
            })
        };
        let unknown = key.iter().find(|part| {
            let column = part.column.and_then(|index| table.columns.get(index));
            column.is_some_and(|column| !key::is_known(column, &part.data_type))
        });
        let unaskable = match unknown {
            Some(part) => {
                let (name, data_type) = (&part.name, &part.data_type);
                Some(format!(
                    "the source cannot be asked by its key column {name}, which is {data_type} in the target"
                ))
            }
            None if !is_askable(&table, &fed) => {
                Some("the source cannot be asked for rows by its key".to_owned())
            }
            None => None,
        };
        let ordered = chunks.is_some() && *along == fed && key.iter().all(alike);
        let (ignored, not_looked_for) =
            not_looked_for(context, session, stored, (name, known), (mixed, tag.is_some())).await?;
        let recorded = known.clone();
        Ok(Self {
            table,
            plan,
            chunks,
            key,
            tag,
            ordered,
            unaskable,
            is_transactional: false,
            not_looked_for,
            ignored,
            keeps_unfit: context.quarantines(name) || stored.quarantined.contains_key(name),
            recorded,
        })
    }

    /// Encodes rows of the source. Gives the keys of those that have no form in the target, and are not among the encoded ones.
    ///
    /// # Errors
    /// When there is one, and the task does not keep such rows.
    pub fn encode(&self, rows: &ResultRows, encoded: &mut EncodedRows) -> Result<Vec<Vec<u8>>, TaskError> {
        match self.plan.encode_result(rows, encoded) {
            Err(TransformError::Value { .. }) if self.keeps_unfit => {
                self.plan.encode_result_keeping(rows, encoded)?;
                let unfit = encoded.take_unfit();
                let unfit = unfit.map_err(|error| {
                    TaskError::Internal(format!("a row of {} that does not fit: {error}", self.table.name))
                })?;
                Ok(unfit.into_iter().map(|(key, _)| key).collect())
            }
            encoded => Ok(encoded.map(|()| Vec::new())?),
        }
    }

    /// Whether a difference of this kind is looked for.
    pub fn counts(&self, difference: Difference) -> bool {
        !self.ignored.contains(&difference)
    }

    /// Whether the table is still carried in the same way.
    pub fn is_still(&self, stored: Option<&Stored>, name: &TableName) -> bool {
        let now = stored.and_then(|stored| stored.tables.get(name));
        now.is_some_and(|now| {
            let schema = |table: &StoredTable| table.schemas.last().map(|schema| schema.version);
            now.state == self.recorded.state
                && now.target == self.recorded.target
                && now.mapping == self.recorded.mapping
                && schema(now) == schema(&self.recorded)
        })
    }

    /// A key that the target prints, as literals of the source.
    pub fn literals(&self, found: &DifferingKey) -> Option<Vec<String>> {
        let parts =
            self.key.iter().zip(&found.key).filter_map(|(part, text)| Some((part, part.column?, text)));
        parts
            .map(|(part, column, text)| key::literal(self.table.columns.get(column)?, &part.data_type, text))
            .collect()
    }

    /// The query for the source's rows of these keys.
    pub fn query_of(&self, keys: &[Vec<String>], hold: Hold) -> Option<String> {
        let fed: Vec<usize> = self.key.iter().filter_map(|part| part.column).collect();
        rows_query(&self.table, &fed, &self.plan.select_columns(), keys, hold)
    }
}

/// Differences that say nothing, and why.
async fn not_looked_for(
    context: &Context,
    session: &Session,
    stored: &Stored,
    (name, known): (&TableName, &StoredTable),
    (mixed, tagged): (bool, bool),
) -> Result<(Vec<Difference>, Vec<String>), TaskError> {
    let (mut ignored, mut why) = (Vec::new(), Vec::new());
    let mut ignore = |difference, words: String| {
        if !ignored.contains(&difference) {
            ignored.push(difference);
            why.push(words);
        }
    };
    let operations = context.task().operations;
    for (carried, operation, difference) in [
        (operations.insert, "insert", Difference::Missing),
        (operations.update, "update", Difference::Different),
        (operations.delete, "delete", Difference::Extra),
    ] {
        if !carried {
            ignore(
                difference,
                format!("{difference} rows: \"{operation}\" is not among the task's operations"),
            );
        }
    }
    if mixed {
        ignore(
            Difference::Different,
            "different rows: the target's own rows stay where it has the key".to_owned(),
        );
        ignore(Difference::Extra, "extra rows: the target has rows of its own".to_owned());
    }
    if context.keeps_rows(name) {
        ignore(
            Difference::Extra,
            "extra rows: those that TRUNCATE took from the source stay by truncate_table".to_owned(),
        );
    }
    if !tagged {
        let beside =
            stored.tables.iter().find(|(other, record)| *other != name && record.target == known.target);
        let other = store::other_feeder(session, &context.name, &known.target).await?;
        if let Some(who) =
            beside.map(|(table, _)| table.to_string()).or_else(|| other.map(|task| format!("task {task}")))
        {
            ignore(
                Difference::Extra,
                format!("extra rows: {who} feeds the target table too, without source_column"),
            );
        }
    }
    Ok((ignored, why))
}
