//! The preview of the dialog, by mouse and keyboard: what is on the screen, pixel by pixel.

use anyhow::{Context, Result, ensure};
use image::imageops::{FilterType, resize};
use image::{DynamicImage, RgbImage};

use super::pixels::difference;
use super::window::Window;
use crate::command::kds;

/// As in `kds-plugin-gimp/src/preview.rs`.
const SIDE: u32 = 256;
const AROUND: [u8; 3] = [96, 96, 96];
const LINE: [u8; 3] = [255, 255, 255];

/// The preview in a dialog, of a picture that is smaller than it.
struct Preview<'a> {
    window: &'a Window,
    dialog: &'a str,
    /// Position of the dialog on the screen.
    dialog_at: (u32, u32),
    before: RgbImage,
}

/// The preview shows the layer, then what the command makes of it; the line is dragged, the wheel zooms, Amount blends at once,
/// another quality is another result. It leaves the quality "Fast" and all else as it was.
pub fn compares_before_and_after(window: &Window, dialog: &str, dialog_at: (u32, u32)) -> Result<()> {
    window.place(dialog, dialog_at.0, dialog_at.1)?;
    window.focus(dialog)?;
    let session = window.session();
    let before = session.read("before.png")?.to_rgb8();
    let preview = Preview { window, dialog, dialog_at, before };
    let balanced = preview.made(&[])?;
    preview.wait_for("the first result", 50, 1, &balanced)?;

    // The line, dragged from the middle to the left edge, and back by its slider.
    let corner = preview.corner()?;
    let at = |x: u32, y: u32| (dialog_at.0 + corner.0 + x, dialog_at.1 + corner.1 + y);
    window.drag(at(SIDE / 2, 30), at(0, 34))?;
    preview.wait_for("the line at the left", 0, 1, &balanced)?;
    window.drag(at(0, 30), at(SIDE / 2, 34))?;
    preview.wait_for("the line in the middle", 50, 1, &balanced)?;

    // The drag has given the picture the keyboard.
    window.press(&["plus"])?;
    preview.wait_for("two pixels of the screen for each", 50, 2, &balanced)?;
    window.press(&["minus"])?;
    preview.wait_for("one pixel of the screen for each", 50, 1, &balanced)?;

    window.press(&["alt+o", "Home"])?;
    preview.wait_for("none of the result", 50, 1, &preview.before)?;
    window.press(&["End"])?;
    preview.wait_for("all of the result", 50, 1, &balanced)?;

    window.press(&["alt+q", "Home"])?;
    let fast = preview.made(&["--preset", "fast"])?;
    ensure!(difference(&fast.clone().into(), &balanced.into())? > 2.0, "both qualities are the same picture");
    preview.wait_for("the fast result", 50, 1, &fast)
}

impl Preview<'_> {
    /// Result of the command for the whole layer.
    fn made(&self, further: &[&str]) -> Result<RgbImage> {
        let session = self.window.session();
        let mut command = kds()?;
        command.args(["restore", "before.png", "-o", "preview.png", "--model", "kds-photo-x1"]).args(further);
        let output = command.current_dir(session.folder()).output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(session.read("preview.png")?.to_rgb8())
    }

    /// Waits until the line is at so many percent, with the layer on its left and `after` on its right, enlarged by `zoom`.
    fn wait_for(&self, what: &str, percent: u32, zoom: u32, after: &RgbImage) -> Result<()> {
        let enlarged =
            |picture: &RgbImage| resize(picture, zoom * picture.width(), zoom * picture.height(), FilterType::Nearest);
        let (before, after) = (enlarged(&self.before), enlarged(after));
        let (left, top) = ((SIDE - before.width()) / 2, (SIDE - before.height()) / 2);
        let line = (f64::from(percent) / 100.0 * f64::from(SIDE - 1)).round() as u32;
        let mut wanted = RgbImage::from_pixel(SIDE, SIDE, image::Rgb(AROUND));
        image::imageops::replace(&mut wanted, &before, left.into(), top.into());
        for (x, y, pixel) in after.enumerate_pixels().filter(|(x, ..)| left + x > line) {
            wanted.put_pixel(left + x, top + y, *pixel);
        }
        for y in 0..SIDE {
            wanted.put_pixel(line, y, image::Rgb(LINE));
        }
        let wanted = DynamicImage::from(wanted);
        let mut last = None;
        let waited = self.window.wait_until(&format!("the preview to show {what}"), |_| {
            let Ok((shown, _)) = self.place() else { return Ok(false) };
            // The command rounds its own way, and all the steps of the model's own settings differ by what batches do.
            let off = difference(&shown.into(), &wanted)?;
            last = Some(off);
            // The mouse may stand between two pixels of the line.
            Ok(off <= 2.001)
        });
        waited.with_context(|| format!("the last picture was {last:?} of 255 away"))
    }

    /// Its position in the dialog. A picture of the screen may be taken while the dialog is drawn.
    fn corner(&self) -> Result<(u32, u32)> {
        let mut corner = None;
        self.window.wait_until("the dialog to be drawn", |_| {
            corner = self.place().ok().map(|(_, corner)| corner);
            Ok(corner.is_some())
        })?;
        corner.context("there is no preview")
    }

    /// Pixels of the preview on the screen, and its position in the dialog.
    fn place(&self) -> Result<(RgbImage, (u32, u32))> {
        let file = self.window.session().folder().join("dialog.png");
        self.window.shoot(Some(self.dialog), &file)?;
        let shot = image::open(file)?.to_rgb8();
        let is_around = |x: u32, y: u32| shot.get_pixel(x, y).0 == AROUND;
        let (width, height) = shot.dimensions();
        for y in 0..height.saturating_sub(SIDE) {
            for x in 0..width.saturating_sub(SIDE) {
                // Around the picture, and beside the line wherever that is: its right edge first, where the line never is here.
                let right = (0..SIDE).all(|down| is_around(x + SIDE - 1, y + down));
                let beyond = x + SIDE < width && is_around(x + SIDE, y) || y > 0 && is_around(x + SIDE - 1, y - 1);
                if right && !beyond && [20, 60, 90, 180, 220].iter().all(|across| is_around(x + across, y)) {
                    return Ok((image::imageops::crop_imm(&shot, x, y, SIDE, SIDE).to_image(), (x, y)));
                }
            }
        }
        anyhow::bail!("there is no preview at {:?}", self.dialog_at)
    }
}
