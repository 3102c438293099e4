//! From a file to a [`Config`].

use super::credentials::Secrets;
use super::endpoints;
use super::error::ConfigError;
use super::section::{Problems, Section};
use super::types::{Config, Daemon, LogFormat};
use super::{task, token};
use std::collections::{BTreeMap, BTreeSet};
use std::net::ToSocketAddrs;
use std::path::Path;
use std::time::Duration;

/// Loads and checks the file at `path`.
///
/// # Errors
/// When it cannot be read, is no TOML, or breaks a rule; all broken rules at once.
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    load_with(path, Secrets::Read(&|name| std::env::var(name).ok()))
}

/// As [`load`], for what connects to no server: passwords and TLS files are not looked for.
///
/// # Errors
/// As [`load`].
pub fn load_without_secrets(path: &Path) -> Result<Config, ConfigError> {
    load_with(path, Secrets::Leave)
}

fn load_with(path: &Path, secrets: Secrets<'_>) -> Result<Config, ConfigError> {
    let shown = path.display().to_string();
    let text =
        std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: shown.clone(), source })?;
    let mut config = parse_with(&shown, &text, secrets)?;
    config.file = std::fs::canonicalize(path).map_or(shown, |path| path.display().to_string());
    Ok(config)
}

/// Checks the text of a config file; `path` is for messages only.
///
/// # Errors
/// As [`load`].
#[cfg(test)]
pub fn parse(
    path: &str,
    text: &str,
    environment: super::credentials::Environment<'_>,
) -> Result<Config, ConfigError> {
    parse_with(path, text, Secrets::Read(environment))
}

fn parse_with(path: &str, text: &str, secrets: Secrets<'_>) -> Result<Config, ConfigError> {
    let root: toml::Table = text.parse().map_err(|error: toml::de::Error| ConfigError::Syntax {
        path: path.to_owned(),
        message: syntax(text, &error),
    })?;
    let mut problems = Problems::default();
    let mut root = Section::new("", root);
    let daemon = daemon(root.table("daemon", &mut problems), &mut problems);
    let mut tokens = BTreeMap::new();
    for (name, section) in root.tables("token", &mut problems) {
        let key = section.path().to_owned();
        let Some(token) = token::token(section, secrets, &mut problems) else { continue };
        if matches!(secrets, Secrets::Read(_)) && tokens.values().any(|other| *other == token) {
            problems.add(key, None, "has the secret of another token", "give each its own");
        }
        tokens.insert(name, token);
    }
    let mut sources = BTreeMap::new();
    // A section that has problems of its own is there all the same.
    let (mut source_names, mut target_names) = (BTreeSet::new(), BTreeSet::new());
    for (name, section) in root.tables("source", &mut problems) {
        source_names.insert(name.clone());
        if let Some(endpoint) = endpoints::source(&name, section, secrets, &mut problems) {
            sources.insert(name, endpoint);
        }
    }
    let mut targets = BTreeMap::new();
    for (name, section) in root.tables("target", &mut problems) {
        target_names.insert(name.clone());
        if let Some(endpoint) = endpoints::target(&name, section, secrets, &mut problems) {
            targets.insert(name, endpoint);
        }
    }
    let mut tasks = BTreeMap::new();
    let sections = root.tables("task", &mut problems);
    if sections.is_empty() {
        problems.add(
            "task",
            None,
            "at least one task is needed",
            "add [task.NAME] with source, target and tables",
        );
    }
    for (name, section) in sections {
        if let Some(task) = task::task(&name, section, &source_names, &target_names, &mut problems) {
            tasks.insert(name, task);
        }
    }
    root.finish(&mut problems);
    if problems.0.is_empty() {
        Ok(Config { file: String::new(), daemon, tokens, sources, targets, tasks })
    } else {
        Err(ConfigError::Problems { path: path.to_owned(), problems: problems.0 })
    }
}

/// Where and why the parser stopped, in one line. The text itself is not shown: it may hold a password.
fn syntax(text: &str, error: &toml::de::Error) -> String {
    let words = error.message().replace('\n', ", ");
    let Some(before) = error.span().and_then(|span| text.get(..span.start)) else { return words };
    let (line, rest) = (before.matches('\n').count() + 1, before.rsplit('\n').next().unwrap_or_default());
    format!("line {line}, column {}: {words}", rest.chars().count() + 1)
}

fn daemon(section: Option<Section>, problems: &mut Problems) -> Daemon {
    let mut daemon = Daemon {
        listen: "127.0.0.1:8484".to_owned(),
        log_format: LogFormat::Text,
        log_level: "info".to_owned(),
        shutdown_grace: Duration::from_secs(30),
        spill_dir: std::env::temp_dir(),
        socket: None,
    };
    let Some(mut section) = section else { return daemon };
    if let Some(listen) = section.string("listen", problems) {
        if !listen.is_empty() && listen.to_socket_addrs().is_err() {
            problems.add(
                section.key("listen"),
                Some(&listen),
                "must be host:port, or empty for no listener",
                "write e.g. \"127.0.0.1:8484\"",
            );
        }
        daemon.listen = listen;
    }
    let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    daemon.log_format = section.choice("log_format", &formats, problems).unwrap_or(daemon.log_format);
    if let Some(level) = section.string("log_level", problems) {
        if tracing_subscriber::EnvFilter::try_new(&level).is_err() {
            problems.add(
                section.key("log_level"),
                Some(&level),
                "must be a level (error, warn, info, debug, trace) or a filter",
                "write e.g. \"info\"",
            );
        }
        daemon.log_level = level;
    }
    if let Some(grace) = section.string("shutdown_grace", problems) {
        match humantime::parse_duration(&grace) {
            Ok(duration) => daemon.shutdown_grace = duration,
            Err(_) => problems.add(
                section.key("shutdown_grace"),
                Some(&grace),
                "must be a duration",
                "write e.g. \"30s\" or \"2m\"",
            ),
        }
    }
    if let Some(path) = section.string("socket", problems) {
        if !Path::new(&path).is_absolute() {
            problems.add(
                section.key("socket"),
                Some(&path),
                "must be an absolute path",
                "write e.g. \"/run/rowferry/control.sock\"",
            );
        }
        daemon.socket = Some(path.into());
    }
    if let Some(folder) = section.string("spill_dir", problems) {
        if !Path::new(&folder).is_absolute() {
            problems.add(
                section.key("spill_dir"),
                Some(&folder),
                "must be an absolute path",
                "write e.g. \"/var/tmp\"",
            );
        }
        daemon.spill_dir = folder.into();
    }
    section.finish(problems);
    daemon
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
#[cfg(test)]
#[path = "wrong_tests.rs"]
mod wrong_tests;
