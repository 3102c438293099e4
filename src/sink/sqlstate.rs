//! From a `tokio_postgres` error to a [`SinkError`]: what broke, and whether trying again can help.
//!
//! The classes follow the PostgreSQL docs, appendix A "PostgreSQL Error Codes", and Greenplum's
//! `errcodes.txt` (58M01 and its neighbours). What must never happen here: the server's DETAIL dropped, or
//! an error that needs a person retried for ever without words.

use super::SinkError;
use crate::change::remedy::COPY_TABLE_AGAIN;
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
    pub(super) fn map(&self, doing: &str, error: &tokio_postgres::Error) -> SinkError {
        let connection = |message: String| SinkError::Connection {
            endpoint: self.endpoint.to_owned(),
            doing: doing.to_owned(),
            message,
        };
        if let Some(db) = error.as_db_error() {
            let state = db.code().code();
            let mut message = words(db);
            if let Some(hope) = goes_on_when(state, db) {
                message.push_str("; ");
                message.push_str(hope);
            }
            return match class(state, db.routine()) {
                Class::Broken => connection(format!("{message} (SQLSTATE {state})")),
                Class::Login => SinkError::Login {
                    endpoint: self.endpoint.to_owned(),
                    user: self.user.to_owned(),
                    remedy: login_remedy(self.user, &message),
                    message,
                },
                Class::Retry(retry) => SinkError::Server {
                    retry: remedy(state, db, doing).map_or(retry, Retry::fix),
                    endpoint: self.endpoint.to_owned(),
                    doing: doing.to_owned(),
                    state: state.to_owned(),
                    message,
                },
            };
        }
        if error.is_closed() {
            return connection(match self.lost {
                Some(lost) => format!("the connection is closed: {lost}"),
                None => "the connection is closed".into(),
            });
        }
        let message = chain(error);
        if message.starts_with("authentication error") || message.contains("password missing") {
            return SinkError::Login {
                endpoint: self.endpoint.to_owned(),
                user: self.user.to_owned(),
                remedy: login_remedy(self.user, &message),
                message,
            };
        }
        if error.source().is_some_and(|cause| cause.downcast_ref::<std::io::Error>().is_some()) {
            return connection(message);
        }
        // Left are misuse of the client (a parameter's type, a column that is not there) and answers that
        // do not follow the protocol: a new version of this program is needed.
        SinkError::Server {
            endpoint: self.endpoint.to_owned(),
            doing: doing.to_owned(),
            state: "none".into(),
            message,
            retry: Retry::Never,
        }
    }
}

/// What can be done about a refused login, as far as the server's words tell (`ClientAuthentication` in
/// PostgreSQL's `auth.c`). A server that speaks another language leaves the general advice.
fn login_remedy(user: &str, message: &str) -> String {
    if message.contains("requires a valid client certificate") {
        return "give cert_file and key_file, with tls = \"require\" or stronger".into();
    }
    if message.contains("certificate authentication failed") {
        return format!(
            "the common name (CN) of the certificate in cert_file must be '{user}', or be mapped to it in pg_ident.conf"
        );
    }
    if message.contains("pg_hba.conf") {
        // "…, no encryption" since PostgreSQL 14, "…, SSL off" before.
        return if message.contains("no encryption") || message.contains("SSL off") {
            format!(
                "set tls = \"require\" or stronger if the server takes '{user}' with TLS only; else add a line for '{user}' from this host to pg_hba.conf"
            )
        } else {
            format!("add a line for '{user}' from this host to pg_hba.conf")
        };
    }
    format!("give the right user and password, or allow '{user}' from this host")
}

/// A remedy that takes more than the SQLSTATE to know.
fn remedy(state: &str, db: &DbError, doing: &str) -> Option<String> {
    match state {
        "23502" => {
            let (schema, table, column) = (db.schema()?, db.table()?, db.column()?);
            let name = TargetName { schema: schema.to_owned(), table: table.to_owned() };
            Some(format!("ALTER TABLE {} ALTER COLUMN {} DROP NOT NULL", qualified(&name), identifier(column)))
        }
        // The only words of the config in any statement.
        "42601" if doing.starts_with("creating table") => Some(
            "correct storage in the table's section: it is what stands in the brackets of CREATE TABLE … WITH (…); without storage report this"
                .to_owned(),
        ),
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
fn goes_on_when(state: &str, db: &DbError) -> Option<&'static str> {
    if is_without_partition(state, db.routine()) {
        return Some(
            "the task goes on when the target table has a partition for this row (or a default partition)",
        );
    }
    // Greenplum, about what a statement may take of its resource queue's memory.
    let about_memory = state == "53000" || state == "53200" || state == "53400";
    (about_memory && db.message().contains("insufficient memory reserved")).then_some(
        "give the role more (ALTER ROLE … SET statement_mem = '250MB'), or lower apply.batch_rows of the task; it goes on by itself then",
    )
}

fn class(state: &str, routine: Option<&str>) -> Class {
    let fix = |remedy: &str| Class::Retry(Retry::fix(remedy));
    match state {
        // Whoever makes partitions may be late.
        _ if is_without_partition(state, routine) => Class::Retry(Retry::AfterBackoff),
        // The server closes the session, starts, stops or recovers.
        "57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "25P04" => Class::Broken,
        "57P04" | "3D000" => fix("create the target database, or correct the database in the target's url"),
        // 57014: somebody cancelled the statement. 25006: a standby that may be promoted soon.
        // 55P03, 40001, 40P01: another session was in the way.
        // 55006: an object is in use.
        "57014" | "25006" | "55P03" | "55006" | "40001" | "40003" | "40P01" | "40000" => {
            Class::Retry(Retry::AfterBackoff)
        }
        "42501" => fix("grant the target user the privilege that the message names, or make it the owner"),
        "23505" => fix(
            "a row with this key exists already: let no other writer write the target table, and drop unique indexes beside the primary key",
        ),
        "23502" => {
            fix("drop the NOT NULL of the column in the target table, or map it to a column that takes NULL")
        }
        "23503" => fix("drop the foreign keys of and to the target table"),
        "23514" => fix("drop the check constraint of the target table"),
        "23P01" => fix("drop the exclusion constraint of the target table"),
        "42P01" | "42703" | "3F000" => {
            fix(&format!("restore the table, column or schema that the message names, or {COPY_TABLE_AGAIN}"))
        }
        "42P07" | "42701" | "42P06" | "42710" => {
            fix("rename or drop the object of that name in the target, or map the source to another name")
        }
        "42939" => fix("map the database to a schema of another name: schemas = { … } of the task"),
        "42704" | "42883" => fix("install the type or function that the message names in the target"),
        "42P16" => fix(
            "a column that the table is partitioned (or distributed) by keeps its type: make the target table anew with the wider column and copy its rows over, which the task then takes for its own",
        ),
        "42804" | "42846" => fix("give the target column the type the precheck asks for"),
        "42809" => fix("let the target be an ordinary table"),
        // Bytes for another type than the column has, too many or too few: somebody has altered it since the task looked.
        "22P03" => Class::Retry(Retry::AfterBackoff),
        "08P01" if routine == Some("pq_copymsgbytes") => Class::Retry(Retry::AfterBackoff),
        "26000" | "08P01" => fix(
            "connect to the server itself: a pooler that shares sessions between transactions is in between",
        ),
        "22023" => fix(
            "the target refuses the value of a parameter or option that the message names: correct it (storage of the table's section, where it is one of WITH (…))",
        ),
        // `_bt_check_third_page` and its forerunners.
        "54000" if routine.is_some_and(|routine| routine.starts_with("_bt_")) => fix(&format!(
            "the key of a row is longer than an index row of the target may be: choose a shorter key with primary_key, or shorten \
                 the row's key in the source, and {COPY_TABLE_AGAIN}; or leave the table out"
        )),
        "58P01" | "58P02" => fix("mend the server's installation: it misses a file"),
        "F0000" | "F0001" => fix("mend the server's configuration"),
        // A statement prepared before somebody's ALTER: a new session prepares it anew.
        "0A000" if routine == Some("RevalidateCachedQuery") => Class::Retry(Retry::AfterBackoff),
        "0A000" => fix("the target does not support this; see the message"),
        "XX001" | "XX002" => fix("the target reports damaged data: mend the server"),
        "25P02" => Class::Retry(Retry::AfterBackoff),
        _ => by_class(state),
    }
}

fn by_class(state: &str) -> Class {
    let fix = |remedy: &str| Class::Retry(Retry::fix(remedy));
    match state.get(..2).unwrap_or_default() {
        "08" => Class::Broken,
        "28" => Class::Login,
        // 53: disk, memory, connections. 58: the system around, Greenplum's segments among it.
        // XX000: "tuple concurrently updated" and most of what a lost segment causes.
        "53" | "58" | "XX" | "40" | "57" => Class::Retry(Retry::AfterBackoff),
        "22" => fix("the target column cannot hold this value: widen it, or choose another type for it"),
        "23" => fix("drop the constraint of the target table that the message names"),
        "21" | "42" => Class::Retry(Retry::Never),
        "54" => fix("the target's limits are too small for this; see the message"),
        "55" => fix("the target object is not in a state for this; see the message"),
        _ => fix("see the target's message; the task goes on when its cause is mended"),
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
            assert!(remedy.contains(word), "{state}: {remedy}");
        }
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
