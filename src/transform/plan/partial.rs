//! `PARTIAL_UPDATE_ROWS_EVENT`: updates whose JSON values may be logged as differences (`binlog_row_value_options`).
//!
//! The before image is as ever. The after image begins with the row's options (a length-encoded number); where bit 0 of
//! it is set a bit set follows, with one bit for each JSON column of the table. Then come the NULL bits and the values; a
//! JSON value whose bit is set is a run of differences after four bytes of length (`unpack_row` in MySQL's
//! `rpl_record.cc`).
//!
//! What flows: a row without differences goes the way of all rows; of another one the after image is first put together
//! as a plain update would have logged it, from both images. The before image has every value, for row images are full.
//!
//! What must never happen here: a value of the before image taken where the after image has its own.

use super::event::{Met, Walk};
use crate::change::EncodedRows;
use crate::schema::ValueEnd;
use crate::schema::binding::code;
use crate::transform::cursor::Cursor;
use crate::transform::encode::Fault;
use crate::transform::json;

/// `PARTIAL_JSON_UPDATES` of `binlog_row_value_options`.
const PARTIAL_JSON: u64 = 1;

impl<'p> Walk<'p, '_> {
    /// Updates of a table whose columns have these type codes.
    pub(super) fn partial_updates(&mut self, types: &[u8], out: &mut EncodedRows) -> Result<(), Met<'p>> {
        if types.len() != self.bound.columns.len() {
            return Err((
                Fault::Malformed("its table map has another number of columns than the plan"),
                None,
            ));
        }
        let (mut old_key, mut image) = (Vec::new(), Vec::new());
        while !self.cursor.is_empty() {
            let before = self.cursor.clone();
            self.key(&mut old_key)?;
            match self.cursor.packed().map_err(whole_row)? {
                0 => self.after(&old_key, out)?,
                PARTIAL_JSON => {
                    image.clear();
                    self.put_together(before, types, &mut image)?;
                    let (plan, bound) = (self.plan, self.bound);
                    let widths = (types.len(), types.len());
                    let mut whole = Walk::new(plan, bound, widths, &image);
                    whole.keeps = self.keeps;
                    whole.after(&old_key, out)?;
                }
                _ => return Err(whole_row(Fault::Malformed("an update has options that are not known"))),
            }
        }
        Ok(())
    }

    /// Appends the after image at the cursor to `image`, with documents in place of differences.
    fn put_together(
        &mut self,
        mut before: Cursor<'_>,
        types: &[u8],
        image: &mut Vec<u8>,
    ) -> Result<(), Met<'p>> {
        let documents: usize = types.iter().map(|kind| usize::from(*kind == code::JSON)).sum();
        let bytes = types.len().div_ceil(8);
        let mut differ = bits(self.cursor.take(documents.div_ceil(8)).map_err(whole_row)?);
        let mut null_before = bits(before.take(bytes).map_err(whole_row)?);
        let nulls = self.cursor.take(bytes).map_err(whole_row)?;
        let mut null_after = bits(nulls);
        image.extend_from_slice(nulls);
        for ((step, bound), kind) in self.plan.steps.iter().zip(&self.bound.columns).zip(types) {
            let met = |fault| (fault, Some(step));
            let was_null = null_before.next().unwrap_or(false);
            let old = if was_null { None } else { Some(before.value(bound.wire).map_err(met)?) };
            let differs = *kind == code::JSON && differ.next().unwrap_or(false);
            match (null_after.next().unwrap_or(false), differs) {
                (true, false) => {}
                (false, false) => {
                    image.extend_from_slice(self.cursor.measured(bound.wire).map_err(met)?);
                }
                (false, true) => {
                    let differences = self.cursor.value(ValueEnd::Prefixed(4)).map_err(met)?;
                    let old =
                        old.ok_or(Fault::Malformed("a difference of JSON documents has NULL before it"));
                    let old = old.map_err(met)?;
                    let length_at = image.len();
                    image.extend_from_slice(&[0; 4]);
                    // What is not carried is only stepped over.
                    if step.codec.is_some() {
                        json::apply_differences(old, differences, image).map_err(met)?;
                    }
                    close(image, length_at).map_err(met)?;
                }
                (true, true) => {
                    return Err(met(Fault::Malformed("a difference of JSON documents makes NULL")));
                }
            }
        }
        Ok(())
    }
}

/// Writes the four bytes of length at `at` of what lies after them.
fn close(image: &mut [u8], at: usize) -> Result<(), Fault> {
    let (_, field) = image.split_at_mut_checked(at).unwrap_or_default();
    let long = Fault::Malformed("a JSON document is longer than any can be");
    let Some((length, document)) = field.split_first_chunk_mut() else { return Err(long) };
    *length = u32::try_from(document.len()).map_err(|_| long)?.to_le_bytes();
    Ok(())
}

fn bits(set: &[u8]) -> impl Iterator<Item = bool> + use<'_> {
    set.iter().flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1 == 1))
}

fn whole_row<'p>(fault: Fault) -> Met<'p> {
    (fault, None)
}
