//! The layer that a preview shows.

use crate::amount::{blend, enlarge};
use crate::failure::Failure;
use crate::gegl::Rectangle;
use crate::gimp::{Gimp, Handle};
use crate::pixels::Pixels;
use crate::region::{self, Region};
use crate::restorer::Restored;
use crate::task::Task;

/// A layer, in its own coordinates, whichever GIMP it is of.
pub trait Photograph {
    /// All of it.
    fn bounds(&self) -> Rectangle;
    /// The part that is to be restored.
    fn area(&self) -> Rectangle;
    /// A part of it, for a model.
    ///
    /// # Errors
    /// Without memory, when the layer is gone, and where a hole leaves nothing to fill it from.
    fn sample(&self, part: Rectangle) -> Result<Sample, Failure>;
    /// Pixels of its encoding as a screen shows them: red, green, blue and alpha of 8 bits, of sRGB.
    ///
    /// # Errors
    /// When the layer is gone.
    fn on_screen(&self, pixels: &Pixels) -> Result<Vec<u8>, Failure>;
}

/// A part of a layer.
pub struct Sample {
    /// Its pixels.
    pub pixels: Pixels,
    /// Holes to fill, for inpainting.
    pub mask: Option<Pixels>,
    /// Share of each pixel that is selected; nothing without a selection.
    selected: Option<Pixels>,
}

impl Sample {
    /// The same as large as a result.
    ///
    /// # Errors
    /// Without memory.
    pub fn enlarged(&self, scale: i32) -> Result<Pixels, Failure> {
        enlarge(&self.pixels, scale)
    }

    /// The result as it would stand in the layer: as much of it as was chosen, through the selection.
    ///
    /// # Errors
    /// Without memory.
    pub fn with(&self, restored: &Restored, original: &Pixels, amount: f32) -> Result<Pixels, Failure> {
        let picture = &restored.picture;
        let side = |pixels: u32| i32::try_from(pixels).unwrap_or(i32::MAX);
        let whole = Rectangle { x: 0, y: 0, width: side(picture.width), height: side(picture.height) };
        let mut result = picture.copy(whole)?;
        match &self.mask {
            Some(mask) => result.make_opaque(mask),
            None => blend(&mut result, original, amount),
        }
        if let Some(selected) = &self.selected {
            result.blend_over(original, selected);
        }
        Ok(result)
    }
}

/// Region of a layer of GIMP's.
pub struct OfGimp<'a, H: Handle> {
    /// The GIMP.
    pub gimp: &'a Gimp<H>,
    /// The region.
    pub region: &'a Region<H>,
    /// The task.
    pub task: Task,
}

impl<H: Handle> Photograph for OfGimp<'_, H> {
    fn bounds(&self) -> Rectangle {
        self.gimp.bounds(self.region.layer)
    }

    fn area(&self) -> Rectangle {
        self.region.area
    }

    fn sample(&self, part: Rectangle) -> Result<Sample, Failure> {
        let pixels = self.region.read(self.gimp, part)?;
        let (x, y) = self.region.offsets;
        let place = part.moved(x, y);
        let selected = match self.region.selected {
            Some(_) => Some(region::selection(self.gimp, self.region.image, place)?),
            None => None,
        };
        let mask = (self.task == Task::Inpaint).then(|| self.region.holes(self.gimp, part)).transpose()?;
        Ok(Sample { pixels, mask, selected })
    }

    fn on_screen(&self, pixels: &Pixels) -> Result<Vec<u8>, Failure> {
        let encoding = self.region.encoding(pixels.format);
        self.gimp.buffer(self.region.layer)?.on_screen(&encoding, &pixels.bytes, pixels.format.bytes())
    }
}
