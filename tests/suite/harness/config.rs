//! Config files for the daemon under test.

use super::process::new_folder;
use std::collections::BTreeMap;
use std::fmt::Write;

type Section = BTreeMap<String, String>;

/// A config of one source `src`, one target `dst` and one task `main`. Values are TOML as written in the file.
#[derive(Clone, Debug)]
pub struct Config {
    daemon: Section,
    source: Section,
    target: Section,
    task: Section,
    more: String,
}

impl Config {
    /// The shortest config: two URLs and the tables (`"db.table"`, globs). No TLS, so that a proxy can read along.
    pub fn new(source_url: &str, target_url: &str, tables: &[&str]) -> Self {
        let empty = Self {
            daemon: Section::new(),
            source: Section::new(),
            target: Section::new(),
            task: Section::new(),
            more: String::new(),
        };
        empty
            .source("url", &format!("{source_url:?}"))
            .source("tls", "\"disabled\"")
            .target("url", &format!("{target_url:?}"))
            .target("tls", "\"disable\"")
            .task("source", "\"src\"")
            .task("target", "\"dst\"")
            .task("tables", &format!("{tables:?}"))
            // What is told, and where the stream stands then, is seen best of a task that stops.
            .task("on_table_error", "\"stop\"")
            .task("new_tables", "\"tell\"")
    }

    /// As the program is without a word in the config: tables heal themselves.
    pub fn healing(mut self) -> Self {
        self.task.remove("on_table_error");
        self.task.remove("new_tables");
        self
    }

    /// Sets a key of `[daemon]`.
    pub fn daemon(mut self, key: &str, toml: &str) -> Self {
        self.daemon.insert(key.to_owned(), toml.to_owned());
        self
    }

    /// Sets a key of `[source.src]`.
    pub fn source(mut self, key: &str, toml: &str) -> Self {
        self.source.insert(key.to_owned(), toml.to_owned());
        self
    }

    /// Sets a key of `[target.dst]`.
    pub fn target(mut self, key: &str, toml: &str) -> Self {
        self.target.insert(key.to_owned(), toml.to_owned());
        self
    }

    /// Sets a key of `[task.main]`, e.g. `("apply", "{ batch_rows = 10 }")`.
    pub fn task(mut self, key: &str, toml: &str) -> Self {
        self.task.insert(key.to_owned(), toml.to_owned());
        self
    }

    /// Adds lines at the end, e.g. a `[task.main.table."db.t"]` section.
    pub fn more(mut self, toml: &str) -> Self {
        self.more.push_str(toml);
        self.more.push('\n');
        self
    }

    /// Writes a file for commands that need no daemon (nobody listens where it says) and gives its path.
    pub fn file(&self) -> String {
        let path = new_folder("config").join("config.toml");
        std::fs::write(&path, self.render("")).expect("the config is written");
        path.into_os_string().into_string().expect("UTF-8")
    }

    /// The file, listening on `listen` unless that was set.
    pub fn render(&self, listen: &str) -> String {
        let mut file = String::new();
        let mut daemon = self.daemon.clone();
        daemon.entry("listen".to_owned()).or_insert_with(|| format!("{listen:?}"));
        daemon.entry("log_level".to_owned()).or_insert_with(|| "\"debug\"".to_owned());
        for (name, section) in [
            ("daemon", &daemon),
            ("source.src", &self.source),
            ("target.dst", &self.target),
            ("task.main", &self.task),
        ] {
            let _ = writeln!(file, "[{name}]");
            for (key, value) in section {
                let _ = writeln!(file, "{key} = {value}");
            }
            file.push('\n');
        }
        for line in self.more.lines() {
            let _ = writeln!(file, "{line}");
            // What holds for the one task holds for others.
            let task = line.strip_prefix("[task.").and_then(|rest| rest.strip_suffix(']'));
            for key in ["on_table_error", "new_tables"] {
                if let (Some(value), Some(false)) = (self.task.get(key), task.map(|name| name.contains('.')))
                {
                    let _ = writeln!(file, "{key} = {value}");
                }
            }
        }
        file
    }
}
