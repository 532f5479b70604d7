//! Measures what the plug-in costs, `cargo xtask gimp-times`: GIMP's start with and without it, and the part of a
//! restoration that does not depend on the picture (a new process, libtorch, the model), for the first call of a session
//! and for the second.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use kds_tests::gimp::{Session, Version};
use kds_tests::pairs::small_picture;

/// Every measurement is the best of this many: others use the machine too.
const RUNS: usize = 5;

fn main() -> Result<()> {
    println!("| GIMP | start without | start with | first call | second call |\n|---|---|---|---|---|");
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
        let [mut without, mut with, mut none, mut one, mut two] = [Duration::MAX; 5];
        // In turns, so that whatever else the machine does meets all of them.
        for _ in 0..RUNS {
            without = without.min(plain(&without_plug_in)?);
            with = with.min(plain(&session)?);
            none = none.min(time(&session, &script(0))?);
            one = one.min(time(&session, &script(1))?);
            two = two.min(time(&session, &script(2))?);
        }
        let seconds = |time: Duration| format!("{:.2} s", time.as_secs_f64());
        println!(
            "| {name} | {} | {} | {} | {} |",
            seconds(without),
            seconds(with),
            seconds(one.saturating_sub(none)),
            seconds(two.saturating_sub(one))
        );
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
