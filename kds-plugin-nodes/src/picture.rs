//! Pixels of graphs, which lie in separate planes, and of the engine, where the samples of a pixel lie together.

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

/// A plane of samples to read.
#[derive(Debug, Clone, Copy)]
pub struct Plane<'a> {
    /// The first row, and all that follow.
    pub bytes: &'a [u8],
    /// Bytes from one row to the next.
    pub stride: usize,
}

/// A plane of samples to write.
#[derive(Debug)]
pub struct PlaneMut<'a> {
    /// The first row, and all that follow.
    pub bytes: &'a mut [u8],
    /// Bytes from one row to the next.
    pub stride: usize,
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

    /// Takes the samples of its channels from planes, one for each.
    pub fn fill(&mut self, planes: &[Plane<'_>]) {
        let (width, pixel, sample) = (self.width as usize, self.format.bytes(), self.format.depth.bytes());
        for (y, row) in self.bytes.chunks_exact_mut(width * pixel).enumerate() {
            for (channel, plane) in planes.iter().enumerate() {
                let from = plane.bytes[y * plane.stride..][..width * sample].chunks_exact(sample);
                let to = row[channel * sample..].chunks_mut(pixel);
                from.zip(to).for_each(|(from, to)| to[..sample].copy_from_slice(from));
            }
        }
    }

    /// Gives the samples of its channels to planes, one for each.
    pub fn spread(&self, planes: &mut [PlaneMut<'_>]) {
        let (width, pixel, sample) = (self.width as usize, self.format.bytes(), self.format.depth.bytes());
        for (y, row) in self.bytes.chunks_exact(width * pixel).enumerate() {
            for (channel, plane) in planes.iter_mut().enumerate() {
                let to = plane.bytes[y * plane.stride..][..width * sample].chunks_exact_mut(sample);
                let from = row[channel * sample..].chunks(pixel);
                to.zip(from).for_each(|(to, from)| to.copy_from_slice(&from[..sample]));
            }
        }
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
    pub(crate) fn view(&self) -> Result<ImageRef<'_>, Error> {
        let stride = self.width as usize * self.format.bytes();
        ImageRef::strided(&self.bytes, self.format, self.width, self.height, stride, self.alpha)
    }

    /// The picture to write.
    pub(crate) fn view_mut(&mut self) -> Result<ImageMut<'_>, Error> {
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
    fn planes_become_pixels_and_planes_again() {
        let format = Format { channels: Channels::Rgb, depth: Depth::U16 };
        // Rows of two samples of two bytes, and a gap of one.
        let planes: Vec<Vec<u8>> = (0..3).map(|plane| (0..9).map(|byte| plane * 50 + byte).collect()).collect();
        let views: Vec<_> = planes.iter().map(|bytes| Plane { bytes, stride: 5 }).collect();
        let mut packed = Packed::new(format, 2, 2).unwrap();
        packed.fill(&views);
        assert_eq!(packed.bytes[..12], [0, 1, 50, 51, 100, 101, 2, 3, 52, 53, 102, 103]);
        assert_eq!(packed.bytes[12..18], [5, 6, 55, 56, 105, 106]);
        let mut back = vec![vec![99; 9]; 3];
        let mut views: Vec<_> = back.iter_mut().map(|bytes| PlaneMut { bytes, stride: 5 }).collect();
        packed.spread(&mut views);
        assert_eq!(back[1], [50, 51, 52, 53, 99, 55, 56, 57, 58]);
    }

    #[test]
    fn a_picture_too_large_is_an_error() {
        let format = Format { channels: Channels::Rgb, depth: Depth::F32 };
        assert_eq!(Packed::new(format, u32::MAX, u32::MAX).unwrap_err().status, kds_host::Status::OutOfMemory);
    }
}
