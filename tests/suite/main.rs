//! The suite: the real `rowferry` binary driven against real servers, one module per behaviour.
//!
//! `scripts/servers install` provides the servers, [`harness`] starts them. See the harness for what a test may use.

// Helpers of tests are not inside `#[test]` functions, where clippy.toml allows these.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::float_cmp)]

mod harness;

mod add_column;
mod apply;
mod asking;
mod bad_input;
mod cascades;
mod chunk_boundaries;
mod commands;
mod control;
mod control_moments;
mod copy_starts_over;
mod cut_off_logs;
mod ddl_around_copy;
mod ddl_effects;
mod ddl_fuzz;
mod ddl_losses;
mod excluded_columns;
mod first_cause;
mod foreign_statements;
mod forgetful_target;
mod framing;
mod generated_columns;
mod going_on;
mod greenplum;
mod handoff_by_source;
mod harness_works;
mod healing;
mod held_up;
mod hidden_columns;
mod histories;
mod honest_lag;
mod hostile_globals;
mod indirect_writes;
mod keys_in_batches;
mod kills;
mod load;
mod loaded_files;
mod mariadb_types;
mod moves_during_copy;
mod one_server;
mod options;
mod outages;
mod paused_tables;
mod pausing;
mod printing;
mod quarantine;
mod refused_events;
mod refused_rows;
mod refused_sessions;
mod remedies;
mod restarts;
mod resumed_copy;
mod resuming;
mod rows_before_errors;
mod savepoints;
mod skipping;
mod source_dies;
mod source_facts;
mod source_positions;
mod sources;
mod spilling;
mod status_waits;
mod story;
mod systemd;
mod tables_come_and_go;
mod target;
mod tls;
mod unknown_commits;
mod upkeep;
mod values;
mod verify;
mod visible_or_logged;
mod whole_transactions;
mod xa;
