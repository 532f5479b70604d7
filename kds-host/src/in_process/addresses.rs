//! Limits of the address space (`ulimit`, Linux): below what libtorch takes to be loaded, its initialisers end the process.

use std::fs;

const MIB: u64 = 1 << 20;
/// Addresses and writable memory that libtorch's CPU part takes when it is loaded and starts its threads: 490 and 30 MiB,
/// and what is left for them would be too little to compute anything with.
const NEEDS: [(&str, &str, &str, u64); 2] =
    [("Max address space", "VmSize:", "-v", 640 * MIB), ("Max data size", "VmData:", "-d", 192 * MIB)];

/// The reason why libtorch cannot be loaded into this process.
pub(crate) fn refused() -> Option<String> {
    let read = |name: &str| fs::read_to_string(format!("/proc/self/{name}")).ok();
    // Where another host in the process has loaded it, it takes nothing more.
    let loaded = || read("maps").is_some_and(|maps| maps.contains("libtorch_cpu.so"));
    too_few(&read("limits")?, &read("status")?).filter(|_| !loaded())
}

fn too_few(limits: &str, status: &str) -> Option<String> {
    NEEDS.iter().find_map(|(limit, held, option, needed)| {
        let left = number(limits, limit)?.saturating_sub(number(status, held)?.saturating_mul(1024));
        (left < *needed).then(|| {
            let (left, needed) = (left / MIB, needed / MIB);
            format!(
                "not enough memory: {needed} MiB are needed to load libtorch, ulimit {option} leaves {left} MiB; raise it, or \
                 take the limit away by `ulimit {option} unlimited`"
            )
        })
    })
}

/// The first number in the line that begins so; `None` for "unlimited".
fn number(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_that_leave_too_little_are_told() {
        let status = "Name:\tkds\nVmSize:\t  102400 kB\nVmData:\t   10240 kB\n";
        let limits = |data: &str, addresses: &str| {
            format!(
                "Limit                     Soft Limit           Hard Limit           Units     \n\
                 Max data size             {data}            unlimited            bytes     \n\
                 Max address space         {addresses}            unlimited            bytes     \n"
            )
        };
        assert_eq!(too_few(&limits("unlimited", "unlimited"), status), None);
        assert_eq!(too_few(&limits("unlimited", "1073741824"), status), None);
        let reason = too_few(&limits("unlimited", "629145600"), status).unwrap();
        assert!(reason.contains("ulimit -v leaves 500 MiB"), "{reason}");
        let reason = too_few(&limits("104857600", "1073741824"), status).unwrap();
        assert!(reason.contains("ulimit -d leaves 90 MiB"), "{reason}");
    }
}
