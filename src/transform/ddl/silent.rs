//! What changes values of existing rows, or lets them change later, without a row event and without a new type.

use super::{Case, computed};
use crate::change::remedy::{AtSource, Remedy};
use crate::schema::charset::is_wide;
use crate::schema::ddl::{AlterStep, AlterTable, Evolved};
use crate::schema::{Column, MySqlType};
use crate::transform::TransformError;
use crate::transform::cascade;

impl Case<'_> {
    /// Foreign keys through which rows change that the source does not log.
    pub(super) fn adds_cascades(&self, alter: &AlterTable) -> Result<(), TransformError> {
        for step in &alter.steps {
            match step {
                AlterStep::AddCascade { name } => self.adds_cascade(name.as_deref())?,
                AlterStep::AddColumn { column, .. } | AlterStep::ChangeColumn { column, .. }
                    if column.cascades && self.issued.cascades.inline =>
                {
                    self.adds_cascade(None)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// One without a name gets `t_ibfk_1` (or only a number, MariaDB 12), which the precheck names when the task starts
    /// again.
    fn adds_cascade(&self, name: Option<&str>) -> Result<(), TransformError> {
        let own = &self.before.name;
        let accepts = |name: &str| cascade::accepts(&self.rules.accepted_cascades, &format!("{own}.{name}"));
        let accepted = match name {
            Some(name) => accepts(name),
            None => {
                (1..100).any(|at| accepts(&format!("{}_ibfk_{at}", own.table)) || accepts(&at.to_string()))
            }
        };
        if accepted || !self.issued.cascades.silent {
            return Ok(());
        }
        let shown = name.map_or_else(|| format!("{}_ibfk_1", own.table), str::to_owned);
        Err(self.stop(
            "it adds a foreign key with a cascade, which changes rows that this server does not log; a copy knows it",
            self.copy_again().or(Remedy::AcceptCascades {
                cascades: vec![format!("{own}.{shown}")],
                look_up: name.is_none(),
            }),
        ))
    }

    /// CONVERT TO CHARACTER SET takes the bytes of labels for those of the new set where they are not ASCII, and the values that
    /// had them become the empty one (seen on MySQL 5.6 and MariaDB 10.11; 9.7 fails). Where one of the sets has ASCII as more than
    /// one byte, 9.7 makes other labels of all of them, in strict mode too. A column that is declared anew keeps them.
    pub(super) fn converts_labels(
        &self,
        alter: &AlterTable,
        evolved: &Evolved,
    ) -> Result<(), TransformError> {
        if !alter.steps.iter().any(|step| matches!(step, AlterStep::ConvertCharset { .. })) {
            return Ok(());
        }
        let labels = |of: &MySqlType| match of {
            MySqlType::Enum { labels, charset } | MySqlType::Set { labels, charset } => {
                Some((labels.iter().all(|label| label.is_ascii()), charset.name.clone()))
            }
            _ => None,
        };
        for (after, origin) in evolved.table.columns.iter().zip(&evolved.origin) {
            let before = origin.and_then(|index| self.before.columns.get(index));
            let Some((ascii, old)) = before.and_then(|before| labels(&before.data_type)) else { continue };
            let new = labels(&after.data_type).map(|(_, new)| new);
            if new.as_ref() == Some(&old) {
                continue;
            }
            let wide = is_wide(&old) || new.is_some_and(|new| is_wide(&new));
            if wide {
                return Err(self.stop(
                    format!(
                        "it takes the bytes of the labels of column {} for those of another character set",
                        after.name
                    ),
                    self.copy_again(),
                ));
            }
            if !ascii {
                return Err(self.converts_charset());
            }
        }
        Ok(())
    }

    /// A generated column may be computed from any column of its table, and is computed anew from what a statement makes
    /// of that. A stored one is also computed anew when the table is copied, which hangs on more than the statement says
    /// (`old_alter_table` is not logged), unless ALGORITHM forbids it (seen on MySQL 9.7 and MariaDB 10.11). `in_place` says so.
    pub(super) fn recomputes(&self, evolved: &Evolved, in_place: bool) -> Result<(), TransformError> {
        let kept = || {
            let columns = evolved.table.columns.iter().zip(&evolved.origin);
            columns.filter_map(|(after, origin)| {
                let index = (*origin)?;
                Some((index, self.before.columns.get(index)?, after))
            })
        };
        let carried = |index| self.mapping.target_of(index).is_some();
        let generated = kept().find(|(index, before, _)| before.generated && carried(*index));
        let changed = kept().find(|(_, before, after)| {
            !before.generated && (before.data_type != after.data_type || before.limits != after.limits)
        });
        let Some((_, first, _)) = generated else { return Ok(()) };
        if let Some((_, changed, _)) = changed {
            return Err(self.stop(
                format!(
                    "it changes the type of column {}, from which the values of generated column {} may be computed",
                    changed.name, first.name
                ),
                self.copy_again(),
            ));
        }
        self.takes_over(evolved, first)?;
        // The text of a virtual one is taken in the table's default character set (seen on MariaDB 10.11).
        if evolved.table.charset != self.before.charset {
            return Err(self.stop(
                format!(
                    "it changes the table's default character set, under which generated column {} is computed",
                    first.name
                ),
                self.copy_again(),
            ));
        }
        let stored = |column: &Column| column.generation.as_ref().is_none_or(|generation| generation.stored);
        let unsettled = kept()
            .filter(|(index, before, _)| before.generated && carried(*index) && stored(before))
            .find_map(|(_, before, _)| Some((before, computed::settled(self.before, before).err()?)));
        match unsettled {
            Some((column, why)) if !in_place => Err(self.stop(
                format!(
                    "it may copy the table and compute generated column {} anew, which hangs on settings that the log does not tell: \
                     {why}",
                    column.name
                ),
                self.copy_again().also(AtSource::StateAlgorithm),
            )),
            Some(_) | None => Ok(()),
        }
    }

    /// MariaDB: a generated column that was computed from a dropped column is computed from the one that has its name then.
    fn takes_over(&self, evolved: &Evolved, generated: &Column) -> Result<(), TransformError> {
        let dropped = self.before.columns.iter().enumerate().find(|(index, column)| {
            !evolved.origin.contains(&Some(*index)) && evolved.table.column_index(&column.name).is_some()
        });
        let Some((_, dropped)) = dropped else { return Ok(()) };
        Err(self.stop(
            format!(
                "another column takes the name of the dropped column {}, from which generated column {} may be computed",
                dropped.name, generated.name
            ),
            self.copy_again(),
        ))
    }

    /// Zeros and NULLs of a column that becomes AUTO_INCREMENT get numbers of their own.
    pub(super) fn numbers(&self, before: &Column, after: &Column) -> Result<(), TransformError> {
        let gains = after.auto_increment && !before.auto_increment;
        if gains && (before.nullable || !self.issued.mode.keeps_zero) {
            let what = format!(
                "it makes column {} AUTO_INCREMENT, which gives rows with {} numbers of their own",
                before.name,
                if before.nullable { "NULL" } else { "0" }
            );
            return Err(self.stop(what, self.copy_again()));
        }
        Ok(())
    }

    /// NULLs of a column that no longer takes them. In strict mode they make the statement fail, but those of a TIMESTAMP
    /// become the current time all the same (seen on MariaDB 10.11; on MySQL 5.6 and 9.7 without
    /// `explicit_defaults_for_timestamp`).
    pub(super) fn replaces_null(
        &self,
        alter: &AlterTable,
        before: &Column,
        after: &Column,
    ) -> Result<(), TransformError> {
        let timestamp = matches!(after.data_type, MySqlType::Timestamp { .. });
        let lenient = alter.ignore || !self.issued.mode.strict;
        if !before.nullable || after.nullable || !(lenient || timestamp) {
            return Ok(());
        }
        let name = &before.name;
        let what = if timestamp {
            format!("makes TIMESTAMP column {name} NOT NULL, which replaces NULLs by the current time")
        } else {
            format!("makes column {name} NOT NULL outside strict mode, which replaces NULLs")
        };
        Err(self.stopped_by("narrow_column", &what))
    }
}
