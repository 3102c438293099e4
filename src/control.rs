//! The local socket by which a running daemon is told what to do: one line of JSON each way, for who may open it (its owner and root).
//!
//! What must never happen here: a command taken from somebody else, a request without bound in time or size.

use crate::change::command::{Command, Reply};
use std::fs::DirBuilder;
use std::future::Future;
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

/// How long a request may take to come, and an answer to be read.
const TRANSFER: Duration = Duration::from_secs(5);
/// How long the daemon may work at a command; a reload waits for tasks to drain.
const WORK: Duration = Duration::from_secs(180);
/// How long a line may be; a hundred thousand names need a tenth of it.
const LONGEST: u64 = 64 << 20;
/// The socket's name in its folder.
const NAME: &str = "control.sock";

/// A socket that is listened on; its file goes with it.
#[derive(Debug)]
pub struct Socket {
    listener: UnixListener,
    path: PathBuf,
    /// The folder that was made for it.
    folder: Option<PathBuf>,
}

impl Socket {
    /// Listens at `configured`, or, where that is `None`, in the folder that the service manager has made for this daemon, or in one of
    /// its own among the temporary files.
    ///
    /// # Errors
    /// When the place cannot be had.
    pub fn bind(configured: Option<&Path>) -> Result<Self> {
        let (path, folder) = match (configured, std::env::var_os("RUNTIME_DIRECTORY")) {
            (Some(path), _) => (path.to_owned(), None),
            (None, Some(folder)) => (PathBuf::from(folder).join(NAME), None),
            (None, None) => {
                let folder = std::env::temp_dir().join(format!("rowferry-{}", std::process::id()));
                // Nobody else is to reach the socket before it has its mode.
                match DirBuilder::new().mode(0o700).create(&folder) {
                    // One of this number was killed, as in a container, where it is always the same.
                    Err(error) if error.kind() == ErrorKind::AlreadyExists && is_own(&folder)? => {}
                    made => made?,
                }
                (folder.join(NAME), Some(folder))
            }
        };
        // What a daemon that was killed has left. One that lives answers.
        if std::os::unix::net::UnixStream::connect(&path).is_ok() {
            return Err(Error::new(
                ErrorKind::AddrInUse,
                format!("{}: another process listens there", path.display()),
            ));
        }
        match std::fs::symlink_metadata(&path) {
            Ok(found) if found.file_type().is_socket() => std::fs::remove_file(&path)?,
            // What else is there is somebody's; to bind says so.
            Ok(_) | Err(_) => {}
        }
        let listener = UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        Ok(Self { listener, path, folder })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Has each command that comes done by `done`, for as long as it is polled.
    pub async fn serve<D, F>(self, done: D)
    where
        D: Fn(Command) -> F + Clone + Send + 'static,
        F: Future<Output = Reply> + Send + 'static,
    {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let done = done.clone();
                    tokio::spawn(async move {
                        if let Err(error) = answer(stream, done).await {
                            tracing::warn!(%error, "a command over the local socket was not answered");
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "the local socket");
                    tokio::time::sleep(TRANSFER).await;
                }
            }
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let removed = std::fs::remove_file(&self.path);
        let folder = self.folder.as_ref().map_or(Ok(()), std::fs::remove_dir);
        if let Err(error) = removed.and(folder) {
            tracing::debug!(%error, path = %self.path.display(), "the local socket's file stays");
        }
    }
}

/// Whether it is a folder of this user that nobody else may enter.
fn is_own(folder: &Path) -> Result<bool> {
    let (found, own) = (std::fs::symlink_metadata(folder)?, std::fs::metadata("/proc/self")?);
    Ok(found.is_dir() && found.uid() == own.uid() && found.permissions().mode().trailing_zeros() >= 6)
}

async fn answer<D, F>(stream: UnixStream, done: D) -> Result<()>
where
    D: Fn(Command) -> F,
    F: Future<Output = Reply>,
{
    let (read, mut write) = stream.into_split();
    let asked = tokio::time::timeout(TRANSFER, line(read)).await.map_err(|_| ErrorKind::TimedOut)??;
    let reply = match serde_json::from_str(&asked) {
        Ok(command) => done(command).await,
        Err(error) => Reply::failed(
            format!("this daemon ({}) does not know the command: {error}", env!("CARGO_PKG_VERSION")),
            false,
        ),
    };
    let reply = serde_json::to_string(&reply)? + "\n";
    tokio::time::timeout(TRANSFER, write.write_all(reply.as_bytes()))
        .await
        .map_err(|_| ErrorKind::TimedOut)?
}

async fn line(read: impl tokio::io::AsyncRead + Unpin) -> Result<String> {
    let mut line = String::new();
    BufReader::new(read.take(LONGEST)).read_line(&mut line).await?;
    Ok(line)
}

/// Has a command done by the daemon that listens there.
///
/// # Errors
/// When nobody listens, the socket is not for this user, or the answer does not come.
pub async fn tell(path: &Path, command: &Command) -> Result<Reply> {
    let stream = UnixStream::connect(path).await?;
    let (read, mut write) = stream.into_split();
    let asked = serde_json::to_string(command)? + "\n";
    tokio::time::timeout(TRANSFER, write.write_all(asked.as_bytes()))
        .await
        .map_err(|_| ErrorKind::TimedOut)??;
    let answer = tokio::time::timeout(WORK, line(read)).await.map_err(|_| ErrorKind::TimedOut)??;
    Ok(serde_json::from_str(&answer)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::TableName;
    use crate::change::command::Change;

    #[test]
    fn a_folder_that_others_may_enter_is_not_our_own() {
        let folder = std::env::temp_dir().join(format!("rowferry-test-folder-{}", std::process::id()));
        DirBuilder::new().mode(0o700).create(&folder).unwrap();
        assert!(is_own(&folder).unwrap());
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o710)).unwrap();
        assert!(!is_own(&folder).unwrap());
        std::fs::remove_dir(&folder).unwrap();
    }

    #[tokio::test]
    async fn commands_go_there_and_answers_come_back() {
        let folder = std::env::temp_dir().join(format!("rowferry-test-control-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("s.sock");
        // What is left of one that was killed is no hindrance.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let socket = Socket::bind(Some(&path)).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let echo = async |command: Command| Reply { lines: vec![format!("{command:?}")], failure: None };
        let serving = tokio::spawn(socket.serve(echo));
        let (tables, change) = (vec![TableName::new("a", "b\n")], Change::Drop { remove_rows: true });
        let command = Command::Tables { task: Some("t".to_owned()), tables, change };
        let reply = tell(&path, &command).await.unwrap();
        assert_eq!(reply.lines, [format!("{command:?}")]);
        assert_eq!(Socket::bind(Some(&path)).unwrap_err().kind(), ErrorKind::AddrInUse);
        // What is no command is told.
        let mut stream = UnixStream::connect(&path).await.unwrap();
        stream.write_all(b"{\"command\":\"fly\"}\n").await.unwrap();
        let answer = line(stream).await.unwrap();
        assert!(answer.contains("does not know the command"), "{answer}");
        serving.abort();
        assert!(serving.await.unwrap_err().is_cancelled());
        assert!(!path.exists(), "its file stays");
        std::fs::remove_dir(&folder).unwrap();
    }
}
