//! Bicubic enlargement, a row at a time, of what travels beside the model: cubic convolution (Keys, *Cubic convolution
//! interpolation for digital image processing*, IEEE ASSP 1981, a = -1/2; also known as Catmull-Rom).

/// Four positions along a side of the original, and their weights.
type Taps = [(usize, f32); 4];

/// An enlargement from one size to another; both have pixels.
pub struct Enlargement {
    from: (usize, usize),
    to: (usize, usize),
    columns: Vec<Taps>,
}

impl Enlargement {
    /// Width and height of the original and of the result.
    pub fn new(from: (usize, usize), to: (usize, usize)) -> Self {
        Self { from, to, columns: (0..to.0).map(|x| taps(x, to.0, from.0)).collect() }
    }

    /// Row `y` of the result. `row` gives rows of the original, with `channels` samples side by side for each pixel: at
    /// most four, and the same for many rows of the result.
    pub fn row<R: AsRef<[f32]>>(&self, y: usize, channels: usize, mut row: impl FnMut(usize) -> R) -> Vec<f32> {
        if self.from == self.to {
            return row(y).as_ref().to_vec();
        }
        // Between the rows first, so that one row is left.
        let mut between = vec![0f32; self.from.0 * channels];
        for (tap, weight) in taps(y, self.to.1, self.from.1) {
            between.iter_mut().zip(row(tap).as_ref()).for_each(|(sum, sample)| *sum += weight * sample);
        }
        let mut enlarged = vec![0f32; self.to.0 * channels];
        for (taps, pixel) in self.columns.iter().zip(enlarged.chunks_exact_mut(channels)) {
            for (x, weight) in taps {
                let samples = &between[x * channels..(x + 1) * channels];
                pixel.iter_mut().zip(samples).for_each(|(sum, sample)| *sum += weight * sample);
            }
        }
        enlarged
    }
}

/// The four positions around a position of the result.
fn taps(at: usize, to: usize, from: usize) -> Taps {
    let place = (at as f64 + 0.5) * from as f64 / to as f64 - 0.5;
    let first = place.floor();
    let t = (place - first) as f32;
    let (t2, t3) = (t * t, t * t * t);
    let weights = [
        (-t3 + 2.0 * t2 - t) / 2.0,
        (3.0 * t3 - 5.0 * t2 + 2.0) / 2.0,
        (-3.0 * t3 + 4.0 * t2 + t) / 2.0,
        (t3 - t2) / 2.0,
    ];
    let mut taps = [(0, 0.0); 4];
    for ((tap, weight), offset) in taps.iter_mut().zip(weights).zip([-1.0, 0.0, 1.0, 2.0]) {
        *tap = ((first + offset).clamp(0.0, from.saturating_sub(1) as f64) as usize, weight);
    }
    taps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enlarged(samples: &[f32], channels: usize, from: (usize, usize), to: (usize, usize)) -> Vec<f32> {
        let line = from.0 * channels;
        let row = |y: usize| &samples[y * line..(y + 1) * line];
        let enlargement = Enlargement::new(from, to);
        (0..to.1).flat_map(|y| enlargement.row(y, channels, row)).collect()
    }

    /// Cubic convolution gives straight lines and parabolas back, away from the edges.
    #[test]
    fn a_parabola_is_enlarged_to_itself() {
        let curve = |x: f32, y: f32| 0.01 * (x * x - 3.0 * x * y + 2.0 * y);
        let samples: Vec<_> =
            (0..128).map(|at| (at % 2) as f32 + curve((at / 2 % 8) as f32, (at / 16) as f32)).collect();
        for scale in [2, 3, 4] {
            let side = 8 * scale;
            let found = enlarged(&samples, 2, (8, 8), (side, side));
            assert_eq!(found.len(), 2 * side * side);
            for (at, value) in found.iter().enumerate() {
                let place = |at: usize| (at as f32 + 0.5) / scale as f32 - 0.5;
                let (x, y) = (place(at / 2 % side), place(at / 2 / side));
                if (2.0..5.0).contains(&x) && (2.0..5.0).contains(&y) {
                    let expected = (at % 2) as f32 + curve(x, y);
                    assert!((value - expected).abs() < 1e-5, "{x}, {y}: {value}, not {expected}");
                }
            }
        }
    }

    #[test]
    fn the_same_size_gives_the_samples_and_edges_go_on() {
        let samples = [0.1, 0.7, 0.3, 0.9];
        assert_eq!(enlarged(&samples, 1, (2, 2), (2, 2)), samples);
        let even = enlarged(&[0.5], 1, (1, 1), (3, 2));
        assert!(even.len() == 6 && even.iter().all(|sample| (sample - 0.5).abs() < 1e-6), "{even:?}");
    }
}
