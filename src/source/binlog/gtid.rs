//! The events that open a transaction and give its GTID: `GTID`, `ANONYMOUS_GTID`, `GTID_TAGGED`.
//!
//! Layouts after `libs/mysql/binlog/event/control_events.h` (`Gtid_event`); the tagged form uses the
//! server's serialization library: `[version][size][last field that must be known]` and then
//! `[field number][value]` in ascending order, all numbers of variable length.

use super::cursor::{Cursor, Malformed};
use super::xid::Xid;
use crate::change::{Gtid, Tag, TransactionId, Uuid};
use bytes::Bytes;

/// What opens a transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GtidEvent {
    /// `None` for an anonymous one.
    pub gtid: Option<TransactionId>,
    /// When the server that sent it committed it, microseconds since 1970 UTC; 0 before MySQL 8.0.
    pub committed_micros: u64,
    /// What follows it.
    pub opens: Opens,
}

/// What stands after a transaction's GTID.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Opens {
    /// MySQL: the next statement says it, by being BEGIN, XA START or something that stands alone.
    #[default]
    Unsaid,
    /// MariaDB: a group of rows, opened by the GTID itself.
    Group,
    /// MariaDB: a group that ends in XA PREPARE.
    Xa(Xid),
    /// MariaDB: one statement that stands alone.
    Statement,
    /// MariaDB: the statement of an ALTER that has only started, or was given up. It changes nothing.
    VoidStatement,
}

/// The marker before the two logical clocks; absent in MySQL 5.6.
const LOGICAL_CLOCK: u8 = 2;
/// Set in the immediate commit time when the original one follows.
const ORIGINAL_TIME_FOLLOWS: u64 = 1 << 55;

/// Reads `GTID_LOG_EVENT` and `ANONYMOUS_GTID_LOG_EVENT`. `no_tag` is the shared empty tag.
pub fn plain(body: &Bytes, anonymous: bool, no_tag: &Tag) -> Result<GtidEvent, Malformed> {
    let mut at = Cursor::new(body);
    at.u8("flags")?;
    let source = uuid(at.read(16, "source id")?)?;
    let number = at.u64("transaction number")?;
    let gtid = if anonymous {
        if number != 0 {
            return Err(Malformed::new("an anonymous transaction has a number"));
        }
        None
    } else {
        Some(TransactionId::MySql(Gtid { source, tag: no_tag.clone(), number: valid_number(number)? }))
    };
    let mut committed_micros = 0;
    // 5.6 ends here and 5.7.4 has another marker; 5.7 ends after the clocks.
    if at.remaining() > 0 && at.u8("clock marker")? == LOGICAL_CLOCK {
        at.read(16, "logical clocks")?;
        if at.remaining() > 0 {
            let time = at.uint(7, "commit time")?;
            committed_micros = time & !ORIGINAL_TIME_FOLLOWS;
        }
    }
    Ok(GtidEvent { gtid, committed_micros, opens: Opens::Unsaid })
}

/// Reads `GTID_TAGGED_LOG_EVENT`.
pub fn tagged(body: &Bytes) -> Result<GtidEvent, Malformed> {
    let mut at = Cursor::new(body);
    if at.varlen("serialization version")? != 1 {
        return Err(Malformed::new("it is serialized in a version that is not known"));
    }
    let size = at.varlen("size")?;
    let last_required = at.varlen("last required field")?;
    if usize::try_from(size) != Ok(body.len()) {
        return Err(Malformed::new("its size is not what it says"));
    }
    let (mut source, mut number, mut tag) = (None, None, Tag::from(""));
    let mut committed_micros = 0;
    let mut previous = None;
    while at.remaining() > 0 {
        let field = at.varlen("field number")?;
        if previous.is_some_and(|previous| previous >= field) {
            return Err(Malformed::new("its fields are out of order"));
        }
        previous = Some(field);
        match field {
            0 => {
                at.varlen("flags")?;
            }
            1 => {
                let mut id = [0_u8; 16];
                for byte in &mut id {
                    *byte = u8::try_from(at.varlen("source id")?)
                        .map_err(|_| Malformed::new("its source id is no UUID"))?;
                }
                source = Some(Uuid(id));
            }
            2 => number = Some(valid_number(at.varlen_signed("transaction number")?)?),
            3 => {
                let length = usize::try_from(at.varlen("tag")?).unwrap_or(usize::MAX);
                tag = valid_tag(at.read(length, "tag")?)?;
            }
            4 | 5 => {
                at.varlen_signed("logical clock")?;
            }
            6 => committed_micros = at.varlen("commit time")?,
            7..=11 => {
                at.varlen("field")?;
            }
            // A later server's field: its length is not known, so nothing after it can be read either.
            unknown if unknown > last_required => break,
            unknown => {
                return Err(Malformed::new(format!("its field {unknown} must be known and is not")));
            }
        }
    }
    let (Some(source), Some(number)) = (source, number) else {
        return Err(Malformed::new("it has no source id or no number"));
    };
    let gtid = Some(TransactionId::MySql(Gtid { source, tag, number }));
    Ok(GtidEvent { gtid, committed_micros, opens: Opens::Unsaid })
}

fn uuid(bytes: &[u8]) -> Result<Uuid, Malformed> {
    bytes.first_chunk().map(|id| Uuid(*id)).ok_or_else(|| Malformed::new("its source id is cut short"))
}

fn valid_number(number: u64) -> Result<u64, Malformed> {
    // GNO_END of the server is the largest signed number.
    if number == 0 || number >= i64::MAX.unsigned_abs() {
        return Err(Malformed::new(format!("{number} is no transaction number")));
    }
    Ok(number)
}

/// Checks a tag's form: up to 32 letters, digits and underscores, not starting with a digit.
fn valid_tag(bytes: &[u8]) -> Result<Tag, Malformed> {
    let word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let good = bytes.len() <= 32
        && bytes.iter().all(word)
        && bytes.first().is_none_or(|first| !first.is_ascii_digit());
    match std::str::from_utf8(bytes) {
        Ok(text) if good => Ok(text.to_ascii_lowercase().into()),
        _ => Err(Malformed::new("its tag is malformed")),
    }
}

#[cfg(test)]
mod tests;
