//! Images of the host. Their rows go upwards: the first is the lowest, and the next may lie before it in memory.

use std::ffi::CStr;
use std::ptr::null_mut;

use kds_plugin_nodes::mask::{load, store, white};
use kds_plugin_nodes::{Alpha, Channels, Depth, Error, Format, ImageRef, Packed, Rows};

use crate::host::Suites;
use crate::raw::{self, Handle, RectI, Status};

/// An image that the host lends until it is dropped.
pub struct Image<'a> {
    set: Handle,
    suites: &'a Suites,
    data: *mut u8,
    row_bytes: isize,
    /// Where it lies.
    pub bounds: RectI,
    /// Layout of its pixels; alpha alone counts as grey.
    pub format: Format,
    /// Meaning of its alpha.
    pub alpha: Coverage,
}

/// Meaning of an alpha channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coverage {
    /// None: the picture is opaque, whatever the channel holds.
    Opaque,
    /// That of the engine.
    Alpha(Alpha),
}

impl Drop for Image<'_> {
    fn drop(&mut self) {
        // SAFETY: the image was lent to this one, and is given back once.
        unsafe { (self.suites.effect.clip_release_image)(self.set) };
    }
}

impl<'a> Image<'a> {
    /// The image of a clip at a time; none where the clip has none then, which means black and transparent.
    ///
    /// # Safety
    /// A live effect that is being rendered.
    pub unsafe fn of_clip(
        effect: Handle,
        name: &CStr,
        time: f64,
        suites: &'a Suites,
    ) -> Result<Option<Self>, (Status, String)> {
        let (mut clip, mut properties, mut set) = (null_mut(), null_mut(), null_mut());
        // SAFETY: by the contract of this function.
        let image = unsafe {
            let status = (suites.effect.clip_get_handle)(effect, name.as_ptr(), &raw mut clip, &raw mut properties);
            if status != raw::OK || clip.is_null() {
                return Ok(None);
            }
            // Hosts lend an image of nothing for what is not connected.
            if suites.properties(properties).int(raw::CONNECTED, 0) == Some(0) {
                return Ok(None);
            }
            let status = (suites.effect.clip_get_image)(clip, time, std::ptr::null(), &raw mut set);
            if status != raw::OK || set.is_null() {
                return Ok(None);
            }
            suites.properties(set)
        };
        let format = Format { channels: Channels::Gray, depth: Depth::U8 };
        let (data, bounds, alpha) = (null_mut(), RectI::default(), Coverage::Opaque);
        // Given back from here on, whatever it turns out to be.
        let mut found = Self { set, suites, data, row_bytes: 0, bounds, format, alpha };
        let (Some(data), Some(bounds)) = (image.pointer(raw::DATA), image.rectangle(raw::BOUNDS)) else {
            return Ok(None);
        };
        let (width, height) = size(bounds);
        if width == 0 || height == 0 {
            return Ok(None);
        }
        let depth = image.string(raw::DEPTH).unwrap_or_default();
        let components = image.string(raw::COMPONENTS).unwrap_or_default();
        let shown = |value: &CStr| value.to_string_lossy().into_owned();
        found.format = format_of(&depth, &components).ok_or_else(|| {
            let message = format!(
                "the clip {} has pixels of {} {}; they must be RGBA or RGB of byte, short or float: convert the clip before \
                 this effect",
                shown(name),
                shown(&components),
                shown(&depth)
            );
            (raw::IMAGE_FORMAT, message)
        })?;
        found.alpha = match image.string(raw::PREMULTIPLICATION) {
            Some(alpha) if *alpha == *raw::OPAQUE => Coverage::Opaque,
            Some(alpha) if *alpha == *raw::PREMULTIPLIED => Coverage::Alpha(Alpha::Premultiplied),
            _ => Coverage::Alpha(Alpha::Straight),
        };
        let row = width as usize * found.format.bytes();
        let row_bytes = image.int(raw::ROW_BYTES, 0).unwrap_or(0) as isize;
        // Without a gap where the host does not say.
        found.row_bytes = if row_bytes == 0 { row as isize } else { row_bytes };
        if found.row_bytes.unsigned_abs() < row {
            let message = format!(
                "the clip {} has rows of {row} bytes that lie {row_bytes} bytes apart; please report it to the makers of the \
                 host",
                shown(name)
            );
            return Err((raw::FAILED, message));
        }
        (found.data, found.bounds) = (data, bounds);
        Ok(Some(found))
    }

    /// Bytes of the pixels of a row from `x1` to `x2`; both lie within the image.
    fn row(&self, y: i32, x1: i32, x2: i32) -> *mut [u8] {
        let pixel = self.format.bytes();
        let down = (i64::from(y) - i64::from(self.bounds.y1)) as isize * self.row_bytes;
        let across = (i64::from(x1) - i64::from(self.bounds.x1)) as usize * pixel;
        let len = (i64::from(x2) - i64::from(x1)) as usize * pixel;
        // SAFETY: `of_clip` found rows that long, as many as the bounds say.
        std::ptr::slice_from_raw_parts_mut(unsafe { self.data.offset(down).add(across) }, len)
    }

    /// Its pixels where they are; none where alpha has to be left out.
    pub fn view(&self) -> Result<Option<ImageRef<'_>>, Error> {
        if self.computed() != self.format {
            return Ok(None);
        }
        let (width, height) = size(self.bounds);
        let stride = self.row_bytes.unsigned_abs();
        let len = stride * (height as usize - 1) + width as usize * self.format.bytes();
        // Where row bytes are negative, memory begins with the highest row.
        let (first_row, rows) =
            if self.row_bytes < 0 { (self.bounds.y2 - 1, Rows::Down) } else { (self.bounds.y1, Rows::Up) };
        let first = self.row(first_row, self.bounds.x1, self.bounds.x1).cast::<u8>().cast_const();
        // SAFETY: all rows of the image, which is lent for reading.
        let bytes = unsafe { std::slice::from_raw_parts(first, len) };
        let alpha = if let Coverage::Alpha(alpha) = self.alpha { alpha } else { Alpha::Straight };
        let image = ImageRef::strided(bytes, self.format, width, height, stride, alpha)?;
        Ok(Some(image.with_rows(rows)))
    }

    /// A copy of it, from top to bottom. An opaque one has no alpha.
    pub fn read(&self) -> Result<Packed, Error> {
        let format = self.computed();
        let (width, height) = size(self.bounds);
        let mut picture = Packed::new(format, width, height)?;
        if let Coverage::Alpha(alpha) = self.alpha {
            picture.alpha = alpha;
        }
        let (from, to) = (self.format.bytes(), format.bytes());
        let rows = picture.bytes_mut().chunks_exact_mut(width as usize * to);
        for (y, row) in (self.bounds.y1..self.bounds.y2).rev().zip(rows) {
            // SAFETY: the row lies within the image, which is lent for reading.
            let source = unsafe { &*self.row(y, self.bounds.x1, self.bounds.x2) };
            if from == to {
                row.copy_from_slice(source);
            } else {
                row.chunks_exact_mut(to).zip(source.chunks_exact(from)).for_each(|(to, from)| {
                    let len = to.len();
                    to.copy_from_slice(&from[..len]);
                });
            }
        }
        Ok(picture)
    }

    /// The format of its pixels as they are computed.
    pub fn computed(&self) -> Format {
        let Format { channels, depth } = self.format;
        let is_opaque = self.alpha == Coverage::Opaque && channels == Channels::RgbAlpha;
        Format { channels: if is_opaque { Channels::Rgb } else { channels }, depth }
    }

    /// Writes a picture that lies at `place` into a part of it. Beside the picture it becomes black and transparent.
    pub fn write(&mut self, picture: Option<(&Packed, RectI)>, part: RectI) {
        let part = intersection(part, self.bounds);
        let (pixel, depth) = (self.format.bytes(), self.format.depth);
        for y in part.y1..part.y2 {
            // SAFETY: the row lies within the image, which is lent for writing to this one alone.
            let row = unsafe { &mut *self.row(y, part.x1, part.x2) };
            row.fill(0);
            let Some((picture, place)) = picture else { continue };
            let inside = intersection(part, place);
            if y < inside.y1 || y >= inside.y2 || inside.x1 >= inside.x2 {
                continue;
            }
            let of_picture = picture.format.bytes();
            let (down, across) = ((place.y2 - 1 - y) as usize, (inside.x1 - place.x1) as usize);
            let start = (down * picture.width as usize + across) * of_picture;
            let source = picture.bytes()[start..].chunks_exact(of_picture);
            let to = row[(inside.x1 - part.x1) as usize * pixel..].chunks_exact_mut(pixel);
            for (to, from) in to.zip(source).take((inside.x2 - inside.x1) as usize) {
                let shared = from.len().min(to.len());
                to[..shared].copy_from_slice(&from[..shared]);
                if shared < to.len() {
                    store(depth, white(depth), &mut to[shared..]);
                }
            }
        }
    }

    /// The light that it lets through as a mask, for the pixels at `place`: a grey picture of 32-bit floats.
    pub fn mask(&self, place: RectI) -> Result<Packed, Error> {
        let (width, height) = size(place);
        let gray = Format { channels: Channels::Gray, depth: Depth::F32 };
        let mut mask = Packed::new(gray, width, height)?;
        let Format { channels, depth } = self.format;
        let (inside, pixel) = (intersection(place, self.bounds), self.format.bytes());
        for (y, row) in (place.y1..place.y2).rev().zip(mask.bytes_mut().chunks_exact_mut(width as usize * 4)) {
            if y < inside.y1 || y >= inside.y2 || inside.x1 >= inside.x2 {
                continue;
            }
            // SAFETY: the row lies within the image, which is lent for reading.
            let source = unsafe { &*self.row(y, inside.x1, inside.x2) };
            let to = row[(inside.x1 - place.x1) as usize * 4..].chunks_exact_mut(4);
            for (to, pixel) in to.zip(source.chunks_exact(pixel)) {
                let of = |channel: usize| load(depth, &pixel[channel * depth.bytes()..]) / white(depth);
                // Rec. 709, the primaries of sRGB.
                let light =
                    if channels == Channels::Gray { of(0) } else { 0.2126 * of(0) + 0.7152 * of(1) + 0.0722 * of(2) };
                let is_straight = self.alpha == Coverage::Alpha(Alpha::Straight);
                let coverage = if channels == Channels::RgbAlpha && is_straight { of(3) } else { 1.0 };
                store(Depth::F32, (light * coverage).clamp(0.0, 1.0), to);
            }
        }
        Ok(mask)
    }
}

fn format_of(depth: &CStr, components: &CStr) -> Option<Format> {
    let depth = match depth {
        depth if depth == raw::BYTE => Depth::U8,
        depth if depth == raw::SHORT => Depth::U16,
        depth if depth == raw::FLOAT => Depth::F32,
        _ => return None,
    };
    let channels = match components {
        components if components == raw::RGBA => Channels::RgbAlpha,
        components if components == raw::RGB => Channels::Rgb,
        components if components == raw::ALPHA => Channels::Gray,
        _ => return None,
    };
    Some(Format { channels, depth })
}

/// Size in pixels; 0 where the bounds hold nothing.
fn size(bounds: RectI) -> (u32, u32) {
    let length = |from: i32, to: i32| u32::try_from(i64::from(to) - i64::from(from)).unwrap_or(0);
    (length(bounds.x1, bounds.x2), length(bounds.y1, bounds.y2))
}

fn intersection(one: RectI, other: RectI) -> RectI {
    RectI { x1: one.x1.max(other.x1), y1: one.y1.max(other.y1), x2: one.x2.min(other.x2), y2: one.y2.min(other.y2) }
}
