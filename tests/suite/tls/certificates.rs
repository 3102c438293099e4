//! Authorities, server and client certificates, made anew for each run of the suite.
//!
//! `files/` holds what cannot be made here: RSA keys, a server certificate of X.509 version 1 with such a key and its
//! authority, and that key encrypted in both of OpenSSL's forms. They are used nowhere else.

use crate::harness::run_folder;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, date_time_ymd,
};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

type Authority = CertifiedIssuer<'static, KeyPair>;

static FOLDER: LazyLock<PathBuf> = LazyLock::new(make);

/// The path of a generated file, or of one in `files/`.
pub fn file(name: &str) -> PathBuf {
    let generated = FOLDER.join(name);
    if generated.exists() {
        return generated;
    }
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/tls/files").join(name);
    assert!(kept.exists(), "{name} is neither made nor kept");
    kept
}

/// The text of [`file`].
pub fn text(name: &str) -> String {
    std::fs::read_to_string(file(name)).unwrap()
}

fn authority(name: &str) -> Authority {
    let mut params = params(name, &[]);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn params(common_name: &str, hosts: &[&str]) -> CertificateParams {
    let hosts: Vec<String> = hosts.iter().map(|&host| host.to_owned()).collect();
    let mut params = CertificateParams::new(hosts).unwrap();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params
}

fn make() -> PathBuf {
    let folder = run_folder().join("certificates");
    std::fs::create_dir(&folder).unwrap();
    let write = |name: &str, text: String| std::fs::write(folder.join(name), text).unwrap();
    let key = KeyPair::generate().unwrap();
    write("server.key", key.serialize_pem());
    let client_key = KeyPair::generate().unwrap();
    write("client.key", client_key.serialize_pem());
    write("unrelated.key", KeyPair::generate().unwrap().serialize_pem());

    let ca = authority("suite authority");
    let other = authority("another authority");
    // Of the same name as ours: only the signature tells them apart.
    let twin = authority("suite authority");
    for (name, authority) in [("ca.pem", &ca), ("other-ca.pem", &other), ("twin-ca.pem", &twin)] {
        write(name, authority.pem());
    }
    write("both-ca.pem", other.pem() + &ca.pem());

    let server = |hosts: &[&str]| params("server", hosts);
    let signed =
        |params: CertificateParams, by: &Authority| -> Certificate { params.signed_by(&key, by).unwrap() };
    write("server.pem", signed(server(&["localhost", "127.0.0.1"]), &ca).pem());
    write("server-dns.pem", signed(server(&["localhost"]), &ca).pem());
    write("server-ip.pem", signed(server(&["127.0.0.1"]), &ca).pem());
    write("server-elsewhere.pem", signed(server(&["db.elsewhere.example"]), &ca).pem());
    // As MySQL makes its own: no host at all.
    write("server-nameless.pem", signed(server(&[]), &ca).pem());
    write("server-other.pem", signed(server(&["localhost", "127.0.0.1"]), &other).pem());
    let expired = |mut params: CertificateParams| {
        params.not_before = date_time_ymd(2019, 1, 1);
        params.not_after = date_time_ymd(2020, 1, 1);
        params
    };
    write("server-expired.pem", signed(expired(server(&["localhost", "127.0.0.1"])), &ca).pem());
    let mut early = server(&["localhost", "127.0.0.1"]);
    early.not_before = date_time_ymd(2100, 1, 1);
    write("server-early.pem", signed(early, &ca).pem());
    let mut clients_only = server(&["localhost", "127.0.0.1"]);
    clients_only.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    write("server-clients-only.pem", signed(clients_only, &ca).pem());
    // As PostgreSQL's manual makes them: self-signed, an authority by its flags.
    let mut own = server(&["localhost"]);
    own.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    write("server-self.pem", own.self_signed(&key).unwrap().pem());
    write("server-self-expired.pem", expired(own).self_signed(&key).unwrap().pem());
    // Signed by one in between, which the server sends along.
    let mut between = params("in between", &[]);
    between.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let between = CertifiedIssuer::signed_by(between, KeyPair::generate().unwrap(), &ca).unwrap();
    write("server-chain.pem", signed(server(&["localhost", "127.0.0.1"]), &between).pem() + &between.pem());

    let client = |by: &Authority| params("cert_user", &[]).signed_by(&client_key, by).unwrap().pem();
    write("client.pem", client(&ca));
    write("client-stranger.pem", client(&other));
    write("client-expired.pem", expired(params("cert_user", &[])).signed_by(&client_key, &ca).unwrap().pem());
    let rsa = KeyPair::from_pem(&text_of_kept("rsa.key")).unwrap();
    write("client-rsa.pem", params("cert_user", &[]).signed_by(&rsa, &ca).unwrap().pem());
    let (pkcs1, sec1) = (inner_key(rsa.serialized_der()), inner_key(client_key.serialized_der()));
    write("rsa-pkcs1.key", pem("RSA PRIVATE KEY", &pkcs1));
    write("client-sec1.key", pem("EC PRIVATE KEY", &sec1));
    folder
}

fn text_of_kept(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/tls/files").join(name);
    std::fs::read_to_string(path).unwrap()
}

/// What a PKCS#8 key wraps: PKCS#1 for RSA, SEC 1 for EC. `SEQUENCE { INTEGER, SEQUENCE { … }, OCTET STRING { key } }`,
/// and the key is itself a SEQUENCE that reaches to the end or (with EC attributes) nearly so.
fn inner_key(pkcs8: &[u8]) -> Vec<u8> {
    fn element(der: &[u8]) -> (&[u8], &[u8]) {
        let (length, head) = match der[1] {
            short @ ..=0x7F => (usize::from(short), 2),
            0x81 => (usize::from(der[2]), 3),
            0x82 => (usize::from(der[2]) << 8 | usize::from(der[3]), 4),
            other => panic!("length of {other:#x}"),
        };
        (&der[head..head + length], &der[head + length..])
    }
    let (whole, _) = element(pkcs8);
    let (_version, rest) = element(whole);
    let (_algorithm, rest) = element(rest);
    let (key, _) = element(rest);
    key.to_vec()
}

fn pem(label: &str, der: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for (number, group) in der.chunks(3).enumerate() {
        if number % 16 == 0 {
            text.push('\n');
        }
        let bits = group
            .iter()
            .chain([0, 0].iter())
            .take(3)
            .fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
        for place in 0..4 {
            let symbol = ALPHABET[bits >> (18 - 6 * place) & 63];
            text.push(if place <= group.len() { char::from(symbol) } else { '=' });
        }
    }
    format!("-----BEGIN {label}-----{text}\n-----END {label}-----\n")
}
