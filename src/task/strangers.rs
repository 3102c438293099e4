//! Selected tables that are not carried: those that the precheck has left out, and those whose rows have come since, created after
//! the task started, or not to be read.
//!
//! What must never happen here: growth without bound, where such tables are created and dropped for months.

use crate::change::TableName;
use crate::change::status::NotCarried;
use std::collections::BTreeMap;

/// How many are remembered. What comes beyond is carried as little, and not told.
const REMEMBERED: usize = 10_000;

/// Why a table is not carried of which nothing is known but that rows of it have come.
pub const UNKNOWN: &str = "it was created after the task started, or the user may not SELECT from it (GRANT SELECT where that is \
    missing, and restart the daemon to copy it)";

/// The tables, by name, each with why it is not carried.
#[derive(Debug, Default)]
pub struct Strangers {
    names: BTreeMap<TableName, String>,
    changed: bool,
}

impl Strangers {
    /// Those that are known from the start.
    pub fn of(names: BTreeMap<TableName, String>) -> Self {
        Self { changed: !names.is_empty(), names }
    }

    /// Rows of a table have come; true the first time.
    pub fn met(&mut self, name: &TableName) -> bool {
        let new = self.names.len() < REMEMBERED && !self.names.contains_key(name);
        if new {
            self.names.insert(name.clone(), UNKNOWN.to_owned());
        }
        self.changed |= new;
        new
    }

    /// A table that came cannot be carried, for this reason.
    pub fn left_out(&mut self, name: TableName, why: String) {
        if self.names.len() < REMEMBERED || self.names.contains_key(&name) {
            self.names.insert(name, why);
            self.changed = true;
        }
    }

    /// What is so named is not there any more.
    pub fn gone(&mut self, is_gone: impl Fn(&TableName) -> bool) {
        let before = self.names.len();
        self.names.retain(|name, _| !is_gone(name));
        self.changed |= self.names.len() != before;
    }

    /// What the status says of them, when that has changed since it was asked.
    pub fn take_changed(&mut self) -> Option<NotCarried> {
        std::mem::take(&mut self.changed).then(|| NotCarried::new(&self.names))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(number: usize) -> TableName {
        TableName::new("shop", format!("t{number:06}"))
    }

    #[test]
    fn tables_without_end_are_remembered_up_to_a_limit() {
        let mut strangers = Strangers::default();
        let told = (0..2 * REMEMBERED).filter(|number| strangers.met(&table(*number))).count();
        assert_eq!((told, strangers.names.len()), (REMEMBERED, REMEMBERED));
        assert!(!strangers.met(&table(0)), "known already");
        let told = strangers.take_changed().unwrap();
        assert_eq!((told.named.len(), told.more), (100, 9_900));
        assert_eq!(strangers.take_changed(), None);
        // What is dropped makes room.
        strangers.gone(|name| *name == table(0));
        let told = strangers.take_changed().unwrap();
        assert!(told.more == 9_899 && !told.named.contains_key("shop.t000000"), "{told:?}");
        assert!(strangers.met(&table(REMEMBERED)) && !strangers.met(&table(REMEMBERED + 1)));
    }
}
