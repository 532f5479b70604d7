//! Calls of a procedure, from the layer to the result.

use std::ops::ControlFlow;
use std::sync::Arc;

use kds_host::Progress;

use crate::dialog;
use crate::failure::Failure;
use crate::gimp::{Gimp, Handle};
use crate::gtk::Gtk;
use crate::output::{self, Placed, Restored};
use crate::pixels::Pixels;
use crate::region::{self, Region};
use crate::restorer::{Models, Restorer, stage};
use crate::settings::Settings;
use crate::task::Task;

/// Ways in which GIMP calls a procedure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunMode {
    /// From the menu: ask for the settings.
    Interactive,
    /// From a script, with its settings.
    NonInteractive,
    /// "Repeat": as last time.
    WithLastValues,
}

impl RunMode {
    /// From GIMP's number.
    pub fn of(number: i32) -> Self {
        match number {
            0 => Self::Interactive,
            2 => Self::WithLastValues,
            _ => Self::NonInteractive,
        }
    }
}

/// Restores layers of an image; returns where the first is. For [`RunMode::Interactive`] the settings are those that the
/// dialog begins with, and become those that it ended with, which `remember` gets before anything is computed; `gtk` is what it
/// is drawn with.
///
/// # Errors
/// [`Failure::Cancelled`] when the person did not want it after all; otherwise what happened and what to do. The image is
/// as it was then.
pub fn run<H: Handle>(
    gimp: &Gimp<H>,
    gtk: impl FnOnce() -> Result<Gtk, Failure>,
    task: Task,
    mode: RunMode,
    layers: &[H],
    settings: &mut Settings,
    remember: impl FnOnce(&Settings),
) -> Result<Placed<H>, Failure> {
    let regions = layers.iter().map(|layer| Region::new(gimp, task, *layer)).collect::<Result<Vec<_>, _>>()?;
    gimp.begin_progress(&format!("{}: loading the library", task.title()));
    let models = Models::open(task)?;
    let restorer = if mode == RunMode::Interactive {
        // The dialog says itself what it waits for.
        gimp.end_progress();
        let restorer = dialog::ask(&gtk()?, task, models, &dialog::Subject::of(&regions), settings)?;
        remember(settings);
        gimp.begin_progress(task.title());
        restorer
    } else {
        Arc::new(models.load(settings)?)
    };
    // Asked before, so that nobody waits for a result that has no place.
    let output = settings.output()?;
    let restored = regions.iter().enumerate().map(|(index, region)| {
        let name = match regions.len() {
            1 => task.title().to_owned(),
            count => format!("{} (layer {} of {count})", task.title(), index + 1),
        };
        restore(gimp, task, &name, region, &restorer, settings)
    });
    let restored = restored.collect::<Result<Vec<_>, _>>()?;
    let placed = output::put(gimp, task, output, &regions, restored)?;
    for placed in &placed {
        if let Some(why) = &placed.elsewhere {
            gimp.message(why);
        }
        if mode != RunMode::NonInteractive && placed.new_image {
            gimp.show(placed.image);
        }
    }
    if mode != RunMode::NonInteractive {
        gimp.redraw();
    }
    placed.into_iter().next().ok_or_else(|| Failure::new("no layer is selected: select one in the layers dialog"))
}

fn restore<H: Handle>(
    gimp: &Gimp<H>,
    task: Task,
    name: &str,
    region: &Region<H>,
    restorer: &Restorer,
    settings: &Settings,
) -> Result<Restored, Failure> {
    let pixels = region.pixels(gimp)?;
    let mask = (task == Task::Inpaint).then(|| mask(gimp, region)).transpose()?;
    let mut progress = |progress: Progress| {
        let share = progress.done as f64 / progress.total.max(1) as f64;
        gimp.progress(&format!("{name}: {}", stage(progress)), share);
        ControlFlow::Continue(())
    };
    // "Cancel" beside GIMP's progress bar ends this process, in the middle of a step; the image is not touched before
    // the last one.
    let mut picture = restorer.run(settings, &pixels, mask.as_ref(), settings.switch("confidence"), &mut progress)?;
    match &mask {
        // Pixels outside of holes are as they were; those within are new.
        Some(mask) => picture.picture.make_opaque(mask),
        None => picture.picture.view_mut()?.carry_excess(&pixels.view()?, None),
    }
    Ok(Restored { picture, content: pixels.content(region.within_seen()) })
}

/// 1 where anything is selected: what is only half selected is filled whole, and blends where it is put into the layer.
fn mask<H: Handle>(gimp: &Gimp<H>, region: &Region<H>) -> Result<Pixels, Failure> {
    let (x, y) = region.offsets;
    let mut mask = region::selection(gimp, region.image, region.seen.moved(x, y))?;
    let mut known = 0;
    for sample in mask.bytes.chunks_exact_mut(4) {
        if sample.iter().any(|byte| *byte != 0) {
            sample.copy_from_slice(&1f32.to_ne_bytes());
        } else {
            known += 1;
        }
    }
    if known == 0 {
        return Err(Failure::new(
            "all of the layer is selected, so that nothing is left to fill it from: select only the part that is to be filled",
        ));
    }
    Ok(mask)
}
