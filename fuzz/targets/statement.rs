//! The reader of DDL text: any text ends in a statement, in time that its length is worth.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rowferry::testing::change::facts::Flavour;
use rowferry::testing::schema::ddl::{SqlMode, beginning, code_change, read};

fuzz_target!(|data: (u64, &str)| {
    let (bits, text) = data;
    let mode = SqlMode::from_bits(bits).with_flavour(if bits >> 63 == 1 {
        Flavour::MariaDb
    } else {
        Flavour::MySql
    });
    let statement = read(text, mode);
    let _ = statement.tables();
    let _ = beginning(text, mode);
    let _ = code_change(text, mode);
});
