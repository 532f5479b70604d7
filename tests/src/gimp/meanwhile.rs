//! What a person does to an image while it is restored: each pixel afterwards is the person's or the result, where it
//! belongs.
//!
//! The model is `tests/libraries/editing-backbone`, which has GIMP evaluate an edit in the middle of the run.

use std::fs;

use anyhow::{Context, Result, ensure};
use image::{DynamicImage, GenericImageView, Rgb, RgbImage};

use super::pixels::write_pictures;
use super::{Session, Version};
use crate::command::build_folder;

/// The result of that model.
const RESULT: Rgb<u8> = Rgb([255, 0, 128]);

/// The selection at the beginning.
const SELECTED: Part = (4, 3, 8, 6);

/// Left, top, width, height.
type Part = (u32, u32, u32, u32);

/// Where the result must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// In this part of the layer.
    Layer(Part),
    /// In a layer of its own, above that of the person or as the only one.
    NewLayer,
    /// In an image of its own.
    NewImage,
    /// Nowhere: the call fails, with this in the message.
    Failure(&'static str),
}

use Expected::{Failure, Layer, NewImage, NewLayer};

const PAINT_INSIDE: &str = "(let ((saved (car (gimp-selection-save image))))
    (gimp-image-select-rectangle image CHANNEL-OP-REPLACE 6 5 2 2)
    (gimp-drawable-edit-fill layer FILL-WHITE)
    (gimp-image-select-item image CHANNEL-OP-REPLACE saved)
    (gimp-image-remove-channel image saved))";
const PAINT_OUTSIDE: &str = "(let ((saved (car (gimp-selection-save image))))
    (gimp-image-select-rectangle image CHANNEL-OP-REPLACE 14 9 4 3)
    (gimp-drawable-edit-fill layer FILL-WHITE)
    (gimp-image-select-item image CHANNEL-OP-REPLACE saved)
    (gimp-image-remove-channel image saved))";

/// Name, Script-Fu of an edit of `image` and its `layer`, and where the results of restoring (and inpainting) and of
/// enlarging must be.
const EDITS: [(&str, &str, Expected, Expected); 16] = [
    ("nothing", "#t", Layer(SELECTED), Layer((16, 12, 32, 24))),
    ("deselect", "(gimp-selection-none image)", Layer(SELECTED), Layer((16, 12, 32, 24))),
    (
        "another selection",
        "(gimp-image-select-rectangle image CHANNEL-OP-REPLACE 13 1 5 4)",
        Layer(SELECTED),
        Layer((16, 12, 32, 24)),
    ),
    (
        "larger selection",
        "(gimp-image-select-rectangle image CHANNEL-OP-REPLACE 2 1 15 12)",
        Layer(SELECTED),
        Layer((16, 12, 32, 24)),
    ),
    ("inverted selection", "(gimp-selection-invert image)", Layer(SELECTED), Layer((16, 12, 32, 24))),
    ("move", "(gimp-layer-set-offsets layer 5 2)", Layer(SELECTED), Layer((16, 12, 32, 24))),
    ("resize", "(gimp-layer-resize layer 30 24 5 7)", Layer((9, 10, 8, 6)), Layer((36, 40, 32, 24))),
    ("larger canvas", "(gimp-image-resize image 40 30 9 8)", Layer(SELECTED), Layer((16, 12, 32, 24))),
    ("crop", "(gimp-image-crop image 15 12 2 1)", NewLayer, NewImage),
    ("scale", "(gimp-image-scale image 40 28)", NewLayer, NewImage),
    ("paint inside", PAINT_INSIDE, NewLayer, NewImage),
    ("paint outside", PAINT_OUTSIDE, Layer(SELECTED), Layer((16, 12, 32, 24))),
    ("delete", "(gimp-image-remove-layer image layer)", NewLayer, NewImage),
    ("lock", "(gimp-item-set-lock-content layer TRUE)", NewLayer, NewImage),
    ("convert to 16 bits", "(gimp-image-convert-precision image U16)", Layer(SELECTED), Layer((16, 12, 32, 24))),
    ("close", "(gimp-image-delete image)", Failure("closed"), Failure("closed")),
];

/// Edits that are enough for the other procedures, whose results take the same way.
const FOR_ENLARGING: [&str; 8] =
    ["nothing", "deselect", "larger selection", "resize", "crop", "paint inside", "delete", "close"];
const FOR_INPAINTING: [&str; 4] = ["deselect", "larger selection", "paint inside", "delete"];

/// Every edit, while a procedure runs.
pub fn nothing_that_is_painted_meanwhile_is_lost(version: Version, procedure: &str) -> Result<()> {
    let session = Session::new(version, &format!("meanwhile-{procedure}"))?;
    write_pictures(&session)?;
    let kind = procedure.trim_start_matches("plug-in-kds-");
    write_model(&session, kind)?;
    session.write_vocabulary()?;
    let mut script = String::from(
        "(define (edit-file edit)
           (let ((port (open-output-file (in-folder \"edit.scm\"))))
             (write `(load ,(in-folder \"vocabulary.scm\")) port)
             (newline port)
             (write `(let* ((image (opened-image)) (layer (top-layer image))) ,edit) port)
             (close-output-port port)))
         (define (begin-with-photograph)
           (let ((image (load-image (in-folder \"rgb.png\"))))
             (gimp-image-select-rectangle image CHANNEL-OP-REPLACE 4 3 8 6)
             image))
         (define (lowest-layer image) (layer-at image (- (layer-count image) 1)))
         (define result #f)\n",
    );
    let edits = || {
        EDITS.into_iter().filter(|(name, ..)| match kind {
            "upscale" => FOR_ENLARGING.contains(name),
            "inpaint" => FOR_INPAINTING.contains(name),
            _ => true,
        })
    };
    let scale = if kind == "upscale" { 4 } else { 1 };
    for (name, edit, ..) in edits() {
        script += &format!("(edit-file '{edit})\n");
        if name != "close" {
            script += &format!(
                "(define image (begin-with-photograph))
                 (load (in-folder \"edit.scm\"))
                 (if (< 0 (layer-count image)) (save-layer (lowest-layer image) \"{name}-person.png\"))
                 (gimp-context-set-interpolation INTERPOLATION-CUBIC)
                 (gimp-image-scale image (* {scale} (image-width image)) (* {scale} (image-height image)))
                 (if (< 0 (layer-count image)) (save-layer (lowest-layer image) \"{name}-enlarged.png\"))
                 (gimp-image-delete image)\n"
            );
        }
        script += &format!(
            "(define image (begin-with-photograph))
             (set! result #f)
             (tell-failure \"{name} failure\" (set! result (kds {procedure} image (top-layer image) '(model \"editing\"))))
             (if (and result (not (equal? \"{name}\" \"close\")))
               (begin
                 (tell \"{name} same image\" (= (car result) image))
                 (tell \"{name} layers\" (layer-count image))
                 (save-layer (cadr result) \"{name}-result.png\")
                 (if (< 0 (layer-count image)) (save-layer (lowest-layer image) \"{name}-layer.png\"))
                 (gimp-image-delete image)))\n"
        );
    }
    let facts = session.run(&script)?;
    for (name, _, restored, enlarged) in edits() {
        let expected = if kind == "upscale" { enlarged } else { restored };
        let told = |fact: &str| facts.get(&format!("{name} {fact}")).map(String::as_str).unwrap_or_default();
        let read = |file: &str| session.read(&format!("{name}-{file}.png"));
        let check = || -> Result<()> {
            if let Failure(part) = expected {
                // GIMP 3 keeps an image that was closed until the procedure returns, and says of it that it is there.
                let kept = version.is_three() && told("failure") == "no failure";
                ensure!(kept || told("failure").contains(part), "it should fail with '{part}'");
                return Ok(());
            }
            let same_image = told("same image") == "#t";
            ensure!(same_image == (expected != NewImage), "the result is in the wrong image");
            let (result, person) = (read("result")?, read("person").ok());
            if let Layer(part) = expected {
                ensure!(told("layers") == "1", "there should be one layer");
                return only_the_part_is_result(&result, &read("enlarged")?, part, scale);
            }
            let result = result.to_rgba8();
            ensure!(result.dimensions() == (SELECTED.2 * scale, SELECTED.3 * scale) || expected == NewImage);
            let red = |pixel: &image::Rgba<u8>| pixel.0[..3] == RESULT.0 || pixel.0[3] == 0;
            ensure!(result.pixels().all(red), "the result is not that of the model");
            match person {
                None => ensure!(["1", "0"].contains(&told("layers"))),
                Some(person) => ensure!(read("layer")? == person, "the person's layer has changed"),
            }
            Ok(())
        };
        check().with_context(|| format!("{name}, {procedure}: {facts:?}"))?;
    }
    Ok(())
}

/// The layer is the person's, which GIMP has enlarged where the image grows, with the result in this part.
fn only_the_part_is_result(
    layer: &DynamicImage,
    person: &DynamicImage,
    (left, top, width, height): Part,
    scale: u32,
) -> Result<()> {
    let size = person.dimensions();
    ensure!(layer.dimensions() == size, "{:?} pixels in place of {size:?}", layer.dimensions());
    let (layer, person): (RgbImage, RgbImage) = (layer.to_rgb8(), person.to_rgb8());
    // GIMP enlarges the edges of a selection softly.
    let margin = if scale == 1 { 0 } else { 3 };
    for (x, y, pixel) in layer.enumerate_pixels() {
        let within = |margin: i64| {
            let inside = |value: u32, start: u32, length: u32| {
                let (value, start) = (i64::from(value), i64::from(start));
                (start - margin..start + i64::from(length) + margin).contains(&value)
            };
            inside(x, left, width) && inside(y, top, height)
        };
        if within(-margin) {
            let off = pixel.0.iter().zip(RESULT.0).map(|(a, b)| a.abs_diff(b)).max();
            ensure!(off <= Some(1), "{x}, {y}: {pixel:?} is not the result");
        } else if !within(margin) {
            ensure!(pixel == person.get_pixel(x, y), "{x}, {y}: {pixel:?} is not the person's");
        }
    }
    Ok(())
}

/// The library and a registry of it.
fn write_model(session: &Session, kind: &str) -> Result<()> {
    let library = format!("{kind}.so");
    fs::copy(build_folder()?.join("libediting_backbone.so"), session.folder().join(&library))?;
    let (task, scale) = match kind {
        "upscale" => ("super-resolution", 4),
        "inpaint" => ("inpainting", 1),
        _ => ("restoration", 1),
    };
    let registry = format!(
        "[[model]]\nid = \"editing\"\ntitle = \"Edits meanwhile\"\ntask = \"{task}\"\nscale = {scale}\n\
         backbone = \"plugin\"\npath = \"{library}\"\nallow_code = true\n"
    );
    fs::write(session.folder().join("registry.toml"), registry)?;
    // The model talks to GIMP through the plug-in's process.
    session.set("KDS_WORKER", "none")?;
    session.set("KDS_REGISTRY", &session.folder_inside().join("registry.toml").display().to_string())
}
