//! What commands print. A reader that goes away (`rowferry status | head`) ends a command quietly, as it ends every other tool.
//!
//! What must never happen here: `println!` and `eprintln!`, which panic when nobody takes what they print.

use super::CliError;
use std::io::Write;

/// Adds one line to a text that is printed later.
macro_rules! line {
    ($text:expr, $($words:tt)*) => {{
        $text.push_str(&format!($($words)*));
        $text.push('\n');
    }};
}
pub(super) use line;

/// Writes `text` to standard output, all of it.
pub fn print(text: &str) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|source| CliError::Output { source })
}

/// Writes a line to standard error, if anybody takes it.
pub fn tell(line: &str) {
    let _ = writeln!(std::io::stderr(), "rowferry: {line}");
}
