//! Side streams: tables that are copied and followed beside the task's main stream until they have come up with it.
//!
//! Sequence for a group of tables: they are recorded as aside, and the main stream passes over them → a side stream copies them from a P0
//! of its own, a table that readers have already beside that one → past P1 it puts copies in the place of the tables that they stand
//! for → when it is near the main stream both hold at one transaction boundary, and the main stream takes the tables over, in one target
//! transaction with its checkpoint. All of it is durable step by step: after a restart each group goes on where it was.
//!
//! `manager` runs the groups that are due, a few at a time; `asked` does what somebody asks of tables meanwhile; `lane` is one group's way, `rest` what
//! lies between two copies of a table; `meet` is where the two streams come together.
//!
//! What must never happen here: a table carried by two streams at a place, or by none.

mod asked;
mod company;
mod lane;
mod manager;
pub(super) mod meet;
pub(super) mod rest;

pub(super) use asked::{
    NOT_PAUSED, PAUSED, PAUSED_ALREADY, RESUMED, check, dropped, may_pause, meets_skipped, on_its_way,
};
pub(super) use company::{BusySides, below};
pub(super) use manager::run_sides;

/// How a side stream's work has ended.
#[derive(Debug)]
enum Ended {
    /// The main stream carries its tables.
    Joined,
    /// It was told to stop.
    Stopped,
    /// None of its tables is left: they are parked, left out, or on record as groups of their own.
    Refused,
}
