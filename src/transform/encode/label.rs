//! ENUM and SET: numbers in row images, text in result rows; the label in the target either way.

use super::{Fault, WayOut, field, number};

/// The labels of one column, ready to be written.
#[derive(Debug)]
pub(crate) struct Labels {
    /// UTF-8, number 1 (or bit 0) first.
    texts: Vec<Box<[u8]>>,
    /// Indexes into `texts` in the order of the texts, for finding one.
    sorted: Vec<usize>,
}

const UNKNOWN_NUMBER: &str = "the definition known for this position has fewer labels";

impl Labels {
    pub(crate) fn new(labels: &[String]) -> Self {
        let texts: Vec<Box<[u8]>> = labels.iter().map(|label| label.as_bytes().into()).collect();
        let mut sorted: Vec<usize> = (0..texts.len()).collect();
        sorted.sort_by(|a, b| texts.get(*a).cmp(&texts.get(*b)));
        Self { texts, sorted }
    }

    fn contains(&self, text: &[u8]) -> bool {
        self.sorted
            .binary_search_by(|index| self.texts.get(*index).map(AsRef::as_ref).cmp(&Some(text)))
            .is_ok()
    }

    /// ENUM of a row image. Number 0 is the empty text that an invalid value became.
    #[inline]
    pub(crate) fn logged_enum(&self, raw: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        let number = usize::try_from(number::unsigned(raw)?).unwrap_or(usize::MAX);
        match number.checked_sub(1).map(|index| self.texts.get(index)) {
            None => field::bytes(out, b""),
            Some(Some(text)) => field::bytes(out, text),
            Some(None) => Err(Fault::Malformed(UNKNOWN_NUMBER)),
        }
    }

    /// ENUM of a result row, already decoded.
    pub(crate) fn result_enum(&self, text: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        if text.is_empty() || self.contains(text) { field::bytes(out, text) } else { Err(unknown(text)) }
    }

    /// SET of a row image: the labels of the bits that are set, lowest first. The server writes a comma where something stands
    /// before it already, so an empty first label leaves no trace (seen on 5.6 and 9.7).
    pub(crate) fn logged_set(&self, raw: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        let mut bits = number::unsigned(raw)?;
        let start = field::open(out);
        let empty = out.len();
        while bits != 0 {
            let index = usize::try_from(bits.trailing_zeros()).unwrap_or(usize::MAX);
            bits &= bits - 1;
            let text = self.texts.get(index).ok_or(Fault::Malformed(UNKNOWN_NUMBER))?;
            if out.len() > empty {
                out.push(b',');
            }
            out.extend_from_slice(text);
        }
        field::close(out, start)
    }

    /// SET of a result row, already decoded.
    pub(crate) fn result_set(&self, text: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        if !text.is_empty() && !text.split(|byte| *byte == b',').all(|label| self.contains(label)) {
            return Err(unknown(text));
        }
        field::bytes(out, text)
    }
}

#[cold]
fn unknown(text: &[u8]) -> Fault {
    Fault::refused(
        format!("'{}' is not among the column's known labels", String::from_utf8_lossy(text)),
        WayOut::Copy,
    )
}
