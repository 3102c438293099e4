//! ALTER TABLE: every carried column is followed from the old definition to the new.

use super::rename::{Rename, in_order};
use super::retype::{Context, retype};
use super::{Case, Translated};
use crate::change::Retry;
use crate::change::remedy::{AtTarget, InConfig, Remedy};
use crate::change::shape::Distribution;
use crate::change::{TargetChange, TargetColumn, TargetType};
use crate::schema::charset::Defaults;
use crate::schema::ddl::effect::{Changed, Effect, effect};
use crate::schema::ddl::{AlterStep, AlterTable, Clause, Evolved, InlineKey, evolve};
use crate::schema::{Column, Table};
use crate::transform::mapping::{check_fit, identifies_rows, takes_null};
use crate::transform::typemap::default_type;
use crate::transform::{ColumnMapping, Passing, TransformError, names};

/// The target table and the columns that feed it, while they change.
pub(super) struct MappingDraft {
    pub(super) columns: Vec<TargetColumn>,
    /// For each column of the new definition, the target column it feeds.
    pub(super) feeds: Vec<Option<usize>>,
    renames: Vec<Rename>,
    altered: Vec<usize>,
    /// Columns that the source has no more, and whether the target drops them too.
    gone: Vec<(usize, bool)>,
    pub(super) added: Vec<(usize, Option<String>)>,
}

impl Case<'_> {
    pub(super) fn alter(&self, alter: &AlterTable) -> Result<Translated, TransformError> {
        if !self.is_named(&alter.table) {
            // It is the other table of the statement: its rows are exchanged, or its name is taken.
            return Err(if alter.rename_to.as_ref().is_some_and(|to| self.is_named(to)) {
                self.stopped_by("rename_table", "gives its name to another table")
            } else {
                self.moves_rows("exchanges its rows")
            });
        }
        if alter.ignore {
            return Err(self.stop(
                "it says IGNORE: rows that offend a key, a CHECK or the partitions are dropped, and values that do not fit are \
                 changed, without a word in the log",
                self.copy_again(),
            ));
        }
        for step in &alter.steps {
            if let AlterStep::Other(clause) = step {
                self.clause(clause)?;
            }
        }
        self.adds_cascades(alter)?;
        let unnamed = Defaults::of(self.issued.session, self.issued.mode.flavour);
        let evolved = evolve(self.before, alter, unnamed).map_err(|error| {
            let remedy = match error.retry() {
                Retry::AfterFix { remedy } => remedy,
                Retry::AfterBackoff | Retry::Never => self.copy_again(),
            };
            let why = error.to_string();
            // The statement's own message names the table.
            self.stop(why.trim_start_matches(&format!("{}: ", self.before.name)), remedy)
        })?;
        self.keeps_letters(alter, &evolved)?;
        self.converts_labels(alter, &evolved)?;
        let has = |wanted: &Clause| {
            alter.steps.iter().any(|step| matches!(step, AlterStep::Other(clause) if clause == wanted))
        };
        self.recomputes(&evolved, has(&Clause::InPlace) && !has(&Clause::Option("ALGORITHM")))?;
        let mut draft = MappingDraft {
            columns: self.mapping.target.columns.clone(),
            feeds: Vec::new(),
            renames: Vec::new(),
            altered: Vec::new(),
            gone: Vec::new(),
            added: Vec::new(),
        };
        self.drops_columns(&evolved, &mut draft)?;
        for (column, origin) in evolved.table.columns.iter().zip(&evolved.origin) {
            let feed = match origin.and_then(|old| Some((old, self.mapping.target_of(old)?))) {
                Some((old, target)) => {
                    self.follow(old, column, target, alter, &mut draft)?;
                    Some(target)
                }
                None => None,
            };
            draft.feeds.push(feed);
        }
        self.name_columns(&evolved, &mut draft)?;
        self.add_columns(&evolved, alter, &mut draft)?;
        let instants = self.keeps_instants(&evolved)?;
        let mut translated = self.finish(evolved.table, draft);
        translated.changes.splice(0..0, instants);
        self.check_key(alter, &translated)?;
        match &alter.rename_to {
            Some(to) if !self.is_named(to) => Err(self.gone(
                "rename_table",
                "renames it",
                Remedy::LeaveOutGone { table: self.before.name.clone() },
            )),
            Some(_) | None => Ok(translated),
        }
    }

    /// The table is made anew as it is.
    pub(super) fn optimized(&self) -> Result<Translated, TransformError> {
        let evolved = Evolved {
            table: self.before.clone(),
            origin: (0..self.before.columns.len()).map(Some).collect(),
        };
        self.recomputes(&evolved, false)?;
        Ok(Translated { changes: self.keeps_instants(&evolved)?, ..self.unchanged() })
    }

    fn clause(&self, clause: &Clause) -> Result<(), TransformError> {
        match (effect(clause), clause) {
            (Effect::Nothing | Effect::Definition, _) => Ok(()),
            (Effect::Values(_) | Effect::Rows, Clause::Engine(engine)) => Err(self.stop(
                format!("its engine becomes {engine}: what is rolled back then stays, or rows go without a word in the log"),
                Remedy::run(format!("ALTER TABLE {} ENGINE = InnoDB", self.before.name)).and(self.copy_again()),
            )),
            (Effect::Values(_) | Effect::Rows, _) => {
                let what = format!("may move, add or remove rows without a word in the log ({})", clause.words());
                Err(self.moves_rows(&what))
            }
        }
    }

    fn moves_rows(&self, what: &str) -> TransformError {
        self.stopped_by("truncate_partition", what)
    }

    /// Text that is stored anew, with what its characters become in another set.
    pub(super) fn converts_charset(&self) -> TransformError {
        self.stopped_by("convert_charset", "converts text")
    }

    fn target_key(&self, target: usize) -> bool {
        let name = self.mapping.target.columns.get(target).map(|column| &column.name);
        name.is_some_and(|name| self.mapping.target.primary_key.contains(name))
    }

    fn drops_columns(&self, evolved: &Evolved, draft: &mut MappingDraft) -> Result<(), TransformError> {
        const KIND: &str = "drop_column";
        for (old, column) in self.before.columns.iter().enumerate() {
            let (false, Some(target)) = (evolved.origin.contains(&Some(old)), self.mapping.target_of(old))
            else {
                continue;
            };
            let fed = draft.columns.get_mut(target).ok_or_else(|| self.internal("a target column"))?;
            let spreads = match &self.mapping.target.distribution {
                Some(Distribution::By(columns)) => columns.contains(&fed.name),
                Some(Distribution::Replicated) | None => false,
            };
            match self.rules.passing.get(KIND) {
                Some(passing) if !self.target_key(target) && !spreads => {
                    // One that others feed too is theirs.
                    let drops = *passing == Passing::Applied && !self.rules.shared_target;
                    if !drops && !fed.nullable {
                        fed.nullable = true;
                        draft.altered.push(target);
                    }
                    draft.gone.push((target, drops));
                }
                Some(_) | None => {
                    return Err(self.stopped_by(KIND, &format!("drops column {}", column.name)));
                }
            }
        }
        Ok(())
    }

    /// Type and nullability of a carried column that stays.
    fn follow(
        &self,
        old: usize,
        column: &Column,
        target: usize,
        alter: &AlterTable,
        draft: &mut MappingDraft,
    ) -> Result<(), TransformError> {
        let before = self.before.columns.get(old).ok_or_else(|| self.internal("a column before it"))?;
        let current = draft.columns.get(target).ok_or_else(|| self.internal("a target column"))?;
        let in_key = self.target_key(target);
        let name = &before.name;
        if column.generated != before.generated {
            return Err(self.stop(
                format!("it makes column {name} a generated one, or no longer one"),
                self.copy_again(),
            ));
        }
        if column.generated && self.redeclares(alter, name) {
            return Err(self.stop(
                format!("it declares generated column {name} anew, which may change its values"),
                self.copy_again(),
            ));
        }
        let mut wanted = current.clone();
        let follows = self.rules.operations.alter_table;
        let retyped = match retype(before, column, Context::of(self.issued)) {
            Effect::Nothing => false,
            Effect::Definition => true,
            Effect::Values(Changed::Narrowed) => {
                return Err(self.stopped_by("narrow_column", &format!("narrows column {name}")));
            }
            Effect::Values(Changed::Relabelled) => {
                let what = format!("gives labels of column {name} other numbers");
                return Err(self.stopped_by("relabel_enum", &what));
            }
            Effect::Values(Changed::Recoded) => return Err(self.converts_charset()),
            Effect::Values(Changed::Padded) => {
                return Err(self.stop(
                    format!("under PAD_CHAR_TO_FULL_LENGTH it makes the trailing blanks of CHAR column {name} part of its values"),
                    self.copy_again(),
                ));
            }
            Effect::Values(Changed::Converted) | Effect::Rows => {
                return Err(self.stop(
                    format!("it converts the values of column {name}, which cannot be followed yet"),
                    self.copy_again(),
                ));
            }
        };
        let plain = default_type(&before.data_type, self.rules).as_ref() == Some(&current.data_type);
        if retyped && follows && plain {
            let declared = default_type(&column.data_type, self.rules);
            wanted.data_type = declared.unwrap_or_else(|| wanted.data_type.clone());
            if wanted.data_type != current.data_type && current.data_type == TargetType::Boolean {
                return Err(self.stop(
                    format!("it makes column {name} a number, and the target has booleans"),
                    self.copy_again(),
                ));
            }
        }
        check_fit(&self.before.name, column, &wanted.data_type, in_key)?;
        self.replaces_null(alter, before, column)?;
        self.numbers(before, column)?;
        // A column that no longer takes NULL at the source may go on taking it at the target.
        let takes_null = takes_null(column, in_key, self.rules);
        wanted.nullable |= follows && takes_null;
        let changed = wanted != *current;
        let slot = draft.columns.get_mut(target).ok_or_else(|| self.internal("a column"))?;
        if changed {
            draft.altered.push(target);
            *slot = wanted;
        }
        // A target that is left as it is says itself that it does not take a NULL that comes.
        slot.nullable |= takes_null;
        Ok(())
    }

    /// Whether a step declares this old column anew.
    fn redeclares(&self, alter: &AlterTable, name: &str) -> bool {
        let index = self.before.column_index(name);
        alter.steps.iter().any(|step| match step {
            AlterStep::ChangeColumn { from, .. } => self.before.column_index(from) == index,
            _ => false,
        })
    }

    /// New names of carried columns.
    fn name_columns(&self, evolved: &Evolved, draft: &mut MappingDraft) -> Result<(), TransformError> {
        if !self.rules.operations.alter_table {
            return Ok(());
        }
        let mut renames = Vec::new();
        let columns = evolved.table.columns.iter().zip(&evolved.origin).zip(&draft.feeds);
        for ((column, origin), feed) in columns {
            let before = origin.and_then(|old| self.before.columns.get(old));
            let current = feed.and_then(|target| draft.columns.get(target));
            let (Some(before), Some(current)) = (before, current) else { continue };
            // A target name that was chosen in the config stays with the column.
            let chosen =
                self.rules.renamed(&before.name).is_some() && self.rules.renamed(&column.name).is_none();
            if before.name == column.name || chosen {
                continue;
            }
            let to = names::column_name(&column.name, self.rules);
            if to == current.name {
                continue;
            }
            names::check(
                &self.before.name,
                &to,
                "column",
                &format!("columns = {{ {} = \"…\" }}", column.name),
            )?;
            if self.rules.shared_target {
                return Err(self.stop(
                    format!("it renames column {}, and other tables feed the same target table", before.name),
                    Remedy::KeepName { source: column.name.clone(), target: current.name.clone() },
                ));
            }
            renames.push(Rename { from: current.name.clone(), to });
        }
        let columns = draft.columns.iter().enumerate();
        let is_there = |(index, _): &(usize, &TargetColumn)| !draft.gone.contains(&(*index, true));
        let taken: Vec<String> = columns.filter(is_there).map(|(_, column)| column.name.clone()).collect();
        let stays = |name: &String| !renames.iter().any(|rename| rename.from == *name);
        if let Some(clash) = renames
            .iter()
            .enumerate()
            .find(|(at, rename)| {
                taken.iter().any(|name| *name == rename.to && stays(name))
                    || renames.iter().skip(at + 1).any(|other| other.to == rename.to)
            })
            .map(|(_, rename)| &rename.to)
        {
            return Err(self.name_taken(clash));
        }
        for column in &mut draft.columns {
            if let Some(rename) = renames.iter().find(|rename| rename.from == column.name) {
                column.name.clone_from(&rename.to);
            }
        }
        draft.renames = in_order(renames, &taken);
        Ok(())
    }

    pub(super) fn name_taken(&self, name: &str) -> TransformError {
        self.stop(
            format!("the target table {} has a column \"{name}\" already", self.target()),
            AtTarget::FreeColumn.or(InConfig::OtherColumnName),
        )
    }

    fn finish(&self, table: Table, draft: MappingDraft) -> Translated {
        let target = self.target();
        let mut changes = Vec::new();
        let old = &self.mapping.target.columns;
        let drops = draft.gone.iter().filter(|(_, drops)| *drops).filter_map(|(index, _)| old.get(*index));
        changes.extend(
            drops.map(|column| TargetChange::DropColumn {
                table: target.clone(),
                column: column.name.clone(),
            }),
        );
        changes.extend(draft.renames.into_iter().map(|rename| TargetChange::RenameColumn {
            table: target.clone(),
            from: rename.from,
            to: rename.to,
        }));
        let altered = draft.altered.iter().filter_map(|index| draft.columns.get(*index));
        changes.extend(
            altered.map(|column| TargetChange::AlterColumn { table: target.clone(), column: column.clone() }),
        );
        let rows = self.rows_of(&draft.columns);
        for (index, fill) in draft.added {
            changes.extend(draft.columns.get(index).map(|column| TargetChange::AddColumn {
                table: target.clone(),
                column: column.clone(),
                fill,
                rows: rows.clone(),
            }));
        }
        // Old names of the key's columns as they are now.
        let renamed = |name: &String| {
            let index = old.iter().position(|column| column.name == *name);
            index
                .and_then(|index| draft.columns.get(index))
                .map_or_else(|| name.clone(), |column| column.name.clone())
        };
        let mut mapping = self.mapping.clone();
        mapping.target.primary_key = mapping.target.primary_key.iter().map(renamed).collect();
        if let Some(Distribution::By(columns)) = &mut mapping.target.distribution {
            *columns = columns.iter().map(renamed).collect();
        }
        mapping.columns = draft
            .feeds
            .iter()
            .enumerate()
            .filter_map(|(source, feed)| feed.map(|target| ColumnMapping { source, target }))
            .collect();
        mapping.target.columns = draft.columns;
        // From the last on, so that those before it keep their places.
        let mut gone: Vec<usize> = draft.gone.iter().map(|(index, _)| *index).collect();
        gone.sort_unstable_by(|one, other| other.cmp(one));
        for index in gone {
            mapping.forget_target(index);
        }
        Translated { table, mapping, changes }
    }

    /// The target's key must go on telling rows apart, and a changed primary key is for the policy.
    fn check_key(&self, alter: &AlterTable, after: &Translated) -> Result<(), TransformError> {
        let key: Vec<usize> = after
            .mapping
            .columns
            .iter()
            .filter(|column| {
                let target = after.mapping.target.columns.get(column.target);
                target.is_some_and(|target| after.mapping.target.primary_key.contains(&target.name))
            })
            .map(|column| column.source)
            .collect();
        let changes = alter.steps.iter().any(|step| match step {
            AlterStep::AddPrimaryKey { .. } | AlterStep::DropPrimaryKey => true,
            AlterStep::AddColumn { column, .. } | AlterStep::ChangeColumn { column, .. } => {
                column.key == InlineKey::Primary
            }
            _ => false,
        });
        if changes {
            return Err(self.stopped_by("change_primary_key", "changes the primary key"));
        }
        if !identifies_rows(&after.table, &key) {
            return Err(self.stop(
                format!(
                    "the key of the target table {} ({}) no longer tells the source's rows apart",
                    self.target(),
                    after.mapping.target.primary_key.join(", ")
                ),
                self.copy_again(),
            ));
        }
        Ok(())
    }
}
