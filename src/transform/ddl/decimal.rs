//! Exact decimal numbers as text, rounded as MySQL rounds them: halves away from zero.

use std::fmt;

/// A number: its digits, and how many of them stand after the point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    negative: bool,
    digits: String,
    places: usize,
}

/// More digits than any type has: what a huge exponent would make is no number to write out.
const MOST_DIGITS: usize = 400;

impl Decimal {
    /// Reads `[+-]digits[.digits][e[+-]digits]` with blanks around it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim_matches(' ');
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (negative, unsigned) = match mantissa.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
        };
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let mut digits = format!("{whole}{fraction}");
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let shift = usize::try_from(exponent.unsigned_abs()).ok().filter(|shift| *shift < MOST_DIGITS)?;
        let mut places = fraction.len();
        if exponent < 0 {
            places += shift;
        } else {
            digits.extend(std::iter::repeat_n('0', shift.saturating_sub(places)));
            places = places.saturating_sub(shift);
        }
        // At least one digit before the point.
        if digits.len() <= places {
            digits.insert_str(0, &"0".repeat(places + 1 - digits.len()));
        }
        Some(Self { negative, digits, places })
    }

    /// The text with at most `scale` places, without needless zeros.
    pub(super) fn rounded(&self, scale: usize) -> String {
        let mut digits: Vec<u8> = self.digits.bytes().map(|byte| byte - b'0').collect();
        let mut places = self.places;
        if places > scale {
            let kept = digits.len() - (places - scale);
            let up = digits.get(kept).is_some_and(|digit| *digit >= 5);
            digits.truncate(kept);
            places = scale;
            if up {
                let mut at = digits.len();
                loop {
                    if at == 0 {
                        digits.insert(0, 1);
                        break;
                    }
                    at -= 1;
                    let Some(digit) = digits.get_mut(at) else { break };
                    if *digit < 9 {
                        *digit += 1;
                        break;
                    }
                    *digit = 0;
                }
            }
        }
        let text: String = digits.iter().map(|digit| char::from(b'0' + digit)).collect();
        let (whole, fraction) = text.split_at_checked(text.len() - places).unwrap_or((&text, ""));
        let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        let mut shown = String::new();
        if self.negative && !(whole.is_empty() && fraction.is_empty()) {
            shown.push('-');
        }
        shown.push_str(if whole.is_empty() { "0" } else { whole });
        if !fraction.is_empty() {
            shown.push('.');
            shown.push_str(fraction);
        }
        shown
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rounded(self.places))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_go_away_from_zero() {
        for (text, scale, expected) in [
            ("1.235", 2, "1.24"),
            ("-1.235", 2, "-1.24"),
            ("1.2349", 2, "1.23"),
            ("99.995", 2, "100"),
            ("0.5", 0, "1"),
            ("-0.4", 0, "0"),
            ("1e2", 0, "100"),
            ("1.5e-7", 9, "0.00000015"),
            ("1.5e-7", 3, "0"),
            (" 007.50 ", 3, "7.5"),
            ("1.25e1", 0, "13"),
            ("+.5", 0, "1"),
            ("5.", 0, "5"),
            ("12345e-2", 1, "123.5"),
        ] {
            assert_eq!(Decimal::parse(text).unwrap().rounded(scale), expected, "{text}");
        }
        for text in ["", "1a", "e5", ".", "1e999", "0x1", "1 2", "--1"] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }
}
