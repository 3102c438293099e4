//! The local socket: for who may open it, which are its owner and root.
//!
//! What must never happen here: a socket that others can open, one of a daemon that lives taken away.

use super::asker::Peer;
use axum::Router;
use std::fs::DirBuilder;
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tokio::net::UnixListener;

/// The socket's name in its folder.
const NAME: &str = "control.sock";

/// A socket that is listened on; its file goes with it.
#[derive(Debug)]
pub struct Socket {
    listener: UnixListener,
    file: File,
}

/// Its file.
#[derive(Debug)]
struct File {
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
        Ok(Self { listener, file: File { path, folder } })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.file.path
    }

    /// Answers who connects, for as long as it is polled.
    ///
    /// # Errors
    /// When the listener breaks.
    pub async fn serve(self, router: Router) -> Result<()> {
        let Self { listener, file } = self;
        let served = axum::serve(listener, router.into_make_service_with_connect_info::<Peer>()).await;
        drop(file);
        served
    }
}

impl Drop for File {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::TableName;
    use crate::change::command::{Asker, Change, Command, Reason, Reply};
    use crate::control::{Control, Tokens, client, router};
    use futures_util::future::BoxFuture;
    use std::sync::Arc;

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
    async fn requests_go_there_and_answers_come_back() {
        let folder = std::env::temp_dir().join(format!("rowferry-test-control-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("s.sock");
        // What is left of one that was killed is no hindrance.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let socket = Socket::bind(Some(&path)).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let obey = |command: Command, asker: Asker| -> BoxFuture<'static, Reply> {
            Box::pin(async move {
                if command.task() == Some("gone") {
                    return Reply::failed("gone", Reason::UnknownTask);
                }
                Reply { lines: vec![format!("{command:?} {asker}")], failure: None }
            })
        };
        let control = Control { obey: Arc::new(obey), tokens: Tokens::default() };
        let serving = tokio::spawn(socket.serve(router(control)));
        let body = r#"{"tables":["a.b\nc"],"remove_rows":true}"#;
        let reply = client::tell(&path, ("POST", "/api/tasks/t%2Fx/drop"), body).await.unwrap();
        let (tables, change) = (vec![TableName::new("a", "b\nc")], Change::Drop { remove_rows: true });
        let command = Command::Tables { task: "t/x".to_owned(), tables, change };
        let line = reply.lines.concat();
        assert!(line.starts_with(&format!("{command:?}")), "{line}");
        assert!(line.ends_with(&format!("by the local socket (process {})", std::process::id())), "{line}");
        let gone = client::tell(&path, ("POST", "/api/tasks/gone/pause"), "").await.unwrap();
        assert_eq!(gone, Reply::failed("gone", Reason::UnknownTask));
        for (body, why) in [
            ("", "Content-Type"),
            ("{}", "missing field `tables`"),
            (r#"{"tables":[]}"#, "no table is named"),
            (r#"{"tables":["b"]}"#, "write database.table"),
            (r#"{"tables":["a.b"],"remove_rows":true}"#, "remove_rows is for a drop"),
            (r#"{"tables":["a.b"],"force":true}"#, "unknown field `force`"),
        ] {
            let told = client::tell(&path, ("POST", "/api/tasks/t/resync"), body).await.unwrap();
            let failure = told.failure.unwrap();
            assert!(failure.error.contains(why) && !failure.error.contains('\n'), "{body}: {failure:?}");
        }
        assert_eq!(Socket::bind(Some(&path)).unwrap_err().kind(), ErrorKind::AddrInUse);
        serving.abort();
        assert!(serving.await.unwrap_err().is_cancelled());
        assert!(!path.exists(), "its file stays");
        std::fs::remove_dir(&folder).unwrap();
    }
}
