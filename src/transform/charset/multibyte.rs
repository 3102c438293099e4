//! The East Asian sets, by `encoding_rs` where it agrees with the server and by exceptions where it does not.
//!
//! Every sequence of two bytes (three for EUC-JP; of the four-byte ones of gb18030 those of seven leading bytes) was
//! converted by MySQL 9.7 and compared: what differs is listed here. `big5` and `eucjpms` differ in hundreds of
//! places and are refused.

use super::{Bad, push};
use encoding_rs::{DecoderResult, Encoding};

/// One of the supported sets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Multibyte {
    encoding: &'static Encoding,
    /// Bytes of the sequence that starts with these two.
    width: fn(u8, u8) -> usize,
    /// What the server makes of a sequence where `encoding` says something else.
    exception: fn(u32) -> Exception,
}

/// How a sequence differs from `encoding_rs`.
enum Exception {
    Same,
    Undefined,
    Is(u32),
}

const GBK: Multibyte = Multibyte {
    encoding: encoding_rs::GBK,
    width: |lead, _| if lead <= 0x80 { 1 } else { 2 },
    exception: |code| if in_ranges(code, GBK_UNDEFINED) { Exception::Undefined } else { Exception::Same },
};

const GB18030: Multibyte = Multibyte {
    encoding: encoding_rs::GB18030,
    width: |lead, second| match (lead, second) {
        (..=0x80, _) => 1,
        (_, 0x30..=0x39) => 4,
        _ => 2,
    },
    exception: |code| match code {
        0x80 => Exception::Undefined,
        0xa3a0 => Exception::Is(0xe5e5),
        0xa6d9..=0xa6df => Exception::Is(code - 0xa6d9 + 0xe78d),
        0xa6ec | 0xa6ed => Exception::Is(code - 0xa6ec + 0xe794),
        0xa6f3 => Exception::Is(0xe796),
        0xfe59 => Exception::Is(0xe81e),
        0xfe61 => Exception::Is(0xe826),
        0xfe66 | 0xfe67 => Exception::Is(code - 0xfe66 + 0xe82b),
        0xfe6d => Exception::Is(0xe832),
        0xfe7e => Exception::Is(0xe843),
        0xfe90 => Exception::Is(0xe854),
        0xfea0 => Exception::Is(0xe864),
        _ => Exception::Same,
    },
};

const GB2312: Multibyte = Multibyte {
    encoding: encoding_rs::GBK,
    width: |lead, _| if lead <= 0x80 { 1 } else { 2 },
    exception: |code| match code {
        ..0x80 => Exception::Same,
        0xa1a4 => Exception::Is(0x30fb),
        0xa1aa => Exception::Is(0x2015),
        // 94 by 94 characters in rows A1 to A9 and B0 to F7, none of the rest of GBK.
        _ if !matches!(code >> 8, 0xa1..=0xa9 | 0xb0..=0xf7)
            || code & 0xff < 0xa1
            || matches!(code, 0xa2a1..=0xa2aa | 0xa6d9..=0xa6fe | 0xa8bb..=0xa8c4 | 0xa996..=0xa9a3)
            || in_ranges(code, GBK_UNDEFINED) =>
        {
            Exception::Undefined
        }
        _ => Exception::Same,
    },
};

const CP932: Multibyte = Multibyte {
    encoding: encoding_rs::SHIFT_JIS,
    width: sjis_width,
    exception: |code| if code == 0x80 { Exception::Undefined } else { Exception::Same },
};

const SJIS: Multibyte = Multibyte {
    encoding: encoding_rs::SHIFT_JIS,
    width: sjis_width,
    exception: |code| match code {
        0x815f => Exception::Is(0x5c),
        0x8160 => Exception::Is(0x301c),
        0x8161 => Exception::Is(0x2016),
        0x817c => Exception::Is(0x2212),
        0x8191 => Exception::Is(0xa2),
        0x8192 => Exception::Is(0xa3),
        0x81ca => Exception::Is(0xac),
        // The rows that NEC, IBM and users added.
        0x80 | 0x8740..=0x87ff | 0xed00..=0xeeff | 0xf000..=0xfcff => Exception::Undefined,
        _ => Exception::Same,
    },
};

const EUCKR: Multibyte = Multibyte {
    encoding: encoding_rs::EUC_KR,
    width: |lead, _| if lead < 0x80 { 1 } else { 2 },
    exception: |_| Exception::Same,
};

const UJIS: Multibyte = Multibyte {
    encoding: encoding_rs::EUC_JP,
    width: |lead, _| match lead {
        ..0x80 => 1,
        0x8f => 3,
        _ => 2,
    },
    exception: |code| match code {
        0xa1c0 => Exception::Is(0x5c),
        0xa1c1 => Exception::Is(0x301c),
        0xa1c2 => Exception::Is(0x2016),
        0xa1dd => Exception::Is(0x2212),
        0xa1f1 => Exception::Is(0xa2),
        0xa1f2 => Exception::Is(0xa3),
        0xa2cc => Exception::Is(0xac),
        0x8f_a2b7 => Exception::Is(0x7e),
        0xada1..=0xadfe => Exception::Undefined,
        // The users' rows are in the private area, 94 characters each.
        0xf5a1..=0xfefe => private(code & 0xffff, 0xe000),
        0x8f_f5a1..=0x8f_fefe => private(code & 0xffff, 0xe3ac),
        _ => Exception::Same,
    },
};

fn sjis_width(lead: u8, _: u8) -> usize {
    if matches!(lead, 0x81..=0x9f | 0xe0..=0xfc) { 2 } else { 1 }
}

fn private(code: u32, first: u32) -> Exception {
    match (code & 0xff).checked_sub(0xa1) {
        Some(column @ 0..=93) => Exception::Is(first + ((code >> 8) - 0xf5) * 94 + column),
        _ => Exception::Undefined,
    }
}

fn in_ranges(code: u32, ranges: &[(u32, u32)]) -> bool {
    let index = ranges.partition_point(|(_, last)| *last < code);
    ranges.get(index).is_some_and(|(first, _)| *first <= code)
}

/// Sequences that MySQL's `gbk` leaves undefined and the standard of today does not.
const GBK_UNDEFINED: &[(u32, u32)] = &[
    (0x80, 0x80),
    (0xa140, 0xa1a0),
    (0xa240, 0xa2a0),
    (0xa2ab, 0xa2b0),
    (0xa2e3, 0xa2e4),
    (0xa2ef, 0xa2f0),
    (0xa2fd, 0xa2fe),
    (0xa340, 0xa3a0),
    (0xa440, 0xa4a0),
    (0xa4f4, 0xa4fe),
    (0xa540, 0xa5a0),
    (0xa5f7, 0xa5fe),
    (0xa640, 0xa6a0),
    (0xa6b9, 0xa6c0),
    (0xa6d9, 0xa6df),
    (0xa6ec, 0xa6ed),
    (0xa6f3, 0xa6f3),
    (0xa6f6, 0xa6fe),
    (0xa740, 0xa7a0),
    (0xa7c2, 0xa7d0),
    (0xa7f2, 0xa7fe),
    (0xa896, 0xa8a0),
    (0xa8bc, 0xa8bc),
    (0xa8bf, 0xa8bf),
    (0xa8c1, 0xa8c4),
    (0xa8ea, 0xa8fe),
    (0xa958, 0xa958),
    (0xa95b, 0xa95b),
    (0xa95d, 0xa95f),
    (0xa989, 0xa995),
    (0xa997, 0xa9a3),
    (0xa9f0, 0xa9fe),
    (0xaaa1, 0xaafe),
    (0xaba1, 0xabfe),
    (0xaca1, 0xacfe),
    (0xada1, 0xadfe),
    (0xaea1, 0xaefe),
    (0xafa1, 0xaffe),
    (0xd7fa, 0xd7fe),
    (0xf8a1, 0xf8fe),
    (0xf9a1, 0xf9fe),
    (0xfaa1, 0xfafe),
    (0xfba1, 0xfbfe),
    (0xfca1, 0xfcfe),
    (0xfda1, 0xfdfe),
    (0xfe50, 0xfefe),
];

/// The set by MySQL's name, or why it is refused.
pub(super) fn by_name(name: &str) -> Result<&'static Multibyte, &'static str> {
    match name {
        "gbk" => Ok(&GBK),
        "gb18030" => Ok(&GB18030),
        "gb2312" => Ok(&GB2312),
        "cp932" => Ok(&CP932),
        "sjis" => Ok(&SJIS),
        "euckr" => Ok(&EUCKR),
        "ujis" => Ok(&UJIS),
        "big5" | "eucjpms" => Err("is converted by MySQL with a table this version does not have"),
        _ => Err("is not known to this version"),
    }
}

/// Whether `text` comes back from the bytes that it is in this set.
pub(super) fn has(text: &str, set: &Multibyte) -> bool {
    let (bytes, _, unmappable) = set.encoding.encode(text);
    let mut back = Vec::new();
    !unmappable && decode(&bytes, set, &mut back).is_ok() && back == text.as_bytes()
}

/// Appends `raw` as UTF-8.
pub(super) fn decode(raw: &[u8], set: &Multibyte, out: &mut Vec<u8>) -> Result<(), Bad> {
    // What lies between two exceptions is decoded at once.
    let mut pending = 0;
    let mut at = 0;
    while let Some(lead) = raw.get(at) {
        let width = (set.width)(*lead, raw.get(at + 1).copied().unwrap_or(0));
        let Some(sequence) = raw.get(at..at + width) else {
            plain(raw, pending..at, set.encoding, out)?;
            return Err(Bad::Undefined { at, length: raw.len() - at });
        };
        let code = sequence.iter().take(3).fold(0, |code, byte| code << 8 | u32::from(*byte));
        // Four bytes have no exceptions, and their first three could be taken for something else.
        let exception = if width == 4 { Exception::Same } else { (set.exception)(code) };
        match exception {
            Exception::Same => {}
            Exception::Undefined => {
                plain(raw, pending..at, set.encoding, out)?;
                return Err(Bad::Undefined { at, length: width });
            }
            Exception::Is(code) => {
                plain(raw, pending..at, set.encoding, out)?;
                push(char::from_u32(code).ok_or(Bad::Undefined { at, length: width })?, out);
                pending = at + width;
            }
        }
        at += width;
    }
    plain(raw, pending..at, set.encoding, out)
}

fn plain(
    raw: &[u8],
    part: std::ops::Range<usize>,
    encoding: &'static Encoding,
    out: &mut Vec<u8>,
) -> Result<(), Bad> {
    let start = part.start;
    let source = raw.get(part).unwrap_or_default();
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let room = decoder
        .max_utf8_buffer_length_without_replacement(source.len())
        .ok_or(Bad::Malformed("a text is too long to be decoded"))?;
    let before = out.len();
    out.resize(before + room, 0);
    let place = out.get_mut(before..).unwrap_or_default();
    let (result, read, written) = decoder.decode_to_utf8_without_replacement(source, place, true);
    out.truncate(before + written);
    match result {
        DecoderResult::InputEmpty => Ok(()),
        DecoderResult::OutputFull => Err(Bad::Malformed("a text grew beyond its bound while decoded")),
        DecoderResult::Malformed(length, after) => {
            let at = start + read.saturating_sub(usize::from(length + after));
            Err(Bad::Undefined { at, length: length.into() })
        }
    }
}
