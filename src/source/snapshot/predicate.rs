//! The rows between two bounds, as a condition every optimizer turns into index ranges.
//!
//! `(a, b) > (x, y)` reads the whole index on MySQL 5.6 and MariaDB; `a > x OR (a = x AND b > y)` is a range on all of
//! them (seen in `Handler_read_*` on 9.7, 5.6 and MariaDB 10.11, up to four columns).

use super::key::KeyColumn;

/// Rows with `after < key ≤ upto`. `None` without bounds: every row.
///
/// Both bounds must have one literal a key column; the caller checks that.
pub fn between(key: &[KeyColumn], after: Option<&[String]>, upto: Option<&[String]>) -> Option<String> {
    let (Some(first), Some(last)) = (after, upto) else {
        return after.map(|bound| above(key, bound)).or_else(|| upto.map(|bound| at_or_below(key, bound)));
    };
    // What both bounds share is said once: it makes plain ranges of most chunks. The last column always stays.
    let shared = first.iter().zip(last).take_while(|(a, b)| a == b).count().min(key.len().saturating_sub(1));
    let (head, tail) = key.split_at_checked(shared)?;
    let mut conditions: Vec<String> =
        head.iter().zip(first).map(|(column, literal)| column.equals(literal)).collect();
    conditions.push(above(tail, first.get(shared..)?));
    conditions.push(at_or_below(tail, last.get(shared..)?));
    Some(conditions.join(" AND "))
}

fn above(key: &[KeyColumn], bound: &[String]) -> String {
    match (key, bound) {
        ([only], [literal]) => only.above(literal).unwrap_or_else(|| "FALSE".to_owned()),
        ([first, rest @ ..], [literal, literals @ ..]) => {
            either(first.above(literal), &format!("{} AND {}", first.equals(literal), above(rest, literals)))
        }
        _ => "FALSE".to_owned(),
    }
}

fn at_or_below(key: &[KeyColumn], bound: &[String]) -> String {
    match (key, bound) {
        ([only], [literal]) => only.at_most(literal),
        ([first, rest @ ..], [literal, literals @ ..]) => either(
            first.below(literal),
            &format!("{} AND {}", first.equals(literal), at_or_below(rest, literals)),
        ),
        _ => "FALSE".to_owned(),
    }
}

fn either(beyond: Option<String>, tied: &str) -> String {
    match beyond {
        Some(beyond) => format!("({beyond} OR ({tied}))"),
        None => format!("({tied})"),
    }
}

#[cfg(test)]
mod tests;
