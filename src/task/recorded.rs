//! One carried table as it is on record in the target: its definition, its state, and how it is carried.

use super::TaskError;
use super::context::Context;
use crate::change::names::folded;
use crate::change::remedy::{Remedy, Upgrade};
use crate::change::state::TableState;
use crate::change::{Position, TableName, TargetChange, TargetName};
use crate::config::ExistingTables;
use crate::schema::Table;
use crate::sink::store::{Store, StoredTable};
use crate::sink::{Session, SinkErrorKind};
use crate::transform::TableMapping;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Carried tables by name.
pub type Known = BTreeMap<TableName, Recorded>;

/// A carried table.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Its definition.
    pub table: Table,
    /// Its state.
    pub state: TableState,
    /// How it is carried.
    pub mapping: TableMapping,
    /// The task made the table that readers know itself, so it may drop it when the copy starts over.
    pub created: bool,
    /// The task has taken that table out of the target again: one of its name is somebody else's.
    pub taken_out: bool,
    /// Rows that are none of the source's may be in the table that readers know.
    pub mixed: bool,
    /// The table whose place the target table takes when it has all rows; `None` where rows go to that table itself.
    pub place: Option<TargetName>,
    /// Columns that the task has made in that table before.
    pub former: Vec<String>,
    /// Columns of that table that have got other names under the copy: each name there, and the one here.
    pub renamed: Vec<(String, String)>,
    /// The names that columns of the source table have had since it is on record, as they are compared.
    pub names: BTreeSet<String>,
}

/// The form stored in the target. A change of it, or of what lies in it, takes a new version of
/// [`Form::Mapping`](crate::sink::store::form::Form::Mapping).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct StoredMapping {
    mapping: TableMapping,
    created: bool,
    /// [`StoredTable::is_taken_out`] looks for it.
    #[serde(default, skip_serializing_if = "is_false")]
    taken_out: bool,
    /// `None` where a program has recorded it that did not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mixed: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    place: Option<TargetName>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    former: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    renamed: Vec<(String, String)>,
}

// What serde asks for takes a reference.
#[expect(clippy::trivially_copy_pass_by_ref)]
fn is_false(value: &bool) -> bool {
    !value
}

/// Where the table comes from that rows go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The task has made it.
    Made,
    /// It was there.
    Found,
    /// It was there, with rows that stay.
    Mixed,
    /// It is a copy beside the one that readers know.
    Beside,
}

impl Recorded {
    /// Where the table comes from that rows go to.
    pub fn origin(&self) -> Origin {
        if self.place.is_some() { Origin::Beside } else { origin(self.created, self.mixed) }
    }

    /// Reads a stored record.
    ///
    /// # Errors
    /// When it is not what this version writes.
    pub fn read(context: &Context, table: &Table, stored: &StoredTable) -> Result<Self, TaskError> {
        let StoredMapping { mapping, created, taken_out, mixed, place, former, renamed } =
            read(context, &table.name, stored)?;
        let mixed = settled(context, created, mixed);
        let (table, state) = (table.clone(), stored.state.clone());
        let names = stored.schemas.iter().flat_map(|schema| names(&schema.table)).collect();
        Ok(Self { table, state, mapping, created, taken_out, mixed, place, former, renamed, names })
    }

    /// The table's name at the source.
    pub fn name(&self) -> &TableName {
        &self.table.name
    }

    /// The table that rows go to.
    pub fn target(&self) -> &TargetName {
        &self.mapping.target.name
    }

    /// The table that readers know.
    pub fn read_by_others(&self) -> &TargetName {
        self.place.as_ref().unwrap_or(self.target())
    }

    /// Records state and mapping as they are from now on, in the open transaction.
    ///
    /// # Errors
    /// When the target fails, or another process has the task.
    pub async fn record(&self, store: &Store, session: &Session) -> Result<(), TaskError> {
        Ok(store
            .record_table(session, self.name(), self.read_by_others(), &self.state, &self.json()?)
            .await?)
    }

    /// The same without the table that readers know, which is taken out.
    pub fn without_its_table(&self) -> Self {
        Self { taken_out: true, ..self.clone() }
    }

    /// Records the table as one that is copied from the start (or not at all yet), in the open transaction: what is on record of an
    /// earlier copy is forgotten.
    ///
    /// # Errors
    /// As [`Self::record`].
    pub async fn reset(&self, store: &Store, session: &Session, state: &TableState) -> Result<(), TaskError> {
        Ok(store.reset_table(session, self.name(), self.read_by_others(), state, &self.json()?).await?)
    }

    /// The target changes with a statement. What becomes of a column's name here is remembered for the table whose place this one takes.
    pub fn follows(&mut self, change: &TargetChange) {
        let (true, TargetChange::RenameColumn { from, to, .. }) = (self.place.is_some(), change) else {
            return;
        };
        match self.renamed.iter_mut().find(|(_, here)| here == from) {
            Some((_, here)) => here.clone_from(to),
            None if self.former.contains(from) => {
                self.renamed.retain(|(there, _)| there != from);
                self.renamed.push((from.clone(), to.clone()));
            }
            None => {}
        }
    }

    /// Records the definition as the one under which events after `from` are written.
    ///
    /// # Errors
    /// As [`Self::record`].
    pub async fn record_schema(
        &self,
        store: &Store,
        session: &Session,
        from: &Position,
    ) -> Result<(), TaskError> {
        Ok(store.record_schema(session, &self.table, from).await?)
    }

    /// The form stored in the target.
    fn json(&self) -> Result<serde_json::Value, TaskError> {
        let (mapping, place) = (self.mapping.clone(), self.place.clone());
        let (former, renamed) = (self.former.clone(), self.renamed.clone());
        let (created, taken_out, mixed) = (self.created, self.taken_out, Some(self.mixed));
        json(&StoredMapping { mapping, created, taken_out, mixed, place, former, renamed })
    }
}

fn json(form: &StoredMapping) -> Result<serde_json::Value, TaskError> {
    serde_json::to_value(form)
        .map_err(|error| TaskError::Internal(format!("a mapping cannot be written as JSON: {error}")))
}

/// The names of a table's columns, as they are compared.
pub fn names(table: &Table) -> impl Iterator<Item = String> + '_ {
    table.columns.iter().map(|column| folded(&column.name))
}

/// The columns that the task has made in the table that readers know, as far as it is on record.
///
/// # Errors
/// When the record is not what this version writes.
pub fn former(context: &Context, name: &TableName, stored: &StoredTable) -> Result<Vec<String>, TaskError> {
    let StoredMapping { mapping, mut former, .. } = read(context, name, stored)?;
    for column in mapping.target.columns {
        if !former.contains(&column.name) {
            former.push(column.name);
        }
    }
    Ok(former)
}

/// See [`Recorded::renamed`].
///
/// # Errors
/// When the record is not what this version writes.
pub fn renamed(
    context: &Context,
    name: &TableName,
    stored: &StoredTable,
) -> Result<Vec<(String, String)>, TaskError> {
    read(context, name, stored).map(|form| form.renamed)
}

/// Whether the task has made the table that readers know.
///
/// # Errors
/// When the record is not what this version writes.
pub fn is_created(context: &Context, name: &TableName, stored: &StoredTable) -> Result<bool, TaskError> {
    read(context, name, stored).map(|form| form.created)
}

/// The table that readers know of a stored one that was carried before, and where it comes from.
///
/// # Errors
/// When the record is not what this version writes.
pub fn in_place(
    context: &Context,
    name: &TableName,
    stored: &StoredTable,
) -> Result<(TableMapping, Origin), TaskError> {
    let StoredMapping { mut mapping, created, mixed, .. } = read(context, name, stored)?;
    mapping.target.name.clone_from(&stored.target);
    Ok((mapping, origin(created, settled(context, created, mixed))))
}

/// What is stored of a table whose target table is taken out.
///
/// # Errors
/// When the record is not what this version writes.
pub fn without_its_table(
    context: &Context,
    name: &TableName,
    stored: &StoredTable,
) -> Result<serde_json::Value, TaskError> {
    json(&StoredMapping { taken_out: true, ..read(context, name, stored)? })
}

/// What was not recorded follows from the config, as it did then.
fn settled(context: &Context, created: bool, mixed: Option<bool>) -> bool {
    mixed.unwrap_or(!created && context.task().existing_tables == ExistingTables::Ignore)
}

fn origin(created: bool, mixed: bool) -> Origin {
    match (created, mixed) {
        (true, _) => Origin::Made,
        (false, false) => Origin::Found,
        (false, true) => Origin::Mixed,
    }
}

/// Whether rows that are none of the source's may be in the table that readers know.
///
/// # Errors
/// When the record is not what this version writes.
pub fn is_mixed(context: &Context, name: &TableName, stored: &StoredTable) -> Result<bool, TaskError> {
    read(context, name, stored).map(|form| settled(context, form.created, form.mixed))
}

/// The copy of a stored table beside the one that readers know.
///
/// # Errors
/// When the record is not what this version writes.
pub fn copy_beside(
    context: &Context,
    name: &TableName,
    stored: &StoredTable,
) -> Result<Option<TargetName>, TaskError> {
    if stored.mapping.is_null() {
        return Ok(None);
    }
    let form = read(context, name, stored)?;
    Ok(form.place.is_some().then_some(form.mapping.target.name))
}

/// How a stored table is carried.
///
/// # Errors
/// When it is not what this version writes.
pub fn mapping(context: &Context, name: &TableName, stored: &StoredTable) -> Result<TableMapping, TaskError> {
    read(context, name, stored).map(|form| form.mapping)
}

fn read(context: &Context, name: &TableName, stored: &StoredTable) -> Result<StoredMapping, TaskError> {
    serde_json::from_value(stored.mapping.clone()).map_err(|error| {
        SinkErrorKind::State {
            task: context.name.clone(),
            why: format!("the mapping of {name} cannot be read: {error}"),
            remedy: Upgrade::Writer.or(Remedy::copy_task()),
        }
        .at(&context.task().target)
        .into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::shape::Distribution;
    use crate::change::{TargetColumn, TargetName, TargetTable, TargetType};
    use crate::sink::store::form::Form;
    use crate::sink::store::golden;
    use crate::transform::mapping::ColumnMapping;
    use std::iter::successors;

    fn next_type(data_type: &TargetType) -> Option<TargetType> {
        Some(match data_type {
            TargetType::Boolean => TargetType::Smallint,
            TargetType::Smallint => TargetType::Integer,
            TargetType::Integer => TargetType::Bigint,
            TargetType::Bigint => TargetType::Numeric(None),
            TargetType::Numeric(None) => TargetType::Numeric(Some((65, 30))),
            TargetType::Numeric(Some(_)) => TargetType::Real,
            TargetType::Real => TargetType::Double,
            TargetType::Double => TargetType::Bit(64),
            TargetType::Bit(_) => TargetType::Varchar(None),
            TargetType::Varchar(None) => TargetType::Varchar(Some(255)),
            TargetType::Varchar(Some(_)) => TargetType::Text,
            TargetType::Text => TargetType::Bytea,
            TargetType::Bytea => TargetType::Date,
            TargetType::Date => TargetType::Timestamp(6),
            TargetType::Timestamp(_) => TargetType::TimestampTz(0),
            TargetType::TimestampTz(_) => TargetType::Time(3),
            TargetType::Time(_) => TargetType::Interval(6),
            TargetType::Interval(_) => TargetType::Json,
            TargetType::Json => TargetType::Jsonb,
            TargetType::Jsonb => TargetType::RealArray,
            TargetType::RealArray => TargetType::Uuid,
            TargetType::Uuid => TargetType::Geometry,
            TargetType::Geometry => TargetType::Other("citext".to_owned()),
            TargetType::Other(_) => TargetType::Inet,
            TargetType::Inet => return None,
        })
    }

    fn next_distribution(distribution: Option<&Distribution>) -> Option<Distribution> {
        match distribution {
            None => Some(Distribution::By(vec!["id".to_owned()])),
            Some(Distribution::By(_)) => Some(Distribution::Replicated),
            Some(Distribution::Replicated) => None,
        }
    }

    fn column(name: &str, data_type: TargetType) -> TargetColumn {
        TargetColumn { name: name.to_owned(), data_type, nullable: false }
    }

    fn form(columns: Vec<TargetColumn>, distribution: Option<Distribution>) -> StoredMapping {
        let target = TargetTable {
            name: TargetName { schema: "dw".to_owned(), table: "orders \"all\"".to_owned() },
            columns,
            primary_key: vec!["id".to_owned()],
            distribution,
            storage: None,
        };
        let columns = vec![ColumnMapping { source: 2, target: 0 }];
        let source = TableName::new("shop", "Orders");
        let mapping = TableMapping { source, target, columns, source_tag: None };
        let (former, renamed) = (Vec::new(), Vec::new());
        let (taken_out, mixed, place) = (false, None, None);
        StoredMapping { mapping, created: true, taken_out, mixed, place, former, renamed }
    }

    /// One for each distribution and one for each type; the first with all that is optional.
    fn samples() -> Vec<StoredMapping> {
        let mut full = form(vec![column("from", TargetType::Text), column("id", TargetType::Bigint)], None);
        full.mapping.target.storage = Some("fillfactor=70".to_owned());
        full.mapping.source_tag = Some((0, "shop:shop.Orders".to_owned()));
        full.created = false;
        let mut samples = vec![full];
        let distributions = successors(next_distribution(None), |last| next_distribution(Some(last)));
        samples.extend(distributions.map(|by| form(vec![column("id", TargetType::Bigint)], Some(by))));
        let types = successors(Some(TargetType::Boolean), next_type);
        let of_types = types.map(|data_type| form(vec![column("id", data_type)], None));
        // The last one stands behind those that older golden files have.
        let mut of_types: Vec<_> = of_types.collect();
        let last = of_types.pop();
        samples.extend(of_types);
        let place = TargetName { schema: "dw".to_owned(), table: "orders".to_owned() };
        let former = vec!["id".to_owned(), "gone".to_owned()];
        let beside = StoredMapping {
            mixed: Some(true),
            place: Some(place),
            former,
            ..form(vec![column("id", TargetType::Bigint)], None)
        };
        let renamed = vec![("gone".to_owned(), "id".to_owned())];
        samples.push(beside.clone());
        samples.push(StoredMapping { renamed, ..beside });
        let taken_out = form(vec![column("id", TargetType::Bigint)], None);
        samples.push(StoredMapping { taken_out: true, ..taken_out });
        samples.extend(last);
        samples
    }

    #[test]
    fn what_is_stored_of_a_mapping_is_what_the_golden_files_say() {
        let value = |sample: &StoredMapping| serde_json::to_value(sample).unwrap();
        let samples = samples();
        golden::hold(Form::Mapping, &samples.iter().map(value).collect::<Vec<_>>());
        for sample in samples {
            assert_eq!(serde_json::from_value::<StoredMapping>(value(&sample)).unwrap(), sample);
        }
    }
}
