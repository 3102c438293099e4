//! The service manager's side of the daemon: what it is told over `NOTIFY_SOCKET` (sd_notify(3)), when its watchdog is
//! fed, and the files it hands over as credentials.

use crate::harness::{Config, DEADLINE, Process, Scene, run_folder};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tokio::net::UnixDatagram;

/// The socket of a service manager.
struct Manager {
    path: PathBuf,
    socket: UnixDatagram,
}

impl Manager {
    fn new(name: &str) -> Self {
        let path = run_folder().join(format!("{name}.socket"));
        let socket = UnixDatagram::bind(&path).unwrap();
        Self { path, socket }
    }

    /// Starts `rowferry run` as its service.
    fn start(&self, config: &Config, environment: &[(&str, &str)]) -> Process {
        let mut command = Command::new("setpriv");
        let program = env!("CARGO_BIN_EXE_rowferry");
        command.args(["--pdeathsig", "KILL", "--", program, "run", "-c", &config.file()]);
        command.env("NOTIFY_SOCKET", &self.path).envs(environment.iter().copied());
        Process::start("rowferry", command)
    }

    /// The next message.
    async fn next(&self, waited_for: &str) -> String {
        let mut buffer = [0_u8; 4096];
        let received = tokio::time::timeout(DEADLINE, self.socket.recv(&mut buffer)).await;
        let length = received.unwrap_or_else(|_| panic!("{waited_for} does not come")).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    /// All messages up to the one that contains `word`, which is the last.
    async fn until(&self, word: &str) -> Vec<String> {
        let mut seen = Vec::new();
        loop {
            seen.push(self.next(word).await);
            if seen.last().unwrap().contains(word) {
                return seen;
            }
        }
    }
}

#[tokio::test]
async fn the_service_manager_is_told_ready_status_and_stopping_in_this_order() {
    let scene = Scene::new("systemd_notify").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY)").await;
    let manager = Manager::new("notify");
    let daemon = manager.start(&scene.config(), &[]);
    let mut seen = manager.until("STATUS=main: Synchronizing").await;
    assert!(seen[0].contains("READY=1"), "{seen:?}");
    assert_eq!(seen.iter().filter(|message| message.contains("READY=1")).count(), 1, "{seen:?}");
    daemon.signal("TERM");
    seen.extend(manager.until("STOPPING=1").await);
    assert_eq!(daemon.exit_code(DEADLINE).await, 0);
    // Nobody has asked for the watchdog to be fed.
    assert!(!seen.iter().any(|message| message.contains("WATCHDOG")), "{seen:?}");
}

#[tokio::test]
async fn the_watchdog_is_fed_several_times_in_its_period_and_also_while_nothing_can_be_reached() {
    let scene = Scene::new("systemd_watchdog").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY)").await;
    // Nobody listens there: a restart would mend nothing, so the watchdog must not bite.
    let config = scene.config().source("url", "\"mysql://nobody@127.0.0.1:1\"");
    let manager = Manager::new("watchdog");
    let daemon = manager.start(&config, &[("WATCHDOG_USEC", "4000000")]);
    manager.until("WATCHDOG=1").await;
    let start = Instant::now();
    for _ in 0..3 {
        manager.until("WATCHDOG=1").await;
    }
    let period = Duration::from_secs(4);
    // Four times in a period; less often would be too late on a loaded machine, every quarter of a second a waste.
    assert!(start.elapsed() < period, "{:?}", start.elapsed());
    assert!(start.elapsed() > period / 4, "{:?}", start.elapsed());
    daemon.signal("TERM");
    manager.until("STOPPING=1").await;
    assert_eq!(daemon.exit_code(DEADLINE).await, 0);
}

#[tokio::test]
async fn a_password_is_read_from_the_credentials_directory_of_the_service() {
    let scene = Scene::new("systemd_credentials").await;
    let user = "systemd_credentials";
    scene
        .source
        .sql(&format!(
            "CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1); CREATE USER {user} IDENTIFIED BY 'handed over'; \
             GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT, XA_RECOVER_ADMIN ON *.* TO {user}"
        ))
        .await;
    let folder = run_folder().join("credentials");
    std::fs::create_dir(&folder).unwrap();
    let write = |password: &str| std::fs::write(Path::new(&folder).join("source.pw"), password).unwrap();
    let address = scene.source.server.url().rsplit_once('@').unwrap().1.to_owned();
    let config = scene
        .config()
        .source("url", &format!("\"mysql://{user}@{address}\""))
        .source("password_file", "\"$CREDENTIALS_DIRECTORY/source.pw\"");
    let directory = [("CREDENTIALS_DIRECTORY", folder.to_str().unwrap())];
    let manager = Manager::new("credentials");

    write("handed over\n");
    let daemon = manager.start(&config, &directory);
    manager.until("STATUS=main: Synchronizing").await;
    assert_eq!(scene.assert_equal("t").await, 1);
    daemon.signal("TERM");
    assert_eq!(daemon.exit_code(DEADLINE).await, 0);

    // It is that file that counts.
    write("another\n");
    let daemon = manager.start(&config, &directory);
    let seen = manager.until("STATUS=main: Failed").await;
    let words = seen.last().unwrap();
    assert!(words.contains("STATUS=main: Failed: source src") && words.contains("is refused"), "{words}");
    assert_eq!(words.lines().count(), 1, "{words}");
    daemon.signal("TERM");
    assert_eq!(daemon.exit_code(DEADLINE).await, 0);

    // A config that needs the folder cannot be used without it, and the service is not started again and again (exit code 2).
    assert_eq!(manager.start(&config, &[]).exit_code(DEADLINE).await, 2);
}

#[tokio::test]
async fn the_journal_gets_levels_and_no_second_time_and_one_line_of_each_step() {
    use std::os::unix::fs::MetadataExt;
    let scene = Scene::new("systemd_journal").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1)").await;
    let path = run_folder().join("journal");
    let stream = std::fs::File::create(&path).unwrap();
    let metadata = stream.metadata().unwrap();
    let config = scene.config().daemon("log_level", "\"info\"");
    let manager = Manager::new("journal");
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", env!("CARGO_BIN_EXE_rowferry"), "run", "-c", &config.file()]);
    command.env("NOTIFY_SOCKET", &manager.path);
    command.env("JOURNAL_STREAM", format!("{}:{}", metadata.dev(), metadata.ino())).stderr(stream);
    let daemon = Process::start("rowferry", command);
    manager.until("STATUS=main: Synchronizing").await;
    daemon.signal("TERM");
    assert_eq!(daemon.exit_code(DEADLINE).await, 0);
    let log = std::fs::read_to_string(&path).unwrap();
    for line in log.lines() {
        assert!(line.starts_with("<6>") || line.starts_with("<4>"), "{line}");
        assert!(!line.contains("Z  INFO"), "{line}");
    }
    for step in [
        "<6>rowferry starts version=",
        "the precheck has passed",
        "P0: ",
        "P1: ",
        "CatchingUp",
        "following the log",
        "Synchronizing",
        "draining",
        "drained",
    ] {
        assert!(log.contains(step), "{step} is not in:\n{log}");
    }
}
