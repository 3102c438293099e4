use super::*;
use crate::schema::column_type;
use crate::schema::{Charset, Column, ColumnDefault};

fn column(name: &str, declared: &str) -> KeyColumn {
    let charset = Charset { name: "utf8mb4".into(), collation: "utf8mb4_bin".into() };
    let column = Column {
        name: name.into(),
        data_type: column_type::parse(declared, &charset),
        nullable: false,
        default: ColumnDefault::None,
        generated: false,
        generation: None,
        auto_increment: false,
        limits: crate::schema::Limits::default(),
    };
    KeyColumn::of(&column).unwrap()
}

fn bound(literals: &[&str]) -> Vec<String> {
    literals.iter().map(|literal| (*literal).to_owned()).collect()
}

#[test]
fn a_key_of_one_column_is_a_plain_range() {
    let key = [column("id", "int")];
    assert_eq!(between(&key, None, None), None);
    assert_eq!(between(&key, Some(&bound(&["5"])), None).unwrap(), "`id` > 5");
    assert_eq!(between(&key, None, Some(&bound(&["9"]))).unwrap(), "`id` <= 9");
    assert_eq!(between(&key, Some(&bound(&["5"])), Some(&bound(&["9"]))).unwrap(), "`id` > 5 AND `id` <= 9");
}

#[test]
fn a_composite_key_is_expanded_column_by_column() {
    let key = [column("a", "int"), column("b", "varchar(9)"), column("c", "date")];
    let after = bound(&["1", "_utf8mb4 x'61'", "'2020-01-01'"]);
    assert_eq!(
        between(&key, Some(&after), None).unwrap(),
        "(`a` > 1 OR (`a` = 1 AND (`b` > _utf8mb4 x'61' OR (`b` = _utf8mb4 x'61' AND `c` > '2020-01-01'))))"
    );
    assert_eq!(
        between(&key, None, Some(&after)).unwrap(),
        "(`a` < 1 OR (`a` = 1 AND (`b` < _utf8mb4 x'61' OR (`b` = _utf8mb4 x'61' AND `c` <= '2020-01-01'))))"
    );
}

#[test]
fn what_both_bounds_share_is_said_once() {
    let key = [column("a", "int"), column("b", "int")];
    assert_eq!(
        between(&key, Some(&bound(&["1", "5"])), Some(&bound(&["1", "9"]))).unwrap(),
        "`a` = 1 AND `b` > 5 AND `b` <= 9"
    );
    assert_eq!(
        between(&key, Some(&bound(&["1", "5"])), Some(&bound(&["1", "5"]))).unwrap(),
        "`a` = 1 AND `b` > 5 AND `b` <= 5"
    );
}

#[test]
fn greater_and_smaller_labels_are_listed_by_number() {
    let key = [column("e", "enum('z','a','m')"), column("id", "int")];
    assert_eq!(
        between(&key, Some(&bound(&["1", "7"])), Some(&bound(&["2", "4"]))).unwrap(),
        "(`e` IN (2,3) OR (`e` = 1 AND `id` > 7)) AND (`e` IN (0,1) OR (`e` = 2 AND `id` <= 4))"
    );
    assert_eq!(between(&key, Some(&bound(&["3", "7"])), None).unwrap(), "(`e` = 3 AND `id` > 7)");
    assert_eq!(between(&key, None, Some(&bound(&["0", "7"]))).unwrap(), "(`e` = 0 AND `id` <= 7)");
    let alone = [column("e", "enum('z','a')")];
    assert_eq!(between(&alone, Some(&bound(&["2"])), None).unwrap(), "FALSE");
    assert_eq!(between(&alone, None, Some(&bound(&["1"]))).unwrap(), "`e` IN (0,1)");
}

#[test]
fn a_set_of_64_members_is_compared_as_an_unsigned_number() {
    let labels: Vec<String> = (0..64).map(|n| format!("'m{n}'")).collect();
    let key = [column("s", &format!("set({})", labels.join(",")))];
    assert_eq!(
        between(&key, None, Some(&bound(&["18446744073709551615"]))).unwrap(),
        "CAST(`s` AS UNSIGNED) <= 18446744073709551615"
    );
}
