//! The folder for rows that must be held and do not fit into memory, looked at when the daemon starts and not when it is needed.

use crate::change::remedy::InConfig;
use crate::config::Config;
use rustix::fs::fstatfs;

/// File systems that are memory (`statfs(2)`): tmpfs and ramfs.
const IN_MEMORY: [i64; 2] = [0x0102_1994, 0x8584_58f6];

const WHAT: &str =
    "rows of XA transactions and after savepoints go there when they do not fit into memory_limit";

/// Has files without a name made in `spill_dir`, and warns when that will not do.
pub fn set_up(config: &Config) {
    let folder = &config.daemon.spill_dir;
    // It is the same for all tasks; only the first word counts, and this is it.
    if tempfile::env::override_temp_dir(folder).is_err() {
        tracing::debug!("the folder for temporary files is set already");
    }
    let spill_dir = folder.to_string_lossy().into_owned();
    match tempfile::tempfile() {
        Err(error) => {
            tracing::warn!(spill_dir, %error, remedy = %InConfig::SpillToDisk, "spill_dir cannot be written to: {WHAT}");
        }
        Ok(file) if fstatfs(&file).is_ok_and(|system| IN_MEMORY.contains(&system.f_type)) => {
            tracing::warn!(
                spill_dir,
                remedy = %InConfig::SpillToDisk,
                "spill_dir is memory (tmpfs): {WHAT}, and would fill it"
            );
        }
        Ok(_) => {}
    }
}
