//! The worker process behind hosts: it answers as the library in this process does, and no host suffers from its death.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::ops::ControlFlow;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kds_host::{
    Alpha, Channels, Context, ContextOptions, Depth, Error, Format, ImageMut, ImageRef, Job, Library, Log, LogLevel,
    Model, Status,
};
use kds_tests::command::built;
use kds_tests::worker::{computed, serving};
use tempfile::TempDir;

const MODEL: &str = "kds-photo-x1";
/// Enough for a moment in the middle.
const LONG: [(&str, &str); 2] = [("particles", "8"), ("steps", "1000")];
const QUICK: [(&str, &str); 2] = [("particles", "1"), ("steps", "1")];

/// A user's session of its own: where the socket is, and who ends what was started. One at a time has the environment.
struct Session {
    folder: TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Session {
    fn new() -> Self {
        Self::with_idle(120)
    }

    fn with_idle(seconds: u32) -> Self {
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = tempfile::tempdir().unwrap();
        set("XDG_RUNTIME_DIR", folder.path());
        set("XDG_CONFIG_HOME", folder.path());
        set("KDS_WORKER", &built("kds").unwrap());
        set("KDS_WORKER_IDLE", Path::new(&seconds.to_string()));
        Self { folder, _turn: turn }
    }

    fn sockets(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder.path().join("kds")).into_iter().flatten();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    /// The one socket there is.
    fn socket(&self) -> PathBuf {
        let [socket] = &self.sockets()[..] else { panic!("{:?}", self.sockets()) };
        socket.clone()
    }

    /// Processes that serve at a socket of this session.
    fn workers(&self) -> Vec<i32> {
        serving(self.folder.path())
    }

    /// The one worker there is.
    fn worker(&self) -> i32 {
        let workers = self.workers();
        let [worker] = workers[..] else { panic!("{workers:?}") };
        worker
    }

    fn ends(&self, workers: &[i32]) {
        until("the worker ends", || self.workers().iter().all(|worker| !workers.contains(worker)));
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        for worker in self.workers() {
            kill(worker, libc::SIGKILL);
        }
    }
}

fn set(name: &str, value: &Path) {
    // SAFETY: the tests take turns, and between them nothing of this process runs that reads the environment.
    unsafe { std::env::set_var(name, value) };
}

fn kill(process: i32, signal: i32) {
    // SAFETY: a worker that this test has started.
    assert_eq!(unsafe { libc::kill(process, signal) }, 0);
}

fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(60), "not within a minute: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn model() -> Model {
    let context = Context::new(&Library::worker().unwrap(), &ContextOptions::default()).unwrap();
    context.open_model(MODEL, Some("cpu"), None).unwrap()
}

fn job(model: &Model, values: &[(&str, &str)]) -> Job {
    let mut job = model.new_job().unwrap();
    values.iter().for_each(|(name, value)| job.set(name, value).unwrap());
    job
}

/// Restores a small picture of 8 bits.
fn restore(job: &mut Job) -> Result<Vec<u8>, Error> {
    restore_until(job, |_| ControlFlow::Continue(()))
}

fn restore_until(job: &mut Job, mut progress: impl FnMut(u64) -> ControlFlow<()>) -> Result<Vec<u8>, Error> {
    let pixels: Vec<u8> = (0..16 * 12 * 3).map(|index| (index * 37 % 256) as u8).collect();
    let mut output = vec![99; pixels.len()];
    let result = job.run(
        ImageRef::packed(&pixels, Channels::Rgb, 16, 12)?,
        None,
        ImageMut::packed(&mut output, Channels::Rgb, 16, 12)?,
        None,
        Some(&mut |at| progress(at.done)),
    );
    if result.is_err() {
        assert!(output.iter().all(|value| *value == 99), "an error has written pixels");
    }
    result.map(|()| output)
}

#[test]
fn a_worker_answers_as_the_library_does() {
    let session = Session::new();
    // A folder of which only the index is there yet.
    let downloading = tempfile::tempdir().unwrap();
    let index = r#"{"_class_name": "StableDiffusionInpaintPipeline"}"#;
    fs::write(downloading.path().join("model_index.json"), index).unwrap();
    let names: BTreeSet<String> = [
        "model_index.json",
        "scheduler/scheduler_config.json",
        "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors",
        "vae/config.json",
        "vae/diffusion_pytorch_model.safetensors",
        "text_encoder/config.json",
        "text_encoder/model.safetensors",
        "tokenizer/tokenizer.json",
    ]
    .map(str::to_owned)
    .into();
    let answers = |library: Arc<Library>| {
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell = told.clone();
        let log =
            Log { level: LogLevel::Info, tell: Arc::new(move |_, line| tell.lock().unwrap().push(line.to_owned())) };
        let context = Context::new(&library, &ContextOptions { threads: 2, registry: None, log: Some(log) }).unwrap();
        let photo = context.open_model(MODEL, None, None).unwrap();
        let mut job = job(&photo, &[("particles", "2"), ("steps", "3"), ("seed", "7")]);
        let recognised = context.recognise_model(downloading.path(), Some(&names), "downloading").unwrap();
        assert!(recognised.entry.contains("sd-inpaint") && recognised.files.len() > 5, "{recognised:?}");
        let errors = [
            context.recognise_model(session.folder.path(), None, "nothing").unwrap_err(),
            context.open_model("no-such-model", None, None).err().unwrap(),
            context.open_model(MODEL, Some("cuda:77"), None).err().unwrap(),
            context.check_model("no-such-model").unwrap_err(),
            job.set("particles", "0").unwrap_err(),
            job.get("particle").unwrap_err(),
            job.output_size(0, 5).unwrap_err(),
        ];
        let mut reports = Vec::new();
        let pixels = restore_until(&mut job, |done| {
            reports.push(done);
            ControlFlow::Continue(())
        });
        // What a run takes is told in numbers that depend on what the process holds.
        let lines: Vec<_> =
            told.lock().unwrap().iter().filter_map(|line| Some(line.split_once(' ')?.0.to_owned())).collect();
        let mut devices = context.devices().unwrap();
        devices.iter_mut().for_each(|device| device.memory_free = 0);
        let estimate = job.estimate(100, 90).unwrap();
        let answers = (
            (library.version(), library.parameters().unwrap(), context.models().unwrap(), devices),
            (photo.info().unwrap(), photo.device().unwrap(), job.get("seed").unwrap(), job.get("sampler").unwrap()),
            (job.output_size(30, 20).unwrap(), (estimate.tiles, estimate.evaluations, estimate.tile_width)),
            (errors, reports, pixels, recognised),
        );
        (answers, lines, fill(&context))
    };
    let (theirs, lines, filled) = answers(Library::worker().unwrap());
    let (ours, our_lines, our_filled) = answers(Library::open().unwrap());
    assert_eq!(theirs, ours);
    assert!(!lines.is_empty() && our_lines.iter().all(|line| lines.contains(line)), "{lines:?} {our_lines:?}");
    assert!(filled == our_filled, "a hole is filled in another way");
    // One for each device that was asked for, be it there or not.
    assert_eq!(session.workers().len(), 2);
}

/// Fills a hole of a picture of 16 bits with alpha and gaps between its rows, with a confidence map.
fn fill(context: &Context) -> (Vec<u8>, Vec<f32>) {
    let (width, height, stride) = (21, 13, 21 * 8 + 24);
    let format = Format { channels: Channels::RgbAlpha, depth: Depth::U16 };
    let bytes: Vec<u8> = (0..stride * height).map(|index| (index * 31 % 251) as u8).collect();
    let mask: Vec<f32> = (0..width * height).map(|index| if index % 21 > 11 { 1.0 } else { 0.0 }).collect();
    let (mut output, mut confidence) = (vec![7u8; stride * height], vec![0f32; width * height]);
    let (w, h) = (width as u32, height as u32);
    let model = context.open_model("kds-inpaint", None, None).unwrap();
    job(&model, &[("particles", "2"), ("steps", "2")])
        .run(
            ImageRef::strided(&bytes, format, w, h, stride, Alpha::Premultiplied).unwrap(),
            Some(ImageRef::packed(&mask, Channels::Gray, w, h).unwrap()),
            ImageMut::strided(&mut output, format, w, h, stride, Alpha::Premultiplied).unwrap(),
            Some(ImageMut::packed(&mut confidence, Channels::Gray, w, h).unwrap()),
            None,
        )
        .unwrap();
    assert!(output.chunks(stride).all(|row| row[width * 8..].iter().all(|gap| *gap == 7)), "a gap was written to");
    (output, confidence)
}

#[test]
fn runs_are_cancelled_by_answer_by_handle_and_beforehand() {
    let session = Session::new();
    let model = model();
    let answer = restore_until(&mut job(&model, &LONG), |_| ControlFlow::Break(()));
    assert_eq!(answer.unwrap_err().status, Status::Cancelled);

    let mut long = job(&model, &LONG);
    let handle = long.cancel_handle();
    let (begun, begins) = std::sync::mpsc::channel();
    let canceller = std::thread::spawn(move || begins.recv().map(|()| handle.cancel()));
    let by_handle = restore_until(&mut long, |done| {
        if done >= 3 {
            // Nobody listens the second time.
            let _ = begun.send(());
        }
        ControlFlow::Continue(())
    });
    assert_eq!(by_handle.unwrap_err().status, Status::Cancelled);
    canceller.join().unwrap().unwrap();
    assert_eq!(restore(&mut long).unwrap_err().status, Status::Cancelled, "a cancelled job stays cancelled");

    let panics = restore_until(&mut job(&model, &LONG), |_| panic!("window closed"));
    assert!(panics.unwrap_err().message.contains("window closed"));
    restore(&mut job(&model, &QUICK)).unwrap();
    assert_eq!(session.workers().len(), 1);
}

#[test]
fn a_killed_worker_is_an_error_for_that_picture_alone() {
    let session = Session::new();
    let model = model();
    let before = restore(&mut job(&model, &QUICK)).unwrap();
    let first = session.worker();
    let mut long = job(&model, &LONG);
    let mut alive = true;
    let killed = restore_until(&mut long, |done| {
        if done >= 2 && std::mem::take(&mut alive) {
            kill(first, libc::SIGKILL);
        }
        ControlFlow::Continue(())
    });
    let error = killed.unwrap_err();
    assert_eq!(error.status, Status::WorkerLost);
    assert!(error.message.contains("next picture"), "{error}");

    // The socket is stale now. The same model and job go on, with a worker that has just been started.
    let stale = session.socket();
    until("it is gone", || UnixStream::connect(&stale).is_err());
    for (name, value) in QUICK {
        long.set(name, value).unwrap();
    }
    assert_eq!(restore(&mut long).unwrap(), before);
    assert_ne!(session.worker(), first);
    assert_eq!(session.socket(), stale);
    // One that is killed while nobody waits is missed by nobody.
    kill(session.worker(), libc::SIGKILL);
    until("it is gone", || UnixStream::connect(&stale).is_err());
    // The kernel closes the files of a process one after the other.
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(restore(&mut long).unwrap(), before);
}

#[test]
fn a_worker_that_may_not_have_the_memory_says_so_and_goes_on() {
    let session = Session::new();
    let program = session.folder.path().join("kds-with-little-memory");
    let script = format!("#!/bin/sh\nulimit -v 1500000\nexec '{}' \"$@\"\n", built("kds").unwrap().display());
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    set("KDS_WORKER", &program);
    let model = model();
    let small = restore(&mut job(&model, &QUICK)).unwrap();
    let (width, height) = (6000, 5000);
    let pixels = vec![0u8; width * height * 3];
    let mut output = vec![0u8; pixels.len()];
    let (w, h) = (width as u32, height as u32);
    let input = ImageRef::packed(&pixels, Channels::Rgb, w, h).unwrap();
    let large = ImageMut::packed(&mut output, Channels::Rgb, w, h).unwrap();
    let error = job(&model, &QUICK).run(input, None, large, None, None).unwrap_err();
    assert_eq!(error.status, Status::OutOfMemory, "{error}");
    assert_eq!(restore(&mut job(&model, &QUICK)).unwrap(), small);
    assert_eq!(session.workers().len(), 1);
}

/// A control group whose processes may hold so much memory together.
struct Group(PathBuf);

impl Group {
    fn new(bytes: u64) -> Self {
        let unified = Path::new("/sys/fs/cgroup");
        let (root, limit) = match unified.join("cgroup.controllers").exists() {
            true => (unified.to_owned(), "memory.max"),
            false => (unified.join("memory"), "memory.limit_in_bytes"),
        };
        if limit == "memory.max" {
            fs::write(root.join("cgroup.subtree_control"), "+memory").expect("this test runs as root");
        }
        let folder = root.join(format!("kds-test-{}", std::process::id()));
        fs::create_dir(&folder).expect("this test runs as root, where control groups may be made");
        fs::write(folder.join(limit), bytes.to_string()).unwrap();
        Self(folder)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Not before the kernel has buried its processes.
        until("the control group can go", || fs::remove_dir(&self.0).is_ok());
    }
}

#[test]
fn a_worker_that_its_control_group_ends_is_replaced() {
    // Enough for the program, not for the engine. It goes after the workers in it.
    let group = Group::new(20 << 20);
    let session = Session::new();
    let (program, once) = (session.folder.path().join("kds-in-a-group"), session.folder.path().join("once"));
    fs::write(&once, "").unwrap();
    let script = format!(
        "#!/bin/sh\nif [ -e '{once}' ]; then rm '{once}'; echo $$ > '{group}/cgroup.procs'; fi\nexec '{kds}' \"$@\"\n",
        once = once.display(),
        group = group.0.display(),
        kds = built("kds").unwrap().display()
    );
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    set("KDS_WORKER", &program);
    let open = || Context::new(&Library::worker()?, &ContextOptions::default())?.open_model(MODEL, Some("cpu"), None);
    let error = open().err().unwrap();
    assert_eq!(error.status, Status::WorkerLost, "{error}");
    assert!(!once.exists());
    restore(&mut job(&open().unwrap(), &QUICK)).unwrap();
    assert_eq!(session.workers().len(), 1);
}

/// [`worker_host`](../src/bin/worker_host.rs) with these arguments.
fn other_host(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_worker_host"));
    command.args(["--model", MODEL]).args(arguments).stdout(Stdio::piped());
    command
}

#[test]
fn hosts_that_begin_at_once_share_one_worker() {
    let session = Session::new();
    let hosts: Vec<_> = (0..3).map(|_| other_host(&["--calls", "3", "particles=2"]).spawn().unwrap()).collect();
    let mut sums = BTreeSet::new();
    for host in hosts {
        let output = host.wait_with_output().unwrap();
        assert!(output.status.success());
        let lines = String::from_utf8(output.stdout).unwrap();
        sums.extend(lines.lines().map(|line| line.split_once(" pixels ").unwrap().1.to_owned()));
        assert_eq!(lines.lines().count(), 3);
    }
    assert_eq!(sums.len(), 1, "{sums:?}");
    assert_eq!((session.workers().len(), session.sockets().len()), (1, 1));
}

#[test]
fn a_host_that_dies_in_the_middle_leaves_an_idle_worker() {
    let session = Session::with_idle(1);
    let mut host = other_host(&["--side", "64", "particles=8", "steps=1000"]).spawn().unwrap();
    until("a worker is there", || !session.workers().is_empty());
    until("it computes", || session.workers().iter().any(|worker| computed(*worker) > Some(Duration::from_secs(1))));
    let workers = session.workers();
    host.kill().unwrap();
    host.wait().unwrap();
    session.ends(&workers);
    assert!(session.sockets().is_empty());
}

#[test]
fn an_idle_worker_ends_and_is_not_missed() {
    let session = Session::with_idle(1);
    let model = model();
    let first = restore(&mut job(&model, &QUICK)).unwrap();
    let worker = session.worker();
    session.ends(&[worker]);
    assert!(session.sockets().is_empty());
    assert_eq!(restore(&mut job(&model, &QUICK)).unwrap(), first);
    assert_ne!(session.worker(), worker);
}

#[test]
fn a_worker_of_another_version_is_not_used() {
    let session = Session::with_idle(1);
    model();
    let socket = session.socket();
    session.ends(&session.workers());
    let listener = UnixListener::bind(&socket).unwrap();
    let other = std::thread::spawn(move || {
        let hello = br#"{"version":"0.0.9"}"#;
        let (mut connection, _) = listener.accept().unwrap();
        connection.write_all(&(hello.len() as u32).to_le_bytes()).unwrap();
        connection.write_all(hello).unwrap();
        let mut asked = Vec::new();
        connection.read_to_end(&mut asked).unwrap();
        asked
    });
    let error = Context::new(&Library::worker().unwrap(), &ContextOptions::default()).unwrap_err();
    assert_eq!(error.status, Status::LibraryUnavailable);
    assert!(error.message.contains("is KDS 0.0.9") && error.message.contains("install the same version"), "{error}");
    assert!(other.join().unwrap().is_empty(), "it was asked something");
}

#[test]
fn stale_sockets_of_others_go_and_foreign_folders_are_refused() {
    let session = Session::new();
    let folder = session.folder.path().join("kds");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    let error = Context::new(&Library::worker().unwrap(), &ContextOptions::default()).unwrap_err();
    assert!(error.message.contains("others may enter it") && error.message.contains("XDG_RUNTIME_DIR"), "{error}");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    drop(UnixListener::bind(folder.join("cpu-of-an-older-version.socket")).unwrap());
    model();
    assert_eq!(fs::metadata(session.socket()).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!session.socket().ends_with("cpu-of-an-older-version.socket"));

    set("KDS_WORKER", Path::new("/nowhere/kds"));
    let error = Library::worker().unwrap_err();
    assert!(error.message.contains("KDS_WORKER names /nowhere/kds"), "{error}");
}

#[test]
fn another_user_is_not_answered() {
    let session = Session::new();
    model();
    let socket = session.socket();
    // Even where the folder is opened to all: the worker looks who it is.
    for open in [session.folder.path(), socket.parent().unwrap(), &socket] {
        fs::set_permissions(open, fs::Permissions::from_mode(0o777)).unwrap();
    }
    let hears = |user: libc::uid_t| {
        let socket = socket.clone();
        // By the system call itself the identity of one thread alone changes.
        std::thread::spawn(move || {
            // SAFETY: it changes whom the kernel takes this thread for, until it ends.
            assert_eq!(unsafe { libc::syscall(libc::SYS_setresuid, user, user, user) }, 0, "this test runs as root");
            let mut heard = Vec::new();
            let mut connection = UnixStream::connect(&socket).unwrap();
            connection.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
            let _ = connection.read_to_end(&mut heard);
            heard
        })
        .join()
        .unwrap()
    };
    assert!(hears(0).ends_with(b"}"), "the worker's user is greeted");
    assert_eq!(hears(65534), b"");
}

#[test]
fn two_hundred_calls_leave_nothing_behind() {
    let names = |folder: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let ours = |name: &String| name.contains("kds");
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).filter(ours).collect()
    };
    let left = || (names("/tmp"), names("/dev/shm"));
    let session = Session::new();
    let before = left();
    let model = model();
    let files = |process: &str| fs::read_dir(format!("/proc/{process}/fd")).unwrap().count();
    let held = |worker: i32| {
        let status = fs::read_to_string(format!("/proc/{worker}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
    };
    let mut measured = Vec::new();
    for call in 1..=200 {
        let library = Library::worker().unwrap();
        let context = Context::new(&library, &ContextOptions::default()).unwrap();
        let mut job = job(&context.open_model(MODEL, Some("cpu"), None).unwrap(), &QUICK);
        restore(&mut job).unwrap();
        if call == 50 || call == 200 {
            drop((job, context, library));
            let worker = session.worker();
            // Its thread for the connection that was closed last may still be about to end.
            std::thread::sleep(Duration::from_millis(200));
            measured.push((files("self"), files(&worker.to_string()), held(worker)));
        }
    }
    let [(files_then, theirs_then, kib_then), (files_now, theirs_now, kib_now)] = measured[..] else { unreachable!() };
    assert_eq!((files_then, theirs_then), (files_now, theirs_now));
    assert!(kib_now < kib_then + 16 * 1024, "the worker held {kib_then} KiB after 50 calls and {kib_now} after 200");
    let worker = session.worker();
    drop(model);
    kill(worker, libc::SIGTERM);
    session.ends(&[worker]);
    assert!(session.sockets().is_empty());
    assert_eq!(left(), before);
}

#[test]
fn a_worker_keeps_nothing_of_its_host_open() {
    let session = Session::new();
    let (mut reader, writer) = std::io::pipe().unwrap();
    let number = writer.as_raw_fd();
    let mut host = other_host(&["--calls", "1", "particles=1", "steps=1"]);
    // SAFETY: fcntl may be called between fork and exec.
    unsafe {
        host.pre_exec(move || {
            libc::fcntl(number, libc::F_SETFD, 0);
            Ok(())
        });
    }
    let mut host = host.spawn().unwrap();
    drop(writer);
    assert!(host.wait().unwrap().success());
    let worker = session.worker();
    reader.read_to_end(&mut Vec::new()).unwrap();
    // SAFETY: asks only.
    assert_eq!(unsafe { libc::getsid(worker) }, worker, "it would get the signals of the host's terminal");
    assert_eq!(fs::read_link(format!("/proc/{worker}/cwd")).unwrap(), Path::new("/"));
    assert_eq!(fs::read_to_string(format!("/proc/{worker}/oom_score_adj")).unwrap().trim(), "500");
}
