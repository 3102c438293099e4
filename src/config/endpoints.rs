//! `[source.NAME]` and `[target.NAME]`: addresses, secrets, TLS.

use super::credentials::{self, Secrets};
use super::section::{Problems, Section, quoted};
use super::types::{Password, SourceEndpoint, SourceTlsMode, TargetEndpoint, TargetTlsMode, TlsFiles};
use std::path::PathBuf;
use url::Url;

/// The parts of an address, from `url` or from keys of their own.
struct Address {
    host: String,
    port: u16,
    user: String,
    database: Option<String>,
    url_password: Option<String>,
}

/// Reads `[source.NAME]`.
pub fn source(
    name: &str,
    mut section: Section,
    secrets: Secrets<'_>,
    problems: &mut Problems,
) -> Option<SourceEndpoint> {
    let before = problems.0.len();
    let address = address(&mut section, &["mysql", "mariadb"], 3306, false, problems);
    let password = password(&mut section, address.as_ref(), secrets, problems);
    let modes = [
        ("disabled", SourceTlsMode::Disabled),
        ("preferred", SourceTlsMode::Preferred),
        ("required", SourceTlsMode::Required),
        ("verify_ca", SourceTlsMode::VerifyCa),
        ("verify_identity", SourceTlsMode::VerifyIdentity),
    ];
    let before_tls = problems.0.len();
    let tls = section.choice("tls", &modes, problems).unwrap_or(SourceTlsMode::Preferred);
    let uses = match tls {
        _ if problems.0.len() > before_tls => Uses::Unknown,
        SourceTlsMode::Disabled => Uses::Nothing,
        SourceTlsMode::Preferred | SourceTlsMode::Required => Uses::NoAuthority,
        SourceTlsMode::VerifyCa | SourceTlsMode::VerifyIdentity => Uses::All,
    };
    let tls_files = tls_files(&mut section, uses, secrets, problems);
    section.finish(problems);
    let address = address.filter(|_| problems.0.len() == before)?;
    Some(SourceEndpoint {
        name: name.to_owned(),
        host: address.host,
        port: address.port,
        user: address.user,
        password,
        tls,
        tls_files,
    })
}

/// Reads `[target.NAME]`.
pub fn target(
    name: &str,
    mut section: Section,
    secrets: Secrets<'_>,
    problems: &mut Problems,
) -> Option<TargetEndpoint> {
    let before = problems.0.len();
    let address = address(&mut section, &["postgresql", "postgres"], 5432, true, problems);
    let password = password(&mut section, address.as_ref(), secrets, problems);
    let modes = [
        ("disable", TargetTlsMode::Disable),
        ("prefer", TargetTlsMode::Prefer),
        ("require", TargetTlsMode::Require),
        ("verify_ca", TargetTlsMode::VerifyCa),
        ("verify_full", TargetTlsMode::VerifyFull),
    ];
    let before_tls = problems.0.len();
    let tls = section.choice("tls", &modes, problems).unwrap_or(TargetTlsMode::Prefer);
    let uses = match tls {
        _ if problems.0.len() > before_tls => Uses::Unknown,
        TargetTlsMode::Disable => Uses::Nothing,
        TargetTlsMode::Prefer | TargetTlsMode::Require => Uses::NoAuthority,
        TargetTlsMode::VerifyCa | TargetTlsMode::VerifyFull => Uses::All,
    };
    let tls_files = tls_files(&mut section, uses, secrets, problems);
    let kinds = [
        ("auto", None),
        ("postgresql", Some(crate::change::facts::TargetKind::PostgreSql)),
        ("greenplum", Some(crate::change::facts::TargetKind::Greenplum)),
        ("analyticdb", Some(crate::change::facts::TargetKind::AnalyticDb)),
    ];
    let kind = section.choice("kind", &kinds, problems).flatten();
    section.finish(problems);
    let address = address.filter(|_| problems.0.len() == before)?;
    Some(TargetEndpoint {
        name: name.to_owned(),
        host: address.host,
        port: address.port,
        user: address.user,
        database: address.database.unwrap_or_default(),
        password,
        tls,
        tls_files,
        kind,
    })
}

fn address(
    section: &mut Section,
    schemes: &[&str],
    default_port: u16,
    wants_database: bool,
    problems: &mut Problems,
) -> Option<Address> {
    let mut address = Address {
        host: String::new(),
        port: default_port,
        user: String::new(),
        database: None,
        url_password: None,
    };
    let before = problems.0.len();
    if let Some(text) = section.string("url", problems) {
        let example = format!(
            "write e.g. \"{}://user@host:{default_port}{}\"",
            schemes.first().unwrap_or(&""),
            if wants_database { "/database" } else { "" }
        );
        match Url::parse(&text) {
            Ok(url) if schemes.contains(&url.scheme()) => {
                let decode = |text: &str| percent_decode(text);
                url.host_str().unwrap_or_default().trim_matches(['[', ']']).clone_into(&mut address.host);
                address.port = url.port().unwrap_or(default_port);
                address.user = decode(url.username());
                address.url_password = url.password().map(decode);
                let path = decode(url.path().trim_start_matches('/'));
                if wants_database {
                    address.database = Some(path).filter(|path| !path.is_empty());
                } else if !path.is_empty() {
                    problems.add(
                        section.key("url"),
                        Some(&mask(&url)),
                        "a source's url has no path",
                        "select databases with the task's \"tables\"",
                    );
                }
                if url.query().is_some() || url.fragment().is_some() {
                    problems.add(
                        section.key("url"),
                        Some(&mask(&url)),
                        "options in the url are not read",
                        "use the keys tls, ca_file, … instead",
                    );
                }
            }
            // The text is not shown: it may hold a password in a place we do not know.
            Ok(_) => problems.add(
                section.key("url"),
                None,
                format!("must start with {}://", schemes.join(":// or ")),
                example,
            ),
            Err(error) => problems.add(section.key("url"), None, format!("is no URL ({error})"), example),
        }
    }
    // What a url that cannot be read would have given is not missing.
    let unread = problems.0.len() > before;
    if let Some(host) = section.string("host", problems) {
        address.host = host;
    }
    if let Some(port) = section.integer("port", 1, 65535, problems) {
        address.port = u16::try_from(port).unwrap_or(default_port);
    }
    if let Some(user) = section.string("user", problems) {
        address.user = user;
    }
    if wants_database && let Some(database) = section.string("database", problems) {
        address.database = Some(database);
    }
    let mut complete = !unread;
    let mut need = |missing: bool, key: &str, remedy: &str| {
        if missing && !unread {
            problems.add(section.key(key), None, "is missing", remedy);
            complete = false;
        }
    };
    need(address.host.is_empty(), "host", "give it in \"url\" or as a key");
    need(address.user.is_empty(), "user", "give it in \"url\" or as a key");
    need(
        wants_database && address.database.is_none(),
        "database",
        "give it at the end of \"url\" or as a key",
    );
    complete.then_some(address)
}

fn password(
    section: &mut Section,
    address: Option<&Address>,
    secrets: Secrets<'_>,
    problems: &mut Problems,
) -> Password {
    let in_url = address.and_then(|address| address.url_password.clone());
    let keys = ["password", "password_env", "password_file"];
    credentials::secret(section, keys, " and the url's", in_url, secrets, problems)
}

/// Which TLS files a mode has a use for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Uses {
    /// The mode is none of ours.
    Unknown,
    /// TLS is off.
    Nothing,
    /// The server's certificate is not judged.
    NoAuthority,
    /// All, and `ca_file` must be given.
    All,
}

fn tls_files(section: &mut Section, uses: Uses, secrets: Secrets<'_>, problems: &mut Problems) -> TlsFiles {
    let told = problems.0.len();
    let mut file = |name: &'static str| {
        let path = section.string(name, problems)?;
        let path = match secrets {
            Secrets::Read(environment) => credentials::path(section, name, path, environment, problems)?,
            Secrets::Leave => path,
        };
        if uses == Uses::Nothing {
            problems.add(
                section.key(name),
                Some(&quoted(&path)),
                "has no effect while tls is off",
                "turn tls on or remove the key",
            );
        } else if uses == Uses::NoAuthority && name == "ca_file" {
            // Whoever gives it believes that the server is judged by it.
            problems.add(
                section.key(name),
                Some(&quoted(&path)),
                "has no effect in a tls mode that does not judge the server's certificate",
                "set tls to one of the verify_ modes, or remove the key",
            );
        } else if let Secrets::Read(_) = secrets
            && let Err(error) = std::fs::File::open(&path)
        {
            problems.add(
                section.key(name),
                Some(&quoted(&path)),
                format!("cannot be read ({error})"),
                "make it readable to the daemon's user",
            );
        }
        Some(PathBuf::from(path))
    };
    let files =
        TlsFiles { ca_file: file("ca_file"), cert_file: file("cert_file"), key_file: file("key_file") };
    // A file that is given and was told of is not missing as well.
    if problems.0.len() > told {
        return files;
    }
    if uses == Uses::All && files.ca_file.is_none() {
        problems.add(
            section.key("ca_file"),
            None,
            "is missing: the verify_ modes need certificates to trust",
            "name a PEM file with them (the system's own: /etc/ssl/certs/ca-certificates.crt)",
        );
    }
    if files.cert_file.is_some() != files.key_file.is_some() {
        problems.add(
            section.key("cert_file"),
            None,
            "cert_file and key_file belong together",
            "give both or neither",
        );
    }
    files
}

/// The URL with its password starred out.
fn mask(url: &Url) -> String {
    let mut url = url.clone();
    if url.password().is_some() && url.set_password(Some("***")).is_err() {
        return "(hidden)".to_owned();
    }
    quoted(url.as_str())
}

fn percent_decode(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}
