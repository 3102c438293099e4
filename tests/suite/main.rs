//! The suite: the real `rowferry` binary driven against real servers, one module per behaviour.
//!
//! `scripts/servers install` provides the servers, [`harness`] starts them. See the harness for what a test may use.

// Helpers of tests are not inside `#[test]` functions, where clippy.toml allows these.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod harness;

mod apply;
mod harness_works;
mod target;
