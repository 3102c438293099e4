//! Judges server certificates, as far as [`Judge`] says.
//!
//! webpki does the judging, with two things added that OpenSSL does and webpki does not, because servers in the
//! field need them: a server's certificate that stands in `ca_file` itself is trusted (PostgreSQL's manual makes
//! such self-signed ones), and a certificate of X.509 version 1 (MySQL's manual makes those) can at least be
//! used where it is not judged, or stands in `ca_file`.
//!
//! The handshake's signature is checked in every mode: without it the certificate would not belong to the peer.

use super::{Judge, NoTls};
use crate::change::remedy::Certificates;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{
    CryptoProvider, verify_tls12_signature, verify_tls13_signature, verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, DigitallySignedStruct, Error, PeerMisbehaved, RootCertStore, SignatureScheme,
};
use std::sync::Arc;
use x509_cert::certificate::{Certificate, Version};
use x509_cert::der::{Decode, Encode};

/// See the module.
#[derive(Debug)]
pub(super) struct Verifier {
    judge: Judge,
    roots: RootCertStore,
    /// The certificates of `ca_file` as they are.
    trusted: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    pub(super) fn new(
        judge: Judge,
        trusted: Vec<CertificateDer<'static>>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, NoTls> {
        let mut roots = RootCertStore::empty();
        for certificate in &trusted {
            roots.add(certificate.clone()).map_err(|error| {
                NoTls::new(
                    format!("a certificate in ca_file cannot be used: {error}"),
                    Certificates::AuthoritiesOfVersion3,
                )
            })?;
        }
        Ok(Self { judge, roots, trusted, provider })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.judge == Judge::Nothing {
            return Ok(ServerCertVerified::assertion());
        }
        if self.trusted.iter().any(|trusted| trusted.as_ref() == end_entity.as_ref()) {
            // Trusted without a chain, but not for longer than it says itself.
            valid_now(end_entity, now)?;
        } else {
            verify_server_cert_signed_by_trust_anchor(
                &ParsedCertificate::try_from(end_entity)?,
                &self.roots,
                intermediates,
                now,
                self.provider.signature_verification_algorithms.all,
            )?;
        }
        if self.judge == Judge::ChainAndName {
            verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        let Some(certificate) = version_1(cert) else {
            return verify_tls12_signature(message, cert, dss, algorithms);
        };
        let info = &certificate.tbs_certificate.subject_public_key_info;
        let kind = info.algorithm.to_der().map_err(|_| CertificateError::BadEncoding)?;
        let key = info.subject_public_key.as_bytes().ok_or(CertificateError::BadEncoding)?;
        let fitting = algorithms
            .mapping
            .iter()
            .filter(|(scheme, _)| *scheme == dss.scheme)
            .flat_map(|(_, algorithms)| algorithms.iter())
            // `kind` is the whole SEQUENCE, the algorithm's id its content.
            .find(|algorithm| kind.ends_with(algorithm.public_key_alg_id().as_ref()))
            .ok_or(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme)?;
        fitting
            .verify_signature(key, message, dss.signature())
            .map(|()| HandshakeSignatureValid::assertion())
            .map_err(|_| CertificateError::BadSignature.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        let Some(certificate) = version_1(cert) else {
            return verify_tls13_signature(message, cert, dss, algorithms);
        };
        let info = &certificate.tbs_certificate.subject_public_key_info;
        let info = info.to_der().map_err(|_| CertificateError::BadEncoding)?;
        verify_tls13_signature_with_raw_key(message, &SubjectPublicKeyInfoDer::from(info), dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// The certificate when it is of X.509 version 1 (RFC 5280, 4.1.2.1), which webpki does not read.
fn version_1(certificate: &CertificateDer<'_>) -> Option<Certificate> {
    let certificate = Certificate::from_der(certificate).ok()?;
    (certificate.tbs_certificate.version == Version::V1).then_some(certificate)
}

fn valid_now(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let certificate = Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding)?;
    let validity = certificate.tbs_certificate.validity;
    let seconds = |time: x509_cert::time::Time| time.to_unix_duration();
    let (from, until) = (seconds(validity.not_before), seconds(validity.not_after));
    if now.as_secs() < from.as_secs() {
        let not_before = UnixTime::since_unix_epoch(from);
        return Err(CertificateError::NotValidYetContext { time: now, not_before }.into());
    }
    if now.as_secs() > until.as_secs() {
        let not_after = UnixTime::since_unix_epoch(until);
        return Err(CertificateError::ExpiredContext { time: now, not_after }.into());
    }
    Ok(())
}
