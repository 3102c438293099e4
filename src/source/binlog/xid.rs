//! The ids of XA transactions, as events and statements of the log give them.
//!
//! Text form as both servers write it into the log: `X'gtrid',X'bqual',format` (`XID::serialize` in `sql/xa.h`).

use super::cursor::{Cursor, Malformed};
use std::fmt;

/// An XA transaction's id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Xid {
    format: u64,
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

/// Reads the form of MariaDB's GTID event: `[format u32][length of gtrid u8][length of bqual u8][both]`.
pub fn read(at: &mut Cursor<'_>) -> Result<Xid, Malformed> {
    let format = u64::from(at.u32("XA format id")?);
    let global = usize::from(at.u8("XA id")?);
    let branch = usize::from(at.u8("XA id")?);
    Ok(Xid { format, global: at.read(global, "XA id")?.to_vec(), branch: at.read(branch, "XA id")?.to_vec() })
}

/// What `XA_PREPARE_LOG_EVENT` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrepareEvent {
    /// It is no preparing but the commit.
    pub one_phase: bool,
    /// The transaction's id; of its format the lower 32 bits.
    pub xid: Xid,
}

/// Reads `XA_PREPARE_LOG_EVENT`: `[one phase u8][format u32][length of gtrid u32][length of bqual u32][both]`.
pub fn prepare_event(at: &mut Cursor<'_>) -> Result<PrepareEvent, Malformed> {
    let one_phase = at.u8("phase")? != 0;
    let format = u64::from(at.u32("XA format id")?);
    let length = |length: u32| usize::try_from(length).unwrap_or(usize::MAX);
    let global = length(at.u32("XA id")?);
    let branch = length(at.u32("XA id")?);
    let (global, branch) = (at.read(global, "XA id")?.to_vec(), at.read(branch, "XA id")?.to_vec());
    Ok(PrepareEvent { one_phase, xid: Xid { format, global, branch } })
}

impl Xid {
    /// Reads the id out of a logged statement: `XA COMMIT X'6162',X'',1 ONE PHASE` and its like. `None` for any other form:
    /// clients may write ids in several ways, servers log them in this one.
    pub fn of_statement(sql: &str) -> Option<Self> {
        let mut words = sql.split_ascii_whitespace();
        if !words.next()?.eq_ignore_ascii_case("XA")
            || !words.next()?.bytes().all(|b| b.is_ascii_alphabetic())
        {
            return None;
        }
        let mut parts = words.next()?.split(',');
        let (global, branch) = (hex(parts.next()?)?, hex(parts.next()?)?);
        let format = parts.next()?.parse().ok()?;
        if parts.next().is_some() {
            return None;
        }
        let rest: Vec<String> = words.map(str::to_ascii_uppercase).collect();
        let known = matches!(rest.iter().map(String::as_str).collect::<Vec<_>>()[..], [] | ["ONE", "PHASE"]);
        known.then_some(Self { format, global, branch })
    }

    /// Whether this is the id that an event, which has 32 bits for the format, means.
    pub fn is_of(&self, event: &PrepareEvent) -> bool {
        self.format & u64::from(u32::MAX) == event.xid.format
            && self.global == event.xid.global
            && self.branch == event.xid.branch
    }
}

/// `X'6162'` → `ab`.
fn hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix(['X', 'x'])?.strip_prefix('\'')?.strip_suffix('\'')?;
    let digits: Vec<u32> = digits.chars().map(|c| c.to_digit(16)).collect::<Option<_>>()?;
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    digits
        .chunks_exact(2)
        .map(|pair| u8::try_from(pair.iter().fold(0, |sum, digit| sum << 4 | digit)).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn ids_are_read_from_statements_as_servers_log_them() {
        let id = Xid::of_statement("XA COMMIT X'61ff',X'',4294967295").unwrap();
        assert_eq!(id, Xid { format: 4_294_967_295, global: vec![0x61, 0xff], branch: vec![] });
        assert_eq!(id.to_string(), "X'61ff',X'',4294967295");
        let same = Xid::of_statement("XA COMMIT X'61FF',X'',4294967295 ONE PHASE");
        assert_eq!(same, Some(id));
        for other in [
            "XA COMMIT 'a'",
            "XA COMMIT X'6',X'',1",
            "XA COMMIT X'61',X'',1,2",
            "XA COMMIT X'61',X''",
            "XA COMMIT X'61',X'',1 TWO PHASE",
            "XA X'61',X'',1",
            "COMMIT",
            "",
        ] {
            assert_eq!(Xid::of_statement(other), None, "{other}");
        }
    }

    #[test]
    fn an_event_with_a_cut_format_is_of_its_statement() {
        let mut body = vec![0];
        body.extend(7_u32.to_le_bytes());
        body.extend(1_u32.to_le_bytes());
        body.extend(2_u32.to_le_bytes());
        body.extend(b"abc");
        let body = Bytes::from(body);
        let event = prepare_event(&mut Cursor::new(&body)).unwrap();
        assert!(!event.one_phase);
        let id = |text: &str| Xid::of_statement(&format!("XA START {text}")).unwrap();
        assert!(id("X'61',X'6263',7").is_of(&event) && id("X'61',X'6263',4294967303").is_of(&event));
        assert!(!id("X'6162',X'63',7").is_of(&event) && !id("X'61',X'6263',8").is_of(&event));
        for cut in 0..body.len() {
            assert!(prepare_event(&mut Cursor::new(&body.slice(..cut))).is_err(), "{cut}");
        }
    }
}
