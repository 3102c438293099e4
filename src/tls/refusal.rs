//! Why TLS cannot be had, in plain words with a remedy.

use rustls::{AlertDescription, CertificateError, Error, PeerIncompatible};
use std::io;

/// Why TLS cannot be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What went wrong.
    pub message: String,
    /// What the user can do.
    pub remedy: String,
    /// It is the client's certificate that the server misses or refuses. Anything else that stops a handshake
    /// whose server certificate is not judged means that the two sides have no TLS in common.
    pub of_client_certificate: bool,
}

impl Refusal {
    pub(super) fn new(message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { message: message.into(), remedy: remedy.into(), of_client_certificate: false }
    }

    fn client_certificate(message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { of_client_certificate: true, ..Self::new(message, remedy) }
    }
}

/// What rustls objected to, when that is why a connection ended; `None` when it broke for another reason.
pub fn cause(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

const OWN_CERTIFICATE: &str = "give as cert_file a certificate that is valid now and signed by an authority that the server trusts (MySQL: ssl_ca, PostgreSQL: ssl_ca_file), the client's first, those that signed it after it; key_file is its key";

/// What rustls's objection means. `host` is the one of the config.
///
/// Alerts: RFC 8446, section 6.2. TLS 1.3 servers refuse a client's certificate after the client's side of the
/// handshake is done, so that some of these only come up at the first read after it.
pub fn refusal(error: &Error, host: &str) -> Refusal {
    match error {
        Error::InvalidCertificate(why) => certificate(why, host),
        Error::AlertReceived(alert) => alerted(*alert),
        Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => too_old(),
        Error::PeerIncompatible(why) => Refusal::new(
            format!("the server has no TLS in common with this client ({why:?})"),
            NOTHING_IN_COMMON,
        ),
        Error::InvalidMessage(why) => Refusal::new(
            format!("the server answers in something that is not TLS 1.2 or 1.3 ({why:?})"),
            UPGRADE,
        ),
        other => Refusal::new(
            other.to_string(),
            "let the server offer TLS 1.2 or 1.3 with a certificate of an RSA (2048 bits or more) or ECDSA key; report this if it does",
        ),
    }
}

const UPGRADE: &str = "let the server offer TLS 1.2 or 1.3: upgrade it, or use a build with a current OpenSSL (MySQL 5.6 and 5.7 with yaSSL end at 1.1); until then turn tls off and go through an encrypted tunnel (ssh, stunnel, VPN)";
const NOTHING_IN_COMMON: &str = "let the server offer TLS 1.2 with ECDHE and AES-GCM or ChaCha20, or TLS 1.3; if it demands a client certificate, give cert_file and key_file";

fn too_old() -> Refusal {
    Refusal::new("the server speaks only TLS 1.1 or older, which is not safe and not spoken here", UPGRADE)
}

fn certificate(why: &CertificateError, host: &str) -> Refusal {
    match why {
        CertificateError::BadSignature => Refusal::new(
            "the server's certificate is not signed by the authority of that name in ca_file, or the server has not proved to hold its key",
            "give as ca_file the certificate that really signed the server's; let the server's key be RSA of 2048 bits or more, or ECDSA",
        ),
        CertificateError::UnknownIssuer => Refusal::new(
            "the server's certificate does not lead to one in ca_file",
            "give as ca_file the certificate of the authority that signed the server's (MySQL's own is ca.pem in its data directory), with those in between if the server does not send them",
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
            Refusal::new(
                format!("the server's certificate, or one that signed it, has expired{since}"),
                "renew it at the server (or ca_file, if that is the expired one), and check this machine's clock",
            )
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Refusal::new(
            "the server's certificate is not valid yet",
            "check the clocks of this machine and of the one that made the certificate",
        ),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            let names = match why {
                CertificateError::NotValidForNameContext { presented, .. } if !presented.is_empty() => {
                    format!("it names {}", presented.join(", "))
                }
                _ => "it names no host as subjectAltName".to_owned(),
            };
            Refusal::new(
                format!("the server's certificate is not for host '{host}': {names}"),
                "let the config's host be a name of the certificate, give the server a certificate that names the host as subjectAltName, or judge the chain alone with tls = \"verify_ca\"",
            )
        }
        CertificateError::Other(_) => Refusal::new(
            format!(
                "the server's certificate cannot be judged: {why} (X.509 version 1, or a CA's own, is not taken for a server's)"
            ),
            "make the server's certificate with version 3 extensions (subjectAltName among them), or put it into ca_file itself",
        ),
        other => Refusal::new(
            format!("the server's certificate is not usable: {other}"),
            "give the server a sound certificate of version 3 for the use as a server",
        ),
    }
}

fn alerted(alert: AlertDescription) -> Refusal {
    match alert {
        AlertDescription::CertificateRequired | AlertDescription::NoCertificate => {
            Refusal::client_certificate(
                "the server demands a client certificate",
                "give cert_file and key_file",
            )
        }
        AlertDescription::UnknownCA
        | AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::AccessDenied
        | AlertDescription::DecryptError => Refusal::client_certificate(
            format!("the server refuses the client's certificate ({alert:?})"),
            OWN_CERTIFICATE,
        ),
        AlertDescription::ProtocolVersion => too_old(),
        AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity => Refusal::new(
            format!("the server finds no version, cipher or key in common with this client ({alert:?})"),
            NOTHING_IN_COMMON,
        ),
        other => Refusal::new(
            format!("the server ends the handshake ({other:?})"),
            "look into the server's log; let it offer TLS 1.2 or 1.3",
        ),
    }
}
