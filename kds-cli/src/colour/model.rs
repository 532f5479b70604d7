//! Pictures for the model: in sRGB, from 0 to 1; and what it gives back, in the picture's own space.
//!
//! Values outside sRGB (colours of wide gamuts, highlights of floating-point pictures) do not pass through the model:
//! the rest that is left of it goes along beside, enlarged, and is added again. Colours under full transparency go the
//! same way.

use anyhow::anyhow;
use image::{DynamicImage, ImageBuffer};
use kds_host::{Depth, Enlargement, Format, Image, ImageRef};

use super::{
    Sample,
    convert::{self, Converter, apply},
    enlarge::Rows,
    profile::linear_srgb,
};
use crate::picture::Picture;

/// Rests of less than half a level of 8 bits are rounding.
const NO_REST: f32 = 0.5 / 255.0;

/// A picture as the model takes it, with the way back.
pub struct ForModel<'a> {
    original: &'a Picture,
    /// The picture in sRGB, where it is not so already.
    converted: Option<Picture>,
    converter: Option<Converter>,
    linear: bool,
    /// Values outside sRGB, in the picture's own space.
    rest: Option<Rows>,
    /// The colours of the picture, where some are under full transparency.
    hidden: Option<Rows>,
}

impl<'a> ForModel<'a> {
    /// # Errors
    /// When the colours cannot be converted.
    pub fn of(picture: &'a Picture) -> anyhow::Result<Self> {
        let converter = converter(picture)?;
        let linear = converter.as_ref().map_or(Ok(false), Converter::is_linear)?;
        let mut prepared = Self { original: picture, converted: None, converter, linear, rest: None, hidden: None };
        let float = picture.format().depth == Depth::F32;
        if prepared.converter.is_some() || float {
            let (converted, rest) = split(&picture.image, prepared.converter.as_ref(), float)?;
            prepared.converted = Some(Picture::plain(converted));
            prepared.rest = rest;
        }
        if hides_colours(&picture.image) {
            prepared.hidden = Some(colours(&picture.image));
        }
        Ok(prepared)
    }

    /// The pixels as the library takes them.
    ///
    /// # Errors
    /// For a layout that the library does not know.
    pub fn view(&self) -> anyhow::Result<ImageRef<'_>> {
        self.converted.as_ref().unwrap_or(self.original).view()
    }

    /// The layout that the model's result should have, for a file of this depth.
    pub fn format(&self, depth: Depth) -> Format {
        let Format { channels, .. } = self.original.format();
        let depth = self.held(depth);
        let depth = match (self.returns(depth), depth) {
            // Rounded once, at the end.
            (true, Depth::U8 | Depth::U16) if self.converter.is_some() => Depth::U16,
            (true, Depth::F32) => Depth::F32,
            _ => depth,
        };
        Format { channels, depth }
    }

    /// Grey of 32 bits is neither read nor written.
    fn held(&self, depth: Depth) -> Depth {
        if self.original.image.color().has_color() || depth != Depth::F32 { depth } else { Depth::U16 }
    }

    /// Whether the result goes back into the picture's own space. Amounts of light in few bits would show bands, so that
    /// the result stays sRGB where the file holds less than the picture did.
    fn returns(&self, depth: Depth) -> bool {
        let bits = |depth| match depth {
            Depth::U8 => 8,
            Depth::U16 => 16,
            Depth::F32 => 32,
        };
        !(self.linear && bits(depth) < bits(self.original.format().depth))
    }

    /// The picture, in samples of this depth, that the model's result makes. `filled` tells which pixels it invented: there
    /// is nothing of the original in them.
    ///
    /// # Errors
    /// When the colours cannot be converted back.
    pub fn finish(&self, restored: Image, filled: Option<&Picture>, depth: Depth) -> anyhow::Result<Picture> {
        let mut picture = Picture::of_samples(restored)?;
        picture.metadata = self.original.metadata.clone();
        let depth = self.held(depth);
        let returns = self.returns(depth);
        if returns {
            picture.profile = self.original.profile.clone();
        }
        let converter = self.converter.as_ref().filter(|_| returns);
        let rest = self.rest.as_ref().filter(|_| returns);
        let hidden = self.hidden.as_ref().filter(|_| returns);
        if converter.is_some() || rest.is_some() || hidden.is_some() {
            let filled = filled.map(|mask| colours(&mask.image));
            picture.image = compose(&picture.image, converter, [rest, hidden, filled.as_ref()], depth)?;
        }
        if depth != Depth::F32 && picture.profile.is_none() && stands_for_grey(&self.original.image) {
            picture.image = grey(picture.image);
        }
        Ok(picture)
    }
}

/// Floating-point grey has no layout of its own in memory: equal colours stand for it.
fn stands_for_grey(image: &DynamicImage) -> bool {
    match image {
        DynamicImage::ImageRgb32F(buffer) => is_grey(buffer, 3),
        DynamicImage::ImageRgba32F(buffer) => is_grey(buffer, 4),
        _ => false,
    }
}

/// True where red, green and blue are equal in every pixel of so many channels.
pub fn is_grey(samples: &[f32], channels: usize) -> bool {
    samples.chunks_exact(channels).all(|pixel| pixel[0] == pixel[1] && pixel[1] == pixel[2])
}

fn grey(image: DynamicImage) -> DynamicImage {
    let wide = image.color().bytes_per_pixel() > image.color().channel_count();
    match (wide, image.color().has_alpha()) {
        (false, false) => image.into_luma8().into(),
        (false, true) => image.into_luma_alpha8().into(),
        (true, false) => image.into_luma16().into(),
        (true, true) => image.into_luma_alpha16().into(),
    }
}

/// The model's result in the picture's own space, with what went along beside it: the rest, hidden colours, and where the
/// model filled.
fn compose(
    restored: &DynamicImage,
    converter: Option<&Converter>,
    [rest, hidden, filled]: [Option<&Rows>; 3],
    depth: Depth,
) -> anyhow::Result<DynamicImage> {
    let (width, height) = (restored.width() as usize, restored.height() as usize);
    // All of them have the size of the picture.
    let size = [rest, hidden, filled].into_iter().flatten().next().map(|rows| (rows.width, rows.height));
    let enlargement = Enlargement::new(size.unwrap_or((width, height)), (width, height));
    let row = |y: usize| -> anyhow::Result<Vec<f32>> {
        let (mut colours, alpha) = row(restored, y);
        if let Some(converter) = converter {
            colours = apply(&converter.from_srgb, &colours)?;
        }
        let channels = colours.len() / width;
        if let Some(rest) = rest {
            let mut rest = rest.enlarged(&enlargement, y);
            if let Some(filled) = filled {
                let share = filled.enlarged(&enlargement, y);
                rest.chunks_mut(channels).zip(share).for_each(|(rest, share)| {
                    rest.iter_mut().for_each(|value| *value *= 1.0 - share.clamp(0.0, 1.0));
                });
            }
            colours.iter_mut().zip(rest).for_each(|(colour, rest)| *colour += rest);
        }
        if let (Some(hidden), Some(alpha)) = (hidden, &alpha) {
            let hidden = hidden.enlarged(&enlargement, y);
            for ((colour, hidden), _) in
                colours.chunks_mut(channels).zip(hidden.chunks(channels)).zip(alpha).filter(|(_, alpha)| **alpha == 0.0)
            {
                colour.copy_from_slice(hidden);
            }
        }
        Ok(with_alpha(colours, alpha))
    };
    assemble(restored, depth, row)
}

/// The conversion that a picture needs; none for sRGB.
fn converter(picture: &Picture) -> anyhow::Result<Option<Converter>> {
    let Some(profile) = &picture.profile else { return Ok(None) };
    let converter = Converter::of(profile).map_err(|error| anyhow!("its colour profile cannot be applied: {error}"))?;
    Ok(if converter.is_srgb()? { None } else { Some(converter) })
}

/// The picture in sRGB, cut to its range, and what was cut.
fn split(
    image: &DynamicImage,
    converter: Option<&Converter>,
    float: bool,
) -> anyhow::Result<(DynamicImage, Option<Rows>)> {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let mut samples = Vec::new();
    let mut greatest = 0f32;
    let converted = assemble(image, if float { Depth::F32 } else { Depth::U16 }, |y| {
        let (own, alpha) = row(image, y);
        let there = match converter {
            Some(converter) => apply(&converter.to_srgb, &own)?,
            None => own.clone(),
        };
        let cut: Vec<f32> = there.into_iter().map(|value| value.clamp(0.0, 1.0)).collect();
        let back = match converter {
            Some(converter) => apply(&converter.from_srgb, &cut)?,
            None => cut.clone(),
        };
        samples.extend(own.iter().zip(back).map(|(own, back)| {
            greatest = greatest.max((own - back).abs());
            own - back
        }));
        Ok(with_alpha(cut, alpha))
    })?;
    let channels = samples.len() / (width * height).max(1);
    Ok((converted, (greatest > NO_REST).then_some(Rows { samples, width, height, channels })))
}

/// The picture in sRGB, for eyes.
///
/// # Errors
/// When the colours cannot be converted.
pub fn in_srgb(picture: &Picture) -> anyhow::Result<DynamicImage> {
    let float = picture.format().depth == Depth::F32;
    match converter(picture)? {
        None if !float => Ok(picture.image.clone()),
        converter => Ok(split(&picture.image, converter.as_ref(), float)?.0),
    }
}

/// The picture as amounts of light with the primaries of sRGB, in floating point; colours beyond sRGB are beyond 0 and 1.
///
/// # Errors
/// When the colours cannot be converted.
pub fn in_linear(picture: &Picture) -> anyhow::Result<DynamicImage> {
    let own = match &picture.profile {
        Some(profile) => convert::parse(profile)?,
        None => convert::srgb(),
    };
    // Grey without a profile is converted as three equal channels.
    let grey = own.color_space == moxcms::DataColorSpace::Gray;
    let linear = convert::parse(&linear_srgb()?)?;
    let (linear, layout) =
        if grey { (convert::grey(linear.red_trc), moxcms::Layout::Gray) } else { (linear, moxcms::Layout::Rgb) };
    let conversion = convert::between(&own, &linear, layout)?;
    let alpha = picture.image.color().has_alpha();
    let source = if grey {
        picture.image.clone()
    } else if alpha {
        picture.image.to_rgba32f().into()
    } else {
        picture.image.to_rgb32f().into()
    };
    let (width, height) = (source.width(), source.height());
    let mut samples = Vec::with_capacity(width as usize * height as usize * 4);
    for y in 0..height as usize {
        let (colours, alpha) = row(&source, y);
        let mut colours = apply(&conversion, &colours)?;
        if grey {
            colours = colours.iter().flat_map(|grey| [*grey; 3]).collect();
        }
        samples.extend(with_alpha(colours, alpha));
    }
    let image = if alpha {
        ImageBuffer::from_raw(width, height, samples).map(DynamicImage::ImageRgba32F)
    } else {
        ImageBuffer::from_raw(width, height, samples).map(DynamicImage::ImageRgb32F)
    };
    image.ok_or_else(|| anyhow!("the pixels do not make a picture; please report this"))
}

/// A picture of the same channels as this one, in samples of this depth, from its rows.
fn assemble(
    like: &DynamicImage,
    depth: Depth,
    mut row: impl FnMut(usize) -> anyhow::Result<Vec<f32>>,
) -> anyhow::Result<DynamicImage> {
    fn collect<T: Sample>(
        height: u32,
        mut row: impl FnMut(usize) -> anyhow::Result<Vec<f32>>,
    ) -> anyhow::Result<Vec<T>> {
        let mut samples = Vec::new();
        for y in 0..height as usize {
            samples.extend(row(y)?.into_iter().map(T::from_unit));
        }
        Ok(samples)
    }
    use DynamicImage::*;
    let (width, height, color) = (like.width(), like.height(), like.color());
    let image = match (depth, color.has_color(), color.has_alpha()) {
        (Depth::U8, false, false) => ImageBuffer::from_raw(width, height, collect(height, row)?).map(ImageLuma8),
        (Depth::U8, false, true) => ImageBuffer::from_raw(width, height, collect(height, row)?).map(ImageLumaA8),
        (Depth::U8, true, false) => ImageBuffer::from_raw(width, height, collect(height, row)?).map(ImageRgb8),
        (Depth::U8, true, true) => ImageBuffer::from_raw(width, height, collect(height, row)?).map(ImageRgba8),
        (Depth::U16, false, false) => ImageBuffer::from_raw(width, height, collect(height, row)?).map(ImageLuma16),
        (Depth::U16, false, true) => ImageBuffer::from_raw(width, height, collect(height, row)?).map(ImageLumaA16),
        (Depth::U16, true, false) => ImageBuffer::from_raw(width, height, collect(height, row)?).map(ImageRgb16),
        (Depth::U16, true, true) => ImageBuffer::from_raw(width, height, collect(height, row)?).map(ImageRgba16),
        (Depth::F32, true, false) => ImageBuffer::from_raw(width, height, collect(height, row)?).map(ImageRgb32F),
        (Depth::F32, true, true) => ImageBuffer::from_raw(width, height, collect(height, &mut row)?).map(ImageRgba32F),
        // Grey of 32 bits is neither read nor written.
        (Depth::F32, false, _) => None,
    };
    image.ok_or_else(|| anyhow!("the pixels do not make a picture; please report this"))
}

/// The colours of a row, and its alpha.
fn row(image: &DynamicImage, y: usize) -> (Vec<f32>, Option<Vec<f32>>) {
    fn of<T: Sample>(samples: &[T], y: usize, line: usize) -> Vec<f32> {
        samples[y * line..][..line].iter().map(|sample| sample.to_unit()).collect()
    }
    let channels = usize::from(image.color().channel_count());
    let line = image.width() as usize * channels;
    use DynamicImage::*;
    let samples = match image {
        ImageLuma8(buffer) => of(buffer, y, line),
        ImageLumaA8(buffer) => of(buffer, y, line),
        ImageRgb8(buffer) => of(buffer, y, line),
        ImageRgba8(buffer) => of(buffer, y, line),
        ImageLuma16(buffer) => of(buffer, y, line),
        ImageLumaA16(buffer) => of(buffer, y, line),
        ImageRgb16(buffer) => of(buffer, y, line),
        ImageRgba16(buffer) => of(buffer, y, line),
        ImageRgb32F(buffer) => of(buffer, y, line),
        ImageRgba32F(buffer) => of(buffer, y, line),
        other => of(&other.to_rgba32f(), y, line),
    };
    if !image.color().has_alpha() {
        return (samples, None);
    }
    let alpha = samples.iter().skip(channels - 1).step_by(channels).copied().collect();
    (samples.chunks_exact(channels).flat_map(|pixel| &pixel[..channels - 1]).copied().collect(), Some(alpha))
}

/// The colours of a row with their alpha, if there is one.
fn with_alpha(colours: Vec<f32>, alpha: Option<Vec<f32>>) -> Vec<f32> {
    let Some(alpha) = alpha else { return colours };
    let channels = colours.len() / alpha.len().max(1);
    let pixels = colours.chunks(channels.max(1)).zip(alpha);
    pixels.flat_map(|(pixel, alpha)| pixel.iter().copied().chain([alpha])).collect()
}

/// All colours of a picture, without alpha.
fn colours(image: &DynamicImage) -> Rows {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let samples: Vec<f32> = (0..height).flat_map(|y| row(image, y).0).collect();
    let channels = samples.len() / (width * height).max(1);
    Rows { samples, width, height, channels }
}

/// True where there are colours under full transparency, not just black or white.
fn hides_colours(image: &DynamicImage) -> bool {
    image.color().has_alpha()
        && (0..image.height() as usize).any(|y| {
            let (colours, alpha) = row(image, y);
            let Some(alpha) = alpha else { return false };
            let channels = colours.len() / alpha.len().max(1);
            colours.chunks(channels.max(1)).zip(alpha).any(|(pixel, alpha)| {
                alpha == 0.0 && pixel.iter().any(|value| *value > 0.0) && pixel.iter().any(|value| *value < 1.0)
            })
        })
}
