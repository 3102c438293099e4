//! Asks the daemon that listens where the config says: one plain GET to ourselves, and whose daemon it is.
//!
//! What must never happen here: a proxy asked (this goes to the address in the config, whatever the environment says), an
//! answer without bound in time, another config's daemon taken for this one's.

use super::CliError;
use crate::change::status::{Identity, Model};
use crate::config::Config;
use crate::control::client;
use std::time::Duration;
use tokio::net::TcpStream;

/// How long the daemon may take to answer.
const ANSWER: Duration = Duration::from_secs(5);

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
        let Ok(stream) = TcpStream::connect(listen.as_str()).await else { return Ok(None) };
        client::ask(stream, ("GET", path, listen), "").await.map(Some)
    };
    match tokio::time::timeout(ANSWER, asking).await {
        Ok(Ok(answer)) => Ok(answer.map(|answer| match answer? {
            (200, body) => Ok(body),
            (status, _) => Err(format!("it says {status}")),
        })),
        Ok(Err(error)) => Ok(Some(Err(format!("the connection broke: {error}")))),
        Err(_) => Err(CliError::Reply(format!(
            "{listen} took the connection or lets it wait, and gives no whole answer within {} s",
            ANSWER.as_secs()
        ))),
    }
}
