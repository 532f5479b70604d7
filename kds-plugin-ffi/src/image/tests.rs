//! Every format in memory that ends with its last pixel, begins at an odd address and has gaps between its rows: read, and
//! written again to the same bytes. Miri sees what is read or written beyond.

use super::*;
use crate::error::KDS_INVALID_ARGUMENT;

const WIDTH: usize = 3;
const HEIGHT: usize = 2;
const GAP: usize = 5;
const FORMATS: [i32; 16] = [1, 2, 3, 4, 17, 18, 19, 20, 33, 34, 35, 36, 49, 50, 51, 52];
/// Multiples of 1 / 255, and so of 1 / 65535.
const VALUES: [f32; 6] = [0.2, 0.6, 1.0, 0.0, 0.8, 0.4];

/// A sample as a caller writes it.
fn sample(format: i32, value: f32) -> Vec<u8> {
    match format / 16 {
        0 => vec![(value * 255.0).round() as u8],
        1 => ((value * 65535.0).round() as u16).to_ne_bytes().to_vec(),
        2 => value.to_ne_bytes().to_vec(),
        _ => f16::from_f32(value).to_ne_bytes().to_vec(),
    }
}

fn channels(format: i32) -> usize {
    [1, 3, 4, 2][(format % 16 - 1) as usize]
}

fn has_alpha(format: i32) -> bool {
    channels(format).is_multiple_of(2)
}

/// The colours differ from channel to channel; alpha is never 0.
fn value(format: i32, pixel: usize, channel: usize) -> f32 {
    if has_alpha(format) && channel + 1 == channels(format) {
        [1.0, 0.6, 0.2][pixel % 3]
    } else {
        VALUES[(pixel + 2 * channel) % 6]
    }
}

/// The caller's memory, and where the first pixel lies in it.
struct Memory {
    bytes: Box<[u8]>,
    stride: usize,
}

impl Memory {
    fn new(format: i32, pixels: impl Fn(usize, usize) -> f32) -> Self {
        let mut bytes = vec![0xee];
        let mut stride = 0;
        for row in 0..HEIGHT {
            let start = bytes.len();
            for pixel in row * WIDTH..(row + 1) * WIDTH {
                (0..channels(format)).for_each(|channel| bytes.extend(sample(format, pixels(pixel, channel))));
            }
            stride = bytes.len() - start + GAP;
            if row + 1 < HEIGHT {
                bytes.extend([0xee; GAP]);
            }
        }
        Self { bytes: bytes.into(), stride }
    }

    fn image(&mut self, format: i32, alpha: i32) -> kds_image {
        kds_image {
            struct_size: size_of::<kds_image>() as u32,
            format,
            width: WIDTH as u32,
            height: HEIGHT as u32,
            stride: self.stride,
            data: self.bytes[1..].as_mut_ptr().cast(),
            len: self.bytes.len() - 1,
            alpha,
            ..NO_IMAGE
        }
    }
}

/// The same pixels as planes of their own, lowest row first, each beginning at an odd address and ending with its last sample.
struct Planes {
    bytes: Vec<Box<[u8]>>,
    first: Vec<*mut c_void>,
    stride: usize,
}

impl Planes {
    fn new(format: i32, pixels: impl Fn(usize, usize) -> f32) -> Self {
        let size = sample(format, 0.0).len();
        let plane = |channel: usize| {
            let mut bytes = vec![0xee];
            for row in (0..HEIGHT).rev() {
                (row * WIDTH..(row + 1) * WIDTH).for_each(|pixel| bytes.extend(sample(format, pixels(pixel, channel))));
                if row > 0 {
                    bytes.extend([0xee; GAP]);
                }
            }
            bytes.into_boxed_slice()
        };
        let bytes: Vec<_> = (0..channels(format)).map(plane).collect();
        Self { bytes, first: Vec::new(), stride: WIDTH * size + GAP }
    }

    fn image(&mut self, format: i32, light: i32) -> kds_image {
        self.first = self.bytes.iter_mut().map(|plane| plane[1..].as_mut_ptr().cast()).collect();
        kds_image {
            struct_size: size_of::<kds_image>() as u32,
            format,
            width: WIDTH as u32,
            height: HEIGHT as u32,
            stride: self.stride,
            len: self.bytes[0].len() - 1,
            planes: self.first.as_ptr(),
            rows: KDS_ROWS_UP,
            light,
            ..NO_IMAGE
        }
    }
}

#[test]
fn planes_with_the_lowest_row_first_hold_the_same_pixels() {
    for format in FORMATS {
        let pixels = |pixel, channel| value(format, pixel, channel);
        let (mut memory, mut planes) = (Memory::new(format, pixels), Planes::new(format, pixels));
        let read = |image: &kds_image| {
            // SAFETY: the image is one of the two.
            unsafe { Input::new(image) }.ok().unwrap().read().ok().unwrap()
        };
        let (ours, theirs) = (read(&planes.image(format, 0)), read(&memory.image(format, KDS_ALPHA_STRAIGHT)));
        assert_eq!((&ours.picture.values, &ours.alpha), (&theirs.picture.values, &theirs.alpha), "format {format}");
        let mut written = Planes::new(format, |_, _| 0.0);
        let image = written.image(format, 0);
        let alpha = ours.alpha.as_ref().map(|alpha| Enlarged::new(alpha, WIDTH, 1).unwrap());
        // SAFETY: as above.
        unsafe { Target::new(&image, "output", WIDTH, HEIGHT) }.ok().unwrap().write(&ours.picture, alpha);
        assert_eq!(written.bytes, planes.bytes, "format {format}");
        let good = planes.image(format, 0);
        let mut pixel = 0u8;
        let refused = [
            kds_image { len: good.len - 1, ..good },
            kds_image { data: (&raw mut pixel).cast(), ..good },
            kds_image { rows: 2, ..good },
            kds_image { rows: -1, ..good },
            kds_image { light: 2, ..good },
        ];
        for image in refused {
            // SAFETY: what does not fit the memory is refused.
            let failure = unsafe { Input::new(&image) }.err().unwrap();
            assert!(failure.status == KDS_INVALID_IMAGE, "{}", failure.message);
        }
        planes.image(format, 0);
        planes.first[channels(format) - 1] = std::ptr::null_mut();
        let image = kds_image { planes: planes.first.as_ptr(), ..good };
        // SAFETY: as above.
        assert_eq!(unsafe { Input::new(&image) }.err().unwrap().status, KDS_INVALID_IMAGE);
    }
}

#[test]
fn linear_light_is_encoded_and_made_linear_again() {
    // By the definition of sRGB, IEC 61966-2-1.
    assert!((encoded(0.214_041_14) - 0.5).abs() < 1e-6 && (linear(0.5) - 0.214_041_14).abs() < 1e-6);
    assert!((encoded(0.002) - 0.02584).abs() < 1e-6 && (linear(0.02584) - 0.002).abs() < 1e-7);
    assert!((encoded(-0.214_041_14) + 0.5).abs() < 1e-6 && (encoded(1.0) - 1.0).abs() < 1e-6);
    for format in [KDS_RGB_F32, KDS_GRAY_F32, KDS_RGBA_F32] {
        let mut light = Planes::new(format, |pixel, channel| value(format, pixel, channel));
        let image = light.image(format, KDS_LIGHT_LINEAR);
        // SAFETY: the image is the planes'.
        let pixels = unsafe { Input::new(&image) }.ok().unwrap().read().ok().unwrap();
        let of = |pixel: usize| value(format, pixel, 0);
        assert!((0..WIDTH * HEIGHT).all(|pixel| (pixels.picture.values[pixel] - encoded(of(pixel))).abs() < 1e-6));
        let mut written = Planes::new(format, |_, _| 0.0);
        let image = written.image(format, KDS_LIGHT_LINEAR);
        let alpha = pixels.alpha.as_ref().map(|alpha| Enlarged::new(alpha, WIDTH, 1).unwrap());
        // SAFETY: as above.
        unsafe { Target::new(&image, "output", WIDTH, HEIGHT) }.ok().unwrap().write(&pixels.picture, alpha);
        for (ours, theirs) in written.bytes.iter().zip(&light.bytes) {
            let rows = ours[1..].chunks(light.stride).zip(theirs[1..].chunks(light.stride));
            let float = |bytes: &[u8]| f32::from_ne_bytes(bytes.try_into().unwrap());
            let samples = rows.flat_map(|(a, b)| a[..4 * WIDTH].chunks(4).zip(b[..4 * WIDTH].chunks(4)));
            samples.for_each(|(a, b)| assert!((float(a) - float(b)).abs() < 2e-6));
        }
    }
}

#[test]
fn pixels_are_read_where_they_are_and_written_back_to_the_same_bytes() {
    for format in FORMATS {
        let mut memory = Memory::new(format, |pixel, channel| value(format, pixel, channel));
        let image = memory.image(format, KDS_ALPHA_STRAIGHT);
        // SAFETY: the image is the memory's.
        let pixels = unsafe { Input::new(&image) }.ok().unwrap().read().ok().unwrap();
        for pixel in 0..WIDTH * HEIGHT {
            for colour in 0..3 {
                let expected = value(format, pixel, if channels(format) < 3 { 0 } else { colour });
                let found = pixels.picture.values[colour * WIDTH * HEIGHT + pixel];
                assert!((found - expected).abs() < 5e-4, "format {format}, pixel {pixel}: {found}, not {expected}");
            }
            let opacity = has_alpha(format).then(|| value(format, pixel, channels(format) - 1));
            let found = pixels.alpha.as_ref().map(|alpha| alpha[pixel]);
            assert!(opacity.unwrap_or(0.0) - found.unwrap_or(0.0) < 5e-4 && opacity.is_some() == found.is_some());
        }

        let mut written = Memory::new(format, |_, _| 0.0);
        let image = written.image(format, KDS_ALPHA_STRAIGHT);
        let alpha = pixels.alpha.as_ref().map(|alpha| Enlarged::new(alpha, WIDTH, 1).unwrap());
        // SAFETY: as above.
        let target = unsafe { Target::new(&image, "output", WIDTH, HEIGHT) }.ok().unwrap();
        target.write(&pixels.picture, alpha);
        assert_eq!(written.bytes, memory.bytes, "format {format}");
    }
}

#[test]
fn colours_multiplied_by_alpha_are_divided_and_multiplied_again() {
    for format in FORMATS.into_iter().filter(|format| has_alpha(*format)) {
        let last = channels(format) - 1;
        let alpha = |pixel| value(format, pixel, last);
        let stored = |pixel, channel| if channel == last { alpha(pixel) } else { 0.8 * alpha(pixel) };
        let mut memory = Memory::new(format, stored);
        let image = memory.image(format, KDS_ALPHA_PREMULTIPLIED);
        // SAFETY: the image is the memory's.
        let pixels = unsafe { Input::new(&image) }.ok().unwrap().read().ok().unwrap();
        // A level of 255 is up to 2.5 of them where alpha is 0.2.
        assert!(pixels.picture.values.iter().all(|value| (value - 0.8).abs() < 0.01), "format {format}");
        let mut written = Memory::new(format, |_, _| 0.0);
        let image = written.image(format, KDS_ALPHA_PREMULTIPLIED);
        let alpha = Enlarged::new(pixels.alpha.as_ref().unwrap(), WIDTH, 1).unwrap();
        // SAFETY: as above.
        unsafe { Target::new(&image, "output", WIDTH, HEIGHT) }.ok().unwrap().write(&pixels.picture, Some(alpha));
        if format < 33 {
            assert_eq!(written.bytes, memory.bytes, "format {format}");
        }
    }
}

#[test]
fn a_map_is_written_to_every_channel_and_alpha_is_full() {
    for format in FORMATS {
        let mut memory = Memory::new(format, |_, _| 0.0);
        let image = memory.image(format, KDS_ALPHA_STRAIGHT);
        // SAFETY: the image is the memory's.
        unsafe { Target::new(&image, "confidence", WIDTH, HEIGHT) }.ok().unwrap().write_gray(&VALUES);
        let last = channels(format) - 1;
        let expected = |pixel: usize, channel| if has_alpha(format) && channel == last { 1.0 } else { VALUES[pixel] };
        assert_eq!(memory.bytes, Memory::new(format, expected).bytes, "format {format}");
    }
}

#[test]
fn a_mask_is_read_from_grey_of_every_depth() {
    for format in [KDS_GRAY_U8, KDS_GRAY_U16, KDS_GRAY_F32, KDS_GRAY_F16] {
        let mut colours = Memory::new(KDS_RGB_U8, |_, _| 0.0);
        let mut memory = Memory::new(format, |pixel, _| VALUES[pixel]);
        let (input, mask) = (colours.image(KDS_RGB_U8, 0), memory.image(format, 0));
        // SAFETY: the images are the memories'.
        let values = unsafe { Mask::new(&mask, &Input::new(&input).ok().unwrap()) }.ok().unwrap().read().ok().unwrap();
        assert!(values.iter().zip(VALUES).all(|(found, value)| (found - value).abs() < 5e-4), "format {format}");
    }
}

#[test]
fn an_image_larger_than_its_memory_is_refused_before_it_is_read() {
    for format in FORMATS {
        let mut memory = Memory::new(format, |_, _| 0.0);
        let good = memory.image(format, KDS_ALPHA_STRAIGHT);
        let refused = [
            kds_image { len: good.len - 1, ..good },
            kds_image { height: good.height + 1, ..good },
            kds_image { stride: good.stride + 1, ..good },
            kds_image { stride: good.stride - GAP - 1, ..good },
            kds_image { stride: usize::MAX, ..good },
            kds_image { width: u32::MAX, height: u32::MAX, ..good },
            kds_image { width: 0, ..good },
            kds_image { data: std::ptr::null_mut(), ..good },
            kds_image { alpha: 2, ..good },
            kds_image { reserved: 1, ..good },
            kds_image { format: 5, ..good },
            kds_image { format: format + 64, ..good },
            kds_image { format: -format, ..good },
        ];
        for image in refused {
            // SAFETY: what does not fit the memory is refused.
            let failure = unsafe { Input::new(&image) }.err().unwrap();
            assert!(failure.status == KDS_INVALID_IMAGE, "{}", failure.message);
        }
        let short = kds_image { struct_size: 44, ..good };
        // SAFETY: as above.
        assert_eq!(unsafe { Input::new(&short) }.err().unwrap().status, KDS_INVALID_ARGUMENT);
    }
}
