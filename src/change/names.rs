//! Whether two spellings are one name of the source.
//!
//! Letters are folded one by one and without a look at their neighbours, as servers do (`my_casedn_str` under
//! `utf8mb3_general_ci`): Rust's `to_lowercase` makes the last Σ of a word another letter than the others, and two of İ.
//!
//! What must never happen here: two spellings of one table taken for two, for what a statement does to it would then be passed
//! over.

use super::TableName;

/// How the source compares names of databases and tables (`lower_case_table_names`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableNames {
    folds: bool,
}

/// What a statement is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Affected {
    /// It may be about any table.
    Any,
    /// Every table of these databases.
    Databases(Vec<String>),
    /// These.
    Tables(Vec<TableName>),
}

impl TableNames {
    /// Names differ by case.
    pub const EXACT: Self = Self { folds: false };

    /// Names do not differ by case. Where more is to be taken for the same than the source does, and not less, this serves for
    /// every source.
    pub const FOLDED: Self = Self { folds: true };

    /// Those of a source with this setting. Under 1 names are kept in lower case, under 2 as written, and compared in lower case
    /// under both.
    pub const fn of(lower_case_table_names: u8) -> Self {
        Self { folds: lower_case_table_names != 0 }
    }

    /// Whether names do not differ by case.
    pub const fn folds(self) -> bool {
        self.folds
    }

    /// Whether both are names of one table.
    pub fn same(self, one: &TableName, other: &TableName) -> bool {
        self.same_part(&one.table, &other.table) && self.same_part(&one.database, &other.database)
    }

    /// Whether both are names of one database.
    pub fn same_database(self, one: &str, other: &str) -> bool {
        self.same_part(one, other)
    }

    fn same_part(self, one: &str, other: &str) -> bool {
        if self.folds { alike(one, other) } else { one == other }
    }

    /// The form in which equal names are the same letters.
    pub fn folded(self, name: &TableName) -> TableName {
        TableName::new(self.folded_database(&name.database), self.folded_database(&name.table))
    }

    /// The same of a database's name.
    pub fn folded_database(self, name: &str) -> String {
        if self.folds { folded(name) } else { name.to_owned() }
    }

    /// Whether what a statement is about is, or may be, this table.
    pub fn concerns(self, affected: &Affected, table: &TableName) -> bool {
        match affected {
            Affected::Any => true,
            Affected::Databases(names) => {
                names.iter().any(|database| self.same_database(database, &table.database))
            }
            Affected::Tables(names) => names.iter().any(|name| self.same(name, table)),
        }
    }
}

impl Affected {
    /// The same, and these tables.
    #[must_use]
    pub fn and(self, also: &[TableName]) -> Self {
        match self {
            Self::Tables(mut names) => {
                names.extend_from_slice(also);
                Self::Tables(names)
            }
            // No statement on a database has doubts about tables beside it; if one had, any may be meant.
            Self::Databases(_) if !also.is_empty() => Self::Any,
            Self::Databases(_) | Self::Any => self,
        }
    }
}

/// Whether two names are the same but for their case. So the source compares names of columns, routines and savepoints.
pub fn alike(one: &str, other: &str) -> bool {
    one == other || one.chars().map(lower).eq(other.chars().map(lower))
}

/// A name in lower case, as servers fold it.
pub fn folded(name: &str) -> String {
    name.chars().map(lower).collect()
}

fn lower(letter: char) -> char {
    letter.to_lowercase().next().unwrap_or(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> TableName {
        let (database, table) = text.split_once('.').unwrap();
        TableName::new(database, table)
    }

    #[test]
    fn case_matters_where_the_source_says_so() {
        assert_eq!(
            [0, 1, 2].map(TableNames::of),
            [TableNames::EXACT, TableNames::FOLDED, TableNames::FOLDED]
        );
        for (one, other, exact, folded) in [
            ("shop.item", "shop.item", true, true),
            ("shop.item", "Shop.ITEM", false, true),
            ("shop.é", "SHOP.É", false, true),
            ("shop.item", "shop.items", false, false),
            ("shop.item", "other.item", false, false),
            // Other letters stay other letters.
            ("shop.e", "shop.é", false, false),
        ] {
            let (one, other) = (name(one), name(other));
            assert_eq!(TableNames::EXACT.same(&one, &other), exact, "{one} {other}");
            assert_eq!(TableNames::FOLDED.same(&one, &other), folded, "{one} {other}");
            for names in [TableNames::EXACT, TableNames::FOLDED] {
                assert_eq!(names.folded(&one) == names.folded(&other), names.same(&one, &other));
            }
        }
    }

    /// Servers write these names to the disk in lower case: `οδοσ`, `item`.
    #[test]
    fn letters_are_folded_as_the_source_does() {
        assert!(alike("ΟΔΟΣ", "οδοσ") && folded("ΟΔΟΣ") == "οδοσ");
        assert!(alike("İTEM", "item") && folded("İTEM") == "item");
    }

    #[test]
    fn a_statement_concerns_what_it_is_about() {
        let (shop, other) = (name("Shop.item"), name("other.item"));
        let tables = Affected::Tables(vec![name("shop.item")]);
        let databases = |name: &str| Affected::Databases(vec!["x".into(), name.into()]);
        for (affected, exact, folded) in [
            (Affected::Any, true, true),
            (databases("Shop"), true, true),
            (databases("shop"), false, true),
            (tables.clone(), false, true),
            (tables.and(&[name("Shop.item")]), true, true),
            (Affected::Tables(Vec::new()), false, false),
        ] {
            assert_eq!(TableNames::EXACT.concerns(&affected, &shop), exact, "{affected:?}");
            assert_eq!(TableNames::FOLDED.concerns(&affected, &shop), folded, "{affected:?}");
            let any = affected == Affected::Any;
            assert_eq!(TableNames::FOLDED.concerns(&affected, &other), any, "{affected:?}");
        }
        assert_eq!(Affected::Any.and(std::slice::from_ref(&shop)), Affected::Any);
        assert_eq!(databases("Shop").and(&[]), databases("Shop"));
        assert_eq!(databases("Shop").and(&[other]), Affected::Any);
    }
}
