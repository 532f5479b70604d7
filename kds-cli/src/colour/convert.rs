//! Conversions between colour spaces, there and back.

use std::sync::Arc;

use anyhow::anyhow;
use moxcms::{ColorProfile, DataColorSpace, Layout, RenderingIntent, TransformF32Executor, TransformOptions};

/// A conversion of pixels of floating-point samples without alpha.
pub type Conversion = Arc<TransformF32Executor>;

/// Conversions between a colour space and sRGB.
pub struct Converter {
    /// To sRGB; what sRGB cannot hold is beyond 0 and 1.
    pub to_srgb: Conversion,
    /// From sRGB.
    pub from_srgb: Conversion,
    /// Channels of a pixel: 1 or 3.
    pub channels: usize,
}

/// Differences of less than this, a bit more than a level of 8 bits, are that of two people's sRGB.
const SAME: f32 = 1.3 / 255.0;

impl Converter {
    /// For a profile of grey or RGB.
    ///
    /// # Errors
    /// When the profile is broken, or says only how to convert in one direction.
    pub fn of(profile: &[u8]) -> anyhow::Result<Self> {
        let space = parse(profile)?;
        let (srgb, layout, channels) = match space.color_space {
            DataColorSpace::Gray => (grey(srgb().red_trc), Layout::Gray, 1),
            DataColorSpace::Rgb => (srgb(), Layout::Rgb, 3),
            _ => return Err(anyhow!("it is neither of grey nor of RGB")),
        };
        let converter =
            Self { to_srgb: between(&space, &srgb, layout)?, from_srgb: between(&srgb, &space, layout)?, channels };
        // A profile can be whole and yet make no colours.
        let probes = converter.probes();
        let there = apply(&converter.to_srgb, &probes)?;
        let back = apply(&converter.from_srgb, &there.iter().map(|value| value.clamp(0.0, 1.0)).collect::<Vec<_>>())?;
        let sound = |values: &[f32]| {
            values.iter().all(|value| value.is_finite()) && values.iter().any(|value| (value - values[0]).abs() > 0.1)
        };
        if sound(&there) && sound(&back) { Ok(converter) } else { Err(anyhow!("it makes no colours")) }
    }

    /// True for sRGB, but for rounding.
    pub fn is_srgb(&self) -> anyhow::Result<bool> {
        let probes = self.probes();
        let there = apply(&self.to_srgb, &probes)?;
        Ok(probes.iter().zip(there).all(|(before, after)| (before - after).abs() <= SAME))
    }

    /// True for linear light: a fifth of the light is half of sRGB's range.
    pub fn is_linear(&self) -> anyhow::Result<bool> {
        let there = apply(&self.to_srgb, &vec![0.2140; self.channels])?;
        Ok(there.iter().all(|value| (value - 0.5).abs() < 0.01))
    }

    fn probes(&self) -> Vec<f32> {
        const STEPS: [f32; 6] = [0.0, 0.1, 0.25, 0.5, 0.8, 1.0];
        if self.channels == 1 {
            return STEPS.to_vec();
        }
        let steps = || STEPS.into_iter();
        steps().flat_map(|r| steps().flat_map(move |g| steps().flat_map(move |b| [r, g, b]))).collect()
    }
}

/// A profile of at most the size that metadata may have.
pub fn parse(profile: &[u8]) -> anyhow::Result<ColorProfile> {
    ColorProfile::new_from_slice(profile).map_err(|error| anyhow!("{error}"))
}

/// sRGB.
pub fn srgb() -> ColorProfile {
    ColorProfile::new_srgb()
}

/// Grey of a tone curve.
pub fn grey(curve: Option<moxcms::ToneReprCurve>) -> ColorProfile {
    let mut profile = ColorProfile::new_gray_with_gamma(1.0);
    profile.gray_trc = curve;
    profile
}

/// A conversion.
pub fn between(from: &ColorProfile, to: &ColorProfile, layout: Layout) -> anyhow::Result<Conversion> {
    from.create_transform_f32(layout, to, layout, options()).map_err(|error| anyhow!("{error}"))
}

/// Settings of every conversion.
pub fn options() -> TransformOptions {
    TransformOptions {
        rendering_intent: RenderingIntent::Perceptual,
        prefer_fixed_point: false,
        allow_extended_range_rgb_xyz: true,
        ..TransformOptions::default()
    }
}

/// Converts pixels.
pub fn apply(conversion: &Conversion, pixels: &[f32]) -> anyhow::Result<Vec<f32>> {
    let mut converted = vec![0.0; pixels.len()];
    conversion
        .transform(pixels, &mut converted)
        .map_err(|error| anyhow!("its colours cannot be converted: {error}"))?;
    Ok(converted)
}
