//! What foreign keys of the source do without a word in its log, done in the target: rows that refer to changed ones go, lose the
//! reference or follow it, and so do those that refer to them.
//!
//! A key that nothing goes on from is one statement. Where others refer to the rows it changes, these are taken page by page: a page
//! is read, changed, and then what its rows were is handed on; so it ends, whatever circle the keys make, for a row that was changed
//! does not match any more.
//!
//! What must never happen here: a row changed by a value that another row has got only now.

mod index;

use super::arrays::{ArrayParam, RawValue, columns};
use super::statements::{self, Statements};
use super::{Applier, types};
use crate::change::RowLayout;
use crate::change::cascade::{Cascade, CascadeGraph, CascadeKey, CascadeMember, KeyChange, KeyEffect};
use crate::quote::{identifier, literal, qualified};
use crate::sink::{Session, SinkError};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::pin::Pin;
use tokio_postgres::types::Type;

/// Rows of a page.
const PAGE_ROWS: usize = 2000;

/// Keys of one statement.
const KEYS: usize = 20_000;

/// So many tables follow one another at most: InnoDB itself gives up after 15.
const DEPTH: usize = 64;

/// The field of NULL.
const NULL: [u8; 4] = (-1_i32).to_be_bytes();

impl Applier {
    /// Does it in the session's open transaction. Answers with how many rows of which members have changed.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn cascade(
        &mut self,
        session: &Session,
        cascade: &Cascade,
    ) -> Result<BTreeMap<usize, u64>, SinkError> {
        let Cascade { graph, parent, key, changes, untouched } = cascade;
        let parents = graph.members.get(*parent);
        let Some(key) = parents.and_then(|parent| parent.keys.get(*key)) else {
            return Err(
                session.unexpected("following a foreign key", "it is not among the keys of its parent")
            );
        };
        let deleted = changes.iter().all(|change| change.new.is_none());
        let effect = if deleted { key.on_delete } else { key.on_update };
        let set = |sql: &'static str| async move {
            session.client().batch_execute(sql).await.map_err(|error| session.error(sql, error))
        };
        // Without an index each row would be held against each key.
        set("SET LOCAL enable_hashjoin = on").await?;
        let mut work = Work { session, applier: self, graph, untouched, changed: BTreeMap::new() };
        work.through(key, effect, changes.clone(), 0).await?;
        let changed = work.changed;
        set("SET LOCAL enable_hashjoin = off").await?;
        Ok(changed)
    }
}

/// What is under way.
struct Work<'a> {
    session: &'a Session,
    applier: &'a mut Applier,
    graph: &'a CascadeGraph,
    untouched: &'a BTreeSet<usize>,
    changed: BTreeMap<usize, u64>,
}

type Doing<'b> = Pin<Box<dyn Future<Output = Result<(), SinkError>> + Send + 'b>>;

impl<'a> Work<'a> {
    /// Does what one key does with these changes.
    fn through<'b>(
        &'b mut self,
        key: &'a CascadeKey,
        effect: KeyEffect,
        changes: Vec<KeyChange>,
        depth: usize,
    ) -> Doing<'b>
    where
        'a: 'b,
    {
        Box::pin(async move {
            let doing = || format!("following foreign key {}", key.name);
            if effect == KeyEffect::Nothing || self.untouched.contains(&key.child) {
                return Ok(());
            }
            let Some(child) = self.graph.members.get(key.child) else {
                return Err(self.session.unexpected(&doing(), "its table is not known"));
            };
            if depth > DEPTH {
                return Err(self.session.unexpected(&doing(), "it goes on without an end"));
            }
            self.index(child, key).await?;
            let onward: Vec<(&CascadeKey, KeyEffect)> = self
                .graph
                .onward(key, effect)
                .filter(|(_, next, _)| !self.untouched.contains(&next.child))
                .map(|(_, next, does)| (next, does))
                .collect();
            for group in groups(&key.padded, effect, changes) {
                let statement = Rendered::new(child, key, effect, &group)
                    .ok_or_else(|| self.session.unexpected(&doing(), "a value of a key is malformed"))?;
                if onward.is_empty() {
                    let changed =
                        self.execute(&statement.all(), &statement.types, &statement.params, &doing).await?;
                    *self.changed.entry(key.child).or_default() += changed;
                    continue;
                }
                loop {
                    let page = self.page(child, key, effect, &statement, &onward).await?;
                    if page.keys.is_empty() {
                        break;
                    }
                    self.change_page(child, key, effect, &page).await?;
                    for ((next, does), changes) in onward.iter().zip(page.onward) {
                        if !changes.is_empty() {
                            self.through(next, *does, changes, depth + 1).await?;
                        }
                    }
                }
            }
            Ok(())
        })
    }

    async fn execute(
        &mut self,
        sql: &str,
        types: &[Type],
        params: &[ArrayParam],
        doing: &impl Fn() -> String,
    ) -> Result<u64, SinkError> {
        let statement = self.applier.statements.text(self.session, sql, types).await?;
        let done = self.session.client().execute_raw(&statement, params).await;
        done.map_err(|error| self.session.error(&doing(), error))
    }

    /// The next rows that match.
    async fn page(
        &mut self,
        child: &CascadeMember,
        key: &CascadeKey,
        effect: KeyEffect,
        statement: &Rendered,
        onward: &[(&CascadeKey, KeyEffect)],
    ) -> Result<Page, SinkError> {
        let doing =
            || format!("reading rows of {} that foreign key {} changes", child.layout.target, key.name);
        let prepared =
            self.applier.statements.text(self.session, &statement.page(), &statement.types).await?;
        let rows = self.session.client().query(&prepared, &borrowed(&statement.params)).await;
        let rows = rows.map_err(|error| self.session.error(&doing(), error))?;
        let width = child.layout.columns.len();
        let mut page = Page { keys: Vec::new(), new: Vec::new(), onward: vec![Vec::new(); onward.len()] };
        let mut seen: Vec<HashSet<KeyChange>> = vec![HashSet::new(); onward.len()];
        for row in &rows {
            let field = |index: usize| {
                let value: Option<RawValue<'_>> =
                    row.try_get(index).map_err(|error| self.session.error(&doing(), error))?;
                Ok::<_, SinkError>(match value {
                    Some(RawValue(bytes)) => {
                        let length = i32::try_from(bytes.len())
                            .map_err(|_| self.session.unexpected(&doing(), "a value is too long"))?;
                        [&length.to_be_bytes(), bytes].concat()
                    }
                    None => NULL.to_vec(),
                })
            };
            let mut own = Vec::new();
            for index in &child.layout.key {
                own.extend(field(*index)?);
            }
            page.keys.push(own);
            let mut new = Vec::new();
            for place in 0..key.columns.len() {
                new.push(if effect == KeyEffect::Follow { field(width + place)? } else { NULL.to_vec() });
            }
            for (at, (next, does)) in onward.iter().enumerate() {
                let (mut old, mut becomes, mut null) = (Vec::new(), Vec::new(), false);
                for index in &next.referenced {
                    let value = field(*index)?;
                    null |= value == NULL;
                    let place = key.columns.iter().position(|column| column == index);
                    match place.and_then(|place| new.get(place)) {
                        Some(value) => becomes.extend_from_slice(value),
                        None => becomes.extend_from_slice(&value),
                    }
                    old.extend(value);
                }
                // What is NULL is referred to by nothing.
                if null || *does == KeyEffect::Nothing {
                    continue;
                }
                let change = KeyChange { old, new: (effect != KeyEffect::Delete).then_some(becomes) };
                if seen.get_mut(at).is_some_and(|seen| seen.insert(change.clone()))
                    && let Some(changes) = page.onward.get_mut(at)
                {
                    changes.push(change);
                }
            }
            page.new.push(new.concat());
        }
        Ok(page)
    }

    async fn change_page(
        &mut self,
        child: &CascadeMember,
        key: &CascadeKey,
        effect: KeyEffect,
        page: &Page,
    ) -> Result<(), SinkError> {
        let layout = &child.layout;
        *self.changed.entry(key.child).or_default() += u64::try_from(page.keys.len()).unwrap_or(u64::MAX);
        if effect == KeyEffect::Delete {
            let keys = page.keys.iter().map(Vec::as_slice);
            return self.applier.delete_keys(self.session, layout, keys).await;
        }
        let doing = || format!("following foreign key {} in {}", key.name, layout.target);
        let malformed = || self.session.unexpected(&doing(), "a key is malformed");
        let own = types::key_arrays(layout).ok_or_else(malformed)?;
        let news = arrays_of(layout, &key.columns).ok_or_else(malformed)?;
        let names = statements::key(layout);
        let equal: Vec<String> =
            names.iter().enumerate().map(|(at, name)| format!("t.{name} = k.k{}", at + 1)).collect();
        let mut parts = page.keys.iter().map(Vec::as_slice).collect::<Vec<_>>();
        let rows: Vec<Vec<u8>>;
        let (mut all, mut sets) = (own, Vec::new());
        for (at, column) in key.columns.iter().enumerate() {
            let name =
                layout.columns.get(*column).map(|column| identifier(&column.name)).ok_or_else(malformed)?;
            sets.push(match effect {
                KeyEffect::Follow => format!("{name} = k.n{}", at + 1),
                _ => format!("{name} = NULL"),
            });
        }
        let mut aliases: Vec<String> = (1..=names.len()).map(|at| format!("k{at}")).collect();
        if effect == KeyEffect::Follow {
            aliases.extend((1..=news.len()).map(|at| format!("n{at}")));
            all.extend(news);
            rows = page.keys.iter().zip(&page.new).map(|(key, new)| [key.as_slice(), new].concat()).collect();
            parts = rows.iter().map(Vec::as_slice).collect();
        }
        let params = columns(&all, parts.into_iter()).map_err(|_| malformed())?;
        let sql = format!(
            "UPDATE {} AS t SET {} FROM unnest({}) AS k ({}) WHERE {}",
            qualified(&layout.target),
            sets.join(", "),
            parameters(params.len()),
            aliases.join(", "),
            equal.join(" AND "),
        );
        let types: Vec<Type> = all.into_iter().map(|(_, array)| array).collect();
        self.execute(&sql, &types, &params, &doing).await.map(drop)
    }
}

/// Rows of the child that match.
struct Page {
    /// Their keys.
    keys: Vec<Vec<u8>>,
    /// What the foreign key's columns become.
    new: Vec<Vec<u8>>,
    /// What goes on, for each key that refers to them.
    onward: Vec<Vec<KeyChange>>,
}

/// A key's statements for some changes.
struct Rendered {
    table: String,
    effect: KeyEffect,
    /// `t.a = k.k1 AND …`, with the tag.
    matches: String,
    /// `unnest($1, …) AS k (k1, …)`.
    from: String,
    /// `a = k.n1, …`.
    sets: String,
    /// What the page shows: every column of the layout, and the new values.
    shown: String,
    types: Vec<Type>,
    params: Vec<ArrayParam>,
}

impl Rendered {
    /// `None` where a value is malformed, or of a type that makes no array.
    fn new(child: &CascadeMember, key: &CascadeKey, effect: KeyEffect, group: &[KeyChange]) -> Option<Self> {
        let layout = &child.layout;
        let mut all = arrays_of(layout, &key.columns)?;
        let follows = effect == KeyEffect::Follow;
        let mut rows = Vec::with_capacity(group.len());
        for change in group {
            let mut fields = trimmed(&key.padded, &change.old)?;
            if follows {
                fields.extend_from_slice(change.new.as_ref()?);
            }
            rows.push(fields);
        }
        let names: Vec<String> = key
            .columns
            .iter()
            .map(|column| layout.columns.get(*column).map(|column| identifier(&column.name)))
            .collect::<Option<_>>()?;
        let (mut matches, mut sets, mut aliases) = (Vec::new(), Vec::new(), Vec::new());
        for (at, (name, padded)) in names.iter().zip(&key.padded).enumerate() {
            let value =
                if *padded { format!("pg_catalog.rtrim(t.{name}, ' ')") } else { format!("t.{name}") };
            matches.push(format!("{value} = k.k{}", at + 1));
            aliases.push(format!("k{}", at + 1));
            sets.push(if follows { format!("{name} = k.n{}", at + 1) } else { format!("{name} = NULL") });
        }
        let mut shown: Vec<String> =
            layout.columns.iter().map(|column| format!("t.{}", identifier(&column.name))).collect();
        if follows {
            all.extend(arrays_of(layout, &key.columns)?);
            aliases.extend((1..=names.len()).map(|at| format!("n{at}")));
            shown.extend((1..=names.len()).map(|at| format!("k.n{at}")));
            let own: Vec<String> = names.iter().map(|name| format!("t.{name}")).collect();
            let new: Vec<String> = (1..=names.len()).map(|at| format!("k.n{at}")).collect();
            matches.push(format!("ROW({}) IS DISTINCT FROM ROW({})", own.join(", "), new.join(", ")));
        }
        if let Some((column, tag)) = &child.tag {
            matches.push(format!("t.{} = {}", identifier(column), literal(tag)));
        }
        let params = columns(&all, rows.iter().map(Vec::as_slice)).ok()?;
        Some(Self {
            table: qualified(&layout.target),
            effect,
            matches: matches.join(" AND "),
            from: format!("unnest({}) AS k ({})", parameters(params.len()), aliases.join(", ")),
            sets: sets.join(", "),
            shown: shown.join(", "),
            types: all.into_iter().map(|(_, array)| array).collect(),
            params,
        })
    }

    /// Changes all rows that match.
    fn all(&self) -> String {
        let Self { table, matches, from, sets, .. } = self;
        match self.effect {
            KeyEffect::Delete => format!("DELETE FROM {table} AS t USING {from} WHERE {matches}"),
            KeyEffect::SetNull | KeyEffect::Follow | KeyEffect::Nothing => {
                format!("UPDATE {table} AS t SET {sets} FROM {from} WHERE {matches}")
            }
        }
    }

    /// Shows some that match.
    fn page(&self) -> String {
        let Self { table, matches, from, shown, .. } = self;
        format!("SELECT {shown} FROM {table} AS t, {from} WHERE {matches} LIMIT {PAGE_ROWS}")
    }
}

/// What can be done at once: no row may get a value by which another change of the same statement would find it, and each value is
/// found by one change only.
fn groups(padded: &[bool], effect: KeyEffect, changes: Vec<KeyChange>) -> Vec<Vec<KeyChange>> {
    let mut groups: Vec<Vec<KeyChange>> = Vec::new();
    let mut group = Vec::new();
    let (mut olds, mut news) = (HashSet::new(), HashSet::new());
    for change in changes {
        let old = trimmed(padded, &change.old).unwrap_or_default();
        let follows = effect == KeyEffect::Follow;
        let new = change.new.as_ref().filter(|_| follows).and_then(|new| trimmed(padded, new));
        if !follows && olds.contains(&old) {
            continue;
        }
        let clashes = follows
            && (olds.contains(&old)
                || news.contains(&old)
                || new.as_ref().is_some_and(|new| olds.contains(new)));
        if clashes || group.len() >= KEYS {
            groups.push(std::mem::take(&mut group));
            olds.clear();
            news.clear();
        }
        olds.insert(old);
        news.extend(new);
        group.push(change);
    }
    if !group.is_empty() {
        groups.push(group);
    }
    groups
}

/// The fields without blanks at their end, where these do not count; `None` where they are malformed.
fn trimmed(padded: &[bool], mut fields: &[u8]) -> Option<Vec<u8>> {
    if !padded.contains(&true) {
        return Some(fields.to_vec());
    }
    let mut out = Vec::with_capacity(fields.len());
    for padded in padded {
        let (length, rest) = fields.split_first_chunk::<4>()?;
        let Ok(known) = usize::try_from(i32::from_be_bytes(*length)) else {
            out.extend_from_slice(length);
            fields = rest;
            continue;
        };
        let (value, rest) = rest.split_at_checked(known)?;
        fields = rest;
        let kept = if *padded {
            value.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1)
        } else {
            known
        };
        out.extend_from_slice(&i32::try_from(kept).ok()?.to_be_bytes());
        out.extend_from_slice(value.get(..kept)?);
    }
    Some(out)
}

/// The array types of these columns.
fn arrays_of(layout: &RowLayout, columns: &[usize]) -> Option<Vec<(Type, Type)>> {
    columns.iter().map(|index| types::array_of(&layout.columns.get(*index)?.data_type)).collect()
}

fn parameters(count: usize) -> String {
    (1..=count).map(|at| format!("${at}")).collect::<Vec<_>>().join(", ")
}

fn borrowed(params: &[ArrayParam]) -> Vec<&(dyn tokio_postgres::types::ToSql + Sync)> {
    params.iter().map(|param| -> &(dyn tokio_postgres::types::ToSql + Sync) { param }).collect()
}

impl Statements {
    /// A statement by its text, prepared at its first use.
    pub(super) async fn text(
        &mut self,
        session: &Session,
        sql: &str,
        types: &[Type],
    ) -> Result<tokio_postgres::Statement, SinkError> {
        if let Some(known) = self.texts.get(sql) {
            return Ok(known.clone());
        }
        let prepared = session.client().prepare_typed(sql, types).await;
        let prepared = prepared.map_err(|error| session.error("preparing to follow a foreign key", error))?;
        self.texts.insert(sql.to_owned(), prepared.clone());
        Ok(prepared)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(text: &str) -> Vec<u8> {
        [&i32::try_from(text.len()).unwrap().to_be_bytes(), text.as_bytes()].concat()
    }

    fn change(old: &str, new: &str) -> KeyChange {
        KeyChange { old: field(old), new: Some(field(new)) }
    }

    #[test]
    fn values_that_meet_are_changed_one_after_the_other() {
        let lengths = |effect, changes: Vec<KeyChange>| {
            groups(&[false], effect, changes).iter().map(Vec::len).collect::<Vec<_>>()
        };
        // 2 becomes 3 before 1 becomes 2.
        let shifted = vec![change("2", "3"), change("1", "2")];
        assert_eq!(lengths(KeyEffect::Follow, shifted), [1, 1]);
        assert_eq!(lengths(KeyEffect::Follow, vec![change("1", "2"), change("2", "3")]), [1, 1]);
        assert_eq!(lengths(KeyEffect::Follow, vec![change("1", "5"), change("2", "6")]), [2]);
        assert_eq!(lengths(KeyEffect::SetNull, vec![change("1", "5"), change("1", "6")]), [1]);
    }

    #[test]
    fn blanks_at_the_end_go_where_they_do_not_count() {
        let both = [field("a  "), field("b ")].concat();
        assert_eq!(trimmed(&[true, false], &both), Some([field("a"), field("b ")].concat()));
        let null = [NULL.to_vec(), field("  ")].concat();
        assert_eq!(trimmed(&[true, true], &null), Some([NULL.to_vec(), field("")].concat()));
        assert_eq!(trimmed(&[true], &[0, 0, 0, 9]), None);
    }
}
