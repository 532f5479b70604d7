//! Putting the result where it belongs: into the layer, above it, or into a new image.
//!
//! The person may have gone on with the image meanwhile. The result goes into the layer only where its pixels are still
//! those that were restored, through the selection of that time; otherwise it gets a place of its own, so that nothing that
//! was painted is lost.

use crate::failure::Failure;
use crate::gegl::{Buffer, Rectangle};
use crate::gimp::{Gimp, Handle, Kind, NewLayer};
use crate::region::{self, Region};
use crate::restorer;
use crate::settings::Output;
use crate::task::Task;
use crate::translation::{fill, later, tr};

/// A result, and what tells whether the layer is still what was restored.
pub struct Restored {
    /// The result.
    pub picture: restorer::Restored,
    /// [`crate::pixels::Pixels::content`] of the area before.
    pub content: u64,
}

/// Place of the result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed<H> {
    /// The image.
    pub image: H,
    /// The layer.
    pub layer: H,
    /// True for a new image that has no window yet.
    pub new_image: bool,
    /// Why it is not where it was to go, for the person.
    pub elsewhere: Option<String>,
}

/// Puts them there, as one step to undo. The layers are all of one image.
///
/// # Errors
/// When the image was closed, GIMP takes no layer of that size, or there is no memory.
pub fn put<H: Handle>(
    gimp: &Gimp<H>,
    task: Task,
    output: Output,
    regions: &[Region<H>],
    restored: Vec<Restored>,
) -> Result<Vec<Placed<H>>, Failure> {
    let mut writers = Vec::new();
    for (region, Restored { picture, content }) in regions.iter().zip(restored) {
        if !gimp.has_image(region.image) {
            return Err(Failure::new(tr(
                "the image was closed before it was restored, so there is no place for the result",
            )));
        }
        let state = State::of(gimp, region, content)?;
        let (output, elsewhere) = state.place(gimp, region, output, picture.scale);
        let shift = if let State::Same { shift, .. } = state { shift } else { (0, 0) };
        let area = region.area.moved(shift.0, shift.1).scaled(picture.scale).ok_or_else(too_large)?;
        // Where the area lies in the pixels of the result.
        let source = region.within_seen().scaled(picture.scale).ok_or_else(too_large)?;
        let mut writer = Writer {
            gimp,
            task,
            region,
            restored: picture,
            state,
            output,
            elsewhere,
            area,
            source,
            confidence_source: source,
            as_selected: false,
            alone: regions.len() == 1,
        };
        writer.as_selected = writer.is_selected_as_before()?;
        writers.push(writer);
    }
    let Some(first) = writers.iter().find(|writer| writer.output != Output::NewImage) else {
        return writers.into_iter().map(Writer::put).collect();
    };
    let (image, scale) = (first.region.image, first.restored.scale);
    gimp.as_one_step(image, || {
        if gimp.has_palette(image) {
            gimp.convert_to_rgb(image)?;
        }
        enlarge(gimp, image, scale)?;
        writers.into_iter().map(Writer::put).collect()
    })
}

/// Enlarges the image with all that is in it, as much as the results.
fn enlarge<H: Handle>(gimp: &Gimp<H>, image: H, scale: i32) -> Result<(), Failure> {
    if scale == 1 {
        return Ok(());
    }
    let (width, height) = gimp.image_size(image);
    let size = width.checked_mul(scale).zip(height.checked_mul(scale));
    let (width, height) = size.ok_or_else(too_large)?;
    gimp.scale(image, width, height)
}

fn too_large() -> Failure {
    Failure::new(tr("the result would be too large for GIMP; select a smaller part of the image"))
}

/// State of the layer at the end, against that at the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The pixels of the area are the same, moved by this much in the coordinates of the layer; `locked`: they must stay.
    Same { shift: (i32, i32), locked: bool },
    /// They are others, or of another kind.
    Changed,
    /// The layer is not there any more.
    Gone,
}

impl State {
    fn of<H: Handle>(gimp: &Gimp<H>, region: &Region<H>, content: u64) -> Result<Self, Failure> {
        let layer = region.layer;
        if !gimp.has_layer(region.image, layer) {
            return Ok(Self::Gone);
        }
        let channels = region.format.channels;
        let same_kind = gimp.kind(layer) == Kind::Layer
            && gimp.is_gray(layer) == region.gray()
            && gimp.has_alpha(layer) == channels.has_alpha();
        if !same_kind {
            return Ok(Self::Changed);
        }
        let (bounds, now) = (gimp.bounds(layer), gimp.offsets(layer));
        // A layer that was moved has its pixels where they were in the layer, one that was resized where they were in the
        // image.
        for (x, y) in [(0, 0), (region.offsets.0 - now.0, region.offsets.1 - now.1)] {
            let area = region.area.moved(x, y);
            if area.grown(0, bounds) != area {
                continue;
            }
            if region.read(gimp, area)?.content(at_origin(area)) == content {
                return Ok(Self::Same { shift: (x, y), locked: gimp.is_locked(layer) });
            }
        }
        Ok(Self::Changed)
    }

    /// Destination of the result that should go to `output`, and the reason of another one, for the user.
    fn place<H: Handle>(
        self,
        gimp: &Gimp<H>,
        region: &Region<H>,
        output: Output,
        scale: i32,
    ) -> (Output, Option<String>) {
        let same = matches!(self, Self::Same { .. });
        let fits = match output {
            Output::NewImage => true,
            Output::Replace => matches!(self, Self::Same { locked: false, .. }),
            // Enlarged layers lie where those below them do.
            Output::NewLayer => same || scale == 1,
        };
        let takes_layers =
            gimp.takes_layers(region.image, region.gray()) || region.indexed && gimp.has_palette(region.image);
        if fits && (takes_layers || output == Output::NewImage) {
            return (output, None);
        }
        let in_layer = scale == 1 && takes_layers;
        // A sentence for each, because languages put their words in other places.
        let why = match (self, in_layer) {
            _ if !takes_layers => {
                later("The layer '{}' or its image was converted meanwhile, so that the result is in a new image.")
            }
            (Self::Same { .. }, true) => {
                later("The layer '{}' was locked meanwhile, so that the result is in a new layer.")
            }
            (Self::Same { .. }, false) => {
                later("The layer '{}' was locked meanwhile, so that the result is in a new image.")
            }
            (Self::Changed, true) => {
                later("The layer '{}' was changed meanwhile, so that the result is in a new layer.")
            }
            (Self::Changed, false) => {
                later("The layer '{}' was changed meanwhile, so that the result is in a new image.")
            }
            (Self::Gone, true) => later("The layer '{}' was deleted meanwhile, so that the result is in a new layer."),
            (Self::Gone, false) => later("The layer '{}' was deleted meanwhile, so that the result is in a new image."),
        };
        (if in_layer { Output::NewLayer } else { Output::NewImage }, Some(fill(why, &[&region.name])))
    }
}

struct Writer<'a, H: Handle> {
    gimp: &'a Gimp<H>,
    task: Task,
    region: &'a Region<H>,
    restored: restorer::Restored,
    state: State,
    /// Destination, and the reason where it is not the one that was asked for.
    output: Output,
    elsewhere: Option<String>,
    /// Area that changes, in the coordinates of the enlarged layer.
    area: Rectangle,
    /// The same, in the pixels of the result.
    source: Rectangle,
    /// The same, in the pixels of the confidence.
    confidence_source: Rectangle,
    /// The selection is what it was at the beginning.
    as_selected: bool,
    /// There is no other result.
    alone: bool,
}

impl<H: Handle> Writer<'_, H> {
    fn put(mut self) -> Result<Placed<H>, Failure> {
        match self.output {
            Output::NewImage => self.new_image(),
            Output::Replace => self.replace(),
            Output::NewLayer => self.new_layer(),
        }
    }

    fn replace(&mut self) -> Result<Placed<H>, Failure> {
        let Region { image, layer, .. } = *self.region;
        self.is_enlarged()?;
        let (gimp, area) = (self.gimp, self.area);
        if self.as_selected {
            gimp.change(layer, area, |buffer| self.write(buffer, area))?;
        } else {
            self.blend()?;
            gimp.with_selected(image, self.place(), || gimp.change(layer, area, |buffer| self.write(buffer, area)))?;
        }
        gimp.keeping_selected_layers(image, || self.add_confidence(image, Some(layer), self.place()))?;
        Ok(Placed { image, layer, new_image: false, elsewhere: self.elsewhere.take() })
    }

    fn new_layer(&mut self) -> Result<Placed<H>, Failure> {
        let (gimp, region) = (self.gimp, self.region);
        let (image, layer) = (region.image, region.layer);
        let (place, area) = (self.place(), self.area);
        if let Some(selected) = &self.region.selected {
            self.restored.picture = self.restored.picture.cut_out(self.source, selected)?;
            self.source = at_origin(self.source);
        }
        let name = format!("{} ({})", self.region.name, tr(self.task.result()));
        let new = if let State::Same { .. } = self.state {
            self.is_enlarged()?;
            let part = self.region.selected.is_some().then_some(area);
            let to = if part.is_some() { at_origin(area) } else { area };
            gimp.add_copy(image, layer, &name, part, |buffer| self.write(buffer, to))?
        } else {
            let below = (self.state != State::Gone).then_some(layer);
            let alpha = self.restored.picture.format.channels.has_alpha();
            let new = NewLayer { name: &name, place, gray: self.region.gray(), alpha, visible: true };
            let new = gimp.add_layer(image, &new, below, |buffer| self.write(buffer, at_origin(place)))?;
            if let Some(below) = below {
                gimp.resemble(new, below);
            }
            new
        };
        self.add_confidence(image, Some(new), place)?;
        if self.alone {
            gimp.select_layer(image, new);
        }
        Ok(Placed { image, layer: new, new_image: false, elsewhere: self.elsewhere.take() })
    }

    fn new_image(&mut self) -> Result<Placed<H>, Failure> {
        let (gimp, region) = (self.gimp, self.region);
        let place = at_origin(self.area);
        let size = (place.width, place.height);
        let name = format!("{} ({})", region.name, tr(self.task.result()));
        let (image, layer) = gimp.new_image_like(region.image, region.gray(), size, |image| {
            let alpha = region.format.channels.has_alpha();
            let new = NewLayer { name: &name, place, gray: region.gray(), alpha, visible: true };
            let layer = gimp.add_layer(image, &new, None, |buffer| self.write(buffer, place))?;
            self.add_confidence(image, Some(layer), place)?;
            gimp.select_layer(image, layer);
            Ok(layer)
        })?;
        Ok(Placed { image, layer, new_image: true, elsewhere: self.elsewhere.take() })
    }

    /// Compares the selection of now with that of the beginning, where both touch the layer.
    fn is_selected_as_before(&self) -> Result<bool, Failure> {
        let Region { image, layer, .. } = *self.region;
        let State::Same { shift, .. } = self.state else { return Ok(false) };
        let area = self.region.area.moved(shift.0, shift.1);
        if self.gimp.selected(layer) != Some(area) {
            return Ok(false);
        }
        match (&self.region.selected, self.gimp.selection(image)) {
            (None, None) => Ok(true),
            (Some(before), Some(_)) => {
                let (x, y) = self.gimp.offsets(layer);
                Ok(region::selection(self.gimp, image, area.moved(x, y))?.bytes == before.bytes)
            }
            _ => Ok(false),
        }
    }

    /// Blends the result with the layer's pixels through the selection of the beginning.
    fn blend(&mut self) -> Result<(), Failure> {
        let Some(selected) = &self.region.selected else { return Ok(()) };
        let below = self.region.read(self.gimp, self.area)?;
        let mut above = self.restored.picture.copy(self.source)?;
        above.blend_over(&below, selected);
        self.restored.picture = above;
        self.source = at_origin(self.source);
        Ok(())
    }

    /// GIMP has enlarged the layer as much as the result.
    fn is_enlarged(&self) -> Result<(), Failure> {
        let bounds = self.gimp.bounds(self.region.layer);
        if self.area.grown(0, bounds) == self.area {
            return Ok(());
        }
        Err(Failure::new(format!(
            "GIMP enlarged the layer to {}x{} pixels, other than the result: undo, and choose 'New image'",
            bounds.width, bounds.height
        )))
    }

    /// Position of the area in the enlarged image.
    fn place(&self) -> Rectangle {
        let (x, y) = match self.state {
            State::Same { .. } => self.gimp.offsets(self.region.layer),
            State::Changed | State::Gone => self.region.offsets,
        };
        self.area.moved(x, y)
    }

    fn write(&mut self, buffer: &Buffer<'_>, to: Rectangle) -> Result<(), Failure> {
        let encoding = self.region.encoding(self.restored.picture.format);
        buffer.write(to, &encoding, &self.restored.picture.part(self.source))
    }

    /// The confidence, if it was asked for, as a hidden layer.
    fn add_confidence(&mut self, image: H, above: Option<H>, place: Rectangle) -> Result<(), Failure> {
        let Some(map) = &mut self.restored.confidence else { return Ok(()) };
        let name = tr("Confidence (KDS)");
        let new = NewLayer { name: &name, place, gray: self.region.gray(), alpha: false, visible: false };
        let rows = map.part(self.confidence_source);
        let write = |buffer: &Buffer<'_>| buffer.write(at_origin(place), c"Y' u8", &rows);
        self.gimp.add_layer(image, &new, above, write).map(|_| ())
    }
}

fn at_origin(part: Rectangle) -> Rectangle {
    Rectangle { x: 0, y: 0, ..part }
}
