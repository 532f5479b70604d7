//! Menu, dialog, progress, undo, repeat and cancel, by keyboard as far as GIMP allows.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::pixels::{difference, same};
use super::preview;
use super::window::Window;
use super::{Session, Version};
use crate::command::kds;
use crate::pairs::small_picture;

const SCREEN: (u32, u32) = (1000, 640);

fn open(version: Version, name: &str) -> Result<Window> {
    let session = Session::new(version, name)?;
    session.write("photo.png", small_picture()?)?;
    let window = Window::open(session, "photo.png", SCREEN)?;
    window.eval("(save-layer (top-layer (opened-image)) \"before.png\")")?;
    window.eval("(gimp-image-clean-all (opened-image))")?;
    Ok(window)
}

/// Opens the dialog of Filters ▸ Enhance ▸ Restore (KDS)…
fn open_dialog(window: &Window) -> Result<String> {
    window.focus(window.main())?;
    window.press(&["alt+r", "h", "o"])?;
    let dialog = window.wait_for("Restore .KDS")?;
    window.focus(&dialog)?;
    Ok(dialog)
}

/// Waits until the image has changed and the plug-in has ended: before that its undo group may be open, and GIMP undoes
/// nothing.
fn wait_for_result(window: &Window, what: &str) -> Result<()> {
    window.wait_until(what, Window::is_changed)?;
    window.wait_until("the plug-in to end", |window| Ok(!window.plug_in_runs()?))
}

/// The menu opens the dialog, that restores as the command would, one Ctrl+Z undoes all of it, and "Repeat" does the same
/// again.
pub fn restoring_undoing_and_repeating(version: Version) -> Result<()> {
    let window = open(version, "by-keyboard")?;
    let dialog = open_dialog(&window)?;
    preview::compares_before_and_after(&window, &dialog, (120, 40))?;
    // The quality "Fast": one particle, a quarter of four.
    window.press(&["alt+r"])?;
    wait_for_result(&window, "the restoration")?;
    window.eval("(save-layer (top-layer (opened-image)) \"after.png\")")?;

    window.focus(window.main())?;
    window.press(&["ctrl+z"])?;
    window.wait_until("one step of undo to undo all", |window| Ok(!window.is_changed()?))?;
    window.eval("(save-layer (top-layer (opened-image)) \"undone.png\")")?;

    window.press(&["ctrl+f"])?;
    wait_for_result(&window, "the repetition")?;
    window.eval("(save-layer (top-layer (opened-image)) \"repeated.png\")")?;

    let session = window.session();
    let (before, after) = (session.read("before.png")?, session.read("after.png")?);
    ensure!(session.read("undone.png")? == before, "undo leaves other pixels");
    ensure!(session.read("repeated.png")? == after, "the repetition is another picture");
    let mut command = kds()?;
    command.args(["restore", "before.png", "-o", "expected.png", "--model", "kds-photo-x1"]);
    let output = command.args(["--particles", "1"]).current_dir(session.folder()).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    ensure!(difference(&before, &after)? > 2.0, "nothing has changed");
    same("restored by keyboard", &after, &session.read("expected.png")?)
}

/// The button beside the progress bar, at the right end of the status bar, where the docks begin.
fn cancel_button(version: Version) -> (u32, u32) {
    let docks = if version == Version::ThreeTwo { 300 } else { 250 };
    (SCREEN.0 - docks, SCREEN.1 - 18)
}

/// "Cancel" ends a restoration that would take long, at once and without a trace but the settings: the next dialog has them.
pub fn cancelling(version: Version) -> Result<()> {
    let window = open(version, "cancelling")?;
    open_dialog(&window)?;
    window.press(&["alt+a", "alt+p", "ctrl+a", "1", "0", "0", "0", "Tab", "alt+r"])?;
    // Longer than loading takes, so that it is sampling.
    sleep(Duration::from_secs(4));
    ensure!(window.plug_in_runs()?, "a thousand steps are done already");
    let start = Instant::now();
    window.click(cancel_button(version))?;
    window.wait_until("the plug-in to end", |window| Ok(!window.plug_in_runs()?))?;
    ensure!(start.elapsed() < Duration::from_secs(20), "cancelling took {:?}", start.elapsed());
    ensure!(!window.is_changed()?, "the image has changed");
    window.eval("(save-layer (top-layer (opened-image)) \"after.png\")")?;
    let session = window.session();
    ensure!(session.read("before.png")? == session.read("after.png")?, "the pixels have changed");
    let remembered = window.eval("(car (cddr (car (gimp-get-parasite \"plug-in-kds-restore\"))))")?;
    ensure!(remembered.contains("steps=1000"), "remembered is {remembered}");
    Ok(())
}
