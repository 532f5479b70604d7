//! Policy for embedded colour profiles: handed on untouched where they describe the result, left out where they lie.

use crate::Channels;

/// Whether a profile describes samples of these channels. A profile of a CMYK photograph says nothing about the RGB that
/// was made of it, and a grey one nothing about colour.
///
/// The colour space is the four letters at byte 16 of every ICC profile (ICC.1:2022, section 7.2).
pub fn fits(profile: &[u8], channels: Channels) -> bool {
    let expected: &[u8] = match channels {
        Channels::Gray | Channels::GrayAlpha => b"GRAY",
        Channels::Rgb | Channels::RgbAlpha => b"RGB ",
    };
    profile.get(16..20) == Some(expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_colour_space_decides() {
        let profile = |space: &[u8; 4]| [&[0; 16], space.as_slice(), &[0; 108]].concat();
        assert!(fits(&profile(b"RGB "), Channels::RgbAlpha));
        assert!(fits(&profile(b"GRAY"), Channels::Gray));
        assert!(!fits(&profile(b"CMYK"), Channels::Rgb));
        assert!(!fits(&profile(b"GRAY"), Channels::Rgb));
        assert!(!fits(b"short", Channels::Rgb));
    }
}
