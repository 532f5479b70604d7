//! Colour profiles: which can be used, and profiles of spaces that files name in other ways.

use anyhow::{anyhow, bail};
use kds_host::Channels;
use moxcms::{
    Chromaticity, CicpColorPrimaries, CicpProfile, ColorPrimaries, ColorProfile, MatrixCoefficients, ToneReprCurve,
    TransferCharacteristics,
};

use super::convert::{self, Converter};

/// White and the three primaries, as x and y.
pub type Primaries = [(f32, f32); 4];

/// White and primaries of sRGB.
const SRGB_PRIMARIES: Primaries = [(0.3127, 0.329), (0.64, 0.33), (0.3, 0.6), (0.15, 0.06)];
/// White and primaries of Adobe RGB.
const ADOBE_RGB_PRIMARIES: Primaries = [(0.3127, 0.329), (0.64, 0.33), (0.21, 0.71), (0.15, 0.06)];
/// The exponent that is written for sRGB, and stands for it.
const SRGB_GAMMA: f32 = 0.45455;

/// The profile if it fits the channels and can be applied, and what a person should know otherwise.
pub fn usable(profile: Option<Vec<u8>>, channels: Channels) -> (Option<Vec<u8>>, Option<String>) {
    let Some(profile) = profile else { return (None, None) };
    if !fits(&profile, channels) {
        return (None, Some("its colour profile is not for these channels and is left out".to_owned()));
    }
    match Converter::of(&profile) {
        Ok(_) => (Some(profile), None),
        Err(error) => {
            let note = format!(
                "its colour profile cannot be applied ({error}) and is left out, so that its colours are taken for sRGB"
            );
            (None, Some(note))
        }
    }
}

/// Refuses a profile whose code points name a curve of high dynamic range (ICC.1:2022, section 9.2.17): only a display knows
/// what its levels are in a standard range.
///
/// # Errors
/// For PQ and HLG.
pub fn refuse_high_range(profile: &[u8]) -> anyhow::Result<()> {
    let points = convert::parse(profile).ok().and_then(|profile| profile.cicp);
    match points.map(|points| points.transfer_characteristics as u8) {
        Some(transfer @ (PQ | HLG)) => Err(high_range(transfer)),
        _ => Ok(()),
    }
}

/// Code points of curves (ITU-T H.273, table 3).
const PQ: u8 = 16;
const HLG: u8 = 18;

fn high_range(transfer: u8) -> anyhow::Error {
    let name = if transfer == PQ { "PQ" } else { "HLG" };
    anyhow!("is of high dynamic range ({name}), which is not treated; convert it to a standard range, or to OpenEXR")
}

/// Compares the colour space of a profile with these channels: grey or RGB, by the four letters at byte 16 (ICC.1:2022,
/// section 7.2). What the letters do not tell, [`usable`] does.
pub fn fits(profile: &[u8], channels: Channels) -> bool {
    let expected: &[u8] = match channels {
        Channels::Gray | Channels::GrayAlpha => b"GRAY",
        Channels::Rgb | Channels::RgbAlpha => b"RGB ",
    };
    profile.get(16..20) == Some(expected)
}

/// The profile of RGB whose equal channels are the grey of this one; `None` where it is no simple one of grey.
pub fn of_equal_channels(grey: &[u8]) -> Option<Vec<u8>> {
    let curve = convert::parse(grey).ok()?.gray_trc?;
    encode(&rgb(curve, SRGB_PRIMARIES).ok()?).ok()
}

/// A profile of linear light with the primaries of sRGB.
///
/// # Errors
/// Never for this one.
pub fn linear_srgb() -> anyhow::Result<Vec<u8>> {
    encode(&rgb(ToneReprCurve::Parametric(vec![1.0]), SRGB_PRIMARIES)?)
}

/// The profile of Adobe RGB.
///
/// # Errors
/// Never for this one.
pub fn adobe_rgb() -> anyhow::Result<Vec<u8>> {
    /// The exponent in the profile that Adobe publishes.
    const GAMMA: f32 = 2.199_218_8;
    encode(&rgb(ToneReprCurve::Parametric(vec![GAMMA]), ADOBE_RGB_PRIMARIES)?)
}

/// The profile of a space given by an exponent (of the encoding: 1 is linear) and primaries; `None` for sRGB.
///
/// # Errors
/// When they make no colours.
pub fn of_gamma_and_primaries(
    gamma: Option<f32>,
    primaries: Option<Primaries>,
    grey: bool,
) -> anyhow::Result<Option<Vec<u8>>> {
    let usual_gamma = gamma.is_none_or(|gamma| (gamma - SRGB_GAMMA).abs() < 0.005);
    let near = |(a, b): (&(f32, f32), &(f32, f32))| (a.0 - b.0).abs() < 0.005 && (a.1 - b.1).abs() < 0.005;
    let usual_primaries = primaries.is_none_or(|points| points.iter().zip(&SRGB_PRIMARIES).all(near));
    if usual_gamma && (usual_primaries || grey) {
        return Ok(None);
    }
    let curve = match gamma {
        Some(gamma) if !usual_gamma => {
            if !(0.05..=5.0).contains(&gamma) {
                bail!("has a gamma that makes no colours ({gamma}); remove its gAMA chunk");
            }
            ToneReprCurve::Parametric(vec![1.0 / gamma])
        }
        _ => srgb_curve()?,
    };
    let profile = if grey { convert::grey(Some(curve)) } else { rgb(curve, primaries.unwrap_or(SRGB_PRIMARIES))? };
    encode(&profile).map(Some)
}

/// The profile of a space given by code points (ITU-T H.273); `None` for sRGB.
///
/// # Errors
/// For high dynamic range, and for what the code points do not define.
pub fn of_code_points(primaries: u8, transfer: u8, grey: bool) -> anyhow::Result<Option<Vec<u8>>> {
    const BT709: u8 = 1;
    const SRGB: u8 = 13;
    match (primaries, transfer) {
        (BT709, SRGB) => return Ok(None),
        (_, SRGB) if grey => return Ok(None),
        (_, PQ | HLG) => return Err(high_range(transfer)),
        _ => {}
    }
    let unknown = || anyhow!("has colours of unknown code points ({primaries} and {transfer}); convert it to sRGB");
    let space = ColorProfile::new_from_cicp(CicpProfile {
        color_primaries: CicpColorPrimaries::try_from(primaries).map_err(|_| unknown())?,
        transfer_characteristics: TransferCharacteristics::try_from(transfer).map_err(|_| unknown())?,
        matrix_coefficients: MatrixCoefficients::Identity,
        full_range: true,
    });
    let Some(curve) = space.red_trc.clone() else { return Err(unknown()) };
    let mut space = if grey { convert::grey(Some(curve)) } else { space };
    // The curve says it as well, and readers differ in what they make of both.
    space.cicp = None;
    encode(&space).map(Some)
}

fn rgb(curve: ToneReprCurve, [white, red, green, blue]: Primaries) -> anyhow::Result<ColorProfile> {
    let point = |(x, y)| Chromaticity::new(x, y);
    if white.1 <= 0.0 || [white, red, green, blue].iter().any(|(x, y)| !x.is_finite() || !y.is_finite()) {
        bail!("has primaries that make no colours; convert it to sRGB");
    }
    let mut profile = convert::srgb();
    profile.cicp = None;
    profile.description = None;
    profile.update_rgb_colorimetry(
        point(white).to_xyyb(),
        ColorPrimaries { red: point(red), green: point(green), blue: point(blue) },
    );
    profile.red_trc = Some(curve.clone());
    profile.green_trc = Some(curve.clone());
    profile.blue_trc = Some(curve);
    Ok(profile)
}

fn srgb_curve() -> anyhow::Result<ToneReprCurve> {
    convert::srgb().red_trc.ok_or_else(|| anyhow!("sRGB has no curve; please report this"))
}

/// The profile with each tag, and its end, at a multiple of four bytes (ICC.1:2022, section 7.1): libpng ignores it otherwise.
/// Curves of a single number are shorter. `None` where the table of tags is broken.
fn aligned(profile: &[u8]) -> Option<Vec<u8>> {
    const TABLE: usize = 128;
    let number = |at: usize| Some(u32::from_be_bytes(*profile.get(at..)?.first_chunk()?) as usize);
    // The number of tags, and of each its name, offset and length.
    let count = number(TABLE)?;
    let mut aligned = profile.get(..TABLE + 4 + 12 * count)?.to_vec();
    for entry in (0..count).map(|index| TABLE + 4 + 12 * index) {
        let (start, length) = (number(entry + 4)?, number(entry + 8)?);
        let place = u32::try_from(aligned.len()).ok()?.to_be_bytes();
        aligned.get_mut(entry + 4..entry + 8)?.copy_from_slice(&place);
        aligned.extend(profile.get(start..start.checked_add(length)?)?);
        aligned.resize(aligned.len().next_multiple_of(4), 0);
    }
    Some(aligned)
}

fn encode(profile: &ColorProfile) -> anyhow::Result<Vec<u8>> {
    let profile =
        profile.encode().map_err(|error| anyhow!("its colour space makes no profile ({error}); convert it to sRGB"))?;
    let mut profile = aligned(&profile).ok_or_else(|| anyhow!("its profile has no sound table; please report it"))?;
    // The illuminant of the connection space is D50, in the rounding that the standard gives (section 7.2.16).
    if let Some(illuminant) = profile.get_mut(68..80) {
        illuminant.copy_from_slice(&[0x00, 0x00, 0xf6, 0xd6, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0xd3, 0x2d]);
    }
    let length = u32::try_from(profile.len())?.to_be_bytes();
    profile.get_mut(..4).into_iter().for_each(|start| start.copy_from_slice(&length));
    Ok(profile)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_fit_channels_of_their_space() {
        let profile = |space: &[u8; 4]| [&[0; 16], space.as_slice(), &[0; 108]].concat();
        assert!(fits(&profile(b"RGB "), Channels::RgbAlpha));
        assert!(fits(&profile(b"GRAY"), Channels::Gray));
        assert!(!fits(&profile(b"CMYK"), Channels::Rgb));
        assert!(!fits(&profile(b"GRAY"), Channels::Rgb));
        assert!(!fits(b"short", Channels::Rgb));
    }

    #[test]
    fn srgb_needs_no_profile_however_it_is_said() {
        assert_eq!(of_gamma_and_primaries(Some(0.45455), None, false).unwrap(), None);
        assert_eq!(of_gamma_and_primaries(Some(0.45455), Some(SRGB_PRIMARIES), false).unwrap(), None);
        assert_eq!(of_code_points(1, 13, false).unwrap(), None);
        let srgb = ColorProfile::new_srgb().encode().unwrap();
        assert!(Converter::of(&srgb).unwrap().is_srgb().unwrap());
    }

    #[test]
    fn other_spaces_are_told_from_srgb() {
        let p3 = [(0.3127, 0.329), (0.68, 0.32), (0.265, 0.69), (0.15, 0.06)];
        for profile in [
            of_gamma_and_primaries(Some(1.0), None, false),
            of_gamma_and_primaries(Some(0.55556), None, true),
            of_gamma_and_primaries(None, Some(p3), false),
            of_code_points(12, 13, false),
            of_code_points(9, 14, false),
            linear_srgb().map(Some),
        ] {
            let profile = profile.unwrap().unwrap();
            let converter = Converter::of(&profile).unwrap();
            assert!(!converter.is_srgb().unwrap());
        }
        let linear = linear_srgb().unwrap();
        assert_eq!(linear.len() % 4, 0);
        assert_eq!(linear[..4], (linear.len() as u32).to_be_bytes());
        assert!(Converter::of(&linear).unwrap().is_linear().unwrap());
        assert!(!Converter::of(&ColorProfile::new_adobe_rgb().encode().unwrap()).unwrap().is_linear().unwrap());
    }

    #[test]
    fn spaces_that_cannot_be_treated_are_refused_by_name() {
        assert!(of_code_points(9, 16, false).unwrap_err().to_string().contains("PQ"));
        assert!(of_code_points(9, 18, false).unwrap_err().to_string().contains("HLG"));
        assert!(of_code_points(200, 13, false).is_err());
        let mut profile = ColorProfile::new_bt2020_pq();
        assert!(refuse_high_range(&profile.encode().unwrap()).unwrap_err().to_string().contains("PQ"));
        profile.cicp = None;
        refuse_high_range(&profile.encode().unwrap()).unwrap();
        refuse_high_range(&ColorProfile::new_display_p3().encode().unwrap()).unwrap();
        assert!(of_gamma_and_primaries(Some(0.0), None, false).is_err());
        assert!(of_gamma_and_primaries(None, Some([(0.3, 0.0); 4]), false).is_err());
        let (profile, note) = usable(Some(crate::testing::profile(b"GRAY")), Channels::Rgb);
        assert!(profile.is_none() && note.unwrap().contains("not for these channels"));
        let header = &crate::testing::profile(b"RGB ")[..132];
        let (profile, note) = usable(Some(header.to_vec()), Channels::Rgb);
        assert!(profile.is_none() && note.unwrap().contains("cannot be applied"));
    }
}
