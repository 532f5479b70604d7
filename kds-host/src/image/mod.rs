//! Pixel buffers: what a host hands to the library and gets back.

mod format;
mod owned;

use std::marker::PhantomData;

pub use format::{Alpha, Channels, Depth, Format, Light, Rows, Sample};
pub use owned::{Image, Samples};

use crate::{Error, Status};

/// Channels of the format that has most.
pub(crate) const MOST_CHANNELS: usize = 4;

/// Geometry of a buffer, or of one for each channel, checked against its length.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    pub format: Format,
    pub width: u32,
    pub height: u32,
    pub stride: usize,
    pub len: usize,
    pub alpha: Alpha,
    pub in_planes: bool,
    pub rows: Rows,
    pub light: Light,
}

impl Layout {
    /// Samples of a pixel side by side, rows downwards, encoded light.
    fn packed(format: Format, width: u32, height: u32, stride: usize, len: usize, alpha: Alpha) -> Self {
        let (in_planes, rows, light) = (false, Rows::Down, Light::Encoded);
        Self { format, width, height, stride, len, alpha, in_planes, rows, light }
    }

    fn checked(self) -> Result<Self, Error> {
        let Self { width, height, stride, len, .. } = self;
        let invalid = |message: String| Err(Error::new(Status::InvalidImage, message));
        if width == 0 || height == 0 {
            return invalid(format!("an image of {width}x{height} pixels has no pixels"));
        }
        let row = (width as usize).checked_mul(self.step());
        let needed = row.and_then(|row| (height as usize - 1).checked_mul(stride)?.checked_add(row));
        match (row, needed) {
            (Some(row), _) if stride < row => {
                invalid(format!("rows lie {stride} bytes apart, but a row of {width} pixels is {row} bytes long"))
            }
            (Some(_), Some(needed)) if needed <= len => Ok(self),
            _ => invalid(format!("a buffer of {len} bytes is too short for an image of {width}x{height} pixels")),
        }
    }

    /// Bytes from one sample of a channel to the next.
    fn step(&self) -> usize {
        if self.in_planes { self.format.depth.bytes() } else { self.format.bytes() }
    }

    /// Bytes of a row, without the gap after it.
    fn row(&self) -> usize {
        self.width as usize * self.step()
    }

    /// Number of buffers.
    fn buffers(&self) -> usize {
        if self.in_planes { self.format.channels.count() } else { 1 }
    }

    /// Bytes from the beginning of a buffer to a row that is counted from the top of the picture.
    fn offset(&self, y: usize) -> usize {
        let in_memory = match self.rows {
            Rows::Down => y,
            Rows::Up => self.height as usize - 1 - y,
        };
        in_memory * self.stride
    }
}

/// Checks planes, one for each channel of the format, and tells the length of the shortest.
fn planes<'a>(format: Format, lengths: impl ExactSizeIterator<Item = usize> + 'a) -> Result<usize, Error> {
    let (found, needed) = (lengths.len(), format.channels.count());
    if found != needed {
        let message = format!("there are {found} planes for {needed} channels");
        return Err(Error::new(Status::InvalidImage, message));
    }
    Ok(lengths.min().unwrap_or(0))
}

/// An image to read, in a buffer of somebody else's.
#[derive(Debug, Clone, Copy)]
pub struct ImageRef<'a> {
    data: [*const u8; MOST_CHANNELS],
    layout: Layout,
    _buffer: PhantomData<&'a [u8]>,
}

impl<'a> ImageRef<'a> {
    /// An image without gaps between its rows.
    ///
    /// # Errors
    /// [`Status::InvalidImage`] when the buffer is too short or the image has no pixels.
    pub fn packed<S: Sample>(samples: &'a [S], channels: Channels, width: u32, height: u32) -> Result<Self, Error> {
        let layout = packed::<S>(samples, channels, width, height)?;
        Ok(Self { data: [samples.as_ptr().cast(); MOST_CHANNELS], layout, _buffer: PhantomData })
    }

    /// An image whose rows begin `stride` bytes apart. Samples are in the machine's byte order and aligned.
    ///
    /// # Errors
    /// [`Status::InvalidImage`] when the buffer is too short, the rows overlap, or the image has no pixels.
    pub fn strided(
        bytes: &'a [u8],
        format: Format,
        width: u32,
        height: u32,
        stride: usize,
        alpha: Alpha,
    ) -> Result<Self, Error> {
        let layout = Layout::packed(format, width, height, stride, bytes.len(), alpha).checked()?;
        Ok(Self { data: [bytes.as_ptr(); MOST_CHANNELS], layout, _buffer: PhantomData })
    }

    /// An image with a plane of its own for each channel of the format; their rows begin `stride` bytes apart.
    ///
    /// # Errors
    /// As [`ImageRef::strided`], for each plane, and where there are not as many planes as channels.
    pub fn planes(
        planes: &[&'a [u8]],
        format: Format,
        width: u32,
        height: u32,
        stride: usize,
        alpha: Alpha,
    ) -> Result<Self, Error> {
        let len = self::planes(format, planes.iter().map(|plane| plane.len()))?;
        let packed = Layout::packed(format, width, height, stride, len, alpha);
        let layout = Layout { in_planes: true, ..packed }.checked()?;
        let mut data = [std::ptr::null(); MOST_CHANNELS];
        data.iter_mut().zip(planes).for_each(|(data, plane)| *data = plane.as_ptr());
        Ok(Self { data, layout, _buffer: PhantomData })
    }

    /// The same with another order of rows in memory.
    pub fn with_rows(mut self, rows: Rows) -> Self {
        self.layout.rows = rows;
        self
    }

    /// The same with another meaning of its values.
    pub fn with_light(mut self, light: Light) -> Self {
        self.layout.light = light;
        self
    }

    pub(crate) fn layout(&self) -> Layout {
        self.layout
    }

    /// The buffer, or those of the channels.
    pub(crate) fn data(&self) -> [*const u8; MOST_CHANNELS] {
        self.data
    }

    /// A row of a buffer, counted from the top of the picture.
    pub(crate) fn row(&self, buffer: usize, y: usize) -> &'a [u8] {
        assert!(buffer < self.layout.buffers() && y < self.layout.height as usize);
        // SAFETY: `Layout::checked` found every row within the buffer, which is borrowed for 'a.
        unsafe { std::slice::from_raw_parts(self.data[buffer].add(self.layout.offset(y)), self.layout.row()) }
    }

    /// Its rows from top to bottom, without the gaps between them; of planes one after the other.
    pub fn rows(&self) -> impl Iterator<Item = &'a [u8]> {
        let (image, height) = (*self, self.layout.height as usize);
        (0..self.layout.buffers()).flat_map(move |buffer| (0..height).map(move |y| image.row(buffer, y)))
    }

    /// Layout of its pixels.
    pub fn format(&self) -> Format {
        self.layout.format
    }

    /// Alpha mode.
    pub fn alpha(&self) -> Alpha {
        self.layout.alpha
    }

    /// Meaning of its values.
    pub fn light(&self) -> Light {
        self.layout.light
    }

    /// Width and height in pixels.
    pub fn size(&self) -> (u32, u32) {
        (self.layout.width, self.layout.height)
    }

    /// Copies its pixels: the rows from top to bottom without gaps, the samples of a pixel side by side.
    pub fn copy_to(&self, packed: &mut [u8]) {
        let Layout { width, height, format, .. } = self.layout;
        let (pixel, sample) = (format.bytes(), format.depth.bytes());
        for (y, to) in packed.chunks_exact_mut(width as usize * pixel).take(height as usize).enumerate() {
            if !self.layout.in_planes {
                to.copy_from_slice(self.row(0, y));
                continue;
            }
            for channel in 0..self.layout.buffers() {
                let to = to[channel * sample..].chunks_mut(pixel);
                let from = self.row(channel, y).chunks_exact(sample);
                from.zip(to).for_each(|(from, to)| to[..sample].copy_from_slice(from));
            }
        }
    }
}

/// An image to write, in a buffer of somebody else's.
#[derive(Debug)]
pub struct ImageMut<'a> {
    data: [*mut u8; MOST_CHANNELS],
    layout: Layout,
    _buffer: PhantomData<&'a mut [u8]>,
}

impl<'a> ImageMut<'a> {
    /// An image without gaps between its rows.
    ///
    /// # Errors
    /// [`Status::InvalidImage`] when the buffer is too short or the image has no pixels.
    pub fn packed<S: Sample>(samples: &'a mut [S], channels: Channels, width: u32, height: u32) -> Result<Self, Error> {
        let layout = packed::<S>(samples, channels, width, height)?;
        Ok(Self { data: [samples.as_mut_ptr().cast(); MOST_CHANNELS], layout, _buffer: PhantomData })
    }

    /// An image whose rows begin `stride` bytes apart. Samples are in the machine's byte order and aligned.
    ///
    /// # Errors
    /// [`Status::InvalidImage`] when the buffer is too short, the rows overlap, or the image has no pixels.
    pub fn strided(
        bytes: &'a mut [u8],
        format: Format,
        width: u32,
        height: u32,
        stride: usize,
        alpha: Alpha,
    ) -> Result<Self, Error> {
        let layout = Layout::packed(format, width, height, stride, bytes.len(), alpha).checked()?;
        Ok(Self { data: [bytes.as_mut_ptr(); MOST_CHANNELS], layout, _buffer: PhantomData })
    }

    /// An image with a plane of its own for each channel of the format; their rows begin `stride` bytes apart.
    ///
    /// # Errors
    /// As [`ImageMut::strided`], for each plane, and where there are not as many planes as channels.
    pub fn planes(
        planes: &mut [&'a mut [u8]],
        format: Format,
        width: u32,
        height: u32,
        stride: usize,
        alpha: Alpha,
    ) -> Result<Self, Error> {
        let len = self::planes(format, planes.iter().map(|plane| plane.len()))?;
        let packed = Layout::packed(format, width, height, stride, len, alpha);
        let layout = Layout { in_planes: true, ..packed }.checked()?;
        let mut data = [std::ptr::null_mut(); MOST_CHANNELS];
        data.iter_mut().zip(planes).for_each(|(data, plane)| *data = plane.as_mut_ptr());
        Ok(Self { data, layout, _buffer: PhantomData })
    }

    /// The same with another order of rows in memory.
    pub fn with_rows(mut self, rows: Rows) -> Self {
        self.layout.rows = rows;
        self
    }

    /// The same with another meaning of its values.
    pub fn with_light(mut self, light: Light) -> Self {
        self.layout.light = light;
        self
    }

    pub(crate) fn layout(&self) -> Layout {
        self.layout
    }

    /// The buffer, or those of the channels.
    pub(crate) fn data(&mut self) -> [*mut u8; MOST_CHANNELS] {
        self.data
    }

    /// The image again, for a shorter time.
    pub fn again(&mut self) -> ImageMut<'_> {
        ImageMut { data: self.data, layout: self.layout, _buffer: PhantomData }
    }

    /// A row of a buffer, counted from the top of the picture.
    pub(crate) fn row(&mut self, buffer: usize, y: usize) -> &mut [u8] {
        assert!(buffer < self.layout.buffers() && y < self.layout.height as usize);
        // SAFETY: `Layout::checked` found every row within the buffer, which is borrowed alone.
        unsafe { std::slice::from_raw_parts_mut(self.data[buffer].add(self.layout.offset(y)), self.layout.row()) }
    }

    /// Takes pixels as [`ImageRef::copy_to`] gives them.
    pub fn fill(&mut self, packed: &[u8]) {
        let layout = self.layout;
        let (pixel, sample) = (layout.format.bytes(), layout.format.depth.bytes());
        for (y, from) in packed.chunks_exact(layout.width as usize * pixel).take(layout.height as usize).enumerate() {
            if !layout.in_planes {
                self.row(0, y).copy_from_slice(from);
                continue;
            }
            for channel in 0..layout.buffers() {
                let from = from[channel * sample..].chunks(pixel);
                let to = self.row(channel, y).chunks_exact_mut(sample);
                to.zip(from).for_each(|(to, from)| to.copy_from_slice(&from[..sample]));
            }
        }
    }
}

fn packed<S: Sample>(samples: &[S], channels: Channels, width: u32, height: u32) -> Result<Layout, Error> {
    let format = Format { channels, depth: S::DEPTH };
    let stride = (width as usize).saturating_mul(format.bytes());
    Layout::packed(format, width, height, stride, size_of_val(samples), Alpha::Straight).checked()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RGB16: Format = Format { channels: Channels::Rgb, depth: Depth::U16 };

    #[test]
    fn buffers_are_checked() {
        assert!(ImageRef::packed(&[0u8; 12], Channels::Rgb, 2, 2).is_ok());
        assert_eq!(ImageRef::packed(&[0u8; 11], Channels::Rgb, 2, 2).unwrap_err().status, Status::InvalidImage);
        assert!(ImageRef::packed(&[0u8; 12], Channels::Rgb, 0, 2).is_err());
        assert!(ImageRef::packed(&[0f32; 4], Channels::Gray, u32::MAX, u32::MAX).is_err());
        // The last row needs no gap after it; rows may not overlap.
        assert!(ImageRef::strided(&[0; 28], RGB16, 2, 2, 16, Alpha::Straight).is_ok());
        assert!(ImageRef::strided(&[0; 27], RGB16, 2, 2, 16, Alpha::Straight).is_err());
        assert!(ImageRef::strided(&[0; 28], RGB16, 2, 2, 11, Alpha::Straight).is_err());
        assert!(ImageMut::strided(&mut [0; 28], RGB16, 2, 2, usize::MAX, Alpha::Premultiplied).is_err());
    }

    #[test]
    fn an_image_describes_its_own_buffer() {
        let mut image = Image::new(RGB16, 3, 5).unwrap();
        let mut view = image.view_mut();
        let (layout, data) = (view.layout(), view.data()[0].cast_const());
        assert_eq!((layout.width, layout.height, layout.stride, layout.len), (3, 5, 18, 90));
        assert_eq!(image.view().data()[0], data);
        assert_eq!(image.into_samples(), Samples::U16(vec![0; 45]));
    }

    #[test]
    fn rows_leave_gaps_out_and_alone() {
        let gray = Format { channels: Channels::Gray, depth: Depth::U8 };
        let mut bytes = [1, 2, 9, 3, 4, 9, 5, 6];
        let view = ImageRef::strided(&bytes, gray, 2, 3, 3, Alpha::Straight).unwrap();
        let mut packed = [0; 6];
        view.copy_to(&mut packed);
        assert_eq!(packed, [1, 2, 3, 4, 5, 6]);
        view.with_rows(Rows::Up).copy_to(&mut packed);
        assert_eq!(packed, [5, 6, 3, 4, 1, 2]);
        let mut view = ImageMut::strided(&mut bytes, gray, 2, 3, 3, Alpha::Straight).unwrap();
        view.fill(&[11, 12, 13, 14, 15, 16]);
        assert_eq!(bytes, [11, 12, 9, 13, 14, 9, 15, 16]);
        let view = ImageMut::strided(&mut bytes, gray, 2, 3, 3, Alpha::Straight).unwrap();
        view.with_rows(Rows::Up).fill(&[11, 12, 13, 14, 15, 16]);
        assert_eq!(bytes, [15, 16, 9, 13, 14, 9, 11, 12]);
    }

    #[test]
    fn planes_become_pixels_and_planes_again() {
        // Rows of two samples of two bytes, and a gap of one.
        let planes: Vec<Vec<u8>> = (0..3).map(|plane| (0..9).map(|byte| plane * 50 + byte).collect()).collect();
        let views: Vec<&[u8]> = planes.iter().map(Vec::as_slice).collect();
        let view = ImageRef::planes(&views, RGB16, 2, 2, 5, Alpha::Straight).unwrap();
        let mut packed = [0; 24];
        view.copy_to(&mut packed);
        assert_eq!(packed[..12], [0, 1, 50, 51, 100, 101, 2, 3, 52, 53, 102, 103]);
        assert_eq!(packed[12..18], [5, 6, 55, 56, 105, 106]);
        let mut back = vec![vec![99; 9]; 3];
        let mut views: Vec<&mut [u8]> = back.iter_mut().map(Vec::as_mut_slice).collect();
        let view = ImageMut::planes(&mut views, RGB16, 2, 2, 5, Alpha::Straight).unwrap();
        view.with_rows(Rows::Up).fill(&packed);
        assert_eq!(back[1], [55, 56, 57, 58, 99, 50, 51, 52, 53]);

        let short = [&planes[0][..], &planes[1], &planes[2][..8]];
        assert!(ImageRef::planes(&short, RGB16, 2, 2, 5, Alpha::Straight).is_err());
        let error = ImageRef::planes(&short[..2], RGB16, 2, 2, 5, Alpha::Straight).unwrap_err();
        assert!(error.message.contains("2 planes for 3 channels"), "{error}");
    }

    #[test]
    fn an_image_too_large_for_the_memory_is_an_error() {
        let format = Format { channels: Channels::RgbAlpha, depth: Depth::F32 };
        assert_eq!(Image::new(format, u32::MAX, u32::MAX).unwrap_err().status, Status::OutOfMemory);
        assert_eq!(Image::new(format, 0, 1).unwrap_err().status, Status::InvalidImage);
    }
}
