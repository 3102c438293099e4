//! Child processes that cannot outlive the test process, their folder, and free ports.

use super::wait::{DEADLINE, eventually_some};
use std::collections::HashSet;
use std::fs;
use std::net::TcpListener;
use std::ops::Deref;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

type Request = (Command, mpsc::Sender<std::io::Result<Child>>);

/// Starts all children. The kernel's parent-death signal fires when the *thread* that started a child ends, and
/// the thread of a test ends long before the process; this one does not.
static SPAWNER: LazyLock<mpsc::Sender<Request>> = LazyLock::new(|| {
    let (sender, requests) = mpsc::channel::<Request>();
    std::thread::Builder::new()
        .name("spawner".to_owned())
        .spawn(move || {
            for (mut command, reply) in requests {
                let _ = reply.send(command.spawn());
            }
        })
        .expect("a thread");
    sender
});

/// A folder that ends with the test process.
static RUN_FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder =
        tempfile::Builder::new().prefix("rowferry-test-").tempdir().expect("a temporary folder").keep();
    // PostgreSQL may run as another user.
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("permissions");
    if std::env::var_os("ROWFERRY_TEST_KEEP").is_some() {
        eprintln!("the servers' folder is kept: {}", folder.display());
        return folder;
    }
    // Statics are never dropped and a killed process cleans nothing up, so a shell waits for our end of the pipe
    // to close. Servers may still be dying then, hence the attempts.
    let script = r#"trap "" INT TERM HUP; cat >/dev/null; n=0
        while [ -e "$1" ] && [ $n -lt 50 ]; do rm -rf "$1" 2>/dev/null; n=$((n+1)); sleep 0.2; done"#;
    let mut janitor = Command::new("sh");
    janitor.args(["-c", script, "janitor"]).arg(&folder);
    janitor.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    let child = janitor.spawn().expect("a shell");
    // Its standard input stays open as long as this process lives.
    std::mem::forget(child);
    folder
});

/// The folder of this test process; removed at its end.
pub fn run_folder() -> &'static Path {
    &RUN_FOLDER
}

/// A new folder inside [`run_folder`].
pub fn new_folder(prefix: &str) -> PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let folder = run_folder().join(format!("{prefix}-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
    fs::create_dir(&folder).expect("a new folder");
    folder
}

/// The folder of one server. Removed when dropped, not at the end of all: what the private servers of a whole run write is
/// more than many a disk has free. To be dropped after its server's [`Process`].
#[derive(Debug)]
pub struct ServerFolder(PathBuf);

impl ServerFolder {
    /// A new one.
    pub fn new(prefix: &str) -> Self {
        Self(new_folder(prefix))
    }
}

impl Deref for ServerFolder {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for ServerFolder {
    fn drop(&mut self) {
        if std::env::var_os("ROWFERRY_TEST_KEEP").is_none()
            && let Err(error) = fs::remove_dir_all(&self.0)
        {
            eprintln!("{} is removed at the end only: {error}", self.0.display());
        }
    }
}

/// A TCP port on loopback that nobody listens on and this process has not handed out before.
///
/// Below the range that the kernel takes for outgoing connections, so that nobody gets it while a server restarts.
pub fn free_port() -> u16 {
    static TAKEN: LazyLock<Mutex<HashSet<u16>>> = LazyLock::new(Mutex::default);
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let mut seed = u64::from(now.subsec_nanos()) ^ u64::from(std::process::id()).rotate_left(20);
    for _ in 0..10_000 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let port = 15_000 + u16::try_from((seed >> 33) % 17_000).expect("below 17,000");
        if !taken.contains(&port) && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            taken.insert(port);
            return port;
        }
    }
    panic!("no free port between 15000 and 32000");
}

/// `scripts/servers` with its arguments.
pub fn servers_script() -> Command {
    Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/servers"))
}

/// Runs a `scripts/servers` command that ends by itself; panics with what it said when it fails.
pub async fn servers(arguments: &[&str]) {
    let mut command = servers_script();
    command.args(arguments).stdin(Stdio::null());
    let output =
        tokio::task::spawn_blocking(move || command.output()).await.expect("no panic").expect("it starts");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "scripts/servers {arguments:?}: {words}");
}

/// A running child; killed when dropped, and by the kernel when the test process ends.
#[derive(Debug)]
pub struct Process {
    name: String,
    pid: u32,
    child: Mutex<Child>,
}

impl Process {
    /// Starts a command, which must arrange its parent-death signal itself (`setpriv --pdeathsig`).
    pub fn start(name: &str, mut command: Command) -> Self {
        // Ctrl-C at the terminal is for the test process, not for the servers.
        command.stdin(Stdio::null()).process_group(0);
        let (reply, answer) = mpsc::channel();
        SPAWNER.send((command, reply)).expect("the spawner lives");
        let child =
            answer.recv().expect("the spawner answers").unwrap_or_else(|error| panic!("{name}: {error}"));
        Self { name: name.to_owned(), pid: child.id(), child: Mutex::new(child) }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Processor time that it and its children have used, in seconds.
    pub fn processor_seconds(&self) -> f64 {
        let children: f64 = children(self.pid).into_iter().map(|pid| used(pid).0).sum();
        let (own, ended) = used(self.pid);
        own + ended + children
    }

    /// Its exit code once it has ended; death by signal n is 128 + n, as shells say it.
    pub fn ended(&self) -> Option<i32> {
        use std::os::unix::process::ExitStatusExt;
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        let status = child.try_wait().expect("the child can be waited for")?;
        Some(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)))
    }

    /// Waits for its end and gives the exit code.
    pub async fn exit_code(&self, deadline: Duration) -> i32 {
        eventually_some(deadline, &format!("{} ends", self.name), async || self.ended()).await
    }

    /// Sends a signal, named without SIG, to the process itself. After STOP it stands still.
    pub fn signal(&self, signal: &str) {
        send_signal(signal, &[self.pid]);
        if signal == "STOP" {
            // A thread that has the processor may answer somebody yet.
            let until = Instant::now() + DEADLINE;
            while is_at_work(self.pid) {
                assert!(Instant::now() < until, "{} does not stop", self.pid);
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }

    /// Sends a signal to the process and its children (a PostgreSQL server is many processes).
    pub fn signal_all(&self, signal: &str) {
        let mut pids = vec![self.pid];
        pids.extend(children(self.pid));
        send_signal(signal, &pids);
    }

    /// SIGKILL to the process and its children; returns when all of them are gone: a PostgreSQL does not start while a
    /// backend of its last life is attached to its memory.
    pub fn kill9(&self) {
        if self.ended().is_none() {
            // Stopped first, so that it starts no child that would be missed.
            self.signal("STOP");
            let children = children(self.pid);
            self.signal_all("KILL");
            self.child.lock().unwrap_or_else(PoisonError::into_inner).wait().expect("it can be waited for");
            while children.iter().any(|pid| is_running(*pid)) {
                std::thread::yield_now();
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill9();
    }
}

fn send_signal(signal: &str, pids: &[u32]) {
    // The shell's own `kill`: a small machine may have no other. A pid that has just ended is no error.
    let list = pids.iter().map(u32::to_string).collect::<Vec<_>>().join(" ");
    let _ = Command::new("sh")
        .args(["-c", &format!("kill -s {signal} {list}")])
        .stderr(Stdio::null())
        .status()
        .expect("a shell");
}

/// Whether a thread of the process is neither stopped nor at its end.
fn is_at_work(pid: u32) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return false };
    threads.flatten().any(|thread| {
        let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
        state.is_some_and(|state| !matches!(state, 'T' | 't' | 'Z' | 'X'))
    })
}

/// Processor time of a process in seconds, and of those of its children that have ended.
fn used(pid: u32) -> (f64, f64) {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> =
        stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().collect()).unwrap_or_default();
    // utime, stime, cutime, cstime, of which the last two are the children's.
    let seconds = |field: usize| {
        fields.get(field).and_then(|ticks| ticks.parse::<f64>().ok()).unwrap_or(0.0) / TICKS_PER_SECOND
    };
    (seconds(11) + seconds(12), seconds(13) + seconds(14))
}

/// The process ids whose parent is `parent`.
fn children(parent: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| state_and_parent(*pid).is_some_and(|(_, of)| of == parent)).collect()
}

/// Whether a process has not ended; one that only waits for its parent to ask how has.
fn is_running(pid: u32) -> bool {
    state_and_parent(pid).is_some_and(|(state, _)| !["Z", "X"].contains(&state.as_str()))
}

fn state_and_parent(pid: u32) -> Option<(String, u32)> {
    // `pid (name) state parent …`, and the name may hold anything.
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut after_name = stat.rsplit_once(')')?.1.split_whitespace();
    Some((after_name.next()?.to_owned(), after_name.next()?.parse().ok()?))
}
