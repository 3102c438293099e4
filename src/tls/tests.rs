use super::*;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519,
};
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
        assert!(!refusal.remedy.is_empty());
    }
}

#[test]
fn a_verifying_client_without_certificates_to_trust_is_refused() {
    for judge in [Judge::Chain, Judge::ChainAndName] {
        assert!(client(judge, &TlsFiles::default()).unwrap_err().remedy.contains("give ca_file"));
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
