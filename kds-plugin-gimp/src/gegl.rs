//! Pixels of GIMP: GEGL's buffers, and babl, which converts between their formats.

use std::ffi::{CStr, c_char, c_double, c_int, c_long, c_void};
use std::ptr::{NonNull, null_mut};

use crate::failure::Failure;
use crate::functions;
use crate::symbols::Library;

type Pointer = *mut c_void;

functions! {
    /// Functions of GEGL, babl and GObject, the same for GIMP 2.10 and GIMP 3.
    Functions {
        gegl_init(Pointer, Pointer);
        gegl_buffer_get(Pointer, *const Rectangle, c_double, Pointer, Pointer, c_int, c_int);
        gegl_buffer_set(Pointer, *const Rectangle, c_int, Pointer, *const c_void, c_int);
        gegl_buffer_get_format(Pointer) -> Pointer;
        babl_format_with_space(*const c_char, Pointer) -> Pointer;
        babl_format(*const c_char) -> Pointer;
        babl_fish(Pointer, Pointer) -> Pointer;
        babl_process(Pointer, *const c_void, *mut c_void, c_long) -> c_long;
        g_object_unref(Pointer);
    }
}

/// A part of a layer or an image; `GeglRectangle`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rectangle {
    /// Left edge.
    pub x: c_int,
    /// Upper edge.
    pub y: c_int,
    /// Pixels of a row.
    pub width: c_int,
    /// Number of rows.
    pub height: c_int,
}

impl Rectangle {
    /// Moved by this much.
    pub fn moved(self, x: i32, y: i32) -> Self {
        Self { x: self.x.saturating_add(x), y: self.y.saturating_add(y), ..self }
    }

    /// Larger by a margin on all sides, but not beyond `limits`.
    pub fn grown(self, margin: i32, limits: Self) -> Self {
        let (left, top) = ((self.x - margin).max(limits.x), (self.y - margin).max(limits.y));
        let right = (self.x + self.width + margin).min(limits.x + limits.width);
        let bottom = (self.y + self.height + margin).min(limits.y + limits.height);
        Self { x: left, y: top, width: right - left, height: bottom - top }
    }

    /// In an enlarged picture; nothing where that is too large for GIMP.
    pub fn scaled(self, scale: i32) -> Option<Self> {
        Some(Self {
            x: self.x.checked_mul(scale)?,
            y: self.y.checked_mul(scale)?,
            width: self.width.checked_mul(scale)?,
            height: self.height.checked_mul(scale)?,
        })
    }
}

/// GEGL, started.
pub struct Gegl {
    functions: Functions,
}

impl Gegl {
    /// Starts GEGL.
    ///
    /// # Errors
    /// When a function is missing.
    pub fn start(library: &Library) -> Result<Self, Failure> {
        let functions = Functions::load(library)?;
        // SAFETY: both arguments may be null, and it may be called again.
        unsafe { (functions.gegl_init)(null_mut(), null_mut()) };
        Ok(Self { functions })
    }

    /// Takes over a reference to a buffer of libgimp.
    ///
    /// # Safety
    /// `buffer` is null or a `GeglBuffer` of which this reference is the caller's to give.
    ///
    /// # Errors
    /// For null, which is what libgimp returns for a layer that is gone.
    pub unsafe fn adopt(&self, buffer: *mut c_void) -> Result<Buffer<'_>, Failure> {
        let pointer = NonNull::new(buffer)
            .ok_or_else(|| Failure::new("GIMP gives no access to the layer's pixels; was the image closed?"))?;
        Ok(Buffer { gegl: self, pointer })
    }
}

/// The pixels of a layer, of a selection, or those that a layer is to get.
pub struct Buffer<'a> {
    gegl: &'a Gegl,
    pointer: NonNull<c_void>,
}

/// Order and encoding of a pixel's samples: a babl format without colour space, such as `R'G'B' u8`.
pub type Encoding = CStr;

impl Buffer<'_> {
    /// Reads a part. What lies outside of the buffer is 0.
    ///
    /// # Errors
    /// When the rows have no room for it.
    pub fn read(&self, part: Rectangle, encoding: &Encoding, rows: &mut Rows<'_>) -> Result<(), Failure> {
        let functions = &self.gegl.functions;
        rows.check(part)?;
        // SAFETY: the buffer is alive, and `rows` has room for the part, as was just checked.
        unsafe {
            let format = self.format(encoding);
            let (data, stride) = (rows.bytes.as_mut_ptr().cast(), rows.stride as c_int);
            (functions.gegl_buffer_get)(self.pointer.as_ptr(), &part, 1.0, format, data, stride, 0);
        }
        Ok(())
    }

    /// Writes a part.
    ///
    /// # Errors
    /// When the rows do not hold it.
    pub fn write(&self, part: Rectangle, encoding: &Encoding, rows: &Rows<'_>) -> Result<(), Failure> {
        let functions = &self.gegl.functions;
        rows.check(part)?;
        // SAFETY: the buffer is alive, and `rows` holds the part, as was just checked.
        unsafe {
            let format = self.format(encoding);
            let (data, stride) = (rows.bytes.as_ptr().cast(), rows.stride as c_int);
            (functions.gegl_buffer_set)(self.pointer.as_ptr(), &part, 0, format, data, stride);
        }
        Ok(())
    }

    /// Pixels of the buffer's colour space, of so many bytes each and without gaps, as a screen shows them: red, green, blue and
    /// alpha of 8 bits, of sRGB.
    ///
    /// # Errors
    /// When they are more than GEGL can count.
    pub fn on_screen(&self, encoding: &Encoding, pixels: &[u8], pixel: usize) -> Result<Vec<u8>, Failure> {
        let functions = &self.gegl.functions;
        let count = pixels.len() / pixel.max(1);
        let counted = c_long::try_from(count).map_err(|_| Failure::new("the part is too large for a preview"))?;
        let mut converted = vec![0u8; 4 * count];
        // SAFETY: the encoding is that of the pixels, of which there are as many as counted; the result has room for them.
        unsafe {
            let fish = (functions.babl_fish)(self.format(encoding), (functions.babl_format)(c"R'G'B'A u8".as_ptr()));
            (functions.babl_process)(fish, pixels.as_ptr().cast(), converted.as_mut_ptr().cast(), counted);
        }
        Ok(converted)
    }

    /// The encoding in the buffer's own colour space: so no pixel is converted to sRGB, nor clipped to its colours.
    fn format(&self, encoding: &Encoding) -> *mut c_void {
        let functions = &self.gegl.functions;
        // SAFETY: the buffer is alive; a format stands for its own space.
        unsafe {
            let space = (functions.gegl_buffer_get_format)(self.pointer.as_ptr());
            (functions.babl_format_with_space)(encoding.as_ptr(), space)
        }
    }
}

impl Drop for Buffer<'_> {
    fn drop(&mut self) {
        // SAFETY: the reference is ours, and given back once.
        unsafe { (self.gegl.functions.g_object_unref)(self.pointer.as_ptr()) }
    }
}

/// Rows of pixels in our memory.
pub struct Rows<'a> {
    /// From the first pixel to the end of the last.
    pub bytes: &'a mut [u8],
    /// Bytes from a row to the next.
    pub stride: usize,
    /// Bytes of a pixel.
    pub pixel: usize,
}

impl Rows<'_> {
    fn check(&self, part: Rectangle) -> Result<(), Failure> {
        let message = || {
            let Rectangle { width, height, .. } = part;
            Failure::new(format!(
                "a part of {width}x{height} pixels does not fit its buffer: please report this defect"
            ))
        };
        self.hold(part).then_some(()).ok_or_else(message)
    }

    fn hold(&self, part: Rectangle) -> bool {
        let (Ok(width), Ok(height)) = (usize::try_from(part.width), usize::try_from(part.height)) else { return false };
        let row = width.saturating_mul(self.pixel);
        let rows_before_the_last = height.saturating_sub(1).saturating_mul(self.stride);
        // GEGL counts the bytes of a row in an int.
        let row_fits = row <= self.stride && self.stride <= c_int::MAX as usize;
        width > 0 && height > 0 && row_fits && rows_before_the_last.saturating_add(row) <= self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rectangle(x: i32, y: i32, width: i32, height: i32) -> Rectangle {
        Rectangle { x, y, width, height }
    }

    #[test]
    fn a_margin_ends_at_the_limits() {
        let limits = rectangle(0, 0, 100, 50);
        assert_eq!(rectangle(10, 20, 5, 5).grown(8, limits), rectangle(2, 12, 21, 21));
        assert_eq!(rectangle(10, 20, 5, 5).grown(64, limits), rectangle(0, 0, 79, 50));
    }

    #[test]
    fn no_memory_beyond_the_rows_is_touched() {
        let mut bytes = vec![0; 4 * 12 + 9];
        let rows = Rows { bytes: &mut bytes, stride: 12, pixel: 3 };
        assert!(rows.hold(rectangle(0, 0, 3, 5)));
        assert!(!rows.hold(rectangle(0, 0, 4, 5)));
        assert!(!rows.hold(rectangle(0, 0, 3, 6)));
        assert!(
            !rows.hold(rectangle(0, 0, 5, 1))
                && !rows.hold(rectangle(0, 0, 0, 1))
                && !rows.hold(rectangle(0, 0, -1, 1))
        );
    }
}
