//! A picture in memory: upright pixels, their colour space, and what its file says about it.

use anyhow::{anyhow, bail};
use image::{DynamicImage, ImageBuffer};
use kds_host::{Channels, Depth, Format, ImageRef, Samples};

use crate::metadata::Metadata;

/// A picture with what its file says about it.
#[derive(Debug, Clone)]
pub struct Picture {
    /// The pixels, upright.
    pub image: DynamicImage,
    /// Colour profile, which fits the channels; without one the pixels are sRGB.
    pub profile: Option<Vec<u8>>,
    /// Metadata of the file.
    pub metadata: Metadata,
}

impl Picture {
    /// An sRGB picture without metadata.
    pub fn plain(image: DynamicImage) -> Self {
        Self { image, profile: None, metadata: Metadata::default() }
    }

    /// A picture of pixels alone.
    ///
    /// # Errors
    /// Only when the buffer is not of the image's own size.
    pub fn of_samples(pixels: kds_host::Image) -> anyhow::Result<Self> {
        fn buffer<P: image::Pixel>(
            width: u32,
            height: u32,
            samples: Vec<P::Subpixel>,
            wrap: fn(ImageBuffer<P, Vec<P::Subpixel>>) -> DynamicImage,
        ) -> Option<DynamicImage> {
            ImageBuffer::from_raw(width, height, samples).map(wrap)
        }
        use DynamicImage::*;
        let (width, height, channels) = (pixels.width(), pixels.height(), pixels.format().channels);
        let image = match (pixels.into_samples(), channels) {
            (Samples::U8(samples), Channels::Gray) => buffer(width, height, samples, ImageLuma8),
            (Samples::U8(samples), Channels::GrayAlpha) => buffer(width, height, samples, ImageLumaA8),
            (Samples::U8(samples), Channels::Rgb) => buffer(width, height, samples, ImageRgb8),
            (Samples::U8(samples), Channels::RgbAlpha) => buffer(width, height, samples, ImageRgba8),
            (Samples::U16(samples), Channels::Gray) => buffer(width, height, samples, ImageLuma16),
            (Samples::U16(samples), Channels::GrayAlpha) => buffer(width, height, samples, ImageLumaA16),
            (Samples::U16(samples), Channels::Rgb) => buffer(width, height, samples, ImageRgb16),
            (Samples::U16(samples), Channels::RgbAlpha) => buffer(width, height, samples, ImageRgba16),
            (Samples::F32(samples), Channels::Rgb) => buffer(width, height, samples, ImageRgb32F),
            (Samples::F32(samples), Channels::RgbAlpha) => buffer(width, height, samples, ImageRgba32F),
            // The other layouts of 32 bits are neither read nor written.
            (Samples::F32(_), _) => None,
        };
        let image = image.ok_or_else(|| anyhow!("the restored pixels do not make a picture; please report this"))?;
        Ok(Self::plain(image))
    }

    /// The pixels as the library takes them.
    ///
    /// # Errors
    /// For a layout that the library does not know.
    pub fn view(&self) -> anyhow::Result<ImageRef<'_>> {
        use Channels::{Gray, GrayAlpha, Rgb, RgbAlpha};
        let (width, height) = (self.image.width(), self.image.height());
        let view = match &self.image {
            DynamicImage::ImageLuma8(buffer) => ImageRef::packed(buffer.as_raw(), Gray, width, height),
            DynamicImage::ImageLumaA8(buffer) => ImageRef::packed(buffer.as_raw(), GrayAlpha, width, height),
            DynamicImage::ImageRgb8(buffer) => ImageRef::packed(buffer.as_raw(), Rgb, width, height),
            DynamicImage::ImageRgba8(buffer) => ImageRef::packed(buffer.as_raw(), RgbAlpha, width, height),
            DynamicImage::ImageLuma16(buffer) => ImageRef::packed(buffer.as_raw(), Gray, width, height),
            DynamicImage::ImageLumaA16(buffer) => ImageRef::packed(buffer.as_raw(), GrayAlpha, width, height),
            DynamicImage::ImageRgb16(buffer) => ImageRef::packed(buffer.as_raw(), Rgb, width, height),
            DynamicImage::ImageRgba16(buffer) => ImageRef::packed(buffer.as_raw(), RgbAlpha, width, height),
            DynamicImage::ImageRgb32F(buffer) => ImageRef::packed(buffer.as_raw(), Rgb, width, height),
            DynamicImage::ImageRgba32F(buffer) => ImageRef::packed(buffer.as_raw(), RgbAlpha, width, height),
            _ => bail!("has pixels of an unknown kind; convert it to PNG"),
        };
        Ok(view?)
    }

    /// Layout of the pixels.
    pub fn format(&self) -> Format {
        let color = self.image.color();
        let channels = match (color.has_color(), color.has_alpha()) {
            (false, false) => Channels::Gray,
            (false, true) => Channels::GrayAlpha,
            (true, false) => Channels::Rgb,
            (true, true) => Channels::RgbAlpha,
        };
        let depth = match color.bytes_per_pixel() / color.channel_count() {
            1 => Depth::U8,
            2 => Depth::U16,
            _ => Depth::F32,
        };
        Format { channels, depth }
    }
}
