//! Why TLS cannot be had, in plain words with a remedy.

use crate::change::remedy::{Certificates, Remedy};
use rustls::{AlertDescription, CertificateError, Error, PeerIncompatible};
use std::io;

/// Why TLS cannot be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoTls {
    /// What went wrong.
    pub message: String,
    /// What the user can do.
    pub remedy: Remedy,
    /// It is the client's certificate that the server misses or refuses. Anything else that stops a handshake
    /// whose server certificate is not judged means that the two sides have no TLS in common.
    pub of_client_certificate: bool,
}

impl NoTls {
    pub(super) fn new(message: impl Into<String>, remedy: impl Into<Remedy>) -> Self {
        Self { message: message.into(), remedy: remedy.into(), of_client_certificate: false }
    }

    fn client_certificate(message: impl Into<String>, remedy: impl Into<Remedy>) -> Self {
        Self { of_client_certificate: true, ..Self::new(message, remedy) }
    }
}

/// What rustls objected to, when that is why a connection ended; `None` when it broke for another reason.
pub fn cause(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

/// What rustls's objection means. `host` is the one of the config.
///
/// Alerts: RFC 8446, section 6.2. TLS 1.3 servers refuse a client's certificate after the client's side of the
/// handshake is done, so that some of these only come up at the first read after it.
pub fn refusal(error: &Error, host: &str) -> NoTls {
    match error {
        Error::InvalidCertificate(why) => certificate(why, host),
        Error::AlertReceived(alert) => alerted(*alert),
        Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => too_old(),
        Error::PeerIncompatible(why) => NoTls::new(
            format!("the server has no TLS in common with this client ({why:?})"),
            Certificates::CommonCipher,
        ),
        Error::InvalidMessage(why) => NoTls::new(
            format!("the server answers in something that is not TLS 1.2 or 1.3 ({why:?})"),
            Certificates::NewerProtocol,
        ),
        other => NoTls::new(other.to_string(), Certificates::SoundKey),
    }
}

fn too_old() -> NoTls {
    NoTls::new(
        "the server speaks only TLS 1.1 or older, which is not safe and not spoken here",
        Certificates::NewerProtocol,
    )
}

fn certificate(why: &CertificateError, host: &str) -> NoTls {
    match why {
        CertificateError::BadSignature => NoTls::new(
            "the server's certificate is not signed by the authority of that name in ca_file, or the server has not proved to hold its key",
            Certificates::RightAuthority,
        ),
        CertificateError::UnknownIssuer => NoTls::new(
            "the server's certificate does not lead to one in ca_file",
            Certificates::KnownAuthority,
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            let since = match why {
                CertificateError::ExpiredContext { not_after, .. } => {
                    let days =
                        rustls::pki_types::UnixTime::now().as_secs().saturating_sub(not_after.as_secs())
                            / 86_400;
                    format!(" {days} days ago")
                }
                _ => String::new(),
            };
            NoTls::new(
                format!("the server's certificate, or one that signed it, has expired{since}"),
                Certificates::Renew,
            )
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            NoTls::new("the server's certificate is not valid yet", Certificates::Clocks)
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            let names = match why {
                CertificateError::NotValidForNameContext { presented, .. } if !presented.is_empty() => {
                    format!("it names {}", presented.join(", "))
                }
                _ => "it names no host as subjectAltName".to_owned(),
            };
            NoTls::new(
                format!("the server's certificate is not for host '{host}': {names}"),
                Certificates::HostOfCertificate,
            )
        }
        CertificateError::Other(_) => NoTls::new(
            format!(
                "the server's certificate cannot be judged: {why} (X.509 version 1, or a CA's own, is not taken for a server's)"
            ),
            Certificates::WithExtensions,
        ),
        other => {
            NoTls::new(format!("the server's certificate is not usable: {other}"), Certificates::ForServers)
        }
    }
}

fn alerted(alert: AlertDescription) -> NoTls {
    match alert {
        AlertDescription::CertificateRequired | AlertDescription::NoCertificate => {
            NoTls::client_certificate("the server demands a client certificate", Certificates::Own)
        }
        AlertDescription::UnknownCA
        | AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::AccessDenied
        | AlertDescription::DecryptError => NoTls::client_certificate(
            format!("the server refuses the client's certificate ({alert:?})"),
            Certificates::OwnTrusted,
        ),
        AlertDescription::ProtocolVersion => too_old(),
        AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity => NoTls::new(
            format!("the server finds no version, cipher or key in common with this client ({alert:?})"),
            Certificates::CommonCipher,
        ),
        other => NoTls::new(format!("the server ends the handshake ({other:?})"), Certificates::SeeServerLog),
    }
}
