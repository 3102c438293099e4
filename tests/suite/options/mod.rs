//! What each option of a task does, on real servers.

mod existing;
mod initial;
mod many;
mod names;
mod operations;
mod start_position;

use crate::harness::{Comparison, Scene};

impl Scene<'_> {
    /// The rows of a query in the target, fields joined by `|`, NULL as `-`.
    pub async fn seen(&self, query: &str) -> Vec<String> {
        let rows = self.target.sql(query).await;
        let field = |field: Option<String>| field.unwrap_or_else(|| "-".to_owned());
        rows.into_iter().map(|row| row.into_iter().map(field).collect::<Vec<_>>().join("|")).collect()
    }

    /// Compares two tables; panics with their differences.
    async fn assert_same(&self, comparison: Comparison) -> usize {
        comparison.run(self.source.server, &self.target).await.unwrap_or_else(|why| panic!("{why}"))
    }
}
