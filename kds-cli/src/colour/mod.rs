//! Colour: the model knows sRGB, and pictures come in many spaces. They are converted for it and back by `moxcms`.

mod convert;
mod enlarge;
mod inks;
mod lab;
mod model;
mod profile;

pub use inks::cmyk_to_srgb;
pub use lab::of_lab;
pub use model::{ForModel, in_linear, in_srgb, is_grey};
pub use profile::{
    adobe_rgb, fits, linear_srgb, of_code_points, of_equal_channels, of_gamma_and_primaries, refuse_high_range, usable,
};

/// A sample of a pixel.
pub trait Sample: Copy + Send + Sync {
    /// From 0 to 1; floating-point samples as they are.
    fn to_unit(self) -> f32;
    /// The nearest sample.
    fn from_unit(value: f32) -> Self;
}

impl Sample for u8 {
    fn to_unit(self) -> f32 {
        f32::from(self) / 255.0
    }

    fn from_unit(value: f32) -> Self {
        // A number out of range becomes the nearest in it, and none becomes 0.
        (value * 255.0).round() as Self
    }
}

impl Sample for u16 {
    fn to_unit(self) -> f32 {
        f32::from(self) / 65535.0
    }

    fn from_unit(value: f32) -> Self {
        (value * 65535.0).round() as Self
    }
}

impl Sample for f32 {
    fn to_unit(self) -> f32 {
        self
    }

    fn from_unit(value: f32) -> Self {
        value
    }
}
