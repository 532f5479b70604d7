//! Options of `kds restore`.

use std::{ffi::OsString, path::PathBuf};

use clap::{
    Arg, ArgAction, ArgMatches, Command,
    builder::{OsStringValueParser, PossibleValue, PossibleValuesParser, TypedValueParser, ValueParser},
    value_parser,
};
use kds_parameters::{Group, Kind, Parameter, Scope, table};

use super::{Library, library, library_options};
use crate::{file_kind::FileKind, place};

/// The model that is used when none is named.
pub const DEFAULT_MODEL: &str = "kds-photo-x4";

/// Text for standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A line for one picture, a table for several.
    Table,
    /// An object of JSON on a line of its own for each picture, as soon as it is done.
    Json,
    /// Nothing.
    Nothing,
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
    /// Options of the context.
    pub library: Library,
    /// The job's parameters that were named, checked one by one.
    pub settings: Vec<(&'static str, String)>,
    /// The page of files of several, from 1.
    pub page: Option<usize>,
    /// Mask of the holes, for inpainting models.
    pub mask: Option<PathBuf>,
    /// Output of the confidence map: a file, or a folder for several pictures.
    pub confidence: Option<PathBuf>,
    /// Output of the comparison: a file, or a folder for several pictures.
    pub compare: Option<PathBuf>,
    /// Replace outputs that exist.
    pub overwrite: bool,
    /// Look through the folders in a folder as well.
    pub recursive: bool,
    /// The format of restored pictures, where it is not to be decided by names.
    pub format: Option<FileKind>,
    /// Stands in a batch between an output's name and its ending.
    pub suffix: OsString,
    /// Leave metadata out.
    pub strip: bool,
    /// Print failures and warnings only.
    pub quiet: bool,
    /// Print an object of JSON for each picture.
    pub json: bool,
    /// Quality of JPEG files, 1 to 100.
    pub quality: u8,
}

impl Restore {
    /// Content of standard output other than a picture.
    pub fn form(&self) -> Form {
        match (self.json, self.quiet || place::is_standard(&self.output)) {
            (true, _) => Form::Json,
            (false, true) => Form::Nothing,
            (false, false) => Form::Table,
        }
    }
}

/// The command as clap takes it.
pub fn command() -> Command {
    let path = || value_parser!(PathBuf);
    let command = Command::new("restore")
        .about("Restores photographs")
        .long_about(
            "Restores photographs: PNG, JPEG, WebP, TIFF, OpenEXR, JPEG XL, GIF, BMP, Radiance HDR, QOI or PNM.\n\n\
             One picture goes to the file OUT, whose name ends in png, jpg, jpeg, webp, tif, tiff or exr. Several pictures, or \
             the pictures of a folder, go to the folder OUT under their own names; those of which everything that is asked \
             for is there already are skipped. Several folders get a folder each below OUT. '-' is standard input or \
             standard output. Colour profile and EXIF data go along, and photographs are turned upright.\n\n\
             Nothing but an earlier output of the same kind is ever replaced without --overwrite, and with it no other \
             picture that is read, nor the mask. All files of a picture appear together once all are written.\n\n\
             Exit codes: 0 when every picture is there, 1 when one failed, 2 for a wrong command line, 128 and the \
             signal's number when a signal stopped the run.",
        )
        .arg(
            Arg::new("inputs").value_name("IN").required(true).num_args(1..).value_parser(path())
                .help("Picture files, or folders of pictures; '-' for standard input"),
        )
        .arg(
            Arg::new("output").short('o').long("output").value_name("OUT").required(true).value_parser(path())
                .help("A file for one picture ('-' for standard output), a folder for several"),
        )
        .arg(
            Arg::new("model").long("model").value_name("ID").default_value(DEFAULT_MODEL)
                .help("The model; 'kds models' lists them"),
        )
        .arg(
            Arg::new("page").long("page").value_name("N").value_parser(value_parser!(u16).range(1..))
                .help("The page of TIFF files that have several, from 1 [default: the first, with a warning]"),
        )
        .arg(
            Arg::new("mask").long("mask").value_name("FILE").value_parser(path())
                .help("White where to restore, of the picture's size; for models that fill holes"),
        )
        .arg(
            Arg::new("confidence").long("confidence").value_name("MAP").value_parser(path())
                .help("Also writes where the result can be relied on (white) and where it is invention (black): the expected error, 5 levels for each grey level of it, where the model is calibrated; a folder for several pictures"),
        )
        .arg(
            Arg::new("compare").long("compare").value_name("FILE").value_parser(path())
                .help("Also writes bicubic enlargement (left) and restoration (right) side by side; a folder for several pictures"),
        )
        .arg(
            Arg::new("overwrite").long("overwrite").action(ArgAction::SetTrue)
                .help("Replaces files that exist: outputs of earlier runs, which a batch skips, and any other; the picture itself where OUT names it"),
        )
        .arg(
            Arg::new("recursive").short('r').long("recursive").action(ArgAction::SetTrue)
                .help("Restores the pictures in the folders of a folder too, into the same folders below OUT"),
        )
        .arg(
            Arg::new("format").long("format").value_name("FORMAT").value_parser(PossibleValuesParser::new(FileKind::NAMES.map(
                |(name, other, _)| PossibleValue::new(name).aliases(other),
            )))
                .help("Format of restored pictures, whatever the pictures have [default: by the name]"),
        )
        .arg(
            Arg::new("suffix").long("suffix").value_name("TEXT").allow_hyphen_values(true)
                .value_parser(OsStringValueParser::new().try_map(suffix))
                .help("Stands in a folder of outputs between name and ending: with -restored, a.jpg goes to a-restored.jpg"),
        )
        .arg(
            Arg::new("strip").long("strip").action(ArgAction::SetTrue)
                .help("Leaves out what the file says of the photograph (EXIF with camera and place, XMP, IPTC, comments and texts); colour profile and resolution stay"),
        )
        .arg(
            Arg::new("quiet").short('q').long("quiet").action(ArgAction::SetTrue)
                .help("Says only what failed and what is lost: no progress, no table"),
        )
        .arg(
            Arg::new("json").long("json").action(ArgAction::SetTrue)
                .help("Writes an object of JSON for each picture on a line of standard output, as soon as it is done"),
        )
        .arg(
            Arg::new("quality").long("quality").value_name("1-100").default_value("92")
                .value_parser(value_parser!(u8).range(1..=100))
                .help("Quality of JPEG files; WebP files are written without loss"),
        );
    table().iter().fold(library_options(command), |command, parameter| command.arg(option(parameter)))
}

/// The option of one parameter. It has no default value for clap: what is not named is left to the model.
pub fn option(parameter: &'static Parameter) -> Arg {
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

/// A suffix belongs into a name.
fn suffix(text: OsString) -> Result<OsString, &'static str> {
    match text.as_encoded_bytes().iter().any(|byte| *byte == b'/' || byte.is_ascii_control()) {
        true => Err("a suffix is part of a name, without '/' and control characters"),
        false => Ok(text),
    }
}

/// Reads the options from what clap found.
pub fn read(matches: &ArgMatches) -> Restore {
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
        page: matches.get_one::<u16>("page").map(|page| usize::from(*page)),
        mask: path("mask"),
        confidence: path("confidence"),
        compare: path("compare"),
        overwrite: matches.get_flag("overwrite"),
        recursive: matches.get_flag("recursive"),
        format: text("format").and_then(|name| FileKind::named(&name)),
        suffix: matches.get_one("suffix").cloned().unwrap_or_default(),
        strip: matches.get_flag("strip"),
        quiet: matches.get_flag("quiet"),
        json: matches.get_flag("json"),
        quality: matches.get_one("quality").copied().unwrap_or(92),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        options::{
            Command,
            tests::{parse_restore, parse_words},
        },
        usage::UsageError,
    };

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
    fn a_missing_output_is_named() {
        let message = parse_words(&["restore", "in.png"]).unwrap_err().to_string();
        assert!(message.contains("--output <OUT>") && !message.contains('\n'), "{message}");
    }

    #[test]
    fn formats_have_their_usual_names_and_suffixes_are_parts_of_names() {
        for (name, kind) in
            [("jpg", FileKind::Jpeg), ("jpeg", FileKind::Jpeg), ("tif", FileKind::Tiff), ("png", FileKind::Png)]
        {
            assert_eq!(parse_restore(&["--format", name]).format, Some(kind), "{name}");
        }
        assert_eq!(parse_restore(&["--suffix", "-new"]).suffix, "-new");
        for words in [["--format", "gif"], ["--suffix", "a/b"], ["--suffix", "a\nb"]] {
            let words = [&["restore", "in.png", "-o", "out"], &words[..]].concat();
            assert!(parse_words(&words).unwrap_err().is::<UsageError>(), "{words:?}");
        }
    }

    #[test]
    fn standard_output_gets_one_thing() {
        assert_eq!(parse_restore(&[]).form(), Form::Table);
        assert_eq!(parse_restore(&["-q"]).form(), Form::Nothing);
        assert_eq!(parse_restore(&["-q", "--json"]).form(), Form::Json);
        let Command::Restore(options) = parse_words(&["restore", "-", "-o", "-"]).unwrap() else { panic!("no run") };
        assert_eq!(options.form(), Form::Nothing);
    }
}
