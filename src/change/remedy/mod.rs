//! What somebody has to do about an error: the kinds of it, each with what it is about. The words are in `words.rs`, those of
//! remedies about nothing in particular in `sentences.rs`; no other file words one.
//!
//! What must never happen here: a remedy that is only a text. Who acts on remedies matches on their kinds.

mod sentences;
mod words;

use super::{TableName, TargetName};

pub use sentences::{AtSource, AtTarget, Certificates, Compare, Connect, InConfig, Report, Restart, Upgrade};

/// What somebody has to do. Prints as a sentence, without its full stop, that follows "To mend it: ".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// More than one.
    Several {
        /// How they stand to each other.
        link: Link,
        /// In the order told.
        remedies: Vec<Remedy>,
    },

    /// Copy the whole task again.
    CopyTask(Because),
    /// Copy one table again while the others go on.
    CopyTable {
        /// The source table.
        table: TableName,
        /// What becomes of its target table.
        emptied: Emptied,
    },
    /// Have one table copied again beside the one that readers have.
    Resync {
        /// The source table.
        table: TableName,
    },
    /// Drop a task, or what is left of it.
    DropTask {
        /// The task.
        task: String,
    },
    /// Let a dropped task begin anew.
    ResumeTask {
        /// The task.
        task: String,
    },
    /// Copy the table again that the message names.
    CopyNamedTable,
    /// Pass over the transaction that a task cannot get past.
    Skip {
        /// The config file.
        file: String,
        /// The transaction, as the command takes it.
        position: String,
        /// The task.
        task: String,
        /// The source table that it is about.
        table: Option<TableName>,
    },
    /// Leave a table out that the source has no more.
    LeaveOutGone {
        /// The source table.
        table: TableName,
    },
    /// Leave a table out.
    LeaveOut {
        /// The source table.
        table: TableName,
    },
    /// Leave columns out: the whole list of the table's section.
    LeaveOutColumns {
        /// The source's columns.
        columns: Vec<String>,
    },
    /// Compare tables, and copy what differs.
    Compare(Compare),

    /// Grant privileges.
    Grant {
        /// Their names.
        privileges: Vec<String>,
        /// What they are for, as GRANT takes it.
        on: String,
        /// Who gets them.
        to: Grantee,
    },
    /// Grant what the server names in its own words.
    GrantWhatIsMissing {
        /// The user.
        user: String,
        /// The server's words.
        missing: String,
    },
    /// Do something about the account that logs in.
    Account {
        /// The user.
        user: String,
        /// What.
        change: Account,
    },
    /// Let the user see the text of a routine.
    ShowCode {
        /// Its name.
        name: TableName,
    },
    /// Set a variable of the source.
    SetVariable {
        /// Its name.
        variable: &'static str,
        /// The value it is to have.
        value: &'static str,
        /// For whom, and for how long.
        scope: Scope,
    },
    /// Have the source begin a new log file.
    NewLogFile {
        /// The source's name in the config.
        source: String,
    },
    /// Run these statements at the server that the message is about.
    Run(Vec<String>),
    /// Something else at the source.
    AtSource(AtSource),

    /// Let a crash no longer empty a target table.
    SetLogged {
        /// The target table, quoted.
        table: String,
    },
    /// Make a target table anew.
    MakeAnew {
        /// The statement.
        statement: String,
    },
    /// Make a table's records another role's.
    TakeOverRecords {
        /// One of them, with its schema.
        table: String,
    },
    /// Make a target column another.
    ChangeTargetColumn {
        /// Its name.
        column: String,
    },
    /// Fill a target column by hand.
    FillColumn {
        /// The target table.
        table: TargetName,
        /// The column.
        column: String,
    },
    /// Raise a limit of the target.
    Raise {
        /// Its name.
        limit: String,
    },
    /// Something else at the target.
    AtTarget(AtTarget),

    /// Have these lines in the section of the config.
    Configure {
        /// The section, in brackets.
        section: String,
        /// The line.
        line: String,
    },
    /// Carry a source table to another target table.
    CarryElsewhere {
        /// The section of the table, in brackets.
        section: String,
    },
    /// Map a database to another schema.
    OtherSchema {
        /// The database, as a key of the config.
        database: String,
    },
    /// Give something another name.
    OtherName {
        /// The key that gives it.
        key: String,
    },
    /// Name columns that the table has.
    CorrectColumns {
        /// The key that names others.
        key: String,
        /// Those that it has, in a list.
        columns: String,
    },
    /// Choose another type than one that is not known.
    KnownType {
        /// The type as it is written.
        written: String,
    },
    /// Have PostGIS in the target, or another type.
    Postgis {
        /// The column that is to be geometry.
        column: String,
    },
    /// Have a column keep its name in the target.
    KeepName {
        /// The source's column by its new name.
        source: String,
        /// The target's column.
        target: String,
    },
    /// Choose columns of the key.
    OfKey {
        /// The key's columns.
        key: Vec<String>,
    },
    /// Accept that a cascade's rows differ.
    AcceptCascades {
        /// The whole list, as the config takes each.
        cascades: Vec<String>,
        /// Only SHOW CREATE TABLE knows the name for sure.
        look_up: bool,
    },
    /// Something else in the config.
    InConfig(InConfig),
    /// A file of the config is to be a PEM file of this kind.
    PemFile {
        /// The key that names it.
        key: &'static str,
        /// What stands between `-----BEGIN ` and `-----`.
        label: &'static str,
    },
    /// A file of the config must be readable.
    ReadableFile {
        /// The key that names it.
        key: &'static str,
    },
    /// A key file is to be without a passphrase.
    DecryptKey {
        /// The key of the config that names it.
        key: &'static str,
        /// The file.
        path: String,
    },
    /// Something else about certificates and TLS.
    Certificates(Certificates),

    /// Mend the value in the source.
    MendValue,
    /// Mend a value of a table that the source itself cannot read exactly.
    MendUnreadable {
        /// The source table.
        table: String,
    },
    /// Connect to another server, or otherwise.
    Connect(Connect),
    /// Upgrade something.
    Upgrade(Upgrade),
    /// Start the task or the daemon again.
    Restart(Restart),
    /// Tell those who make this program.
    Report(Report),
}

/// How several remedies stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// One of them will do.
    Or,
    /// All are needed, in this order.
    And,
    /// The later are of use beside the first.
    Also,
}

/// Why only a copy of everything helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    /// The message says so.
    Said,
    /// The source lost what it has logged when it crashed.
    Crash,
    /// Transactions are gone from the log.
    Purged,
    /// The log was begun anew.
    Reset,
    /// The log was begun anew while the task started.
    ResetNow,
    /// The log lost its end.
    Cut,
    /// The log ends before the place up to which it was read.
    ReadPastEnd,
    /// The log's files have another name.
    Renamed,
    /// A file of the log is damaged.
    Damaged,
    /// The source says that changes are missing from its log.
    LostChanges,
    /// The log lacks a transaction.
    LacksTransaction,
    /// Rows of an XA transaction lie before the task's beginning.
    EarlierXa,
    /// An XA transaction was committed and rolled back.
    UncertainXa,
}

/// What becomes of the target table of a table that is copied again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Emptied {
    /// Its rows are deleted, for it has others too that nothing tells from them.
    Deleted {
        /// The target table.
        target: TargetName,
    },
    /// The next start empties it, by what the config says.
    ByConfig,
}

/// Who is to get a privilege.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grantee {
    /// The user of this name, from wherever.
    Named(String),
    /// The account as the server has it, quoted.
    Account(String),
    /// The user that the config names.
    User,
}

/// What to do about an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Account {
    /// Give the right password, or allow the user; the connection is encrypted already.
    AllowEncrypted,
    /// The same, and the account may demand encryption.
    AllowUnencrypted,
    /// Give the right password, or allow the user.
    Allow,
    /// Allow the user from this host.
    AllowFromHost,
    /// The password has expired.
    Expired,
    /// It is locked.
    Unlock,
    /// It is locked for some time.
    UnlockOrWait,
    /// Its method is not known here.
    OtherMethod,
    /// Its method is not known here, with what MySQL 5.6 wants.
    OtherOldMethod,
    /// Its name must be the certificate's.
    NameInCertificate,
    /// It lacks a line in pg_hba.conf.
    Admit,
    /// It lacks a line in pg_hba.conf, or TLS.
    AdmitOrEncrypt,
}

/// For whom a variable is set, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// For good, by SET PERSIST; sessions have it when they begin.
    Persist,
    /// For good, by SET GLOBAL and the option file; sessions have it when they begin.
    GlobalAndFile,
    /// The same of a variable that nothing of a session hangs on.
    Global,
    /// For every session that writes.
    Sessions,
}

impl Remedy {
    /// This one, or another.
    pub fn or(self, other: impl Into<Self>) -> Self {
        self.with(Link::Or, other.into())
    }

    /// This one, and then another.
    pub fn and(self, other: impl Into<Self>) -> Self {
        self.with(Link::And, other.into())
    }

    /// This one, and another beside it.
    pub fn also(self, other: impl Into<Self>) -> Self {
        self.with(Link::Also, other.into())
    }

    fn with(self, link: Link, other: Self) -> Self {
        let mut remedies = match self {
            Self::Several { link: same, remedies } if same == link => remedies,
            one => vec![one],
        };
        remedies.push(other);
        Self::Several { link, remedies }
    }

    /// What it leaves the choice of beside a copy by [`Remedy::Resync`], of whatever table; nothing where it is one.
    pub fn before_resync(self) -> Option<Self> {
        let is_resync = |one: &Self| matches!(one, Self::Resync { .. } | Self::CopyNamedTable);
        match self {
            Self::Several { link: Link::Or, remedies } => {
                remedies.into_iter().filter(|remedy| !is_resync(remedy)).reduce(Self::or)
            }
            other => Some(other).filter(|other| !is_resync(other)),
        }
    }

    /// Whether nothing else is needed after this: the table is copied anew, or carried no more.
    pub fn is_a_way_out(&self) -> bool {
        match self {
            Self::Several { link: Link::Or, remedies } => remedies.iter().all(Self::is_a_way_out),
            Self::Several { remedies, .. } => remedies.iter().any(Self::is_a_way_out),
            Self::CopyTask(_)
            | Self::CopyTable { .. }
            | Self::CopyNamedTable
            | Self::Resync { .. }
            | Self::LeaveOut { .. }
            | Self::LeaveOutGone { .. } => true,
            _ => false,
        }
    }

    /// All of these, each once.
    pub fn all(remedies: impl IntoIterator<Item = Self>) -> Option<Self> {
        let mut all: Vec<Self> = Vec::new();
        for remedy in remedies {
            if !all.contains(&remedy) {
                all.push(remedy);
            }
        }
        all.into_iter().reduce(Self::also)
    }

    /// How a task is copied again where the message says why.
    pub fn copy_task() -> Self {
        Self::CopyTask(Because::Said)
    }

    /// Whether what somebody has to do is, or includes, to copy the task again.
    pub fn is_copy_of_task(&self) -> bool {
        match self {
            Self::CopyTask(_) => true,
            Self::Several { remedies, .. } => remedies.iter().any(Self::is_copy_of_task),
            _ => false,
        }
    }

    /// One statement to run.
    pub fn run(statement: impl Into<String>) -> Self {
        Self::Run(vec![statement.into()])
    }

    /// `GRANT privileges ON on TO the user`.
    pub fn grant(privileges: &[&str], on: impl Into<String>) -> Self {
        let privileges = privileges.iter().map(|name| (*name).to_owned()).collect();
        Self::Grant { privileges, on: on.into(), to: Grantee::User }
    }

    /// The list with which a column is left out beside those that are already.
    pub fn leave_out_column(already: &[String], column: &str) -> Self {
        let columns = already.iter().map(String::as_str).chain([column]).map(str::to_owned).collect();
        Self::LeaveOutColumns { columns }
    }

    /// What it consists of, in the order told.
    pub fn steps(&self) -> Vec<&Self> {
        match self {
            Self::Several { remedies, .. } => remedies.iter().flat_map(Self::steps).collect(),
            one => vec![one],
        }
    }

    /// The same with another list wherever columns are left out.
    pub fn leaving_out(self, columns: &[String]) -> Self {
        match self {
            Self::Several { link, remedies } => {
                let remedies = remedies.into_iter().map(|remedy| remedy.leaving_out(columns)).collect();
                Self::Several { link, remedies }
            }
            Self::LeaveOutColumns { .. } => Self::LeaveOutColumns { columns: columns.to_vec() },
            other => other,
        }
    }
}

impl serde::Serialize for Remedy {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests;
