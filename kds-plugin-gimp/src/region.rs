//! The part of a layer that is restored: which pixels are read, and in what format.
//!
//! GIMP stays usable while a restoration runs, so this is how everything was when it began.

use std::ffi::CString;

use kds_host::{Channels, Depth, Format};

use crate::failure::Failure;
use crate::gegl::Rectangle;
use crate::gimp::{Gimp, Handle, Kind};
use crate::pixels::Pixels;
use crate::task::Task;
use crate::translation::{fill, later, tr};

/// Pixels beyond the selection that the model sees too, so that what it makes fits what is around it. For inpainting it
/// is at least this much, and as much as the selection is large.
const MARGIN: i32 = 64;

/// Part of a layer to restore.
pub struct Region<H> {
    /// The layer.
    pub layer: H,
    /// Its image.
    pub image: H,
    /// Area that changes, in the layer's coordinates: the selection.
    pub area: Rectangle,
    /// Input of the model: the area and its surroundings.
    pub seen: Rectangle,
    /// Position of the layer in the image.
    pub offsets: (i32, i32),
    /// The selection in the area, from 0 to 1; nothing without one.
    pub selected: Option<Pixels>,
    /// The layer's name.
    pub name: String,
    /// Its pixels were numbers of colours in a palette; they are read as the colours.
    pub indexed: bool,
    /// Layout in which its pixels are read and written.
    pub format: Format,
    precision: i32,
}

impl<H: Handle> Region<H> {
    /// Looks at the layer and at the selection.
    ///
    /// # Errors
    /// For what cannot be restored, with what to do instead.
    pub fn new(gimp: &Gimp<H>, task: Task, layer: H) -> Result<Self, Failure> {
        let image = gimp.image_of(layer);
        check(gimp, layer)?;
        if task == Task::Inpaint && gimp.selection(image).is_none() {
            return Err(Failure::new(tr(
                "nothing is selected: select what is to be filled, for example by the free select tool",
            )));
        }
        let area = gimp.selected(layer).ok_or_else(|| {
            Failure::new(fill(
                "the selection does not touch the layer '{}': select a part of it, or nothing to restore all of it",
                &[&gimp.name(layer)],
            ))
        })?;
        let offsets = gimp.offsets(layer);
        let selected = match gimp.selection(image) {
            Some(_) => Some(selection(gimp, image, area.moved(offsets.0, offsets.1))?),
            None => None,
        };
        let margin = if task == Task::Inpaint { MARGIN.max(area.width).max(area.height) } else { MARGIN };
        let precision = gimp.precision(image);
        let channels = match (gimp.is_gray(layer), gimp.has_alpha(layer)) {
            (true, false) => Channels::Gray,
            (true, true) => Channels::GrayAlpha,
            (false, false) => Channels::Rgb,
            (false, true) => Channels::RgbAlpha,
        };
        let format = Format { channels, depth: depth(precision) };
        Ok(Self {
            layer,
            image,
            area,
            seen: area.grown(margin, gimp.bounds(layer)),
            offsets,
            selected,
            name: gimp.name(layer),
            indexed: gimp.is_indexed(layer),
            format,
            precision,
        })
    }

    /// Encoding of its pixels, or of others of this layout, in our memory.
    pub fn encoding(&self, format: Format) -> CString {
        encoding(format, self.precision)
    }

    /// True for grey pixels.
    pub fn gray(&self) -> bool {
        matches!(self.format.channels, Channels::Gray | Channels::GrayAlpha)
    }

    /// The area in the pixels that the model sees.
    pub fn within_seen(&self) -> Rectangle {
        self.area.moved(-self.seen.x, -self.seen.y)
    }

    /// The pixels that the model sees.
    ///
    /// # Errors
    /// Without memory, or when the layer is gone.
    pub fn pixels(&self, gimp: &Gimp<H>) -> Result<Pixels, Failure> {
        self.read(gimp, self.seen)
    }

    /// 1 where anything is selected in a part of the layer: what is only half selected is filled whole, and blends where it is put
    /// into the layer.
    ///
    /// # Errors
    /// Where all of the part is selected.
    pub fn holes(&self, gimp: &Gimp<H>, part: Rectangle) -> Result<Pixels, Failure> {
        let (x, y) = self.offsets;
        let mut mask = selection(gimp, self.image, part.moved(x, y))?;
        let mut known = 0;
        for sample in mask.bytes.chunks_exact_mut(4) {
            if sample.iter().any(|byte| *byte != 0) {
                sample.copy_from_slice(&1f32.to_ne_bytes());
            } else {
                known += 1;
            }
        }
        if known == 0 {
            return Err(Failure::new(if part == self.seen {
                tr(
                    "all of the layer is selected, so that nothing is left to fill it from: select only the part that is to be filled",
                )
            } else {
                tr("All of this part is selected: drag the picture to an edge of the selection.")
            }));
        }
        Ok(mask)
    }

    /// The pixels of a part of the layer as it is now.
    ///
    /// # Errors
    /// Without memory, or when the layer is gone.
    pub fn read(&self, gimp: &Gimp<H>, part: Rectangle) -> Result<Pixels, Failure> {
        let mut pixels = Pixels::new(self.format, part.width, part.height)?;
        gimp.buffer(self.layer)?.read(part, &self.encoding(self.format), &mut pixels.rows())?;
        Ok(pixels)
    }
}

/// Share of each pixel that is selected, 0 to 1, in a part of the image; 1 without a selection.
///
/// # Errors
/// Without memory.
pub fn selection<H: Handle>(gimp: &Gimp<H>, image: H, part: Rectangle) -> Result<Pixels, Failure> {
    let gray = Format { channels: Channels::Gray, depth: Depth::F32 };
    let mut mask = Pixels::new(gray, part.width, part.height)?;
    match gimp.selection(image) {
        Some(selection) => gimp.buffer(selection)?.read(part, c"Y float", &mut mask.rows())?,
        None => mask.bytes.chunks_exact_mut(4).for_each(|sample| sample.copy_from_slice(&1f32.to_ne_bytes())),
    }
    Ok(mask)
}

fn check<H: Handle>(gimp: &Gimp<H>, layer: H) -> Result<(), Failure> {
    let name = gimp.name(layer);
    let refuse = |message: &str| Err(Failure::new(fill(message, &[&name])));
    match gimp.kind(layer) {
        Kind::Group => refuse(later(
            "'{}' is a layer group: select one of the layers in it, or a merged copy of it (Layer ▸ New from Visible)",
        )),
        Kind::Mask => refuse(later(
            "'{}' is no layer but a mask or a channel: select the picture of a layer in the layers dialog",
        )),
        Kind::Layer if gimp.is_locked(layer) => refuse(later(
            "the pixels of the layer '{}', or of a group that it is in, are locked: unlock them in the layers dialog",
        )),
        Kind::Layer => Ok(()),
    }
}

/// The depth that loses nothing that a person could see: 8 bits only for 8 bits of the same encoding, because linear
/// samples have other steps.
fn depth(precision: i32) -> Depth {
    match precision {
        150 => Depth::U8,
        100..300 => Depth::U16,
        _ => Depth::F32,
    }
}

/// The babl format for this layout. Samples are encoded as in the file (R'G'B', with the curve of the image's profile),
/// since that is what the models know; where GIMP keeps them linear, or perceptual by its own curve, with that of sRGB.
fn encoding(format: Format, precision: i32) -> CString {
    let as_in_the_file = precision % 100 == 50;
    let colours = match (format.channels, as_in_the_file) {
        (Channels::Gray, true) => "Y'",
        (Channels::Gray, false) => "Y~",
        (Channels::GrayAlpha, true) => "Y'A",
        (Channels::GrayAlpha, false) => "Y~A",
        (Channels::Rgb, true) => "R'G'B'",
        (Channels::Rgb, false) => "R~G~B~",
        (Channels::RgbAlpha, true) => "R'G'B'A",
        (Channels::RgbAlpha, false) => "R~G~B~A",
    };
    let samples = match format.depth {
        Depth::U8 => "u8",
        Depth::U16 => "u16",
        Depth::F32 => "float",
    };
    crate::gimp::text(&format!("{colours} {samples}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_lose_nothing() {
        let encoded = |channels, precision| {
            let format = Format { channels, depth: depth(precision) };
            encoding(format, precision).into_string().unwrap()
        };
        assert_eq!(encoded(Channels::Rgb, 150), "R'G'B' u8");
        assert_eq!(encoded(Channels::RgbAlpha, 100), "R~G~B~A u16");
        assert_eq!(encoded(Channels::Gray, 250), "Y' u16");
        assert_eq!(encoded(Channels::GrayAlpha, 600), "Y~A float");
        assert_eq!(encoded(Channels::Rgb, 675), "R~G~B~ float");
    }
}
