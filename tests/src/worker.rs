//! Worker processes that tests have started, found by the folder of their socket.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// Workers that serve at a socket in this folder.
pub fn serving(folder: &Path) -> Vec<i32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let serves = |process: &i32| {
        let line = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line);
        line.contains("--detached") && line.contains(&*folder.to_string_lossy())
    };
    numbers.filter(serves).collect()
}

/// Time that a process has computed for; none where it is gone.
pub fn computed(process: i32) -> Option<Duration> {
    let status = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name may hold anything.
    let fields: Vec<_> = status.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some(Duration::from_millis(10 * (ticks(11)? + ticks(12)?)))
}

/// The worker in this folder, once it is in the middle of a long run: it has computed for longer than loading takes.
///
/// # Panics
/// Where there is none within a minute.
pub fn in_the_middle(folder: &Path) -> i32 {
    let start = Instant::now();
    loop {
        let busy = |process: &i32| computed(*process).is_some_and(|time| time > Duration::from_secs(3));
        if let Some(process) = serving(folder).into_iter().find(busy) {
            return process;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "no worker has computed for 3 seconds within a minute");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Ends it as the kernel does.
///
/// # Panics
/// Where there is no such process.
pub fn kill(process: i32) {
    // SAFETY: a worker that a test has started.
    assert_eq!(unsafe { libc::kill(process, libc::SIGKILL) }, 0);
}
