//! The confidence map: a grey picture, white where the particles agree and black where the picture is invention.

use kds_host::{Channels, Depth, Error, Format, Image};

/// A map to be filled, of the output's size.
///
/// # Errors
/// When there is no memory for it.
pub fn new_map(width: u32, height: u32) -> Result<Image, Error> {
    Image::new(Format { channels: Channels::Gray, depth: Depth::U8 }, width, height)
}
