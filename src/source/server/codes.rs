//! Numbers of errors that servers answer questions with.

/// `ER_SPECIFIC_ACCESS_DENIED_ERROR`.
pub const DENIED: u16 = 1227;
/// `ER_NO_BINARY_LOGGING`.
pub const NO_LOG: u16 = 1381;
/// `ER_XAER_RMERR`: what XA RECOVER answers without XA_RECOVER_ADMIN (8.0 on).
pub const XA_RECOVER_DENIED: u16 = 1401;
