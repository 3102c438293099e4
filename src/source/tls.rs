//! TLS towards MySQL: what each mode of the config demands of the server's certificate.
//!
//! | mode | encrypted | chain to `ca_file` | name |
//! |---|---|---|---|
//! | disabled | never | | |
//! | preferred | if the server can | not judged | not judged |
//! | required | always | not judged | not judged |
//! | verify_ca | always | judged | not judged |
//! | verify_identity | always | judged | judged |
//!
//! What must never happen here: a mode from `required` on giving way to an unencrypted connection or to a
//! weaker check.

use super::SourceError;
use crate::config::types::{SourceEndpoint, SourceTlsMode};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_cert_signed_by_trust_anchor};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::path::Path;
use std::sync::Arc;

/// The TLS client for an endpoint; `None` when its mode is `disabled`. Reads the files anew each time, so that
/// a renewed certificate serves the next connection.
///
/// # Errors
/// [`SourceError::Tls`] when a file is missing or unreadable, or a verifying mode has no `ca_file`.
pub fn client(endpoint: &SourceEndpoint, label: &str) -> Result<Option<Arc<ClientConfig>>, SourceError> {
    let failed = |message: String, remedy: &str| SourceError::Tls {
        endpoint: label.to_owned(),
        message,
        remedy: remedy.to_owned(),
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match endpoint.tls {
        SourceTlsMode::Disabled => return Ok(None),
        SourceTlsMode::Preferred | SourceTlsMode::Required => Arc::new(AnyCertificate(provider.clone())),
        SourceTlsMode::VerifyCa | SourceTlsMode::VerifyIdentity => {
            let Some(file) = &endpoint.tls_files.ca_file else {
                return Err(failed(
                    "no certificates to trust".to_owned(),
                    "give ca_file, the PEM file with the certificate that signed the server's (MySQL's own is ca.pem in its data directory)",
                ));
            };
            let roots = Arc::new(
                roots(file).map_err(|message| failed(message, "give a readable PEM file as ca_file"))?,
            );
            if endpoint.tls == SourceTlsMode::VerifyCa {
                Arc::new(ChainOnly { roots, provider: provider.clone() })
            } else {
                WebPkiServerVerifier::builder_with_provider(roots, provider.clone()).build().map_err(
                    |error| {
                        failed(error.to_string(), "give a PEM file with at least one certificate as ca_file")
                    },
                )?
            }
        }
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(error.to_string(), "report this: no TLS version is usable"))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let files = (&endpoint.tls_files.cert_file, &endpoint.tls_files.key_file);
    let config = match files {
        (None, None) => builder.with_no_client_auth(),
        (Some(cert_file), Some(key_file)) => {
            let remedy = "give the client's certificate chain as cert_file and its key as key_file, both PEM";
            let chain = certificates(cert_file).map_err(|message| failed(message, remedy))?;
            let key = PrivateKeyDer::from_pem_file(key_file)
                .map_err(|error| failed(format!("{}: {error}", key_file.display()), remedy))?;
            builder.with_client_auth_cert(chain, key).map_err(|error| failed(error.to_string(), remedy))?
        }
        _ => {
            return Err(failed(
                "a client certificate needs both files".to_owned(),
                "give cert_file and key_file, or neither",
            ));
        }
    };
    Ok(Some(Arc::new(config)))
}

/// The name the server's certificate is judged by.
///
/// # Errors
/// [`SourceError::Tls`] when `host` is neither a host name nor an address.
pub fn server_name(endpoint: &SourceEndpoint, label: &str) -> Result<ServerName<'static>, SourceError> {
    ServerName::try_from(endpoint.host.clone()).map_err(|error| SourceError::Tls {
        endpoint: label.to_owned(),
        message: format!("host '{}': {error}", endpoint.host),
        remedy: "give a host name or an address as host".to_owned(),
    })
}

/// What the user can do when the TLS handshake fails under `mode`.
pub fn handshake_remedy(mode: SourceTlsMode) -> &'static str {
    match mode {
        SourceTlsMode::Disabled | SourceTlsMode::Preferred | SourceTlsMode::Required => {
            "the server must speak TLS 1.2 or newer (MySQL 5.6 and some 5.7 builds do not); if a client certificate is asked for, give cert_file and key_file"
        }
        SourceTlsMode::VerifyCa => {
            "give as ca_file the certificate that signed the server's, or choose tls = \"required\" to encrypt without judging the certificate"
        }
        SourceTlsMode::VerifyIdentity => {
            "the server's certificate must name the host as a subject alternative name and be signed by a certificate in ca_file; MySQL's self-made ones name no host: use tls = \"verify_ca\" with them"
        }
    }
}

fn roots(file: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        roots.add(certificate).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    Ok(roots)
}

/// The certificates of a PEM file, at least one.
fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let named = |error: String| format!("{}: {error}", file.display());
    let certificates = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| named(error.to_string()))?;
    if certificates.is_empty() {
        return Err(named("no certificate in it".to_owned()));
    }
    Ok(certificates)
}

/// Takes any certificate, but makes sure that the server holds its key: what `required` promises is secrecy
/// from those who listen, not from those who stand between.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

/// Judges the chain and not the name.
#[derive(Debug)]
struct ChainOnly {
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

impl ServerCertVerifier for ChainOnly {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&certificate, &self.roots, intermediates, now, algorithms)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::types::TlsFiles;

    fn endpoint(tls: SourceTlsMode, tls_files: TlsFiles) -> SourceEndpoint {
        SourceEndpoint {
            name: "shop".into(),
            host: "db1".into(),
            port: 3306,
            user: "repl".into(),
            password: "".into(),
            tls,
            tls_files,
        }
    }

    fn remedy(tls: SourceTlsMode, files: TlsFiles) -> String {
        match client(&endpoint(tls, files), "shop (db1:3306)") {
            Err(SourceError::Tls { remedy, .. }) => remedy,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_verifying_mode_without_ca_file_says_to_give_one() {
        for mode in [SourceTlsMode::VerifyCa, SourceTlsMode::VerifyIdentity] {
            assert!(remedy(mode, TlsFiles::default()).contains("give ca_file"));
        }
    }

    #[test]
    fn a_file_that_is_missing_or_holds_no_certificate_is_an_error_that_names_it() {
        let empty = tempfile::NamedTempFile::new().unwrap();
        for path in [Path::new("/nonexistent/ca.pem"), empty.path()] {
            let files = TlsFiles { ca_file: Some(path.to_owned()), ..TlsFiles::default() };
            let error = client(&endpoint(SourceTlsMode::VerifyCa, files), "shop (db1:3306)").unwrap_err();
            assert!(error.to_string().contains(&path.display().to_string()), "{error}");
        }
    }

    #[test]
    fn half_a_client_certificate_is_refused() {
        let files = TlsFiles { cert_file: Some("cert.pem".into()), ..TlsFiles::default() };
        assert!(remedy(SourceTlsMode::Required, files).contains("key_file"));
    }

    #[test]
    fn only_disabled_has_no_tls() {
        assert!(client(&endpoint(SourceTlsMode::Disabled, TlsFiles::default()), "").unwrap().is_none());
        assert!(client(&endpoint(SourceTlsMode::Preferred, TlsFiles::default()), "").unwrap().is_some());
        assert!(client(&endpoint(SourceTlsMode::Required, TlsFiles::default()), "").unwrap().is_some());
    }
}
