//! TLS as a client, for both sides: which certificates are good enough, and what to say when one is not.
//!
//! What flows: the files of the config in, a [`ClientConfig`] out; on a failed handshake rustls's error in, a
//! [`NoTls`] in plain words out. This room knows `config` and nothing else of ours; when TLS is used at all,
//! and whether a connection may go without it, is decided by `source` and `sink`.
//!
//! What must never happen here: a certificate accepted that was not judged as far as [`Judge`] says, or a peer
//! taken for the certificate's owner that has not proved to hold its key.

mod files;
mod refusal;
mod verifier;

pub use refusal::{NoTls, cause, refusal};

use crate::change::remedy::{Certificates, Report};
use crate::config::types::TlsFiles;
use rustls::crypto::ring;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, Error, InconsistentKeys};
use std::path::Path;
use std::sync::Arc;
use verifier::Verifier;

/// How far a server's certificate is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judge {
    /// Not at all: what is sent is secret from those who listen, not from one who stands between.
    Nothing,
    /// Its chain must lead to the certificates in `ca_file`, and it must be valid now.
    Chain,
    /// As `Chain`, and it must name the host.
    ChainAndName,
}

/// The TLS client for these files. Reads them anew each time, so that a renewed certificate serves the next
/// connection. TLS 1.2 and 1.3.
///
/// # Errors
/// A file that is missing, unreadable or not what its key is for; the message names both.
pub fn client(judge: Judge, files: &TlsFiles) -> Result<ClientConfig, NoTls> {
    let provider = Arc::new(ring::default_provider());
    let trusted = match (&files.ca_file, judge) {
        (_, Judge::Nothing) => Vec::new(),
        (Some(path), Judge::Chain | Judge::ChainAndName) => files::certificates("ca_file", path)?,
        (None, Judge::Chain | Judge::ChainAndName) => {
            return Err(NoTls::new("no certificates to trust", Certificates::Authorities));
        }
    };
    let verifier = Verifier::new(judge, trusted, Arc::clone(&provider))?;
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| NoTls::new(error.to_string(), Report::NoTlsVersion))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    match (&files.cert_file, &files.key_file) {
        (None, None) => Ok(builder.with_no_client_auth()),
        (Some(cert), Some(key)) => {
            let own = own_certificate(cert, key, &provider)?;
            Ok(builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(own))))
        }
        (Some(_), None) | (None, Some(_)) => {
            Err(NoTls::new("one of cert_file and key_file is missing", Certificates::OwnOrNone))
        }
    }
}

/// The client's own certificate and key.
fn own_certificate(
    cert_file: &Path,
    key_file: &Path,
    provider: &rustls::crypto::CryptoProvider,
) -> Result<CertifiedKey, NoTls> {
    let chain = files::certificates("cert_file", cert_file)?;
    let key = provider.key_provider.load_private_key(files::key("key_file", key_file)?).map_err(|error| {
        NoTls::new(format!("key_file {}: {error}", key_file.display()), Certificates::OwnKey)
    })?;
    let own = CertifiedKey::new(chain, key);
    match own.keys_match() {
        Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => Err(NoTls::new(
            format!(
                "key_file {} is not the key of the first certificate in cert_file {}",
                key_file.display(),
                cert_file.display()
            ),
            Certificates::OwnPair,
        )),
        // A certificate of X.509 version 1 cannot be compared; the server judges it.
        Ok(()) | Err(_) => Ok(own),
    }
}

#[cfg(test)]
mod tests;
