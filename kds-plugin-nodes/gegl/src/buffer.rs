//! Buffers of GEGL as the engine takes pictures: 32-bit floats with the values of the screen, alpha apart from colour, in the
//! colour space of the picture itself.

use std::ffi::{CStr, c_int};

use kds_plugin_nodes::{Channels, Depth, Format, Packed};

use crate::raw::{Functions, Pointer, Rectangle};

/// The format of pixels that have these channels, in babl's words.
pub fn encoding(channels: Channels) -> &'static CStr {
    match channels {
        Channels::Gray => c"Y' float",
        Channels::GrayAlpha => c"Y'A float",
        Channels::Rgb => c"R'G'B' float",
        Channels::RgbAlpha => c"R'G'B'A float",
    }
}

/// The channels that pixels of this babl format are computed with: grey stays grey, and what has no alpha gets none.
///
/// # Safety
/// A live format, or null.
pub unsafe fn channels(format: Pointer, functions: &Functions) -> Channels {
    if format.is_null() {
        return Channels::RgbAlpha;
    }
    // SAFETY: by the contract of this function.
    let (components, is_palette) =
        unsafe { ((functions.babl_format_get_n_components)(format), (functions.babl_format_is_palette)(format) != 0) };
    match components {
        1 if !is_palette => Channels::Gray,
        2 if !is_palette => Channels::GrayAlpha,
        3 => Channels::Rgb,
        _ => Channels::RgbAlpha,
    }
}

/// Pixels of a part of a buffer; outside of the buffer they are 0.
///
/// # Safety
/// A live buffer and a live format, or null, whose colour space is meant.
pub unsafe fn read(
    buffer: Pointer,
    part: Rectangle,
    channels: Channels,
    space: Pointer,
    functions: &Functions,
) -> Result<Packed, String> {
    let (width, height) = (u32::try_from(part.width).unwrap_or(0), u32::try_from(part.height).unwrap_or(0));
    let format = Format { channels, depth: Depth::F32 };
    let mut picture = Packed::new(format, width, height).map_err(|error| error.message)?;
    let stride = stride(&picture)?;
    // SAFETY: by the contract of this function; the picture has room for the part.
    unsafe {
        let format = (functions.babl_format_with_space)(encoding(channels).as_ptr(), space);
        let pixels = picture.bytes_mut().as_mut_ptr().cast();
        (functions.gegl_buffer_get)(buffer, &raw const part, 1.0, format, pixels, stride, 0);
    }
    Ok(picture)
}

/// Writes what `part` has of a picture that lies at `place`.
///
/// # Safety
/// A live buffer and a live format, or null, whose colour space is meant.
pub unsafe fn write(
    buffer: Pointer,
    part: Rectangle,
    picture: &Packed,
    place: Rectangle,
    space: Pointer,
    functions: &Functions,
) -> Result<(), String> {
    let Some(part) = intersection(part, place) else { return Ok(()) };
    let stride = stride(picture)?;
    let (across, down) = (part.x - place.x, part.y - place.y);
    let offset = down as usize * stride as usize + across as usize * picture.format.bytes();
    let pixels = picture.bytes().get(offset..).ok_or("the result is smaller than was announced; please report it")?;
    // SAFETY: by the contract of this function; the part lies within the picture.
    unsafe {
        let format = (functions.babl_format_with_space)(encoding(picture.format.channels).as_ptr(), space);
        (functions.gegl_buffer_set)(buffer, &raw const part, 0, format, pixels.as_ptr().cast(), stride);
    }
    Ok(())
}

/// Bytes of a row, which GEGL counts in an int.
fn stride(picture: &Packed) -> Result<c_int, String> {
    c_int::try_from(picture.width as usize * picture.format.bytes())
        .map_err(|_| format!("a row of {} pixels is longer than GEGL can count", picture.width))
}

/// Intersection of two rectangles.
fn intersection(one: Rectangle, other: Rectangle) -> Option<Rectangle> {
    let (x, y) = (one.x.max(other.x), one.y.max(other.y));
    let end = |start: c_int, length: c_int| start.saturating_add(length);
    let right = end(one.x, one.width).min(end(other.x, other.width));
    let bottom = end(one.y, one.height).min(end(other.y, other.height));
    (x < right && y < bottom).then(|| Rectangle { x, y, width: right - x, height: bottom - y })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_beyond_the_picture_are_left_out() {
        let at = |x, y, width, height| Rectangle { x, y, width, height };
        assert_eq!(intersection(at(-5, 2, 10, 10), at(0, 0, 8, 6)), Some(at(0, 2, 5, 4)));
        assert_eq!(intersection(at(8, 0, 5, 5), at(0, 0, 8, 6)), None);
        assert_eq!(intersection(at(0, 0, c_int::MAX, 3), at(4, 1, 8, 6)), Some(at(4, 1, 8, 2)));
    }
}
