//! Filling holes: what is outside stays to the last bit, what was inside is not looked at.

use kds_host::{
    Channels, Context, ContextOptions, Depth, Format, Image, ImageMut, ImageRef, Job, Library, Sample, Status,
};
use kds_tests::pairs;

const MODEL: &str = "kds-inpaint";
const CHANNELS: [Channels; 4] = [Channels::Gray, Channels::GrayAlpha, Channels::Rgb, Channels::RgbAlpha];

fn job() -> Job {
    let context = Context::new(&Library::open().unwrap(), &ContextOptions::default()).unwrap();
    let mut job = context.open_model(MODEL, Some("cpu"), Some("f32")).unwrap().new_job().unwrap();
    for (name, value) in [("particles", "2"), ("steps", "2")] {
        job.set(name, value).unwrap();
    }
    job
}

/// Holes as (x, y, width, height); 1 inside.
fn holes(width: u32, height: u32, boxes: &[[u32; 4]]) -> Vec<u8> {
    let inside = |x: u32, y: u32| {
        boxes.iter().any(|[left, top, w, h]| (*left..left + w).contains(&x) && (*top..top + h).contains(&y))
    };
    (0..width * height).map(|index| if inside(index % width, index / width) { 255 } else { 0 }).collect()
}

/// Any values: every pixel another.
fn pixels<S: Sample>(channels: Channels, width: u32, height: u32, value: impl Fn(u32) -> S) -> Vec<S> {
    (0..width * height * channels.count() as u32).map(|index| value(index.wrapping_mul(2_654_435_761) >> 16)).collect()
}

/// Fills the holes; the pixels and the confidence map.
fn fill<S: Sample + Default>(
    job: &mut Job,
    channels: Channels,
    (width, height): (u32, u32),
    pixels: &[S],
    mask: &[u8],
) -> (Vec<S>, Vec<u8>) {
    let mut output = vec![S::default(); pixels.len()];
    let mut confidence = vec![0u8; mask.len()];
    job.run(
        ImageRef::packed(pixels, channels, width, height).unwrap(),
        Some(ImageRef::packed(mask, Channels::Gray, width, height).unwrap()),
        ImageMut::packed(&mut output, channels, width, height).unwrap(),
        Some(ImageMut::packed(&mut confidence, Channels::Gray, width, height).unwrap()),
        None,
    )
    .unwrap();
    (output, confidence)
}

fn check_outside<S: Sample + Default + PartialEq + std::fmt::Debug>(job: &mut Job, value: impl Fn(u32) -> S) {
    let (width, height) = (53, 37);
    let mask = holes(width, height, &[[20, 10, 9, 7]]);
    for channels in CHANNELS {
        let pixels = pixels(channels, width, height, &value);
        let (output, confidence) = fill(job, channels, (width, height), &pixels, &mask);
        let mut changed = 0;
        for (pixel, hole) in mask.iter().enumerate() {
            let values = pixel * channels.count()..(pixel + 1) * channels.count();
            if *hole == 0 {
                assert_eq!(output[values.clone()], pixels[values], "{channels:?}, pixel {pixel}");
                assert_eq!(confidence[pixel], 255, "{channels:?}, pixel {pixel}");
            } else {
                changed += usize::from(output[values.clone()] != pixels[values]);
            }
        }
        assert!(changed > 55, "{channels:?}: only {changed} of 63 pixels were filled");
    }
}

#[test]
fn outside_the_holes_every_bit_stays_in_every_format() {
    let mut job = job();
    check_outside(&mut job, |random| random as u8);
    check_outside(&mut job, |random| random as u16);
    check_outside(&mut job, |random| random as f32 / 65535.0);
}

#[test]
fn what_lies_in_a_hole_is_not_looked_at() {
    let picture = pairs::small_picture().unwrap();
    let size = picture.dimensions();
    let mask = holes(size.0, size.1, &[[8, 6, 9, 8]]);
    let mut job = job();
    let mut of_colour = |colour: u8| {
        let mut pixels = picture.as_raw().clone();
        for (pixel, _) in mask.iter().enumerate().filter(|(_, hole)| **hole > 0) {
            pixels[3 * pixel..3 * pixel + 3].fill(colour);
        }
        fill(&mut job, Channels::Rgb, size, &pixels, &mask)
    };
    let (black, confidence) = of_colour(0);
    assert_eq!((black, confidence), of_colour(255));
}

#[test]
fn a_mask_in_between_blends() {
    let picture = pairs::small_picture().unwrap();
    let size = picture.dimensions();
    let full = holes(size.0, size.1, &[[8, 6, 9, 8]]);
    let half: Vec<u8> = full.iter().map(|value| value / 5 * 2).collect();
    let mut job = job();
    let mut filled = |mask: &[u8]| fill(&mut job, Channels::Rgb, size, picture.as_raw(), mask).0;
    let (whole, part) = (filled(&full), filled(&half));
    for ((before, whole), part) in picture.as_raw().iter().zip(whole).zip(part) {
        let expected = f64::from(*before) + 0.4 * (f64::from(whole) - f64::from(*before));
        // The whole one has been rounded already.
        assert!((f64::from(part) - expected).abs() <= 0.71, "{before} to {whole}, 0.4 of the way: {part}");
    }
}

#[test]
fn a_mask_without_holes_gives_the_picture_back() {
    let picture = pairs::small_picture().unwrap();
    let (width, height) = picture.dimensions();
    let (same, confidence) =
        fill(&mut job(), Channels::Rgb, (width, height), picture.as_raw(), &holes(width, height, &[]));
    assert!(same == *picture.as_raw() && confidence.iter().all(|value| *value == 255));
}

#[test]
fn a_cancelled_job_gives_nothing_even_where_there_is_nothing_to_do() {
    let (width, height) = (19, 23);
    let pixels = pixels(Channels::Rgb, width, height, |random| random as u8);
    let mask = holes(width, height, &[]);
    let mut job = job();
    job.cancel_handle().cancel();
    let mut output = vec![3u8; pixels.len()];
    let error = job
        .run(
            ImageRef::packed(&pixels, Channels::Rgb, width, height).unwrap(),
            Some(ImageRef::packed(&mask, Channels::Gray, width, height).unwrap()),
            ImageMut::packed(&mut output, Channels::Rgb, width, height).unwrap(),
            None,
            None,
        )
        .unwrap_err();
    assert_eq!(error.status, Status::Cancelled);
    assert!(output.iter().all(|value| *value == 3));
}

#[test]
fn a_picture_that_is_all_hole_still_gives_one() {
    let (width, height) = (19, 23);
    let pixels = pixels(Channels::Rgb, width, height, |random| random as u8);
    fill(&mut job(), Channels::Rgb, (width, height), &pixels, &holes(width, height, &[[0, 0, width, height]]));
}

#[test]
fn a_mask_that_cannot_be_used_is_named() {
    let picture = pairs::small_picture().unwrap();
    let (width, height) = picture.dimensions();
    let mut job = job();
    let mut refused = |mask: Option<ImageRef>| {
        let mut output = Image::new(Format { channels: Channels::Rgb, depth: Depth::U8 }, width, height).unwrap();
        let input = ImageRef::packed(picture.as_raw(), Channels::Rgb, width, height).unwrap();
        let error = job.run(input, mask, output.view_mut(), None, None).unwrap_err();
        (error.status, error.to_string())
    };
    let (status, message) = refused(None);
    assert!(status == Status::InvalidArgument && message.contains("white where to fill"), "{message}");
    let small = [0u8; 12];
    let (status, message) = refused(Some(ImageRef::packed(&small, Channels::Gray, 4, 3).unwrap()));
    assert!(status == Status::InvalidImage && message.contains("mask: 4 x 3 pixels"), "{message}");
    let (status, message) = refused(Some(ImageRef::packed(picture.as_raw(), Channels::Rgb, width, height).unwrap()));
    assert!(status == Status::InvalidImage && message.contains("mask: format 2 is not gray"), "{message}");
    let unknown = vec![f32::NAN; (width * height) as usize];
    let (status, message) = refused(Some(ImageRef::packed(&unknown, Channels::Gray, width, height).unwrap()));
    assert!(status == Status::InvalidImage && message.contains("mask: has values that are no numbers"), "{message}");
}
