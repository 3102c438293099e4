//! From a `tokio_postgres` error to a [`SinkError`]: what broke, and whether trying again can help.
//!
//! The classes follow the PostgreSQL docs, appendix A "PostgreSQL Error Codes", and Greenplum's
//! `errcodes.txt` (58M01 and its neighbours). What must never happen here: the server's DETAIL dropped, or
//! an error that needs a person retried for ever without words.

use super::{SinkError, SinkErrorKind};
use crate::change::remedy::{Account, AtSource, AtTarget, Certificates, Connect, InConfig, Remedy, Report};
use crate::change::{Retry, TargetName};
use crate::quote::{identifier, qualified};
use std::error::Error as _;
use tokio_postgres::error::DbError;

/// Names and circumstances of one connection, for its errors.
#[derive(Clone, Debug)]
pub(super) struct ErrorContext<'a> {
    /// `name (host:port/database)`.
    pub(super) endpoint: &'a str,
    /// The user that logged in.
    pub(super) user: &'a str,
    /// Why the connection ended, once its task knows.
    pub(super) lost: Option<&'a str>,
}

impl ErrorContext<'_> {
    /// Gives `error` its meaning.
    pub(super) fn map(&self, doing: &str, error: tokio_postgres::Error) -> SinkError {
        self.kind(doing.to_owned(), error).at(self.endpoint)
    }

    fn kind(&self, doing: String, error: tokio_postgres::Error) -> SinkErrorKind {
        if let Some(db) = error.as_db_error() {
            let state = db.code().code().to_owned();
            let mut message = words(db);
            if let Some(hope) = goes_on_when(&state, db) {
                message.push_str(&format!("; {hope}"));
            }
            return match class(&state, db.routine()) {
                Class::Broken => {
                    message.push_str(&format!(" (SQLSTATE {state})"));
                    SinkErrorKind::Connection { doing, message, cause: Some(error) }
                }
                Class::Login => self.login(message),
                Class::Retry(retry) => {
                    let retry = remedy(&state, db, &doing).map_or(retry, Retry::fix);
                    SinkErrorKind::Server { retry, doing, state, message, cause: Some(error) }
                }
            };
        }
        if error.is_closed() {
            let message = match self.lost {
                Some(lost) => format!("the connection is closed: {lost}"),
                None => "the connection is closed".into(),
            };
            return SinkErrorKind::Connection { doing, message, cause: Some(error) };
        }
        let message = chain(&error);
        if message.starts_with("authentication error") || message.contains("password missing") {
            return self.login(message);
        }
        if error.source().is_some_and(|cause| cause.downcast_ref::<std::io::Error>().is_some()) {
            return SinkErrorKind::Connection { doing, message, cause: Some(error) };
        }
        // Left are misuse of the client (a parameter's type, a column that is not there) and answers that
        // do not follow the protocol: a new version of this program is needed.
        let state = "none".to_owned();
        SinkErrorKind::Server { doing, state, message, retry: Retry::Never, cause: Some(error) }
    }

    fn login(&self, message: String) -> SinkErrorKind {
        let user = self.user.to_owned();
        SinkErrorKind::Login { remedy: login_remedy(&user, &message), user, message }
    }
}

/// What can be done about a refused login, as far as the server's words tell (`ClientAuthentication` in
/// PostgreSQL's `auth.c`). A server that speaks another language leaves the general advice.
fn login_remedy(user: &str, message: &str) -> Remedy {
    if message.contains("requires a valid client certificate") {
        return Certificates::OwnUnderTls.into();
    }
    let change = if message.contains("certificate authentication failed") {
        Account::NameInCertificate
    } else if !message.contains("pg_hba.conf") {
        Account::Allow
    // "…, no encryption" since PostgreSQL 14, "…, SSL off" before.
    } else if message.contains("no encryption") || message.contains("SSL off") {
        Account::AdmitOrEncrypt
    } else {
        Account::Admit
    };
    Remedy::Account { user: user.to_owned(), change }
}

/// A remedy that takes more than the SQLSTATE to know.
fn remedy(state: &str, db: &DbError, doing: &str) -> Option<Remedy> {
    match state {
        "23502" => {
            let (schema, table, column) = (db.schema()?, db.table()?, db.column()?);
            let name = TargetName { schema: schema.to_owned(), table: table.to_owned() };
            let statement =
                format!("ALTER TABLE {} ALTER COLUMN {} DROP NOT NULL", qualified(&name), identifier(column));
            Some(Remedy::run(statement))
        }
        // The only words of the config in any statement.
        "42601" if doing.starts_with("creating table") => {
            Some(InConfig::Storage.also(Report::WithoutStorage))
        }
        _ => None,
    }
}

/// What an SQLSTATE stands for.
enum Class {
    /// The connection is of no use any more.
    Broken,
    /// User or password.
    Login,
    /// The statement failed.
    Retry(Retry),
}

/// A row that no partition of its table takes: Greenplum has an SQLSTATE of its own for that, PostgreSQL that of a CHECK.
fn is_without_partition(state: &str, routine: Option<&str>) -> bool {
    state == "22M01" || state == "23514" && routine == Some("ExecFindPartition")
}

/// What ends a state that is waited for, where the message does not say so.
fn goes_on_when(state: &str, db: &DbError) -> Option<AtTarget> {
    if is_without_partition(state, db.routine()) {
        return Some(AtTarget::MakePartition);
    }
    // Greenplum, about what a statement may take of its resource queue's memory.
    let about_memory = state == "53000" || state == "53200" || state == "53400";
    (about_memory && db.message().contains("insufficient memory reserved")).then_some(AtTarget::MoreMemory)
}

fn class(state: &str, routine: Option<&str>) -> Class {
    let fix = |remedy: AtTarget| Class::Retry(Retry::fix(remedy));
    match state {
        // Whoever makes partitions may be late.
        _ if is_without_partition(state, routine) => Class::Retry(Retry::AfterBackoff),
        // The server closes the session, starts, stops or recovers.
        "57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "25P04" => Class::Broken,
        "57P04" | "3D000" => fix(AtTarget::CreateDatabase),
        // 57014: somebody cancelled the statement. 25006: a standby that may be promoted soon.
        // 55P03, 40001, 40P01: another session was in the way.
        // 55006: an object is in use.
        "57014" | "25006" | "55P03" | "55006" | "40001" | "40003" | "40P01" | "40000" => {
            Class::Retry(Retry::AfterBackoff)
        }
        "42501" => fix(AtTarget::GrantNamed),
        "23505" => fix(AtTarget::KeepOthersOut),
        "23502" => fix(AtTarget::TakeNull),
        "23503" => fix(AtTarget::DropForeignKeys),
        "23514" => fix(AtTarget::DropCheck),
        "23P01" => fix(AtTarget::DropExclusion),
        "42P01" | "42703" | "3F000" => {
            Class::Retry(Retry::fix(AtTarget::RestoreNamed.or(Remedy::CopyNamedTable)))
        }
        "42P07" | "42701" | "42P06" | "42710" => fix(AtTarget::FreeName),
        "42939" => Class::Retry(Retry::fix(InConfig::OtherSchemaName)),
        "42704" | "42883" => fix(AtTarget::InstallNamed),
        "42P16" => fix(AtTarget::WidenPartitionKey),
        "42804" | "42846" => fix(AtTarget::TypeOfCheck),
        "42809" => fix(AtTarget::OrdinaryTable),
        // Bytes for another type than the column has, too many or too few: somebody has altered it since the task looked.
        "22P03" => Class::Retry(Retry::AfterBackoff),
        "08P01" if routine == Some("pq_copymsgbytes") => Class::Retry(Retry::AfterBackoff),
        "26000" | "08P01" => Class::Retry(Retry::fix(Connect::WithoutPooler)),
        "22023" => fix(AtTarget::CorrectParameter),
        // `_bt_check_third_page` and its forerunners.
        "54000" if routine.is_some_and(|routine| routine.starts_with("_bt_")) => {
            let shorter = InConfig::ShorterKey.or(AtSource::ShortenKey).and(Remedy::CopyNamedTable);
            Class::Retry(Retry::fix(shorter.or(InConfig::LeaveTableOut)))
        }
        "58P01" | "58P02" => fix(AtTarget::MendInstallation),
        "F0000" | "F0001" => fix(AtTarget::MendConfiguration),
        // A statement prepared before somebody's ALTER: a new session prepares it anew.
        "0A000" if routine == Some("RevalidateCachedQuery") => Class::Retry(Retry::AfterBackoff),
        "0A000" => fix(AtTarget::Unsupported),
        "XX001" | "XX002" => fix(AtTarget::MendData),
        "25P02" => Class::Retry(Retry::AfterBackoff),
        _ => by_class(state),
    }
}

fn by_class(state: &str) -> Class {
    let fix = |remedy: AtTarget| Class::Retry(Retry::fix(remedy));
    match state.get(..2).unwrap_or_default() {
        "08" => Class::Broken,
        "28" => Class::Login,
        // 53: disk, memory, connections. 58: the system around, Greenplum's segments among it.
        // XX000: "tuple concurrently updated" and most of what a lost segment causes.
        "53" | "58" | "XX" | "40" | "57" => Class::Retry(Retry::AfterBackoff),
        "22" => fix(AtTarget::WidenColumn),
        "23" => fix(AtTarget::DropConstraint),
        "21" | "42" => Class::Retry(Retry::Never),
        "54" => fix(AtTarget::Limits),
        "55" => fix(AtTarget::State),
        _ => fix(AtTarget::SeeMessage),
    }
}

/// The server's message with everything that helps to find the spot.
fn words(db: &DbError) -> String {
    let mut text = db.message().to_owned();
    for (label, part) in [
        ("detail", db.detail()),
        ("hint", db.hint()),
        ("context", db.where_()),
        ("constraint", db.constraint()),
    ] {
        // Newer servers name the constraint in the message already.
        if let Some(part) = part.filter(|part| !(label == "constraint" && text.contains(part))) {
            text.push_str("; ");
            text.push_str(label);
            text.push_str(": ");
            text.push_str(&part.replace('\n', " "));
        }
    }
    text
}

/// An error and its causes in one line.
fn chain(error: &tokio_postgres::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let words = inner.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retry_of(state: &str) -> Option<Retry> {
        match class(state, None) {
            Class::Retry(retry) => Some(retry),
            Class::Broken | Class::Login => None,
        }
    }

    #[test]
    fn a_server_that_stops_or_starts_is_a_lost_connection() {
        for state in ["57P01", "57P02", "57P03", "08006", "08003"] {
            assert!(matches!(class(state, None), Class::Broken), "{state}");
        }
    }

    #[test]
    fn what_passes_by_itself_is_tried_again() {
        for state in ["40001", "40P01", "55P03", "55006", "53300", "53100", "58M01", "XX000", "57014"] {
            assert_eq!(retry_of(state), Some(Retry::AfterBackoff), "{state}");
        }
    }

    #[test]
    fn what_needs_a_person_has_a_remedy() {
        for (state, word) in [
            ("42501", "privilege"),
            ("23505", "key"),
            ("22001", "widen"),
            ("23502", "NOT NULL"),
            ("3D000", "database"),
            ("42939", "schemas"),
            ("22023", "parameter"),
        ] {
            let Some(Retry::AfterFix { remedy }) = retry_of(state) else {
                unreachable!("{state} asks for nobody");
            };
            assert!(remedy.to_string().contains(word), "{state}: {remedy}");
        }
    }

    #[test]
    fn a_cause_is_kept_and_told_once() {
        let cause = "nonsense".parse::<tokio_postgres::Config>().unwrap_err();
        let words = cause.to_string();
        let context = ErrorContext { endpoint: "dw (pg:5432/shop)", user: "u", lost: None };
        let error = context.map("connecting", cause);
        let told = error.to_string();
        assert!(told.starts_with("target dw (pg:5432/shop): connecting: "), "{told}");
        assert_eq!(told.matches(&words).count(), 1, "{told}");
        let kept = error.source().and_then(|cause| cause.downcast_ref::<tokio_postgres::Error>());
        assert_eq!(kept.map(ToString::to_string), Some(words));
    }

    #[test]
    fn a_statement_the_server_cannot_read_is_our_fault() {
        assert_eq!(retry_of("42601"), Some(Retry::Never));
    }

    #[test]
    fn a_plan_made_stale_by_an_alter_is_tried_again() {
        assert!(matches!(class("0A000", Some("RevalidateCachedQuery")), Class::Retry(Retry::AfterBackoff)));
        assert!(matches!(retry_of("0A000"), Some(Retry::AfterFix { .. })));
    }
}
