//! Where the result goes: selections, offsets, layer masks, new layers, new images, and what stays as it was.

use std::fs;
use std::process::Command;

use anyhow::{Result, ensure};
use image::{DynamicImage, GrayImage, Rgb32FImage, RgbaImage};

use super::pixels::{difference, expected, expected_of, same, write_pictures};
use super::{Session, Version};

const RESTORE: &[&str] = &["--model", "kds-photo-x1"];
const UPSCALE: &[&str] = &["--model", "kds-photo-x4"];

/// An `image` of 30 x 22 pixels with a `layer` of the photograph at 7, 5 over another one.
const OFFSET: &str = "
    (define image (load-image (in-folder \"rgb.png\")))
    (define layer (top-layer image))
    (gimp-image-resize image 30 22 7 5)
    (define other (new-layer image 30 22 RGB-IMAGE))
    (gimp-image-insert-layer image other 0 1)
    (gimp-drawable-fill other FILL-WHITE)";

fn session(version: Version, name: &str) -> Result<Session> {
    let session = Session::new(version, name)?;
    write_pictures(&session)?;
    Ok(session)
}

/// Nothing but the selection changes, its edges blend, and a layer mask stays.
pub fn only_the_selection_changes(version: Version) -> Result<()> {
    let session = session(version, "selection")?;
    let facts = session.run(&format!(
        "{OFFSET}
         (gimp-layer-add-mask layer (car (gimp-layer-create-mask layer ADD-MASK-WHITE)))
         (gimp-context-set-feather TRUE)
         (gimp-context-set-feather-radius 3 3)
         (gimp-image-select-rectangle image CHANNEL-OP-REPLACE 12 8 10 8)
         (save-layer layer \"before.png\")
         (kds plug-in-kds-restore image layer)
         (save-layer layer \"after.png\")
         (gimp-selection-layer image \"selected.png\")
         (tell \"mask\" (< 0 (car (gimp-layer-get-mask layer))))
         (tell \"offsets\" (offsets-of layer))"
    ))?;
    ensure!(facts["offsets"] == "(7 5)" && facts["mask"] == "#t", "{facts:?}");
    let (before, after) = (session.read("before.png")?.to_rgb8(), session.read("after.png")?.to_rgb8());
    let restored = expected(&session, "before.png", RESTORE)?.to_rgb8();
    let selected = session.read("selected.png")?.to_luma8();
    let (mut blended, mut inside) = (0, 0);
    for (x, y, pixel) in after.enumerate_pixels() {
        let share = selected.get_pixel(x + 7, y + 5).0[0];
        for (channel, sample) in pixel.0.into_iter().enumerate() {
            let (old, new) = (before.get_pixel(x, y).0[channel], restored.get_pixel(x, y).0[channel]);
            match share {
                0 => ensure!(sample == old, "{x}, {y} is not selected and has changed"),
                255 => ensure!(sample.abs_diff(new) <= 1, "{x}, {y} is selected, and {sample} is not {new}"),
                _ => {
                    let between = old.min(new).saturating_sub(1)..=old.max(new).saturating_add(1);
                    ensure!(between.contains(&sample), "{x}, {y}: {sample} is not between {old} and {new}");
                    blended += usize::from(sample.abs_diff(old) > 1 && sample.abs_diff(new) > 1);
                }
            }
            inside += usize::from(share == 255);
        }
    }
    ensure!(blended > 20 && inside > 20, "{blended} samples blend, {inside} are inside");
    Ok(())
}

/// New layers and new images leave what was there alone; they carry what belongs to the layer and to the image.
pub fn results_go_where_they_should(version: Version) -> Result<()> {
    let session = session(version, "outputs")?;
    fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/data/srgb.icc"), session.folder().join("profile.icc"))?;
    let mut exiftool = Command::new("exiftool");
    exiftool.args(["-q", "-overwrite_original", "-IFD0:Make=Maker"]).arg(session.folder().join("rgb.png"));
    ensure!(exiftool.status()?.success(), "exiftool failed");
    let facts = session.run(&format!(
        "{OFFSET}
         (gimp-image-set-resolution image 123 123)
         (attach-profile image (in-folder \"profile.icc\"))
         (gimp-image-attach-parasite image (list \"gimp-comment\" 1 \"by hand\"))
         (gimp-layer-set-mode layer LAYER-MODE-MULTIPLY)
         (gimp-layer-set-opacity layer 40)
         (gimp-layer-add-mask layer (car (gimp-layer-create-mask layer ADD-MASK-WHITE)))
         (gimp-item-set-visible layer FALSE)
         (define (tell-likeness name result)
           (tell name (and (= LAYER-MODE-MULTIPLY (car (gimp-layer-get-mode result)))
                           (< 39.9 (car (gimp-layer-get-opacity result)) 40.1)
                           (= (width-of result) (width-of (car (gimp-layer-get-mask result))))
                           (not (memv (car (gimp-item-get-visible result)) (list 1 #t))))))
         (save-layer layer \"before.png\")
         (let ((result (kds plug-in-kds-restore image layer '(output \"new-layer\") '(confidence TRUE))))
           (tell \"same image\" (= (car result) image))
           (tell \"layers\" (layer-count image))
           (tell \"confidence\" (car (gimp-item-get-name (layer-at image 0))))
           (tell \"confidence visible\" (car (gimp-item-get-visible (layer-at image 0))))
           (tell \"result below\" (= (layer-at image 1) (cadr result)))
           (tell \"name\" (car (gimp-item-get-name (cadr result))))
           (tell \"offsets\" (offsets-of (cadr result)))
           (tell-likeness \"likeness\" (cadr result))
           (save-layer (cadr result) \"new-layer.png\")
           (save-layer (layer-at image 0) \"confidence.png\"))
         (let ((result (kds plug-in-kds-upscale image layer '(output \"new-image\"))))
           (tell \"new image\" (not (= (car result) image)))
           (tell \"new size\" (list (image-width (car result)) (image-height (car result))))
           (tell \"profile\" (equal? (profile-of image) (profile-of (car result))))
           (tell \"comment\" (car (cddr (car (gimp-image-get-parasite (car result) \"gimp-comment\")))))
           (write-with-metadata (car result) (in-folder \"metadata.png\"))
           (tell \"resolution\" (car (gimp-image-get-resolution (car result))))
           (save-layer (cadr result) \"new-image.png\"))
         (gimp-image-select-rectangle image CHANNEL-OP-REPLACE 9 8 10 8)
         (let ((result (kds plug-in-kds-restore image layer '(output \"new-layer\"))))
           (tell \"part\" (list (width-of (cadr result)) (height-of (cadr result))))
           (tell \"part offsets\" (offsets-of (cadr result)))
           (tell-likeness \"part likeness\" (cadr result))
           (save-layer (cadr result) \"part.png\"))
         (save-layer layer \"after.png\")"
    ))?;
    let told = |name: &str, value: &str| -> Result<()> {
        ensure!(facts.get(name).map(String::as_str) == Some(value), "{name} should be {value}: {facts:?}");
        Ok(())
    };
    told("same image", "#t")?;
    told("layers", "4")?;
    told("confidence", "Confidence (KDS)")?;
    ensure!(["0", "#f"].contains(&facts["confidence visible"].as_str()), "{facts:?}");
    told("result below", "#t")?;
    ensure!(facts["name"].ends_with(" (restored)"), "{facts:?}");
    told("offsets", "(7 5)")?;
    told("new image", "#t")?;
    told("new size", "(80 56)")?;
    told("profile", "#t")?;
    told("comment", "by hand")?;
    let make = Command::new("exiftool").args(["-s3", "-Make"]).arg(session.folder().join("metadata.png")).output()?;
    ensure!(make.stdout == b"Maker\n", "the metadata are lost: {make:?}");
    told("likeness", "#t")?;
    told("part likeness", "#t")?;
    ensure!(facts["resolution"].starts_with("123"), "{facts:?}");
    told("part", "(10 8)")?;
    told("part offsets", "(9 8)")?;
    let before = session.read("before.png")?;
    ensure!(before == session.read("after.png")?, "the layer has changed");
    let restored = expected(&session, "before.png", RESTORE)?;
    same("new layer", &session.read("new-layer.png")?, &restored)?;
    same("new image", &session.read("new-image.png")?, &expected(&session, "before.png", UPSCALE)?)?;
    // Without feathering all of the part is opaque.
    let part = session.read("part.png")?;
    ensure!(part.to_rgba8().pixels().all(|pixel| pixel.0[3] == 255));
    same("part", &part, &restored.crop_imm(2, 3, 10, 8))?;
    expected(&session, "before.png", &[RESTORE, &["--confidence", "map.png"]].concat())?;
    same("confidence", &session.read("confidence.png")?, &session.read("map.png")?)
}

/// Upscaling scales the canvas and every layer on it; a selection says where detail is made up.
pub fn the_image_grows_with_all_its_layers(version: Version) -> Result<()> {
    let session = session(version, "growth")?;
    let facts = session.run(&format!(
        "{OFFSET}
         (save-layer layer \"before.png\")
         (kds plug-in-kds-upscale image layer '(confidence TRUE))
         (tell \"canvas\" (list (image-width image) (image-height image)))
         (tell \"offsets\" (offsets-of layer))
         (tell \"other\" (list (width-of other) (height-of other)))
         (tell \"confidence\" (offsets-of (layer-at image 0)))
         (save-layer layer \"after.png\")
         (define part (load-image (in-folder \"rgb.png\")))
         (gimp-image-select-rectangle part CHANNEL-OP-REPLACE 4 4 8 6)
         (kds plug-in-kds-upscale part (top-layer part))
         (save-layer (top-layer part) \"part.png\")
         (define scaled (load-image (in-folder \"rgb.png\")))
         (gimp-context-set-interpolation INTERPOLATION-CUBIC)
         (gimp-image-scale scaled 80 56)
         (save-layer (top-layer scaled) \"scaled.png\")"
    ))?;
    for (name, value) in
        [("canvas", "(120 88)"), ("offsets", "(28 20)"), ("other", "(120 88)"), ("confidence", "(28 20)")]
    {
        ensure!(facts[name] == value, "{name} should be {value}: {facts:?}");
    }
    let restored = expected(&session, "before.png", UPSCALE)?;
    same("upscaled layer", &session.read("after.png")?, &restored)?;
    let (part, scaled) = (session.read("part.png")?, session.read("scaled.png")?);
    // GIMP interpolates the edges of the selection, so they blend over a few pixels.
    let cut = |picture: &DynamicImage| picture.crop_imm(20, 20, 24, 16);
    same("inside the selection", &cut(&part), &cut(&restored))?;
    let mut outside = (part.to_rgb8(), scaled.to_rgb8());
    for picture in [&mut outside.0, &mut outside.1] {
        image::imageops::replace(picture, &image::RgbImage::new(40, 32), 12, 12);
    }
    ensure!(outside.0 == outside.1, "what is outside of the selection is not just scaled");
    Ok(())
}

/// Floating-point values beyond 0..1 stay where they are restored, blend at the edge of a selection, and do not come back over
/// what is filled.
pub fn values_beyond_the_range_stay(version: Version) -> Result<()> {
    let session = session(version, "range")?;
    let bright = session.read("rgb.png")?.to_rgb32f();
    let picture = Rgb32FImage::from_fn(bright.width(), bright.height(), |x, y| {
        let value = bright.get_pixel(x, y).0;
        // Half of the picture is far beyond white, one colour of it below black.
        if x < 10 { image::Rgb([value[0] + 3.0, -0.5, value[2] + 2.0]) } else { image::Rgb(value) }
    });
    session.write("bright.tif", picture.clone())?;
    session.run(
        "(define (opened) (load-image (in-folder \"bright.tif\")))
         (define whole (opened))
         (kds plug-in-kds-restore whole (top-layer whole))
         (write-png whole (in-folder \"whole.tif\"))
         (define part (opened))
         (gimp-image-select-rectangle part CHANNEL-OP-REPLACE 4 3 8 6)
         (kds plug-in-kds-restore part (top-layer part))
         (write-png part (in-folder \"part.tif\"))
         (define hole (opened))
         (gimp-image-select-rectangle hole CHANNEL-OP-REPLACE 4 3 8 6)
         (kds plug-in-kds-inpaint hole (top-layer hole))
         (write-png hole (in-folder \"hole.tif\"))",
    )?;
    let read = |file: &str| -> Result<Rgb32FImage> { Ok(session.read(file)?.to_rgb32f()) };
    let (whole, part, hole) = (read("whole.tif")?, read("part.tif")?, read("hole.tif")?);
    for (x, y, before) in picture.enumerate_pixels() {
        let selected = (4..12).contains(&x) && (3..9).contains(&y);
        for channel in 0..3 {
            let old = before.0[channel];
            let beyond = old - old.clamp(0.0, 1.0);
            let range = beyond - 0.001..=beyond + 1.001;
            let [whole, part, hole] = [&whole, &part, &hole].map(|image| image.get_pixel(x, y).0[channel]);
            ensure!(range.contains(&whole), "{x}, {y}: {old} became {whole}");
            if selected {
                ensure!(range.contains(&part), "{x}, {y}: {old} became {part}");
                ensure!((-0.001..=1.001).contains(&hole), "{x}, {y}: {old} was filled with {hole}");
            } else {
                let off = (part - old).abs().max((hole - old).abs());
                ensure!(off < 1e-5, "{x}, {y} is not selected: {old} became {part} and {hole}");
            }
        }
    }
    Ok(())
}

/// Inpainting fills the selection as the command fills a mask, and nothing else changes.
pub fn the_selection_is_filled(version: Version) -> Result<()> {
    let session = session(version, "inpainting")?;
    let facts = session.run(&format!(
        "{OFFSET}
         (gimp-image-select-rectangle image CHANNEL-OP-REPLACE 13 9 6 5)
         (save-layer layer \"before.png\")
         (kds plug-in-kds-inpaint image layer)
         (save-layer layer \"after.png\")
         (define erased (load-image (in-folder \"rgba.png\")))
         (gimp-image-select-rectangle erased CHANNEL-OP-REPLACE 9 6 6 5)
         (gimp-drawable-edit-clear (top-layer erased))
         (save-layer (top-layer erased) \"erased.png\")
         (kds plug-in-kds-inpaint erased (top-layer erased))
         (save-layer (top-layer erased) \"filled.png\")
         (gimp-selection-all erased)
         (tell-failure \"all\" (kds plug-in-kds-inpaint erased (top-layer erased)))"
    ))?;
    ensure!(facts["all"].contains("select only the part"), "{facts:?}");
    // A hole that was erased is seen again.
    let (erased, filled) = (session.read("erased.png")?.to_rgba8(), session.read("filled.png")?.to_rgba8());
    for (x, y, pixel) in filled.enumerate_pixels() {
        let inside = (9..15).contains(&x) && (6..11).contains(&y);
        let expected = if inside { 255 } else { erased.get_pixel(x, y).0[3] };
        ensure!(pixel.0[3] == expected, "{x}, {y}: an alpha of {} in place of {expected}", pixel.0[3]);
    }
    let hole = |x: u32, y: u32| (6..12).contains(&x) && (4..9).contains(&y);
    let (before, after) = (session.read("before.png")?, session.read("after.png")?);
    let mask = GrayImage::from_fn(20, 14, |x, y| image::Luma([if hole(x, y) { 255 } else { 0 }]));
    session.write("mask.png", mask)?;
    let filled = expected(&session, "before.png", &["--model", "kds-inpaint", "--mask", "mask.png"])?;
    same("inpainted", &after, &filled)?;
    ensure!(difference(&before, &after)? > 2.0, "nothing was filled");
    let outside = |picture: DynamicImage| {
        let mut picture: RgbaImage = picture.to_rgba8();
        picture.enumerate_pixels_mut().filter(|(x, y, _)| hole(*x, *y)).for_each(|(_, _, pixel)| pixel.0 = [0; 4]);
        picture
    };
    ensure!(outside(before) == outside(after), "what is not selected has changed");
    Ok(())
}

/// An image with a palette becomes RGB, restored as the same picture of RGB is, and one step of undo brings the palette back.
pub fn a_palette_gives_way_to_all_colours(version: Version) -> Result<()> {
    let session = session(version, "palette")?;
    let facts = session.run(
        "(define image (load-image (in-folder \"rgb.png\")))
         (gimp-image-convert-indexed image CONVERT-DITHER-NONE CONVERT-PALETTE-GENERATE 9 FALSE FALSE \"\")
         (define layer (top-layer image))
         (write-png image (in-folder \"before.png\"))
         (define new (kds plug-in-kds-restore image layer '(output \"new-image\")))
         (tell \"palette stays\" (= INDEXED (base-type image)))
         (save-layer (cadr new) \"new.png\")
         (kds plug-in-kds-restore image layer)
         (tell \"rgb\" (= RGB (base-type image)))
         (save-layer layer \"after.png\")",
    )?;
    ensure!(facts["palette stays"] == "#t" && facts["rgb"] == "#t", "{facts:?}");
    let restored = expected(&session, "before.png", RESTORE)?;
    ensure!(difference(&restored, &session.read("before.png")?)? > 2.0, "nothing has changed");
    same("new image", &session.read("new.png")?, &restored)?;
    same("layer", &session.read("after.png")?, &restored)
}

/// Quality, side, amount and enlargement are those of the command; a part of the amount lies between the original and the result.
pub fn settings_are_those_of_the_command(version: Version) -> Result<()> {
    let session = session(version, "settings")?;
    session.run(
        "(define (made file procedure . changes)
           (let* ((image (load-image (in-folder \"rgb.png\"))) (layer (top-layer image)))
             (apply kds (append (list procedure image layer) changes))
             (save-layer layer file)
             (gimp-image-delete image)))
         (made \"fast.png\" plug-in-kds-restore '(preset \"fast\") '(particles 0) '(steps 0))
         (made \"paper.png\" plug-in-kds-restore '(preset \"paper\") '(steps 3) '(particles 0))
         (made \"faithful.png\" plug-in-kds-restore '(favour \"faithfulness\"))
         (made \"detail.png\" plug-in-kds-restore '(favour \"detail\"))
         (made \"half.png\" plug-in-kds-restore '(amount 50))
         (made \"none.png\" plug-in-kds-restore '(amount 0))
         (made \"twice.png\" plug-in-kds-upscale '(scale 2))
         (made \"plain.png\" plug-in-kds-upscale '(scale 2) '(amount 0))",
    )?;
    let plain = |arguments: &[&str]| expected_of(&session, "rgb.png", &[RESTORE, arguments].concat());
    same("fast", &session.read("fast.png")?, &plain(&["--preset", "fast"])?)?;
    same("paper", &session.read("paper.png")?, &plain(&["--preset", "paper", "--steps", "3"])?)?;
    let own = |arguments: &[&str]| expected(&session, "rgb.png", &[RESTORE, arguments].concat());
    same("faithfulness", &session.read("faithful.png")?, &own(&["--selection", "mean"])?)?;
    same("detail", &session.read("detail.png")?, &own(&["--fusion", "0", "--selection", "sharpest"])?)?;
    let (before, restored) = (session.read("rgb.png")?.to_rgb8(), own(&[])?.to_rgb8());
    let mean = |x: u32, y: u32| {
        let (a, b) = (before.get_pixel(x, y).0, restored.get_pixel(x, y).0);
        image::Rgb([0, 1, 2].map(|channel| ((u16::from(a[channel]) + u16::from(b[channel])) / 2) as u8))
    };
    let mean = image::RgbImage::from_fn(before.width(), before.height(), mean);
    same("half", &session.read("half.png")?, &mean.into())?;
    ensure!(session.read("none.png")? == session.read("rgb.png")?, "an amount of 0 changes the layer");
    let twice = session.read("twice.png")?;
    same("twice", &twice, &expected(&session, "rgb.png", &[UPSCALE, &["--scale", "2"]].concat())?)?;
    let (twice, plain) = (twice.to_rgb8(), session.read("plain.png")?.to_rgb8());
    ensure!(plain.dimensions() == (40, 28) && plain != twice, "an amount of 0 enlarges with the model");
    // The same kernel by another program, which does other things at the edges.
    let resized = image::imageops::resize(&before, 40, 28, image::imageops::FilterType::CatmullRom);
    let inner = |picture: &image::RgbImage| image::imageops::crop_imm(picture, 4, 4, 32, 20).to_image();
    same("enlarged", &inner(&plain).into(), &inner(&resized).into())?;
    Ok(())
}

/// Several layers that are selected are restored each, as one step to undo; enlarging enlarges the image once.
pub fn several_layers_are_restored_at_once() -> Result<()> {
    let session = session(Version::Three, "several")?;
    let facts = session.run(&format!(
        "(define (call procedure image first second)
           (procedure #:run-mode RUN-NONINTERACTIVE #:image image #:drawables (vector first second)
                      #:particles 3 #:steps 2 #:seed 5 #:device \"cpu\"))
         {OFFSET}
         (define second (car (gimp-layer-copy layer)))
         (gimp-image-insert-layer image second 0 0)
         (gimp-layer-set-offsets second 1 2)
         (save-layer layer \"before.png\")
         (call plug-in-kds-restore image layer second)
         (tell \"layers\" (layer-count image))
         (save-layer layer \"first.png\")
         (save-layer second \"second.png\")
         {OFFSET}
         (define second (car (gimp-layer-copy layer)))
         (gimp-image-insert-layer image second 0 0)
         (call plug-in-kds-upscale image layer second)
         (tell \"size\" (list (image-width image) (image-height image)))
         (save-layer layer \"first-enlarged.png\")
         (save-layer second \"second-enlarged.png\")"
    ))?;
    ensure!(facts["layers"] == "3" && facts["size"] == "(120 88)", "{facts:?}");
    for (names, model) in [(["first", "second"], RESTORE), (["first-enlarged", "second-enlarged"], UPSCALE)] {
        let restored = expected(&session, "before.png", model)?;
        for name in names {
            same(name, &session.read(&format!("{name}.png"))?, &restored)?;
        }
    }
    Ok(())
}
