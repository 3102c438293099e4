//! Decode and encode.
fn main() {}
