//! Numbers of a calibrated confidence map, shared by the engine that makes it and the evaluation that fits it.

/// Grey levels of 255 that a confidence of 0 stands for: an 8-bit map loses 5 of its levels for each level of error.
pub const ERROR_RANGE: f64 = 51.0;

/// Side, in pixels, of the windows over which the errors of a threshold are means: a single pixel is no fault that anybody
/// sees.
pub const ERROR_WINDOW: usize = 9;

/// The expected error of a doubt: linear between points [doubt, error] of rising doubt, level beyond them; 0 without points.
pub fn expected_error(points: &[[f64; 2]], doubt: f64) -> f64 {
    let next = points.partition_point(|point| point[0] <= doubt);
    match (next.checked_sub(1).map(|last| points[last]), points.get(next)) {
        (Some([from, low]), Some([to, high])) => low + (high - low) * (doubt - from) / (to - from),
        (Some([_, error]), None) => error,
        (None, first) => first.map_or(0.0, |[_, error]| *error),
    }
}
