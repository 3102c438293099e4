//! Asks the daemon that listens where the config says: one plain GET to ourselves, and whose daemon it is.
//!
//! What must never happen here: a proxy asked (this goes to the address in the config, whatever the environment says), an
//! answer without bound in time or size, another config's daemon taken for this one's.

use super::CliError;
use crate::change::status::{Identity, Model};
use crate::config::Config;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long the daemon may take to answer.
const ANSWER: Duration = Duration::from_secs(5);
/// How long an answer may be; ten thousand tables need a tenth of it.
const LONGEST: u64 = 64 << 20;

/// Who answers.
#[derive(Debug)]
pub enum Answer<T> {
    /// The daemon of this config.
    Mine(T),
    /// Nobody listens there, or the config has no listener.
    Nobody,
    /// Somebody else; who, in a sentence.
    Another(String),
}

/// The running daemon's model.
pub async fn model(config: &Config) -> Result<Answer<Model>, CliError> {
    let answer = get(config, "/api/status").await?;
    Ok(judge(config, answer, |model: &Model| model.config.clone()))
}

/// Only which config the daemon runs: small however many tables there are.
pub async fn identity(config: &Config) -> Result<Answer<Identity>, CliError> {
    let answer = get(config, "/api/config").await?;
    Ok(judge(config, answer, Identity::clone))
}

fn judge<T: serde::de::DeserializeOwned>(
    config: &Config,
    answer: Option<Result<Vec<u8>, String>>,
    whose: impl FnOnce(&T) -> Identity,
) -> Answer<T> {
    let listen = &config.daemon.listen;
    let read = match answer {
        None => return Answer::Nobody,
        Some(answer) => answer.and_then(|body| {
            serde_json::from_slice::<T>(&body).map_err(|error| format!("its answer: {error}"))
        }),
    };
    match read {
        Err(why) => {
            Answer::Another(format!("what answers on {listen} is no rowferry of this version ({why})"))
        }
        Ok(read) => {
            let identity = whose(&read);
            if identity.is(&config.identity()) {
                Answer::Mine(read)
            } else {
                let file = if identity.file.is_empty() { "another config" } else { &identity.file };
                Answer::Another(format!(
                    "the daemon that answers on {listen} runs {file}, not this config; give each its own [daemon] listen"
                ))
            }
        }
    }
}

/// `None` when nobody listens; the body of a good answer, or what is wrong with it.
async fn get(config: &Config, path: &str) -> Result<Option<Result<Vec<u8>, String>>, CliError> {
    let listen = &config.daemon.listen;
    if listen.is_empty() {
        return Ok(None);
    }
    let asking = async {
        let Ok(mut stream) = TcpStream::connect(listen.as_str()).await else { return Ok(None) };
        // In HTTP/1.0 an answer is never cut into chunks and ends with the connection.
        let request = format!("GET {path} HTTP/1.0\r\nHost: {listen}\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(LONGEST).read_to_end(&mut answer).await?;
        Ok(Some(body(&answer)))
    };
    match tokio::time::timeout(ANSWER, asking).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => {
            let error: std::io::Error = error;
            Ok(Some(Err(format!("the connection broke: {error}"))))
        }
        Err(_) => Err(CliError::Reply(format!(
            "{listen} took the connection or lets it wait, and gives no whole answer within {} s",
            ANSWER.as_secs()
        ))),
    }
}

/// The body of an answer with status 200 that is whole.
fn body(answer: &[u8]) -> Result<Vec<u8>, String> {
    const END: &[u8] = b"\r\n\r\n";
    let at = answer.windows(END.len()).position(|bytes| bytes == END).ok_or("it speaks no HTTP")?;
    let (head, body) = answer.split_at(at);
    let body = body.get(END.len()..).unwrap_or_default();
    let head = String::from_utf8_lossy(head);
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap_or_default();
    let mut words = status.split(' ');
    if !words.next().is_some_and(|version| version.starts_with("HTTP/1.")) {
        return Err("it speaks no HTTP".to_owned());
    }
    if words.next() != Some("200") {
        return Err(format!("it says {status}"));
    }
    let length = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse::<usize>().ok());
    if length.is_some_and(|length| length != body.len()) {
        return Err("its answer is cut off".to_owned());
    }
    Ok(body.to_vec())
}

#[cfg(test)]
mod tests {
    use super::body;

    #[test]
    fn only_a_whole_good_answer_has_a_body() {
        let good = b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\ncontent-length: 3\r\n\r\nok\n";
        assert_eq!(body(good), Ok(b"ok\n".to_vec()));
        assert_eq!(body(b"HTTP/1.1 200 OK\r\n\r\n"), Ok(Vec::new()));
        for (answer, why) in [
            (&b""[..], "no HTTP"),
            (b"SSH-2.0-x\r\n\r\n", "no HTTP"),
            (b"HTTP/1.1 404 Not Found\r\n\r\n", "404 Not Found"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", "cut off"),
        ] {
            assert!(body(answer).unwrap_err().contains(why), "{why}");
        }
    }
}
