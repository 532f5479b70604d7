//! The caller's pixels.

use std::ffi::c_void;

use half::f16;
use kds_engine::alpha::Enlarged;
use kds_engine::memory;
use kds_engine::picture::Picture;

use crate::error::{Failure, KDS_INVALID_IMAGE};
use crate::structs::{self, Sized32};

/// `format`: one channel, 8 bits.
pub const KDS_GRAY_U8: i32 = 1;
/// `format`: red, green, blue, 8 bits each.
pub const KDS_RGB_U8: i32 = 2;
/// `format`: red, green, blue, alpha, 8 bits each.
pub const KDS_RGBA_U8: i32 = 3;
/// `format`: gray, alpha, 8 bits each.
pub const KDS_GRAYA_U8: i32 = 4;
/// `format`: as `KDS_GRAY_U8`, 16 bits in the machine's byte order.
pub const KDS_GRAY_U16: i32 = 17;
/// `format`: as `KDS_RGB_U8`, 16 bits in the machine's byte order.
pub const KDS_RGB_U16: i32 = 18;
/// `format`: as `KDS_RGBA_U8`, 16 bits in the machine's byte order.
pub const KDS_RGBA_U16: i32 = 19;
/// `format`: as `KDS_GRAYA_U8`, 16 bits in the machine's byte order.
pub const KDS_GRAYA_U16: i32 = 20;
/// `format`: as `KDS_GRAY_U8`, 32-bit floats, 0 black and 1 white.
pub const KDS_GRAY_F32: i32 = 33;
/// `format`: as `KDS_RGB_U8`, 32-bit floats, 0 black and 1 white.
pub const KDS_RGB_F32: i32 = 34;
/// `format`: as `KDS_RGBA_U8`, 32-bit floats, 0 black and 1 white.
pub const KDS_RGBA_F32: i32 = 35;
/// `format`: as `KDS_GRAYA_U8`, 32-bit floats, 0 black and 1 white.
pub const KDS_GRAYA_F32: i32 = 36;
/// `format`: as `KDS_GRAY_U8`, 16-bit floats (IEEE binary16), 0 black and 1 white.
pub const KDS_GRAY_F16: i32 = 49;
/// `format`: as `KDS_RGB_U8`, 16-bit floats (IEEE binary16), 0 black and 1 white.
pub const KDS_RGB_F16: i32 = 50;
/// `format`: as `KDS_RGBA_U8`, 16-bit floats (IEEE binary16), 0 black and 1 white.
pub const KDS_RGBA_F16: i32 = 51;
/// `format`: as `KDS_GRAYA_U8`, 16-bit floats (IEEE binary16), 0 black and 1 white.
pub const KDS_GRAYA_F16: i32 = 52;

/// `alpha`: colours are as they are, whatever alpha is.
pub const KDS_ALPHA_STRAIGHT: i32 = 0;
/// `alpha`: colours have been multiplied by alpha.
pub const KDS_ALPHA_PREMULTIPLIED: i32 = 1;

/// `rows`: the first row in memory is the highest of the picture.
pub const KDS_ROWS_DOWN: i32 = 0;
/// `rows`: the first row in memory is the lowest of the picture, as OpenGL and bitmaps have it. Since 1.1.
pub const KDS_ROWS_UP: i32 = 1;

/// `light`: values as sRGB encodes them, which is what nearly all files hold.
pub const KDS_LIGHT_ENCODED: i32 = 0;
/// `light`: values that grow as the light does, with the primaries of sRGB, as compositing programs compute. Since 1.1.
pub const KDS_LIGHT_LINEAR: i32 = 1;

/// The largest product of width and height.
const MOST_PIXELS: u64 = 1 << 34;

/// An image in the caller's memory. With the fields after `reserved` 0: rows from top to bottom, the samples of a pixel side by side,
/// sRGB-encoded.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct kds_image {
    /// Set by the caller to `sizeof(kds_image)`.
    pub struct_size: u32,
    /// One of `KDS_GRAY_U8` ...
    pub format: i32,
    /// Pixels along a row.
    pub width: u32,
    /// Number of rows.
    pub height: u32,
    /// Bytes from one row to the next in memory, at least those of a row.
    pub stride: usize,
    /// The first pixel in memory. No alignment is needed.
    pub data: *mut c_void,
    /// Bytes from `data` to the end of the buffer, to check the other fields against.
    pub len: usize,
    /// One of `KDS_ALPHA_*`; matters for formats with alpha only.
    pub alpha: i32,
    /// 0.
    pub reserved: i32,
    /// NULL, or the first samples in memory of separate planes, one for each channel of `format`, in its order; `stride` and `len` are
    /// then those of each plane, and `data` is NULL. Since 1.1.
    pub planes: *const *mut c_void,
    /// One of `KDS_ROWS_*`. Since 1.1.
    pub rows: i32,
    /// One of `KDS_LIGHT_*`; of the colours, so it means nothing for masks and confidence maps. Since 1.1.
    pub light: i32,
}

// SAFETY: plain data behind a u32.
unsafe impl Sized32 for kds_image {
    const NAME: &'static str = "kds_image";
    const FIRST_SIZE: usize = 48;
}

const NO_IMAGE: kds_image = kds_image {
    struct_size: 0,
    format: 0,
    width: 0,
    height: 0,
    stride: 0,
    data: std::ptr::null_mut(),
    len: 0,
    alpha: 0,
    reserved: 0,
    planes: std::ptr::null(),
    rows: 0,
    light: 0,
};

#[derive(Clone, Copy)]
enum Depth {
    U8,
    U16,
    F32,
    F16,
}

impl Depth {
    fn bytes(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::U16 | Self::F16 => 2,
            Self::F32 => 4,
        }
    }
}

/// Channels of the format that has most.
const MOST_CHANNELS: usize = 4;

/// A checked image.
struct Layout {
    image: kds_image,
    channels: usize,
    depth: Depth,
    /// For each channel, its first sample in memory.
    first: [*mut u8; MOST_CHANNELS],
    /// Bytes from one sample of a channel to the next.
    step: usize,
}

/// The first samples of a row, for each channel.
type Row = [*mut u8; MOST_CHANNELS];

impl Layout {
    /// # Safety
    /// `image` is NULL or points to `struct_size` readable bytes.
    unsafe fn new(image: *const kds_image, name: &str) -> Result<Self, Failure> {
        if image.is_null() {
            return Err(Failure::argument(format!("{name} is NULL")));
        }
        // SAFETY: the caller's promise.
        let image = unsafe { structs::read(image, NO_IMAGE)? };
        let wrong = |reason: String| Failure::new(KDS_INVALID_IMAGE, format!("{name}: {reason}"));
        let depth = match image.format >> 4 {
            0 => Depth::U8,
            1 => Depth::U16,
            2 => Depth::F32,
            3 => Depth::F16,
            _ => return Err(wrong(format!("format {} is not one of KDS_GRAY_U8 ...", image.format))),
        };
        let channels = match image.format & 15 {
            1 => 1,
            2 => 3,
            3 => 4,
            4 => 2,
            _ => return Err(wrong(format!("format {} is not one of KDS_GRAY_U8 ...", image.format))),
        };
        let kds_image { width, height, stride, len, .. } = image;
        if width == 0 || height == 0 || u64::from(width) * u64::from(height) > MOST_PIXELS {
            return Err(wrong(format!("{width} x {height} pixels cannot be used")));
        }
        if !matches!(image.alpha, KDS_ALPHA_STRAIGHT | KDS_ALPHA_PREMULTIPLIED) || image.reserved != 0 {
            return Err(wrong(
                "alpha must be KDS_ALPHA_STRAIGHT or KDS_ALPHA_PREMULTIPLIED, reserved must be 0".to_owned(),
            ));
        }
        let known = [(image.rows, KDS_ROWS_UP, "rows"), (image.light, KDS_LIGHT_LINEAR, "light")];
        if let Some((found, _, name)) = known.into_iter().find(|(found, last, _)| !(0..=*last).contains(found)) {
            return Err(wrong(format!("{name} is {found}, which is none of KDS_{}_...", name.to_uppercase())));
        }
        let in_planes = !image.planes.is_null();
        if in_planes && !image.data.is_null() {
            return Err(wrong("data must be NULL where planes are given".to_owned()));
        }
        let step = depth.bytes() * if in_planes { 1 } else { channels };
        let row = width as usize * step;
        if stride < row {
            return Err(wrong(format!("stride is {stride} bytes, a row has {row}")));
        }
        let needed = stride.checked_mul(height as usize - 1).and_then(|bytes| bytes.checked_add(row));
        let mut first = [image.data.cast::<u8>(); MOST_CHANNELS];
        for (channel, first) in first.iter_mut().enumerate().take(channels) {
            *first = if in_planes {
                // SAFETY: the caller's promise: a pointer for each channel.
                unsafe { image.planes.add(channel).read_unaligned() }.cast()
            } else if first.is_null() {
                *first
            } else {
                first.wrapping_add(channel * depth.bytes())
            };
        }
        let (buffer, owner) = if in_planes { ("one of planes", "a plane") } else { ("data", "the image") };
        if first[..channels].iter().any(|first| first.is_null()) || needed.is_none_or(|needed| needed > len) {
            let needed = needed.map_or("more than there are".to_owned(), |needed| needed.to_string());
            return Err(wrong(format!("{buffer} is NULL or len is {len} bytes, {owner} has {needed}")));
        }
        Ok(Self { image, channels, depth, first, step })
    }

    fn size(&self) -> (usize, usize) {
        (self.image.width as usize, self.image.height as usize)
    }

    fn has_alpha(&self) -> bool {
        matches!(self.channels, 2 | 4)
    }

    fn is_linear(&self) -> bool {
        self.image.light == KDS_LIGHT_LINEAR
    }

    /// A row, counted from the top of the picture.
    fn row(&self, y: usize) -> Row {
        let y = if self.image.rows == KDS_ROWS_UP { self.image.height as usize - 1 - y } else { y };
        // `new` has checked that all rows of the channels that there are lie within `len` bytes.
        self.first.map(|first| first.wrapping_add(y * self.image.stride))
    }

    fn get(&self, row: &Row, x: usize, channel: usize) -> f32 {
        // SAFETY: x is within a row of the image, and the image has the channel.
        unsafe {
            let sample = row[channel].add(x * self.step).cast_const();
            match self.depth {
                Depth::U8 => f32::from(sample.read()) / 255.0,
                Depth::U16 => f32::from(sample.cast::<u16>().read_unaligned()) / 65535.0,
                Depth::F32 => sample.cast::<f32>().read_unaligned(),
                Depth::F16 => sample.cast::<f16>().read_unaligned().to_f32(),
            }
        }
    }

    /// A value in 0..1.
    fn put(&self, row: &Row, x: usize, channel: usize, value: f32) {
        // SAFETY: x is within a row of the image, and the image has the channel.
        unsafe {
            let sample = row[channel].add(x * self.step);
            match self.depth {
                Depth::U8 => sample.write((value * 255.0).round() as u8),
                Depth::U16 => sample.cast::<u16>().write_unaligned((value * 65535.0).round() as u16),
                Depth::F32 => sample.cast::<f32>().write_unaligned(value),
                Depth::F16 => sample.cast::<f16>().write_unaligned(f16::from_f32(value)),
            }
        }
    }
}

/// Linear light as sRGB encodes it (IEC 61966-2-1); values below 0 mirror those above.
fn encoded(light: f32) -> f32 {
    let of = light.abs();
    (if of <= 0.003_130_8 { 12.92 * of } else { 1.055 * of.powf(1.0 / 2.4) - 0.055 }).copysign(light)
}

/// The inverse.
fn linear(value: f32) -> f32 {
    let of = value.abs();
    (if of <= 0.040_45 { of / 12.92 } else { ((of + 0.055) / 1.055).powf(2.4) }).copysign(value)
}

/// An input image: the caller's memory, checked.
pub(crate) struct Input(Layout);

/// An input image, copied out of the caller's memory.
pub(crate) struct Pixels {
    /// The colours, straight.
    pub picture: Picture,
    /// Alpha, one value per pixel, where the format has it.
    pub alpha: Option<Vec<f32>>,
}

impl Input {
    /// # Safety
    /// `image` is NULL or valid, its buffer `len` bytes long.
    pub unsafe fn new(image: *const kds_image) -> Result<Self, Failure> {
        // SAFETY: the caller's promise.
        Ok(Self(unsafe { Layout::new(image, "input")? }))
    }

    pub fn size(&self) -> (usize, usize) {
        self.0.size()
    }

    pub fn has_alpha(&self) -> bool {
        self.0.has_alpha()
    }

    pub fn read(&self) -> Result<Pixels, Failure> {
        let layout = &self.0;
        let (width, height) = layout.size();
        let pixels = width * height;
        let mut values = memory::zeros(3 * pixels)?;
        let mut alpha = layout.has_alpha().then(|| memory::zeros(pixels)).transpose()?;
        let premultiplied = layout.image.alpha == KDS_ALPHA_PREMULTIPLIED;
        for y in 0..height {
            let row = &layout.row(y);
            for x in 0..width {
                let pixel = y * width + x;
                let opacity = if layout.has_alpha() { layout.get(row, x, layout.channels - 1) } else { 1.0 };
                let divisor = if premultiplied && opacity > 0.0 { opacity } else { 1.0 };
                for channel in 0..3 {
                    let stored = layout.get(row, x, if layout.channels < 3 { 0 } else { channel }) / divisor;
                    values[channel * pixels + pixel] = if layout.is_linear() { encoded(stored) } else { stored };
                }
                if let Some(alpha) = &mut alpha {
                    alpha[pixel] = opacity.clamp(0.0, 1.0);
                }
            }
        }
        if alpha.iter().flatten().any(|alpha| alpha.is_nan()) {
            return Err(Failure::new(KDS_INVALID_IMAGE, "input: alpha has values that are no numbers"));
        }
        Ok(Pixels { picture: Picture { width, height, values }, alpha })
    }
}

/// A mask: the caller's memory, checked.
pub(crate) struct Mask(Layout);

impl Mask {
    /// The mask of this input.
    ///
    /// # Safety
    /// `mask` is NULL or valid, its buffer `len` bytes long.
    pub unsafe fn new(mask: *const kds_image, input: &Input) -> Result<Self, Failure> {
        // SAFETY: the caller's promise.
        let layout = unsafe { Layout::new(mask, "mask")? };
        let wrong = |reason: String| Failure::new(KDS_INVALID_IMAGE, format!("mask: {reason}"));
        if layout.channels != 1 {
            return Err(wrong(format!("format {} is not gray", layout.image.format)));
        }
        let ((width, height), (found_width, found_height)) = (input.size(), layout.size());
        if (found_width, found_height) != (width, height) {
            return Err(wrong(format!("{found_width} x {found_height} pixels, the input has {width} x {height}")));
        }
        Ok(Self(layout))
    }

    /// One value in 0..1 per pixel.
    pub fn read(&self) -> Result<Vec<f32>, Failure> {
        let layout = &self.0;
        let (width, height) = layout.size();
        let mut values = memory::reserved(width * height)?;
        for y in 0..height {
            let row = &layout.row(y);
            values.extend((0..width).map(|x| layout.get(row, x, 0).clamp(0.0, 1.0)));
        }
        // Clamping leaves what is no number as it is.
        if values.iter().any(|value| value.is_nan()) {
            return Err(Failure::new(KDS_INVALID_IMAGE, "mask: has values that are no numbers"));
        }
        Ok(values)
    }
}

/// An output image: the caller's memory, checked.
pub(crate) struct Target(Layout);

impl Target {
    /// # Safety
    /// `image` is NULL or valid, its buffer `len` bytes long and writable.
    pub unsafe fn new(image: *const kds_image, name: &str, width: usize, height: usize) -> Result<Self, Failure> {
        // SAFETY: the caller's promise.
        let layout = unsafe { Layout::new(image, name)? };
        let found = (layout.image.width as usize, layout.image.height as usize);
        if found != (width, height) {
            let (found_width, found_height) = found;
            let message = format!("{name} is {found_width} x {found_height} pixels, the result is {width} x {height}");
            return Err(Failure::new(KDS_INVALID_IMAGE, message));
        }
        Ok(Self(layout))
    }

    pub fn has_alpha(&self) -> bool {
        self.0.has_alpha()
    }

    /// Bytes that a pixel takes.
    pub fn pixel_bytes(&self) -> usize {
        self.0.channels * self.0.depth.bytes()
    }

    /// Writes a picture of the target's size; `alpha` is 1 where there is none.
    pub fn write(&self, picture: &Picture, mut alpha: Option<Enlarged>) {
        let layout = &self.0;
        let pixels = picture.width * picture.height;
        let premultiplied = layout.image.alpha == KDS_ALPHA_PREMULTIPLIED && layout.has_alpha();
        for y in 0..picture.height {
            let row = &layout.row(y);
            let alpha = alpha.as_mut().map(|alpha| alpha.row(y));
            for x in 0..picture.width {
                let pixel = y * picture.width + x;
                let opacity = alpha.map_or(1.0, |alpha| alpha[x]);
                let factor = if premultiplied { opacity } else { 1.0 };
                let colours = [0, 1, 2].map(|channel: usize| picture.values[channel * pixels + pixel]);
                let stored = |value: f32| (if layout.is_linear() { linear(value) } else { value }) * factor;
                if layout.channels < 3 {
                    let [red, green, blue] = colours;
                    // Luma of ITU-R BT.601, as in JPEG. What is gray already stays as it is, to the last bit.
                    let luma = 0.299 * red + 0.587 * green + 0.114 * blue;
                    layout.put(row, x, 0, stored(if red == green && green == blue { red } else { luma }));
                } else {
                    (0..3).for_each(|channel| layout.put(row, x, channel, stored(colours[channel])));
                }
                if layout.has_alpha() {
                    layout.put(row, x, layout.channels - 1, opacity);
                }
            }
        }
    }

    /// Writes one value per pixel.
    pub fn write_gray(&self, values: &[f32]) {
        let layout = &self.0;
        let width = layout.image.width as usize;
        for (y, source) in values.chunks_exact(width).enumerate() {
            let row = &layout.row(y);
            for (x, value) in source.iter().enumerate() {
                (0..layout.channels).for_each(|channel| layout.put(row, x, channel, *value));
                if layout.has_alpha() {
                    layout.put(row, x, layout.channels - 1, 1.0);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
