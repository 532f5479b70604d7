//! Pictures of four inks, which the model does not know: converted to sRGB for good.

use anyhow::anyhow;
use moxcms::{DataColorSpace, Layout, TransformF32Executor};

use super::{
    Sample,
    convert::{options, parse, srgb},
    lab::{decode, encode},
};

/// Pixels that are converted at a time.
const AT_A_TIME: usize = 4096;

/// sRGB of the amounts of cyan, magenta, yellow and black, and what a person should know.
///
/// # Errors
/// When the profile makes no colours of the inks.
pub fn cmyk_to_srgb<T: Sample>(inks: &[T], profile: Option<&[u8]>) -> anyhow::Result<(Vec<T>, String)> {
    let conversion = profile.map(conversion).transpose();
    let (conversion, note) = match conversion {
        Ok(Some(conversion)) => {
            (Some(conversion), "its four inks are converted to sRGB by their colour profile".to_owned())
        }
        Ok(None) => (None, "its four inks have no colour profile, so that their colours are a guess".to_owned()),
        Err(error) => (
            None,
            format!(
                "the colour profile of its four inks cannot be applied ({error}), so that their colours are a guess"
            ),
        ),
    };
    let black = conversion.as_ref().map_or(0.0, black);
    let mut colours = Vec::with_capacity(inks.len() / 4 * 3);
    for inks in inks.chunks(4 * AT_A_TIME) {
        let inks: Vec<f32> = inks.iter().map(|ink| ink.to_unit()).collect();
        let converted = match &conversion {
            Some(conversion) => {
                let mut converted = vec![0.0; inks.len() / 4 * 3];
                conversion
                    .transform(&inks, &mut converted)
                    .map_err(|error| anyhow!("its inks cannot be converted ({error}); convert it to RGB"))?;
                converted.iter_mut().for_each(|value| *value = encode((decode(*value) - black) / (1.0 - black)));
                converted
            }
            None => inks
                .as_chunks::<4>()
                .0
                .iter()
                .flat_map(|[c, m, y, k]| [c, m, y].map(|ink| (1.0 - ink) * (1.0 - k)))
                .collect(),
        };
        colours.extend(converted.into_iter().map(|value| T::from_unit(value.clamp(0.0, 1.0))));
    }
    Ok((colours, note))
}

/// How much light the darkest inks leave. All of it is taken off, or shadows would be grey: the compensation of black
/// points (ISO 18619).
fn black(conversion: &std::sync::Arc<TransformF32Executor>) -> f32 {
    let mut darkest = [0.0; 3];
    if conversion.transform(&[1.0; 4], &mut darkest).is_err() {
        return 0.0;
    }
    let [red, green, blue] = darkest.map(decode);
    (0.2126 * red + 0.7152 * green + 0.0722 * blue).clamp(0.0, 0.1)
}

fn conversion(profile: &[u8]) -> anyhow::Result<std::sync::Arc<TransformF32Executor>> {
    let space = parse(profile)?;
    if space.color_space != DataColorSpace::Cmyk {
        return Err(anyhow!("it is not of four inks"));
    }
    // Four channels are laid out as colours with alpha are.
    space.create_transform_f32(Layout::Rgba, &srgb(), Layout::Rgb, options()).map_err(|error| anyhow!("{error}"))
}
