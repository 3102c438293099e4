//! Questions of a translation, answered in a session set as the one that issued the statement was.
//!
//! Sequence: the session's settings, a look whether the clock and the server are the ones asked for, then the values. The
//! session is of no use for anything else afterwards.
//!
//! What must never happen here: a value that another server or another setting than the statement's has made, given as the
//! statement's; a lost connection taken for the source's answer.

use super::{Server, text};
use crate::change::facts::Flavour;
use crate::change::{
    Answer, AnsweredValue, Asked, ComputedRow, Computing, Literals, Question, Retry, Session, ValueKind,
};
use crate::schema::collation;
use crate::source::wire::fields::Fields;
use crate::source::{SourceError, SourceErrorKind};
use bytes::Bytes;

/// MariaDB's `sql_mode=ORACLE`, under which blocks are written in another way.
const ORACLE: u64 = 0x200;

/// Statements that are no longer than this every server takes that can be used at all.
const SMALL_BYTES: usize = 1 << 19;

/// A setting that only a restart of the server changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its value.
    pub on: bool,
    /// When the server started: seconds since 1970 by its clock.
    pub since: u64,
    /// Which server it is.
    pub server_id: u32,
}

impl Server {
    /// `explicit_defaults_for_timestamp` where the log does not say it and no statement changes it: MySQL 5.6. `None` elsewhere.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn explicit_timestamps(&mut self) -> Result<Option<Setting>, SourceError> {
        if self.flavour != Flavour::MySql || self.version_number >= 50_700 {
            return Ok(None);
        }
        let rows = self
            .rows(
                "SELECT @@explicit_defaults_for_timestamp, @@server_id, UNIX_TIMESTAMP() - VARIABLE_VALUE \
                 FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'UPTIME'",
            )
            .await?;
        let row = rows.first().map(Vec::as_slice).unwrap_or_default();
        // The difference is a double to the server.
        let since = text(row, 2).and_then(|text| text.split('.').next()?.parse().ok());
        let server_id = text(row, 1).and_then(|text| text.parse().ok());
        let (Some(on), Some(server_id), Some(since)) = (text(row, 0), server_id, since) else {
            return Err(self.protocol("no uptime"));
        };
        Ok(Some(Setting { on: on == "1", since, server_id }))
    }

    /// Answers `question` and ends the session.
    ///
    /// # Errors
    /// Those that trying again can help with. What the server says to the question itself is part of the answer.
    pub async fn evaluate(mut self, question: &Question) -> Result<Answer, SourceError> {
        let answer = match self.prepare(question).await {
            Ok(Ok(())) => self.ask(&question.asked, question.session.sql_mode).await,
            Ok(Err(why)) => Ok(Err(why)),
            Err(error) => Err(error),
        };
        let answer = match answer {
            Err(SourceError { kind: SourceErrorKind::Server { message, code, retry, .. }, .. })
                if retry != Retry::AfterBackoff =>
            {
                Ok(Err(format!("the source answers with error {code}: {message}")))
            }
            other => other,
        };
        self.close().await;
        answer
    }

    /// Computes generated columns of rows. The session goes on being of use for this. The inner error is what the server says to it.
    ///
    /// # Errors
    /// Those that trying again can help with.
    pub async fn compute(
        &mut self,
        computing: &Computing,
    ) -> Result<Result<Vec<ComputedRow>, String>, SourceError> {
        let Computing { collation, statements } = computing;
        if !is_plain(collation) {
            return Ok(Err(format!("{collation} is no collation")));
        }
        let longest = statements.iter().map(String::len).max().unwrap_or(0);
        // The server hangs up on what is longer, and that would be tried again for ever.
        if longest > SMALL_BYTES {
            let rows = self.rows("SELECT @@max_allowed_packet").await?;
            let most = rows.first().and_then(|row| text(row, 0)?.parse::<usize>().ok());
            if most.is_none_or(|most| longest >= most) {
                return Ok(Err(format!(
                    "the values of one row take {longest} bytes, more than max_allowed_packet lets in"
                )));
            }
        }
        // Not strict: what did not fit under a strict mode is not in the log.
        let set = format!("SET SESSION collation_connection={collation}");
        let mut rows = Vec::new();
        for statement in [&set].into_iter().chain(statements) {
            match self.query(statement).await {
                Ok(answer) => rows.extend(answer),
                Err(SourceError { kind: SourceErrorKind::Server { message, code, retry, .. }, .. })
                    if retry != Retry::AfterBackoff =>
                {
                    return Ok(Err(format!("the source answers with error {code}: {message}")));
                }
                Err(error) => return Err(error),
            }
        }
        let texts = rows.into_iter().map(|row| row.into_iter().map(|value| value.map(Vec::from)).collect());
        Ok(Ok(texts.collect()))
    }

    /// Sets the session as the statement's was. The inner error says why that is not possible.
    async fn prepare(&mut self, question: &Question) -> Result<Result<(), String>, SourceError> {
        let Question { session, .. } = question;
        // What is asked was written by whoever issued the statement.
        self.wire.end_scripts().await?;
        let mut set = format!("SET SESSION sql_mode={}", session.sql_mode);
        if let Some(zone) = &session.time_zone {
            if zone.contains(['\'', '\\']) {
                return Ok(Err(format!("the time zone of its session, {zone}, is no name of one")));
            }
            set.push_str(&format!(", time_zone='{zone}'"));
        }
        match (&question.literals, session.connection_collation) {
            (Some(Literals::Collation(name) | Literals::Charset(name)), _) if !is_plain(name) => {
                return Ok(Err(format!("{name} is no character set or collation")));
            }
            (Some(Literals::Collation(name)), _) => set.push_str(&format!(", collation_connection={name}")),
            (Some(Literals::Charset(name)), _) => set.push_str(&format!(", character_set_connection={name}")),
            (None, Some(number)) => set.push_str(&format!(", collation_connection={number}")),
            (None, None) => {}
        }
        self.wire.execute(&set).await?;
        if let Err(why) = self.set_collations(session).await? {
            return Ok(Err(why));
        }
        if question.same_server {
            let rows = self.rows("SELECT @@server_id").await?;
            let found = rows.first().and_then(|row| text(row, 0)).unwrap_or_default();
            if found != session.server_id.to_string() {
                return Ok(Err(format!(
                    "its session had the time zone SYSTEM of the server with server_id {}, and the source is the one with {found}",
                    session.server_id
                )));
            }
        }
        self.set_clock(session).await
    }

    /// Lets sets without a collation mean what they meant to the statement, where the log tells it and servers differ in it.
    async fn set_collations(&mut self, session: &Session) -> Result<Result<(), String>, SourceError> {
        match self.flavour {
            Flavour::MySql if self.version_number >= 80_000 => {
                let Some(name) = session.utf8mb4_collation.and_then(collation::name_of) else {
                    return Ok(Ok(()));
                };
                let rows = self.rows("SELECT @@default_collation_for_utf8mb4").await?;
                let found = rows.first().and_then(|row| text(row, 0)).unwrap_or_default();
                // To set it takes a privilege that copying does not.
                if found != name {
                    return Ok(Err(format!(
                        "its session had default_collation_for_utf8mb4 {name}, and those of the source have {found}"
                    )));
                }
            }
            Flavour::MariaDb if self.version_number >= 110_200 => {
                let Some(pairs) = &session.set_collations else { return Ok(Ok(())) };
                let named = pairs.iter().map(|(of, number)| {
                    Some(format!("{}={}", collation::charset_of(*of)?, collation::name_of(*number)?))
                });
                let Some(pairs) = named.collect::<Option<Vec<_>>>() else {
                    return Ok(Err("its session had a collation that is not known here".to_owned()));
                };
                self.wire
                    .execute(&format!("SET SESSION character_set_collations='{}'", pairs.join(",")))
                    .await?;
            }
            Flavour::MySql | Flavour::MariaDb => {}
        }
        Ok(Ok(()))
    }

    /// Sets the session's clock. The variable is a double: the half of a microsecond more keeps the server from cutting one off.
    async fn set_clock(&mut self, session: &Session) -> Result<Result<(), String>, SourceError> {
        let Some((seconds, micros)) = session.started else { return Ok(Ok(())) };
        let Some(micros) = micros else {
            self.wire.execute(&format!("SET SESSION timestamp={seconds}")).await?;
            return Ok(Ok(()));
        };
        let micros = format!("{micros:06}");
        for more in ["5", ""] {
            self.wire.execute(&format!("SET SESSION timestamp={seconds}.{micros}{more}")).await?;
            let rows = self.rows("SELECT NOW(6)").await?;
            let shown = rows.first().and_then(|row| text(row, 0)).unwrap_or_default();
            if shown.ends_with(&format!(".{micros}")) {
                return Ok(Ok(()));
            }
        }
        Ok(Err("the source does not take the microsecond at which the statement began".to_owned()))
    }

    async fn ask(&mut self, asked: &Asked, sql_mode: u64) -> Result<Answer, SourceError> {
        let sql = match asked {
            Asked::Values(values) => format!("SELECT {}", values.join(", ")),
            Asked::Stored { .. } if sql_mode & ORACLE != 0 => {
                return Ok(Err("its session had sql_mode ORACLE".to_owned()));
            }
            Asked::Stored { data_type, expression, shown } => format!(
                "BEGIN NOT ATOMIC DECLARE v {data_type} DEFAULT {expression}; SET SESSION time_zone='+00:00'; \
                 SELECT {}; END",
                shown.join(", ")
            ),
        };
        let (columns, rows) = self.wire.query_typed(&sql).await?;
        let Some(row) = rows.into_iter().next().filter(|row| row.len() == columns.len()) else {
            return Err(self.protocol("an answer without its values"));
        };
        let values = columns.iter().zip(row).map(|(column, value)| {
            let text = value.map(|bytes| bytes.to_vec());
            kind(column).map(|kind| AnsweredValue { kind, text })
        });
        match values.collect::<Option<Vec<_>>>() {
            Some(values) => Ok(Ok(values)),
            None => Err(self.protocol("a column without its type")),
        }
    }
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The kind of a result column, from its `ColumnDefinition41`.
fn kind(definition: &Bytes) -> Option<ValueKind> {
    let mut fields = Fields(definition);
    // Catalog, database, table and column under their alias and their own name; then the length of the rest, which MariaDB
    // puts more texts before where the client asked for them.
    for _ in 0..6 {
        fields.string()?;
    }
    fields.integer()?;
    let collated = fields.u16()?;
    fields.u32()?;
    Some(match fields.u8()? {
        // TINY, SHORT, LONG, LONGLONG, INT24, YEAR
        1..=3 | 8 | 9 | 13 => ValueKind::Integer,
        // DECIMAL, NEWDECIMAL
        0 | 246 => ValueKind::Decimal,
        // FLOAT, DOUBLE
        4 | 5 => ValueKind::Real,
        // TIMESTAMP, DATETIME
        7 | 12 => ValueKind::DateTime,
        10 => ValueKind::Date,
        11 => ValueKind::Time,
        245 => ValueKind::Json,
        // VARCHAR, the BLOBs, VAR_STRING, STRING
        15 | 249..=254 if collated == collation::BINARY => ValueKind::Bytes,
        15 | 249..=254 => ValueKind::Text,
        _ => ValueKind::Other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_a_value_is_read_from_its_columns_definition() {
        let column = |code: u8, collation: u16| {
            let mut bytes = b"\x03def\0\0\0\x011\0\x0c".to_vec();
            bytes.extend(collation.to_le_bytes());
            bytes.extend([1, 0, 0, 0, code, 0, 0, 0, 0, 0]);
            kind(&bytes.into())
        };
        assert_eq!(column(8, 63), Some(ValueKind::Integer));
        assert_eq!(column(253, 63), Some(ValueKind::Bytes));
        assert_eq!(column(253, 45), Some(ValueKind::Text));
        assert_eq!(column(16, 63), Some(ValueKind::Other));
        assert_eq!(kind(&Bytes::from_static(b"\x03de")), None);
    }
}
