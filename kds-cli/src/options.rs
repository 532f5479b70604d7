//! The command line. The options of a restoration are built from the table of parameters, so there is no second list of
//! names, ranges and help texts.

use std::{ffi::OsString, path::PathBuf, sync::Arc};

use clap::{
    Arg, ArgAction, ArgMatches, Command as ClapCommand,
    builder::{OsStringValueParser, PossibleValuesParser, TypedValueParser, ValueParser},
    error::ErrorKind,
    value_parser,
};
use kds_host::{ContextOptions, Log, LogLevel};
use kds_parameters::{Group, Kind, Parameter, Scope, table};

use crate::add_model::Source;

/// The model that is used when none is named.
pub const DEFAULT_MODEL: &str = "kds-photo-x4";

/// What to do.
#[derive(Debug)]
pub enum Command {
    /// Print this: help or version.
    Text(String),
    /// Restore pictures.
    Restore(Box<Restore>),
    /// List, describe, check or add models.
    Models(Models),
    /// Say whether all is well.
    Doctor(Library),
}

/// Options of `kds models`.
#[derive(Debug)]
pub struct Models {
    /// What to do with them.
    pub action: ModelsAction,
    /// What the context is made with.
    pub library: Library,
}

/// What `kds models` does.
#[derive(Debug, PartialEq, Eq)]
pub enum ModelsAction {
    /// All in a table.
    List,
    /// All that is known of one.
    Show(String),
    /// Compare the files of these, or of all where none is named, with what their architectures need.
    Check(Vec<String>),
    /// Add a model to the user's registry.
    Add {
        /// Where its files come from.
        source: Source,
        /// What it is to be asked for by; by default the name of the folder or of the model.
        id: Option<String>,
    },
}

/// What a context is made with.
#[derive(Debug)]
pub struct Library {
    /// Extra registry file.
    pub registry: Option<PathBuf>,
    /// Number of threads; 0 means all cores.
    pub threads: u16,
    /// What the library tells of itself goes to standard error from this level on.
    pub log_level: LogLevel,
}

impl Library {
    /// The same for [`kds_host::Context::new`], its log written by `say`.
    pub fn context_options(&self, say: impl Fn(&str) + Send + Sync + 'static) -> ContextOptions {
        let log = Log { level: self.log_level, tell: Arc::new(move |_, line| say(line)) };
        ContextOptions { threads: self.threads, registry: self.registry.clone(), log: Some(log) }
    }
}

/// Options of `kds restore`.
#[derive(Debug)]
pub struct Restore {
    /// Picture files and folders.
    pub inputs: Vec<PathBuf>,
    /// A file for one picture, a folder for several.
    pub output: PathBuf,
    /// Id of the model.
    pub model: String,
    /// Device, where named.
    pub device: Option<String>,
    /// Number format, where named.
    pub dtype: Option<String>,
    /// What the context is made with.
    pub library: Library,
    /// The job's parameters that were named, checked one by one.
    pub settings: Vec<(&'static str, String)>,
    /// Where to restore, for models that fill holes.
    pub mask: Option<PathBuf>,
    /// Where the confidence map goes: a file, or a folder for several pictures.
    pub confidence: Option<PathBuf>,
    /// Where the comparison goes: a file, or a folder for several pictures.
    pub compare: Option<PathBuf>,
    /// Whether a batch replaces outputs that exist.
    pub overwrite: bool,
    /// Quality of JPEG files, 1 to 100.
    pub quality: u8,
}

/// The command line is wrong.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// Reads the command line.
///
/// # Errors
/// [`UsageError`].
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> anyhow::Result<Command> {
    let matches = match command().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) if error.exit_code() == 0 => return Ok(Command::Text(error.render().to_string())),
        Err(error) if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            return Err(UsageError(format!("no command is named; what to do:\n\n{}", error.render())).into());
        }
        Err(error) => return Err(UsageError(one_line(&error.render().to_string())).into()),
    };
    match matches.subcommand() {
        Some(("restore", matches)) => Ok(Command::Restore(Box::new(restore(matches)))),
        Some(("models", matches)) => Ok(Command::Models(models(matches))),
        _ => Ok(Command::Doctor(matches.subcommand_matches("doctor").map_or_else(Library::none, library))),
    }
}

impl Library {
    fn none() -> Self {
        Self { registry: None, threads: 0, log_level: LogLevel::Warn }
    }
}

/// The first paragraph of clap's message on one line, and where to read on.
fn one_line(message: &str) -> String {
    let end =
        ["\n\nUsage:", "\n\nFor more"].iter().filter_map(|mark| message.find(mark)).min().unwrap_or(message.len());
    let words: Vec<&str> = message[..end].split_whitespace().collect();
    let text = words.join(" ");
    format!("{}; see 'kds restore --help'", text.strip_prefix("error: ").unwrap_or(&text))
}

fn command() -> ClapCommand {
    ClapCommand::new("kds")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Restores photographs by steering diffusion models to what their samples agree on")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(restore_command())
        .subcommand(models_command())
        .subcommand(library_options(
            ClapCommand::new("doctor").about("Says what KDS computes with, and what is wrong where something is"),
        ))
}

fn models_command() -> ClapCommand {
    let id = || Arg::new("id").value_name("ID");
    library_options(ClapCommand::new("models").about("Lists, describes, checks and adds models"))
        .subcommand(library_options(ClapCommand::new("list").about("Lists the models, as without a subcommand")))
        .subcommand(library_options(
            ClapCommand::new("show").about("Tells all that is known of a model").arg(id().required(true)),
        ))
        .subcommand(library_options(
            ClapCommand::new("check")
                .about("Compares the files of models with what their architectures need, without loading them")
                .arg(id().num_args(0..).help("Models to check; all where none is named")),
        ))
        .subcommand(library_options(
            ClapCommand::new("add")
                .about("Adds a model, as diffusers saves it, to the user's registry")
                .arg(
                    Arg::new("source").value_name("FOLDER|hf:ORG/REPO[@REVISION]").required(true)
                        .value_parser(OsStringValueParser::new().try_map(Source::read))
                        .help(
                            "Its folder, or its address at the hub: what is needed of it is downloaded. HF_HOME, HF_TOKEN, \
                             HF_ENDPOINT and HF_HUB_OFFLINE are followed",
                        ),
                )
                .arg(
                    Arg::new("as").long("id").value_name("ID")
                        .help("Name it is asked for by [default: the folder's or model's]"),
                ),
        ))
}

fn models(matches: &ArgMatches) -> Models {
    let (action, matches) = match matches.subcommand() {
        Some(("show", matches)) => {
            (ModelsAction::Show(matches.get_one::<String>("id").cloned().unwrap_or_default()), matches)
        }
        Some(("check", matches)) => {
            (ModelsAction::Check(matches.get_many::<String>("id").unwrap_or_default().cloned().collect()), matches)
        }
        Some(("add", matches)) => {
            let source = matches.get_one::<Source>("source").cloned().unwrap_or(Source::Folder(PathBuf::new()));
            (ModelsAction::Add { source, id: matches.get_one::<String>("as").cloned() }, matches)
        }
        Some((_, matches)) => (ModelsAction::List, matches),
        None => (ModelsAction::List, matches),
    };
    Models { action, library: library(matches) }
}

fn restore_command() -> ClapCommand {
    let path = || value_parser!(PathBuf);
    let command = ClapCommand::new("restore")
        .about("Restores photographs")
        .long_about(
            "Restores photographs: PNG, JPEG, WebP or TIFF.\n\n\
             One picture goes to the file OUT, whose name ends in png, jpg, jpeg, webp, tif or tiff. Several pictures, or \
             the pictures of a folder, go to the folder OUT under their own names; those that are there already are \
             skipped. Colour profile and EXIF data go along, and photographs are turned upright.",
        )
        .arg(
            Arg::new("inputs").value_name("IN").required(true).num_args(1..).value_parser(path())
                .help("Picture files, or folders of pictures"),
        )
        .arg(
            Arg::new("output").short('o').long("output").value_name("OUT").required(true).value_parser(path())
                .help("A file for one picture, a folder for several"),
        )
        .arg(
            Arg::new("model").long("model").value_name("ID").default_value(DEFAULT_MODEL)
                .help("The model; 'kds models' lists them"),
        )
        .arg(
            Arg::new("mask").long("mask").value_name("FILE").value_parser(path())
                .help("White where to restore, of the picture's size; for models that fill holes"),
        )
        .arg(
            Arg::new("confidence").long("confidence").value_name("MAP").value_parser(path())
                .help("Also writes where the particles agree (white) and where the picture is invention (black); a folder for several pictures"),
        )
        .arg(
            Arg::new("compare").long("compare").value_name("FILE").value_parser(path())
                .help("Also writes bicubic enlargement (left) and restoration (right) side by side; a folder for several pictures"),
        )
        .arg(
            Arg::new("overwrite").long("overwrite").action(ArgAction::SetTrue)
                .help("Restores again what is in the output folder already"),
        )
        .arg(
            Arg::new("quality").long("quality").value_name("1-100").default_value("92")
                .value_parser(value_parser!(u8).range(1..=100))
                .help("Quality of JPEG files; WebP files are written without loss"),
        );
    table().iter().fold(library_options(command), |command, parameter| command.arg(option(parameter)))
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

/// The option of one parameter. It has no default value for clap: what is not named is left to the model.
fn option(parameter: &'static Parameter) -> Arg {
    let (value_name, parser): (&str, ValueParser) = match parameter.kind {
        // clap lists the words in help and errors, and suggests the nearest.
        Kind::Choice(words) => ("WORD", PossibleValuesParser::new(words).into()),
        kind => {
            let name = match kind {
                Kind::Integer { .. } | Kind::Number { .. } => "N",
                Kind::Memory => "SIZE",
                Kind::Line { .. } => "TEXT",
                _ => "VALUE",
            };
            let check = move |text: &str| parameter.check(text).map(|_| text.to_owned());
            (name, ValueParser::new(clap::builder::StringValueParser::new().try_map(move |text| check(&text))))
        }
    };
    let takes = match parameter.kind {
        Kind::Choice(_) => String::new(),
        kind => format!(" [takes: {}]", kind.expected()),
    };
    let advanced = parameter.group == Group::Advanced;
    let default = if parameter.default.is_empty() { "nothing" } else { parameter.default };
    Arg::new(parameter.name)
        .long(parameter.name)
        .value_name(value_name)
        .value_parser(parser)
        // A negative number is a bad value, not an unknown option.
        .allow_hyphen_values(true)
        .help(format!("{}{takes} [default: the model's, else {default}]", parameter.help))
        .help_heading(if advanced { "Advanced parameters" } else { "Parameters" })
        .hide_short_help(advanced)
}

fn restore(matches: &ArgMatches) -> Restore {
    let path = |name: &str| matches.get_one::<PathBuf>(name).cloned();
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let job = table().iter().filter(|parameter| parameter.scope == Scope::Job);
    Restore {
        inputs: matches.get_many("inputs").into_iter().flatten().cloned().collect(),
        output: path("output").unwrap_or_default(),
        model: text("model").unwrap_or_else(|| DEFAULT_MODEL.to_owned()),
        device: text("device"),
        dtype: text("dtype"),
        library: library(matches),
        settings: job.filter_map(|parameter| text(parameter.name).map(|value| (parameter.name, value))).collect(),
        mask: path("mask"),
        confidence: path("confidence"),
        compare: path("compare"),
        overwrite: matches.get_flag("overwrite"),
        quality: matches.get_one("quality").copied().unwrap_or(92),
    }
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

    fn parse_words(words: &[&str]) -> anyhow::Result<Command> {
        parse(["kds"].iter().chain(words).map(OsString::from))
    }

    fn parse_restore(words: &[&str]) -> Box<Restore> {
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
    fn every_parameter_is_an_option_that_takes_its_default() {
        for parameter in table() {
            let option = format!("--{}", parameter.name);
            let options = parse_restore(&[&option, parameter.default]);
            match parameter.scope {
                Scope::Job => assert_eq!(options.settings, [(parameter.name, parameter.default.to_owned())]),
                Scope::Model => assert!(options.settings.is_empty()),
            }
        }
    }

    #[test]
    fn the_long_help_tells_of_every_parameter() {
        let Command::Text(help) = parse_words(&["restore", "--help"]).unwrap() else { panic!("no help") };
        // Lines are wrapped, so compare words.
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        for parameter in table() {
            let text = parameter.help.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(help.contains(&format!("--{}", parameter.name)) && help.contains(&text), "{}", parameter.name);
        }
        assert!(help.contains(&kds_parameters::SAMPLERS.join(", ")) && help.contains("a number from 0 to 1"), "{help}");
    }

    #[test]
    fn nothing_is_set_that_was_not_named() {
        let options = parse_restore(&[]);
        assert!(options.settings.is_empty() && options.device.is_none() && options.dtype.is_none());
        assert_eq!((options.model.as_str(), options.quality, options.library.threads), (DEFAULT_MODEL, 92, 0));
    }

    #[test]
    fn settings_keep_their_text() {
        let options = parse_restore(&["--particles", "8", "--memory", "2GiB", "--device", "cuda:1"]);
        assert_eq!(options.settings, [("particles", "8".to_owned()), ("memory", "2GiB".to_owned())]);
        assert_eq!(options.device.as_deref(), Some("cuda:1"));
    }

    #[test]
    fn bad_values_are_usage_errors_on_one_line() {
        for (words, expected) in [
            (["--strength", "NaN"], "a number from 0 to 1"),
            (["--strength", "-0.1"], "a number from 0 to 1"),
            (["--particles", "0"], "a whole number from 1 to 64"),
            (["--sampler", "euller"], "euler"),
            (["--device", "gpu"], "'cuda:K'"),
            (["--quality", "101"], "1..=100"),
            (["--particle", "4"], "--particles"),
        ] {
            let error = parse_words(&[["restore", "in.png", "-o", "out.png"].as_slice(), &words].concat()).unwrap_err();
            let message = error.to_string();
            assert!(error.is::<UsageError>() && message.contains(expected), "{words:?}: {message}");
            assert!(!message.contains('\n') && !message.starts_with("error"), "{message}");
        }
    }

    #[test]
    fn the_log_is_told_more_with_every_v() {
        for (word, level) in [("-v", LogLevel::Info), ("-vv", LogLevel::Debug), ("-vvv", LogLevel::Debug)] {
            assert_eq!(parse_restore(&[word]).library.log_level, level);
        }
    }

    #[test]
    fn a_missing_output_is_named() {
        let message = parse_words(&["restore", "in.png"]).unwrap_err().to_string();
        assert!(message.contains("--output <OUT>") && !message.contains('\n'), "{message}");
    }

    #[test]
    fn models_are_listed_shown_checked_and_added() {
        let own = |words: &[&str]| match parse_words(words).unwrap() {
            Command::Models(models) => models.action,
            other => panic!("{other:?}"),
        };
        let add = |id: Option<&str>| ModelsAction::Add { source: Source::Folder("a/b".into()), id: id.map(Into::into) };
        assert_eq!(own(&["models", "list"]), ModelsAction::List);
        assert_eq!(own(&["models", "show", "x"]), ModelsAction::Show("x".into()));
        assert_eq!(own(&["models", "check"]), ModelsAction::Check(vec![]));
        assert_eq!(own(&["models", "check", "x", "y"]), ModelsAction::Check(vec!["x".into(), "y".into()]));
        assert_eq!(own(&["models", "add", "a/b"]), add(None));
        assert_eq!(own(&["models", "add", "a/b", "--id", "x"]), add(Some("x")));
        let hub = ModelsAction::Add { source: Source::Hub("hf:a/b@v1".parse().unwrap()), id: None };
        assert_eq!(own(&["models", "add", "hf:a/b@v1"]), hub);
        let message = parse_words(&["models", "add", "hf:b"]).unwrap_err().to_string();
        assert!(message.contains("hf:ORG/REPO") && !message.contains('\n'), "{message}");
        assert!(parse_words(&["models", "show"]).unwrap_err().to_string().contains("<ID>"));
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
}
