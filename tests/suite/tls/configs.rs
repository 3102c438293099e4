//! What `check` says of TLS files that are missing or not what they should be.

use super::certificates::file;
use crate::harness::{Config, mysql97, postgres, rowferry, run_folder};

fn toml(path: &std::path::Path) -> String {
    format!("{:?}", path.to_str().unwrap())
}

#[tokio::test]
async fn a_file_that_will_not_do_is_named_with_its_key() {
    let (mysql, postgres) = tokio::join!(mysql97(), postgres());
    let base = Config::new(
        &mysql.url(),
        &format!("postgresql://postgres@127.0.0.1:{}/postgres", postgres.port()),
        &["a.b"],
    );
    let missing = run_folder().join("no-such.pem");
    let side = |side: &str, tls: &str, keys: &[(&str, &std::path::Path)]| {
        let mut config = base.clone();
        for (key, value) in
            [("tls", format!("{tls:?}"))].into_iter().chain(keys.iter().map(|(key, path)| (*key, toml(path))))
        {
            config = if side == "source" { config.source(key, &value) } else { config.target(key, &value) };
        }
        config
    };
    for (name, required, verify) in
        [("source", "required", "verify_ca"), ("target", "require", "verify_full")]
    {
        for (config, words) in [
            (side(name, verify, &[("ca_file", &missing)]), vec!["ca_file", "no-such.pem", "cannot be read"]),
            (side(name, verify, &[]), vec!["ca_file", "is missing"]),
            (
                side(name, required, &[("ca_file", &file("ca.pem"))]),
                vec!["ca_file", "has no effect", "verify_"],
            ),
            (
                side(name, required, &[("cert_file", &file("client.pem"))]),
                vec!["cert_file", "key_file", "belong together"],
            ),
            (
                side(name, required, &[("cert_file", &file("client.pem")), ("key_file", &missing)]),
                vec!["key_file", "no-such.pem", "cannot be read"],
            ),
            (
                side(name, verify, &[("ca_file", &file("rsa.key"))]),
                vec!["ca_file", "rsa.key", "no certificate in it"],
            ),
            (
                side(name, required, &[("cert_file", &file("rsa.key")), ("key_file", &file("client.key"))]),
                vec!["cert_file", "rsa.key", "no certificate in it"],
            ),
            (
                side(
                    name,
                    required,
                    &[("cert_file", &file("client.pem")), ("key_file", &file("client.pem"))],
                ),
                vec!["key_file", "client.pem", "no private key in it"],
            ),
            (
                side(
                    name,
                    required,
                    &[("cert_file", &file("client.pem")), ("key_file", &file("unrelated.key"))],
                ),
                vec!["key_file", "unrelated.key", "is not the key of", "client.pem"],
            ),
            (
                side(
                    name,
                    required,
                    &[("cert_file", &file("client-rsa.pem")), ("key_file", &file("rsa-locked.key"))],
                ),
                vec!["key_file", "rsa-locked.key", "encrypted with a passphrase", "openssl pkey"],
            ),
            (
                side(
                    name,
                    required,
                    &[("cert_file", &file("client-rsa.pem")), ("key_file", &file("rsa-locked-old.key"))],
                ),
                vec!["key_file", "rsa-locked-old.key", "encrypted with a passphrase"],
            ),
        ] {
            let output = rowferry(&["check", "-c", &config.file()]).await;
            assert_ne!(output.code, 0, "{words:?}: {output:?}");
            for word in words.iter().chain([&if name == "source" { "src" } else { "dst" }]) {
                assert!(output.stderr.contains(word), "{word}: {output:?}");
            }
        }
    }
}
