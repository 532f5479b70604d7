//! Memory is counted before it is taken: budgets hold, limits of the system are seen, runs share, hosts live on.

use std::fs;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use image::RgbImage;
use kds_tests::command::kds;
use kds_tests::pairs::Pair;
use kds_tests::restorer::{Options, Restorer};

const MIB: u64 = 1 << 20;

/// One at a time: each has the machine's memory.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How `kds` ended.
struct Ended {
    status: ExitStatus,
    /// Bytes that it held at the most.
    peak: u64,
    messages: String,
}

impl Ended {
    /// One line that says why.
    fn refused(&self, word: &str) {
        let Self { status, messages, .. } = self;
        assert!(status.code().is_some_and(|code| code != 0), "{status}: {messages}");
        let errors: Vec<&str> = messages.lines().filter(|line| line.starts_with("kds: ")).collect();
        assert!(matches!(errors[..], [line] if line.contains(word)), "{messages}");
    }
}

/// Runs `kds restore` on a picture; messages go through a file, so that nothing waits for a pipe.
fn restore(folder: &Path, picture: &RgbImage, arguments: &[&str], prepare: impl FnOnce(&mut Command)) -> Ended {
    let path = |name: &str| folder.join(name);
    picture.save(path("in.png")).unwrap();
    let mut command = kds().unwrap();
    command.arg("restore").arg(path("in.png")).arg("-o").arg(path("out.png")).args(["--overwrite", "-v"]);
    command.args(arguments).stdout(Stdio::null()).stderr(fs::File::create(path("messages")).unwrap());
    prepare(&mut command);
    let child = command.spawn().unwrap();
    let (mut status, mut usage) = (0, std::mem::MaybeUninit::<libc::rusage>::zeroed());
    // SAFETY: our own child, which nobody else waits for; both may be written.
    let waited = unsafe { libc::wait4(child.id() as libc::pid_t, &raw mut status, 0, usage.as_mut_ptr()) };
    assert_eq!(waited, child.id() as libc::pid_t);
    // SAFETY: wait4 has filled it in.
    let peak = unsafe { usage.assume_init() }.ru_maxrss as u64 * 1024;
    Ended { status: ExitStatus::from_raw(status), peak, messages: fs::read_to_string(path("messages")).unwrap() }
}

fn picture(width: u32, height: u32) -> RgbImage {
    let kitten = Pair::examples().unwrap().into_iter().find(|pair| pair.name == "kitten").unwrap();
    image::imageops::resize(&kitten.truth, width, height, image::imageops::FilterType::Triangle)
}

/// The numbers of the line that tells what a run takes: its own, and those of the whole process, in bytes.
fn told(messages: &str) -> [u64; 2] {
    let line = messages.lines().find(|line| line.contains("; takes ")).unwrap_or_else(|| panic!("{messages}"));
    let (_, numbers) = line.split_once("; takes ").unwrap();
    let mut mib = numbers.split(' ').filter_map(|word| word.parse::<u64>().ok()).map(|number| number * MIB);
    [mib.next().unwrap(), mib.next().unwrap()]
}

#[test]
fn a_photograph_of_3_megapixels_stays_within_its_budget() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let budget = 1024 * MIB;
    // The result alone has 150 million values, and the largest tiles do not fit.
    let ended =
        restore(folder.path(), &picture(2048, 1536), &["--particles", "1", "--steps", "1", "--memory", "1GiB"], |_| {});
    assert!(ended.status.success(), "{}", ended.messages);
    let [takes, in_all] = told(&ended.messages);
    println!("peak {} MiB, told {} MiB", ended.peak / MIB, in_all / MIB);
    assert!(takes <= budget, "{}", ended.messages);
    let ratio = in_all as f64 / ended.peak as f64;
    assert!((0.8..=1.2).contains(&ratio), "peak {} MiB, told {} MiB", ended.peak / MIB, in_all / MIB);
    assert_eq!(image::image_dimensions(folder.path().join("out.png")).unwrap(), (8192, 6144));
}

#[test]
fn a_budget_too_small_is_one_line_before_work_begins() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let picture = picture(192, 144);
    let ended = restore(folder.path(), &picture, &["--memory", "4MiB"], |_| {});
    ended.refused("not enough memory");
    ended.refused("raise 'memory'");
    assert!(!ended.messages.contains("; takes "), "{}", ended.messages);
}

#[test]
fn limits_of_the_address_space_are_errors() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let picture = picture(96, 64);
    let run = |limit: u64| {
        restore(folder.path(), &picture, &["--steps", "1", "--threads", "1"], |command| {
            let limit = libc::rlimit { rlim_cur: limit, rlim_max: limit };
            // SAFETY: one system call between fork and exec.
            unsafe {
                command.pre_exec(move || match libc::setrlimit(libc::RLIMIT_AS, &raw const limit) {
                    0 => Ok(()),
                    _ => Err(std::io::Error::last_os_error()),
                });
            }
        })
    };
    for limit in [500, 600, 700, 800, 900, 1000, 1200, 1600] {
        let ended = run(limit * MIB);
        // Neither a signal nor a panic of ours.
        let code = ended.status.code();
        println!("{limit} MiB: {:?} {}", ended.status, ended.messages.lines().last().unwrap_or_default());
        assert!(
            code == Some(0) || code.is_some_and(|code| code < 128 && code != 101),
            "{limit} MiB: {:?}\n{}",
            ended.status,
            ended.messages
        );
    }
    let ended = run(4096 * MIB);
    assert!(ended.status.success(), "{}", ended.messages);
}

/// A control group of this process's own group, where it may make one.
struct Group(PathBuf);

impl Group {
    fn new(limit: u64) -> Option<Self> {
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        let first = own.lines().find_map(|line| line.split_once(":memory:"));
        let (folder, file) = match first {
            Some((_, path)) => (format!("/sys/fs/cgroup/memory{path}"), "memory.limit_in_bytes"),
            None => (format!("/sys/fs/cgroup{}", own.lines().find_map(|line| line.strip_prefix("0::"))?), "memory.max"),
        };
        let group = Path::new(&folder).join(format!("kds-test-{}", std::process::id()));
        fs::create_dir(&group).ok()?;
        let group = Self(group);
        fs::write(group.0.join(file), limit.to_string()).ok()?;
        Some(group)
    }

    /// Puts the command into the group before it begins.
    fn hold(&self, command: &mut Command) {
        let file = self.0.join("cgroup.procs");
        // SAFETY: writes a file between fork and exec.
        unsafe { command.pre_exec(move || fs::write(&file, "0")) };
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

#[test]
fn a_control_group_bounds_a_run() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    // Where no group can be made, the trees of files in `memory/system.rs` are what is read, and the run is not bounded.
    let group = Group::new(600 * MIB);
    let bounded = |command: &mut Command| _ = group.as_ref().map(|group| group.hold(command));
    let ended = restore(folder.path(), &picture(192, 192), &["--steps", "1"], bounded);
    assert!(ended.status.success(), "{}: {}", ended.status, ended.messages);
    if group.is_some() {
        assert!(told(&ended.messages)[0] < 600 * MIB, "{}", ended.messages);
        // What cannot fit is refused, not killed: the result alone has 750 MB.
        let ended = restore(folder.path(), &picture(2000, 2000), &["--steps", "1"], bounded);
        ended.refused("not enough memory");
    }
}

#[test]
fn runs_side_by_side_and_in_a_large_host_all_end() {
    let _turn = turn();
    // The host holds 3 GB that are nobody else's business, and allows each run less than that.
    let host = vec![1u8; 3 << 30];
    let restorer = Restorer::open(&Options::default()).unwrap();
    let picture = picture(160, 120);
    for memory in ["auto", "1GiB"] {
        let parameters = [("steps", "1"), ("memory", memory)];
        std::thread::scope(|scope| {
            let runs: Vec<_> =
                (0..2).map(|_| scope.spawn(|| restorer.restore(&picture, &parameters).unwrap())).collect();
            for run in runs {
                assert_eq!(run.join().unwrap().dimensions(), (640, 480));
            }
        });
    }
    assert!(host.iter().step_by(1 << 20).all(|byte| *byte == 1));
}
