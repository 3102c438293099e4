//! Foreign keys that change rows of their own table: `ON DELETE` or `ON UPDATE` `CASCADE`, `SET NULL`, `SET DEFAULT`.

use super::{Server, TextRows, text};
use crate::change::TableName;
use crate::config::types::Selection;
use crate::schema::KeyAction;
use crate::source::SourceError;
use crate::source::catalog::filter::in_databases;
use crate::source::snapshot::key::quote;
use std::collections::{BTreeMap, BTreeSet};

/// Asks for foreign keys, and for the rules of those whose rules the user may see.
pub(in crate::source) fn queries(selection: &Selection) -> [String; 2] {
    [
        format!(
            "SELECT TABLE_SCHEMA, TABLE_NAME, CONSTRAINT_NAME, ORDINAL_POSITION, COLUMN_NAME, REFERENCED_TABLE_SCHEMA, \
             REFERENCED_TABLE_NAME, REFERENCED_COLUMN_NAME FROM information_schema.KEY_COLUMN_USAGE \
             WHERE REFERENCED_TABLE_NAME IS NOT NULL AND {}",
            in_databases(selection, "TABLE_SCHEMA")
        ),
        format!(
            "SELECT CONSTRAINT_SCHEMA, TABLE_NAME, CONSTRAINT_NAME, DELETE_RULE, UPDATE_RULE \
             FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE {}",
            in_databases(selection, "CONSTRAINT_SCHEMA")
        ),
    ]
}

/// A foreign key with an action that changes rows, as the source shows it.
#[derive(Clone, Debug)]
pub(in crate::source) struct ShownKey {
    /// The constraint's name.
    pub(in crate::source) name: String,
    /// The table that it refers to.
    pub(in crate::source) parent: TableName,
    /// Its columns by name, each with the one that it refers to.
    pub(in crate::source) columns: Vec<(String, String)>,
    /// `ON DELETE` and `ON UPDATE`.
    pub(in crate::source) actions: (KeyAction, KeyAction),
}

/// The actions of foreign keys by their names.
type Actions = BTreeMap<String, (KeyAction, KeyAction)>;

impl Server {
    /// By table the foreign keys that change its rows: each one's name and the table that it refers to.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn references(
        &mut self,
        selection: &Selection,
    ) -> Result<BTreeMap<TableName, Vec<(String, TableName)>>, SourceError> {
        let [keys, rules] = queries(selection);
        let mut answers = self.script(&[&keys, &rules]).await?.into_iter();
        let [keys, rules] = [(); 2].map(|()| answers.next().unwrap_or_default());
        let shown = self.foreign_keys(selection, keys, &rules).await?;
        let named = |keys: Vec<ShownKey>| keys.into_iter().map(|key| (key.name, key.parent)).collect();
        Ok(shown.into_iter().map(|(table, keys)| (table, named(keys))).collect())
    }

    /// The foreign keys of selected tables that change rows, by the answers to [`queries`].
    ///
    /// MariaDB hides `REFERENTIAL_CONSTRAINTS` from a user who has only SELECT, but not
    /// `KEY_COLUMN_USAGE`: a table whose foreign key has no known rule is asked for by SHOW CREATE TABLE.
    pub(in crate::source) async fn foreign_keys(
        &mut self,
        selection: &Selection,
        mut keys: TextRows,
        rules: &TextRows,
    ) -> Result<BTreeMap<TableName, Vec<ShownKey>>, SourceError> {
        keys.retain(|row| {
            selection.contains(text(row, 0).unwrap_or_default(), text(row, 1).unwrap_or_default())
        });
        let mut actions: BTreeMap<TableName, Actions> = BTreeMap::new();
        for row in rules {
            let (table, name) = named(row);
            let rule = |column| KeyAction::of(text(row, column).unwrap_or_default());
            actions.entry(table).or_default().insert(name.to_owned(), (rule(3), rule(4)));
        }
        let is_known = |row: &&Vec<Option<String>>| {
            let (table, name) = named(row);
            actions.get(&table).is_some_and(|known| known.contains_key(name))
        };
        let unknown: BTreeSet<TableName> =
            keys.iter().filter(|row| !is_known(row)).map(|row| named(row).0).collect();
        for table in unknown {
            let sql = format!("SHOW CREATE TABLE {}.{}", quote(&table.database), quote(&table.table));
            let rows = self.rows(&sql).await?;
            let created = rows.first().and_then(|row| text(row, 1)).unwrap_or_default();
            actions.entry(table).or_default().extend(written(created));
        }
        keys.sort_by_key(|row| text(row, 3).and_then(|place| place.parse::<u32>().ok()));
        let mut found: BTreeMap<TableName, Vec<ShownKey>> = BTreeMap::new();
        for row in &keys {
            let (table, name) = named(row);
            let Some(actions) = actions.get(&table).and_then(|known| known.get(name)).copied() else {
                continue;
            };
            if actions == (KeyAction::Nothing, KeyAction::Nothing) {
                continue;
            }
            let part = |column| text(row, column).unwrap_or_default().to_owned();
            let shown = found.entry(table).or_default();
            let columns = (part(4), part(7));
            match shown.iter_mut().find(|key| key.name == name) {
                Some(key) => key.columns.push(columns),
                None => shown.push(ShownKey {
                    name: name.to_owned(),
                    parent: TableName::new(part(5), part(6)),
                    columns: vec![columns],
                    actions,
                }),
            }
        }
        for keys in found.values_mut() {
            // However the server lists them.
            keys.sort_by(|one, other| one.name.cmp(&other.name));
        }
        Ok(found)
    }
}

fn named(row: &[Option<String>]) -> (TableName, &str) {
    let part = |column| text(row, column).unwrap_or_default();
    (TableName::new(part(0), part(1)), part(2))
}

/// The foreign keys of a SHOW CREATE TABLE, which prints each on a line of its own.
fn written(created: &str) -> Actions {
    let mut actions = Actions::new();
    for line in created.lines() {
        let Some(rest) = line.trim_start().strip_prefix("CONSTRAINT `") else { continue };
        let Some((name, rest)) = rest.split_once("` FOREIGN KEY ") else { continue };
        // After the last parenthesis: names may contain anything, the rules follow the column list.
        let rules = rest.rsplit(')').next().unwrap_or_default();
        let action = |event: &str| {
            let acts = ["CASCADE", "SET NULL", "SET DEFAULT"];
            let rule = acts.into_iter().find(|rule| rules.contains(&format!("ON {event} {rule}")));
            KeyAction::of(rule.unwrap_or_default())
        };
        actions.insert(name.replace("``", "`"), (action("DELETE"), action("UPDATE")));
    }
    actions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_read_after_the_columns() {
        let created = "CREATE TABLE `c` (\n  `id` int(11) NOT NULL,\n  PRIMARY KEY (`id`),\n  \
            CONSTRAINT `a``1` FOREIGN KEY (`p`) REFERENCES `pa` (`id`) ON DELETE CASCADE,\n  \
            CONSTRAINT `b` FOREIGN KEY (`p`) REFERENCES `pa` (`ON DELETE CASCADE`),\n  \
            CONSTRAINT `c` FOREIGN KEY (`p`, `q`) REFERENCES `pa` (`id`, `x`) ON DELETE NO ACTION ON UPDATE SET NULL,\n  \
            CONSTRAINT `d` CHECK (`p` > 0)\n) ENGINE=InnoDB COMMENT='ON DELETE CASCADE'";
        let read: Vec<_> = written(created).into_iter().collect();
        assert_eq!(
            read,
            [
                ("a`1".to_owned(), (KeyAction::Cascade, KeyAction::Nothing)),
                ("b".to_owned(), (KeyAction::Nothing, KeyAction::Nothing)),
                ("c".to_owned(), (KeyAction::Nothing, KeyAction::SetNull)),
            ]
        );
    }
}
