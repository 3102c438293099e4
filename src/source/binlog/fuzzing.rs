//! What the fuzzer calls (`fuzz/`): bytes as the events of a log.

use super::frame::Checksum;
use super::framer::{Framer, Inside};
use super::selected::SelectedTables;
use super::table_map::TableMaps;
use super::transaction::Naming;
use crate::change::{Change, FilePosition, TableNames};
use crate::config::types::Selection;
use crate::source::SourceError;
use bytes::Bytes;
use globset::{Glob, GlobSet, GlobSetBuilder};
use std::sync::LazyLock;

const MAX_EVENT_BYTES: usize = 1 << 20;

/// Every table of a source whose names do not fold, and of one whose do.
static SELECTED: LazyLock<[Option<SelectedTables>; 2]> =
    LazyLock::new(|| [0, 1].map(|case| everything(case).ok()));

fn everything(lower_case_table_names: u8) -> Result<SelectedTables, globset::Error> {
    let include = GlobSetBuilder::new().add(Glob::new("*")?).build()?;
    let selection = Selection { patterns: vec!["*.*".to_owned()], include, exclude: GlobSet::empty() };
    SelectedTables::new(selection, TableNames::of(lower_case_table_names))
}

/// Takes `data` as a log: a byte of options, then events, each its code, flags, the length of its body (16 bits) and the body. Headers
/// are made, so that what is tried are the bodies and what follows what.
pub fn events(data: &[u8]) {
    let Some((&options, mut rest)) = data.split_first() else { return };
    let naming = match options % 3 {
        0 => Naming::Gtids,
        1 => Naming::Domains,
        _ => Naming::Places,
    };
    let start = FilePosition { file: "binlog.000001".into(), offset: 4 };
    let Some(selected) = &SELECTED[usize::from(options >> 6 & 1)] else { return };
    let maps = TableMaps::new(selected.clone());
    let mut framer = Framer::new("fuzzed".to_owned(), start, naming, Checksum::None, maps, MAX_EVENT_BYTES);
    let version: &[u8] = if options & 0x80 == 0 { b"9.7.4" } else { b"10.11.14-MariaDB-log" };
    let (mut out, mut offset) = (Vec::new(), 4);
    let Ok(()) = take(&mut framer, &event(15, 0, &description(version), &mut offset), &mut out) else {
        return;
    };
    while let [code, flags, low, high, behind @ ..] = rest {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(behind.len());
        let (body, next) = behind.split_at(length);
        if take(&mut framer, &event(*code, *flags, body, &mut offset), &mut out).is_err() {
            return;
        }
        rest = next;
        out.clear();
    }
}

fn take(framer: &mut Framer, event: &Bytes, out: &mut Vec<Change>) -> Result<(), SourceError> {
    framer.event(event, out)?;
    while framer.is_inside_payload() {
        if framer.inside(out)? == Inside::NeedsInput {
            return Ok(());
        }
    }
    Ok(())
}

/// A format description of a server of that version.
fn description(version: &[u8]) -> Vec<u8> {
    let mut body = 4_u16.to_le_bytes().to_vec();
    body.extend(version);
    body.resize(52, 0);
    body.extend([0, 0, 0, 0, 19]);
    let mut lengths = [8_u8; 170];
    // The post-header of a Query event.
    lengths[1] = 13;
    body.extend(lengths);
    // No checksums; their field is there all the same.
    body.extend([0; 5]);
    body
}

fn event(code: u8, flags: u8, body: &[u8], offset: &mut u32) -> Bytes {
    let length = u32::try_from(19 + body.len()).unwrap_or(u32::MAX);
    *offset = offset.saturating_add(length);
    let mut bytes = 7_u32.to_le_bytes().to_vec();
    bytes.push(code);
    bytes.extend(97_u32.to_le_bytes());
    bytes.extend(length.to_le_bytes());
    bytes.extend(offset.to_le_bytes());
    bytes.extend(u16::from(flags).to_le_bytes());
    bytes.extend(body);
    bytes.into()
}
