//! Every type: the bytes of the log and of a result row, and the one field both must give.

use super::*;

/// One value: its bytes in a row image and in a result row (lengths included), and the field without its length;
/// `None` is an error.
type Value<'a> = (&'a [u8], &'a [u8], Option<&'a [u8]>);

fn key() -> Spec {
    spec(
        MySqlType::TinyInt { unsigned: false, display_one: false },
        TargetType::Smallint,
        ValueEnd::Fixed(1),
        1,
    )
}

/// The one field that both inputs give, or whether each was refused.
fn both(fixture: &Fixture, logged: &[u8], selected: &[u8]) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
    let cut = |rows: Result<EncodedRows, TransformError>| {
        // After the count and the key's field of 6 bytes.
        rows.ok().map(|rows| rows.buffer[8..].to_vec())
    };
    let logged = fixture.logged(RowsKind::Insert, &[&[0, 1][..], logged].concat());
    let selected = fixture.selected(&[&[0, 0, 1][..], selected].concat());
    (cut(logged), cut(selected))
}

fn check_with(spec: Spec, policies: Policies, values: &[Value<'_>]) {
    let what = format!("{:?} into {}", spec.data_type, spec.target);
    let fixture = try_fixture(&[key(), spec], &[0], &[], None, policies).unwrap();
    for (logged, selected, field) in values {
        let expected =
            field.map(|field| [&i32::try_from(field.len()).unwrap().to_be_bytes()[..], field].concat());
        let (from_log, from_select) = both(&fixture, logged, selected);
        assert_eq!(from_log, expected, "{what}: row image {logged:02x?}");
        assert_eq!(from_select, expected, "{what}: result {selected:02x?}");
        // Cut short at any place it is an error and nothing worse.
        for length in 0..logged.len() {
            assert!(fixture.logged(RowsKind::Insert, &[&[0, 1][..], &logged[..length]].concat()).is_err());
        }
        for length in 0..selected.len() {
            assert!(fixture.selected(&[&[0, 0, 1][..], &selected[..length]].concat()).is_err());
        }
    }
}

fn check(spec: Spec, values: &[Value<'_>]) {
    check_with(spec, POLICIES, values);
}

#[test]
fn integers_of_all_widths() {
    use TargetType::{Bigint, Boolean, Integer, Numeric, Smallint, Text};
    let tiny = |unsigned| MySqlType::TinyInt { unsigned, display_one: false };
    check(
        spec(tiny(false), Smallint, ValueEnd::Fixed(1), 1),
        &[(b"\x80", b"\x80", Some(b"\xff\x80")), (b"\x7f", b"\x7f", Some(b"\0\x7f"))],
    );
    check(spec(tiny(true), Smallint, ValueEnd::Fixed(1), 1), &[(b"\xff", b"\xff", Some(b"\0\xff"))]);
    check(
        spec(tiny(false), Boolean, ValueEnd::Fixed(1), 1),
        &[(b"\0", b"\0", Some(b"\0")), (b"\x01", b"\x01", Some(b"\x01")), (b"\x02", b"\x02", None)],
    );
    check(
        spec(MySqlType::SmallInt { unsigned: true }, Integer, ValueEnd::Fixed(2), 2),
        &[(b"\xff\xff", b"\xff\xff", Some(b"\0\0\xff\xff"))],
    );
    check(
        spec(MySqlType::MediumInt { unsigned: false }, Integer, ValueEnd::Fixed(3), 9),
        &[
            (b"\0\0\x80", b"\0\0\x80\xff", Some(b"\xff\x80\0\0")),
            (b"\xff\xff\x7f", b"\xff\xff\x7f\0", Some(b"\0\x7f\xff\xff")),
        ],
    );
    check(
        spec(MySqlType::MediumInt { unsigned: true }, Integer, ValueEnd::Fixed(3), 9),
        &[(b"\0\0\x80", b"\0\0\x80\0", Some(b"\0\x80\0\0"))],
    );
    check(
        spec(MySqlType::Int { unsigned: true }, Bigint, ValueEnd::Fixed(4), 3),
        &[(b"\xff\xff\xff\xff", b"\xff\xff\xff\xff", Some(b"\0\0\0\0\xff\xff\xff\xff"))],
    );
    let eight = &[0xff; 8][..];
    check(
        spec(MySqlType::BigInt { unsigned: true }, Numeric(Some((20, 0))), ValueEnd::Fixed(8), 8),
        &[
            // 1844 6744 0737 0955 1615
            (eight, eight, Some(b"\0\x05\0\x04\0\0\0\0\x07\x34\x1a\x58\x02\xe1\x03\xbb\x06\x4f")),
            (&[0; 8], &[0; 8], Some(b"\0\0\0\0\0\0\0\0")),
            // 10,000 is one group of weight 1.
            (b"\x10\x27\0\0\0\0\0\0", b"\x10\x27\0\0\0\0\0\0", Some(b"\0\x01\0\x01\0\0\0\0\0\x01")),
        ],
    );
    check(
        spec(MySqlType::BigInt { unsigned: false }, Text, ValueEnd::Fixed(8), 8),
        &[
            (b"\0\0\0\0\0\0\0\x80", b"\0\0\0\0\0\0\0\x80", Some(b"-9223372036854775808")),
            (&[0; 8], &[0; 8], Some(b"0")),
        ],
    );
    check(
        spec(MySqlType::Year, Integer, ValueEnd::Fixed(1), 13),
        &[
            (b"\0", b"\0\0", Some(b"\0\0\0\0")),
            (b"\x01", b"\x6d\x07", Some(b"\0\0\x07\x6d")),
            (b"\xff", b"\x6b\x08", Some(b"\0\0\x08\x6b")),
        ],
    );
}

#[test]
fn decimals_are_canonical_numerics() {
    let decimal = |precision, scale, width| {
        let target = TargetType::Numeric(Some((u16::from(precision), u16::from(scale))));
        spec(MySqlType::Decimal { precision, scale }, target, ValueEnd::Fixed(width), 246)
    };
    check(
        decimal(12, 2, 6),
        &[
            (b"\x80\0\0\0\0\0", b"\x040.00", Some(b"\0\0\0\0\0\0\0\x02")),
            (b"\x7f\xff\xff\xff\xff\xff", b"\x05-0.00", Some(b"\0\0\0\0\0\0\0\x02")),
            (b"\x80\0\0\0\0\x05", b"\x040.05", Some(b"\0\x01\xff\xff\0\0\0\x02\x01\xf4")),
            (b"\x7f\xff\xff\xff\xfe\xff", b"\x05-1.00", Some(b"\0\x01\0\0\x40\0\0\x02\0\x01")),
            (b"\x80\0\0\x27\x10\0", b"\x0810000.00", Some(b"\0\x01\0\x01\0\0\0\x02\0\x01")),
            (
                b"\x89\x3b\x9a\xc9\xff\x63",
                b"\x0d9999999999.99",
                Some(b"\0\x04\0\x02\0\0\0\x02\0\x63\x27\x0f\x27\x0f\x26\xac"),
            ),
            (b"\x8a\0\0\0\0\0", b"\x03abc", None),
            (b"\x80\0\0\0\0\x64", b"\x051.000", None),
        ],
    );
    // 65 digits, 30 of them after the point.
    let mut packed = vec![0x80 | 0x05, 0xf5, 0xe0, 0xff];
    for _ in 0..3 {
        packed.extend(999_999_999u32.to_be_bytes());
    }
    let whole = packed.clone();
    packed = whole;
    for _ in 0..3 {
        packed.extend(999_999_999u32.to_be_bytes());
    }
    packed.extend([0x03, 0xe7]);
    let text = format!("{}.{}", "9".repeat(35), "9".repeat(30));
    let text = [&[u8::try_from(text.len()).unwrap()][..], text.as_bytes()].concat();
    let mut field = b"\0\x11\0\x08\0\0\0\x1e\x03\xe7".to_vec();
    for _ in 0..15 {
        field.extend(b"\x27\x0f");
    }
    field.extend(9900u16.to_be_bytes());
    check(decimal(65, 30, 30), &[(&packed, &text, Some(&field))]);
    check(
        spec(MySqlType::Decimal { precision: 5, scale: 2 }, TargetType::Text, ValueEnd::Fixed(3), 246),
        &[
            (b"\x80\x00\x32", b"\x070000.50", Some(b"0.50")),
            (b"\x7f\xf3\xff", b"\x06-12.00", Some(b"-12.00")),
        ],
    );
}

#[test]
fn floating_point_keeps_its_bits() {
    check(
        spec(MySqlType::Float, TargetType::Real, ValueEnd::Fixed(4), 4),
        &[(b"\0\0\0\x80", b"\0\0\0\x80", Some(b"\x80\0\0\0"))],
    );
    check(
        spec(MySqlType::Float, TargetType::Double, ValueEnd::Fixed(4), 4),
        &[(b"\0\0\xc0\x3f", b"\0\0\xc0\x3f", Some(&1.5f64.to_be_bytes()))],
    );
    let odd = 5e-324f64;
    check(
        spec(MySqlType::Double, TargetType::Double, ValueEnd::Fixed(8), 5),
        &[(&odd.to_le_bytes(), &odd.to_le_bytes(), Some(&odd.to_be_bytes()))],
    );
}

#[test]
fn bits_stand_at_the_left() {
    check(
        spec(MySqlType::Bit { bits: 9 }, TargetType::Bit(9), ValueEnd::Fixed(2), 16),
        &[
            (b"\x01\x01", b"\x02\x01\x01", Some(b"\0\0\0\x09\x80\x80")),
            (b"\0\0", b"\x02\0\0", Some(b"\0\0\0\x09\0\0")),
            (b"\x02\0", b"\x02\x02\0", None),
        ],
    );
    check(
        spec(MySqlType::Bit { bits: 64 }, TargetType::Bit(64), ValueEnd::Fixed(8), 16),
        &[(
            &[0xfe; 8],
            b"\x08\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe",
            Some(b"\0\0\0\x40\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe"),
        )],
    );
    check(
        spec(MySqlType::Bit { bits: 1 }, TargetType::Boolean, ValueEnd::Fixed(1), 16),
        &[(b"\x01", b"\x01\x01", Some(b"\x01"))],
    );
}

#[test]
fn dates_and_times() {
    check(
        spec(MySqlType::Date, TargetType::Date, ValueEnd::Fixed(3), 10),
        &[
            // 2000-01-01 and 9999-12-31
            (b"\x21\xa0\x0f", b"\x04\xd0\x07\x01\x01", Some(b"\0\0\0\0")),
            (b"\x9f\x1f\x4e", b"\x04\x0f\x27\x0c\x1f", Some(&2_921_939i32.to_be_bytes())),
        ],
    );
    let datetime = |fraction, width| {
        let source = MySqlType::DateTime { fraction, old_format: false };
        spec(source, TargetType::Timestamp(fraction), ValueEnd::Fixed(width), 12)
    };
    // 2000-01-01 00:00:01.000002
    check(
        datetime(6, 8),
        &[(
            b"\x99\x64\x42\0\x01\0\0\x02",
            b"\x0b\xd0\x07\x01\x01\0\0\x01\x02\0\0\0",
            Some(&1_000_002i64.to_be_bytes()),
        )],
    );
    check(datetime(0, 5), &[(b"\x99\x64\x42\0\0", b"\x04\xd0\x07\x01\x01", Some(&0i64.to_be_bytes()))]);
    let timestamp = MySqlType::Timestamp { fraction: 2, old_format: false };
    check(
        spec(timestamp, TargetType::TimestampTz(2), ValueEnd::Fixed(5), 7),
        &[
            // 1970-01-01 00:00:00.05
            (
                b"\0\0\0\0\x05",
                b"\x0b\xb2\x07\x01\x01\0\0\0\x50\xc3\0\0",
                Some(&(50_000 - 946_684_800_000_000i64).to_be_bytes()),
            ),
            // 1970-01-01 00:00:01.05, and a second that needs the 32nd bit
            (
                b"\0\0\0\x01\x05",
                b"\x0b\xb2\x07\x01\x01\0\0\x01\x50\xc3\0\0",
                Some(&(1_050_000 - 946_684_800_000_000i64).to_be_bytes()),
            ),
            (
                b"\x80\0\0\0\0",
                b"\x07\xf6\x07\x01\x13\x03\x0e\x08",
                Some(&(2_147_483_648_000_000 - 946_684_800_000_000i64).to_be_bytes()),
            ),
        ],
    );
    let interval = |micros: i64| [&micros.to_be_bytes()[..], &[0; 8]].concat();
    let time = |fraction, width| {
        let source = MySqlType::Time { fraction, old_format: false };
        spec(source, TargetType::Interval(fraction), ValueEnd::Fixed(width), 11)
    };
    check(
        time(2, 4),
        &[
            // -00:00:00.01, -00:00:01.01, 838:59:59
            (b"\x7f\xff\xff\xff", b"\x0c\x01\0\0\0\0\0\0\0\x10\x27\0\0", Some(&interval(-10_000))),
            (b"\x7f\xff\xfe\xff", b"\x0c\x01\0\0\0\0\0\0\x01\x10\x27\0\0", Some(&interval(-1_010_000))),
            (b"\xb4\x6e\xfb\0", b"\x08\0\x22\0\0\0\x16\x3b\x3b", Some(&interval(3_020_399_000_000))),
            (b"\x80\0\0\0", b"\0", Some(&interval(0))),
        ],
    );
    check(
        time(6, 6),
        &[(b"\x7f\xff\xff\xff\xff\xff", b"\x0c\x01\0\0\0\0\0\0\0\x01\0\0\0", Some(&interval(-1)))],
    );
    check(
        spec(MySqlType::Time { fraction: 0, old_format: false }, TargetType::Time(0), ValueEnd::Fixed(3), 11),
        &[
            (b"\x80\x10\0", b"\x08\0\0\0\0\0\x01\0\0", Some(&3_600_000_000i64.to_be_bytes())),
            (b"\x7f\xff\xff", b"\x08\x01\0\0\0\0\0\0\x01", None),
            (b"\x81\x90\x01", b"\x08\0\x01\0\0\0\x01\0\x01", None),
        ],
    );
}

#[test]
fn temporal_values_of_before_5_6_4() {
    let old = |source, target, width, raw: &[u8], expected: &[u8]| {
        let mut fixture = fixture(&[key(), spec(source, target, ValueEnd::Fixed(width), 0)], &[0]);
        fixture.bound.columns[1].old_format = true;
        let rows = fixture.logged(RowsKind::Insert, &[&[0, 1][..], raw].concat()).unwrap();
        assert_eq!(&rows.buffer[12..], expected);
    };
    let datetime = MySqlType::DateTime { fraction: 0, old_format: true };
    let micros = (3600 * 2 + 60 * 3 + 4) * 1_000_000i64;
    old(datetime, TargetType::Timestamp(0), 8, &20_000_101_020_304u64.to_le_bytes(), &micros.to_be_bytes());
    let timestamp = MySqlType::Timestamp { fraction: 0, old_format: true };
    old(timestamp, TargetType::TimestampTz(0), 4, &946_684_800u32.to_le_bytes(), &0i64.to_be_bytes());
    let time = MySqlType::Time { fraction: 0, old_format: true };
    let interval = [&(-3_020_399_000_000i64).to_be_bytes()[..], &[0; 8]].concat();
    old(time, TargetType::Interval(0), 3, &(-8_385_959i32).to_le_bytes()[..3], &interval);
}

#[test]
fn dates_the_target_cannot_hold_follow_the_policy() {
    let date = || spec(MySqlType::Date, TargetType::Date, ValueEnd::Fixed(3), 10);
    // 0000-00-00, 2020-00-00, 0000-01-01, 2021-02-29
    let zero: &[(&[u8], &[u8])] = &[
        (b"\0\0\0", b"\0"),
        (b"\0\xc8\x0f", b"\x04\xe4\x07\0\0"),
        (b"\x21\0\0", b"\x04\0\0\x01\x01"),
        (b"\x5d\xca\x0f", b"\x04\xe5\x07\x02\x1d"),
    ];
    let null = fixture(&[key(), date()], &[0]);
    let error =
        try_fixture(&[key(), date()], &[0], &[], None, Policies { zero_dates: ZeroDates::Error, ..POLICIES })
            .unwrap();
    let not_null = fixture(&[key(), Spec { nullable: false, ..date() }], &[0]);
    for (logged, selected) in zero {
        let minus_one = Some((-1i32).to_be_bytes().to_vec());
        assert_eq!(both(&null, logged, selected), (minus_one.clone(), minus_one.clone()), "{logged:02x?}");
        assert_eq!(both(&error, logged, selected), (None, None), "{logged:02x?}");
        // Whether the column still is NOT NULL, the target says.
        assert_eq!(both(&not_null, logged, selected), (minus_one.clone(), minus_one), "{logged:02x?}");
    }
    let timestamp = MySqlType::Timestamp { fraction: 0, old_format: false };
    let null = fixture(&[key(), spec(timestamp, TargetType::TimestampTz(0), ValueEnd::Fixed(4), 7)], &[0]);
    let minus_one = Some((-1i32).to_be_bytes().to_vec());
    assert_eq!(both(&null, b"\0\0\0\0", b"\0"), (minus_one.clone(), minus_one));
}

#[test]
fn text_and_labels() {
    let latin1 = Charset { name: "latin1".into(), collation: "latin1_bin".into() };
    check(
        spec(
            MySqlType::VarChar { length: 9, charset: latin1 },
            TargetType::Varchar(Some(9)),
            ValueEnd::Prefixed(1),
            253,
        ),
        &[(b"\x02a\xe4", b"\x03a\xc3\xa4", Some("aä".as_bytes())), (b"\0", b"\0", Some(b""))],
    );
    check(
        spec(
            MySqlType::VarChar { length: 300, charset: utf8() },
            TargetType::Text,
            ValueEnd::Prefixed(2),
            253,
        ),
        &[
            (b"\x02\0\xc3\xa4", b"\x02\xc3\xa4", Some("ä".as_bytes())),
            (b"\x02\0a\0", b"\x02a\0", None),
            (b"\x01\0\xff", b"\x01\xff", None),
        ],
    );
    check_with(
        spec(MySqlType::VarChar { length: 9, charset: utf8() }, TargetType::Text, ValueEnd::Prefixed(1), 253),
        Policies { nul_bytes: NulBytes::Strip, ..POLICIES },
        &[(b"\x03a\0b", b"\x03a\0b", Some(b"ab"))],
    );
    let labels = || vec!["z".to_owned(), "ä".to_owned(), "m m".to_owned()];
    check(
        spec(
            MySqlType::Enum { labels: labels(), charset: utf8() },
            TargetType::Text,
            ValueEnd::Fixed(1),
            254,
        ),
        &[
            (b"\x01", b"\x01z", Some(b"z")),
            (b"\x02", b"\x02\xc3\xa4", Some("ä".as_bytes())),
            (b"\0", b"\0", Some(b"")),
            (b"\x04", b"\x01q", None),
        ],
    );
    check(
        spec(MySqlType::Set { labels: labels(), charset: utf8() }, TargetType::Text, ValueEnd::Fixed(1), 254),
        &[(b"\x05", b"\x05z,m m", Some(b"z,m m")), (b"\0", b"\0", Some(b"")), (b"\x08", b"\x03z,q", None)],
    );
}

#[test]
fn keys_never_lose_their_nuls() {
    let text =
        spec(MySqlType::VarChar { length: 9, charset: utf8() }, TargetType::Text, ValueEnd::Prefixed(1), 253);
    let policies = Policies { nul_bytes: NulBytes::Strip, ..POLICIES };
    let fixture = try_fixture(&[text], &[0], &[], None, policies).unwrap();
    assert!(matches!(fixture.logged(RowsKind::Insert, b"\0\x02a\0"), Err(TransformError::Value { .. })));
}

#[test]
fn bytes_geometries_vectors_and_documents() {
    check(
        spec(MySqlType::Binary { length: 4 }, TargetType::Bytea, ValueEnd::Prefixed(1), 254),
        &[
            (b"\x01a", b"\x04a\0\0\0", Some(b"a\0\0\0")),
            (b"\0", b"\x04\0\0\0\0", Some(b"\0\0\0\0")),
            (b"\x05abcde", b"\x05abcde", None),
        ],
    );
    check(
        spec(MySqlType::Blob { length_bytes: 3 }, TargetType::Bytea, ValueEnd::Prefixed(3), 252),
        &[(b"\x02\0\0\0\xff", b"\x02\0\xff", Some(b"\0\xff"))],
    );
    let geometry =
        || spec(MySqlType::Geometry { kind: "point".into() }, TargetType::Bytea, ValueEnd::Prefixed(1), 255);
    let point = [&b"\x01\x01\0\0\0"[..], &[7; 16]].concat();
    let value = |srid: u32| [&[25][..], &srid.to_le_bytes(), &point].concat();
    let with_srid = [&b"\x01\x01\0\0\x20\xe6\x10\0\0"[..], &[7; 16]].concat();
    check(
        geometry(),
        &[
            (&value(0), &value(0), Some(&point)),
            (&value(4326), &value(4326), Some(&with_srid)),
            (b"\x02ab", b"\x02ab", None),
        ],
    );
    let vector = [&[8][..], &1.0f32.to_le_bytes(), &(-2.5f32).to_le_bytes()].concat();
    let array = [
        &b"\0\0\0\x01\0\0\0\0\0\0\x02\xbc\0\0\0\x02\0\0\0\x01\0\0\0\x04"[..],
        &1.0f32.to_be_bytes(),
        b"\0\0\0\x04",
        &(-2.5f32).to_be_bytes(),
    ]
    .concat();
    check(
        spec(MySqlType::Vector { dimensions: 2 }, TargetType::RealArray, ValueEnd::Prefixed(1), 242),
        &[(&vector, &vector, Some(&array)), (b"\x03abc", b"\x03abc", None)],
    );
    // [true]
    let document = b"\x08\x02\x01\0\x07\0\x04\x01\0";
    check(
        spec(MySqlType::Json, TargetType::Jsonb, ValueEnd::Prefixed(1), 245),
        &[(document, b"\x06[true]", Some(b"\x01[true]"))],
    );
    check(
        spec(MySqlType::Json, TargetType::Json, ValueEnd::Prefixed(1), 245),
        &[(document, b"\x06[true]", Some(b"[true]")), (b"\0", b"\x04null", Some(b"null"))],
    );
}

proptest::proptest! {
    #[test]
    fn decimals_agree_on_both_ways(digits in "[0-9]{1,65}", scale in 0u8..=30, negative: bool) {
        let precision = u8::try_from(digits.len()).unwrap().max(scale).max(1);
        let digits = format!("{digits:0>width$}", width = usize::from(precision));
        let (whole, fraction) = digits.split_at(usize::from(precision - scale));
        let sign = if negative { "-" } else { "" };
        let shown = match whole.trim_start_matches('0') { "" => "0", shown => shown };
        let point = if scale == 0 { "" } else { "." };
        let text = format!("{sign}{shown}{point}{fraction}");
        // Packed by hand: groups of nine digits outwards from the point.
        let mut packed: Vec<u8> = Vec::new();
        let mut put = |group: &str| {
            let bytes = [0usize, 1, 1, 2, 2, 3, 3, 4, 4, 4][group.len()];
            let value: u32 = if group.is_empty() { 0 } else { group.parse().unwrap() };
            packed.extend(&value.to_be_bytes()[4 - bytes..]);
        };
        let (head, rest) = whole.split_at(whole.len() % 9);
        put(head);
        rest.as_bytes().chunks(9).for_each(|group| put(std::str::from_utf8(group).unwrap()));
        fraction.as_bytes().chunks(9).for_each(|group| put(std::str::from_utf8(group).unwrap()));
        if negative {
            for byte in &mut packed {
                *byte = !*byte;
            }
        }
        packed[0] ^= 0x80;
        let width = crate::schema::binding::decimal_width(precision, scale).unwrap();
        proptest::prop_assert_eq!(packed.len(), usize::from(width));
        for target in [TargetType::Numeric(None), TargetType::Text] {
            let source = MySqlType::Decimal { precision, scale };
            let fixture = fixture(&[key(), spec(source, target.clone(), ValueEnd::Fixed(width), 246)], &[0]);
            let selected = [&[u8::try_from(text.len()).unwrap()][..], text.as_bytes()].concat();
            let (logged, selected) = both(&fixture, &packed, &selected);
            proptest::prop_assert!(logged.is_some());
            proptest::prop_assert_eq!(&logged, &selected);
            if target == TargetType::Text {
                let zero = digits.bytes().all(|digit| digit == b'0');
                let expected = if zero { text.trim_start_matches('-') } else { &text };
                proptest::prop_assert_eq!(&logged.unwrap()[4..], expected.as_bytes());
            }
        }
    }
}
