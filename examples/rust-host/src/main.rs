//! A whole host: restores a picture through `libkds.so`, which it loads from the file that it is given.
//!
//!     rust-host-example target/release/libkds.so models
//!     rust-host-example target/release/libkds.so parameters
//!     rust-host-example target/release/libkds.so restore IN OUT [--model ID] [--confidence FILE] [--cancel-after STEPS]
//!         [KEY=VALUE ...]
//!
//! Ctrl-C cancels, too. Errors are one line, with exit code 1.

use std::error::Error;
use std::io::Write;
use std::ops::ControlFlow;
use std::process::ExitCode;

use image::{DynamicImage, GrayImage, ImageFormat, RgbImage};
use kds_plugin_api::{Image, ImageMut, Images, Library, load};

const USAGE: &str = "usage: rust-host-example LIBRARY models|parameters|restore IN OUT [--model ID] \
    [--confidence FILE] [--cancel-after STEPS] [KEY=VALUE ...]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments.as_slice() {
        [file, "models"] => load(file).map_err(Into::into).and_then(models),
        [file, "parameters"] => load(file).map_err(Into::into).and_then(parameters),
        [file, "restore", input, output, options @ ..] => restore(file, input, output, options),
        _ => Err(USAGE.into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rust-host-example: {error}");
            ExitCode::FAILURE
        }
    }
}

fn models(library: Library) -> Result<(), Box<dyn Error>> {
    for model in library.context(0, None)?.models()? {
        println!("{}\t{}\t{}\t{}x", model.id, model.title, model.task, model.scale);
    }
    Ok(())
}

fn parameters(library: Library) -> Result<(), Box<dyn Error>> {
    for parameter in library.parameters()? {
        println!("{}\t{}\t{}", parameter.name, parameter.default, parameter.help);
    }
    Ok(())
}

/// What the command line says beyond the files.
struct Options<'a> {
    model: &'a str,
    confidence: Option<&'a str>,
    cancel_after: u64,
    settings: Vec<(&'a str, &'a str)>,
}

impl<'a> Options<'a> {
    fn parse(arguments: &[&'a str]) -> Result<Self, Box<dyn Error>> {
        let mut options =
            Self { model: "kds-photo-x4", confidence: None, cancel_after: u64::MAX, settings: Vec::new() };
        let mut arguments = arguments.iter().copied();
        while let Some(argument) = arguments.next() {
            match (argument, argument.split_once('=')) {
                ("--model", _) => options.model = arguments.next().ok_or(USAGE)?,
                ("--confidence", _) => options.confidence = Some(arguments.next().ok_or(USAGE)?),
                ("--cancel-after", _) => options.cancel_after = arguments.next().ok_or(USAGE)?.parse()?,
                (_, Some(setting)) => options.settings.push(setting),
                _ => return Err(USAGE.into()),
            }
        }
        Ok(options)
    }
}

fn restore(file: &str, input: &str, output: &str, options: &[&str]) -> Result<(), Box<dyn Error>> {
    let options = Options::parse(options)?;
    let picture = image::open(input).map_err(|error| format!("{input}: {error}"))?.into_rgb8();

    let mut job = load(file)?.context(0, None)?.open(options.model, "auto", "auto")?.job()?;
    for (name, value) in options.settings {
        job.set(name, value)?;
    }
    let cancel = job.cancel_handle();
    ctrlc::set_handler(move || cancel.cancel())?;

    let size = job.output_size(picture.width(), picture.height())?;
    let mut restored = RgbImage::new(size.width, size.height);
    let mut confidence = GrayImage::new(size.width, size.height);
    let mut images = Images::new(
        Image::rgb(picture.width(), picture.height(), picture.as_raw().as_slice()),
        ImageMut::rgb(size.width, size.height, &mut restored),
    );
    if options.confidence.is_some() {
        images = images.with_confidence(ImageMut::gray(size.width, size.height, &mut confidence));
    }
    let result = job.restore(images, |progress| {
        eprint!("\r{} of {} evaluations", progress.done, progress.total);
        let _ = std::io::stderr().flush();
        if progress.done < options.cancel_after { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    eprintln!();
    result?;

    save(restored, output)?;
    options.confidence.map_or(Ok(()), |file| save(confidence, file))
}

/// Writes a picture beside its place first, so that a full disk leaves no half of it there.
fn save(picture: impl Into<DynamicImage>, file: &str) -> Result<(), Box<dyn Error>> {
    let partial = format!("{file}.partial");
    let written = ImageFormat::from_path(file)
        .and_then(|format| picture.into().save_with_format(&partial, format))
        .and_then(|()| Ok(std::fs::rename(&partial, file)?));
    written.map_err(|error| {
        let _ = std::fs::remove_file(&partial);
        format!("{file}: {error}").into()
    })
}
