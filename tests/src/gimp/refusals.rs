//! What cannot be done, and that each time the person is told what to do instead, with the image as it was.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::pixels::write_pictures;
use super::{Session, Version};

/// What each call is refused with: its name, the script, and parts of the message.
const REFUSALS: [(&str, &str, &[&str]); 12] = [
    ("group", "(kds plug-in-kds-restore image group)", &["layer group", "select one of the layers"]),
    ("mask", "(kds plug-in-kds-restore image mask)", &["no layer but a mask", "select the picture of a layer"]),
    ("locked", "(kds plug-in-kds-restore image locked)", &["locked", "unlock"]),
    ("outside", "(kds plug-in-kds-restore image small)", &["does not touch the layer", "or nothing to restore all"]),
    (
        "model",
        "(kds plug-in-kds-restore image layer '(model \"nobody's\"))",
        &["nobody's", "choose one of", "kds-photo-x1"],
    ),
    (
        "task",
        "(kds plug-in-kds-upscale image layer '(model \"kds-photo-x1\"))",
        &["'kds-photo-x1' for super-resolution", "kds-photo-x4"],
    ),
    (
        "bandwidth",
        "(kds plug-in-kds-restore image layer '(bandwidth \"wide\"))",
        &["'bandwidth' cannot be 'wide'", "auto"],
    ),
    (
        "cuda",
        "(kds plug-in-kds-restore image layer '(device \"cuda\"))",
        &["cuda", "choose the device 'auto' or 'cpu'"],
    ),
    ("device", "(kds plug-in-kds-restore image layer '(device \"gpu\"))", &["'device' cannot be 'gpu'", "cuda"]),
    (
        "memory",
        "(kds plug-in-kds-restore image layer '(model \"starved\"))",
        &["memory", "select a part of the picture"],
    ),
    (
        "no selection",
        "(kds plug-in-kds-inpaint deselected (top-layer deselected))",
        &["nothing is selected", "select what"],
    ),
    // The registry of the test hides the only one.
    (
        "no model",
        "(kds plug-in-kds-inpaint image layer)",
        &["there is no model for inpainting", "add one of that task to ~/.config/kds/registry.toml"],
    ),
];

/// Every refusal of a call, and that the image is as before.
pub fn refusals_say_what_to_do(version: Version) -> Result<()> {
    let session = Session::new(version, "refusals")?;
    write_pictures(&session)?;
    let registry = "[[model]]\nid = \"starved\"\ntitle = \"Little memory\"\ntask = \"restoration\"\nscale = 1\n\
                   backbone = \"residual\"\npath = \"model\"\n[model.defaults]\nmemory = \"64KiB\"\n\
                   [[model]]\nid = \"kds-inpaint\"\ntitle = \"Fills no holes\"\ntask = \"restoration\"\nscale = 1\n\
                   backbone = \"residual\"\npath = \"model\"\n";
    fs::write(session.folder().join("registry.toml"), registry)?;
    copy_model(&session.folder().join("model"))?;
    session.set("KDS_REGISTRY", &session.folder_inside().join("registry.toml").display().to_string())?;
    let mut script = String::from(
        "(define image (load-image (in-folder \"rgb.png\")))
         (define layer (top-layer image))
         (define mask (car (gimp-layer-create-mask layer ADD-MASK-WHITE)))
         (gimp-layer-add-mask layer mask)
         (define group (new-group image))
         (gimp-image-insert-layer image group 0 0)
         (define locked (new-layer image 20 14 RGB-IMAGE))
         (gimp-image-insert-layer image locked 0 0)
         (gimp-item-set-lock-content locked TRUE)
         (define small (new-layer image 3 3 RGB-IMAGE))
         (gimp-image-insert-layer image small 0 0)
         (gimp-image-select-rectangle image CHANNEL-OP-REPLACE 10 10 5 4)
         (define deselected (load-image (in-folder \"rgb.png\")))
         (save-layer layer \"before.png\")
         (gimp-image-clean-all image)\n",
    );
    for (name, call, _) in REFUSALS {
        script += &format!("(tell-failure \"{name}\" {call})\n");
    }
    script += "(tell \"changed\" (car (gimp-image-is-dirty image)))\n(save-layer layer \"after.png\")\n";
    let facts = session.run(&script)?;
    for (name, _, parts) in REFUSALS {
        let message = facts.get(name).with_context(|| format!("{name} is missing: {facts:?}"))?;
        for part in parts {
            ensure!(message.contains(part), "{name}: '{part}' is missing in: {message}");
        }
    }
    ensure!(["0", "#f"].contains(&facts["changed"].as_str()), "the image has changed: {facts:?}");
    ensure!(session.read("before.png")? == session.read("after.png")?, "the pixels have changed");
    Ok(())
}

/// In a German GIMP the plug-in speaks German too.
pub fn messages_are_translated(version: Version) -> Result<()> {
    let session = Session::new(version, "german")?;
    write_pictures(&session)?;
    session.speak_german()?;
    let facts = session.run(
        "(define image (load-image (in-folder \"rgb.png\")))
         (tell-failure \"message\" (kds plug-in-kds-inpaint image (top-layer image)))
         (define new (kds plug-in-kds-restore image (top-layer image) '(output \"new-layer\")))
         (tell \"name\" (car (gimp-item-get-name (cadr new))))",
    )?;
    ensure!(facts["message"].contains("Es ist nichts ausgewählt: Wählen Sie aus"), "{facts:?}");
    ensure!(facts["name"].ends_with("(wiederhergestellt)"), "{facts:?}");
    Ok(())
}

/// The files of the built-in model, as those of a model of the user's.
fn copy_model(to: &Path) -> Result<()> {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/kds-photo-x1");
    let status = Command::new("cp").arg("-r").args([&from, to]).status().context("cannot start cp")?;
    ensure!(status.success(), "cannot copy {}", from.display());
    Ok(())
}

/// The procedures are there without the library, so nothing of it is loaded when GIMP asks what there is, and a call says
/// where it was looked for.
pub fn gimp_starts_without_the_library(version: Version) -> Result<()> {
    let session = Session::new(version, "no-library")?;
    write_pictures(&session)?;
    session.set("KDS_LIBRARY", "/nowhere/libkds.so")?;
    let facts = session.run(
        "(define image (load-image (in-folder \"rgb.png\")))
         (tell-failure \"library\" (kds plug-in-kds-upscale image (top-layer image)))
         (tell \"size\" (image-width image))",
    )?;
    let message = &facts["library"];
    ensure!(message.contains("/nowhere/libkds.so") && message.contains("KDS_LIBRARY"), "{message}");
    ensure!(facts["size"] == "20", "{facts:?}");
    Ok(())
}
