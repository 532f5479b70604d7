//! Named ways to spoil a true picture.

use std::str::FromStr;

use anyhow::Context;
use image::{
    GrayImage, Luma, RgbImage,
    codecs::jpeg::JpegEncoder,
    imageops::{FilterType, blur, resize},
};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore, SeedableRng},
};

/// Degradation of a true picture after its reduction by the model's scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Degradation {
    /// Nothing but the bicubic reduction.
    Bicubic,
    /// Gaussian blur of so many pixels.
    Blur(f32),
    /// Gaussian noise of so many grey levels.
    Noise(f32),
    /// JPEG of this quality.
    Jpeg(u8),
    /// Blur of 0.8 pixels, noise of 8 grey levels, JPEG of quality 50.
    Mixed,
    /// Box in the middle to fill, 30 % of each side.
    Box,
    /// The box, and two scratches.
    Scratches,
}

/// Names of the degradations on the command line.
pub const EXPECTED: &str = "bicubic, blur:PIXELS, noise:LEVELS, jpeg:QUALITY, mixed, box or scratches";

impl FromStr for Degradation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |range: std::ops::RangeInclusive<f32>, text: &str| {
            text.parse::<f32>().ok().filter(|value| range.contains(value))
        };
        let read = match text.split_once(':') {
            Some(("blur", pixels)) => number(0.1..=20.0, pixels).map(Self::Blur),
            Some(("noise", levels)) => number(0.0..=255.0, levels).map(Self::Noise),
            Some(("jpeg", quality)) => number(1.0..=100.0, quality).map(|quality| Self::Jpeg(quality as u8)),
            Some(_) => None,
            None => match text {
                "bicubic" => Some(Self::Bicubic),
                "mixed" => Some(Self::Mixed),
                "box" => Some(Self::Box),
                "scratches" => Some(Self::Scratches),
                _ => None,
            },
        };
        read.ok_or_else(|| format!("'{text}' is no degradation; there are {EXPECTED}"))
    }
}

impl Degradation {
    /// True for one that leaves holes.
    pub fn makes_holes(self) -> bool {
        matches!(self, Self::Box | Self::Scratches)
    }

    /// What is left of a true picture, whose sides must be multiples of `scale`, and where its holes are. The same for the
    /// same seed.
    ///
    /// # Errors
    /// When the JPEG coder fails.
    pub fn apply(self, truth: &RgbImage, scale: u32, seed: u64) -> anyhow::Result<(RgbImage, Option<GrayImage>)> {
        let (width, height) = (truth.width() / scale, truth.height() / scale);
        let low = if scale == 1 { truth.clone() } else { resize(truth, width, height, FilterType::CatmullRom) };
        Ok(match self {
            Self::Bicubic => (low, None),
            Self::Blur(pixels) => (blur(&low, pixels), None),
            Self::Noise(levels) => (noisy(&low, levels, seed), None),
            Self::Jpeg(quality) => (through_jpeg(&low, quality)?, None),
            Self::Mixed => (through_jpeg(&noisy(&blur(&low, 0.8), 8.0, seed), 50)?, None),
            Self::Box | Self::Scratches => {
                let holes = holes(width, height, self == Self::Scratches);
                let mut low = low;
                let inside = |(pixel, hole): (&mut image::Rgb<u8>, &Luma<u8>)| {
                    if hole.0[0] > 0 {
                        pixel.0 = [0; 3];
                    }
                };
                low.pixels_mut().zip(holes.pixels()).for_each(inside);
                (low, Some(holes))
            }
        })
    }
}

fn holes(width: u32, height: u32, scratches: bool) -> GrayImage {
    let middle = |position: u32, length: u32| (20 * position).abs_diff(10 * length) <= 3 * length;
    GrayImage::from_fn(width, height, |x, y| {
        let scratch = scratches && (x + y / 3) % (width * 2 / 3).max(1) < 4;
        Luma([if scratch || (middle(x, width) && middle(y, height)) { 255 } else { 0 }])
    })
}

fn through_jpeg(picture: &RgbImage, quality: u8) -> anyhow::Result<RgbImage> {
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, quality).encode_image(picture).context("cannot write a JPEG")?;
    Ok(image::load_from_memory(&jpeg).context("cannot read a JPEG just written")?.into_rgb8())
}

fn noisy(picture: &RgbImage, levels: f32, seed: u64) -> RgbImage {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut uniform = move || (f64::from(random.next_u32()) + 0.5) / f64::from(u32::MAX);
    // Box and Muller.
    let mut normal = move || (-2.0 * uniform().ln()).max(0.0).sqrt() * (std::f64::consts::TAU * uniform()).cos();
    let mut noisy = picture.clone();
    let spoil =
        |value: &mut u8| *value = (f64::from(*value) + normal() * f64::from(levels)).round().clamp(0.0, 255.0) as u8;
    noisy.iter_mut().for_each(spoil);
    noisy
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    #[test]
    fn words_are_read_or_refused() {
        assert_eq!("noise:25".parse(), Ok(Degradation::Noise(25.0)));
        assert_eq!("jpeg:30".parse(), Ok(Degradation::Jpeg(30)));
        for text in ["jpeg", "jpeg:0", "noise:NaN", "rain", "blur:", "mixed:1"] {
            assert!(text.parse::<Degradation>().unwrap_err().contains("scratches"), "{text}");
        }
    }

    #[test]
    fn noise_has_its_deviation_and_comes_again() {
        let flat = RgbImage::from_pixel(80, 60, Rgb([128; 3]));
        let (first, _) = Degradation::Noise(20.0).apply(&flat, 1, 5).unwrap();
        let squares: f64 = first.iter().map(|value| (f64::from(*value) - 128.0).powi(2)).sum();
        let deviation = (squares / first.len() as f64).sqrt();
        assert!((deviation - 20.0).abs() < 0.5, "{deviation}");
        assert_eq!(Degradation::Noise(20.0).apply(&flat, 1, 5).unwrap().0, first);
        assert_ne!(Degradation::Noise(20.0).apply(&flat, 1, 6).unwrap().0, first);
    }

    #[test]
    fn reduced_pictures_have_the_model_s_scale_and_holes_are_black() {
        let white = RgbImage::from_pixel(80, 60, Rgb([255; 3]));
        assert_eq!(Degradation::Bicubic.apply(&white, 4, 0).unwrap().0.dimensions(), (20, 15));
        let (low, holes) = Degradation::Box.apply(&white, 1, 0).unwrap();
        let holes = holes.unwrap();
        let share = holes.iter().filter(|value| **value > 0).count() as f64 / (80.0 * 60.0);
        assert!((share - 0.09).abs() < 0.01, "{share}");
        assert_eq!((low.get_pixel(40, 30).0, low.get_pixel(0, 0).0), ([0; 3], [255; 3]));
    }
}
