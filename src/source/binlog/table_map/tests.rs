use super::*;
use crate::config::types::Selection;
use globset::{Glob, GlobSet, GlobSetBuilder};

fn selected(pattern: &str) -> SelectedTables {
    let include = GlobSetBuilder::new().add(Glob::new(pattern).unwrap()).build().unwrap();
    let selection = Selection { patterns: vec![pattern.to_owned()], include, exclude: GlobSet::empty() };
    SelectedTables::new(selection, crate::change::TableNames::EXACT).unwrap()
}

/// `rf_binlog.t1 (id INT, v VARCHAR(20))` as MySQL 9.7.4 wrote it.
const REAL: &[u8] =
    b"\x71\0\0\0\0\0\x01\0\x09rf_binlog\0\x02t1\0\x02\x03\x0f\x02\x50\x00\x02\x01\x01\0\x02\x03\xfc\xff\0";

fn opened(pattern: &str, body: &'static [u8]) -> Result<TableMaps, Malformed> {
    let mut maps = TableMaps::new(selected(pattern));
    maps.open(&Bytes::from_static(body), false)?;
    Ok(maps)
}

#[test]
fn a_table_map_of_a_real_server_is_read() {
    let maps = opened("rf_binlog.*", REAL).unwrap();
    let Some(Mapped::Selected(map)) = maps.find(0x71) else { panic!("not selected") };
    assert_eq!(map.name, TableName::new("rf_binlog", "t1"));
    assert_eq!((map.types.as_slice(), map.metadata.as_slice()), (&[3, 15][..], &[0, 80][..]));
    assert_eq!(map.nullable, [2]);
    assert_eq!(map.optional, Bytes::from_static(&[1, 1, 0, 2, 3, 0xfc, 0xff, 0]));
}

#[test]
fn an_unselected_table_is_known_but_not_read() {
    let maps = opened("other.*", REAL).unwrap();
    assert!(matches!(maps.find(0x71), Some(Mapped::Unselected)));
    assert!(maps.find(0x72).is_none());
}

/// Old servers take `#mysql50#t1` for `t1`, and new ones for another table.
#[test]
fn a_selected_table_that_is_named_by_its_file_is_refused() {
    let named = b"\x71\0\0\0\0\0\x01\0\x09rf_binlog\0\x0b#mysql50#t1\0\x01\x03\0\0";
    assert!(opened("rf_binlog.t1", named).is_err());
    assert!(matches!(opened("rf_binlog.t2", named).unwrap().find(0x71), Some(Mapped::Unselected)));
}

#[test]
fn the_same_bytes_give_the_same_map_and_other_bytes_another() {
    let mut maps = opened("*.*", REAL).unwrap();
    let first = maps.find(0x71).cloned().unwrap();
    maps.close();
    assert!(maps.find(0x71).is_none(), "the statement's maps ended");
    maps.open(&Bytes::from_static(REAL), false).unwrap();
    let (Mapped::Selected(first), Some(Mapped::Selected(again))) = (&first, maps.find(0x71)) else {
        panic!("not selected")
    };
    assert!(Arc::ptr_eq(first, again));
    // The server restarted and gave the number to another table.
    let mut other = REAL.to_vec();
    other[20] = b'x';
    maps.open(&other.into(), false).unwrap();
    let Some(Mapped::Selected(map)) = maps.find(0x71) else { panic!("not selected") };
    assert_eq!(map.name.table, "x1");
}

#[test]
fn metadata_is_split_by_column_type() {
    // DECIMAL(10,2), TINY, DOUBLE, DATETIME2(3), STRING as ENUM of 1 byte, BIT(12), JSON
    let types = [246, 1, 5, 18, 254, 16, 245];
    let block = Bytes::from_static(&[10, 2, 8, 3, 247, 1, 4, 1, 4]);
    assert_eq!(metadata(&types, &block), Ok(vec![0x020a, 0, 8, 3, 0x01f7, 0x0104, 4]));
    assert!(metadata(&types, &block.slice(..8)).is_err());
    assert!(metadata(&types[..6], &block).is_err(), "left over metadata");
    assert!(metadata(&[99], &Bytes::new()).is_err());
}

#[test]
fn no_prefix_panics_and_none_without_the_null_flags_passes() {
    let end_of_null_flags = REAL.len() - 8;
    for cut in 0..REAL.len() {
        assert_eq!(opened("*.*", &REAL[..cut]).is_err(), cut < end_of_null_flags, "{cut}");
    }
}

#[test]
fn a_name_that_is_not_utf8_is_refused() {
    let mut bad = REAL.to_vec();
    bad[10] = 0xff;
    assert!(TableMaps::new(selected("*.*")).open(&bad.into(), false).is_err());
}
