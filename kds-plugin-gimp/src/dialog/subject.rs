//! Inputs of the dialog: sizes of the regions to restore, and the preview's photograph.

use crate::gimp::Handle;
use crate::photograph::Photograph;
use crate::region::Region;

/// The pictures that the dialog is about.
pub struct Subject<'a> {
    /// Pixels of each that the model sees: columns and rows.
    pub sizes: Vec<(u32, u32)>,
    /// They have a palette, which they will lose.
    pub indexed: bool,
    /// Size of the image.
    pub image: (i32, i32),
    /// The first of them, for the preview.
    pub photograph: &'a dyn Photograph,
}

impl<'a> Subject<'a> {
    /// Regions to restore.
    pub fn of<H: Handle>(regions: &[Region<H>], photograph: &'a dyn Photograph, image: (i32, i32)) -> Self {
        let size = |region: &Region<H>| (region.seen.width.unsigned_abs(), region.seen.height.unsigned_abs());
        let sizes = regions.iter().map(size).collect();
        Self { sizes, indexed: regions.iter().any(|region| region.indexed), image, photograph }
    }

    /// The largest of them, which decides what memory is needed.
    pub(super) fn largest(&self) -> (u32, u32) {
        let pixels = |(width, height): &(u32, u32)| u64::from(*width) * u64::from(*height);
        self.sizes.iter().copied().max_by_key(pixels).unwrap_or((1, 1))
    }
}
