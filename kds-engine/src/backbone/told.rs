//! What a model of others tells of itself, checked before anything is built upon it.

use super::{SCALES, Spec};

/// The spec, or what is impossible about it.
pub fn checked(spec: Spec) -> Result<Spec, String> {
    let ranges = [
        ("scale", spec.scale, SCALES),
        ("latent_channels", spec.latent_channels, 1..=4096),
        ("downscale", spec.downscale, 1..=64),
        ("multiple", spec.multiple, 1..=1024),
        ("largest_side", spec.largest_side, 1..=1 << 16),
        ("overlap", spec.overlap, 0..=1 << 12),
        ("activation_bytes", spec.activation_bytes, 0..=1 << 30),
    ];
    for (name, value, range) in ranges {
        if !range.contains(&value) {
            return Err(format!("its {name} is {value}; {} to {} are possible", range.start(), range.end()));
        }
    }
    let Spec { multiple, downscale, .. } = spec;
    if !multiple.is_multiple_of(downscale) {
        return Err(format!("its multiple, {multiple}, is not a multiple of its downscale, {downscale}"));
    }
    if spec.fills_holes && spec.scale != 1 {
        return Err("it fills holes, so its scale must be 1".to_owned());
    }
    if !(spec.latent_std > 0.0 && spec.latent_std.is_finite()) {
        return Err(format!("its latent_std is {}, not a positive number", spec.latent_std));
    }
    Ok(Spec { largest_side: spec.largest_side.max(multiple), ..spec })
}
