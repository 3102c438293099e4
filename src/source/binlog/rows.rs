//! Row events: their header and column sets; the row images stay as they are.
//!
//! Layout after `libs/mysql/binlog/event/rows_event.h` (`Rows_event`).
//!
//! What must never happen here: a value looked at.

use super::cursor::{Cursor, Malformed};
use super::event::RowsCode;
use crate::change::{References, RowsKind};
use bytes::Bytes;

/// `STMT_END_F`: the last row event of its statement.
const STATEMENT_ENDS: u16 = 1;
/// `NO_FOREIGN_KEY_CHECKS_F`: the session had `foreign_key_checks` off.
const IGNORES_REFERENCES: u16 = 2;
/// `USE_SQL_FOREIGN_KEY_F` (MySQL 9.6): cascades are run above the engine, and logged.
const LOGS_REFERENCES: u16 = 16;

/// The fixed part of a row event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowsHeader {
    /// The table map it refers to.
    pub table_id: u64,
    /// The table maps of its statement end after it.
    pub ends_statement: bool,
    /// What was done about foreign keys that refer to the rows.
    pub references: References,
}

/// A row event's variable part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowsBody {
    /// Columns of the (only or before) image.
    pub columns: Bytes,
    /// Columns of the after image; empty when there is none.
    pub columns_after: Bytes,
    /// The row images.
    pub rows: Bytes,
}

/// Reads the fixed part and leaves the cursor at the variable one.
pub fn header(at: &mut Cursor<'_>, version_two: bool, short_id: bool) -> Result<RowsHeader, Malformed> {
    let table_id = at.uint(if short_id { 4 } else { 6 }, "table id")?;
    let flags = at.u16("flags")?;
    if version_two {
        // The length of the extra data (partition, NDB, …) counts itself.
        let extra = usize::from(at.u16("length of extra data")?);
        let Some(extra) = extra.checked_sub(2) else {
            return Err(Malformed::new("its extra data is shorter than its length field"));
        };
        at.read(extra, "extra data")?;
    }
    let references = if flags & IGNORES_REFERENCES != 0 {
        References::Ignored
    } else if flags & LOGS_REFERENCES != 0 {
        References::Logged
    } else {
        References::Followed
    };
    Ok(RowsHeader { table_id, ends_statement: flags & STATEMENT_ENDS != 0, references })
}

/// Reads the column sets of an event on a table of so many columns. Whether they name all that is needed is known with the definition.
pub fn body(at: &mut Cursor<'_>, code: RowsCode, columns: usize) -> Result<RowsBody, Malformed> {
    let width = at.packed_length("number of columns")?;
    if width != columns {
        return Err(Malformed::new(format!("it has {width} columns where its table map has {columns}")));
    }
    let set_length = columns.div_ceil(8);
    let before = at.take(set_length, "column set")?;
    let columns_after = match code.kind {
        RowsKind::Update | RowsKind::PartialUpdate => at.take(set_length, "column set after")?,
        RowsKind::Insert | RowsKind::Delete => Bytes::new(),
    };
    Ok(RowsBody { columns: before, columns_after, rows: at.rest() })
}

/// Below this many bytes row images get memory of their own: as slices of the block they were received in, each would hold
/// the whole block, unselected events and all, for as long as it waits for the target.
pub const OWN_BELOW_BYTES: usize = 128 << 10;

impl RowsBody {
    /// The same in memory of its own, unless it is large.
    pub fn owned(self) -> Self {
        if self.rows.len() >= OWN_BELOW_BYTES {
            return self;
        }
        let (before, after) = (self.columns.len(), self.columns_after.len());
        let mut rest = Bytes::from([&*self.columns, &self.columns_after, &self.rows].concat());
        Self { columns: rest.split_to(before), columns_after: rest.split_to(after), rows: rest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UPDATE: RowsCode = RowsCode { kind: RowsKind::Update, version_two: true };
    const INSERT: RowsCode = RowsCode { kind: RowsKind::Insert, version_two: true };

    #[test]
    fn a_version_two_header_is_read_and_its_extra_data_skipped() {
        let bytes = Bytes::from_static(&[0x71, 0, 0, 0, 0, 0, 1, 0, 5, 0, 9, 9, 9, 2, 0xff, 0xff, 0]);
        let mut at = Cursor::new(&bytes);
        assert_eq!(
            header(&mut at, true, false),
            Ok(RowsHeader { table_id: 0x71, ends_statement: true, references: References::Followed })
        );
        assert_eq!(body(&mut at, UPDATE, 2).unwrap().rows, Bytes::from_static(&[0]));
        assert!(header(&mut Cursor::new(&Bytes::from_static(&[0; 10])), true, false).is_err());
    }

    #[test]
    fn a_version_one_header_is_read() {
        let bytes = Bytes::from_static(&[0x71, 0, 0, 0, 0, 1, 0, 0, 2, 0x03, 7]);
        let mut at = Cursor::new(&bytes);
        let read = header(&mut at, false, false).unwrap();
        assert_eq!(
            read,
            RowsHeader {
                table_id: 0x0100_0000_0071,
                ends_statement: false,
                references: References::Followed
            }
        );
        let insert = RowsCode { kind: RowsKind::Insert, version_two: false };
        let body = body(&mut at, insert, 2).unwrap();
        assert_eq!((body.columns.len(), body.columns_after.len(), body.rows.len()), (1, 0, 1));
    }

    #[test]
    fn a_column_count_unlike_the_table_map_is_refused() {
        let bytes = Bytes::from_static(&[2, 0xff, 1]);
        assert!(body(&mut Cursor::new(&bytes), INSERT, 3).is_err());
    }

    #[test]
    fn no_prefix_panics() {
        let bytes = Bytes::from_static(&[0x71, 0, 0, 0, 0, 0, 1, 0, 5, 0, 9, 9, 9, 2, 0xff, 0xff]);
        for cut in 0..bytes.len() {
            let part = bytes.slice(..cut);
            let mut at = Cursor::new(&part);
            let failed = header(&mut at, true, false).is_err() || body(&mut at, UPDATE, 2).is_err();
            assert!(failed, "{cut}");
        }
    }
}
