//! `kds serve`.

use std::{path::PathBuf, time::Duration};

use clap::{Arg, ArgAction, ArgMatches, Command as ClapCommand, value_parser};

/// A worker process for other programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serve {
    /// Path of the socket; `None`: the default of hosts that use this program.
    pub socket: Option<PathBuf>,
    /// It ends after so long without a request.
    pub idle: Duration,
    /// Foreground or background.
    pub stage: Stage,
}

/// Relation of a worker to its parent process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It is the person's own, in a terminal.
    Foreground,
    /// It starts another process that goes on in the background, and ends when that one is ready.
    Starter,
    /// It is that other process.
    Background,
}

pub(super) fn command() -> ClapCommand {
    ClapCommand::new("serve")
        .about("Computes for plug-ins and other programs of this user, which start it by themselves when they need it")
        .arg(
            Arg::new("socket")
                .long("socket")
                .value_name("PATH")
                .value_parser(value_parser!(PathBuf))
                .help("The socket to answer at; by default the one where plug-ins look"),
        )
        .arg(
            Arg::new("idle")
                .long("idle")
                .value_name("SECONDS")
                .value_parser(value_parser!(u32))
                .help("Ends when for so long nobody has asked for anything; by default KDS_WORKER_IDLE, or 300"),
        )
        .arg(
            Arg::new("background")
                .long("background")
                .action(ArgAction::SetTrue)
                .help("Goes on in the background; the command ends when it can be asked"),
        )
        .arg(Arg::new("detached").long("detached").action(ArgAction::SetTrue).hide(true))
}

pub(super) fn read(matches: &ArgMatches) -> Serve {
    let named = || std::env::var("KDS_WORKER_IDLE").ok()?.parse().ok();
    let idle = matches.get_one::<u32>("idle").copied().or_else(named).unwrap_or(300);
    Serve {
        socket: matches.get_one("socket").cloned(),
        idle: Duration::from_secs(idle.into()),
        stage: match (matches.get_flag("detached"), matches.get_flag("background")) {
            (true, _) => Stage::Background,
            (false, true) => Stage::Starter,
            (false, false) => Stage::Foreground,
        },
    }
}

#[cfg(test)]
mod tests {
    use crate::options::{Command, tests::parse_words};

    use super::*;

    #[test]
    fn options_are_read() {
        let serve = |words: &[&str]| match parse_words(&[&["serve"], words].concat()).unwrap() {
            Command::Serve(serve) => serve,
            other => panic!("{other:?}"),
        };
        let expected = Serve { socket: None, idle: Duration::from_secs(7), stage: Stage::Foreground };
        assert_eq!(serve(&["--idle", "7"]), expected);
        let (socket, stage) = (Some(PathBuf::from("/x/y")), Stage::Starter);
        assert_eq!(serve(&["--idle", "7", "--background", "--socket", "/x/y"]), Serve { socket, stage, ..expected });
        assert!(parse_words(&["serve", "--idle", "-1"]).is_err());
    }
}
