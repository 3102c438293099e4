//! temporary
use super::TaskError;
use super::builder::{Translation, Translator};
use super::context::Context;
use super::tables::Tables;
use crate::change::StatementEvent;
pub struct Translate { _context: Context }
impl Translate { pub fn new(context: Context) -> Self { Self { _context: context } } }
impl Translator for Translate {
    fn translate(&self, _tables: &mut Tables, event: &StatementEvent) -> Result<Translation, TaskError> {
        Err(TaskError::Internal(event.sql.clone()))
    }
}
