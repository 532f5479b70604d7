//! Memory is counted before it is taken: budgets hold, runs share, hosts live on.

use std::fs;
use std::os::unix::process::ExitStatusExt;
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
#[expect(clippy::zombie_processes, reason = "wait4 waits for it and tells its peak memory")]
fn restore(folder: &Path, picture: &RgbImage, arguments: &[&str]) -> Ended {
    let path = |name: &str| folder.join(name);
    picture.save(path("in.png")).unwrap();
    let mut command = kds().unwrap();
    command.arg("restore").arg(path("in.png")).arg("-o").arg(path("out.png"));
    command.args(arguments).stdout(Stdio::null()).stderr(fs::File::create(path("messages")).unwrap());
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
fn a_photograph_stays_within_its_budget() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let budget = 256 * MIB;
    // The result alone has 19 million values, and the largest tiles do not fit.
    let settings = ["--particles", "1", "--steps", "1", "--memory", "256MiB", "-v"];
    let ended = restore(folder.path(), &picture(768, 512), &settings);
    assert!(ended.status.success(), "{}", ended.messages);
    let [takes, in_all] = told(&ended.messages);
    println!("peak {} MiB, told {} MiB", ended.peak / MIB, in_all / MIB);
    assert!(takes <= budget, "{}", ended.messages);
    let ratio = in_all as f64 / ended.peak as f64;
    assert!((0.8..=1.2).contains(&ratio), "peak {} MiB, told {} MiB", ended.peak / MIB, in_all / MIB);
    assert_eq!(image::image_dimensions(folder.path().join("out.png")).unwrap(), (3072, 2048));
}

#[test]
fn a_budget_too_small_is_one_line_before_work_begins() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let picture = picture(192, 144);
    let ended = restore(folder.path(), &picture, &["--memory", "4MiB"]);
    ended.refused("not enough memory");
    ended.refused("raise 'memory'");
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

/// A program that runs this line of a shell with the command at its end.
fn limited(command: &Command, script: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("{script} \"$0\" \"$@\"")).arg(command.get_program()).args(command.get_args());
    command.get_envs().for_each(|(name, value)| {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    });
    shell
}

/// What `kds restore` says of a small picture within a limit; it may not end by a signal, nor by another's message.
fn restore_within(script: &str) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    picture(64, 64).save(folder.path().join("in.png")).unwrap();
    let mut command = kds().unwrap();
    command.arg("restore").arg(folder.path().join("in.png")).arg("-o").arg(folder.path().join("out.png"));
    command.args(["--steps", "1", "--particles", "1"]);
    let output = limited(&command, script).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code().is_some(), "{script}: {}: {text}", output.status);
    if !output.status.success() {
        let errors: Vec<&str> = text.lines().filter(|line| line.starts_with("kds: ")).collect();
        let told = |line: &str| line.contains("not enough memory") || line.contains("ulimit");
        assert!(matches!(errors[..], [line] if told(line)), "{script}: {}: {text}", output.status);
        assert!(!folder.path().join("out.png").exists());
    }
    (output.status.success(), text)
}

#[test]
fn a_limit_of_the_address_space_is_one_line_or_no_matter() {
    let _turn = turn();
    // In KiB. libtorch alone takes 490 MiB of addresses, and its initialisers and thread pools know no errors.
    let ends = [450_000, 600_000, 730_000, 760_000, 800_000, 1_400_000]
        .map(|limit| restore_within(&format!("ulimit -v {limit} && exec")).0);
    assert!(!ends[0] && !ends[1] && ends[5], "{ends:?}");
    // libtorch is not loaded; the model cannot be opened; the picture cannot be restored.
    let (_, text) = restore_within("ulimit -d 60000 && exec");
    assert!(text.contains("to load libtorch") && text.contains("ulimit -d"), "{text}");
    let [opening, restoring, last] =
        [200_000, 240_000, 500_000].map(|limit| restore_within(&format!("ulimit -d {limit} && exec")));
    assert!(!opening.0 && !opening.1.contains("in.png"), "{}", opening.1);
    assert!(restoring.0 || restoring.1.contains("in.png"), "{}", restoring.1);
    assert!(last.0, "{}", last.1);
}

/// A control group of the first version with a limit, and one within it that has none; `None` where none may be made.
struct Groups(PathBuf);

impl Groups {
    fn new(bytes: u64) -> Option<Self> {
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        let own = own.lines().find_map(|line| line.split_once(":memory:"))?.1.trim_start_matches('/').to_owned();
        let outer = Path::new("/sys/fs/cgroup/memory").join(own).join(format!("kds-test-{}", std::process::id()));
        fs::create_dir(&outer).ok()?;
        let groups = Self(outer);
        fs::write(groups.0.join("memory.limit_in_bytes"), bytes.to_string()).ok()?;
        fs::create_dir(groups.0.join("inner")).ok()?;
        Some(groups)
    }

    fn enter(&self) -> String {
        format!("echo $$ > {}", self.0.join("inner/cgroup.procs").display())
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        // Its processes have ended.
        let _ = fs::remove_dir(self.0.join("inner"));
        let _ = fs::remove_dir(&self.0);
    }
}

/// In a group that the test makes, or that systemd makes for this user. Where neither may be, as in most containers, what
/// the files of a group mean is tested on files of the test's own.
#[test]
fn a_control_group_bounds_a_run() {
    let _turn = turn();
    let within = |mib: u64, more: &str| -> Option<(bool, String)> {
        if let Some(groups) = Groups::new(mib * MIB) {
            return Some(restore_within(&format!("{} {more} && exec", groups.enter())));
        }
        let property = format!("MemoryMax={mib}M");
        let systemd = ["systemd-run", "--user", "--scope", "-q", "-p", &property];
        let works = Command::new(systemd[0]).args(&systemd[1..]).arg("true").output();
        let works = works.is_ok_and(|output| output.status.success());
        works.then(|| restore_within(&format!("true {more} && exec {}", systemd.join(" "))))
    };
    let Some((done, text)) = within(1024, "") else {
        let folder = tempfile::tempdir().unwrap();
        let file = |path: &str, text: &str| {
            fs::create_dir_all(folder.path().join(path).parent().unwrap()).unwrap();
            fs::write(folder.path().join(path), text).unwrap();
        };
        file("proc/self/cgroup", "0::/\n");
        file("proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
        file("sys/fs/cgroup/memory.max", "419430400\n");
        file("sys/fs/cgroup/memory.current", "314572800\n");
        file("sys/fs/cgroup/memory.stat", "inactive_file 104857600\n");
        assert_eq!(kds_engine::memory::System::at(folder.path(), 4096).available(), 200 * MIB);
        return;
    };
    assert!(done, "{text}");
    // Page cache that the group has filled its limit with is given back, and counts as free.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let fill = format!("&& dd if=/dev/zero of={} bs=1M count=300 status=none", folder.path().join("large").display());
    let (done, text) = within(400, &fill).unwrap();
    assert!(done, "{text}");
    let (done, text) = within(100, "").unwrap();
    assert!(!done && text.contains("control group"), "{text}");
}
