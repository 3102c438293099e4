//! The forms of what is stored: which there are, at which version each is now, and how a value is written and read with its
//! version.
//!
//! A value is stored as `{"form":1,"value":…}`. Programs that knew no versions stored the bare value: that is version 0. A value
//! inside another one (the positions of a table's state) has the version of the outer one. Columns that are no JSON belong to the
//! layout of the tables, which has a version too.
//!
//! What must never happen here: a value of a version that this program does not know, read as one that it knows.

use super::{Names, upgrade};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The version of the layout of a task's tables. The step to it is in `upgrade.rs`.
pub const LAYOUT: u32 = 1;

/// What is stored as JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A [`Position`](crate::change::Position): of a checkpoint, and the one a definition holds from.
    Position,
    /// A [`TableState`](crate::change::state::TableState).
    State,
    /// How a table is carried, as `task` writes it.
    Mapping,
    /// A [`Table`](crate::schema::Table).
    Definition,
    /// One bound of a [`ChunkRecord`](crate::change::state::ChunkRecord).
    Bound,
}

impl Form {
    /// All of them.
    #[cfg(test)]
    pub const ALL: [Self; 5] = [Self::Position, Self::State, Self::Mapping, Self::Definition, Self::Bound];

    /// The version that is written. All before it are read, by way of the steps in `upgrade.rs`.
    pub fn version(self) -> u32 {
        match self {
            Self::Position => 1,
            Self::State => 3,
            Self::Mapping => 5,
            Self::Definition => 3,
            Self::Bound => 1,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Position => "position",
            Self::State => "state",
            Self::Mapping => "mapping",
            Self::Definition => "definition",
            Self::Bound => "bound",
        }
    }
}

/// A stored value cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// A newer program wrote it.
    #[error("{}", newer(&format!("form {found} of {}", form.name()), form.version()))]
    Newer {
        /// Its form.
        form: Form,
        /// Its version.
        found: u64,
    },
    /// It is damaged, or was never ours.
    #[error("{} cannot be read: {why}", form.name())]
    Unreadable {
        /// The form it should have.
        form: Form,
        /// What is wrong.
        why: String,
    },
}

/// How it is told that something is newer than what this program knows.
pub(super) fn newer(found: &str, known: u32) -> String {
    format!(
        "{found} is newer than this program: rowferry {} knows it up to {known}",
        env!("CARGO_PKG_VERSION")
    )
}

#[derive(Serialize)]
struct Versioned<'a, T> {
    form: u32,
    value: &'a T,
}

/// The text of a value in the present version of its form.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn write<T: Serialize>(form: Form, value: &T) -> serde_json::Result<String> {
    serde_json::to_string(&Versioned { form: form.version(), value })
}

/// Reads the text of a value in any version up to the present one.
///
/// # Errors
/// When its version is a newer one, or when it cannot be read.
pub fn read<T: DeserializeOwned>(form: Form, text: &str) -> Result<T, FormError> {
    let unreadable = |why: String| FormError::Unreadable { form, why };
    let stored = serde_json::from_str(text).map_err(|error| unreadable(error.to_string()))?;
    let (found, value) = opened(stored).map_err(unreadable)?;
    if found > u64::from(form.version()) {
        return Err(FormError::Newer { form, found });
    }
    let value = upgrade::value(form, found, value).map_err(unreadable)?;
    T::deserialize(value).map_err(|error| unreadable(error.to_string()))
}

/// The version of a stored value, and what it is beside that.
fn opened(stored: Value) -> Result<(u64, Value), String> {
    match stored {
        // No value of version 0 has such a field.
        Value::Object(mut fields) if fields.contains_key("form") => {
            let found = fields.get("form").and_then(Value::as_u64);
            let value = fields.remove("value").unwrap_or_default();
            Ok((found.ok_or("its version is no whole number")?, value))
        }
        bare => Ok((0, bare)),
    }
}

/// Which columns of a table hold values, and of which form.
pub(super) type Columns = &'static [(&'static str, Form)];

/// Where values lie.
pub(super) fn places(names: &Names) -> [(&String, Columns); 4] {
    [
        (&names.position, &[("place", Form::Position)]),
        (&names.tables, &[("state", Form::State), ("mapping", Form::Mapping)]),
        (&names.schemas, &[("definition", Form::Definition), ("valid_from", Form::Position)]),
        (&names.chunks, &[("after_key", Form::Bound), ("upto_key", Form::Bound)]),
    ]
}

/// SQL for the highest version in a column, without reading its values as JSON: they may be large.
pub(super) fn highest(column: &str) -> String {
    format!("max(substring(substr({column}, 1, 30) from '^[{{]\"form\":([0-9]{{1,18}})')::int8)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_form_is_refused_by_name_whatever_it_holds() {
        let refused = |text: &str| read::<Vec<String>>(Form::Bound, text).unwrap_err();
        for text in [r#"{"form":2,"value":["5"]}"#, r#"{"form":2}"#, r#"{"form":2,"other":{}}"#] {
            assert_eq!(refused(text), FormError::Newer { form: Form::Bound, found: 2 }, "{text}");
        }
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            refused(r#"{"form":99,"value":["5"]}"#).to_string(),
            format!("form 99 of bound is newer than this program: rowferry {version} knows it up to 1")
        );
    }

    #[test]
    fn what_is_damaged_is_not_taken_for_something_else() {
        for text in
            ["", "[", r#"{"form":"1","value":["5"]}"#, r#"{"form":-1,"value":["5"]}"#, r#"{"form":1}"#, "{}"]
        {
            let error = read::<Vec<String>>(Form::Bound, text).unwrap_err();
            assert!(matches!(error, FormError::Unreadable { .. }), "{text}: {error}");
        }
    }

    #[test]
    fn the_version_stands_where_sql_looks_for_it() {
        for form in Form::ALL {
            let text = write(form, &Value::Null).unwrap();
            assert!(text.starts_with(&format!("{{\"form\":{},", form.version())), "{text}");
        }
    }
}
