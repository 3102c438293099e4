//! (task)
