//! Measures what a call of a node takes, `cargo xtask node-times`: in VapourSynth, GEGL and melt, each a new process, the first
//! call, which starts a worker, and the second, which finds it, beside the same restoration by the command. What the program
//! takes without the node is subtracted.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use kds_tests::home::home;
use kds_tests::melt::Melt;
use kds_tests::pairs::small_picture;
use kds_tests::{vapoursynth, worker};
use xtask::install::{nodes, openfx};

/// Every measurement is the best of this many: others use the machine too.
const RUNS: usize = 5;
const SIDE: u32 = 64;
const MODEL: &str = "kds-photo-x1";

/// Clips of one frame; `sys.argv` is the plug-in, or nothing.
const SCRIPT: &str = "
import sys, vapoursynth as vs
clip = vs.core.std.BlankClip(format=vs.RGB24, width=64, height=64, length=1, color=[90, 120, 150])
if len(sys.argv) > 1:
    vs.core.std.LoadPlugin(sys.argv[1])
    clip = vs.core.kds.Restore(clip, model='kds-photo-x1', particles=1, steps=1, seed=1)
clip.get_frame(0).close()
";

/// A program, with the node or without, and the folder of its worker's socket.
struct Host<'a> {
    name: &'static str,
    sockets: PathBuf,
    command: Box<dyn Fn(bool) -> Result<Command> + 'a>,
}

impl Host<'_> {
    fn time(&self, with_node: bool) -> Result<Duration> {
        let mut command = (self.command)(with_node)?;
        time(&mut command)
    }

    fn end_worker(&self) {
        let serving = || worker::serving(&self.sockets);
        while let Some(process) = serving().first() {
            // SAFETY: kill reads nothing but its arguments.
            unsafe { libc::kill(*process, libc::SIGTERM) };
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let prefix = home()?.join(".local/share/kds");
    let picture = image::imageops::crop_imm(&small_picture()?, 0, 0, SIDE, SIDE).to_image();
    let input = folder.path().join("in.png");
    picture.save(&input)?;
    let melt = Melt::new((SIDE, SIDE))?;
    fs::copy(&input, melt.path("in.png"))?;

    let in_folder = |program: &Path| {
        let mut command = Command::new(program);
        command.current_dir(folder.path()).env("XDG_RUNTIME_DIR", folder.path()).env("XDG_CONFIG_HOME", folder.path());
        command.env("XDG_DATA_HOME", folder.path()).env_remove("KDS_REGISTRY").env_remove("KDS_WORKER");
        command
    };
    let of_gegl = folder.path().join("gegl-0.4/plug-ins");
    fs::create_dir_all(&of_gegl)?;
    symlink(prefix.join(nodes::GEGL_FOLDER).join(nodes::GEGL), of_gegl.join(nodes::GEGL))?;
    let python = vapoursynth::python()?;
    let settings = ["particles=1", "steps=1", "seed=1"];

    let hosts = [
        Host {
            name: "VapourSynth",
            sockets: folder.path().to_owned(),
            command: Box::new(|with_node| {
                let mut command = in_folder(&python);
                command.args(["-c", SCRIPT]);
                if with_node {
                    command.arg(prefix.join(nodes::FOLDER).join(nodes::VAPOURSYNTH));
                }
                Ok(command)
            }),
        },
        Host {
            name: "GEGL",
            sockets: folder.path().to_owned(),
            command: Box::new(|with_node| {
                let mut command = in_folder(Path::new("gegl"));
                command.args(["in.png", "-o", "out.png", "--"]);
                match with_node {
                    true => command.args(["kds:restore", &format!("model={MODEL}")]).args(settings),
                    false => command.arg("gegl:nop"),
                };
                Ok(command)
            }),
        },
        Host {
            name: "melt",
            sockets: Path::new("/mnt").join(melt.folder().file_name().context("the folder has no name")?),
            command: Box::new(|with_node| {
                let mut command = melt.command()?;
                command.args(["-silent", "avformat:in.png", "in=0", "out=0"]);
                if with_node {
                    command
                        .args(["-filter", "openfx.io.github.kds-restore.restore", &format!("model={MODEL}")])
                        .args(settings);
                }
                command.args(["-consumer", "avformat:out-%d.png", "vcodec=png", "pix_fmt=rgb24", "an=1"]);
                Ok(command)
            }),
        },
    ];
    ensure!(prefix.join(openfx::FOLDER).exists(), "{} has no bundle of OpenFX", prefix.display());

    let mut restore = in_folder(&prefix.join("bin/kds"));
    restore.args(["restore", "in.png", "-o", "restored.png", "--overwrite", "--model", MODEL]);
    restore.args(["--particles", "1", "--steps", "1", "--seed", "1"]);
    let mut of_command = Duration::MAX;
    let mut times = [[Duration::MAX; 3]; 3];
    // In turns, so that whatever else the machine does meets all of them.
    for _ in 0..RUNS {
        of_command = of_command.min(time(&mut restore)?);
        for (host, [without, first, second]) in hosts.iter().zip(&mut times) {
            *without = (*without).min(host.time(false)?);
            host.end_worker();
            *first = (*first).min(host.time(true)?);
            *second = (*second).min(host.time(true)?);
            host.end_worker();
        }
    }
    println!("The command takes {:.2} s, which is 1.\n", of_command.as_secs_f64());
    println!("| host | without the node | first call, starts a worker | second call |\n|---|---|---|---|");
    for (host, [without, first, second]) in hosts.iter().zip(times) {
        let of = |time: Duration| time.as_secs_f64() / of_command.as_secs_f64();
        let beyond = |time: Duration| of(time.saturating_sub(without));
        println!("| {} | {:.2} | {:.2} | {:.2} |", host.name, of(without), beyond(first), beyond(second));
    }
    Ok(())
}

fn time(command: &mut Command) -> Result<Duration> {
    let start = Instant::now();
    let output = command.output().with_context(|| format!("cannot start {command:?}"))?;
    let took = start.elapsed();
    let said = String::from_utf8_lossy(&output.stderr);
    let failed = said.contains("kds:") || said.contains("OfxMessageError");
    ensure!(output.status.success() && !failed, "{command:?}: {}\n{said}", output.status);
    Ok(took)
}
