//! Pixel formats: channels, sample depth, alpha, row order, transfer curve.

use serde::{Deserialize, Serialize};

/// Channels of a pixel, in the order in which they lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Channels {
    /// Grey.
    Gray,
    /// Grey and alpha.
    GrayAlpha,
    /// Red, green, blue.
    Rgb,
    /// Red, green, blue, alpha.
    RgbAlpha,
}

impl Channels {
    /// Samples per pixel.
    pub fn count(self) -> usize {
        match self {
            Self::Gray => 1,
            Self::GrayAlpha => 2,
            Self::Rgb => 3,
            Self::RgbAlpha => 4,
        }
    }

    /// True for formats with an alpha channel.
    pub fn has_alpha(self) -> bool {
        matches!(self, Self::GrayAlpha | Self::RgbAlpha)
    }
}

/// Number format of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Depth {
    /// 0 to 255.
    U8,
    /// 0 to 65535, in the machine's byte order.
    U16,
    /// 0 to 1.
    F32,
}

impl Depth {
    /// Bytes per sample.
    pub fn bytes(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::U16 => 2,
            Self::F32 => 4,
        }
    }
}

/// Layout of a pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Format {
    /// Channels of a pixel.
    pub channels: Channels,
    /// Number format of a sample.
    pub depth: Depth,
}

impl Format {
    /// Bytes per pixel.
    pub fn bytes(self) -> usize {
        self.channels.count() * self.depth.bytes()
    }
}

/// Alpha mode: straight or premultiplied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Alpha {
    /// The colour is independent of alpha.
    #[default]
    Straight,
    /// The colour is multiplied by alpha.
    Premultiplied,
}

/// Order of rows in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Rows {
    /// The first is the highest.
    #[default]
    Down,
    /// The first is the lowest.
    Up,
}

/// Meaning of colour values. All have the primaries of sRGB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Light {
    /// As sRGB encodes them.
    #[default]
    Encoded,
    /// They grow as the light does.
    Linear,
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for u8 {}
    impl Sealed for u16 {}
    impl Sealed for f32 {}
}

/// A type of sample: `u8`, `u16` or `f32`.
pub trait Sample: sealed::Sealed + Copy {
    /// Its number format.
    const DEPTH: Depth;
}

impl Sample for u8 {
    const DEPTH: Depth = Depth::U8;
}
impl Sample for u16 {
    const DEPTH: Depth = Depth::U16;
}
impl Sample for f32 {
    const DEPTH: Depth = Depth::F32;
}
