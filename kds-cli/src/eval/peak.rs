//! Peak memory of this process.

use std::fs;

/// Forgets the highest point so far, where the system can.
pub fn reset() {
    // Linux: "5" resets VmHWM. Where that is refused, the peak is that of the whole run.
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// Bytes that the process held at most since [`reset`], where the system says it.
pub fn bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_held_is_seen() {
        reset();
        let before = bytes().unwrap();
        let held = std::hint::black_box(vec![1u8; 64 << 20]);
        assert!(bytes().unwrap() >= before + (48 << 20));
        drop(held);
    }
}
