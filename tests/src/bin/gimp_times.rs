//! Measures what the plug-in costs, `cargo xtask gimp-times`: GIMP's start with and without it, and the part of a
//! restoration that does not depend on the picture (a new process, libtorch, the model), for the first call of a session
//! and for the second, with the worker and in the plug-in's own process. And the time that the dialog foretells, over the time that a restoration takes.

use std::ops::ControlFlow;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use kds_host::{Channels, Depth, Format};
use kds_plugin_gimp::pixels::Pixels;
use kds_plugin_gimp::restorer::Models;
use kds_plugin_gimp::settings::Settings;
use kds_plugin_gimp::task::Task;
use kds_tests::gimp::{Session, Version};
use kds_tests::pairs::small_picture;

/// Every measurement is the best of this many: others use the machine too.
const RUNS: usize = 5;

fn main() -> Result<()> {
    let (mut starts, mut calls) = (String::new(), String::new());
    for (name, version) in [("2.10", Version::Two), ("3.0", Version::Three)] {
        let session = Session::new(version, "times")?;
        // As small as it gets: what is left is not restoring.
        let picture = small_picture()?;
        session.write("tiny.png", image::imageops::crop_imm(&picture, 0, 0, 8, 8).to_image())?;
        let words = session.write_words()?.display().to_string();
        let restore = "(kds plug-in-kds-restore image (top-layer image) '(particles 1) '(steps 1))";
        let script = |calls: usize| {
            format!(
                "(load \"{words}\") (define image (load-image (in-folder \"tiny.png\"))) {}",
                vec![restore; calls].join(" ")
            )
        };
        let without_plug_in = Session::new(version, "times-without")?;
        without_plug_in.gimp().unlink()?;
        let plain = |session: &Session| time(session, "#t");
        // A first start makes the profile.
        plain(&without_plug_in)?;
        plain(&session)?;
        let own = Session::new(version, "times-own-process")?;
        own.write("tiny.png", image::imageops::crop_imm(&picture, 0, 0, 8, 8).to_image())?;
        own.write_words()?;
        own.set("KDS_WORKER", "none")?;
        let [mut without, mut with, mut none] = [Duration::MAX; 3];
        let [mut started, mut there, mut again, mut alone, mut alone_again] = [Duration::MAX; 5];
        // In turns, so that whatever else the machine does meets all of them.
        for _ in 0..RUNS {
            without = without.min(plain(&without_plug_in)?);
            with = with.min(plain(&session)?);
            none = none.min(time(&session, &script(0))?);
            end_worker(&session)?;
            started = started.min(time(&session, &script(1))?);
            there = there.min(time(&session, &script(1))?);
            again = again.min(time(&session, &script(2))?);
            alone = alone.min(time(&own, &script(1))?);
            alone_again = alone_again.min(time(&own, &script(2))?);
        }
        let beyond = |time: Duration, base: Duration| time.saturating_sub(base).as_secs_f64();
        let first = beyond(alone, none);
        starts += &format!("| {name} | {:.2} s | {:.2} s |\n", without.as_secs_f64(), with.as_secs_f64());
        calls += &format!(
            "| {name} | {first:.2} s | 1 | {:.2} | {:.2} | {:.2} | {:.2} |\n",
            beyond(alone_again, alone) / first,
            beyond(started, none) / first,
            beyond(there, none) / first,
            beyond(again, there) / first
        );
    }
    println!("| GIMP | start without | start with |\n|---|---|---|\n{starts}");
    println!(
        "| GIMP | first call, own process | is | second call | starts a worker | worker is there | second call |\n\
         |---|---|---|---|---|---|---|\n{calls}"
    );
    println!("\n| procedure | picture | foretold / measured |\n|---|---|---|");
    for task in Task::ALL {
        for side in [128, 320] {
            println!("| {} | {side} x {side} | {:.2} |", task.title(), foretold_over_measured(task, side)?);
        }
    }
    Ok(())
}

/// As the dialog foretells it, with the model's own settings.
fn foretold_over_measured(task: Task, side: i32) -> Result<f64> {
    let settings = Settings::default();
    let restorer = Models::open(task)?.load(&settings)?;
    let speed = restorer.speed(&AtomicBool::new(false))?;
    let [particles] = restorer.own_values(["particles"], 0)?;
    let particles: f64 = particles.parse()?;
    let estimate = restorer.estimate(&settings, side.unsigned_abs(), side.unsigned_abs())?;
    let foretold = speed.estimated(&estimate, particles);
    let picture = Pixels::new(Format { channels: Channels::Rgb, depth: Depth::U8 }, side, side)?;
    let mut mask = Pixels::new(Format { channels: Channels::Gray, depth: Depth::U8 }, side, side)?;
    // All but a frame.
    let side = side.unsigned_abs() as usize;
    for row in 1..side - 1 {
        mask.bytes[row * side + 1..(row + 1) * side - 1].fill(255);
    }
    let start = Instant::now();
    restorer.run(&settings, &picture, Some(&mask), false, &mut |_| ControlFlow::Continue(()))?;
    Ok(foretold / start.elapsed().as_secs_f64())
}

/// The next call starts a new one.
fn end_worker(session: &Session) -> Result<()> {
    while let Some(worker) = session.worker()? {
        let worker = i32::try_from(worker).context("a process number beyond i32")?;
        // SAFETY: kill reads nothing but its arguments.
        unsafe { libc::kill(worker, libc::SIGTERM) };
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn time(session: &Session, script: &str) -> Result<Duration> {
    let mut command = session.console(&[script]);
    let start = Instant::now();
    let output = command.output().context("cannot start GIMP")?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success() && !said.contains("execution error"), "{script}: {said}");
    Ok(start.elapsed())
}
