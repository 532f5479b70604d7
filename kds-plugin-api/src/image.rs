//! Images: views of pixels in somebody's memory.

use abi_stable::StableAbi;
use abi_stable::std_types::{RSlice, RSliceMut};

/// An image to read: rows from top to bottom, samples encoded as in sRGB. The library checks that it fits its bytes.
///
/// The constructors make images without gaps between the rows; fill in the fields for any other:
///
/// ```
/// # use kds_plugin_api::{Alpha, Format, Image};
/// let bytes = vec![0; 400 * 100];
/// let padded = Image { format: Format::RGBA_U8, width: 99, height: 100, stride: 400, alpha: Alpha::PREMULTIPLIED,
///     bytes: bytes.as_slice().into() };
/// ```
#[repr(C)]
#[derive(StableAbi, Debug, Clone, Copy)]
pub struct Image<'a> {
    /// Pixel format.
    pub format: Format,
    /// Straight or premultiplied alpha; matters for formats with alpha only.
    pub alpha: Alpha,
    /// Pixels along a row.
    pub width: u32,
    /// Number of rows.
    pub height: u32,
    /// Bytes from one row to the next, at least those of a row.
    pub stride: usize,
    /// The pixels, from the first one on. No alignment is needed.
    pub bytes: RSlice<'a, u8>,
}

/// An image to write, otherwise as [`Image`].
#[repr(C)]
#[derive(StableAbi, Debug)]
pub struct ImageMut<'a> {
    /// Pixel format.
    pub format: Format,
    /// Straight or premultiplied alpha; matters for formats with alpha only.
    pub alpha: Alpha,
    /// Pixels along a row.
    pub width: u32,
    /// Number of rows.
    pub height: u32,
    /// Bytes from one row to the next, at least those of a row.
    pub stride: usize,
    /// The pixels, from the first one on. No alignment is needed.
    pub bytes: RSliceMut<'a, u8>,
}

/// Pixel formats: the numbers of `KDS_GRAY_U8` ... in `kds.h`. A newer library may know more than these.
#[repr(transparent)]
#[derive(StableAbi, Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Format(pub i32);

impl Format {
    /// Gray, 8 bits.
    pub const GRAY_U8: Self = Self(1);
    /// Red, green, blue, 8 bits each.
    pub const RGB_U8: Self = Self(2);
    /// Red, green, blue, alpha, 8 bits each.
    pub const RGBA_U8: Self = Self(3);
    /// Gray, alpha, 8 bits each.
    pub const GRAYA_U8: Self = Self(4);
    /// As [`Format::GRAY_U8`], 16 bits in the machine's byte order.
    pub const GRAY_U16: Self = Self(17);
    /// As [`Format::RGB_U8`], 16 bits in the machine's byte order.
    pub const RGB_U16: Self = Self(18);
    /// As [`Format::RGBA_U8`], 16 bits in the machine's byte order.
    pub const RGBA_U16: Self = Self(19);
    /// As [`Format::GRAYA_U8`], 16 bits in the machine's byte order.
    pub const GRAYA_U16: Self = Self(20);
    /// As [`Format::GRAY_U8`], 32-bit floats, 0 black and 1 white.
    pub const GRAY_F32: Self = Self(33);
    /// As [`Format::RGB_U8`], 32-bit floats, 0 black and 1 white.
    pub const RGB_F32: Self = Self(34);
    /// As [`Format::RGBA_U8`], 32-bit floats, 0 black and 1 white.
    pub const RGBA_F32: Self = Self(35);
    /// As [`Format::GRAYA_U8`], 32-bit floats, 0 black and 1 white.
    pub const GRAYA_F32: Self = Self(36);
    /// As [`Format::GRAY_U8`], 16-bit floats (IEEE binary16), 0 black and 1 white.
    pub const GRAY_F16: Self = Self(49);
    /// As [`Format::RGB_U8`], 16-bit floats (IEEE binary16), 0 black and 1 white.
    pub const RGB_F16: Self = Self(50);
    /// As [`Format::RGBA_U8`], 16-bit floats (IEEE binary16), 0 black and 1 white.
    pub const RGBA_F16: Self = Self(51);
    /// As [`Format::GRAYA_U8`], 16-bit floats (IEEE binary16), 0 black and 1 white.
    pub const GRAYA_F16: Self = Self(52);
}

/// Straight or premultiplied alpha: the numbers of `KDS_ALPHA_STRAIGHT` ... in `kds.h`.
#[repr(transparent)]
#[derive(StableAbi, Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Alpha(pub i32);

impl Alpha {
    /// Colours are as they are, whatever alpha is.
    pub const STRAIGHT: Self = Self(0);
    /// Colours have been multiplied by alpha.
    pub const PREMULTIPLIED: Self = Self(1);
}

mod sealed {
    pub trait Sealed {}
}

/// A type of sample: `u8` (0 to 255), `u16` (0 to 65535, the machine's byte order) or `f32` (0 to 1).
pub trait Sample: sealed::Sealed + Copy {
    /// Distance of its formats' numbers from those of `u8`.
    #[doc(hidden)]
    const OFFSET: i32;
}

macro_rules! samples {
    ($($sample:ty, $offset:literal;)*) => {$(
        impl sealed::Sealed for $sample {}
        impl Sample for $sample {
            const OFFSET: i32 = $offset;
        }
    )*};
}

samples! { u8, 0; u16, 16; f32, 32; }

/// Constructors of both views, for images without gaps between the rows.
macro_rules! constructors {
    ($image:ident, $samples:ty, $bytes:ident, $($name:ident, $format:ident, $channels:literal, $what:literal;)*) => {
        impl<'a> $image<'a> {
            $(
                #[doc = concat!($what, ", straight alpha if any, without gaps between the rows.")]
                pub fn $name<S: Sample>(width: u32, height: u32, samples: $samples) -> Self {
                    Self {
                        format: Format(Format::$format.0 + S::OFFSET),
                        alpha: Alpha::STRAIGHT,
                        width,
                        height,
                        stride: (width as usize).saturating_mul($channels * size_of::<S>()),
                        bytes: $bytes(samples).into(),
                    }
                }
            )*
        }
    };
}

constructors! { Image, &'a [S], bytes,
    gray, GRAY_U8, 1, "Gray";
    gray_alpha, GRAYA_U8, 2, "Gray, alpha";
    rgb, RGB_U8, 3, "Red, green, blue";
    rgba, RGBA_U8, 4, "Red, green, blue, alpha";
}

constructors! { ImageMut, &'a mut [S], bytes_mut,
    gray, GRAY_U8, 1, "Gray";
    gray_alpha, GRAYA_U8, 2, "Gray, alpha";
    rgb, RGB_U8, 3, "Red, green, blue";
    rgba, RGBA_U8, 4, "Red, green, blue, alpha";
}

fn bytes<S: Sample>(samples: &[S]) -> &[u8] {
    // SAFETY: the same memory; `Sample` is sealed, and its types have no padding.
    unsafe { std::slice::from_raw_parts(samples.as_ptr().cast(), size_of_val(samples)) }
}

fn bytes_mut<S: Sample>(samples: &mut [S]) -> &mut [u8] {
    // SAFETY: as above; every pattern of bits is a value of each of the types.
    unsafe { std::slice::from_raw_parts_mut(samples.as_mut_ptr().cast(), size_of_val(samples)) }
}
