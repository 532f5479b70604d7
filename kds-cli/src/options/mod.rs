//! The command line. The options of a restoration are built from the table of parameters, so there is no second list of
//! names, ranges and help texts.

mod eval;
mod models;
mod restore;
mod serve;

use std::{ffi::OsString, path::PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command as ClapCommand, error::ErrorKind, value_parser};
use kds_host::LogLevel;

pub use models::{Models, ModelsAction};
pub use restore::{DEFAULT_MODEL, Form, Restore};
pub use serve::{Serve, Stage};

pub use crate::library::Library;
use crate::{eval::Evaluation, usage::UsageError};

/// Subcommand.
#[derive(Debug)]
pub enum Command {
    /// Print this: help or version.
    Text(String),
    /// Restore pictures.
    Restore(Box<Restore>),
    /// Measure how good restorations are.
    Evaluate(Box<Evaluation>),
    /// List, describe, check or add models.
    Models(Models),
    /// Say whether all is well.
    Doctor(Library),
    /// Compute for other programs.
    Serve(Serve),
}

/// Reads the command line.
///
/// # Errors
/// [`UsageError`].
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> anyhow::Result<Command> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let matches = match command().try_get_matches_from(&arguments) {
        Ok(matches) => matches,
        Err(error) if error.exit_code() == 0 => return Ok(Command::Text(error.render().to_string())),
        Err(error) if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            return Err(UsageError(format!("no command is named; what to do:\n\n{}", error.render())).into());
        }
        Err(error) => return Err(UsageError(one_line(&error.render().to_string(), &arguments)).into()),
    };
    match matches.subcommand() {
        Some(("restore", matches)) => Ok(Command::Restore(Box::new(restore::read(matches)))),
        Some(("eval", matches)) => Ok(Command::Evaluate(Box::new(eval::read(matches)))),
        Some(("models", matches)) => Ok(Command::Models(models::read(matches))),
        Some(("serve", matches)) => Ok(Command::Serve(serve::read(matches))),
        _ => Ok(Command::Doctor(matches.subcommand_matches("doctor").map_or_else(Library::none, library))),
    }
}

/// The first paragraph of clap's message and what it suggests on one line, and where to read on.
fn one_line(message: &str, arguments: &[OsString]) -> String {
    let end =
        ["\n\nUsage:", "\n\nFor more"].iter().filter_map(|mark| message.find(mark)).min().unwrap_or(message.len());
    let text = message[..end].replace("\n\n  tip: ", "; ");
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (mut known, mut words) = (command(), vec!["kds".to_owned()]);
    for word in arguments.iter().skip(1) {
        let Some(subcommand) = known.find_subcommand(word).cloned() else { break };
        words.push(subcommand.get_name().to_owned());
        known = subcommand;
    }
    format!("{}; see '{} --help'", text.strip_prefix("error: ").unwrap_or(&text), words.join(" "))
}

fn command() -> ClapCommand {
    ClapCommand::new("kds")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Restores photographs by steering diffusion models to what their samples agree on")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(restore::command())
        .subcommand(eval::command())
        .subcommand(models::command())
        .subcommand(serve::command())
        .subcommand(library_options(
            ClapCommand::new("doctor").about("Says what KDS computes with, and what is wrong where something is"),
        ))
}

fn library_options(command: ClapCommand) -> ClapCommand {
    command
        .arg(
            Arg::new("registry")
                .long("registry")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("A registry of models to read on top of the installed ones"),
        )
        .arg(
            Arg::new("threads")
                .long("threads")
                .value_name("N")
                .default_value("0")
                .value_parser(value_parser!(u16))
                .help("Number of threads to compute with; 0 means all cores"),
        )
        .arg(
            Arg::new("verbose")
                .short('v')
                .long("verbose")
                .action(ArgAction::Count)
                .help("Tells what happens; twice, what helps to find a defect"),
        )
}

fn library(matches: &ArgMatches) -> Library {
    Library {
        registry: matches.get_one("registry").cloned(),
        threads: matches.get_one("threads").copied().unwrap_or(0),
        log_level: match matches.get_count("verbose") {
            0 => LogLevel::Warn,
            1 => LogLevel::Info,
            _ => LogLevel::Debug,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a command line of these words.
    pub fn parse_words(words: &[&str]) -> anyhow::Result<Command> {
        parse(["kds"].iter().chain(words).map(OsString::from))
    }

    /// Reads a restoration of one picture with these words besides.
    pub fn parse_restore(words: &[&str]) -> Box<Restore> {
        let common = ["restore", "in.png", "-o", "out.png"];
        match parse_words(&[&common, words].concat()).unwrap() {
            Command::Restore(options) => options,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_command_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn the_log_is_told_more_with_every_v() {
        for (word, level) in [("-v", LogLevel::Info), ("-vv", LogLevel::Debug), ("-vvv", LogLevel::Debug)] {
            assert_eq!(parse_restore(&[word]).library.log_level, level);
        }
    }

    #[test]
    fn registry_and_threads_reach_models_and_doctor() {
        let Command::Models(Models { action, library }) =
            parse_words(&["models", "--registry", "r.toml", "--threads", "2"]).unwrap()
        else {
            panic!("not models")
        };
        assert_eq!(action, ModelsAction::List);
        assert_eq!(library.log_level, LogLevel::Warn);
        let options = library.context_options(|_| ());
        assert_eq!((options.threads, options.registry), (2, Some(PathBuf::from("r.toml"))));
        assert!(matches!(parse_words(&["doctor"]).unwrap(), Command::Doctor(_)));
    }

    #[test]
    fn messages_suggest_and_tell_where_to_read_on() {
        let message = |words: &[&str]| parse_words(words).unwrap_err().to_string();
        let text = message(&["restore", "in.png", "-o", "out.png", "--particle", "4"]);
        assert_eq!(
            text,
            "unexpected argument '--particle' found; a similar argument exists: '--particles'; see 'kds restore --help'"
        );
        for (words, end) in [
            (&["models", "show"][..], "; see 'kds models show --help'"),
            (&["restore", "in.png", "-o", "out.png", "--format", "x"], "; see 'kds restore --help'"),
            (&["resore"], "; see 'kds --help'"),
        ] {
            let text = message(words);
            assert!(text.ends_with(end), "{text}");
        }
    }
}
