//! The way up for what older programs have stored: for each form of a value, and for the layout of the tables, a step from each
//! version to the next.
//!
//! Values are upgraded where they are read, and stay as they are in the target: they are older records, and new ones come in the
//! present version. The layout is upgraded when a task is taken, in the transaction that raises the epoch and before anything else
//! in it. The check and `status` read before that and write nothing: a step of the layout leaves alone what they select.
//!
//! What must never happen here: a step changed after a program with it has run somewhere. It is what it was; the next one mends.

use super::Names;
use super::form::Form;
use serde_json::Value;

/// From one version of a form to the next; says what is wrong with a value that cannot be.
type UpgradeStep = fn(Value) -> Result<Value, String>;

/// 0 → 1, the same value: the version stands beside it from then on.
const SAME: UpgradeStep = Ok;

/// The steps of a form; the first is from 0 to 1.
fn steps(form: Form) -> &'static [UpgradeStep] {
    match form {
        Form::Position => &[SAME],
        // To 2: tables aside, parked ones, and those that were let go of. To 3: paused ones.
        Form::State => &[SAME, SAME, SAME],
        // To 2: tables that take the place of others. To 3: their columns that have other names there. To 4: those that
        // are taken out again. To 5: target columns of type `inet`.
        Form::Mapping => &[SAME, SAME, SAME, SAME, SAME],
        // To 2: columns of types UUID, INET4 and INET6, which were of none that was known. To 3: foreign keys. Of
        // tables that were copied before none is known, and none is followed.
        Form::Definition => &[SAME, SAME, SAME],
        Form::Bound => &[SAME],
    }
}

/// A value of version `found` in the present version of its form.
pub(super) fn value(form: Form, found: u64, value: Value) -> Result<Value, String> {
    along(steps(form), found, value)
}

fn along(steps: &[UpgradeStep], found: u64, value: Value) -> Result<Value, String> {
    let done = usize::try_from(found).map_err(|_| format!("its version {found} cannot be"))?;
    steps.iter().skip(done).try_fold(value, |value, step| step(value))
}

/// SQL that brings a task's tables from one version of the layout to the next; empty where nothing changes in them.
///
/// What other programs read of them has to stay in every layout: the position's table by its name, with the layout as its comment,
/// and `target_schema` and `target_table` of the tables' records, by which tasks see what others feed.
type LayoutStep = fn(&Names) -> String;

/// The steps of the layout; the first is from 0 to 1: the same tables, and their layout is written down from then on.
const LAYOUT_STEPS: &[LayoutStep] = &[|_| String::new()];

/// SQL that brings a task's tables from layout `found` to the present one.
pub(super) fn layout(found: u32, names: &Names) -> String {
    layout_along(LAYOUT_STEPS, found, names)
}

fn layout_along(steps: &[LayoutStep], found: u32, names: &Names) -> String {
    let done = usize::try_from(found).unwrap_or(usize::MAX);
    steps.iter().skip(done).map(|step| step(names)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::form::LAYOUT;
    use super::*;
    use serde_json::json;

    #[test]
    fn there_is_a_step_from_every_version() {
        for form in Form::ALL {
            let steps = u32::try_from(steps(form).len()).unwrap();
            assert_eq!(
                steps,
                form.version(),
                "{form:?}: as many steps in upgrade.rs as its version in form.rs"
            );
        }
        assert_eq!(u32::try_from(LAYOUT_STEPS.len()).unwrap(), LAYOUT);
    }

    #[test]
    fn a_value_takes_the_steps_that_it_has_not_taken() {
        let steps: &[UpgradeStep] = &[
            SAME,
            |old| Ok(json!({ "name": old })),
            |old| match old.get("name") {
                Some(name) => Ok(json!({ "name": name, "kind": "table" })),
                None => Err("it has no name".to_owned()),
            },
        ];
        let new = Ok(json!({ "name": "t", "kind": "table" }));
        for (found, old) in [
            (0, json!("t")),
            (1, json!("t")),
            (2, json!({ "name": "t" })),
            (3, json!({ "name": "t", "kind": "table" })),
        ] {
            assert_eq!(along(steps, found, old), new, "from {found}");
        }
        assert_eq!(along(steps, 2, json!({})), Err("it has no name".to_owned()));
    }

    #[test]
    fn tables_take_the_steps_that_they_have_not_taken() {
        let steps: &[LayoutStep] = &[
            |_| String::new(),
            |names| format!("ALTER TABLE {} ADD COLUMN a text;\n", names.chunks),
            |names| format!("ALTER TABLE {} ADD COLUMN b text;\n", names.owner),
        ];
        let names = Names::new("shop");
        let (a, b) = (
            "ALTER TABLE rowferry.\"shop_chunks\" ADD COLUMN a text;\n",
            "ALTER TABLE rowferry.\"shop_owner\" ADD COLUMN b text;\n",
        );
        let both = format!("{a}{b}");
        for (found, sql) in [(0, both.as_str()), (1, &both), (2, b), (3, "")] {
            assert_eq!(layout_along(steps, found, &names), sql, "from {found}");
        }
    }
}
