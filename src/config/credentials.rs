//! Passwords, and files that a service manager hands over: paths that start with `$CREDENTIALS_DIRECTORY/`.
//!
//! systemd reads a credential as root and lays a copy into a folder that only the service can read, at a place that depends
//! on the unit's name (systemd.exec(5), `LoadCredential=`). Naming the folder by its variable lets one config serve the
//! unit, an instance of a template, a one-off `systemd-run`, and a command run by hand with the variable set.

use super::section::{Problems, Section, quoted};
use secrecy::{ExposeSecret, SecretString};

/// How secrets named by `password_env` are looked up.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What is done about passwords and TLS files that the config names.
#[derive(Clone, Copy)]
pub enum Secrets<'a> {
    /// They are read, and one that cannot be is a problem: a server will be connected to.
    Read(Environment<'a>),
    /// They are left alone: the command connects to no server, and who runs it may not be able to read them.
    Leave,
}

/// What a path starts with to be taken from there.
const PREFIX: &str = "$CREDENTIALS_DIRECTORY/";

/// The path with its variable resolved; `None`, with a problem added, when the variable is not set. Any other `$` is itself.
pub fn path(
    section: &Section,
    key: &str,
    path: String,
    environment: Environment<'_>,
    problems: &mut Problems,
) -> Option<String> {
    let Some(name) = path.strip_prefix(PREFIX) else { return Some(path) };
    let Some(folder) = environment("CREDENTIALS_DIRECTORY") else {
        problems.add(
            section.key(key),
            Some(&quoted(&path)),
            "CREDENTIALS_DIRECTORY is not set",
            "systemd sets it for a service with LoadCredential; by hand, set it to the folder with the files",
        );
        return None;
    };
    Some(format!("{}/{name}", folder.trim_end_matches('/')))
}

/// A secret by one of three keys: as it is, by an environment variable, in a file; or one that is `in_url`, which `or_else` names.
pub fn secret(
    section: &mut Section,
    [plain_key, env_key, file_key]: [&'static str; 3],
    or_else: &str,
    in_url: Option<String>,
    secrets: Secrets<'_>,
    problems: &mut Problems,
) -> Password {
    let plain = section.string(plain_key, problems);
    let env = section.string(env_key, problems);
    let file = section.string(file_key, problems);
    let given = [plain.is_some(), env.is_some(), file.is_some(), in_url.is_some()]
        .iter()
        .filter(|given| **given)
        .count();
    if given > 1 {
        let keys = if or_else.is_empty() {
            format!("{plain_key}, {env_key} and {file_key}")
        } else {
            format!("{plain_key}, {env_key}, {file_key}{or_else}")
        };
        problems.add(section.key(plain_key), None, "is given more than once", format!("keep one of {keys}"));
    }
    let environment = match secrets {
        Secrets::Read(environment) => environment,
        Secrets::Leave if env.is_some() || file.is_some() => return Password::left_alone(),
        Secrets::Leave => return plain.or(in_url).unwrap_or_default().into(),
    };
    if let Some(name) = env {
        if let Some(value) = environment(&name) {
            return value.into();
        }
        problems.add(
            section.key(env_key),
            Some(&quoted(&name)),
            "this environment variable is not set",
            format!("set it for the service, or use {file_key}"),
        );
    }
    if let Some(path) = file
        && let Some(path) = self::path(section, file_key, path, environment, problems)
    {
        match std::fs::read_to_string(&path) {
            Ok(text) => return text.trim_end_matches(['\r', '\n']).into(),
            Err(error) => problems.add(
                section.key(file_key),
                Some(&quoted(&path)),
                format!("cannot be read ({error})"),
                "make it readable to the daemon's user",
            ),
        }
    }
    plain.or(in_url).unwrap_or_default().into()
}

/// A password, or a token: never printed, and not even read where it is not needed.
#[derive(Clone, Debug)]
pub struct Password {
    secret: SecretString,
    left_alone: bool,
}

impl PartialEq for Password {
    fn eq(&self, other: &Self) -> bool {
        self.left_alone == other.left_alone && self.secret.expose_secret() == other.secret.expose_secret()
    }
}

impl Password {
    /// One that the config names and that was not read.
    pub fn left_alone() -> Self {
        Self { secret: SecretString::default(), left_alone: true }
    }

    /// Whether the config gives one.
    pub fn is_given(&self) -> bool {
        self.left_alone || !self.secret.expose_secret().is_empty()
    }
}

impl ExposeSecret<str> for Password {
    fn expose_secret(&self) -> &str {
        self.secret.expose_secret()
    }
}

impl From<String> for Password {
    fn from(secret: String) -> Self {
        Self { secret: secret.into(), left_alone: false }
    }
}

impl From<&str> for Password {
    fn from(secret: &str) -> Self {
        secret.to_owned().into()
    }
}
