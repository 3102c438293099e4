//! Asks a daemon over a connection: one plain request in HTTP/1.0, whose answer is never cut into chunks and ends with the connection.
//!
//! What must never happen here: an answer that is cut off taken for a whole one.

use crate::change::command::Reply;
use std::io::{Error, ErrorKind, Result};
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;

/// How long the daemon may work at a command; a reload waits for tasks to drain.
const WORK: Duration = Duration::from_secs(300);
/// How long an answer may be, in bytes; ten thousand tables need a tenth of it.
const LONGEST: u64 = 64 << 20;

/// What was answered: the status, and the body.
pub type Answer = (u16, Vec<u8>);

/// Sends a request, with a body of JSON where there is one, and reads the answer. Of an answer that is none it says why.
///
/// # Errors
/// When the connection breaks.
pub async fn ask(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    (method, path, host): (&str, &str, &str),
    body: &str,
) -> Result<std::result::Result<Answer, String>> {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
    let length = body.len();
    let request =
        format!("{method} {path} HTTP/1.0\r\nHost: {host}\r\n{kind}Content-Length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(LONGEST).read_to_end(&mut answer).await?;
    Ok(read(&answer))
}

/// Has something done by the daemon whose local socket is there.
///
/// # Errors
/// When nobody listens, the socket is not for this user, or the answer does not come or is none.
pub async fn tell(socket: &Path, (method, path): (&str, &str), body: &str) -> Result<Reply> {
    let stream = UnixStream::connect(socket).await?;
    let asking = ask(stream, (method, path, "rowferry"), body);
    let answer = tokio::time::timeout(WORK, asking).await.map_err(|_| ErrorKind::TimedOut)??;
    let (_, body) = answer.map_err(|why| Error::new(ErrorKind::InvalidData, why))?;
    Ok(serde_json::from_slice(&body)?)
}

/// The status and the body of an answer that is whole.
fn read(answer: &[u8]) -> std::result::Result<Answer, String> {
    const END: &[u8] = b"\r\n\r\n";
    let at = answer.windows(END.len()).position(|bytes| bytes == END).ok_or("it speaks no HTTP")?;
    let (head, body) = answer.split_at(at);
    let body = body.get(END.len()..).unwrap_or_default();
    let head = String::from_utf8_lossy(head);
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    if !words.next().is_some_and(|version| version.starts_with("HTTP/1.")) {
        return Err("it speaks no HTTP".to_owned());
    }
    let status = words.next().and_then(|status| status.parse().ok()).ok_or("it speaks no HTTP")?;
    let length = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse::<usize>().ok());
    if length.is_some_and(|length| length != body.len()) {
        return Err("its answer is cut off".to_owned());
    }
    Ok((status, body.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn only_a_whole_answer_is_one() {
        let good = b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\ncontent-length: 3\r\n\r\nok\n";
        assert_eq!(read(good), Ok((200, b"ok\n".to_vec())));
        assert_eq!(read(b"HTTP/1.1 404 Not Found\r\n\r\n"), Ok((404, Vec::new())));
        for (answer, why) in [
            (&b""[..], "no HTTP"),
            (b"SSH-2.0-x\r\n\r\n", "no HTTP"),
            (b"HTTP/1.1 abc\r\n\r\n", "no HTTP"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", "cut off"),
        ] {
            assert!(read(answer).unwrap_err().contains(why), "{why}");
        }
    }
}
