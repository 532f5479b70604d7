//! `kds serve`: the worker process behind plug-ins.

use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
    thread,
};

use anyhow::{Context, bail};
use kds_host::serving::{Server, Serving};
use libc::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::{
    options::{Serve, Stage},
    output,
};

/// First line of a background worker to its parent process.
const READY: &str = "ready";
/// Where memory runs out, the kernel ends a worker rather than the program that a person works with (-1000 to 1000).
const OUT_OF_MEMORY_SCORE: &str = "500";

pub fn run(options: &Serve) -> anyhow::Result<()> {
    match options.stage {
        Stage::Starter => start(options),
        Stage::Background => {
            rustix::process::setsid().context("cannot leave the terminal")?;
            // A folder that is in use cannot be unmounted or removed everywhere.
            env::set_current_dir("/").context("cannot change to /")?;
            // Not everywhere is there such a file.
            let _ = fs::write("/proc/self/oom_score_adj", OUT_OF_MEMORY_SCORE);
            serve(options)
        }
        Stage::Foreground => serve(options),
    }
}

/// Starts the process in the background, as a child of nobody: hosts wait only for children that they know.
fn start(options: &Serve) -> anyhow::Result<()> {
    close_what_was_inherited();
    let mut command = Command::new(env::current_exe().context("cannot find this program")?);
    command.args(["serve", "--detached", "--idle"]).arg(options.idle.as_secs().to_string());
    if let Some(socket) = &options.socket {
        let socket = std::path::absolute(socket).with_context(|| format!("cannot find {}", socket.display()))?;
        command.arg("--socket").arg(socket);
    }
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("cannot start the worker")?;
    let mut said = String::new();
    if let Some(output) = child.stdout.take() {
        BufReader::new(output).read_line(&mut said).context("cannot hear the worker")?;
    }
    if said.trim_end() != READY {
        // It has said why on standard error, which is this one's too.
        bail!("the worker could not be started ({})", child.wait().context("cannot wait for the worker")?);
    }
    Ok(())
}

/// Files and pipes of the host, which would wait for their end as long as a worker lives.
fn close_what_was_inherited() {
    let files = fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let numbers: Vec<i32> = files.filter_map(|file| file.file_name().to_str()?.parse().ok()).collect();
    for number in numbers.into_iter().filter(|number| *number > 2) {
        // SAFETY: at the start of the process nothing in it has opened a file and kept it.
        unsafe { libc::close(number) };
    }
}

fn serve(options: &Serve) -> anyhow::Result<()> {
    let program = env::current_exe().context("cannot find this program")?;
    let server = match Server::start(options.socket.as_deref(), &program)? {
        Serving::New(server) => server,
        Serving::Already => {
            match options.stage {
                Stage::Foreground => output::say("there is a worker already"),
                _ => output::print(&format!("{READY}\n"))?,
            }
            return Ok(());
        }
    };
    let stop = server.stop_handle();
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("cannot listen to signals")?;
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || signals.forever().for_each(|_| stop()))
        .context("cannot listen to signals")?;
    match options.stage {
        Stage::Foreground => {
            let (socket, idle) = (server.socket(), options.idle.as_secs());
            output::say(&format!("answering at {}; ends after {idle} s without work", socket.display()));
        }
        _ => tell_that_it_is_ready()?,
    }
    server.run(options.idle).context("cannot answer any more")
}

fn tell_that_it_is_ready() -> anyhow::Result<()> {
    let nowhere = fs::File::options().read(true).write(true).open("/dev/null").context("cannot open /dev/null")?;
    // The host waits for the end of standard error, the starter for a line of standard output.
    rustix::stdio::dup2_stderr(&nowhere).context("cannot close standard error")?;
    writeln!(std::io::stdout(), "{READY}").context("cannot tell that the worker is ready")?;
    rustix::stdio::dup2_stdout(&nowhere).context("cannot close standard output")?;
    Ok(())
}
