//! Real servers.
fn main() {}
