//! Signals to the `kds` command: each ends it with its own exit code, unless the caller had it ignored.

#[expect(dead_code, reason = "a part of the shared helpers is enough")]
mod common;

use std::collections::BTreeSet;
use std::os::unix::process::CommandExt;
use std::process::Child;
use std::time::{Duration, Instant};

use common::{Folder, Run};
use image::{ImageFormat, RgbImage};

/// A run that takes far longer than the test, with these signals ignored, that is under way.
fn long_run(folder: &Folder, ignored: &'static [i32]) -> Child {
    let mut png = std::io::Cursor::new(Vec::new());
    RgbImage::new(24, 20).write_to(&mut png, ImageFormat::Png).unwrap();
    folder.write("in.png", &png.into_inner());
    let arguments = ["restore", "in.png", "--output", "out.png", "--particles", "64", "--steps", "1000"];
    let mut command = folder.command(&arguments);
    // SAFETY: signal may be called between fork and exec; it touches nothing of this process.
    unsafe {
        command.pre_exec(move || {
            for signal in ignored {
                libc::signal(*signal, libc::SIG_IGN);
            }
            Ok(())
        });
    }
    let mut child = command.spawn().unwrap();
    let start = Instant::now();
    // It begins to write after it has installed its handlers.
    while folder.files().len() < 2 {
        assert!(start.elapsed() < Duration::from_secs(120) && child.try_wait().unwrap().is_none());
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

fn send(child: &Child, signal: i32) {
    // SAFETY: the process was started here and not waited for, so the number is still its own.
    assert_eq!(unsafe { libc::kill(child.id().cast_signed(), signal) }, 0);
}

#[test]
fn ignored_signals_stay_ignored_and_others_end_the_run_with_their_own_code() {
    for (ignored, signal, code) in
        [(&[libc::SIGHUP, libc::SIGINT][..], libc::SIGTERM, 143), (&[libc::SIGTERM][..], libc::SIGHUP, 129)]
    {
        let folder = Folder::new();
        let mut child = long_run(&folder, ignored);
        ignored.iter().for_each(|signal| send(&child, *signal));
        std::thread::sleep(Duration::from_secs(1));
        assert!(child.try_wait().unwrap().is_none(), "{ignored:?} ended the run");
        send(&child, signal);
        let run = Run::of(child.wait_with_output().unwrap());
        assert_eq!(run.code, Some(code), "{run:?}");
        assert!(run.errors.contains("stopping") && run.errors.contains("cancelled"), "{run:?}");
        assert_eq!(folder.files(), BTreeSet::from(["in.png".to_owned()]));
    }
}
