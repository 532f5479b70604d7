//! Grey pictures: a picture without colour is restored without colour.

/// Largest difference between the planes of a grey pixel, in 0..1: half an 8-bit level, for conversions between colour spaces
/// that round.
const TOLERANCE: f32 = 0.5 / 255.0;

/// Shares of red, green and blue in the luma (Rec. 601), of sRGB-encoded values.
const LUMA: [f32; 3] = [0.299, 0.587, 0.114];

/// True where red, green and blue are equal at every pixel: `values` are three planes of the same length.
pub fn is_grey(values: &[f32]) -> bool {
    let (red, green, blue) = planes(values);
    let near = |a: &f32, b: &f32| (a - b).abs() <= TOLERANCE;
    red.iter().zip(green).zip(blue).all(|((red, green), blue)| near(red, green) && near(green, blue))
}

/// Replaces every pixel of three planes by its luma.
pub fn remove_colour(values: &mut [f32]) {
    let count = values.len() / 3;
    let (red, rest) = values.split_at_mut(count);
    let (green, blue) = rest.split_at_mut(count);
    for ((red, green), blue) in red.iter_mut().zip(green).zip(blue) {
        let luma = LUMA[0] * *red + LUMA[1] * *green + LUMA[2] * *blue;
        (*red, *green, *blue) = (luma, luma, luma);
    }
}

fn planes(values: &[f32]) -> (&[f32], &[f32], &[f32]) {
    let (red, rest) = values.split_at(values.len() / 3);
    let (green, blue) = rest.split_at(rest.len() / 2);
    (red, green, blue)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_planes_are_grey_and_a_tint_is_not() {
        assert!(is_grey(&[0.1, 0.9, 0.1, 0.9, 0.1, 0.9]));
        assert!(is_grey(&[0.1, 0.9, 0.1, 0.9 + 0.001, 0.1, 0.9]));
        assert!(!is_grey(&[0.1, 0.9, 0.1, 0.9 + 1.0 / 255.0, 0.1, 0.9]));
    }

    #[test]
    fn without_colour_the_luma_is_left() {
        let mut values = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
        remove_colour(&mut values);
        assert_eq!(values, [0.299, 0.587, 0.114, 0.299, 0.587, 0.114, 0.299, 0.587, 0.114]);
        assert!(is_grey(&values));
    }
}
