//! What is stored, against the golden files in `tests/golden/stored`: `<form>.<version>.jsonl` has one value a line and
//! `layout.<version>.sql` the tables, as the programs of that version wrote them.
//!
//! A golden file is never changed. Where the present one is no longer what is written, programs that know this version would misread
//! it: it takes a new version, and a step to it (CONTRIBUTING.md, "A stored form"). The file of the new version is written by the test.

mod samples;

use super::form::{self, Form, LAYOUT};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::fs;
use std::path::Path;

/// The text of a golden file. That of the `present` version is `written` where it is missing, for somebody to look at and commit.
fn golden(name: &str, present: bool, written: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/stored").join(name);
    if present && !path.exists() {
        fs::write(&path, written).unwrap();
        panic!("{name} was not there and is now: look at it and commit it");
    }
    let golden = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(
        !present || golden == written,
        "what is stored is no longer as tests/golden/stored/{name} has it, and older programs would misread it. Do not change \
         that file: raise the version in src/sink/store/form.rs and add a step to src/sink/store/upgrade.rs (CONTRIBUTING.md, \
         \"A stored form\"). Now it is:\n{written}"
    );
    golden
}

/// Holds the samples of a form against its golden files: the present one is what is written, and all are read as the samples.
pub(crate) fn hold<T: Serialize + DeserializeOwned + PartialEq + Debug>(form: Form, samples: &[T]) {
    let written: String = samples.iter().map(|sample| form::write(form, sample).unwrap() + "\n").collect();
    for version in 0..=form.version() {
        let name = format!("{}.{version}.jsonl", form.name());
        let golden = golden(&name, version == form.version(), &written);
        assert!(!golden.is_empty(), "{name}");
        for (stored, sample) in golden.lines().zip(samples) {
            assert_eq!(form::read::<T>(form, stored).as_ref(), Ok(sample), "{name}: {stored}");
        }
    }
}

/// Holds the statements that make the tables of task `shop` against the present golden file.
pub(crate) fn hold_layout(made: &str) {
    golden(&format!("layout.{LAYOUT}.sql"), true, made);
}

// One test a form, for the first failure ends a test.

#[test]
fn positions_are_stored_as_the_golden_files_say() {
    hold(Form::Position, &samples::positions());
}

#[test]
fn states_are_stored_as_the_golden_files_say() {
    hold(Form::State, &samples::states());
}

#[test]
fn definitions_are_stored_as_the_golden_files_say() {
    hold(Form::Definition, &samples::definitions());
}

#[test]
fn bounds_are_stored_as_the_golden_files_say() {
    hold(Form::Bound, &samples::bounds());
}
