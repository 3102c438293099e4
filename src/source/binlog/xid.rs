//! The ids of XA transactions, as events and statements of the log give them.
//!
//! Text form as both servers write it into the log: `X'gtrid',X'bqual',format` (`XID::serialize` in `sql/xa.h`).

use super::cursor::{Cursor, Malformed};
use std::fmt;

/// An XA transaction's id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Xid {
    format: u32,
    global: Vec<u8>,
    branch: Vec<u8>,
}

impl fmt::Display for Xid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut hex = |bytes: &[u8]| {
            f.write_str("X'")?;
            bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
            f.write_str("',")
        };
        hex(&self.global)?;
        hex(&self.branch)?;
        write!(f, "{}", self.format)
    }
}

/// Reads MariaDB's form: `[format u32][length of gtrid u8][length of bqual u8][both]`.
pub fn read(at: &mut Cursor<'_>) -> Result<Xid, Malformed> {
    let format = at.u32("XA format id")?;
    let global = usize::from(at.u8("XA id")?);
    let branch = usize::from(at.u8("XA id")?);
    Ok(Xid { format, global: at.read(global, "XA id")?.to_vec(), branch: at.read(branch, "XA id")?.to_vec() })
}
