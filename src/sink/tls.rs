//! TLS to the target: the five modes of libpq.
//!
//! What must never happen here: a verifying mode that accepts a certificate it did not check. `prefer` and
//! `require` encrypt but judge nothing, as PostgreSQL documents them ("SSL Support", table 34.1); that a
//! `require` with a `ca_file` would judge the chain there is not copied: the config refuses the two together.

use super::{SinkError, SinkErrorKind};
use crate::change::remedy::{Certificates, InConfig};
use crate::config::types::{TargetEndpoint, TargetTlsMode};
use crate::tls::{self, Judge, NoTls};
use std::error::Error as _;
use std::io;
use tokio_postgres_rustls::MakeRustlsConnect;

/// A connector for `endpoint`. Errors are `SinkErrorKind::Tls` and name the file or key to mend.
pub fn connector(endpoint: &TargetEndpoint, label: &str) -> Result<MakeRustlsConnect, SinkError> {
    let judge = match endpoint.tls {
        // `disable` never uses what it gets here.
        TargetTlsMode::Disable | TargetTlsMode::Prefer | TargetTlsMode::Require => Judge::Nothing,
        TargetTlsMode::VerifyCa => Judge::Chain,
        TargetTlsMode::VerifyFull => Judge::ChainAndName,
    };
    match tls::client(judge, &endpoint.tls_files) {
        Ok(config) => Ok(MakeRustlsConnect::new(config)),
        Err(refusal) => Err(error(refusal, label)),
    }
}

/// The room's error for a refusal.
pub fn error(refusal: NoTls, label: &str) -> SinkError {
    SinkErrorKind::Tls { message: refusal.message, remedy: refusal.remedy }.at(label)
}

/// Why connecting failed over TLS; `None` when it failed for another reason.
///
/// A TLS 1.3 server refuses a client's certificate only after the client's side of the handshake, so that the
/// refusal comes as an error of reading.
pub fn refusal(error: &tokio_postgres::Error, host: &str) -> Option<NoTls> {
    let cause = error.source()?;
    if let Some(io) = cause.downcast_ref::<io::Error>() {
        if is_handshake(error) && io.kind() == io::ErrorKind::InvalidInput {
            return Some(NoTls {
                message: format!("host '{host}': {io}"),
                remedy: InConfig::HostName.into(),
                of_client_certificate: false,
            });
        }
        return tls::cause(io).map(|cause| tls::refusal(cause, host));
    }
    // The client has no accessor for a server's "N" but its fixed words.
    (is_handshake(error) && cause.to_string().contains("does not support TLS")).then(|| NoTls {
        message: "the server offers no TLS".to_owned(),
        remedy: Certificates::TargetWithout.into(),
        of_client_certificate: false,
    })
}

/// Whether an error came while TLS began.
fn is_handshake(error: &tokio_postgres::Error) -> bool {
    error.to_string().starts_with("error performing TLS handshake")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::types::TlsFiles;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
    use tokio_postgres::Config;
    use tokio_postgres::config::SslMode;
    use tokio_postgres::tls::MakeTlsConnect;

    fn endpoint(tls: TargetTlsMode) -> TargetEndpoint {
        TargetEndpoint {
            name: "dw".into(),
            host: "localhost".into(),
            port: 5432,
            user: "u".into(),
            database: "d".into(),
            password: String::new().into(),
            tls,
            tls_files: TlsFiles::default(),
            kind: None,
        }
    }

    #[test]
    fn a_verifying_mode_without_trusted_certificates_is_refused() {
        for mode in [TargetTlsMode::VerifyCa, TargetTlsMode::VerifyFull] {
            let error = connector(&endpoint(mode), "dw").map(|_| ()).unwrap_err();
            assert!(
                matches!(&error.kind, SinkErrorKind::Tls { remedy, .. } if remedy.to_string().contains("ca_file")),
                "{error}"
            );
        }
        assert!(connector(&endpoint(TargetTlsMode::Require), "dw").is_ok());
    }

    /// Connects to a server that answers the wish for TLS with `answer` and goes.
    async fn answered(answer: &'static [u8]) -> tokio_postgres::Error {
        let (near, mut far) = tokio::io::duplex(1024);
        let server = tokio::spawn(async move {
            let mut request = [0_u8; 8];
            far.read_exact(&mut request).await.unwrap();
            far.write_all(answer).await.unwrap();
            // What follows when TLS seems to begin; nothing when it does not.
            let _ = far.read(&mut [0; 512]).await;
        });
        let mut config = Config::new();
        config.user("u").ssl_mode(SslMode::Require);
        let mut connector = connector(&endpoint(TargetTlsMode::Require), "dw").unwrap();
        let connect =
            <_ as MakeTlsConnect<DuplexStream>>::make_tls_connect(&mut connector, "localhost").unwrap();
        let error = config.connect_raw(near, connect).await.map(|_| ()).unwrap_err();
        server.await.unwrap();
        error
    }

    #[tokio::test]
    async fn a_server_without_tls_is_told_apart_from_a_broken_connection() {
        let none = refusal(&answered(b"N").await, "localhost").unwrap();
        assert_eq!(none.message, "the server offers no TLS");
        let strange = refusal(&answered(b"Swords and no TLS at all").await, "localhost").unwrap();
        assert!(strange.message.contains("not TLS 1.2 or 1.3"), "{strange:?}");
        assert_eq!(refusal(&answered(b"S").await, "localhost"), None);
    }
}
