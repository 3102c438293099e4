//! The effective configuration: what the file says with defaults filled in and, unless they are left alone, secrets resolved.

pub use super::credentials::Password;
use crate::change::TableName;
pub use crate::change::policy::*;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

/// The whole file.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file, by its one absolute path without links; empty when the text came from elsewhere.
    pub file: String,
    /// `[daemon]`
    pub daemon: Daemon,
    /// `[token.NAME]`: who may have the daemon do something over HTTP.
    pub tokens: BTreeMap<String, Password>,
    /// `[source.NAME]`
    pub sources: BTreeMap<String, SourceEndpoint>,
    /// `[target.NAME]`
    pub targets: BTreeMap<String, TargetEndpoint>,
    /// `[task.NAME]`
    pub tasks: BTreeMap<String, TaskConfig>,
}

/// `[daemon]`
#[derive(Clone, Debug)]
pub struct Daemon {
    /// `host:port` of the HTTP listener; empty turns it off.
    pub listen: String,
    /// `text` or `json`.
    pub log_format: LogFormat,
    /// A level or a `tracing` filter.
    pub log_level: String,
    /// How long a stop may take to drain.
    pub shutdown_grace: Duration,
    /// Where rows go that must be held and do not fit into memory.
    pub spill_dir: PathBuf,
    /// The local socket for commands; `None` for the service manager's folder, or one of the daemon's own.
    pub socket: Option<PathBuf>,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// How the connection to MySQL is secured; MySQL's own names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceTlsMode {
    /// Never TLS.
    Disabled,
    /// TLS when the server offers one that we speak.
    Preferred,
    /// TLS or nothing; the certificate is not judged.
    Required,
    /// TLS, and the certificate's chain must lead to `ca_file`.
    VerifyCa,
    /// As above, and its name must be the host's.
    VerifyIdentity,
}

/// How the connection to the target is secured; PostgreSQL's own names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetTlsMode {
    /// Never TLS.
    Disable,
    /// TLS when the server offers one that we speak.
    Prefer,
    /// TLS or nothing; the certificate is not judged.
    Require,
    /// TLS, and the chain must lead to `ca_file`.
    VerifyCa,
    /// As above, and its name must be the host's.
    VerifyFull,
}

/// Files for TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificates to trust, PEM.
    pub ca_file: Option<PathBuf>,
    /// Client certificate chain, PEM.
    pub cert_file: Option<PathBuf>,
    /// Client key, PEM.
    pub key_file: Option<PathBuf>,
}

/// A MySQL server.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceEndpoint {
    /// Its name in the config.
    pub name: String,
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// User.
    pub user: String,
    /// Password; empty when none is given.
    pub password: Password,
    /// TLS mode.
    pub tls: SourceTlsMode,
    /// TLS files.
    pub tls_files: TlsFiles,
}

/// A PostgreSQL-like server.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetEndpoint {
    /// Its name in the config.
    pub name: String,
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// User.
    pub user: String,
    /// Database.
    pub database: String,
    /// Password; empty when none is given.
    pub password: Password,
    /// TLS mode.
    pub tls: TargetTlsMode,
    /// TLS files.
    pub tls_files: TlsFiles,
    /// Forced kind; `None` is `auto`.
    pub kind: Option<crate::change::facts::TargetKind>,
}

/// `[task.NAME]`
#[derive(Clone, Debug, PartialEq)]
pub struct TaskConfig {
    /// Its name: lower-case letters, digits and `_`, up to 40, starting with a letter (it names target tables).
    pub name: String,
    /// Name of its source.
    pub source: String,
    /// Name of its target.
    pub target: String,
    /// Which tables.
    pub tables: Selection,
    /// Database → schema, where not the same.
    pub schemas: BTreeMap<String, String>,
    /// `schema` is in `initial`.
    pub initial_schema: bool,
    /// `data` is in `initial`.
    pub initial_data: bool,
    /// Where to start when nothing is copied.
    pub start_position: Option<StartPosition>,
    /// What to do about target tables that exist.
    pub existing_tables: ExistingTables,
    /// What is carried.
    pub operations: Operations,
    /// How identifiers are spelled in the target.
    pub identifier_case: IdentifierCase,
    /// What a zero date becomes.
    pub zero_dates: ZeroDates,
    /// What a zero date in a key becomes.
    pub key_dates: KeyDates,
    /// What a NUL in text becomes.
    pub nul_bytes: NulBytes,
    /// What becomes of bytes that a text's character set leaves undefined.
    pub bad_text: BadText,
    /// What becomes of rows that the target cannot hold.
    pub bad_rows: BadRows,
    /// What `TINYINT(1)` becomes: `smallint` or `boolean`.
    pub tinyint1: TinyInt1,
    /// What TIME becomes: `interval` or `time`.
    pub time: TimeAs,
    /// Bytes that copy and stream together may hold.
    pub memory_limit: usize,
    /// The replica id used at the source; 0 chooses one.
    pub server_id: u32,
    /// The copy.
    pub snapshot: SnapshotConfig,
    /// The applier.
    pub apply: ApplyConfig,
    /// Whether source and target are compared while the task runs.
    pub verify: VerifyConfig,
    /// When target tables are vacuumed.
    pub vacuum: VacuumConfig,
    /// What becomes of a table when a statement does something to it that cannot simply be carried, by what it does.
    pub ddl_policy: BTreeMap<String, DdlPolicy>,
    /// Tables with more rows are not copied again by themselves; 0 is no limit.
    pub recopy_limit: u64,
    /// What becomes of a table that alone is in trouble.
    pub on_table_error: OnTableError,
    /// What becomes of selected tables that come.
    pub new_tables: NewTables,
    /// Foreign keys with cascades that the user accepts (`database.table.constraint`).
    pub accept_cascades: Vec<String>,
    /// `[task.NAME.table."db.table"]` in the order written; the first match of an exact name, else of a glob, is used.
    pub table_options: Vec<(String, TableOptions)>,
}

/// Where streaming starts without a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartPosition {
    /// At the source's current end.
    Now,
    /// After this set of transactions.
    Gtids(crate::change::GtidSet),
    /// After these transactions of MariaDB.
    Domains(crate::change::Domains),
    /// At a place in a file of this very server.
    File(crate::change::FilePosition),
}

/// `existing_tables`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExistingTables {
    /// Refuse.
    Error,
    /// Empty them once.
    Clear,
    /// Keep their rows.
    Ignore,
}

/// `on_table_error`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnTableError {
    /// The table is put aside, and the others go on.
    Park,
    /// The task stops.
    Stop,
}

/// `new_tables`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewTables {
    /// Tables that come and are selected by a glob are added.
    Add,
    /// They are told of, and added with the next start.
    Tell,
}

/// Keys of `ddl_policy = { … }`. Each stands for what a statement may do that cannot simply be carried.
pub const DDL_POLICIES: [&str; 13] = [
    // DROP COLUMN
    "drop_column",
    // MODIFY to a narrower type
    "narrow_column",
    // Values of existing rows become others, or may
    "change_values",
    // New meaning of existing ENUM or SET numbers
    "relabel_enum",
    // DROP TABLE
    "drop_table",
    // DROP DATABASE
    "drop_database",
    // TRUNCATE TABLE
    "truncate_table",
    // DROP, TRUNCATE, EXCHANGE PARTITION, IMPORT TABLESPACE
    "truncate_partition",
    // RENAME TABLE
    "rename_table",
    // DROP/ADD PRIMARY KEY
    "change_primary_key",
    // CONVERT TO CHARACTER SET
    "convert_charset",
    // INSERT, UPDATE, DELETE that is logged as a statement
    "statement_dml",
    // What is not understood
    "unknown",
];

/// `snapshot = { … }`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotConfig {
    /// Chunks copied at a time.
    pub parallel: usize,
    /// Rows a chunk.
    pub chunk_rows: u64,
    /// Read rate over all chunks; 0 is unlimited.
    pub max_rows_per_second: u64,
    /// Groups of tables that are copied beside the stream at a time.
    pub groups: usize,
}

/// `apply = { … }`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApplyConfig {
    /// Rows at which a batch closes.
    pub batch_rows: usize,
    /// Bytes at which a batch closes.
    pub batch_bytes: usize,
    /// How long a statement that writes rows may take in the target before it is ended and tried again.
    pub statement_timeout: Duration,
}

/// `vacuum = { … }`
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VacuumConfig {
    /// Whether at all.
    pub mode: VacuumMode,
    /// Rows that died since the last VACUUM, as a share of those that live, from which a table is vacuumed.
    pub threshold: f64,
    /// And at least so many.
    pub min_rows: u64,
    /// Only then.
    pub window: Option<Window>,
}

/// `verify = { … }`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifyConfig {
    /// Tables are compared with their source for as long as the task runs.
    pub continuous: bool,
    /// So many rows of the source a second; 0 is unlimited.
    pub rows_per_second: u64,
    /// Between two comparisons of one table, at the least.
    pub pause: Duration,
    /// What differs is put right.
    pub repair: bool,
}

/// `vacuum.mode`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VacuumMode {
    /// On Greenplum and AnalyticDB, where nothing else does it.
    Auto,
    /// Wherever the target is.
    On,
    /// Never.
    Off,
}

/// `vacuum.window`: minutes of a day in UTC, from the first up to but without the second; over midnight when that is earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its first minute.
    pub from: u16,
    /// The minute after its last.
    pub to: u16,
}

impl Window {
    /// Whether it is open at this second of Unix time.
    pub fn contains(self, seconds: u64) -> bool {
        let minute = u16::try_from(seconds / 60 % 1440).unwrap_or(0);
        if self.from <= self.to {
            (self.from..self.to).contains(&minute)
        } else {
            minute >= self.from || minute < self.to
        }
    }
}

impl std::fmt::Display for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [from, to] = [self.from, self.to].map(|minute| format!("{:02}:{:02}", minute / 60, minute % 60));
        write!(f, "{from}-{to}")
    }
}

/// The compiled `tables` list: which source tables a task carries.
#[derive(Clone, Debug)]
pub struct Selection {
    /// The list as written.
    pub patterns: Vec<String>,
    /// Compiled positive and negative globs over `database.table`.
    pub include: globset::GlobSet,
    /// As above, for `!…`.
    pub exclude: globset::GlobSet,
}

/// What the list says is what it is compiled to.
impl PartialEq for Selection {
    fn eq(&self, other: &Self) -> bool {
        self.patterns == other.patterns
    }
}

impl Selection {
    /// These tables alone.
    ///
    /// # Errors
    /// When a name makes no pattern.
    pub fn only(tables: &BTreeSet<TableName>) -> Result<Self, globset::Error> {
        let patterns: Vec<String> = tables.iter().map(|table| globset::escape(&table.to_string())).collect();
        let mut include = globset::GlobSetBuilder::new();
        for pattern in &patterns {
            include.add(globset::GlobBuilder::new(pattern).literal_separator(false).build()?);
        }
        Ok(Self { patterns, include: include.build()?, exclude: globset::GlobSet::empty() })
    }

    /// Whether `database.table` is carried. System databases never are.
    pub fn contains(&self, database: &str, table: &str) -> bool {
        const SYSTEM: [&str; 4] = ["mysql", "information_schema", "performance_schema", "sys"];
        if SYSTEM.iter().any(|system| database.eq_ignore_ascii_case(system)) {
            return false;
        }
        let name = format!("{database}.{table}");
        self.include.is_match(&name) && !self.exclude.is_match(&name)
    }

    /// The patterns that select none of `names` (`database.table`), each with whether it names a single table.
    pub fn idle<'a>(&'a self, names: &[String]) -> Vec<(&'a str, bool)> {
        let wanted = self.patterns.iter().filter(|pattern| !pattern.starts_with('!'));
        wanted
            .filter(|pattern| {
                let glob = globset::Glob::new(pattern).map(|glob| glob.compile_matcher());
                !glob.is_ok_and(|glob| names.iter().any(|name| glob.is_match(name)))
            })
            .map(|pattern| (pattern.as_str(), !pattern.contains(['*', '?', '[', '{', '\\'])))
            .collect()
    }
}

impl TaskConfig {
    /// What becomes of a table when a statement does this to it, where its section says nothing.
    pub fn ddl_policy_or_default(&self, kind: &str) -> DdlPolicy {
        self.ddl_policy.get(kind).copied().unwrap_or(match kind {
            _ if self.on_table_error == OnTableError::Stop => DdlPolicy::Stop,
            // There is nothing to copy.
            "drop_table" | "drop_database" => DdlPolicy::Park,
            // Nothing is destroyed.
            "drop_column" => DdlPolicy::Ignore,
            // Nothing is copied.
            _ if !self.initial_data => DdlPolicy::Park,
            _ => DdlPolicy::Recopy,
        })
    }

    /// The options of a source table: an exact name wins over a glob, earlier globs over later ones.
    pub fn options(&self, table: &crate::change::TableName) -> Option<&TableOptions> {
        let name = table.to_string();
        self.table_options
            .iter()
            .find(|(pattern, _)| *pattern == name)
            .or_else(|| {
                self.table_options.iter().find(|(pattern, _)| {
                    globset::Glob::new(pattern).is_ok_and(|glob| glob.compile_matcher().is_match(&name))
                })
            })
            .map(|(_, options)| options)
    }
}
