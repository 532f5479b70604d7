//! Any bytes as a picture file, as the `kds` command reads it.

use kds_cli::{read, save};

use super::{assert_one_line, folder};

/// Most bytes of decoded pixels here: the command's own limit would make a case take seconds.
pub const MOST_BYTES: u64 = 16 << 20;
/// Pictures of more pixels are not written again.
const MOST_PIXELS: u32 = 64 * 64;

/// Reads the bytes as a picture file. What could be read is written in every format, and read again where that is
/// without loss.
pub fn image(bytes: &[u8]) {
    let (picture, notes) = match read::decode(bytes, MOST_BYTES) {
        Ok(read) => read,
        Err(error) => return assert_one_line(&format!("{error:#}")),
    };
    notes.iter().for_each(|note| assert_one_line(note));
    assert!(picture.image.as_bytes().len() as u64 <= MOST_BYTES);
    let view = picture.view();
    if let Err(error) = &view {
        assert_one_line(&format!("{error:#}"));
    }
    let (width, height) = (picture.image.width(), picture.image.height());
    if view.is_err() || width == 0 || width.saturating_mul(height) > MOST_PIXELS {
        return;
    }
    for (name, lossless) in [("x.png", true), ("x.tif", true), ("x.webp", true), ("x.jpg", false)] {
        let path = folder().join(name);
        let notes = save::save(&picture, &path, 90).unwrap_or_else(|error| panic!("{error:#}"));
        notes.iter().for_each(|note| assert_one_line(note));
        let (again, _) = read::read(&path).unwrap_or_else(|error| panic!("what was written as {error:#}"));
        assert_eq!((again.image.width(), again.image.height()), (width, height), "{name}");
        let eight_bits = picture.image.color().bits_per_pixel() / u16::from(picture.image.color().channel_count()) == 8;
        // WebP has no grey, so that grey of another tone curve is converted.
        let converted = name == "x.webp" && picture.profile.is_some() && !picture.image.color().has_color();
        if lossless && eight_bits && !converted {
            assert_eq!(again.image.to_rgba8(), picture.image.to_rgba8(), "{name}");
        }
    }
}
