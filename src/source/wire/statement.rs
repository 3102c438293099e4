//! Statements whose answer is small: run one, or read its rows as text (`COM_QUERY`,
//! `page_protocol_com_query_response`).

use super::{Wire, fields::Fields, reply};
use crate::source::SourceError;
use bytes::Bytes;

const COM_QUERY: u8 = 0x03;

/// The rows of an answer as text, `None` for NULL.
pub type Rows = Vec<Vec<Option<Bytes>>>;

/// What an answer begins with.
enum Answer {
    /// No rows.
    Done(reply::Ended),
    /// Rows of so many columns follow.
    Columns(u64),
}

impl Wire {
    /// Runs a statement; rows, if it has any, are read and dropped.
    ///
    /// # Errors
    /// What the server answers, with the statement's beginning in it; `SourceErrorKind::Connection`.
    pub async fn execute(&mut self, sql: &str) -> Result<(), SourceError> {
        self.run(sql, |_| {}, |_| Some(())).await
    }

    /// Runs a statement and gives its rows as text, `None` for NULL. For small results: all rows are held at
    /// once, and each value keeps the block alive that it was received in.
    ///
    /// # Errors
    /// As [`Wire::execute`].
    pub async fn query(&mut self, sql: &str) -> Result<Rows, SourceError> {
        self.query_typed(sql).await.map(|(_, rows)| rows)
    }

    /// As [`Wire::query`], with the definitions of the columns as they came (`ColumnDefinition41`).
    ///
    /// # Errors
    /// As [`Wire::execute`].
    pub async fn query_typed(&mut self, sql: &str) -> Result<(Vec<Bytes>, Rows), SourceError> {
        let (mut columns, mut rows) = (Vec::new(), Vec::new());
        self.run(
            sql,
            |column| columns.push(column.clone()),
            |row| {
                rows.push(text_row(row)?);
                Some(())
            },
        )
        .await?;
        Ok((columns, rows))
    }

    /// Runs statements in order and gives the rows of each, as [`Wire::query`] does. They are sent together, so that the answers
    /// cost one round trip, but to a server that does not take that. An error of one is the error of all; those after it are not
    /// run.
    ///
    /// # Errors
    /// As [`Wire::execute`].
    pub async fn script(&mut self, statements: &[&str]) -> Result<Vec<Rows>, SourceError> {
        let mut answers = Vec::with_capacity(statements.len());
        if !self.takes_scripts {
            for statement in statements {
                answers.push(self.query(statement).await?);
            }
            return Ok(answers);
        }
        self.send_statement(&statements.join("; ")).await?;
        loop {
            let sql = statements.get(answers.len()).copied().unwrap_or_default();
            let mut rows = Vec::new();
            let ended = self
                .answer(sql, &mut |_| {}, &mut |row| {
                    rows.push(text_row(row)?);
                    Some(())
                })
                .await?;
            answers.push(rows);
            if !ended.more_results() {
                break;
            }
        }
        self.set_busy(false);
        if answers.len() == statements.len() {
            return Ok(answers);
        }
        Err(self.protocol(format!("{} answers to {} statements", answers.len(), statements.len())))
    }

    /// From here on the server takes one statement at a time, so that nothing can hide behind another's end.
    ///
    /// # Errors
    /// As [`Wire::execute`].
    pub async fn end_scripts(&mut self) -> Result<(), SourceError> {
        const COM_SET_OPTION: u8 = 0x1b;
        const MULTI_STATEMENTS_OFF: u8 = 1;
        self.takes_scripts = false;
        self.send_command(&[COM_SET_OPTION, MULTI_STATEMENTS_OFF, 0]).await?;
        let packet = self.read_packet().await?;
        if reply::eof(&packet).or_else(|| reply::ok(&packet)).is_some() {
            return Ok(());
        }
        Err(self.failed("take one statement at a time", &packet))
    }

    async fn send_statement(&mut self, sql: &str) -> Result<(), SourceError> {
        let mut command = Vec::with_capacity(sql.len() + 1);
        command.push(COM_QUERY);
        command.extend_from_slice(sql.as_bytes());
        self.send_command(&command).await?;
        self.set_busy(true);
        Ok(())
    }

    async fn answer(
        &mut self,
        sql: &str,
        column: &mut impl FnMut(&Bytes),
        row: &mut impl FnMut(&Bytes) -> Option<()>,
    ) -> Result<reply::Ended, SourceError> {
        match self.read_answer(sql).await? {
            Answer::Done(ended) => Ok(ended),
            Answer::Columns(count) => self.read_rows(sql, count, column, row).await,
        }
    }

    async fn run(
        &mut self,
        sql: &str,
        mut column: impl FnMut(&Bytes),
        mut row: impl FnMut(&Bytes) -> Option<()>,
    ) -> Result<(), SourceError> {
        self.send_statement(sql).await?;
        loop {
            let ended = self.answer(sql, &mut column, &mut row).await?;
            if !ended.more_results() {
                self.set_busy(false);
                return Ok(());
            }
        }
    }

    async fn read_rows(
        &mut self,
        sql: &str,
        columns: u64,
        column: &mut impl FnMut(&Bytes),
        row: &mut impl FnMut(&Bytes) -> Option<()>,
    ) -> Result<reply::Ended, SourceError> {
        for _ in 0..columns {
            column(&self.read_packet().await?);
        }
        let packet = self.read_packet().await?;
        if reply::eof(&packet).is_none() {
            return Err(self.failed(&shortened(sql), &packet));
        }
        loop {
            let packet = self.read_packet().await?;
            if packet.first() == Some(&0xFF) {
                return Err(self.failed(&shortened(sql), &packet));
            }
            if let Some(ended) = reply::eof(&packet) {
                return Ok(ended);
            }
            row(&packet).ok_or_else(|| self.protocol("a row shorter than its values"))?;
        }
    }

    async fn read_answer(&mut self, sql: &str) -> Result<Answer, SourceError> {
        let packet = self.read_packet().await?;
        if let Some(ended) = reply::ok(&packet) {
            return Ok(Answer::Done(ended));
        }
        // `fb` asks for a local file and `ff` is an error: neither is a number of columns.
        match Fields(&packet).integer() {
            Some(count) => Ok(Answer::Columns(count)),
            None => Err(self.failed(&shortened(sql), &packet)),
        }
    }

    /// The error that `packet` stands for. An ERR packet ends the statement; anything else leaves the
    /// connection of no use.
    pub(crate) fn failed(&mut self, doing: &str, packet: &[u8]) -> SourceError {
        if packet.first() == Some(&0xFF) {
            self.set_busy(false);
        }
        self.server_error(doing, packet)
    }
}

/// The values of a text row, as slices of the packet.
fn text_row(packet: &Bytes) -> Option<Vec<Option<Bytes>>> {
    let mut fields = Fields(packet);
    let mut row = Vec::new();
    while let Some(first) = fields.0.first() {
        if *first == 0xFB {
            fields.u8()?;
            row.push(None);
        } else {
            row.push(Some(packet.slice_ref(fields.string()?)));
        }
    }
    Some(row)
}

/// The beginning of a statement, for errors.
pub(crate) fn shortened(sql: &str) -> String {
    match sql.char_indices().nth(120) {
        Some((end, _)) => format!("'{}…'", sql.get(..end).unwrap_or(sql)),
        None => format!("'{sql}'"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_row_gives_its_values_and_nulls() {
        let row = text_row(&Bytes::from_static(b"\x031.5\xFB\0")).unwrap();
        assert_eq!(row, [Some(Bytes::from_static(b"1.5")), None, Some(Bytes::new())]);
        assert_eq!(text_row(&Bytes::from_static(b"\x051.5")), None);
    }

    #[test]
    fn a_long_statement_is_shortened_between_characters() {
        assert_eq!(shortened("SELECT 1"), "'SELECT 1'");
        assert_eq!(shortened(&"é".repeat(200)), format!("'{}…'", "é".repeat(120)));
    }
}
