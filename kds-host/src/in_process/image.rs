//! Pictures as the C interface describes them.

use std::ffi::c_void;

use super::raw::{self, Sized32};
use crate::image::{Layout, MOST_CHANNELS};
use crate::{Alpha, Channels, Depth, Format, ImageMut, ImageRef, Light, Rows};

/// A picture, and the list of its planes that it points to.
pub(crate) struct Described {
    image: raw::Image,
    planes: [*mut c_void; MOST_CHANNELS],
}

impl Described {
    /// For the library, as long as this lives.
    pub fn image(&mut self) -> *const raw::Image {
        if self.image.data.is_null() {
            self.image.planes = self.planes.as_ptr();
        }
        &raw const self.image
    }
}

/// A picture to read.
pub(crate) fn input(image: &ImageRef<'_>) -> Described {
    describe(image.layout(), image.data().map(<*const u8>::cast_mut))
}

/// A picture to write.
pub(crate) fn output(image: &mut ImageMut<'_>) -> Described {
    describe(image.layout(), image.data())
}

fn describe(layout: Layout, data: [*mut u8; MOST_CHANNELS]) -> Described {
    let mut image = raw::Image::empty();
    image.format = code(layout.format);
    image.width = layout.width;
    image.height = layout.height;
    image.stride = layout.stride;
    image.data = if layout.in_planes { std::ptr::null_mut() } else { data[0].cast() };
    image.len = layout.len;
    image.alpha = match layout.alpha {
        Alpha::Straight => 0,
        Alpha::Premultiplied => 1,
    };
    image.rows = match layout.rows {
        Rows::Down => 0,
        Rows::Up => 1,
    };
    image.light = match layout.light {
        Light::Encoded => 0,
        Light::Linear => 1,
    };
    Described { image, planes: data.map(<*mut u8>::cast) }
}

fn code(format: Format) -> i32 {
    let channels = match format.channels {
        Channels::Gray => 1,
        Channels::Rgb => 2,
        Channels::RgbAlpha => 3,
        Channels::GrayAlpha => 4,
    };
    let depth = match format.depth {
        Depth::U8 => 0,
        Depth::U16 => 16,
        Depth::F32 => 32,
    };
    channels + depth
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_header() {
        let code = |channels, depth| super::code(Format { channels, depth });
        assert_eq!(code(Channels::Gray, Depth::U8), 1);
        assert_eq!(code(Channels::Rgb, Depth::U8), 2);
        assert_eq!(code(Channels::RgbAlpha, Depth::U8), 3);
        assert_eq!(code(Channels::GrayAlpha, Depth::U8), 4);
        assert_eq!(code(Channels::Gray, Depth::U16), 17);
        assert_eq!(code(Channels::GrayAlpha, Depth::F32), 36);
    }

    #[test]
    fn an_image_is_described_as_it_lies() {
        let mut image = crate::Image::new(Format { channels: Channels::Rgb, depth: Depth::U16 }, 3, 5).unwrap();
        let raw = output(&mut image.view_mut()).image;
        assert_eq!((raw.format, raw.width, raw.height, raw.stride, raw.len), (18, 3, 5, 18, 90));
        assert_eq!(input(&image.view()).image.data, raw.data);
        let (samples, gray) = ([7; 4], Format { channels: Channels::GrayAlpha, depth: Depth::U8 });
        let planes = ImageRef::planes(&[&samples[..2], &samples[2..]], gray, 2, 1, 2, Alpha::Straight).unwrap();
        let mut described = input(&planes.with_rows(Rows::Up).with_light(Light::Linear));
        // SAFETY: the description lives, and so does its list of planes.
        let (image, second) = unsafe {
            let image = &*described.image();
            (image, *image.planes.add(1))
        };
        assert!(image.data.is_null() && (image.rows, image.light) == (1, 1));
        assert_eq!(second.cast_const().cast(), &raw const samples[2]);
    }
}
