//! TLS towards MySQL: what each mode of the config demands.
//!
//! | mode | encrypted | chain to `ca_file` | name |
//! |---|---|---|---|
//! | disabled | never | | |
//! | preferred | if the server and we have a TLS in common | not judged | not judged |
//! | required | always | not judged | not judged |
//! | verify_ca | always | judged | not judged |
//! | verify_identity | always | judged | judged |
//!
//! What must never happen here: a mode from `required` on giving way to an unencrypted connection or to a
//! weaker check.

use super::{SourceError, SourceErrorKind};
use crate::change::remedy::InConfig;
use crate::config::types::{SourceEndpoint, SourceTlsMode};
use crate::tls::{self, Judge, NoTls};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::sync::Arc;

/// The TLS client for an endpoint; `None` when its mode is `disabled`.
///
/// # Errors
/// `SourceErrorKind::Tls` when a file is missing or unusable, or a verifying mode has no `ca_file`.
pub fn client(endpoint: &SourceEndpoint, label: &str) -> Result<Option<Arc<ClientConfig>>, SourceError> {
    let judge = match endpoint.tls {
        SourceTlsMode::Disabled => return Ok(None),
        SourceTlsMode::Preferred | SourceTlsMode::Required => Judge::Nothing,
        SourceTlsMode::VerifyCa => Judge::Chain,
        SourceTlsMode::VerifyIdentity => Judge::ChainAndName,
    };
    match tls::client(judge, &endpoint.tls_files) {
        Ok(config) => Ok(Some(Arc::new(config))),
        Err(refusal) => Err(error(refusal, label)),
    }
}

/// The room's error for a refusal.
pub fn error(refusal: NoTls, label: &str) -> SourceError {
    SourceErrorKind::Tls { message: refusal.message, remedy: refusal.remedy }.at(label)
}

/// The name the server's certificate is judged by.
///
/// # Errors
/// `SourceErrorKind::Tls` when `host` is neither a host name nor an address.
pub fn server_name(endpoint: &SourceEndpoint, label: &str) -> Result<ServerName<'static>, SourceError> {
    ServerName::try_from(endpoint.host.clone()).map_err(|error| {
        SourceErrorKind::Tls {
            message: format!("host '{}': {error}", endpoint.host),
            remedy: InConfig::HostName.into(),
        }
        .at(label)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::types::TlsFiles;

    #[test]
    fn only_disabled_has_no_tls() {
        let endpoint = |tls| SourceEndpoint {
            name: "shop".into(),
            host: "db1".into(),
            port: 3306,
            user: "repl".into(),
            password: "".into(),
            tls,
            tls_files: TlsFiles::default(),
        };
        assert!(client(&endpoint(SourceTlsMode::Disabled), "").unwrap().is_none());
        assert!(client(&endpoint(SourceTlsMode::Preferred), "").unwrap().is_some());
        assert!(client(&endpoint(SourceTlsMode::Required), "").unwrap().is_some());
        for mode in [SourceTlsMode::VerifyCa, SourceTlsMode::VerifyIdentity] {
            let error = client(&endpoint(mode), "shop (db1:3306)").unwrap_err();
            assert!(
                matches!(&error.kind, SourceErrorKind::Tls { remedy, .. } if remedy.to_string().contains("ca_file")),
                "{error}"
            );
        }
    }
}
