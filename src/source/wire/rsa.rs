//! The password for `caching_sha2_password` without TLS: encrypted with the RSA key that the server sends.
//!
//! `mysql_common` does the arithmetic, but panics on a key it does not like; what comes from a server is
//! therefore checked here first, strictly.

use mysql_common::crypto::{
    der::{PubKeyFileType, parse_pub_key},
    rsa::{GetRandom, Pkcs1OaepPadding, PublicKey},
};
use rustls::pki_types::{SubjectPublicKeyInfoDer, pem::PemObject};

/// Bytes that OAEP with SHA-1 adds: twice the hash and two.
const OAEP: usize = 42;

/// Encrypts `password` for the server: with a zero byte after it, XORed with the nonce, RSA-OAEP.
///
/// # Errors
/// A sentence about the key or the password's length.
pub fn encrypt_password(password: &[u8], nonce: &[u8], key_pem: &[u8]) -> Result<Vec<u8>, String> {
    let key = SubjectPublicKeyInfoDer::from_pem_slice(key_pem)
        .map_err(|error| format!("the server's RSA key is not readable: {error}"))?;
    let modulus = modulus_bytes(&key).ok_or("the server's RSA key is not readable")?;
    if password.len() + 1 + OAEP > modulus {
        return Err(format!(
            "a password of {} bytes is too long for the server's RSA key; use TLS",
            password.len()
        ));
    }
    if nonce.is_empty() {
        return Err("the server sent no nonce".to_owned());
    }
    let masked: Vec<u8> =
        password.iter().chain(&[0]).zip(nonce.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
    let (modulus, exponent) = parse_pub_key(&key, PubKeyFileType::Pkcs8);
    Ok(PublicKey::new(modulus, exponent).encrypt_block(masked, Pkcs1OaepPadding::new(GetRandom)))
}

/// Length of the modulus when `spki` is a sound `SubjectPublicKeyInfo` of an RSA key from 1024 to 16384 bits.
fn modulus_bytes(spki: &[u8]) -> Option<usize> {
    const SEQUENCE: u8 = 0x30;
    const BIT_STRING: u8 = 0x03;
    const INTEGER: u8 = 0x02;
    let (outer, _) = element(spki, SEQUENCE)?;
    let (_algorithm, rest) = element(outer, SEQUENCE)?;
    let (bits, _) = element(rest, BIT_STRING)?;
    let (0, bits) = bits.split_first()? else { return None };
    let (numbers, _) = element(bits, SEQUENCE)?;
    let (modulus, rest) = element(numbers, INTEGER)?;
    let (exponent, _) = element(rest, INTEGER)?;
    let modulus = modulus.strip_prefix(&[0]).unwrap_or(modulus);
    let sound = (128..=2048).contains(&modulus.len())
        && modulus.first().is_some_and(|byte| *byte >= 0x80)
        && modulus.last().is_some_and(|byte| byte % 2 == 1)
        && (1..=8).contains(&exponent.len());
    sound.then_some(modulus.len())
}

/// Splits the DER element with tag `tag` off `der`: its content, and what follows.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = der.split_first()?;
    if *first != tag {
        return None;
    }
    let (length, rest) = rest.split_first()?;
    if *length < 0x80 {
        return rest.split_at_checked(usize::from(*length));
    }
    let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7F))?;
    if digits.is_empty() || digits.len() > 3 {
        return None;
    }
    let length = digits.iter().fold(0, |length: usize, digit| length << 8 | usize::from(*digit));
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &[u8] = b"-----BEGIN PUBLIC KEY-----\n\
        MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEArapjlVaV/GxZiEsCL7NF\n\
        FRydvOQigr2csbyITFPyW8A0iYBTytgJuh+WhpWlLf2xTEDdeAKIMfCmx5rYiQny\n\
        n9UZzgdF2V6GWoF9egdM6EbXG/G5UZQnvn8lDsMeQtC2lRhXo7Kn6K7sb/nofwVG\n\
        11usAOvzrdu0sbKka7VHgN5/RYyrvray0R1Mxdccw8+n+K3BVoT0OxZybW+zUESd\n\
        y0rP+EqmAwJ7VGGxikfaEueXjGqWaqUrMFGr4l2KUHYZrPSncTViPDX8rRWQvGzS\n\
        dBjd6wpPfbOz90t3uDyznpTmqzZhMqbfE4U070dCt6wV9f5lS+gJUcv7oRA+xOvJ\n\
        UQIDAQAB\n\
        -----END PUBLIC KEY-----\n";

    #[test]
    fn a_password_is_encrypted_differently_each_time_and_as_long_as_the_key() {
        let first = encrypt_password(b"secret", b"abcdefghijklmnopqrst", KEY).unwrap();
        let second = encrypt_password(b"secret", b"abcdefghijklmnopqrst", KEY).unwrap();
        assert_eq!((first.len(), second.len()), (256, 256));
        assert_ne!(first, second);
    }

    #[test]
    fn a_password_up_to_the_limit_of_the_key_is_taken_and_a_longer_one_refused() {
        assert!(encrypt_password(&[b'p'; 213], b"abcdefghijklmnopqrst", KEY).is_ok());
        let error = encrypt_password(&[b'p'; 214], b"abcdefghijklmnopqrst", KEY).unwrap_err();
        assert!(error.contains("use TLS"), "{error}");
    }

    #[test]
    fn a_key_that_is_none_is_an_error_and_no_panic() {
        for key in [&b""[..], b"garbage", b"-----BEGIN PUBLIC KEY-----\nMAA=\n-----END PUBLIC KEY-----\n"] {
            assert!(encrypt_password(b"secret", b"nonce", key).is_err());
        }
        let der = SubjectPublicKeyInfoDer::from_pem_slice(KEY).unwrap();
        for length in 0..der.len() {
            assert_eq!(modulus_bytes(&der[..length]), None, "{length}");
        }
        for (at, _) in der.iter().enumerate() {
            let mut broken = der.to_vec();
            broken[at] ^= 0x55;
            if modulus_bytes(&broken).is_some() {
                // Whatever passes the check must not panic in the arithmetic.
                let (modulus, exponent) = parse_pub_key(&broken, PubKeyFileType::Pkcs8);
                assert!(modulus > exponent);
            }
        }
    }
}
