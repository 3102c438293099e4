//! Names and texts as SQL: the only place where either becomes part of a statement.
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
