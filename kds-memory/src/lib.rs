//! Memory of the machine, and the bounds of this process: control groups of both versions, nested, and `ulimit`. Linux;
//! elsewhere nothing is known.

use std::path::{Path, PathBuf};

/// Free memory where the system does not tell.
const UNKNOWN: u64 = 4 << 30;

/// The name of `ulimit -v` in `/proc/self/limits`.
const ADDRESSES: &str = "Max address space";

/// Of what `ulimit` leaves, tensors do not get all: code that is compiled and workspaces come first, and holes between
/// tensors count as addresses, an eighth of the rest.
const BESIDE_TENSORS: u64 = 32 << 20;

/// What `/proc` and `/sys` tell.
pub struct System {
    root: PathBuf,
    page: u64,
}

/// What bounds the memory that a process could still take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// Other programs have the rest.
    Machine,
    /// A control group, as of a container.
    Group,
    /// `ulimit -v` or `ulimit -d`.
    Limit,
}

/// The system that this process runs on.
impl Default for System {
    fn default() -> Self {
        // SAFETY: sysconf only reads.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        Self::at(Path::new("/"), u64::try_from(page).unwrap_or(4096))
    }
}

impl System {
    /// The system whose `proc` and `sys` lie in this folder, with pages of this many bytes.
    pub fn at(root: &Path, page: u64) -> Self {
        Self { root: root.to_owned(), page }
    }

    /// Bytes that this process could still take: what the machine has free, and what each of its control groups and its
    /// limits leave.
    pub fn available(&self) -> u64 {
        self.bound().0
    }

    /// [`Self::available`], and what leaves no more than that.
    pub fn bound(&self) -> (u64, Bound) {
        let machine = (self.meminfo("MemAvailable:").unwrap_or(UNKNOWN), Bound::Machine);
        let groups = self.groups();
        let groups = groups.iter().filter_map(|group| Some((group.free()?, Bound::Group)));
        let limits = self.limits().into_iter().map(|left| (left, Bound::Limit));
        groups.chain(limits).fold(machine, |least, next| if next.0 < least.0 { next } else { least })
    }

    /// Bytes of memory in the machine, or of the smallest control group; 0 where the system does not tell.
    pub fn total(&self) -> u64 {
        let machine = self.meminfo("MemTotal:").unwrap_or(0);
        self.groups().iter().filter_map(Group::limit).fold(machine, u64::min)
    }

    /// Bytes that the process holds (resident set), 0 where the system does not tell.
    pub fn resident(&self) -> u64 {
        self.pages(1).unwrap_or(0)
    }

    fn meminfo(&self, key: &str) -> Option<u64> {
        let text = self.text(Path::new("/proc/meminfo"))?;
        let line = text.lines().find(|line| line.starts_with(key))?;
        Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()?.saturating_mul(1024))
    }

    /// What `ulimit -v` and `ulimit -d` leave.
    fn limits(&self) -> Vec<u64> {
        let left = |name: &str, field: usize| {
            let left = self.limit(name)?.saturating_sub(self.pages(field)?);
            Some(left.saturating_sub(BESIDE_TENSORS) / 8 * 7)
        };
        // `statm` counts the whole address space first, data and stack sixth.
        [left(ADDRESSES, 0), left("Max data size", 5)].into_iter().flatten().collect()
    }

    /// Whether `ulimit -v` bounds this process.
    pub fn limits_addresses(&self) -> bool {
        self.limit(ADDRESSES).is_some()
    }

    fn limit(&self, name: &str) -> Option<u64> {
        let limits = self.text(Path::new("/proc/self/limits"))?;
        let line = limits.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    }

    /// A field of `statm`, in bytes.
    fn pages(&self, field: usize) -> Option<u64> {
        let text = self.text(Path::new("/proc/self/statm"))?;
        Some(text.split_whitespace().nth(field)?.parse::<u64>().ok()?.saturating_mul(self.page))
    }

    /// The control groups that bound this process: its own and those around it.
    fn groups(&self) -> Vec<Group> {
        let (Some(own), Some(mounts)) =
            (self.text(Path::new("/proc/self/cgroup")), self.text(Path::new("/proc/self/mountinfo")))
        else {
            return Vec::new();
        };
        own.lines().filter_map(Membership::parse).flat_map(|group| self.chain(&group, &mounts)).collect()
    }

    /// A group and all groups around it, as far as they are mounted.
    fn chain(&self, group: &Membership, mounts: &str) -> Vec<Group> {
        let Some(mount) = mounts.lines().filter_map(Mount::parse).find(|mount| group.is_in(mount)) else {
            return Vec::new();
        };
        // A container sees its own group as the root of the mount, or is told a path that is not there for it.
        let below = Path::new(group.path).strip_prefix(mount.root).unwrap_or(Path::new(""));
        let outside = below.components().any(|part| part == std::path::Component::ParentDir);
        let top = Path::new(mount.point);
        let own = if outside { top.to_owned() } else { top.join(below) };
        own.ancestors()
            .take_while(|folder| folder.starts_with(top))
            .map(|folder| self.group(folder, group.first_version))
            .collect()
    }

    fn group(&self, folder: &Path, first_version: bool) -> Group {
        let number = |file: &str| self.text(&folder.join(file))?.trim().parse::<u64>().ok();
        let stat = self.text(&folder.join("memory.stat")).unwrap_or_default();
        let counted = |key: &str| {
            let line = stat.lines().find(|line| line.split_whitespace().next() == Some(key));
            line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).unwrap_or(0)
        };
        match first_version {
            true => Group {
                limits: [number("memory.limit_in_bytes"), None],
                used: number("memory.usage_in_bytes"),
                // Its statistics count the groups within only with this prefix.
                page_cache: [counted("total_inactive_file"), counted("total_active_file")],
            },
            false => Group {
                limits: [number("memory.max"), number("memory.high")],
                used: number("memory.current"),
                page_cache: [counted("inactive_file"), counted("active_file")],
            },
        }
    }

    fn text(&self, path: &Path) -> Option<String> {
        let below = path.strip_prefix("/").unwrap_or(path);
        std::fs::read_to_string(self.root.join(below)).ok()
    }
}

/// A line of `/proc/self/cgroup` that is about memory.
struct Membership<'a> {
    path: &'a str,
    first_version: bool,
}

impl<'a> Membership<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut fields = line.splitn(3, ':');
        let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        match controllers {
            "" => Some(Self { path, first_version: false }),
            _ => controllers.split(',').any(|name| name == "memory").then_some(Self { path, first_version: true }),
        }
    }

    fn is_in(&self, mount: &Mount) -> bool {
        match self.first_version {
            true => mount.kind == "cgroup" && mount.options.split(',').any(|option| option == "memory"),
            false => mount.kind == "cgroup2",
        }
    }
}

/// A line of `/proc/self/mountinfo`.
struct Mount<'a> {
    root: &'a str,
    point: &'a str,
    kind: &'a str,
    options: &'a str,
}

impl<'a> Mount<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (mount, system) = line.split_once(" - ")?;
        let (mut mount, mut system) = (mount.split(' ').skip(3), system.split(' '));
        let (root, point) = (mount.next()?, mount.next()?);
        let (kind, _, options) = (system.next()?, system.next()?, system.next()?);
        Some(Self { root, point, kind, options })
    }
}

/// The memory of one control group.
struct Group {
    /// Hard limit, and the one above which the system slows the group down.
    limits: [Option<u64>; 2],
    used: Option<u64>,
    /// Inactive and active.
    page_cache: [u64; 2],
}

impl Group {
    fn limit(&self) -> Option<u64> {
        self.limits.into_iter().flatten().min()
    }

    /// What the group could still take. Page cache is given back when memory is short; of the active half only part, as in
    /// the system's own `MemAvailable`, because libraries in use belong to it.
    fn free(&self) -> Option<u64> {
        let [inactive, active] = self.page_cache;
        Some(self.limit()?.saturating_sub(self.used?.saturating_sub(inactive + active / 2)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// A tree of files in a folder of its own.
    fn system(files: &[(&str, &str)]) -> (tempfile::TempDir, System) {
        let folder = tempfile::tempdir().unwrap();
        let machine = [("proc/meminfo", "MemTotal: 8388608 kB\nMemFree: 1 kB\nMemAvailable: 4194304 kB\n")];
        for (path, text) in machine.iter().chain(files) {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let system = System::at(folder.path(), 4096);
        (folder, system)
    }

    const UNIFIED: (&str, &str) =
        ("proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n");

    #[test]
    fn the_machine_bounds_a_process_without_groups() {
        let (_folder, system) = system(&[]);
        assert_eq!((system.available(), system.total(), system.resident()), (4096 * MIB, 8192 * MIB, 0));
        let nothing = System::at(Path::new("/nonexistent"), 4096);
        assert_eq!((nothing.available(), nothing.total()), (UNKNOWN, 0));
    }

    #[test]
    fn nested_groups_bound_and_page_cache_is_free() {
        // What `systemd-run -p MemoryMax=1G` makes, with a smaller slice around it.
        let (_folder, system) = system(&[
            UNIFIED,
            ("proc/self/cgroup", "0::/user.slice/run-1.scope\n"),
            ("sys/fs/cgroup/user.slice/run-1.scope/memory.max", "1073741824\n"),
            ("sys/fs/cgroup/user.slice/run-1.scope/memory.high", "max\n"),
            ("sys/fs/cgroup/user.slice/run-1.scope/memory.current", "943718400\n"),
            ("sys/fs/cgroup/user.slice/run-1.scope/memory.stat", "anon 1\nfile 2\ninactive_file 734003200\n"),
            ("sys/fs/cgroup/user.slice/memory.max", "max\n"),
            ("sys/fs/cgroup/user.slice/memory.high", "629145600\n"),
            ("sys/fs/cgroup/user.slice/memory.current", "209715200\n"),
            ("sys/fs/cgroup/user.slice/memory.stat", "active_file 20971520\n"),
        ]);
        // The scope leaves 1024 - (900 - 700) MiB, the slice 600 - (200 - 10).
        assert_eq!((system.bound(), system.total()), ((410 * MIB, Bound::Group), 600 * MIB));
    }

    #[test]
    fn the_first_version_of_control_groups_is_read() {
        let (_folder, system) = system(&[
            (
                "proc/self/mountinfo",
                "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n\
                 35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                 41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
            ),
            ("proc/self/cgroup", "5:devices:/\n4:memory:/job/inner\n0::/\n"),
            ("sys/fs/cgroup/memory/job/inner/memory.limit_in_bytes", "9223372036854771712\n"),
            ("sys/fs/cgroup/memory/job/inner/memory.usage_in_bytes", "104857600\n"),
            ("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "419430400\n"),
            ("sys/fs/cgroup/memory/job/memory.usage_in_bytes", "209715200\n"),
            ("sys/fs/cgroup/memory/job/memory.stat", "inactive_file 1\ntotal_inactive_file 104857600\n"),
        ]);
        assert_eq!((system.available(), system.total()), (300 * MIB, 400 * MIB));
    }

    #[test]
    fn a_container_sees_its_group_as_the_root() {
        // With a namespace the path is the root; without one the mount begins at the group.
        for (root, path) in [("/", "/"), ("/docker/1", "/docker/1"), ("/", "/../other")] {
            let (_folder, system) = system(&[
                ("proc/self/mountinfo", &format!("30 23 0:26 {root} /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n")),
                ("proc/self/cgroup", &format!("0::{path}\n")),
                ("sys/fs/cgroup/memory.max", "536870912\n"),
                ("sys/fs/cgroup/memory.current", "104857600\n"),
            ]);
            assert_eq!(system.available(), 412 * MIB, "{root} {path}");
        }
    }

    #[test]
    fn limits_of_the_address_space_bound() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max data size             unlimited            unlimited            bytes     \n\
                      Max address space         1073741824           unlimited            bytes     \n";
        // 512 MiB of addresses, 256 MiB of them in memory.
        let (_folder, system) =
            system(&[("proc/self/limits", limits), ("proc/self/statm", "131072 65536 1 1 0 100 0\n")]);
        assert_eq!((system.bound(), system.resident()), (((512 - 32) / 8 * 7 * MIB, Bound::Limit), 256 * MIB));
        assert!(system.limits_addresses());
    }
}
