//! Options of `kds models`.

use std::path::PathBuf;

use clap::{
    Arg, ArgMatches, Command,
    builder::{OsStringValueParser, TypedValueParser},
};

use super::{Library, library, library_options};
use crate::model_source::Source;

/// Options of `kds models`.
#[derive(Debug)]
pub struct Models {
    /// Subcommand.
    pub action: ModelsAction,
    /// Options of the library's context.
    pub library: Library,
}

/// Subcommands of `kds models`.
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
        /// Source of its files.
        source: Source,
        /// Its id; by default the name of the folder or of the model.
        id: Option<String>,
    },
}

/// The command as clap takes it.
pub fn command() -> Command {
    let id = || Arg::new("id").value_name("ID");
    library_options(Command::new("models").about("Lists, describes, checks and adds models"))
        .subcommand(library_options(Command::new("list").about("Lists the models, as without a subcommand")))
        .subcommand(library_options(
            Command::new("show").about("Tells all that is known of a model").arg(id().required(true)),
        ))
        .subcommand(library_options(
            Command::new("check")
                .about("Compares the files of models with what their architectures need, without loading them")
                .arg(id().num_args(0..).help("Models to check; all where none is named")),
        ))
        .subcommand(library_options(
            Command::new("add")
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

/// Reads the options from what clap found.
pub fn read(matches: &ArgMatches) -> Models {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{Command, tests::parse_words};

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
}
