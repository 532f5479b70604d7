//! Images of every kind of pixels, restored by GIMP and by the command.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use image::imageops::crop_imm;
use image::{DynamicImage, GenericImageView, GrayImage, LumaA, RgbaImage};

use super::{Session, Version};
use crate::command::kds;
use crate::pairs::small_picture;

/// A way of keeping pixels: its name in the test, the file that it begins with, and the Script-Fu that changes an `image`
/// of 8 bits to it.
pub const PIXELS: [(&str, &str, &str); 10] = [
    ("rgb8", "rgb.png", "#t"),
    ("rgba8", "rgba.png", "#t"),
    ("gray8", "gray.png", "#t"),
    ("graya8", "graya.png", "#t"),
    ("rgb8-linear", "rgb.png", "(gimp-image-convert-precision image U8-LINEAR)"),
    ("rgb16", "rgb.png", "(gimp-image-convert-precision image U16)"),
    ("rgba16", "rgba.png", "(gimp-image-convert-precision image U16)"),
    ("rgb-float", "rgb.png", "(gimp-image-convert-precision image FLOAT)"),
    ("rgba-float-linear", "rgba.png", "(gimp-image-convert-precision image FLOAT-LINEAR)"),
    ("gray-float-linear", "gray.png", "(gimp-image-convert-precision image FLOAT-LINEAR)"),
];

/// Those of [`PIXELS`] that differ most, for what need not be tried with all.
pub const FEW: [usize; 4] = [0, 3, 6, 8];

/// Writes a photograph of 20 x 14 pixels in all layouts: `rgb.png`, `rgba.png`, `gray.png`, `graya.png`. Alpha is 0 in a
/// corner and grows to the other side.
pub fn write_pictures(session: &Session) -> Result<()> {
    let rgb = crop_imm(&small_picture()?, 4, 3, 20, 14).to_image();
    let alpha = |x: u32, y: u32| if x + y < 8 { 0 } else { (60 + 8 * (x + y)).min(255) as u8 };
    let rgba = RgbaImage::from_fn(rgb.width(), rgb.height(), |x, y| {
        let [r, g, b] = rgb.get_pixel(x, y).0;
        image::Rgba([r, g, b, alpha(x, y)])
    });
    // With more noise than the mean of three channels has, because models leave small changes out.
    let luma = DynamicImage::from(rgb.clone()).into_luma8();
    let gray = GrayImage::from_fn(rgb.width(), rgb.height(), |x, y| {
        let (green, luma) = (rgb.get_pixel(x, y).0[1], luma.get_pixel(x, y).0[0]);
        image::Luma([(3 * i32::from(green) - 2 * i32::from(luma)).clamp(0, 255) as u8])
    });
    let graya = image::GrayAlphaImage::from_fn(rgb.width(), rgb.height(), |x, y| {
        LumaA([gray.get_pixel(x, y).0[0], alpha(x, y)])
    });
    session.write("rgb.png", rgb)?;
    session.write("rgba.png", rgba)?;
    session.write("gray.png", gray)?;
    session.write("graya.png", graya)
}

/// What the command makes of a file of the session's folder, with the settings of `words.scm` and these. Of three
/// particles one is nearest to their mean; two would always be equally near, and the last bit of a sample would decide.
pub fn expected(session: &Session, file: &str, further: &[&str]) -> Result<DynamicImage> {
    expected_of(session, file, &[&["--particles", "3", "--steps", "2"], further].concat())
}

/// The same with the model's own numbers of particles and steps.
pub fn expected_of(session: &Session, file: &str, further: &[&str]) -> Result<DynamicImage> {
    let mut command: Command = kds()?;
    command.args(["restore", file, "-o", "expected.png", "--seed", "5", "--device", "cpu"]);
    command.args(further).current_dir(session.folder());
    let output = command.output().context("cannot start kds")?;
    ensure!(output.status.success(), "kds restore {file}: {}", String::from_utf8_lossy(&output.stderr));
    session.read("expected.png")
}

/// The largest difference of a sample, in 1/255, where any of both is visible; alpha counts everywhere.
pub fn difference(a: &DynamicImage, b: &DynamicImage) -> Result<f32> {
    ensure!(a.dimensions() == b.dimensions(), "{:?} and {:?} pixels", a.dimensions(), b.dimensions());
    let (a, b) = (a.to_rgba32f(), b.to_rgba32f());
    let mut largest = 0f32;
    for (a, b) in a.pixels().zip(b.pixels()) {
        let visible = if a.0[3] == 0.0 && b.0[3] == 0.0 { 3..4 } else { 0..4 };
        for channel in visible {
            largest = largest.max((a.0[channel] - b.0[channel]).abs() * 255.0);
        }
    }
    Ok(largest)
}

/// Fails where the pictures differ by more than one of 255 steps.
pub fn same(what: &str, a: &DynamicImage, b: &DynamicImage) -> Result<()> {
    let difference = difference(a, b).context(what.to_owned())?;
    ensure!(difference <= 1.001, "{what}: a sample differs by {difference} / 255");
    Ok(())
}

/// The same as 8 bits of linear samples hold it: their steps are wide in the shadows.
fn in_linear_bytes(picture: &DynamicImage) -> DynamicImage {
    let linear = |v: f32| if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) };
    let encoded = |v: f32| if v <= 0.0031308 { v * 12.92 } else { 1.055 * v.powf(1.0 / 2.4) - 0.055 };
    let mut picture = picture.to_rgb32f();
    picture.iter_mut().for_each(|sample| *sample = encoded((linear(*sample) * 255.0).round() / 255.0));
    picture.into()
}

/// Runs a procedure for [`PIXELS`], all or these, and compares what becomes of them with what the command makes of the
/// same.
pub fn every_kind(version: Version, procedure: &str, model: &str, kinds: &[usize]) -> Result<()> {
    let pixels = || kinds.iter().map(|kind| PIXELS[*kind]);
    let session = Session::new(version, &format!("pixels-{procedure}"))?;
    write_pictures(&session)?;
    let mut script = String::new();
    for (name, file, change) in pixels() {
        script += &format!(
            "(let* ((image (load-image (in-folder \"{file}\"))) (layer (top-layer image)))
               {change}
               (save-layer layer \"{name}-before.png\")
               (kds {procedure} image layer)
               (tell \"{name} layers\" (layer-count image))
               (tell \"{name} size\" (list (image-width image) (image-height image)))
               (save-layer layer \"{name}-after.png\")
               (gimp-image-delete image))\n"
        );
    }
    let facts = session.run(&script)?;
    for (name, ..) in pixels() {
        let (before, after) = (format!("{name}-before.png"), session.read(&format!("{name}-after.png"))?);
        let wanted = expected(&session, &before, &["--model", model])?;
        match name {
            "rgb8-linear" => {
                // A sample at the border between two wide steps may fall to either side.
                let (after, wanted) = (after.to_rgb32f(), in_linear_bytes(&wanted).to_rgb32f());
                let off = after.iter().zip(wanted.iter()).filter(|(a, b)| (**a - **b).abs() * 255.0 > 1.001).count();
                ensure!(off * 100 <= after.len(), "{name}: {off} of {} samples differ", after.len());
            }
            _ => same(name, &after, &wanted)?,
        }
        let untouched = session.read(&before)?;
        let enlarged = after.width() != untouched.width();
        ensure!(enlarged || difference(&after, &untouched)? > 2.0, "{name}: nothing has changed");
        ensure!(facts[&format!("{name} layers")] == "1", "{facts:?}");
        let size = format!("({} {})", after.width(), after.height());
        ensure!(facts[&format!("{name} size")] == size, "{name}: {facts:?}, expected {size}");
    }
    Ok(())
}
