//! Parts of the pictures to look at side by side: the liveliest square of each.

use std::io::Cursor;

use anyhow::Context;
use base64::{Engine, engine::general_purpose::STANDARD};
use image::{ImageFormat, RgbImage, imageops::crop_imm};

use super::super::{method::Method, pairs::Source, store::Store, summary::Summary};
use crate::eval::Evaluation;

/// Side of the squares in pixels.
const SIDE: u32 = 256;

/// The squares of one picture, as PNG in base64, with what they show.
pub struct Crops {
    /// The picture's name.
    pub name: String,
    /// Title and contents of each.
    pub shown: Vec<(String, String)>,
}

/// The squares of all pictures.
///
/// # Errors
/// Files that cannot be read.
pub fn all(
    store: &Store,
    summary: &Summary,
    sources: &[Source],
    options: &Evaluation,
    scale: u32,
) -> anyhow::Result<Vec<Crops>> {
    let mut crops = Vec::new();
    for (index, picture) in summary.pictures.iter().enumerate() {
        let mut shown: Vec<(String, RgbImage)> = Vec::new();
        for outcome in &picture.methods {
            let (Some(file), Some(method)) = (&outcome.picture, Method::find(&outcome.method)) else { continue };
            let path = store.path(&format!("pictures/{}/{file}.png", picture.name));
            let image = image::open(&path).with_context(|| format!("{} cannot be read", path.display()))?;
            shown.push((method.title(summary.particles), image.into_rgb8()));
        }
        let source = sources.iter().find(|source| source.name == picture.name);
        let pair = source.map(|source| source.read(options, scale, index as u64)).transpose()?;
        if let Some(truth) = pair.and_then(|pair| pair.truth) {
            shown.push(("truth".to_owned(), truth));
        }
        let Some((_, reference)) = shown.last() else { continue };
        let (x, y) = liveliest(reference);
        let encode = |(title, image): &(String, RgbImage)| {
            let mut png = Cursor::new(Vec::new());
            crop_imm(image, x, y, SIDE, SIDE).to_image().write_to(&mut png, ImageFormat::Png)?;
            Ok((title.clone(), STANDARD.encode(png.get_ref())))
        };
        let shown = shown.iter().map(encode).collect::<anyhow::Result<_>>()?;
        crops.push(Crops { name: picture.name.clone(), shown });
    }
    Ok(crops)
}

/// Upper left corner of the square whose neighbouring pixels differ most.
fn liveliest(picture: &RgbImage) -> (u32, u32) {
    let starts = |length: u32| -> Vec<u32> {
        let last = length.saturating_sub(SIDE);
        (0..last).step_by(64).chain([last]).collect()
    };
    let activity = |left: u32, top: u32| -> u64 {
        let (right, bottom) = ((left + SIDE).min(picture.width()), (top + SIDE).min(picture.height()));
        let green = |x: u32, y: u32| picture.get_pixel(x, y).0[1];
        let rows = (top..bottom).flat_map(|y| (left + 1..right).map(move |x| (x, y)));
        rows.map(|(x, y)| u64::from(green(x, y).abs_diff(green(x - 1, y)))).sum()
    };
    let corners =
        starts(picture.height()).into_iter().flat_map(|y| starts(picture.width()).into_iter().map(move |x| (x, y)));
    corners.max_by_key(|&(x, y)| activity(x, y)).unwrap_or((0, 0))
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    #[test]
    fn the_square_lies_where_something_is_to_be_seen() {
        let mut picture = RgbImage::new(900, 600);
        for (x, y) in (0..80).flat_map(|y| (0..80).map(move |x| (700 + x, 450 + y))) {
            picture.put_pixel(x, y, Rgb([if (x + y) % 2 == 0 { 255 } else { 0 }; 3]));
        }
        let (x, y) = liveliest(&picture);
        assert!((x..x + SIDE).contains(&700) && (x..=x + SIDE).contains(&780), "{x}");
        assert!((y..y + SIDE).contains(&450) && (y..=y + SIDE).contains(&530), "{y}");
        assert_eq!(liveliest(&RgbImage::new(10, 10)), (0, 0));
    }
}
