//! Putting the result where it belongs: into the layer, above it, or into a new image.

use crate::failure::Failure;
use crate::gegl::{Buffer, Rectangle};
use crate::gimp::{Gimp, Handle, NewLayer};
use crate::region::{self, Region};
use crate::restorer::Restored;
use crate::settings::Output;
use crate::task::Task;

/// What a procedure returns: the image and the layer that hold the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed<H> {
    /// The image.
    pub image: H,
    /// The layer.
    pub layer: H,
    /// Whether the image is new and nobody has seen it yet.
    pub new_image: bool,
}

/// Puts it there, as one step to undo.
///
/// # Errors
/// When GIMP takes no layer of that size, or there is no memory.
pub fn put<H: Handle>(
    gimp: &Gimp<H>,
    task: Task,
    output: Output,
    region: &Region<H>,
    restored: Restored,
) -> Result<Placed<H>, Failure> {
    let area = region.area.scaled(restored.scale).ok_or_else(too_large)?;
    let seen = region.seen.scaled(restored.scale).ok_or_else(too_large)?;
    // Where the area lies in the pixels of the result.
    let source = Rectangle { x: area.x - seen.x, y: area.y - seen.y, ..area };
    let mut writer = Writer { gimp, task, region, restored, area, source, confidence_source: source };
    match output {
        Output::NewImage => writer.new_image(),
        Output::Replace => gimp.as_one_step(region.image, || writer.replace()),
        Output::NewLayer => gimp.as_one_step(region.image, || writer.new_layer()),
    }
}

fn too_large() -> Failure {
    Failure::new("the result would be too large for GIMP; select a smaller part of the image")
}

struct Writer<'a, H> {
    gimp: &'a Gimp<H>,
    task: Task,
    region: &'a Region<H>,
    restored: Restored,
    /// What changes, in the coordinates of the layer when that is enlarged.
    area: Rectangle,
    /// The same, in the pixels of the result.
    source: Rectangle,
    /// The same, in the pixels of the confidence.
    confidence_source: Rectangle,
}

impl<H: Handle> Writer<'_, H> {
    fn replace(&mut self) -> Result<Placed<H>, Failure> {
        let Region { image, layer, .. } = *self.region;
        self.enlarge()?;
        let (gimp, area) = (self.gimp, self.area);
        gimp.change(layer, area, |buffer| self.write(buffer, area))?;
        self.add_confidence(image, layer, self.place())?;
        Ok(Placed { image, layer, new_image: false })
    }

    fn new_layer(&mut self) -> Result<Placed<H>, Failure> {
        let Region { image, layer: below, .. } = *self.region;
        self.enlarge()?;
        let place = self.place();
        let gimp = self.gimp;
        let selected = gimp.selection(image).is_some();
        if selected {
            self.cut_out()?;
        }
        let name = format!("{} ({})", gimp.name(below), self.task.result());
        let alpha = self.restored.picture.format.channels.has_alpha();
        let new = NewLayer { name: &name, place, gray: self.region.gray(), alpha, visible: true };
        let layer = gimp.add_layer(image, &new, Some(below), |buffer| self.write(buffer, at_origin(place)))?;
        self.add_confidence(image, layer, place)?;
        Ok(Placed { image, layer, new_image: false })
    }

    fn new_image(&mut self) -> Result<Placed<H>, Failure> {
        let (gimp, region) = (self.gimp, self.region);
        let place = at_origin(self.area);
        let size = (place.width, place.height);
        let name = format!("{} ({})", gimp.name(region.layer), self.task.result());
        let (image, layer) = gimp.new_image_like(region.image, region.gray(), size, |image| {
            let alpha = region.format.channels.has_alpha();
            let new = NewLayer { name: &name, place, gray: region.gray(), alpha, visible: true };
            let layer = gimp.add_layer(image, &new, None, |buffer| self.write(buffer, place))?;
            self.add_confidence(image, layer, place)?;
            Ok(layer)
        })?;
        Ok(Placed { image, layer, new_image: true })
    }

    /// The image with all that is in it, as much as the result.
    fn enlarge(&self) -> Result<(), Failure> {
        let scale = self.restored.scale;
        if scale == 1 {
            return Ok(());
        }
        let (width, height) = self.gimp.image_size(self.region.image);
        let size = width.checked_mul(scale).zip(height.checked_mul(scale));
        let (width, height) = size.ok_or_else(too_large)?;
        self.gimp.scale(self.region.image, width, height)?;
        let expected = self.region.seen.scaled(scale).map(|seen| (seen.x + seen.width, seen.y + seen.height));
        let bounds = self.gimp.bounds(self.region.layer);
        match expected {
            Some((right, bottom)) if right <= bounds.width && bottom <= bounds.height => Ok(()),
            _ => Err(Failure::new(format!(
                "GIMP enlarged the layer to {}x{} pixels, other than the result: undo, and choose 'New image'",
                bounds.width, bounds.height
            ))),
        }
    }

    /// Where the area lies in the image, after that was enlarged.
    fn place(&self) -> Rectangle {
        let (x, y) = self.gimp.offsets(self.region.layer);
        self.area.moved(x, y)
    }

    fn write(&mut self, buffer: &Buffer<'_>, to: Rectangle) -> Result<(), Failure> {
        let encoding = self.region.encoding(self.restored.picture.format);
        buffer.write(to, &encoding, &self.restored.picture.part(self.source))
    }

    /// Makes what is not selected transparent, so that the layer blends with the one below it.
    fn cut_out(&mut self) -> Result<(), Failure> {
        let selected = region::selection(self.gimp, self.region.image, self.place())?;
        self.restored.picture = self.restored.picture.cut_out(self.source, &selected)?;
        self.source = at_origin(self.source);
        Ok(())
    }

    /// The confidence, if it was asked for, as a hidden layer.
    fn add_confidence(&mut self, image: H, above: H, place: Rectangle) -> Result<(), Failure> {
        let Some(map) = &mut self.restored.confidence else { return Ok(()) };
        let new = NewLayer { name: "Confidence (KDS)", place, gray: self.region.gray(), alpha: false, visible: false };
        let rows = map.part(self.confidence_source);
        let write = |buffer: &Buffer<'_>| buffer.write(at_origin(place), c"Y' u8", &rows);
        self.gimp.add_layer(image, &new, Some(above), write).map(|_| ())
    }
}

fn at_origin(part: Rectangle) -> Rectangle {
    Rectangle { x: 0, y: 0, ..part }
}
