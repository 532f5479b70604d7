//! The vector that the fused kernel computes with, one lane to a pixel.
//!
//! Plain arrays and plain loops, which the compiler turns into the vector instructions of the processor at hand. No
//! fused multiply-add and no reassociation: every processor gives the same bits.

/// One register of AVX-512, two of AVX2, four of SSE or NEON; also one cache line.
pub(super) const LANES: usize = 16;

/// Values of neighbouring pixels (or patches), aligned so that a vector load never crosses a cache line.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub(super) struct Lanes(pub [f32; LANES]);

impl Lanes {
    /// The same value in all lanes.
    #[inline(always)]
    pub(super) fn splat(value: f32) -> Self {
        Self([value; LANES])
    }
}

macro_rules! lane_by_lane {
    ($($Trait:ident $method:ident $operator:tt),+ $(,)?) => {$(
        impl std::ops::$Trait for Lanes {
            type Output = Self;

            #[inline(always)]
            fn $method(mut self, other: Self) -> Self {
                for (own, other) in self.0.iter_mut().zip(other.0) {
                    *own $operator other;
                }
                self
            }
        }
    )+};
}

lane_by_lane!(Add add +=, Sub sub -=, Mul mul *=, Div div /=);

impl std::ops::Index<usize> for Lanes {
    type Output = f32;

    #[inline(always)]
    fn index(&self, lane: usize) -> &f32 {
        &self.0[lane]
    }
}

impl std::ops::IndexMut<usize> for Lanes {
    #[inline(always)]
    fn index_mut(&mut self, lane: usize) -> &mut f32 {
        &mut self.0[lane]
    }
}

/// exp(−v) for v ≥ 0 to about one unit in the last place, levelling off at exp(−87), the smallest normal number.
///
/// The standard library's `exp` is a call for each lane. This is the usual scheme: split off a power of two, and expand
/// the rest, |r| ≤ ln(2)/2, into its series (coefficients of the Cephes library's `expf`).
#[inline(always)]
pub(super) fn exp_of_negative(v: f32) -> f32 {
    /// Adding 1.5·2²³ rounds to a whole number and leaves it in the low bits.
    const ROUND: f32 = 12_582_912.0;
    /// ln 2 in two parts, the first exact when multiplied by a small whole number.
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    const SERIES: [f32; 6] = [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5];

    let x = if v < 87.0 { -v } else { -87.0 };
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let power = rounded - ROUND;
    let r = (x - power * LN_2[0]) - power * LN_2[1];
    let mut series = SERIES[0];
    for coefficient in &SERIES[1..] {
        series = series * r + coefficient;
    }
    let two_to_the_power = f32::from_bits(rounded.to_bits().wrapping_add(127) << 23);
    (series * r * r + r + 1.0) * two_to_the_power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_is_accurate_over_its_whole_range() {
        for step in 0..870_000 {
            let v = step as f32 * 1e-4;
            let exact = (-f64::from(v)).exp();
            assert!((f64::from(exp_of_negative(v)) / exact - 1.0).abs() < 2e-7, "exp(-{v})");
        }
        assert_eq!(exp_of_negative(0.0), 1.0);
        assert!(exp_of_negative(1e30) < 2e-38 && exp_of_negative(f32::INFINITY) < 2e-38);
    }
}
