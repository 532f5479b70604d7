//! Images of any format, size and stride over small buffers.

use std::ffi::c_void;

use arbitrary::Arbitrary;
use kds::{KDS_ALPHA_PREMULTIPLIED, KDS_ALPHA_STRAIGHT, kds_image};

use super::arguments::{Record, Size, seldom};

/// An image to be made: a sound one, or one with a flaw.
#[derive(Debug, Arbitrary)]
pub struct Image {
    format: u8,
    width: u8,
    height: u8,
    padding: u8,
    premultiplied: bool,
    content: u8,
    #[arbitrary(with = seldom)]
    flaw: Option<Flaw>,
}

/// What is wrong with an image.
#[derive(Debug, Arbitrary)]
enum Flaw {
    Struct(Size),
    Format(i32),
    Width(u32),
    Height(u32),
    Stride(usize),
    NoData,
    Short(u16),
    Alpha(i32),
    Reserved(i32),
    Rows(i32),
    Light(i32),
    /// One of the planes is NULL.
    NoPlane(u8),
    /// Both planes and `data`.
    Both,
}

/// An image in memory: the struct, and a buffer that really is as long as the struct says; planes lie one behind the other.
pub struct Held {
    pub record: Record,
    pub buffer: Box<[u8]>,
    /// First samples of the planes, of an image in planes.
    planes: Option<Box<[*mut c_void; MOST_PLANES]>>,
    before: Box<[u8]>,
    image: kds_image,
    row: usize,
    /// Number of planes of the format; 1 without planes.
    written: usize,
}

/// Channels of the format that has most: a broken format may be that one.
const MOST_PLANES: usize = 4;
/// Buffers, or planes, are not longer than this, whatever size was asked for.
const LONGEST: usize = 1 << 18;

impl Image {
    /// Makes it: of the given size, or of its own.
    pub fn hold(&self, size: Option<(u32, u32)>) -> Held {
        // Of every sixteen formats twelve are those of the header.
        let formats = [1, 2, 3, 4, 17, 18, 19, 20, 33, 34, 35, 36];
        let format = formats.get(usize::from(self.format % 16)).copied().unwrap_or(2);
        let (width, height) = size.unwrap_or((u32::from(self.width % 12) + 1, u32::from(self.height % 12) + 1));
        let bytes = usize::from([1u8, 2, 4][(format >> 4) as usize]);
        let channels = [1, 3, 4, 2][(format & 15) as usize - 1];
        let planar = self.format >> 6 & 1 == 1;
        let row = (width as usize).saturating_mul(bytes * if planar { 1 } else { channels });
        let stride = row.saturating_add(usize::from(self.padding % 9));
        let needed = stride.saturating_mul(height as usize - 1).saturating_add(row);
        let mut image = kds_image {
            struct_size: size_of::<kds_image>() as u32,
            format,
            width,
            height,
            stride,
            data: std::ptr::null_mut(),
            len: needed.min(LONGEST),
            alpha: if self.premultiplied { KDS_ALPHA_PREMULTIPLIED } else { KDS_ALPHA_STRAIGHT },
            reserved: 0,
            planes: std::ptr::null(),
            rows: i32::from(self.format >> 4 & 1),
            light: i32::from(self.format >> 5 & 1),
        };
        let (mut damage, mut data, mut missing, mut both) = (None, true, None, false);
        match self.flaw {
            None => {}
            Some(Flaw::Struct(size)) => damage = Some(size),
            Some(Flaw::Format(format)) => image.format = format,
            Some(Flaw::Width(width)) => image.width = width,
            Some(Flaw::Height(height)) => image.height = height,
            Some(Flaw::Stride(stride)) => image.stride = stride,
            Some(Flaw::NoData) => data = false,
            Some(Flaw::Short(length)) => image.len = image.len.min(usize::from(length)),
            Some(Flaw::Alpha(alpha)) => image.alpha = alpha,
            Some(Flaw::Reserved(reserved)) => image.reserved = reserved,
            Some(Flaw::Rows(rows)) => image.rows = rows,
            Some(Flaw::Light(light)) => image.light = light,
            Some(Flaw::NoPlane(plane)) => missing = Some(usize::from(plane) % MOST_PLANES),
            Some(Flaw::Both) => both = true,
        }
        let buffers = if planar { MOST_PLANES } else { 1 };
        let mut buffer: Vec<u8> = Vec::with_capacity(image.len * buffers);
        for end in (1..=buffers).map(|count| count * image.len) {
            // Every row begins with a whole number, wherever it lies.
            while buffer.len() < end {
                let length = stride.min(end - buffer.len());
                buffer.extend(self.content(bytes, length, buffer.len() as u32));
            }
        }
        let mut buffer = buffer.into_boxed_slice();
        let first = buffer.as_mut_ptr();
        let planes = planar.then(|| {
            // The pointers of empty planes lead to the end of the buffer.
            let plane = |index| {
                if missing == Some(index) { std::ptr::null_mut() } else { first.wrapping_add(index * image.len) }
            };
            Box::new(std::array::from_fn(|index| plane(index).cast()))
        });
        match &planes {
            Some(planes) if data => image.planes = planes.as_ptr(),
            _ => {}
        }
        if data && (!planar || both) {
            image.data = first.cast();
        }
        // SAFETY: the fields of the struct leave no gap.
        let record = unsafe { Record::of(&image, damage) };
        let written = if planar { channels } else { 1 };
        Held { record, before: buffer.clone(), buffer, planes, image, row, written }
    }

    /// Pixels: any bytes where numbers are whole; where they are floats, any bits, or within 0..1 with a few that are not,
    /// or all within.
    fn content(&self, bytes: usize, length: usize, start: u32) -> Vec<u8> {
        let mut state = u32::from(self.content).wrapping_add(start.wrapping_mul(0x9e37_79b9));
        state = state.wrapping_mul(747_796_405).wrapping_add(1);
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state
        };
        if bytes < 4 {
            return std::iter::repeat_with(|| (next() >> 24) as u8).take(length).collect();
        }
        let float = || {
            let bits = next();
            match (self.content % 4, bits >> 28) {
                (0, _) => f32::from_bits(bits),
                (1, 0) => [f32::NAN, f32::INFINITY, -1.0, 2.0][(bits >> 26 & 3) as usize],
                _ => (bits >> 8) as f32 / 16_777_216.0,
            }
        };
        std::iter::repeat_with(float).flat_map(f32::to_ne_bytes).take(length).collect()
    }
}

impl Held {
    /// The size that the struct says.
    pub fn size(&self) -> (u32, u32) {
        (self.image.width, self.image.height)
    }

    /// Puts this image where another one lies; false where it does not fit there.
    pub fn lay_over(&mut self, other: &Held) -> bool {
        if self.planes.is_some() != other.planes.is_some() || other.image.len < self.image.len {
            return false;
        }
        if other.image.data.is_null() && other.image.planes.is_null() {
            return false;
        }
        (self.image.data, self.image.planes) = (other.image.data, other.image.planes);
        // SAFETY: as in `hold`.
        self.record = unsafe { Record::of(&self.image, None) };
        true
    }

    /// Asserts that the library wrote nothing into the buffer.
    pub fn assert_untouched(&self) {
        assert!(self.buffer == self.before, "pixels were written by a call that failed");
        self.record.assert_untouched();
    }

    /// Asserts that the library wrote pixels only, and numbers within 0..1.
    pub fn assert_written(&self) {
        self.record.assert_untouched();
        let (stride, length) = (self.image.stride, self.image.len);
        let pixels = self.written * length;
        assert_eq!(self.buffer[pixels..], self.before[pixels..], "a plane that the format has not was written");
        let buffers = self.buffer[..pixels].chunks(length).zip(self.before[..pixels].chunks(length));
        for (now, before) in buffers.flat_map(|(now, before)| now.chunks(stride).zip(before.chunks(stride))) {
            let row = self.row.min(now.len());
            assert_eq!(now[row..], before[row..], "the gap between two rows was written");
            if self.image.format >> 4 == 2 {
                let values = now[..row].as_chunks().0.iter().map(|bytes| f32::from_ne_bytes(*bytes));
                values.for_each(|value| assert!((0.0..=1.0).contains(&value), "{value} in the result"));
            }
        }
    }
}
