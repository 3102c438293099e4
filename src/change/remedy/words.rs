//! The words of remedies.

use super::{Account, Because, Emptied, Grantee, Link, Remedy, Scope};
use std::borrow::Cow;
use std::fmt::{self, Display, Formatter};

/// How a whole task is copied again.
const COPY_TASK: &str = "copy again (stop the daemon, drop the task's target tables and its tables in schema rowferry, start it: \
                         docs/operations.md, \"Copying again\")";

impl Display for Remedy {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Several { link, remedies } => {
                let between = match link {
                    Link::Or => ", or ",
                    Link::And => ", and ",
                    Link::Also => "; ",
                };
                for (index, remedy) in remedies.iter().enumerate() {
                    f.write_str(if index == 0 { "" } else { between })?;
                    remedy.fmt(f)?;
                }
                Ok(())
            }

            Self::CopyTask(because) => because.fmt(f),
            Self::CopyTable { table, emptied: Emptied::ByConfig } => write!(
                f,
                "copy {table} again: have it out of \"tables\" once (add \"!{table}\" to the list, `rowferry reload`, take that out, \
                 `rowferry reload`), with existing_tables = \"clear\" when the target table stays"
            ),
            // The same list works for a task of one table, for which an empty one is refused.
            Self::CopyTable { table, emptied } => write!(
                f,
                "copy {table} again: take it out of \"tables\" (add \"!{table}\" to the list, `rowferry reload`), {emptied}, put it \
                 back and `rowferry reload` once more"
            ),
            Self::Resync { table } => {
                write!(f, "copy {table} again: run `rowferry resync -c CONFIG {table}`")
            }
            Self::DropTask { task } => {
                write!(f, "drop it once more: run `rowferry drop -c CONFIG --whole-task {task}`")
            }
            Self::ResumeTask { task } => {
                write!(f, "have it begin anew: run `rowferry resume -c CONFIG --task {task}`")
            }
            Self::CopyNamedTable => {
                f.write_str("copy the table again (`rowferry resync -c CONFIG database.table`)")
            }
            Self::Skip { file, position, task, table } => {
                let (file, position, task) = (word(file), word(position), word(task));
                let table = table.as_ref().map(|table| format!(" --table {}", word(&table.to_string())));
                let table = table.unwrap_or_default();
                write!(
                    f,
                    "do by hand in the target what it did and pass over it: `rowferry skip -c {file} {position} --task {task}{table}`"
                )
            }
            Self::LeaveOutGone { table } => write!(
                f,
                "take it out of \"tables\" (add \"!{table}\" to the list, `rowferry reload`): its target table stays as it is; should the \
                 source have such a table again, drop the target table, put it back and `rowferry reload` once more"
            ),
            Self::LeaveOut { table } => write!(f, "exclude it with \"!{table}\""),
            Self::LeaveOutColumns { columns } => {
                write!(f, "leave the column out with exclude_columns = [{}]", list(columns))
            }
            Self::Compare(which) => which.fmt(f),

            Self::Grant { privileges, on, to } => {
                write!(f, "GRANT {} ON {on} TO {to}", privileges.join(", "))
            }
            Self::GrantWhatIsMissing { user, missing } => {
                write!(f, "GRANT to '{user}' what the server misses: {missing}")
            }
            Self::Account { user, change } => change.told(user, f),
            Self::ShowCode { name } => {
                write!(f, "let the user see it (SHOW CREATE … {name} tells whether it does)")
            }
            Self::SetVariable { variable, value, scope } => match scope {
                Scope::Persist => {
                    write!(f, "SET PERSIST {variable} = {value}; then reconnect the applications")
                }
                Scope::GlobalAndFile => write!(
                    f,
                    "SET GLOBAL {variable} = {value}, and the same in the server's option file; then reconnect the applications"
                ),
                Scope::Global => write!(
                    f,
                    "SET GLOBAL {variable} = {value} at the source, and the same in its option file, so that it stays"
                ),
                Scope::Sessions => write!(f, "set {variable} = {value} for all sessions of the source"),
            },
            Self::NewLogFile { source } => write!(
                f,
                "FLUSH BINARY LOGS at {source} begins a new file, at which a new task starts; with the privilege PROCESS it starts at \
                 the end of the log as soon as no commit is under way"
            ),
            Self::Run(statements) => f.write_str(&statements.join("; ")),
            Self::AtSource(which) => which.fmt(f),

            Self::SetLogged { table } => write!(
                f,
                "ALTER TABLE {table} SET LOGGED (before PostgreSQL 9.5 make it anew); what a crash has emptied is to be copied again"
            ),
            Self::MakeAnew { statement } => write!(f, "make it anew: {statement}"),
            Self::TakeOverRecords { table } => write!(
                f,
                "as its owner: ALTER TABLE {table} OWNER TO the user, and so for the task's other tables in schema rowferry"
            ),
            Self::ChangeTargetColumn { column } => {
                write!(f, "rename, drop or alter column {column} of the target table")
            }
            Self::FillColumn { table, column } => write!(
                f,
                "stop all tasks that feed {table}; rename its column {column}; start this task alone, which adds the column anew; write \
                 the others' values back from the renamed column and drop that; start the others. Or leave the source's column out \
                 with exclude_columns"
            ),
            Self::Raise { limit } => {
                write!(
                    f,
                    "raise {limit}, or lower snapshot.parallel of the task, which counts while it copies"
                )
            }
            Self::AtTarget(which) => which.fmt(f),

            Self::Configure { section, line } => write!(f, "{section} {line}"),
            Self::CarryElsewhere { section } => {
                write!(f, "carry the source table elsewhere: {section} target = \"…\"")
            }
            Self::OtherSchema { database } => {
                write!(
                    f,
                    "map the database to another schema: schemas = {{ {database} = \"…\" }} of the task"
                )
            }
            Self::OtherName { key } => write!(f, "give another name with {key}"),
            Self::CorrectColumns { key, columns } => {
                write!(f, "correct {key}: the table's columns are {columns}")
            }
            Self::KnownType { written } => {
                write!(f, "choose another type for it in types, or none: \"{written}\" is not supported")
            }
            Self::Postgis { column } => write!(
                f,
                "CREATE EXTENSION postgis in the target database, or take {column} off types: it becomes bytea, which holds EWKB"
            ),
            Self::KeepName { source, target } => {
                write!(f, "keep the target's name with columns = {{ {source} = \"{target}\" }}")
            }
            Self::OfKey { key } => write!(f, "choose from the primary key: {}", key.join(", ")),
            Self::AcceptCascades { cascades, look_up } => {
                let which = if *look_up { " (by the name that SHOW CREATE TABLE gives it)" } else { "" };
                write!(f, "accept that such rows differ: accept_cascades = [{}]{which}", list(cascades))
            }
            Self::InConfig(which) => which.fmt(f),
            Self::PemFile { key, label } => write!(f, "let {key} name a PEM file: -----BEGIN {label}----- …"),
            Self::ReadableFile { key } => write!(f, "let {key} name a file that the daemon's user may read"),
            Self::DecryptKey { key, path } => write!(
                f,
                "decrypt it (openssl pkey -in {path} -out NEW), protect the new file by its permissions, and name that as {key}"
            ),
            Self::Certificates(which) => which.fmt(f),

            Self::MendValue => f.write_str("mend the value in the source"),
            Self::MendUnreadable { table } => write!(
                f,
                "a value of {table} could not be compared or converted exactly: mend it or exclude its column"
            ),
            Self::Connect(which) => which.fmt(f),
            Self::Upgrade(which) => which.fmt(f),
            Self::Restart(which) => which.fmt(f),
            Self::Report(which) => which.fmt(f),
        }
    }
}

impl Display for Because {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (before, behind) = match self {
            Self::Said => ("", ""),
            Self::Crash => ("after such a crash ", ""),
            Self::Purged => ("the missing transactions cannot be had any more: ", ""),
            Self::Reset => (
                "",
                ": transactions since then may have the GTIDs or places of others that the task has taken in",
            ),
            Self::ResetNow => {
                ("", "; RESET MASTER (RESET BINARY LOGS AND GTIDS) takes away what has not been carried")
            }
            Self::Cut => (
                "it was restored, or lost its end in a crash (sync_binlog = 1 keeps it): ",
                ", for other transactions may have the GTIDs of the lost ones",
            ),
            Self::ReadPastEnd => ("it was reset, restored, or lost its end in a crash: ", ""),
            Self::Renamed => ("", ": the source's log files have another name by now (log_bin)"),
            Self::Damaged => {
                ("", ": the log file is damaged, and what stands after that place cannot be read")
            }
            Self::LostChanges => ("", ": the lost changes cannot be had from the log"),
            Self::LacksTransaction => ("", ": the source's log lacks that transaction"),
            Self::EarlierXa => (
                "",
                ": the rows of that transaction were logged at its XA PREPARE, before the place where this task begins",
            ),
            Self::UncertainXa => (
                "",
                ": only the source knows whether that transaction's rows are there. MariaDB writes such a log when XA COMMIT came while \
                 the session that prepared took its leave: it forgets the transaction then, and lists it again after a restart, \
                 where XA COMMIT would have been right",
            ),
        };
        write!(f, "{before}{COPY_TASK}{behind}")
    }
}

impl Display for Emptied {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByConfig => f.write_str("drop its target table"),
            Self::Deleted { target } => write!(f, "delete its rows from {target}"),
        }
    }
}

impl Display for Grantee {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(user) => write!(f, "'{user}'"),
            Self::Account(account) => f.write_str(account),
            Self::User => f.write_str("the user"),
        }
    }
}

impl Account {
    fn told(self, user: &str, f: &mut Formatter<'_>) -> fmt::Result {
        let allow = format!("give the right user and password, or allow '{user}' from this host");
        let method = format!(
            "let the server identify '{user}' by caching_sha2_password, mysql_native_password or ed25519"
        );
        let admit = format!("add a line for '{user}' from this host to pg_hba.conf");
        match self {
            Self::AllowEncrypted => write!(
                f,
                "{allow}; if the account is made with REQUIRE X509, ISSUER or SUBJECT, give cert_file and key_file of such a certificate"
            ),
            Self::AllowUnencrypted => write!(
                f,
                "{allow}; if the account is made with REQUIRE SSL, set tls = \"required\" or stronger (this connection is not encrypted)"
            ),
            Self::Allow => f.write_str(&allow),
            Self::AllowFromHost => {
                write!(f, "allow '{user}' from this host, and give the right user and password")
            }
            Self::Expired => {
                write!(f, "the password of '{user}' has expired: ALTER USER '{user}' IDENTIFIED BY '…'")
            }
            Self::Unlock => write!(f, "ALTER USER '{user}' ACCOUNT UNLOCK"),
            Self::UnlockOrWait => {
                write!(f, "wait, or ALTER USER '{user}' ACCOUNT UNLOCK; and give the right password")
            }
            Self::OtherMethod => write!(f, "{method} (ALTER USER)"),
            Self::OtherOldMethod => write!(
                f,
                "{method}: ALTER USER (in MySQL 5.6: SET old_passwords = 0; SET PASSWORD FOR '{user}' = PASSWORD('…'))"
            ),
            Self::NameInCertificate => write!(
                f,
                "the common name (CN) of the certificate in cert_file must be '{user}', or be mapped to it in pg_ident.conf"
            ),
            Self::Admit => f.write_str(&admit),
            Self::AdmitOrEncrypt => write!(
                f,
                "set tls = \"require\" or stronger if the server takes '{user}' with TLS only; else {admit}"
            ),
        }
    }
}

/// A text as one word of a shell's command line.
fn word(text: &str) -> Cow<'_, str> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:,+@%".contains(letter);
    if !text.is_empty() && text.chars().all(plain) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(format!("'{}'", text.replace('\'', "'\\''")))
    }
}

/// Texts as a list of the config.
fn list(texts: &[String]) -> String {
    let quoted = |text: &String| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    texts.iter().map(quoted).collect::<Vec<_>>().join(", ")
}
