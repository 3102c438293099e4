//! Walking a TOML table key by key, so that every problem is found in one go and no key is left unread.

use super::error::Problem;
use std::collections::BTreeMap;
use toml::{Table, Value};

/// Where problems are gathered.
#[derive(Debug, Default)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// Notes a problem.
    pub fn add(
        &mut self,
        key: impl Into<String>,
        value: Option<&str>,
        constraint: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.0.push(Problem {
            key: key.into(),
            value: value.map(str::to_owned),
            constraint: constraint.into(),
            remedy: remedy.into(),
        });
    }
}

/// A table being read: keys are taken out one by one; what is left at the end is unknown.
#[derive(Debug)]
pub struct Section {
    path: String,
    table: Table,
    known: Vec<&'static str>,
}

impl Section {
    /// The root table (`path` empty) or a sub-table.
    pub fn new(path: impl Into<String>, table: Table) -> Self {
        Self { path: path.into(), table, known: Vec::new() }
    }

    /// The table's own path.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether the key is there, and not read yet.
    pub fn has(&self, name: &str) -> bool {
        self.table.contains_key(name)
    }

    /// The full path of a key of this table.
    pub fn key(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// Takes a raw value.
    pub fn take(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        self.table.remove(name)
    }

    /// Takes a string.
    pub fn string(&mut self, name: &'static str, problems: &mut Problems) -> Option<String> {
        match self.take(name)? {
            Value::String(text) => Some(text),
            other => {
                self.wrong_type(name, &other, "a string", problems);
                None
            }
        }
    }

    /// Takes a whole number within bounds.
    pub fn integer(
        &mut self,
        name: &'static str,
        low: u64,
        high: u64,
        problems: &mut Problems,
    ) -> Option<u64> {
        let value = self.take(name)?;
        if let Value::Integer(number) = value
            && let Ok(number) = u64::try_from(number)
            && (low..=high).contains(&number)
        {
            return Some(number);
        }
        problems.add(
            self.key(name),
            Some(&value.to_string()),
            format!("must be a whole number from {low} to {high}"),
            "write a number in that range",
        );
        None
    }

    /// Takes one of a list of words.
    pub fn choice<T: Copy>(
        &mut self,
        name: &'static str,
        choices: &[(&str, T)],
        problems: &mut Problems,
    ) -> Option<T> {
        let text = self.string(name, problems)?;
        let found = choices.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let words: Vec<String> = choices.iter().map(|(word, _)| format!("\"{word}\"")).collect();
            problems.add(
                self.key(name),
                Some(&quoted(&text)),
                format!("must be one of {}", words.join(", ")),
                "choose one of them",
            );
        }
        found
    }

    /// Takes a list of strings.
    pub fn strings(&mut self, name: &'static str, problems: &mut Problems) -> Option<Vec<String>> {
        let value = self.take(name)?;
        if let Value::Array(items) = &value {
            let strings: Option<Vec<String>> =
                items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
            if strings.is_some() {
                return strings;
            }
        }
        self.wrong_type(name, &value, "a list of strings", problems);
        None
    }

    /// Takes a table of strings.
    pub fn string_map(&mut self, name: &'static str, problems: &mut Problems) -> BTreeMap<String, String> {
        let mut map = BTreeMap::new();
        for (key, value) in self.table(name, problems).map(|section| section.table).unwrap_or_default() {
            if let Value::String(text) = value {
                map.insert(key, text);
            } else {
                problems.add(
                    self.key(&format!("{name}.{key}")),
                    Some(&value.to_string()),
                    "must be a string",
                    "put it in quotes",
                );
            }
        }
        map
    }

    /// Takes a sub-table.
    pub fn table(&mut self, name: &'static str, problems: &mut Problems) -> Option<Section> {
        match self.take(name)? {
            Value::Table(table) => Some(Section::new(self.key(name), table)),
            other => {
                self.wrong_type(name, &other, "a table", problems);
                None
            }
        }
    }

    /// Takes every named sub-table of `[name.X]`, in the order written.
    pub fn tables(&mut self, name: &'static str, problems: &mut Problems) -> Vec<(String, Section)> {
        let Some(section) = self.table(name, problems) else { return Vec::new() };
        let path = section.path.clone();
        let mut all = Vec::new();
        for (key, value) in section.table {
            if let Value::Table(table) = value {
                let path =
                    if key.contains('.') { format!("{path}.\"{key}\"") } else { format!("{path}.{key}") };
                all.push((key, Section::new(path, table)));
            } else {
                problems.add(
                    format!("{path}.{key}"),
                    Some(&value.to_string()),
                    "must be a table",
                    format!("write [{path}.{key}]"),
                );
            }
        }
        all
    }

    /// Every key that nothing took is unknown.
    pub fn finish(self, problems: &mut Problems) {
        for (key, value) in &self.table {
            let near = self.known.iter().find(|known| near(known, key));
            let remedy = match near {
                Some(known) => format!("did you mean \"{known}\"?"),
                None => format!("remove it; known here: {}", self.known.join(", ")),
            };
            let shown = if key.contains("password") { None } else { Some(value.to_string()) };
            problems.add(self.key(key), shown.as_deref(), "is not a known key", remedy);
        }
    }

    fn wrong_type(&self, name: &str, value: &Value, wanted: &str, problems: &mut Problems) {
        let shown = if name.contains("password") { None } else { Some(value.to_string()) };
        problems.add(
            self.key(name),
            shown.as_deref(),
            format!("must be {wanted}, not {}", value.type_str()),
            match wanted {
                "a string" => "put it in quotes",
                "a list of strings" => "write it in brackets, each string in quotes: [\"…\"]",
                _ => "write it as a section of its own, or as { key = value }",
            },
        );
    }
}

/// A string as the file would show it.
pub fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

/// Whether two keys differ by at most two edits: a likely slip of the fingers.
fn near(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let keep = row.get(j).copied().unwrap_or(0) + usize::from(x != y);
            let delete = row.get(j + 1).copied().unwrap_or(0) + 1;
            let insert = next.get(j).copied().unwrap_or(0) + 1;
            next.push(keep.min(delete).min(insert));
        }
        row = next;
    }
    row.last().is_some_and(|distance| *distance <= 2)
}
