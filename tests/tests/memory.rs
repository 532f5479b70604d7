//! Memory is counted before it is taken: budgets hold, runs share, hosts live on.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
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
