//! How much memory there is, and how much this process holds.

use kds_parameters::MemoryBudget;

/// Bytes that the whole process may hold under this budget. `Auto` is what it holds now and half of what is free.
pub fn limit(budget: MemoryBudget) -> u64 {
    match budget {
        MemoryBudget::Bytes(bytes) => bytes,
        MemoryBudget::Auto => resident() + available() / 2,
    }
}

/// Bytes that the process holds now (resident set; Linux: `/proc/self/statm`), 0 where the system does not tell.
pub fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|text| text.split_whitespace().nth(1)?.parse::<u64>().ok());
    // SAFETY: sysconf only reads.
    pages.unwrap_or(0) * unsafe { libc::sysconf(libc::_SC_PAGESIZE) }.max(0) as u64
}

/// Bytes that the system could still give (Linux: `MemAvailable`, and the container's limit where there is one);
/// 4 GiB where the system does not tell.
pub fn available() -> u64 {
    let free = meminfo("MemAvailable:").unwrap_or(4 << 30);
    match (read_number("/sys/fs/cgroup/memory.max"), read_number("/sys/fs/cgroup/memory.current")) {
        (Some(limit), Some(used)) => free.min(limit.saturating_sub(used)),
        _ => free,
    }
}

/// Bytes of memory in the machine, 0 where the system does not tell.
pub fn total() -> u64 {
    meminfo("MemTotal:").unwrap_or(0)
}

fn meminfo(key: &str) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
}

fn read_number(path: &str) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}
