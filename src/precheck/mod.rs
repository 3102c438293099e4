//! (precheck)
