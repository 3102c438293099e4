//! What is stored, against the golden files in `tests/golden/stored`: `<form>.<version>.jsonl` has one value a line, as the
//! program that wrote that version wrote them.
//!
//! Here are the values: all that a form can hold, so each variant of each type has a line. Where a value's text is no longer that of
//! the present version's file, programs that know this version would misread it: the form needs a new version.

mod samples;

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::fs;
use std::path::Path;

/// The text of a golden file.
pub(crate) fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/stored").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Holds the samples of a form against its golden files.
pub(crate) fn hold<T>(form: &str, samples: &[T])
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    let golden = file(&format!("{form}.0.jsonl"));
    assert_eq!(golden.lines().count(), samples.len(), "{form}");
    for (sample, stored) in samples.iter().zip(golden.lines()) {
        assert_eq!(serde_json::to_string(sample).unwrap(), stored, "{form}");
        assert_eq!(serde_json::from_str::<T>(stored).unwrap(), *sample);
    }
}

#[test]
fn what_is_stored_is_what_the_golden_files_say() {
    hold("position", &samples::positions());
    hold("state", &samples::states());
    hold("definition", &samples::definitions());
    hold("bound", &samples::bounds());
}
