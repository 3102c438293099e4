//! Foreign keys that change rows of their own table: `ON DELETE` or `ON UPDATE` `CASCADE`, `SET NULL`, `SET DEFAULT`.

use super::{Server, TextRows, text};
use crate::change::TableName;
use crate::config::types::Selection;
use crate::source::SourceError;
use crate::source::catalog::filter::in_databases;
use crate::source::snapshot::key::quote;
use std::collections::{BTreeMap, BTreeSet};

/// Asks for foreign keys, and for the rules of those whose rules the user may see.
pub(super) fn queries(selection: &Selection) -> [String; 2] {
    [
        format!(
            "SELECT DISTINCT TABLE_SCHEMA, TABLE_NAME, CONSTRAINT_NAME FROM information_schema.KEY_COLUMN_USAGE \
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

impl Server {
    /// The names of the cascading foreign keys of each selected table that has some, by the answers to [`queries`].
    ///
    /// MariaDB hides `REFERENTIAL_CONSTRAINTS` from a user who has only SELECT, but not
    /// `KEY_COLUMN_USAGE`: a table whose foreign key has no known rule is asked for by SHOW CREATE TABLE.
    pub(super) async fn cascades(
        &mut self,
        selection: &Selection,
        keys: &TextRows,
        rules: &TextRows,
    ) -> Result<BTreeMap<TableName, Vec<String>>, SourceError> {
        let mut found: BTreeMap<TableName, BTreeSet<String>> = BTreeMap::new();
        let mut known = BTreeSet::new();
        for row in rules {
            let (table, constraint) = named(row);
            if !selection.contains(&table.database, &table.table) {
                continue;
            }
            if [text(row, 3), text(row, 4)].into_iter().flatten().any(changes_rows) {
                found.entry(table.clone()).or_default().insert(constraint.to_owned());
            }
            known.insert((table, constraint));
        }
        let unknown: BTreeSet<TableName> = keys
            .iter()
            .map(|row| named(row))
            .filter(|key| !known.contains(key))
            .map(|(table, _)| table)
            .filter(|table| selection.contains(&table.database, &table.table))
            .collect();
        for table in unknown {
            let sql = format!("SHOW CREATE TABLE {}.{}", quote(&table.database), quote(&table.table));
            let rows = self.rows(&sql).await?;
            let created = rows.first().and_then(|row| text(row, 1)).unwrap_or_default();
            let names = cascading(created);
            if !names.is_empty() {
                found.entry(table).or_default().extend(names);
            }
        }
        Ok(found.into_iter().map(|(table, names)| (table, names.into_iter().collect())).collect())
    }
}

fn named(row: &[Option<String>]) -> (TableName, &str) {
    let part = |column| text(row, column).unwrap_or_default();
    (TableName::new(part(0), part(1)), part(2))
}

fn changes_rows(rule: &str) -> bool {
    matches!(rule, "CASCADE" | "SET NULL" | "SET DEFAULT")
}

/// The cascading constraints of a SHOW CREATE TABLE, which prints each on a line of its own.
fn cascading(created: &str) -> Vec<String> {
    let mut names = Vec::new();
    for line in created.lines() {
        let Some(rest) = line.trim_start().strip_prefix("CONSTRAINT `") else { continue };
        let Some((name, rest)) = rest.split_once("` FOREIGN KEY ") else { continue };
        // After the last parenthesis: names may contain anything, the rules follow the column list.
        let rules = rest.rsplit(')').next().unwrap_or_default();
        let acts = ["DELETE", "UPDATE"].iter().any(|event| {
            ["CASCADE", "SET NULL", "SET DEFAULT"]
                .iter()
                .any(|rule| rules.contains(&format!("ON {event} {rule}")))
        });
        if acts {
            names.push(name.replace("``", "`"));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_rules_that_change_rows_are_found() {
        let created = "CREATE TABLE `c` (\n  `id` int(11) NOT NULL,\n  PRIMARY KEY (`id`),\n  \
            CONSTRAINT `a``1` FOREIGN KEY (`p`) REFERENCES `pa` (`id`) ON DELETE CASCADE,\n  \
            CONSTRAINT `b` FOREIGN KEY (`p`) REFERENCES `pa` (`ON DELETE CASCADE`),\n  \
            CONSTRAINT `c` FOREIGN KEY (`p`, `q`) REFERENCES `pa` (`id`, `x`) ON DELETE NO ACTION ON UPDATE SET NULL,\n  \
            CONSTRAINT `d` CHECK (`p` > 0)\n) ENGINE=InnoDB COMMENT='ON DELETE CASCADE'";
        assert_eq!(cascading(created), ["a`1", "c"]);
    }
}
