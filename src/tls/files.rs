//! PEM files of the config: certificates and keys. Errors name the key of the config and the file.

use super::NoTls;
use crate::change::remedy::Remedy;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::Path;

/// The certificates of a PEM file, at least one. `key` is the config's key that names the file.
pub(super) fn certificates(key: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, NoTls> {
    let text = read(key, path)?;
    let remedy = Remedy::PemFile { key, label: "CERTIFICATE" };
    let failed = |why: &str| NoTls::new(format!("{key} {}: {why}", path.display()), remedy.clone());
    let list: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let list = list.map_err(|error| failed(&words(&error)))?;
    if list.is_empty() {
        return Err(failed("no certificate in it"));
    }
    Ok(list)
}

/// The first private key of a PEM file: PKCS#8, PKCS#1 (RSA) or SEC 1 (EC), not encrypted.
pub(super) fn key(key: &'static str, path: &Path) -> Result<PrivateKeyDer<'static>, NoTls> {
    let text = read(key, path)?;
    // Both forms: "BEGIN ENCRYPTED PRIVATE KEY" (PKCS#8), and "Proc-Type: 4,ENCRYPTED" (OpenSSL's older one).
    let shown = String::from_utf8_lossy(&text);
    if shown.contains("BEGIN ENCRYPTED PRIVATE KEY") || shown.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(NoTls::new(
            format!("{key} {}: the key is encrypted with a passphrase", path.display()),
            Remedy::DecryptKey { key, path: path.display().to_string() },
        ));
    }
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| {
        let why = match error {
            PemError::NoItemsFound => "no private key in it".to_owned(),
            other => words(&other),
        };
        NoTls::new(format!("{key} {}: {why}", path.display()), Remedy::PemFile { key, label: "PRIVATE KEY" })
    })
}

fn read(key: &'static str, path: &Path) -> Result<Vec<u8>, NoTls> {
    std::fs::read(path).map_err(|error| {
        NoTls::new(format!("{key} {}: {error}", path.display()), Remedy::ReadableFile { key })
    })
}

fn words(error: &PemError) -> String {
    format!("not sound PEM ({error})")
}
