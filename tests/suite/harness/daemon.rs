//! The program under test: `rowferry run` as a child, and its other commands.

use super::Config;
use super::process::{Process, free_port, new_folder};
use super::wait::{DEADLINE, eventually_some};
use rowferry::testing::change::status::{Model, Phase, TaskStatus};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The built program.
const PROGRAM: &str = env!("CARGO_BIN_EXE_rowferry");

/// How long one HTTP answer may take.
const ANSWER: Duration = Duration::from_secs(5);

/// What a command printed and returned.
#[derive(Debug)]
pub struct Output {
    /// Exit code; 128 + n for death by signal n.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// Runs a `rowferry` command to its end. Panics when it takes longer than [`DEADLINE`].
pub async fn rowferry(arguments: &[&str]) -> Output {
    rowferry_in(&[], arguments).await
}

/// As [`rowferry`], with these variables added to the environment.
pub async fn rowferry_in(environment: &[(&str, &str)], arguments: &[&str]) -> Output {
    use std::os::unix::process::ExitStatusExt;
    let mut command = tokio::process::Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", PROGRAM]).args(arguments);
    command.envs(environment.iter().copied()).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(DEADLINE, command.output()).await;
    let output = output.unwrap_or_else(|_| panic!("rowferry {arguments:?} hangs")).expect("it starts");
    Output {
        code: output.status.code().unwrap_or_else(|| 128 + output.status.signal().unwrap_or(0)),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A `rowferry run` with its own config file and port; killed when dropped.
#[derive(Debug)]
pub struct Daemon {
    folder: PathBuf,
    port: u16,
    process: Mutex<Process>,
}

impl Daemon {
    /// Writes the config and starts the daemon; does not wait for anything.
    pub fn start(config: &Config) -> Self {
        let (folder, port) = (new_folder("daemon"), free_port());
        write_config(&folder, config, port);
        let process = Mutex::new(run(&folder));
        Self { folder, port, process }
    }

    /// Starts it again, killing it first if it still runs.
    pub fn restart(&self) {
        self.with_process(Process::kill9);
        *self.process.lock().unwrap_or_else(PoisonError::into_inner) = run(&self.folder);
    }

    /// Ends it in good order and runs it again.
    pub async fn start_again(&self) {
        self.terminate();
        self.exit_code(DEADLINE).await;
        self.restart();
    }

    /// Writes another config for the next [`Self::restart`].
    pub fn reconfigure(&self, config: &Config) {
        write_config(&self.folder, config, self.port);
    }

    /// The config file.
    pub fn config_path(&self) -> PathBuf {
        self.folder.join("config.toml")
    }

    /// Port of its HTTP listener.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// kill -9; returns when it is gone.
    pub fn kill9(&self) {
        self.with_process(Process::kill9);
    }

    /// SIGTERM; see [`Self::exit_code`].
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends a signal, named without SIG.
    pub fn signal(&self, signal: &str) {
        self.with_process(|process| process.signal(signal));
    }

    /// Its exit code, once it has ended.
    pub fn ended(&self) -> Option<i32> {
        self.with_process(Process::ended)
    }

    /// Waits for its end and gives the exit code; 128 + n for death by signal n.
    pub async fn exit_code(&self, deadline: Duration) -> i32 {
        eventually_some(deadline, "the daemon ends", async || self.ended()).await
    }

    /// Panics with the end of its log when the daemon has ended.
    pub fn assert_alive(&self) {
        if let Some(code) = self.ended() {
            panic!("the daemon ended with code {code}:\n{}", self.log_tail());
        }
    }

    /// Process id.
    pub fn pid(&self) -> u32 {
        self.with_process(Process::pid)
    }

    /// Everything it has written to standard error, over all its lives.
    pub fn log(&self) -> String {
        let bytes = std::fs::read(self.folder.join("stderr.log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The last lines of [`Self::log`].
    pub fn log_tail(&self) -> String {
        tail(&self.folder.join("stderr.log"))
    }

    /// `GET path` on its listener: status code and body. `None` when nobody answers.
    pub async fn get(&self, path: &str) -> Option<(u16, String)> {
        tokio::time::timeout(ANSWER, http_get(self.port, path)).await.ok().flatten()
    }

    /// The status model. `None` when nobody answers yet.
    pub async fn status(&self) -> Option<Model> {
        let (code, body) = self.get("/api/status").await?;
        assert_eq!(code, 200, "/api/status: {body}");
        Some(serde_json::from_str(&body).unwrap_or_else(|error| panic!("/api/status: {error}: {body}")))
    }

    /// The status of the only task.
    pub async fn task(&self) -> Option<TaskStatus> {
        self.status().await?.tasks.into_values().next()
    }

    /// Waits until the only task is in a phase, named as [`Phase::name`] does; in Synchronizing until no table is beside the stream.
    /// Panics at once when the daemon has
    /// ended or the task has failed (and that is not what is waited for).
    pub async fn wait_phase(&self, phase: &str, deadline: Duration) -> TaskStatus {
        let what = format!("the task reaches {phase}");
        self.wait_task(&what, deadline, |task| {
            if task.phase.name() != phase
                && let Some(failure) = failure(task)
            {
                panic!("{failure} while waiting until {what}\n{}", self.log_tail());
            }
            let aside = task.tables.values().any(|table| table.aside);
            task.phase.name() == phase && !(aside && phase == "Synchronizing")
        })
        .await
    }

    /// Waits until the only task's status fulfils a condition; panics with that status when it does not in time.
    pub async fn wait_task(
        &self,
        what: &str,
        deadline: Duration,
        condition: impl Fn(&TaskStatus) -> bool,
    ) -> TaskStatus {
        let last = Mutex::new(None);
        let look = eventually_some(deadline, what, async || {
            self.assert_alive();
            let task = self.task().await;
            let found = task.as_ref().is_some_and(&condition);
            last.lock().unwrap().clone_from(&task);
            task.filter(|_| found)
        });
        // The panic of the deadline alone would not say where the task is.
        let guard = Explain { daemon: self, last: &last };
        let task = look.await;
        std::mem::forget(guard);
        task
    }

    /// Rows of all tables that were not in the target as the stream implied, since the daemon started.
    pub async fn drift(&self) -> u64 {
        let task = eventually_some(DEADLINE, "the daemon answers", async || self.task().await).await;
        task.tables.values().map(|table| table.drift).sum()
    }

    fn with_process<R>(&self, act: impl FnOnce(&Process) -> R) -> R {
        act(&self.process.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Prints where the task was when a wait panics.
struct Explain<'a> {
    daemon: &'a Daemon,
    last: &'a Mutex<Option<TaskStatus>>,
}

impl Drop for Explain<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            eprintln!("last status: {last:#?}\nend of the daemon's log:\n{}", self.daemon.log_tail());
        }
    }
}

/// One sentence when a task has failed.
pub fn failure(task: &TaskStatus) -> Option<String> {
    match &task.phase {
        Phase::Failed { error, remedy } => Some(format!("the task failed: {error} Remedy: {remedy}")),
        _ => None,
    }
}

/// The last 60 lines of a file.
pub fn tail(path: &Path) -> String {
    let text = String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    lines.get(lines.len().saturating_sub(60)..).unwrap_or_default().join("\n")
}

fn write_config(folder: &Path, config: &Config, port: u16) {
    let file = config.render(&format!("127.0.0.1:{port}"));
    std::fs::write(folder.join("config.toml"), file).expect("the config is written");
}

fn run(folder: &Path) -> Process {
    let open = |name| {
        std::fs::File::options().create(true).append(true).open(folder.join(name)).expect("a log file")
    };
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", PROGRAM, "run", "-c"]).arg(folder.join("config.toml"));
    command.stdout(open("stdout.log")).stderr(open("stderr.log"));
    Process::start("rowferry", command)
}

async fn http_get(port: u16, path: &str) -> Option<(u16, String)> {
    http(port, "GET", path, "", "").await
}

/// A request with headers (each with its line end) and a body of JSON, where they are not empty: status code and body. `None` when nobody
/// answers.
pub async fn http(port: u16, method: &str, path: &str, headers: &str, body: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n{kind}{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok()?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let code = head.split_whitespace().nth(1)?.parse().ok()?;
    assert!(!head.to_ascii_lowercase().contains("transfer-encoding: chunked"), "{path} answers in chunks");
    Some((code, body.to_owned()))
}
