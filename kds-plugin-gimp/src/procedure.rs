//! Calls of a procedure, from the layer to the result.

use std::ops::ControlFlow;
use std::sync::Arc;

use kds_host::Progress;

use crate::amount;
use crate::dialog;
use crate::failure::Failure;
use crate::gimp::{Gimp, Handle};
use crate::gtk::Gtk;
use crate::output::{self, Placed, Restored};
use crate::photograph::OfGimp;
use crate::region::Region;
use crate::restorer::{Models, Restorer, stage};
use crate::settings::Settings;
use crate::task::Task;
use crate::translation::{fill, tr};

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
    settings.check()?;
    let regions = layers.iter().map(|layer| Region::new(gimp, task, *layer)).collect::<Result<Vec<_>, _>>()?;
    gimp.begin_progress(&fill("{}: loading the library", &[&tr(task.title())]));
    let models = Models::open(task)?;
    let restorer = if mode == RunMode::Interactive {
        // The dialog says itself what it waits for.
        gimp.end_progress();
        let first = regions.first().ok_or_else(no_layer)?;
        let photograph = OfGimp { gimp, region: first, task };
        let image = gimp.image_size(first.image);
        let restorer =
            dialog::ask(&gtk()?, task, models, &dialog::Subject::of(&regions, &photograph, image), settings)?;
        remember(settings);
        gimp.begin_progress(&tr(task.title()));
        restorer
    } else {
        Arc::new(models.load(settings)?)
    };
    let output = settings.output();
    let restored = regions.iter().enumerate().map(|(index, region)| {
        let name = match regions.len() {
            1 => tr(task.title()),
            count => fill("{} (layer {} of {})", &[&tr(task.title()), &(index + 1).to_string(), &count.to_string()]),
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
    placed.into_iter().next().ok_or_else(no_layer)
}

fn no_layer() -> Failure {
    Failure::new(tr("no layer is selected: select one in the layers dialog"))
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
    let mask = (task == Task::Inpaint).then(|| region.holes(gimp, region.seen)).transpose()?;
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
        None => {
            picture.picture.view_mut()?.carry_excess(&pixels.view()?, None);
            let amount = settings.amount();
            if amount < 1.0 {
                amount::blend(&mut picture.picture, &amount::enlarge(&pixels, picture.scale)?, amount);
            }
        }
    }
    Ok(Restored { picture, content: pixels.content(region.within_seen()) })
}
