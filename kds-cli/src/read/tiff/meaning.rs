//! Photometric interpretation of the samples of a TIFF file: grey, colours, a palette, inks or lightness.

use anyhow::bail;
use image::{DynamicImage, ImageBuffer};

use super::{
    Decoded, PHOTOMETRIC,
    directory::{Directory, Tiff},
    layout::{JPEG, Kind, Layout},
    samples::{self, Samples},
    subsampled,
};
use crate::{
    colour::{self, Sample},
    read::{alpha::straight, broken},
};

const COLOUR_MAP: u16 = 320;
const INK_SET: u16 = 332;
const EXTRA_SAMPLES: u16 = 338;
const YCBCR_COEFFICIENTS: u16 = 529;
const YCBCR_SUBSAMPLING: u16 = 530;

/// Photometric interpretations.
const WHITE_IS_ZERO: u64 = 0;
const BLACK_IS_ZERO: u64 = 1;
const RGB: u64 = 2;
const PALETTE: u64 = 3;
const INKS: u64 = 5;
const YCBCR: u64 = 6;
const CIE_LAB: u64 = 8;
const ICC_LAB: u64 = 9;

/// The first channel beyond those of the colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extra {
    /// Nothing that is known.
    None,
    /// Alpha, multiplied into the colours.
    Associated,
    /// Alpha.
    Unassociated,
}

/// The picture of a directory.
///
/// # Errors
/// When it cannot be unpacked, or its interpretation is not read.
pub fn image(tiff: &Tiff, page: &Directory, layout: &Layout) -> anyhow::Result<Decoded> {
    let meaning = page.integer(PHOTOMETRIC).unwrap_or(if layout.samples >= 3 { RGB } else { BLACK_IS_ZERO });
    let colours = match meaning {
        WHITE_IS_ZERO | BLACK_IS_ZERO | PALETTE => 1,
        RGB | YCBCR | CIE_LAB | ICC_LAB => 3,
        INKS => 4,
        other => bail!("has colours of a kind that is not read ({}); convert it to PNG", name(other)),
    };
    if layout.samples < colours {
        bail!("has {} channels and needs {colours}; replace it by an intact copy", layout.samples);
    }
    if meaning == INKS && page.integer(INK_SET).unwrap_or(1) != 1 {
        bail!("has inks other than cyan, magenta, yellow and black; convert it to RGB with the program that made it");
    }
    let factors = page.integers(YCBCR_SUBSAMPLING).unwrap_or(vec![2, 2]);
    // The decoder of JPEG brings the channels to one size itself.
    let subsampled = meaning == YCBCR && layout.compression != JPEG && factors.iter().any(|factor| *factor != 1);
    // Lightness is never signed, whatever the file says of all channels.
    let kind = if meaning == CIE_LAB { Kind::Unsigned } else { layout.kind };
    let layout = &Layout { kind, ..layout.clone() };
    let all = if subsampled {
        subsampled::read(tiff.file(), tiff.little, layout, &factors)?
    } else {
        samples::read(tiff.file(), tiff.little, layout, meaning != PALETTE)?
    };
    let extra = match page.integers(EXTRA_SAMPLES).as_deref() {
        Some([1, ..]) => Extra::Associated,
        Some([2, ..]) => Extra::Unassociated,
        // Writers that know nothing of extra samples mean alpha by a fourth channel.
        None if meaning == RGB && layout.samples == 4 => Extra::Unassociated,
        _ => Extra::None,
    };
    let with_alpha = extra != Extra::None && layout.samples > colours && meaning != PALETTE && meaning != INKS;
    let kept = colours + usize::from(with_alpha);
    let all = all.first_channels(layout.samples, kept);
    let mut notes = Vec::new();
    if layout.samples > kept {
        notes
            .push(format!("{} of its channels are neither colours nor alpha, and are left out", layout.samples - kept));
    }
    if layout.bits > 16 && layout.kind != Kind::Float {
        notes.push(format!("its integers of {} bits are cut to 16", layout.bits));
    }
    if layout.kind == Kind::Signed {
        notes.push("its samples are signed, and their least value is taken for black".to_owned());
    }
    let mut profile = super::profile(page);
    let size = (layout.width, layout.height);
    let image = match meaning {
        WHITE_IS_ZERO => grey(all.inverted(kept), with_alpha, size),
        BLACK_IS_ZERO => grey(all, with_alpha, size),
        RGB => rgb(all, with_alpha, size),
        PALETTE => rgb(of_palette(&all, page, layout.bits)?, false, size),
        YCBCR => rgb(of_ycbcr(all, kept, page), with_alpha, size),
        INKS => {
            let (samples, note) = of_inks(&all, profile.take().as_deref())?;
            notes.push(note);
            rgb(samples, false, size)
        }
        _ => {
            profile = None;
            notes.push("its Lab colours are converted to sRGB".to_owned());
            rgb(of_lab(all, kept, meaning == CIE_LAB), with_alpha, size)
        }
    };
    let mut image = image.ok_or_else(|| broken(&"it has fewer samples than pixels"))?;
    if with_alpha && extra == Extra::Associated {
        straight(&mut image);
    }
    if layout.kind == Kind::Float && matches!(meaning, WHITE_IS_ZERO | BLACK_IS_ZERO) {
        profile = profile.map(|profile| colour::of_equal_channels(&profile).unwrap_or(profile));
    }
    let mut decoded = Decoded { profile, ..Decoded::plain(image) };
    notes.into_iter().for_each(|note| decoded.warn(note));
    Ok(decoded)
}

/// True for inks and lightness, which are sRGB once they are read.
pub fn is_converted(page: &Directory) -> bool {
    matches!(page.integer(PHOTOMETRIC), Some(INKS | CIE_LAB | ICC_LAB))
}

fn name(meaning: u64) -> String {
    match meaning {
        4 => "a transparency mask".into(),
        10 => "ITU Lab".into(),
        32844 | 32845 => "LogLuv".into(),
        other => format!("number {other}"),
    }
}

/// A buffer of pixels, if there are as many as the size says.
fn buffer<P: image::Pixel>(
    samples: Vec<P::Subpixel>,
    (width, height): (u32, u32),
) -> Option<ImageBuffer<P, Vec<P::Subpixel>>> {
    ImageBuffer::from_raw(width, height, samples)
}

fn grey(samples: Samples, alpha: bool, size: (u32, u32)) -> Option<DynamicImage> {
    use DynamicImage::{ImageLuma8, ImageLuma16, ImageLumaA8, ImageLumaA16, ImageRgb32F, ImageRgba32F};
    match (samples, alpha) {
        (Samples::U8(samples), false) => buffer(samples, size).map(ImageLuma8),
        (Samples::U8(samples), true) => buffer(samples, size).map(ImageLumaA8),
        (Samples::U16(samples), false) => buffer(samples, size).map(ImageLuma16),
        (Samples::U16(samples), true) => buffer(samples, size).map(ImageLumaA16),
        // There is no floating-point grey in memory: equal colours stand for it, and stay equal.
        (Samples::F32(samples), false) => {
            buffer(samples.into_iter().flat_map(|grey| [grey; 3]).collect(), size).map(ImageRgb32F)
        }
        (Samples::F32(samples), true) => {
            let pixels = samples.as_chunks().0.iter().flat_map(|[grey, alpha]| [*grey, *grey, *grey, *alpha]);
            buffer(pixels.collect(), size).map(ImageRgba32F)
        }
    }
}

fn rgb(samples: Samples, alpha: bool, size: (u32, u32)) -> Option<DynamicImage> {
    use DynamicImage::{ImageRgb8, ImageRgb16, ImageRgb32F, ImageRgba8, ImageRgba16, ImageRgba32F};
    match (samples, alpha) {
        (Samples::U8(samples), false) => buffer(samples, size).map(ImageRgb8),
        (Samples::U8(samples), true) => buffer(samples, size).map(ImageRgba8),
        (Samples::U16(samples), false) => buffer(samples, size).map(ImageRgb16),
        (Samples::U16(samples), true) => buffer(samples, size).map(ImageRgba16),
        (Samples::F32(samples), false) => buffer(samples, size).map(ImageRgb32F),
        (Samples::F32(samples), true) => buffer(samples, size).map(ImageRgba32F),
    }
}

impl Samples {
    /// The first `kept` of so many channels.
    fn first_channels(self, channels: usize, kept: usize) -> Self {
        fn first<T: Copy>(samples: Vec<T>, channels: usize, kept: usize) -> Vec<T> {
            if channels == kept {
                return samples;
            }
            samples.chunks_exact(channels).flat_map(|pixel| &pixel[..kept]).copied().collect()
        }
        match self {
            Self::U8(samples) => Self::U8(first(samples, channels, kept)),
            Self::U16(samples) => Self::U16(first(samples, channels, kept)),
            Self::F32(samples) => Self::F32(first(samples, channels, kept)),
        }
    }

    /// White for black in the first of so many channels.
    fn inverted(mut self, channels: usize) -> Self {
        match &mut self {
            Self::U8(samples) => samples.iter_mut().step_by(channels).for_each(|value| *value = !*value),
            Self::U16(samples) => samples.iter_mut().step_by(channels).for_each(|value| *value = !*value),
            Self::F32(samples) => samples.iter_mut().step_by(channels).for_each(|value| *value = 1.0 - *value),
        }
        self
    }

    /// Passes the first three channels of every pixel, from 0 to 1, through a function.
    fn map_colours(mut self, channels: usize, function: impl Fn([f32; 3]) -> [f32; 3]) -> Self {
        fn map<T: Sample>(samples: &mut [T], channels: usize, function: impl Fn([f32; 3]) -> [f32; 3]) {
            for pixel in samples.chunks_exact_mut(channels) {
                let colours = function([pixel[0], pixel[1], pixel[2]].map(Sample::to_unit));
                pixel.iter_mut().zip(colours).for_each(|(sample, colour)| *sample = T::from_unit(colour));
            }
        }
        match &mut self {
            Self::U8(samples) => map(samples, channels, function),
            Self::U16(samples) => map(samples, channels, function),
            Self::F32(samples) => map(samples, channels, function),
        }
        self
    }
}

/// The colours of a palette: all reds, all greens, all blues, of 16 bits each.
fn of_palette(indices: &Samples, page: &Directory, bits: u16) -> anyhow::Result<Samples> {
    let entries = 1usize << bits.min(16);
    let map = page.integers(COLOUR_MAP).unwrap_or_default();
    if map.len() < 3 * entries {
        bail!("has a palette of {} colours and needs {entries}; replace it by an intact copy", map.len() / 3);
    }
    // Old writers gave 8 bits.
    let shift = if map.iter().any(|value| *value > 255) { 8 } else { 0 };
    let colour =
        |index: usize| [0, 1, 2].map(|channel| (map[channel * entries + index.min(entries - 1)] >> shift) as u8);
    Ok(Samples::U8(match indices {
        Samples::U8(indices) => indices.iter().flat_map(|index| colour(usize::from(*index))).collect(),
        Samples::U16(indices) => indices.iter().flat_map(|index| colour(usize::from(*index))).collect(),
        Samples::F32(_) => bail!("has a palette with floating-point samples; replace it by an intact copy"),
    }))
}

/// Full-range YCbCr (TIFF 6.0, section 21).
fn of_ycbcr(samples: Samples, channels: usize, page: &Directory) -> Samples {
    let luma = page.fractions(YCBCR_COEFFICIENTS).filter(|values| values.len() == 3 && values[1] > 0.0);
    let [red, green, blue] =
        luma.map_or([0.299, 0.587, 0.114], |values| [values[0] as f32, values[1] as f32, values[2] as f32]);
    samples.map_colours(channels, |[y, cb, cr]| {
        let (cb, cr) = (cb - 128.0 / 255.0, cr - 128.0 / 255.0);
        let (r, b) = (y + (2.0 - 2.0 * red) * cr, y + (2.0 - 2.0 * blue) * cb);
        [r, (y - red * r - blue * b) / green, b]
    })
}

fn of_inks(samples: &Samples, profile: Option<&[u8]>) -> anyhow::Result<(Samples, String)> {
    Ok(match samples {
        Samples::U8(samples) => {
            let (samples, note) = colour::cmyk_to_srgb(samples, profile)?;
            (Samples::U8(samples), note)
        }
        Samples::U16(samples) => {
            let (samples, note) = colour::cmyk_to_srgb(samples, profile)?;
            (Samples::U16(samples), note)
        }
        Samples::F32(samples) => {
            let (samples, note) = colour::cmyk_to_srgb(samples, profile)?;
            (Samples::F32(samples), note)
        }
    })
}

/// Lab as sRGB. In the older kind the two colours are signed, in the newer they are counted from the least.
fn of_lab(samples: Samples, channels: usize, signed: bool) -> Samples {
    // 16 bits hold steps of 1/256; in the newer kind white lies below the greatest number.
    let (levels, brightest) = match (&samples, signed) {
        (Samples::U8(_), _) => (255.0, 255.0),
        (_, true) => (65535.0 / 256.0, 65535.0 / 256.0),
        (_, false) => (65535.0 / 256.0, 65280.0 / 256.0),
    };
    let colour = |value: f32| match (value * levels, signed) {
        (value, false) => value - 128.0,
        (value, true) if value >= 128.0 => value - 256.0,
        (value, true) => value,
    };
    samples.map_colours(channels, |[l, a, b]| colour::of_lab(l * levels / brightest * 100.0, colour(a), colour(b)))
}
