//! Progress bars of the copy on a terminal; log lines go around them.

use crate::change::status::{Model, TablePhase};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

/// The bars; without a terminal only a way to standard error.
#[derive(Clone, Debug)]
pub struct Bars {
    multi: Option<MultiProgress>,
    bars: Arc<Mutex<BTreeMap<(String, String), ProgressBar>>>,
}

impl Bars {
    /// Bars on a terminal; none otherwise.
    pub fn new(terminal: bool) -> Self {
        Self { multi: terminal.then(MultiProgress::new), bars: Arc::default() }
    }

    /// Draws one bar for each table being copied and removes those of tables that are done.
    pub fn show(&self, model: &Model) {
        let Some(multi) = &self.multi else { return };
        let mut bars = self.bars.lock().unwrap_or_else(PoisonError::into_inner);
        for (task_name, task) in &model.tasks {
            for (table, status) in &task.tables {
                let key = (task_name.clone(), table.clone());
                if status.phase == TablePhase::Snapshotting {
                    let bar = bars.entry(key).or_insert_with(|| {
                        let bar = multi.add(ProgressBar::new(status.estimated_rows.max(1)));
                        if let Ok(style) = ProgressStyle::with_template(
                            "{msg:30!} {bar:30} {human_pos:>12} / ~{human_len} rows  {per_sec:>14}  {eta}",
                        ) {
                            bar.set_style(style);
                        }
                        bar.set_message(table.clone());
                        bar
                    });
                    // The source's row count is an estimate: the bar grows rather than pass its end.
                    bar.set_length(status.estimated_rows.max(status.copied_rows).max(1));
                    bar.set_position(status.copied_rows);
                } else if let Some(bar) = bars.remove(&key) {
                    bar.finish_and_clear();
                }
            }
        }
    }
}

impl Write for Bars {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match &self.multi {
            Some(multi) => multi.suspend(|| std::io::stderr().write(bytes)),
            None => std::io::stderr().write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}
