//! Pictures with a buffer of their own.

use std::marker::PhantomData;

use super::{Alpha, Channels, Depth, Format, ImageMut, ImageRef, Layout, MOST_CHANNELS};
use crate::{Error, Status};

/// An image with a buffer of its own, without gaps between its rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    channels: Channels,
    width: u32,
    height: u32,
    samples: Samples,
}

/// The buffer of an [`Image`]: rows of pixels from top to bottom.
#[derive(Debug, Clone, PartialEq)]
pub enum Samples {
    /// Of [`Depth::U8`].
    U8(Vec<u8>),
    /// Of [`Depth::U16`].
    U16(Vec<u16>),
    /// Of [`Depth::F32`].
    F32(Vec<f32>),
}

impl Image {
    /// A black image (and transparent, with alpha).
    ///
    /// # Errors
    /// [`Status::InvalidImage`] for an image without pixels, [`Status::OutOfMemory`] when the buffer cannot be had.
    pub fn new(format: Format, width: u32, height: u32) -> Result<Self, Error> {
        let out_of_memory = || {
            let message = format!("no memory for an image of {width}x{height} pixels; restore a smaller part");
            Error::new(Status::OutOfMemory, message)
        };
        fn zeroed<T: Copy + Default>(len: usize) -> Option<Vec<T>> {
            let mut samples = Vec::new();
            samples.try_reserve_exact(len).ok()?;
            samples.resize(len, T::default());
            Some(samples)
        }
        if width == 0 || height == 0 {
            let message = format!("an image of {width}x{height} pixels has no pixels");
            return Err(Error::new(Status::InvalidImage, message));
        }
        let pixels = (width as usize).checked_mul(height as usize).ok_or_else(out_of_memory)?;
        let len = pixels.checked_mul(format.channels.count()).ok_or_else(out_of_memory)?;
        let samples = match format.depth {
            Depth::U8 => zeroed(len).map(Samples::U8),
            Depth::U16 => zeroed(len).map(Samples::U16),
            Depth::F32 => zeroed(len).map(Samples::F32),
        };
        Ok(Self { channels: format.channels, width, height, samples: samples.ok_or_else(out_of_memory)? })
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Layout of its pixels.
    pub fn format(&self) -> Format {
        let depth = match self.samples {
            Samples::U8(_) => Depth::U8,
            Samples::U16(_) => Depth::U16,
            Samples::F32(_) => Depth::F32,
        };
        Format { channels: self.channels, depth }
    }

    /// Gives its buffer away.
    pub fn into_samples(self) -> Samples {
        self.samples
    }

    fn layout(&self) -> Layout {
        let format = self.format();
        let stride = self.width as usize * format.bytes();
        let len = stride * self.height as usize;
        Layout::packed(format, self.width, self.height, stride, len, Alpha::Straight)
    }

    /// The image to read.
    pub fn view(&self) -> ImageRef<'_> {
        let data = match &self.samples {
            Samples::U8(samples) => samples.as_ptr(),
            Samples::U16(samples) => samples.as_ptr().cast(),
            Samples::F32(samples) => samples.as_ptr().cast(),
        };
        ImageRef { data: [data; MOST_CHANNELS], layout: self.layout(), _buffer: PhantomData }
    }

    /// The image to write.
    pub fn view_mut(&mut self) -> ImageMut<'_> {
        let layout = self.layout();
        let data = match &mut self.samples {
            Samples::U8(samples) => samples.as_mut_ptr(),
            Samples::U16(samples) => samples.as_mut_ptr().cast(),
            Samples::F32(samples) => samples.as_mut_ptr().cast(),
        };
        ImageMut { data: [data; MOST_CHANNELS], layout, _buffer: PhantomData }
    }
}
