//! Which tables the stream carries, by name.

use crate::config::types::Selection;
use globset::{Glob, GlobSet, GlobSetBuilder};

/// The task's selection as the stream asks it.
#[derive(Clone, Debug)]
pub struct SelectedTables {
    rule: Rule,
    /// The databases' part of the positive patterns.
    databases: GlobSet,
}

#[derive(Clone, Debug)]
enum Rule {
    /// Names differ by case.
    Exact(Selection),
    /// Names are compared in lower case, on both sides (`lower_case_table_names` 1 and 2).
    Folded { include: GlobSet, exclude: GlobSet, all: Selection },
}

impl SelectedTables {
    /// `fold_names` says that the source's names do not differ by case.
    pub fn new(selection: Selection, fold_names: bool) -> Result<Self, globset::Error> {
        let databases = databases(&selection, fold_names)?;
        if !fold_names {
            return Ok(Self { rule: Rule::Exact(selection), databases });
        }
        let mut include = GlobSetBuilder::new();
        let mut exclude = GlobSetBuilder::new();
        for pattern in &selection.patterns {
            let folded = pattern.to_lowercase();
            match folded.strip_prefix('!') {
                Some(rest) => exclude.add(Glob::new(rest.trim())?),
                None => include.add(Glob::new(folded.trim())?),
            };
        }
        let (include, exclude) = (include.build()?, exclude.build()?);
        Ok(Self { rule: Rule::Folded { include, exclude, all: selection }, databases })
    }

    /// No table.
    pub fn none() -> Self {
        let all = Selection { patterns: Vec::new(), include: GlobSet::empty(), exclude: GlobSet::empty() };
        Self { rule: Rule::Exact(all), databases: GlobSet::empty() }
    }

    /// Whether rows and statements of `database.table` are carried. System databases never are.
    pub fn contains(&self, database: &str, table: &str) -> bool {
        match &self.rule {
            Rule::Exact(selection) => selection.contains(database, table),
            Rule::Folded { include, exclude, all } => {
                let (database, table) = (database.to_lowercase(), table.to_lowercase());
                let name = format!("{database}.{table}");
                (include.is_match(&name) || all.contains(&database, &table))
                    && !exclude.is_match(&name)
                    && !is_system(&database)
            }
        }
    }

    /// Whether a selected table may lie in `database`, as far as the patterns tell.
    pub fn may_hold(&self, database: &str) -> bool {
        let folded = database.to_lowercase();
        let database = match &self.rule {
            Rule::Exact(_) => database,
            Rule::Folded { .. } => &folded,
        };
        !is_system(&folded) && self.databases.is_match(database)
    }
}

/// A pattern is `database.table`; what has no dot may stand for both together.
fn databases(selection: &Selection, fold_names: bool) -> Result<GlobSet, globset::Error> {
    let mut set = GlobSetBuilder::new();
    for pattern in selection.patterns.iter().filter(|pattern| !pattern.starts_with('!')) {
        let pattern = if fold_names { pattern.to_lowercase() } else { pattern.clone() };
        let database = pattern.split_once('.').map_or("*", |(database, _)| database.trim());
        // A part that is no glob by itself (an alternative over the dot) may stand for anything.
        set.add(Glob::new(database).or_else(|_| Glob::new("*"))?);
    }
    set.build()
}

fn is_system(database: &str) -> bool {
    matches!(database, "mysql" | "information_schema" | "performance_schema" | "sys")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(patterns: &[&str]) -> Selection {
        let (mut include, mut exclude) = (GlobSetBuilder::new(), GlobSetBuilder::new());
        for pattern in patterns {
            match pattern.strip_prefix('!') {
                Some(rest) => exclude.add(Glob::new(rest).unwrap()),
                None => include.add(Glob::new(pattern).unwrap()),
            };
        }
        Selection {
            patterns: patterns.iter().map(|p| (*p).to_owned()).collect(),
            include: include.build().unwrap(),
            exclude: exclude.build().unwrap(),
        }
    }

    #[test]
    fn case_matters_unless_the_source_folds_names() {
        let patterns = selection(&["Shop.*", "!Shop.Log_*"]);
        let exact = SelectedTables::new(patterns.clone(), false).unwrap();
        assert!(exact.contains("Shop", "Item"));
        assert!(!exact.contains("shop", "item"));
        let folded = SelectedTables::new(patterns, true).unwrap();
        assert!(folded.contains("shop", "item") && folded.contains("SHOP", "Item"));
        assert!(!folded.contains("shop", "log_x") && !folded.contains("SHOP", "LOG_X"));
    }

    #[test]
    fn a_database_holds_selected_tables_when_its_name_matches() {
        let exact = SelectedTables::new(selection(&["Shop.a*", "x?.t", "!other.*"]), false).unwrap();
        assert!(exact.may_hold("Shop") && exact.may_hold("x1"));
        assert!(!exact.may_hold("shop") && !exact.may_hold("other") && !exact.may_hold("mysql"));
        let folded = SelectedTables::new(selection(&["Shop.a*"]), true).unwrap();
        assert!(folded.may_hold("sHOP"));
        assert!(SelectedTables::new(selection(&["*"]), false).unwrap().may_hold("any"));
        assert!(SelectedTables::new(selection(&["{a.b,c.d}"]), false).unwrap().may_hold("c"));
    }

    #[test]
    fn system_databases_are_never_selected() {
        for fold in [false, true] {
            let all = SelectedTables::new(selection(&["*.*"]), fold).unwrap();
            assert!(all.contains("a", "b"));
            assert!(!all.contains("MySQL", "user") && !all.contains("sys", "x"));
        }
    }
}
