//! A disk for held rows that is memory, and full.

use crate::harness::{DEADLINE, Scene, eventually};
use std::path::Path;
use std::process::Command;

/// A small file system in memory; it is unmounted when dropped.
struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    /// `None` for who may not mount.
    fn mount(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let options = format!("size={size},mode=1777");
        mount(&["-t", "tmpfs", "-o", &options, "rowferry-test"], folder.path()).then(|| Self { folder })
    }

    fn resize(&self, size: &str) {
        assert!(mount(&["-o", &format!("remount,size={size}")], self.folder.path()), "it can be remounted");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the daemon may have a file open there.
        let ended = Command::new("umount").arg("--lazy").arg(self.folder.path()).status();
        assert!(std::thread::panicking() || ended.expect("umount runs").success(), "it is unmounted");
    }
}

fn mount(arguments: &[&str], folder: &Path) -> bool {
    Command::new("mount").args(arguments).arg(folder).output().is_ok_and(|output| output.status.success())
}

#[tokio::test]
async fn a_full_disk_for_held_rows_is_told_and_waited_for() {
    let Some(disk) = SmallDisk::mount("1m") else {
        eprintln!("NOT TESTED: a small file system cannot be mounted here (that takes root)");
        return;
    };
    let scene = Scene::new("spilling").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY, v LONGTEXT)").await;
    let config = scene
        .config()
        .daemon("spill_dir", &format!("{:?}", disk.folder.path()))
        .task("memory_limit", "\"32MiB\"")
        .task("apply", "{ batch_rows = 20000, batch_bytes = \"4MiB\" }");
    let daemon = scene.start_with(&config).await;
    assert!(daemon.log().contains("spill_dir is memory (tmpfs)"), "{}", daemon.log());
    // An eighth of memory_limit is held in memory; this is twice that.
    let rows: Vec<String> = (1..=8).map(|id| format!("({id}, REPEAT('x', 1048576))")).collect();
    let rows = rows.join(", ");
    scene
        .source
        .sql(&format!(
            "BEGIN; INSERT INTO t VALUES (0, NULL); SAVEPOINT s; INSERT INTO t VALUES {rows}; COMMIT"
        ))
        .await;
    let folder = disk.folder.path().to_string_lossy().into_owned();
    let waits = daemon.wait_task("it waits for room", DEADLINE, |task| task.restarts >= 2).await;
    let log = daemon.log();
    assert!(log.contains(&folder) && log.contains("No space left"), "{waits:?} {log}");
    assert!(log.contains("make room there, or name another folder with spill_dir"), "{log}");
    let (code, why) = daemon.get("/readyz").await.expect("the daemon answers");
    assert_eq!(code, 503, "{why}");
    eventually(DEADLINE, "more attempts fail", async || {
        let (code, why) = daemon.get("/readyz").await.expect("the daemon answers");
        assert_eq!(code, 503, "no attempt is ready while there is no room: {why}");
        daemon.task().await.is_some_and(|task| task.restarts >= 5)
    })
    .await;
    disk.resize("64m");
    daemon.wait_phase("Synchronizing", DEADLINE).await;
    scene.wait_applied(&daemon).await;
    assert_eq!(scene.assert_equal("t").await, 9);
    drop(daemon);
}
