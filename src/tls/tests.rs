use super::*;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConnection, ServerConfig, ServerConnection, SupportedProtocolVersion, version};
use std::path::PathBuf;
use tempfile::TempDir;

/// A folder with an authority, a client certificate of it, and another key.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    let mut ca = CertificateParams::new([]).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let client = CertificateParams::new(["client".to_owned()]).unwrap().signed_by(&key, &ca).unwrap();
    let other = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    for (name, text) in [
        ("ca.pem", ca.pem()),
        ("client.pem", client.pem()),
        ("client.key", key.serialize_pem()),
        ("other.key", other.serialize_pem()),
        ("ca.key", ca.key().serialize_pem()),
        ("empty.pem", String::new()),
        ("broken.pem", "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n".to_owned()),
        ("locked.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n".to_owned()),
        ("locked-old.key", "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nMAA=\n-----END RSA PRIVATE KEY-----\n".to_owned()),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn files(folder: &TempDir, ca: Option<&str>, cert: Option<&str>, key: Option<&str>) -> TlsFiles {
    let path = |name: Option<&str>| name.map(|name| -> PathBuf { folder.path().join(name) });
    TlsFiles { ca_file: path(ca), cert_file: path(cert), key_file: path(key) }
}

#[test]
fn files_that_fit_give_a_client() {
    let folder = folder();
    for judge in [Judge::Nothing, Judge::Chain, Judge::ChainAndName] {
        client(judge, &files(&folder, Some("ca.pem"), Some("client.pem"), Some("client.key"))).unwrap();
    }
    client(Judge::Nothing, &TlsFiles::default()).unwrap();
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_key_and_its_name() {
    let folder = folder();
    let ca = |name| files(&folder, Some(name), None, None);
    let own = |cert, key| files(&folder, None, Some(cert), Some(key));
    for (files, key, file, why) in [
        (ca("missing.pem"), "ca_file", "missing.pem", "No such file"),
        (ca("empty.pem"), "ca_file", "empty.pem", "no certificate in it"),
        (ca("client.key"), "ca_file", "client.key", "no certificate in it"),
        (ca("broken.pem"), "ca_file", "broken.pem", "not sound PEM"),
        (own("missing.pem", "client.key"), "cert_file", "missing.pem", "No such file"),
        (own("client.key", "client.key"), "cert_file", "client.key", "no certificate in it"),
        (own("client.pem", "missing.key"), "key_file", "missing.key", "No such file"),
        (own("client.pem", "client.pem"), "key_file", "client.pem", "no private key in it"),
        (own("client.pem", "locked.key"), "key_file", "locked.key", "encrypted with a passphrase"),
        (own("client.pem", "locked-old.key"), "key_file", "locked-old.key", "encrypted with a passphrase"),
        (own("client.pem", "other.key"), "key_file", "other.key", "is not the key of"),
    ] {
        let judge = if key == "ca_file" { Judge::Chain } else { Judge::Nothing };
        let refusal = client(judge, &files).unwrap_err();
        for part in [key, file, why] {
            assert!(refusal.message.contains(part), "{part} in {refusal:?}");
        }
        assert!(!refusal.remedy.to_string().is_empty());
    }
}

#[test]
fn a_verifying_client_without_certificates_to_trust_is_refused() {
    for judge in [Judge::Chain, Judge::ChainAndName] {
        assert!(client(judge, &TlsFiles::default()).unwrap_err().remedy.to_string().contains("give ca_file"));
    }
}

#[test]
fn half_a_client_certificate_is_refused() {
    let folder = folder();
    for files in
        [files(&folder, None, Some("client.pem"), None), files(&folder, None, None, Some("client.key"))]
    {
        assert!(client(Judge::Nothing, &files).unwrap_err().message.contains("key_file"));
    }
}

/// Lets a client that judges nothing shake hands with a server of this certificate and key: what the client says.
fn shake_hands(
    certificate: &CertificateDer<'static>,
    key: &PrivateKeyDer<'static>,
    version: &'static SupportedProtocolVersion,
) -> Result<(), Error> {
    let provider = Arc::new(ring::default_provider());
    let key = provider.key_provider.load_private_key(key.clone_key()).unwrap();
    let own = CertifiedKey::new(vec![certificate.clone()], key);
    let server = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(own)));
    let mut server = ServerConnection::new(Arc::new(server)).unwrap();
    let client = client(Judge::Nothing, &TlsFiles::default()).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut client = ClientConnection::new(Arc::new(client), name).unwrap();
    while client.is_handshaking() {
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).unwrap();
        server.read_tls(&mut &bytes[..]).unwrap();
        server.process_new_packets().unwrap();
        bytes.clear();
        server.write_tls(&mut bytes).unwrap();
        client.read_tls(&mut &bytes[..]).unwrap();
        client.process_new_packets()?;
    }
    Ok(())
}

#[test]
fn even_an_unjudged_server_must_hold_its_certificates_key() {
    let folder = folder();
    let kept = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/suite/tls/files");
    let certificate = |path: PathBuf| CertificateDer::from_pem_file(path).unwrap();
    let key = |path: PathBuf| PrivateKeyDer::from_pem_file(path).unwrap();
    let version_3 = certificate(folder.path().join("client.pem"));
    let version_1 = certificate(kept.join("old-server.pem"));
    let (its_own, stolen) = (key(folder.path().join("client.key")), key(folder.path().join("ca.key")));
    let (its_own_rsa, forged_rsa) = (key(kept.join("rsa.key")), key(kept.join("rsa-unrelated.key")));
    for version in [&version::TLS12, &version::TLS13] {
        shake_hands(&version_3, &its_own, version).unwrap();
        shake_hands(&version_1, &its_own_rsa, version).unwrap();
        for (certificate, key) in [(&version_3, &stolen), (&version_1, &forged_rsa), (&version_1, &stolen)] {
            let error = shake_hands(certificate, key, version).unwrap_err();
            assert!(
                matches!(error, Error::InvalidCertificate(_) | Error::PeerMisbehaved(_)),
                "{version:?}: {error}"
            );
        }
    }
}
