//! Rows read by SELECT, still as the source sent them.

use bytes::Bytes;
use std::ops::Range;

/// A run of result rows in MySQL's *binary* protocol row format (`ProtocolBinary::ResultsetRow`: a `00`
/// byte, the NULL bitmap with offset 2, then the values that are not NULL). The columns are those of
/// the select list, which is the plan's list of carried source columns in their order. The binary protocol
/// is used because the text protocol prints FLOAT with six digits.
#[derive(Clone, Debug, Default)]
pub struct ResultRows {
    /// The payloads of the row packets, back to back.
    pub buffer: Bytes,
    /// Where each row lies in `buffer`, in the order read.
    pub rows: Vec<Range<usize>>,
    /// Per column the type code of the result set's column definition (`MYSQL_TYPE_*`) and its flags
    /// (`UNSIGNED_FLAG` = 32): the decoder checks them against its plan.
    pub columns: std::sync::Arc<[ResultColumn]>,
}

/// What a result set's column definition says of the wire format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResultColumn {
    /// `MYSQL_TYPE_*`.
    pub type_code: u8,
    /// Column flags; 32 is UNSIGNED.
    pub flags: u16,
    /// Collation id of the values sent; 63 is binary.
    pub collation: u16,
}
