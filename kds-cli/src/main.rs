//! The program `kds`.

use std::process::ExitCode;

fn main() -> ExitCode {
    kds_cli::run()
}
