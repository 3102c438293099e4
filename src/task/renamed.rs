//! Tables that get other names at the source and keep their rows in the target, where `ddl_policy.rename_table` is "apply".
//!
//! What must never happen here: a table under another name whose rows are not those that the config wants there.

use super::batch::Renamed;
use super::context::Context;
use super::tables::{Carried, Tables};
use crate::change::{StatementEvent, TableName, TableNames};
use crate::schema::ddl::Statement;
use crate::transform::{Plan, TableMapping};
use std::collections::BTreeSet;

/// The carried tables that a statement only gives other names; none where one of them cannot keep its target table.
pub(super) fn renamed(
    context: &Context,
    tables: &Tables,
    names: TableNames,
    event: &StatementEvent,
    statement: &Statement,
) -> Vec<Renamed> {
    let pairs: Vec<_> = match statement {
        Statement::RenameTable(pairs) => pairs.iter().map(|(from, to)| (from, to)).collect(),
        Statement::AlterTable(alter)
            if alter.steps.is_empty() && !alter.ignore && alter.other_table.is_none() =>
        {
            alter.rename_to.iter().map(|to| (&alter.table, to)).collect()
        }
        _ => return Vec::new(),
    };
    let full = |name: &crate::schema::ddl::Name| names.folded(&name.full(&event.default_database));
    let pairs: Vec<_> = pairs.into_iter().map(|(from, to)| (full(from), full(to))).collect();
    // One after the other, they may exchange names.
    let distinct: BTreeSet<&TableName> = pairs.iter().flat_map(|(from, to)| [from, to]).collect();
    if distinct.len() != 2 * pairs.len() {
        return Vec::new();
    }
    // Whose foreign keys refer to which name then hangs on more than the statement says.
    let in_family = |name: &TableName| {
        let own = tables.find(name).and_then(|index| tables.get(index));
        own.is_some_and(|one| !one.table.foreign_keys.is_empty())
            || tables.iter().any(|one| one.table.foreign_keys.iter().any(|key| names.same(&key.parent, name)))
    };
    if pairs.iter().any(|(from, to)| in_family(from) || in_family(to)) {
        return Vec::new();
    }
    let carried = pairs.iter().filter_map(|(from, to)| Some((tables.get(tables.find(from)?)?, to)));
    let one = |(one, to): (&Carried, &TableName)| {
        let free = tables.find(to).is_none() && !tables.is_passed_over(to);
        free.then(|| under(context, one, to)).flatten()
    };
    carried.map(one).collect::<Option<Vec<_>>>().unwrap_or_default()
}

/// A carried table under another name, where the config has it carried there just as it is.
fn under(context: &Context, one: &Carried, to: &TableName) -> Option<Renamed> {
    let is_wanted =
        context.renames(&one.table.name) && context.task().tables.contains(&to.database, &to.table);
    if !is_wanted || one.is_before_p1() || one.p0.is_some() {
        return None;
    }
    let mut table = one.table.clone();
    table.name.clone_from(to);
    let (mut mapping, _) = context.map(&table).ok()?;
    let (was, is) = (&one.mapping, &mapping);
    let names = |mapping: &TableMapping| {
        mapping.target.columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>()
    };
    let alike = (&was.columns, &was.target.primary_key, &was.target.distribution, &was.target.storage)
        == (&is.columns, &is.target.primary_key, &is.target.distribution, &is.target.storage)
        && was.target.name.schema == is.target.name.schema
        // Rows would have to get another tag.
        && (was.source_tag.is_none() && is.source_tag.is_none())
        && names(was) == names(is);
    // As wide as somebody may have made them.
    mapping.target.columns.clone_from(&was.target.columns);
    let fits = Plan::compile(&table, &mapping, &mapping.target.columns, &context.policies()).is_ok();
    (alike && fits).then(|| Renamed { from: one.table.name.clone(), table, mapping })
}
