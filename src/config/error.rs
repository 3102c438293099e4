//! What is wrong with a config file: everything at once.

use crate::change::Retry;
use crate::change::remedy::InConfig;
use std::fmt;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key's full path, e.g. `task.shop.snapshot.parallel`.
    pub key: String,
    /// The value as written; `None` when the key is missing (or secret).
    pub value: Option<String>,
    /// The rule it breaks.
    pub constraint: String,
    /// What to write instead.
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.place(), self.constraint, self.remedy)
    }
}

/// A config file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("cannot read the config file {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// The cause.
        source: std::io::Error,
    },
    /// It is not TOML.
    #[error("{path} is not valid TOML: {message}")]
    Syntax {
        /// The file.
        path: String,
        /// Line, column and the parser's words.
        message: String,
    },
    /// Its keys or values break rules.
    #[error("{path}{}", list(.problems))]
    Problems {
        /// The file.
        path: String,
        /// All of them.
        problems: Vec<Problem>,
    },
}

/// One problem is a paragraph, several are a list.
fn list(problems: &[Problem]) -> String {
    if let [problem] = problems {
        let end = if problem.remedy.ends_with(['?', '.']) { "" } else { "." };
        return format!(": {}: {}. To mend it: {}{end}", problem.place(), problem.constraint, problem.remedy);
    }
    let lines = problems.iter().map(|problem| format!("\n  - {problem}"));
    format!(" has {} problems:{}", problems.len(), lines.collect::<String>())
}

impl Problem {
    /// The key, with its value when that is shown.
    fn place(&self) -> String {
        match &self.value {
            Some(value) => format!("{} = {value}", self.key),
            None => self.key.clone(),
        }
    }
}

impl ConfigError {
    /// What is wrong, and what to do about it. Rules that are broken come with what to write instead.
    pub fn with_remedy(&self) -> String {
        match self {
            Self::Problems { .. } => self.to_string(),
            Self::Read { .. } | Self::Syntax { .. } => {
                format!("{self}. To mend it: {}.", self.retry().remedy())
            }
        }
    }

    /// Config errors are the user's to mend.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Read { .. } => Retry::fix(InConfig::PathOfFile),
            Self::Syntax { .. } | Self::Problems { .. } => Retry::fix(InConfig::MendFile),
        }
    }
}
