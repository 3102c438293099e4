//! From one value's bytes, as MySQL wrote them, to one field of COPY binary.
//!
//! What flows: the raw bytes of a value, cut out of a row image or a result row, and the buffer the field is
//! appended to. Every type has one way of writing its field; where the log and the binary protocol spell a
//! value differently there are two ways of reading it that meet in the same number or text first. That is what
//! makes the copied value and the streamed value the same bytes.
//!
//! What must never happen here: an allocation for a value, a panic on any bytes, a value changed
//! without a policy.

pub(crate) mod address;
pub(crate) mod binary;
pub(crate) mod calendar;
pub(crate) mod compressed;
pub(crate) mod field;
pub(crate) mod label;
pub(crate) mod number;
pub(crate) mod numeric;
pub(crate) mod stand_in;
pub(crate) mod temporal;
pub(crate) mod text;

use crate::change::remedy::{AtSource, InConfig};

/// Why a value gives no field.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The bytes are not what their type says.
    Malformed(&'static str),
    /// The plan or the encoder contradicts itself: a defect.
    Internal(&'static str),
    /// The value is readable and cannot be carried.
    Refused(Box<Unencodable>),
}

/// A value that cannot be carried, in words for the user.
#[derive(Debug)]
pub(crate) struct Unencodable {
    /// What is wrong with it.
    pub(crate) why: String,
    /// What can be done.
    pub(crate) way_out: WayOut,
}

/// What can be done about a value. The row that holds it lies in the log for good, so a table of which a value was mended, or
/// that is carried otherwise, is to be copied again; only a policy is asked anew by the next start.
#[derive(Clone, Copy, Debug)]
pub(crate) enum WayOut {
    /// Another policy. A column of the key has none.
    Policy(InConfig),
    /// Another policy for keys.
    KeyPolicy(InConfig),
    /// Another way to carry the column.
    Carry(InConfig),
    /// Another value.
    Mend,
    /// A copy.
    Copy,
    /// A copy, and the source's log otherwise.
    CopyAndLog(AtSource),
}

impl Fault {
    /// A readable value that cannot be carried.
    #[cold]
    pub(crate) fn refused(why: impl Into<String>, way_out: WayOut) -> Self {
        Self::Refused(Box::new(Unencodable { why: why.into(), way_out }))
    }
}
