//! The program `kds`.

use std::process::ExitCode;

fn main() -> ExitCode {
    // SAFETY: nothing has happened yet.
    unsafe { kds_host::threads::wait_asleep() };
    kds_cli::run()
}
