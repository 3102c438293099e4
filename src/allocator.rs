//! The memory allocator of the process.
//!
//! mimalloc is quick with the many buffers that travel from the source's thread to the target's, but keeps freed pages for
//! a second by default: a large transaction passes through much memory in a second, and all of that would count against
//! `memory_limit`. So freed pages go back at once.

use std::ffi::{c_int, c_long};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay` of `mimalloc.h`, which the crate's constants leave out; the same number in versions 2 and 3.
const PURGE_DELAY: c_int = 15;
/// Milliseconds; 0 is at once.
const AT_ONCE: c_long = 0;

/// Has freed memory given back at once, unless the environment says otherwise. To be called first in `main`.
pub fn give_back_at_once() {
    if std::env::var_os("MIMALLOC_PURGE_DELAY").is_none() {
        // SAFETY: sets one number in a table of the allocator; documented to be called at any time, best before threads start.
        #[allow(unsafe_code)]
        unsafe {
            libmimalloc_sys::mi_option_set(PURGE_DELAY, AT_ONCE);
        }
    }
}
