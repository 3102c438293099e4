//! TLS to the target: which certificate is good enough, by the five modes of libpq.
//!
//! What must never happen here: a verifying mode that accepts a certificate it did not check. `prefer` and
//! `require` encrypt but judge nothing, exactly as PostgreSQL documents them ("SSL Support", table 34.1).

use super::SinkError;
use crate::config::types::{TargetEndpoint, TargetTlsMode};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::path::Path;
use std::sync::Arc;
use tokio_postgres_rustls::MakeRustlsConnect;

/// How far a server certificate is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judge {
    /// Not at all.
    Nothing,
    /// Its chain must lead to the trusted certificates.
    Chain,
    /// Its chain, and its name must be the host's.
    ChainAndName,
}

/// Judges server certificates. The handshake's signature is always checked: without it the certificate
/// would not even belong to the peer.
#[derive(Debug)]
struct Verifier {
    judge: Judge,
    roots: RootCertStore,
    /// The certificates of `ca_file` as they are: a self-signed server certificate may be trusted itself,
    /// which webpki's chain building does not do (OpenSSL does).
    trusted: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.judge == Judge::Nothing {
            return Ok(ServerCertVerified::assertion());
        }
        let certificate = ParsedCertificate::try_from(end_entity)?;
        let itself_trusted = self.trusted.iter().any(|trusted| trusted.as_ref() == end_entity.as_ref());
        if !itself_trusted {
            verify_server_cert_signed_by_trust_anchor(
                &certificate,
                &self.roots,
                intermediates,
                now,
                self.provider.signature_verification_algorithms.all,
            )?;
        }
        if self.judge == Judge::ChainAndName {
            verify_server_name(&certificate, server_name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// A connector for `endpoint`. Errors are [`SinkError::Tls`] and name the file or key to mend.
pub fn connector(endpoint: &TargetEndpoint, label: &str) -> Result<MakeRustlsConnect, SinkError> {
    let fail = |message: String, remedy: &str| SinkError::Tls {
        endpoint: label.to_owned(),
        message,
        remedy: remedy.to_owned(),
    };
    let judge = match endpoint.tls {
        TargetTlsMode::Disable | TargetTlsMode::Prefer | TargetTlsMode::Require => Judge::Nothing,
        TargetTlsMode::VerifyCa => Judge::Chain,
        TargetTlsMode::VerifyFull => Judge::ChainAndName,
    };
    let trusted = match &endpoint.tls_files.ca_file {
        Some(path) if judge != Judge::Nothing => certificates(path)
            .map_err(|why| fail(why, "let ca_file name a PEM file with the certificates to trust"))?,
        Some(_) | None => Vec::new(),
    };
    if judge != Judge::Nothing && trusted.is_empty() {
        return Err(fail(
            "no certificate to trust is given".into(),
            "set ca_file, or choose tls = \"require\"",
        ));
    }
    let mut roots = RootCertStore::empty();
    for certificate in &trusted {
        roots.add(certificate.clone()).map_err(|error| {
            fail(
                format!("a certificate in ca_file cannot be used: {error}"),
                "give X.509 version 3 certificates",
            )
        })?;
    }
    let provider = Arc::new(ring::default_provider());
    let verifier = Verifier { judge, roots, trusted, provider: Arc::clone(&provider) };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| fail(error.to_string(), "use a build with TLS 1.2 and 1.3"))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let config = match (&endpoint.tls_files.cert_file, &endpoint.tls_files.key_file) {
        (Some(cert), Some(key)) => {
            let remedy =
                "let cert_file and key_file name PEM files of one certificate and its unencrypted key";
            let chain = certificates(cert).map_err(|why| fail(why, remedy))?;
            let key = PrivateKeyDer::from_pem_file(key)
                .map_err(|error| fail(format!("{}: {error}", key.display()), remedy))?;
            builder.with_client_auth_cert(chain, key).map_err(|error| fail(error.to_string(), remedy))?
        }
        (None, None) => builder.with_no_client_auth(),
        (Some(_), None) | (None, Some(_)) => {
            return Err(fail("one of cert_file and key_file is missing".into(), "give both or none"));
        }
    };
    Ok(MakeRustlsConnect::new(config))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let list: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path)
        .map_err(|error| format!("{}: {error}", path.display()))?
        .collect();
    let list = list.map_err(|error| format!("{}: {error}", path.display()))?;
    if list.is_empty() {
        return Err(format!("{}: no certificate in it", path.display()));
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::Retry;
    use crate::config::types::TlsFiles;

    fn endpoint(tls: TargetTlsMode, tls_files: TlsFiles) -> TargetEndpoint {
        TargetEndpoint {
            name: "dw".into(),
            host: "localhost".into(),
            port: 5432,
            user: "u".into(),
            database: "d".into(),
            password: String::new().into(),
            tls,
            tls_files,
            kind: None,
        }
    }

    #[test]
    fn a_verifying_mode_without_trusted_certificates_is_refused() {
        for mode in [TargetTlsMode::VerifyCa, TargetTlsMode::VerifyFull] {
            let error = connector(&endpoint(mode, TlsFiles::default()), "dw").map(|_| ()).unwrap_err();
            assert!(
                matches!(error.retry(), Retry::AfterFix { remedy } if remedy.contains("ca_file")),
                "{error}"
            );
        }
        assert!(connector(&endpoint(TargetTlsMode::Require, TlsFiles::default()), "dw").is_ok());
    }

    #[test]
    fn half_a_client_certificate_is_refused() {
        let files = TlsFiles { cert_file: Some("client.pem".into()), ..TlsFiles::default() };
        let error = connector(&endpoint(TargetTlsMode::Require, files), "dw").map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("key_file"), "{error}");
    }

    #[test]
    fn a_missing_file_is_named() {
        let files = TlsFiles { ca_file: Some("/nonexistent/ca.pem".into()), ..TlsFiles::default() };
        let error = connector(&endpoint(TargetTlsMode::VerifyCa, files), "dw").map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/ca.pem"), "{error}");
    }
}
