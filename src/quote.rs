//! Names and texts as SQL: the only place where either becomes part of a statement. And as the config takes them, for remedies.
//!
//! Every session has `standard_conforming_strings` on, so a backslash in a literal is a backslash.

use crate::change::TargetName;

/// `"name"`, always quoted, so that case and key words never matter.
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// `'text'`.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// `"schema"."table"`.
pub fn qualified(name: &TargetName) -> String {
    format!("{}.{}", identifier(&name.schema), identifier(&name.table))
}

/// `"a", "b"`.
pub fn identifiers<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    names.into_iter().map(|name| identifier(name)).collect::<Vec<_>>().join(", ")
}

/// A name as a key of the config.
pub fn toml_key(name: &str) -> String {
    let bare = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
    if !name.is_empty() && name.chars().all(bare) { name.to_owned() } else { toml_text(name) }
}

/// A text as the config takes it.
pub fn toml_text(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_inside_are_doubled_and_nothing_else_changes() {
        assert_eq!(identifier("Sel\"ect\\"), "\"Sel\"\"ect\\\"");
        assert_eq!(literal("it's \\n"), "'it''s \\n'");
        let name = TargetName { schema: "a.b".into(), table: "c".into() };
        assert_eq!(qualified(&name), "\"a.b\".\"c\"");
    }
}
