//! A picture in memory, what may come with it, and what is done to its pixels without a network.

pub mod alpha;
pub mod colour_transfer;
pub(crate) mod grey;
pub mod holes;
pub(crate) mod known;
pub(crate) mod resize;
pub mod tiling;

/// A picture: planar RGB, `3 * width * height` sRGB-encoded values in 0..1.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// Pixels along the upper edge.
    pub width: usize,
    /// Pixels along the left edge.
    pub height: usize,
    /// All red values row by row, then green, then blue.
    pub values: Vec<f32>,
}

/// The input of a restoration.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The picture. Its values must be finite; ones outside 0..1 are restored as if they were the nearest within.
    pub picture: &'a Picture,
    /// Opacity, one value in 0..1 per pixel: the colour of pixels with 0 is not looked at.
    pub alpha: Option<&'a [f32]>,
    /// For models that fill holes, one value in 0..1 per pixel: how much of the result is to be seen there. What is above
    /// 0 is not looked at, and pixels with 0 keep their values exactly.
    pub mask: Option<&'a [f32]>,
}

impl<'a> From<&'a Picture> for Source<'a> {
    fn from(picture: &'a Picture) -> Self {
        Self { picture, alpha: None, mask: None }
    }
}
