//! Pictures as the C interface describes them.

use super::raw::{self, Sized32};
use crate::image::Layout;
use crate::{Alpha, Channels, Depth, Format, ImageMut, ImageRef};

/// A picture to read.
pub(crate) fn input(image: &ImageRef<'_>) -> raw::Image {
    describe(image.layout(), image.data().cast_mut())
}

/// A picture to write.
pub(crate) fn output(image: &mut ImageMut<'_>) -> raw::Image {
    describe(image.layout(), image.data())
}

fn describe(layout: Layout, data: *mut u8) -> raw::Image {
    let mut image = raw::Image::empty();
    image.format = code(layout.format);
    image.width = layout.width;
    image.height = layout.height;
    image.stride = layout.stride;
    image.data = data.cast();
    image.len = layout.len;
    image.alpha = match layout.alpha {
        Alpha::Straight => 0,
        Alpha::Premultiplied => 1,
    };
    image
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
        let raw = output(&mut image.view_mut());
        assert_eq!((raw.format, raw.width, raw.height, raw.stride, raw.len), (18, 3, 5, 18, 90));
        assert_eq!(input(&image.view()).data, raw.data);
    }
}
