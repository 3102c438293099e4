//! `[token.NAME]`: who may have the daemon do something over HTTP.

use super::credentials::{self, Password, Secrets};
use super::section::{Problems, Section};
use secrecy::ExposeSecret;

/// How short a token may be, in characters: one of that many letters and digits is beyond guessing.
const SHORTEST: usize = 20;

/// Reads the section of one token.
pub fn token(mut section: Section, secrets: Secrets<'_>, problems: &mut Problems) -> Option<Password> {
    let before = problems.0.len();
    let keys = ["secret", "secret_env", "secret_file"];
    let token = credentials::secret(&mut section, keys, "", None, secrets, problems);
    let how = "write the output of `openssl rand -hex 32` into a file that secret_file names";
    let (is_given, text) = (token.is_given(), token.expose_secret());
    if problems.0.len() == before && !is_given {
        problems.add(section.path(), None, "needs a secret", how);
    } else if problems.0.len() == before && !text.is_empty() {
        if text.len() < SHORTEST {
            problems.add(
                section.path(),
                None,
                format!("its secret is shorter than {SHORTEST} characters"),
                how,
            );
        } else if matches!(secrets, Secrets::Read(_)) && text.bytes().all(|byte| byte == b'*') {
            problems.add(
                section.path(),
                None,
                "its secret is what `rowferry config` shows in the place of one",
                how,
            );
        } else if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            problems.add(section.path(), None, "its secret has characters that no header can hold", how);
        }
    }
    section.finish(problems);
    (problems.0.len() == before).then_some(token)
}
