//! Events of a log, as a server sends them: any bytes give changes or an error.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| rowferry::testing::source::binlog::fuzzing::events(data));
