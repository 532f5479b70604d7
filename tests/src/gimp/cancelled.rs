//! A restoration that ends before it is done, as GIMP ends it when a person presses Cancel: by killing the plug-in.

use std::fs;
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::pixels::write_pictures;
use super::{Session, Version};

/// A restoration of a thousand steps that is killed once the worker samples leaves the image untouched and nothing to undo,
/// the script is told, and the next restoration of the same GIMP works.
pub fn a_killed_restoration_leaves_the_image_untouched(version: Version) -> Result<()> {
    let session = Session::new(version, "killed")?;
    write_pictures(&session)?;
    let (facts, killed) = scope(|scope| {
        let killer = scope.spawn(|| kill_once_it_samples(&session));
        let facts = session.run(
            "(define image (load-image (in-folder \"rgb.png\")))
             (define layer (top-layer image))
             (save-layer layer \"before.png\")
             (gimp-image-clean-all image)
             (tell-failure \"killed\" (kds plug-in-kds-restore image layer '(steps 1000) '(particles 32)))
             (tell \"changed\" (car (gimp-image-is-dirty image)))
             (save-layer layer \"after.png\")
             (gimp-image-clean-all image)
             (kds plug-in-kds-restore image layer)
             (tell \"changed by the next\" (car (gimp-image-is-dirty image)))",
        );
        (facts, killer.join())
    });
    killed.map_err(|_| anyhow::anyhow!("the thread that kills has panicked"))??;
    let facts = facts?;
    ensure!(facts["killed"] != "no failure", "a thousand steps were done before the plug-in was killed");
    ensure!(["0", "#f"].contains(&facts["changed"].as_str()), "the image has changed: {facts:?}");
    ensure!(session.read("before.png")? == session.read("after.png")?, "the pixels have changed");
    ensure!(["1", "#t"].contains(&facts["changed by the next"].as_str()), "the next did nothing: {facts:?}");
    Ok(())
}

/// Kills the plug-in with what GIMP's Cancel kills it with.
fn kill_once_it_samples(session: &Session) -> Result<()> {
    // Loading the model takes a fraction of this, a thousand steps of 32 particles a multiple.
    const SAMPLING: Duration = Duration::from_secs(3);
    let begun = Instant::now();
    let mut at_first = None;
    loop {
        ensure!(begun.elapsed() < Duration::from_secs(180), "the worker was not seen to sample");
        sleep(Duration::from_millis(50));
        let (Some(process), Some(time)) = (session.plug_in()?, session.worker()?.and_then(processor_time)) else {
            continue;
        };
        if time > *at_first.get_or_insert(time) + SAMPLING {
            let process = i32::try_from(process).context("a process number beyond i32")?;
            // SAFETY: kill reads nothing but its arguments.
            ensure!(unsafe { libc::kill(process, libc::SIGKILL) } == 0, "cannot kill the plug-in");
            return Ok(());
        }
    }
}

/// How long a process has used processors for, if it is there (proc(5), `/proc/PID/stat`).
fn processor_time(process: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name, in parentheses, may hold spaces.
    let fields: Vec<u64> =
        stat.rsplit_once(')')?.1.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect();
    let ticks = fields.get(11)? + fields.get(12)?;
    // SAFETY: sysconf reads nothing but its argument.
    let per_second = u64::try_from(unsafe { libc::sysconf(libc::_SC_CLK_TCK) }).ok().filter(|ticks| *ticks > 0)?;
    Some(Duration::from_millis(ticks * 1000 / per_second))
}
