//! Lab, in which scanners and proofs are kept.

/// The colour in sRGB, cut to its range. Lab is relative to the white of daylight at 5000 K, as in profiles.
pub fn of_lab(lightness: f32, a: f32, b: f32) -> [f32; 3] {
    // From XYZ under that white to linear sRGB (sRGB profile of the ICC, inverted).
    const TO_SRGB: [[f32; 3]; 3] =
        [[3.134_136, -1.617_386, -0.490_663], [-0.978_795, 1.916_254, 0.033_443], [0.071_955, -0.228_977, 1.405_386]];
    const WHITE: [f32; 3] = [0.9642, 1.0, 0.8249];
    let y = (lightness + 16.0) / 116.0;
    let xyz = [(y + a / 500.0, WHITE[0]), (y, WHITE[1]), (y - b / 200.0, WHITE[2])];
    let xyz = xyz.map(|(value, white)| {
        white * if value > 6.0 / 29.0 { value.powi(3) } else { (value - 4.0 / 29.0) * 108.0 / 841.0 }
    });
    TO_SRGB.map(|row| encode(row.iter().zip(xyz).map(|(factor, value)| factor * value).sum()))
}

/// Light as sRGB stores it.
pub fn encode(linear: f32) -> f32 {
    let linear = linear.clamp(0.0, 1.0);
    if linear <= 0.003_130_8 { linear * 12.92 } else { 1.055 * linear.powf(1.0 / 2.4) - 0.055 }
}

/// Light of what sRGB stores.
pub fn decode(stored: f32) -> f32 {
    let stored = stored.clamp(0.0, 1.0);
    if stored <= 0.040_45 { stored / 12.92 } else { ((stored + 0.055) / 1.055).powf(2.4) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_colours() {
        // Of the primaries of sRGB under the white of 5000 K, by littleCMS.
        for ((l, a, b), expected) in [
            ((100.0, 0.0, 0.0), [1.0, 1.0, 1.0]),
            ((0.0, 0.0, 0.0), [0.0, 0.0, 0.0]),
            ((53.39, 0.0, 0.0), [0.5, 0.5, 0.5]),
            ((54.29, 80.81, 69.89), [1.0, 0.0, 0.0]),
            ((29.57, 68.29, -112.03), [0.0, 0.0, 1.0]),
        ] {
            for (got, expected) in of_lab(l, a, b).into_iter().zip(expected) {
                assert!((got - expected).abs() < 0.01, "{l} {a} {b}: {got} {expected}");
            }
        }
    }
}
