//! Pictures in memory of our own, for hosts that give or take copies, and for results that are kept.

use kds_host::{Alpha, Error, Format, ImageMut, ImageRef};

/// A picture whose samples lie together, without gaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// Layout of a pixel.
    pub format: Format,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Alpha mode, of formats that have alpha.
    pub alpha: Alpha,
    bytes: Vec<u8>,
}

impl Packed {
    /// A black picture; straight alpha.
    ///
    /// # Errors
    /// [`OutOfMemory`](kds_host::Status::OutOfMemory).
    pub fn new(format: Format, width: u32, height: u32) -> Result<Self, Error> {
        let out_of_memory = || Error {
            status: kds_host::Status::OutOfMemory,
            message: format!("no memory for a picture of {width}x{height} pixels"),
        };
        let len = (width as usize).checked_mul(height as usize).and_then(|pixels| pixels.checked_mul(format.bytes()));
        let mut bytes = Vec::new();
        let len = len.ok_or_else(out_of_memory)?;
        bytes.try_reserve_exact(len).map_err(|_| out_of_memory())?;
        bytes.resize(len, 0);
        Ok(Self { format, width, height, alpha: Alpha::Straight, bytes })
    }

    /// Its samples, row by row.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its samples to write.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// The picture to read.
    ///
    /// # Errors
    /// Where it has no pixels.
    pub fn view(&self) -> Result<ImageRef<'_>, Error> {
        let stride = self.width as usize * self.format.bytes();
        ImageRef::strided(&self.bytes, self.format, self.width, self.height, stride, self.alpha)
    }

    /// The picture to write.
    ///
    /// # Errors
    /// Where it has no pixels.
    pub fn view_mut(&mut self) -> Result<ImageMut<'_>, Error> {
        let stride = self.width as usize * self.format.bytes();
        let (width, height) = (self.width, self.height);
        ImageMut::strided(&mut self.bytes, self.format, width, height, stride, self.alpha)
    }
}

#[cfg(test)]
mod tests {
    use kds_host::{Channels, Depth};

    use super::*;

    #[test]
    fn a_picture_too_large_is_an_error() {
        let format = Format { channels: Channels::Rgb, depth: Depth::F32 };
        assert_eq!(Packed::new(format, u32::MAX, u32::MAX).unwrap_err().status, kds_host::Status::OutOfMemory);
    }
}
