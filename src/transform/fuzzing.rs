//! What the fuzzer calls (`fuzz/`) beside the room's own face.

use super::json;

/// Prints `document`, and what `differences` make of it.
pub fn json(document: &[u8], differences: &[u8]) {
    let mut out = Vec::new();
    let _ = json::print_document(document, &mut out);
    out.clear();
    if json::apply_differences(document, differences, &mut out).is_ok() {
        let changed = std::mem::take(&mut out);
        let _ = json::print_document(&changed, &mut out);
    }
}
