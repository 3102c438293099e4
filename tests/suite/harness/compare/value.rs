//! Values whose text differs between servers although they are equal.

/// What is done to a column's text before it is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing.
    Text,
    /// A double: its bits.
    Float,
    /// JSON: no white space, one spelling of strings and numbers.
    Json,
}

impl Kind {
    pub(super) fn canonical(self, text: &str) -> String {
        match self {
            Self::Text => text.to_owned(),
            Self::Float => {
                let number: f64 = text.parse().unwrap_or_else(|_| panic!("'{text}' is no float"));
                format!("{number:?} ({:016x})", number.to_bits())
            }
            Self::Json => json(text),
        }
    }
}

/// JSON as jsonb would print it, without spaces. Both servers order keys by length, then bytes, so order stays.
fn json(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => {
                let end = string_end(rest);
                let string: String =
                    serde_json::from_str(&rest[..end]).unwrap_or_else(|e| panic!("{e}: {rest}"));
                out.push_str(&serde_json::to_string(&string).expect("a string"));
                end
            }
            '-' | '0'..='9' => {
                let end = rest.find(|c: char| !matches!(c, '-' | '+' | '.' | 'e' | 'E' | '0'..='9'));
                let end = end.unwrap_or(rest.len());
                out.push_str(&plain_number(&rest[..end]));
                end
            }
            ' ' | '\n' | '\t' | '\r' => 1,
            other => {
                out.push(other);
                other.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    out
}

/// Where the string that a text starts with ends, quotes included.
fn string_end(text: &str) -> usize {
    let mut escaped = false;
    for (index, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return index + 1,
            _ => {}
        }
    }
    panic!("a string without end: {text}");
}

/// A number without exponent, as PostgreSQL's `numeric` prints it: digits kept, no minus before zero.
fn plain_number(text: &str) -> String {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i64 = exponent.parse().unwrap_or_else(|_| panic!("'{text}' is no number"));
    let (minus, digits) = mantissa.strip_prefix('-').map_or((false, mantissa), |digits| (true, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{fraction}");
    let point = i64::try_from(whole.len()).expect("short") + exponent;
    let length = i64::try_from(all.len()).expect("short");
    let zeros = |count: i64| "0".repeat(usize::try_from(count.max(0)).expect("not negative"));
    let all = format!("{}{all}{}", zeros(1 - point), zeros(point - length));
    let (whole, fraction) = all.split_at(usize::try_from(point.max(1)).expect("positive"));
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    };
    let zero = !all.contains(|c: char| c != '0');
    let sign = if minus && !zero { "-" } else { "" };
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lose_their_exponent_and_nothing_else() {
        for (text, plain) in [
            ("1e3", "1000"),
            ("1.50e1", "15.0"),
            ("1.5e-7", "0.00000015"),
            ("-0.0", "0.0"),
            ("-12.25", "-12.25"),
            ("0.10", "0.10"),
            ("1E+2", "100"),
        ] {
            assert_eq!(plain_number(text), plain, "{text}");
        }
    }

    #[test]
    fn equal_documents_look_equal_and_others_do_not() {
        assert_eq!(json(r#"{"a": [1.0, "\u00e9\"x"], "b": null}"#), json(r#"{"a":[1.0,"é\"x"],"b":null}"#));
        assert_ne!(json("[1]"), json("[1.0]"));
        assert_ne!(json(r#"["a b"]"#), json(r#"["ab"]"#));
    }

    #[test]
    fn floats_are_compared_by_their_bits() {
        assert_eq!(Kind::Float.canonical("1e23"), Kind::Float.canonical("100000000000000000000000"));
        assert_ne!(Kind::Float.canonical("0"), Kind::Float.canonical("-0"));
    }
}
