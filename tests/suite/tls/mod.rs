//! TLS and passwords on both sides, at real servers with certificates of our own.
//!
//! Whether a connection is encrypted is asked of the server, never of the client. What leaves the client when TLS
//! cannot be had is read off the wire by a [`tap`].

mod accounts;
mod certificates;
mod configs;
mod daemon;
mod matrix;
mod old_server;
mod passwords;
mod plain_server;
mod sources;
mod tap;
mod target_passwords;
mod targets;
