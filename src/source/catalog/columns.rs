//! One row of `information_schema.COLUMNS` as a column.

use crate::change::facts::Flavour;
use crate::schema::charset::charset;
use crate::schema::column_type::{limits, parse, unquote};
use crate::schema::{Charset, Column, ColumnDefault, Generation, MySqlType};

/// What the row says, as printed.
#[derive(Clone, Copy, Debug)]
pub struct ColumnRow<'a> {
    /// `COLUMN_NAME`.
    pub name: &'a str,
    /// `COLUMN_DEFAULT`.
    pub default: Option<&'a str>,
    /// `IS_NULLABLE`.
    pub nullable: &'a str,
    /// `COLUMN_TYPE`.
    pub column_type: &'a str,
    /// `CHARACTER_SET_NAME`.
    pub charset: Option<&'a str>,
    /// `COLLATION_NAME`.
    pub collation: Option<&'a str>,
    /// `EXTRA`.
    pub extra: &'a str,
    /// `GENERATION_EXPRESSION`.
    pub generation: Option<&'a str>,
}

impl ColumnRow<'_> {
    /// The column; `table_charset` serves types that have none of their own.
    pub fn column(&self, flavour: Flavour, table_charset: &Charset) -> Column {
        let own = self.charset.map(|name| charset(name, self.collation));
        // Labels that are bytes have no character set here either; text that is bytes has another type.
        let labelled = ["enum(", "set("].iter().any(|start| self.column_type.starts_with(start));
        let own = own.or_else(|| labelled.then(|| charset("binary", None)));
        let data_type = parse(self.column_type, own.as_ref().unwrap_or(table_charset));
        let nullable = self.nullable.eq_ignore_ascii_case("YES");
        let extra = self.extra.to_ascii_uppercase();
        let generated =
            ["VIRTUAL GENERATED", "STORED GENERATED", "PERSISTENT"].iter().any(|words| extra.contains(words));
        let default = match flavour {
            _ if generated => ColumnDefault::None,
            Flavour::MySql => self.mysql_default(&data_type, nullable, &extra),
            Flavour::MariaDb => self.mariadb_default(nullable),
        };
        Column {
            name: self.name.to_owned(),
            data_type,
            nullable,
            default,
            generated,
            generation: self.generation(flavour, &extra).filter(|_| generated),
            auto_increment: extra.contains("AUTO_INCREMENT"),
            limits: limits(self.column_type),
        }
    }

    /// MySQL prints the quotes of strings with a backslash before them, and one within a string with more. MariaDB prints SQL.
    fn generation(&self, flavour: Flavour, extra: &str) -> Option<Generation> {
        let text = self.generation?;
        let expression = if flavour == Flavour::MySql { text.replace("\\'", "'") } else { text.to_owned() };
        Some(Generation { stored: !extra.contains("VIRTUAL"), expression })
    }

    /// MySQL prints a literal's value without quotes and marks expressions in EXTRA (8.0.13 on); before, the only
    /// expression is CURRENT_TIMESTAMP. A nullable column without DEFAULT has DEFAULT NULL.
    fn mysql_default(&self, data_type: &MySqlType, nullable: bool, extra: &str) -> ColumnDefault {
        let Some(text) = self.default else { return without_default(nullable) };
        let temporal = matches!(data_type, MySqlType::Timestamp { .. } | MySqlType::DateTime { .. });
        let now = text.get(..17).is_some_and(|start| start.eq_ignore_ascii_case("CURRENT_TIMESTAMP"));
        if extra.contains("DEFAULT_GENERATED") || temporal && now {
            ColumnDefault::Expression(text.to_owned())
        } else {
            ColumnDefault::Literal(text.to_owned())
        }
    }

    /// MariaDB prints the default as SQL: quoted strings, numbers, NULL, expressions.
    fn mariadb_default(&self, nullable: bool) -> ColumnDefault {
        let Some(text) = self.default else { return without_default(nullable) };
        if text.eq_ignore_ascii_case("NULL") {
            return without_default(nullable);
        }
        if let Some(value) = unquote(text) {
            return ColumnDefault::Literal(value);
        }
        let number = text.parse::<f64>().is_ok() && !text.contains(['n', 'N', 'i', 'I']);
        if number || text.starts_with("b'") || text.starts_with("x'") {
            ColumnDefault::Literal(text.to_owned())
        } else {
            ColumnDefault::Expression(text.to_owned())
        }
    }
}

fn without_default(nullable: bool) -> ColumnDefault {
    if nullable { ColumnDefault::Null } else { ColumnDefault::None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row<'a>(column_type: &'a str, default: Option<&'a str>, extra: &'a str) -> ColumnRow<'a> {
        ColumnRow {
            name: "c",
            default,
            nullable: "YES",
            column_type,
            charset: None,
            collation: None,
            extra,
            generation: None,
        }
    }

    fn table_charset() -> Charset {
        charset("utf8mb4", None)
    }

    fn default(flavour: Flavour, column_type: &str, text: Option<&str>, extra: &str) -> ColumnDefault {
        row(column_type, text, extra).column(flavour, &table_charset()).default
    }

    #[test]
    fn a_literal_and_an_expression_are_told_apart_on_mysql() {
        let of = |column_type, text, extra| default(Flavour::MySql, column_type, text, extra);
        assert_eq!(of("varchar(9)", Some("it's"), ""), ColumnDefault::Literal("it's".into()));
        assert_eq!(of("varchar(9)", Some("NULL"), ""), ColumnDefault::Literal("NULL".into()));
        assert_eq!(
            of("varchar(40)", Some("uuid()"), "DEFAULT_GENERATED"),
            ColumnDefault::Expression("uuid()".into())
        );
        assert_eq!(
            of("timestamp", Some("CURRENT_TIMESTAMP"), "on update CURRENT_TIMESTAMP"),
            ColumnDefault::Expression("CURRENT_TIMESTAMP".into())
        );
        assert_eq!(
            of("varchar(40)", Some("CURRENT_TIMESTAMP"), ""),
            ColumnDefault::Literal("CURRENT_TIMESTAMP".into())
        );
        assert_eq!(of("bit(3)", Some("b'101'"), ""), ColumnDefault::Literal("b'101'".into()));
        assert_eq!(of("int", None, ""), ColumnDefault::Null);
        let required = ColumnRow { nullable: "NO", ..row("int", None, "") };
        assert_eq!(required.column(Flavour::MySql, &table_charset()).default, ColumnDefault::None);
    }

    #[test]
    fn mariadb_prints_defaults_as_sql() {
        let of = |column_type, text| default(Flavour::MariaDb, column_type, Some(text), "");
        assert_eq!(of("varchar(9)", r"'it''s \\ x'"), ColumnDefault::Literal(r"it's \ x".into()));
        assert_eq!(of("varchar(9)", "'NULL'"), ColumnDefault::Literal("NULL".into()));
        assert_eq!(of("int", "NULL"), ColumnDefault::Null);
        assert_eq!(of("decimal(5,2)", "-1.50"), ColumnDefault::Literal("-1.50".into()));
        assert_eq!(
            of("timestamp", "current_timestamp()"),
            ColumnDefault::Expression("current_timestamp()".into())
        );
        assert_eq!(of("int", "(1 + 1)"), ColumnDefault::Expression("(1 + 1)".into()));
        assert_eq!(of("int", "nan"), ColumnDefault::Expression("nan".into()));
    }

    #[test]
    fn generated_and_invisible_columns_are_columns() {
        let column = row("int", None, "STORED GENERATED").column(Flavour::MySql, &table_charset());
        assert!(column.generated && column.default == ColumnDefault::None);
        let column = row("int", Some("5"), "INVISIBLE").column(Flavour::MySql, &table_charset());
        assert!(!column.generated && column.default == ColumnDefault::Literal("5".into()));
        let column =
            row("bigint unsigned", None, "auto_increment INVISIBLE").column(Flavour::MySql, &table_charset());
        assert!(column.auto_increment);
        let column =
            row("int", Some("(1 + 1)"), "DEFAULT_GENERATED").column(Flavour::MySql, &table_charset());
        assert!(!column.generated);
    }

    #[test]
    fn the_expression_of_a_generated_column_is_read() {
        for (extra, text, stored, expression) in [
            ("STORED GENERATED", "concat(`s`,_utf8mb4\\'|\\')", true, "concat(`s`,_utf8mb4'|')"),
            ("VIRTUAL GENERATED", "(`a` + 1)", false, "(`a` + 1)"),
        ] {
            let shown = ColumnRow { generation: Some(text), ..row("int", None, extra) };
            let expected = Generation { stored, expression: expression.to_owned() };
            assert_eq!(shown.column(Flavour::MySql, &table_charset()).generation, Some(expected));
        }
        // Of others MySQL gives an empty text.
        let other = ColumnRow { generation: Some(""), ..row("int", None, "") };
        assert_eq!(other.column(Flavour::MySql, &table_charset()).generation, None);
    }

    #[test]
    fn labels_without_a_charset_are_bytes() {
        let column = row("enum('a','b')", None, "").column(Flavour::MySql, &table_charset());
        let labels = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(column.data_type, MySqlType::Enum { labels, charset: charset("binary", None) });
    }

    #[test]
    fn a_column_has_its_own_charset_or_its_tables() {
        let own =
            ColumnRow { charset: Some("utf8"), collation: Some("utf8_bin"), ..row("varchar(3)", None, "") };
        assert_eq!(
            own.column(Flavour::MySql, &table_charset()).data_type,
            MySqlType::VarChar { length: 3, charset: charset("utf8mb3", Some("utf8_bin")) }
        );
    }
}
