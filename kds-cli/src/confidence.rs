//! The confidence map: a grey picture, white where the result can be relied on and black where it is invention.

use kds_host::{Calibration, Channels, Depth, Error, Format, Image};

/// A map to be filled, of the output's size.
///
/// # Errors
/// When there is no memory for it.
pub fn new_map(width: u32, height: u32) -> Result<Image, Error> {
    Image::new(Format { channels: Channels::Gray, depth: Depth::U8 }, width, height)
}

/// The values of a model's maps, in words. The threshold holds for several particles only.
pub fn meaning(calibration: Option<Calibration>, several: bool) -> String {
    let Some(Calibration { error_range, trusted }) = calibration else {
        let agree = if several { "the particles agree" } else { "the first network's prediction is kept" };
        return format!("white where {agree}, black where the difference is that of photographs; not calibrated");
    };
    let levels = 255.0 / error_range;
    let mut text = format!("each {levels:.0} levels below white stand for 1 grey level of expected error");
    if let Some((confidence, error)) = trusted.filter(|_| several) {
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
        let error = "each 5 levels below white stand for 1 grey level of expected error";
        assert_eq!(
            meaning(Some(calibrated), true),
            format!("{error}; from 230 on, the worst error of a picture is 25 levels in the mean")
        );
        assert_eq!(meaning(Some(calibrated), false), error);
        assert!(meaning(None, true).starts_with("white where the particles agree"));
        assert!(meaning(None, false).starts_with("white where the first network's prediction is kept"));
    }
}
