//! The part of a task's table list that the server can judge, as a condition on a database column.

use crate::config::types::Selection;
use std::collections::BTreeSet;

/// A condition that keeps every database with a selected table; most others are left out. What remains is judged by
/// [`Selection::contains`].
pub fn in_databases(selection: &Selection, column: &str) -> String {
    let mut names = BTreeSet::new();
    for pattern in selection.patterns.iter().filter(|pattern| !pattern.starts_with('!')) {
        // Database names may hold dots: `a.b.c` is a table of `a` or of `a.b`. Anything before a dot may be the database.
        let Some((database, rest)) = pattern.split_once('.') else { return all_but_system(column) };
        if is_glob(database) || rest.contains('.') {
            return all_but_system(column);
        }
        names.insert(string_literal(database));
    }
    if names.is_empty() {
        return "FALSE".to_owned();
    }
    let names: Vec<String> = names.into_iter().collect();
    format!("({column} IN ({}) OR {column} LIKE '%.%')", names.join(", "))
}

fn all_but_system(column: &str) -> String {
    format!("{column} NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys')")
}

fn is_glob(text: &str) -> bool {
    text.contains(['*', '?', '[', ']', '{', '}', '\\'])
}

/// A string between quotes, under a `sql_mode` with backslash escapes.
fn string_literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(patterns: &[&str]) -> String {
        let selection = Selection {
            patterns: patterns.iter().map(|pattern| (*pattern).to_owned()).collect(),
            include: globset::GlobSet::empty(),
            exclude: globset::GlobSet::empty(),
        };
        in_databases(&selection, "S")
    }

    #[test]
    fn named_databases_are_left_to_the_server() {
        assert_eq!(
            condition(&["shop.*", "it's.a", "!x.y", "shop.b"]),
            "(S IN ('it''s', 'shop') OR S LIKE '%.%')"
        );
        assert_eq!(condition(&["!x.y"]), "FALSE");
    }

    #[test]
    fn a_glob_over_databases_asks_for_all() {
        for pattern in ["sh*.a", "*.*", "*", "{a,b}.c", "a.b.c"] {
            assert!(condition(&["shop.a", pattern]).starts_with("S NOT IN ('mysql'"), "{pattern}");
        }
    }
}
