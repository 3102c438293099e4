//! The rowferry daemon and its commands.
fn main() {}
