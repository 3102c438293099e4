//! Documents and their logged changes.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: (&[u8], &[u8])| rowferry::testing::transform::fuzzing::json(data.0, data.1));
