//! Bytes: BINARY, VARBINARY, BLOB, GEOMETRY and VECTOR.

use super::{Fault, field};

/// BINARY(n): the log strips zero bytes from the end, a result row has them.
#[inline]
pub(crate) fn padded(raw: &[u8], length: usize, out: &mut Vec<u8>) -> Result<(), Fault> {
    let missing =
        length.checked_sub(raw.len()).ok_or(Fault::Malformed("a BINARY value is longer than its column"))?;
    let start = field::open(out);
    out.extend_from_slice(raw);
    out.resize(out.len() + missing, 0);
    field::close(out, start)
}

/// `EWKB_SRID_FLAG` of PostGIS: the type is followed by the SRID.
const SRID_FLAG: u32 = 0x2000_0000;

/// GEOMETRY: MySQL's SRID and WKB become PostGIS's EWKB: the SRID, unless 0, after the outermost type. Geometries
/// inside stay as they are.
pub(crate) fn geometry(raw: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    const SHORT: Fault = Fault::Malformed("a geometry is shorter than its header");
    let (srid, wkb) = raw.split_first_chunk::<4>().ok_or(SHORT)?;
    if u32::from_le_bytes(*srid) == 0 {
        return field::bytes(out, wkb);
    }
    let (order, rest) = wkb.split_first().ok_or(SHORT)?;
    let (kind, body) = rest.split_first_chunk::<4>().ok_or(SHORT)?;
    let start = field::open(out);
    out.push(*order);
    match order {
        1 => {
            out.extend_from_slice(&(u32::from_le_bytes(*kind) | SRID_FLAG).to_le_bytes());
            out.extend_from_slice(srid);
        }
        0 => {
            out.extend_from_slice(&(u32::from_be_bytes(*kind) | SRID_FLAG).to_be_bytes());
            out.extend(srid.iter().rev());
        }
        _ => return Err(Fault::Malformed("a geometry has an unknown byte order")),
    }
    out.extend_from_slice(body);
    field::close(out, start)
}

/// `float4` in `pg_type`.
const REAL_OID: i32 = 700;

/// VECTOR into `real[]`: `[dimensions][has nulls][element oid]([length][lower bound])` and the elements as fields
/// (`array_send`). An empty array has no dimension.
pub(crate) fn vector(raw: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    let (elements, rest) = raw.as_chunks::<4>();
    if !rest.is_empty() {
        return Err(Fault::Malformed("a VECTOR is not made of 4-byte numbers"));
    }
    let count =
        i32::try_from(elements.len()).map_err(|_| Fault::Malformed("a VECTOR has too many dimensions"))?;
    let start = field::open(out);
    out.reserve(20 + 8 * elements.len());
    out.extend_from_slice(&i32::from(count > 0).to_be_bytes());
    out.extend_from_slice(&0i32.to_be_bytes());
    out.extend_from_slice(&REAL_OID.to_be_bytes());
    if count > 0 {
        out.extend_from_slice(&count.to_be_bytes());
        out.extend_from_slice(&1i32.to_be_bytes());
    }
    for [a, b, c, d] in elements {
        out.extend_from_slice(&[0, 0, 0, 4, *d, *c, *b, *a]);
    }
    field::close(out, start)
}
