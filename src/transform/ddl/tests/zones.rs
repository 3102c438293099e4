//! Statements that asked for their session's time zone.

use super::*;
use crate::change::{AnsweredValue, Asked, ValueKind};

fn answered(values: &[Option<&str>]) -> Result<Vec<AnsweredValue>, String> {
    let value = |text: &Option<&str>| AnsweredValue {
        kind: ValueKind::Text,
        text: text.map(|text| text.as_bytes().to_vec()),
    };
    Ok(values.iter().map(value).collect())
}

/// What comes of `ALTER TABLE Orders FORCE` on a table with a TIMESTAMP.
fn forced(zone: &str, flavour: Flavour, answer: Option<Result<Vec<AnsweredValue>, String>>) -> String {
    let sql = "ALTER TABLE Orders FORCE";
    let session = zoned(zone);
    let mode = issued(sql).mode.with_flavour(flavour);
    let before = table(&["id int", "at timestamp null", "d datetime null"]);
    let first = Issued { session, mode, ..issued(sql) };
    match (run_on(&before, sql, &rules(), &first), answer) {
        (Ok(translated), _) => changes(&translated),
        (Err(TransformError::Asks(question)), Some(answer)) => {
            assert!(matches!(&question.asked, Asked::Values(values) if values.len() == 2));
            assert_eq!(question.same_server, zone == "SYSTEM");
            let mut answers = Answers::default();
            answers.add(*question, answer);
            match run_on(&before, sql, &rules(), &Issued { answers: &answers, ..first }) {
                Ok(translated) => changes(&translated),
                Err(error) => format!("STOP {error}"),
            }
        }
        (Err(error), _) => format!("STOP {error}"),
    }
}

#[test]
fn the_hours_that_a_zone_has_twice_must_hold_no_row() {
    let berlin = answered(&[Some("1761439500,1792888200"), Some("3600")]);
    assert_eq!(
        forced("Europe/Berlin", Flavour::MySql, Some(berlin.clone())),
        "none at [(1761435900, 1761444000), (1792884600, 1792892700)]"
    );
    assert_eq!(
        forced("SYSTEM", Flavour::MySql, Some(answered(&[None, None]))),
        "",
        "a zone without such hours"
    );
    for (zone, flavour) in [("+02:00", Flavour::MySql), ("Europe/Berlin", Flavour::MariaDb)] {
        assert_eq!(forced(zone, flavour, None), "", "{zone}");
    }
}

#[test]
fn an_answer_that_is_not_whole_proves_nothing() {
    let long = vec!["1761439500"; 94].join(",");
    for answer in [
        Err("the source answers with error 1298".to_owned()),
        answered(&[Some("1761439500")]),
        answered(&[Some("1761439500"), None]),
        answered(&[Some("17614395x"), Some("3600")]),
        answered(&[Some(&long), Some("3600")]),
    ] {
        let found = forced("Europe/Berlin", Flavour::MySql, Some(answer));
        assert!(found.starts_with("STOP") && found.contains("time zone"), "{found}");
    }
}
