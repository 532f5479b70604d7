//! The confidence map: a grey picture, white where the result can be relied on and black where it is invention.

use kds_host::{Calibration, Channels, Depth, Error, Format, Image};

/// A map to be filled, of the output's size.
///
/// # Errors
/// When there is no memory for it.
pub fn new_map(width: u32, height: u32) -> Result<Image, Error> {
    Image::new(Format { channels: Channels::Gray, depth: Depth::U8 }, width, height)
}

/// The values of a model's maps, in words.
pub fn meaning(calibration: Option<Calibration>) -> String {
    let Some(Calibration { error_range, trusted }) = calibration else {
        return "white where the particles agree, black where they differ as photographs do; not calibrated".to_owned();
    };
    let levels = 255.0 / error_range;
    let mut text = format!("each {levels:.0} levels below white stand for 1 grey level of expected error");
    if let Some((confidence, error)) = trusted {
        let level = (confidence * 255.0).ceil();
        text.push_str(&format!("; from {level} on, the worst error of a picture is {error} levels in the mean"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_meaning_of_a_map_is_told_in_its_own_levels() {
        let calibrated = Calibration { error_range: 51.0, trusted: Some((0.9, 25.0)) };
        let text = meaning(Some(calibrated));
        assert_eq!(
            text,
            "each 5 levels below white stand for 1 grey level of expected error; from 230 on, the worst error of a picture \
             is 25 levels in the mean"
        );
        assert!(meaning(None).contains("not calibrated"));
    }
}
