//! Which tables the stream carries, by name.

use super::mentions::Mentions;
use crate::change::names::folded;
use crate::change::{Affected, TableName, TableNames};
use crate::config::types::Selection;
use globset::{Glob, GlobSet, GlobSetBuilder};

/// The task's selection as the stream asks it.
#[derive(Clone, Debug)]
pub struct SelectedTables {
    rule: Rule,
    /// The databases' part of the positive patterns.
    databases: GlobSet,
    /// The same, as it may stand in a text.
    named: Vec<Named>,
}

/// What a text must hold that names a database of a pattern.
#[derive(Clone, Debug)]
enum Named {
    /// The name.
    Exactly(String),
    /// What stands between the wild signs; nothing where it is not known.
    Parts(Vec<String>),
}

impl Named {
    fn may_be_in(&self, text: &Mentions) -> bool {
        match self {
            Self::Exactly(name) => text.name(name),
            Self::Parts(parts) => parts.iter().all(|part| text.part(part)),
        }
    }
}

#[derive(Clone, Debug)]
enum Rule {
    /// Names differ by case.
    Exact(Selection),
    /// Names are compared in lower case, on both sides (`lower_case_table_names` 1 and 2).
    Folded { include: GlobSet, exclude: GlobSet, all: Selection },
}

impl SelectedTables {
    /// The selection at a source that compares names so.
    pub fn new(selection: Selection, names: TableNames) -> Result<Self, globset::Error> {
        let databases = databases(&selection, names)?;
        let named = named(&selection);
        if !names.folds() {
            return Ok(Self { rule: Rule::Exact(selection), databases, named });
        }
        let mut include = GlobSetBuilder::new();
        let mut exclude = GlobSetBuilder::new();
        for pattern in &selection.patterns {
            let folded = folded(pattern);
            match folded.strip_prefix('!') {
                Some(rest) => exclude.add(Glob::new(rest.trim())?),
                None => include.add(Glob::new(folded.trim())?),
            };
        }
        let (include, exclude) = (include.build()?, exclude.build()?);
        Ok(Self { rule: Rule::Folded { include, exclude, all: selection }, databases, named })
    }

    /// No table.
    pub fn none() -> Self {
        let all = Selection { patterns: Vec::new(), include: GlobSet::empty(), exclude: GlobSet::empty() };
        Self { rule: Rule::Exact(all), databases: GlobSet::empty(), named: Vec::new() }
    }

    /// Whether nothing can be selected.
    pub fn is_none(&self) -> bool {
        self.named.is_empty()
    }

    /// Whether rows and statements of `database.table` are carried. System databases never are.
    pub fn contains(&self, database: &str, table: &str) -> bool {
        let (Some(database), Some(table)) = (plain(database), plain(table)) else { return !self.is_none() };
        match &self.rule {
            Rule::Exact(selection) => selection.contains(database, table),
            Rule::Folded { include, exclude, all } => {
                let as_written = all.contains(database, table);
                let (database, table) = (folded(database), folded(table));
                let name = format!("{database}.{table}");
                // What is copied is chosen by the server's own spelling. None of that may be missed here, so a pattern of other
                // letters takes nothing away from it.
                as_written
                    || all.contains(&database, &table)
                    || (include.is_match(&name) && !exclude.is_match(&name) && !is_system(&database))
            }
        }
    }

    /// Whether what a statement is about may be selected.
    pub fn concerned(&self, affected: &Affected) -> bool {
        match affected {
            Affected::Any => true,
            Affected::Databases(names) => names.iter().any(|database| self.may_hold(database)),
            Affected::Tables(names) => names.iter().any(|name| self.contains(&name.database, &name.table)),
        }
    }

    /// How names of this source are compared.
    pub fn names(&self) -> TableNames {
        match &self.rule {
            Rule::Exact(_) => TableNames::EXACT,
            Rule::Folded { .. } => TableNames::FOLDED,
        }
    }

    /// A table's name as names of this source are compared.
    pub fn folded(&self, name: &TableName) -> TableName {
        let part = |part: &str| self.folded_database(part);
        TableName::new(part(&name.database), part(&name.table))
    }

    /// The same of a database's name.
    pub fn folded_database(&self, name: &str) -> String {
        self.names().folded_database(plain(name).unwrap_or(name))
    }

    /// Whether a text may name a database that holds selected tables. What is no plain pattern may stand for any name.
    pub fn may_be_named(&self, text: &Mentions) -> bool {
        self.named.iter().any(|database| database.may_be_in(text))
    }

    /// The databases with selected tables that a text may name.
    pub fn named_in(&self, text: &Mentions) -> Affected {
        let names =
            self.named.iter().filter(|database| database.may_be_in(text)).map(|database| match database {
                Named::Exactly(name) => Some(name.clone()),
                Named::Parts(_) => None,
            });
        names.collect::<Option<_>>().map_or(Affected::Any, Affected::Databases)
    }

    /// Whether a selected table may lie in `database`, as far as the patterns tell.
    pub fn may_hold(&self, database: &str) -> bool {
        let Some(database) = plain(database) else { return !self.is_none() };
        !is_system(&folded(database)) && self.databases.is_match(self.names().folded_database(database))
    }
}

/// MySQL up to 5.7 and MariaDB take a name after this for that of a file, in which some letters are written as `@` and digits.
pub const FILE_NAME: &str = "#mysql50#";

/// The name that a server takes this one for; `None` where that is not known.
fn plain(name: &str) -> Option<&str> {
    match name.strip_prefix(FILE_NAME) {
        Some(file) if file.contains('@') => None,
        Some(file) => Some(file),
        None => Some(name),
    }
}

/// A pattern is `database.table`; what has no dot may stand for both together.
fn databases(selection: &Selection, names: TableNames) -> Result<GlobSet, globset::Error> {
    let mut set = GlobSetBuilder::new();
    for pattern in selection.patterns.iter().filter(|pattern| !pattern.starts_with('!')) {
        let pattern = names.folded_database(pattern);
        let database = pattern.split_once('.').map_or("*", |(database, _)| database.trim());
        // A part that is no glob by itself (an alternative over the dot) may stand for anything.
        set.add(Glob::new(database).or_else(|_| Glob::new("*"))?);
    }
    set.build()
}

fn named(selection: &Selection) -> Vec<Named> {
    let positive = selection.patterns.iter().map(|pattern| pattern.trim());
    let positive = positive.filter(|pattern| !pattern.starts_with('!'));
    positive
        .map(|pattern| {
            let database = pattern.split_once('.').map_or("*", |(database, _)| database.trim());
            if database.contains(['[', ']', '{', '}', '\\', ',']) {
                Named::Parts(Vec::new())
            } else if database.contains(['*', '?']) {
                let parts = database.split(['*', '?']).filter(|part| !part.is_empty());
                Named::Parts(parts.map(str::to_owned).collect())
            } else {
                Named::Exactly(database.to_owned())
            }
        })
        .collect()
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
        let exact = SelectedTables::new(patterns.clone(), TableNames::EXACT).unwrap();
        assert!(exact.contains("Shop", "Item"));
        assert!(!exact.contains("shop", "item"));
        let folded = SelectedTables::new(patterns, TableNames::FOLDED).unwrap();
        assert!(folded.contains("shop", "item") && folded.contains("SHOP", "Item"));
        assert!(!folded.contains("shop", "log_x") && !folded.contains("SHOP", "LOG_X"));
    }

    /// A copy reads what is selected as the server spells it; the stream must not miss rows of that.
    #[test]
    fn what_is_copied_is_not_taken_away_by_other_letters() {
        let folded =
            SelectedTables::new(selection(&["shop.*", "!Shop.Kept", "!shop.gone"]), TableNames::FOLDED);
        let folded = folded.unwrap();
        assert!(folded.contains("shop", "kept") && folded.contains("SHOP", "KEPT"));
        assert!(!folded.contains("shop", "gone") && !folded.contains("SHOP", "GONE"));
    }

    /// `to_lowercase` makes ς of a word's last Σ, which servers do not.
    #[test]
    fn patterns_are_folded_as_servers_fold_names() {
        let folded = SelectedTables::new(selection(&["ΣΑΣ*.ΟΔΟΣ*"]), TableNames::FOLDED).unwrap();
        assert!(folded.contains("σασ", "οδοσ") && folded.may_hold("ΣΑΣ1"));
    }

    #[test]
    fn a_database_holds_selected_tables_when_its_name_matches() {
        let exact =
            SelectedTables::new(selection(&["Shop.a*", "x?.t", "!other.*"]), TableNames::EXACT).unwrap();
        assert!(exact.may_hold("Shop") && exact.may_hold("x1"));
        assert!(!exact.may_hold("shop") && !exact.may_hold("other") && !exact.may_hold("mysql"));
        let folded = SelectedTables::new(selection(&["Shop.a*"]), TableNames::FOLDED).unwrap();
        assert!(folded.may_hold("sHOP"));
        assert!(SelectedTables::new(selection(&["*"]), TableNames::EXACT).unwrap().may_hold("any"));
        assert!(SelectedTables::new(selection(&["{a.b,c.d}"]), TableNames::EXACT).unwrap().may_hold("c"));
    }

    #[test]
    fn a_text_names_a_selected_database_or_may_do_so() {
        let named = |patterns: &[&str], text: &str| {
            let selected = SelectedTables::new(selection(patterns), TableNames::EXACT).unwrap();
            selected.may_be_named(&Mentions::of(text.as_bytes()))
        };
        assert!(named(&["shop.*", "!other.*"], "FROB `shop`.t") && !named(&["shop.*"], "FROB workshop.t"));
        assert!(!named(&["shop.*", "!other.*"], "FROB other.t"));
        let in_text = |patterns: &[&str], text: &str| {
            let selected = SelectedTables::new(selection(patterns), TableNames::EXACT).unwrap();
            selected.named_in(&Mentions::of(text.as_bytes()))
        };
        let databases =
            |names: &[&str]| Affected::Databases(names.iter().map(|name| (*name).into()).collect());
        assert_eq!(
            in_text(&["shop.*", "other.t", "x.*"], "FROB shop.t, other.u"),
            databases(&["shop", "other"])
        );
        assert_eq!(in_text(&["shop.*", "x*.t"], "FROB shop.t"), databases(&["shop"]));
        assert_eq!(in_text(&["shop.*", "x*.t"], "FROB shop.t, x1.t"), Affected::Any);
        assert!(named(&["sh*p_?x.t"], "FROB shop_1x.t") && !named(&["sh*p_?x.t"], "FROB other.t"));
        for wide in ["*.t", "*", "[a-z]x.t", "{a,b}.t"] {
            assert!(named(&[wide], "FROB other.t"), "{wide}");
        }
    }

    #[test]
    fn names_of_files_are_those_of_their_tables() {
        let exact = SelectedTables::new(selection(&["Shop.a*"]), TableNames::EXACT).unwrap();
        for (database, table) in
            [("#mysql50#Shop", "a1"), ("Shop", "#mysql50#a1"), ("other", "#mysql50#a@002db")]
        {
            assert!(exact.contains(database, table), "{database} {table}");
        }
        assert!(!exact.contains("#mysql50#other", "a1") && !exact.contains("Shop", "#mysql50#b"));
        assert!(exact.may_hold("#mysql50#Shop") && exact.may_hold("#mysql50#S@0048op"));
        assert!(!exact.may_hold("#mysql50#other"));
        assert_eq!(
            exact.folded(&TableName::new("#mysql50#Shop", "#mysql50#a1")),
            TableName::new("Shop", "a1")
        );
        assert!(!SelectedTables::none().contains("x", "#mysql50#a@0040"));
    }

    #[test]
    fn system_databases_are_never_selected() {
        for names in [TableNames::EXACT, TableNames::FOLDED] {
            let all = SelectedTables::new(selection(&["*.*"]), names).unwrap();
            assert!(all.contains("a", "b"));
            assert!(!all.contains("MySQL", "user") && !all.contains("sys", "x"));
        }
    }
}
