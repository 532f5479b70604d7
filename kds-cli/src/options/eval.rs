//! Options of `kds eval`.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command, builder::PossibleValuesParser, value_parser};
use kds_parameters::{Scope, table};

use super::{DEFAULT_MODEL, library, library_options, restore::option};
use crate::eval::{
    Evaluation,
    degradation::{Degradation, EXPECTED},
    method::Method,
    metric::WeightFiles,
    vary::Variation,
};

/// The command as clap takes it.
pub fn command() -> Command {
    let folder =
        |name: &'static str| Arg::new(name).long(name).value_name("FOLDER").value_parser(value_parser!(PathBuf));
    let file = |name: &'static str| Arg::new(name).long(name).value_name("FILE").value_parser(value_parser!(PathBuf));
    let command = Command::new("eval")
        .about("Measures how good restorations are, method by method")
        .long_about(
            "Measures how good restorations are. Of pairs (--truth and --low), of true pictures that are spoilt in a named \
             way (--truth and --degradation), or of pictures without a truth (--low). Each is restored without a model, by \
             single particles, by their mean and by the best of them, and by kernel density steering; results go to the \
             folder OUT as report.md, index.html, results.csv, results.json and plots. An evaluation that was interrupted \
             goes on where it was.",
        )
        .arg(folder("truth").help("True pictures"))
        .arg(folder("low").help("Pictures to restore, each with the name of its truth in its own").required_unless_present("truth"))
        .arg(folder("masks").help("Masks, white where to fill, for models that fill holes").requires("low"))
        .arg(
            Arg::new("degradation").long("degradation").value_name("NAME").value_parser(value_parser!(Degradation))
                .conflicts_with("low").requires("truth")
                .help(format!("How true pictures are spoilt, after a bicubic reduction by the model's scale: {EXPECTED} [default: bicubic]")),
        )
        .arg(
            Arg::new("reduce").long("reduce").value_name("N").default_value("1").value_parser(value_parser!(u32).range(1..=16))
                .help("Reduces true pictures by this before they are spoilt"),
        )
        .arg(
            Arg::new("crop").long("crop").value_name("PIXELS").default_value("0").value_parser(value_parser!(u32))
                .help("Cuts pictures to restore to at most so many pixels along a side; 0 leaves them whole"),
        )
        .arg(
            Arg::new("limit").long("limit").value_name("N").default_value("0").value_parser(value_parser!(usize))
                .help("Evaluates the first N pictures only; 0 takes all"),
        )
        .arg(
            Arg::new("output").short('o').long("output").value_name("OUT").required(true).value_parser(value_parser!(PathBuf))
                .help("Folder of the results; a new one, or that of the evaluation to go on with"),
        )
        .arg(
            Arg::new("model").long("model").value_name("ID").default_value(DEFAULT_MODEL)
                .help("The model; 'kds models' lists them"),
        )
        .arg(
            Arg::new("methods").long("methods").value_name("NAMES").value_delimiter(',')
                .value_parser(PossibleValuesParser::new(Method::KEYS))
                .help(
                    "Methods to compare, separated by commas; kds-best, kds-worst and kds-best-of-n together take as many \
                     runs as there are particles [default: all]",
                ),
        )
        .arg(
            Arg::new("seeds").long("seeds").value_name("N").default_value("1").value_parser(value_parser!(u64).range(1..=64))
                .help("Seeds over which stability is measured, with and without steering; 1 measures none"),
        )
        .arg(
            Arg::new("vary").long("vary").value_name("NAME=VALUES").value_parser(value_parser!(Variation))
                .help("Evaluates with each of these values of a parameter, separated by commas, into a folder each, and compares"),
        )
        .arg(
            Arg::new("confidence").long("confidence").action(clap::ArgAction::SetTrue).requires("truth")
                .help("Judges the confidence map by the true errors; with --map spread it fits a calibration as well"),
        )
        .arg(
            Arg::new("worst-error").long("worst-error").value_name("LEVELS").default_value("25").value_parser(value_parser!(f64))
                .help("Level of the calibration's threshold: most grey levels of the worst error of a picture above it, in the mean over pictures"),
        )
        .arg(file("lpips").help("Weights of LPIPS, by tools/metrics/convert.py; without them it is left out"))
        .arg(file("dists").help("Weights of DISTS, by tools/metrics/convert.py; without them it is left out"))
        .arg(file("niqe").help("Statistics of photographs for NIQE, by tools/metrics/convert.py [default: built-in ones]"));
    table().iter().fold(library_options(command), |command, parameter| command.arg(option(parameter)))
}

/// Reads the options from what clap found.
pub fn read(matches: &ArgMatches) -> Evaluation {
    let path = |name: &str| matches.get_one::<PathBuf>(name).cloned();
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let job = table().iter().filter(|parameter| parameter.scope == Scope::Job);
    let named: Vec<Method> =
        matches.get_many::<String>("methods").into_iter().flatten().filter_map(|key| Method::find(key)).collect();
    Evaluation {
        truth: path("truth"),
        low: path("low"),
        masks: path("masks"),
        degradation: matches.get_one("degradation").copied(),
        reduce: matches.get_one("reduce").copied().unwrap_or(1),
        crop: matches.get_one("crop").copied().unwrap_or(0),
        limit: matches.get_one("limit").copied().unwrap_or(0),
        output: path("output").unwrap_or_default(),
        model: text("model").unwrap_or_else(|| DEFAULT_MODEL.to_owned()),
        device: text("device"),
        dtype: text("dtype"),
        library: library(matches),
        settings: job.filter_map(|parameter| text(parameter.name).map(|value| (parameter.name, value))).collect(),
        methods: if named.is_empty() { Method::ALL.to_vec() } else { named },
        seeds: matches.get_one("seeds").copied().unwrap_or(1),
        vary: matches.get_one("vary").cloned(),
        confidence: matches.get_flag("confidence"),
        worst_error: matches.get_one("worst-error").copied().unwrap_or(25.0),
        weights: WeightFiles { lpips: path("lpips"), dists: path("dists"), niqe: path("niqe") },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{Command, tests::parse_words};

    #[test]
    fn pairs_degradations_and_pictures_alone_are_read() {
        let read = |words: &[&str]| match parse_words(&[&["eval", "-o", "out"], words].concat()).unwrap() {
            Command::Evaluate(options) => options,
            other => panic!("{other:?}"),
        };
        let options = read(&["--truth", "a", "--low", "b", "--preset", "paper", "--methods", "kds,single-mean"]);
        assert_eq!(options.settings, [("preset", "paper".to_owned())]);
        assert_eq!(options.methods, [Method::Kds, Method::SingleMean]);
        assert_eq!(read(&["--truth", "a", "--degradation", "jpeg:30"]).degradation, Some(Degradation::Jpeg(30)));
        assert_eq!(read(&["--low", "b"]).methods.len(), Method::ALL.len());
        let vary = read(&["--low", "b", "--vary", "particles=1,4"]).vary.unwrap();
        assert_eq!((vary.name, vary.values), ("particles", vec!["1".to_owned(), "4".to_owned()]));
        for (words, expected) in [
            (&["--truth", "a", "--degradation", "rain"][..], "no degradation"),
            (&["--low", "a", "--degradation", "box"], "--low"),
            (&[], "--low"),
            (&["--low", "a", "--methods", "magic"], "kds-best-of-n"),
            (&["--low", "a", "--vary", "particles=1,zero"], "'particles' cannot be 'zero'"),
            (&["--low", "a", "--vary", "particle=1"], "no parameter 'particle'"),
            (&["--low", "a", "--vary", "particles"], "NAME=VALUE,VALUE"),
        ] {
            let message = parse_words(&[&["eval", "-o", "out"], words].concat()).unwrap_err().to_string();
            assert!(message.contains(expected), "{words:?}: {message}");
        }
    }
}
