//! The rowferry daemon and its commands.

mod allocator;

use clap::Parser;
use rowferry::{Arguments, Exit};
use std::process::ExitCode;

fn main() -> ExitCode {
    allocator::give_back_at_once();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let usage = error.use_stderr();
            return match error.print() {
                Ok(()) if !usage => ExitCode::SUCCESS,
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Exit::NoReader.into(),
                Ok(()) | Err(_) => Exit::Usage.into(),
            };
        }
    };
    match rowferry::execute(arguments) {
        Ok(exit) => exit.into(),
        Err(error) => {
            rowferry::report(&error);
            error.exit().into()
        }
    }
}
