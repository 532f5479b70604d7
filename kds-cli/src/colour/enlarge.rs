//! Bicubic enlargement, a row at a time, of what travels beside the model.

/// Rows of floating-point pixels that can be enlarged.
pub struct Rows {
    /// Row by row.
    pub samples: Vec<f32>,
    /// In pixels.
    pub width: usize,
    /// In pixels.
    pub height: usize,
    /// Channels of a pixel.
    pub channels: usize,
}

impl Rows {
    /// Row `y` of the enlargement to this size.
    pub fn enlarged(&self, y: usize, width: usize, height: usize) -> Vec<f32> {
        let line = self.width * self.channels;
        if (width, height) == (self.width, self.height) {
            return self.samples[y * line..][..line].to_vec();
        }
        // Between the rows first, so that one row is left.
        let (taps, weights) = taps(y, height, self.height);
        let mut row = vec![0.0; line];
        for (tap, weight) in taps.into_iter().zip(weights) {
            row.iter_mut().zip(&self.samples[tap * line..][..line]).for_each(|(sum, sample)| *sum += weight * sample);
        }
        let mut enlarged = Vec::with_capacity(width * self.channels);
        for x in 0..width {
            let (taps, weights) = self::taps(x, width, self.width);
            for channel in 0..self.channels {
                enlarged.push(
                    taps.iter().zip(weights).map(|(tap, weight)| weight * row[tap * self.channels + channel]).sum(),
                );
            }
        }
        enlarged
    }
}

/// The four places around a place of the enlargement, and their weights (Catmull-Rom).
fn taps(at: usize, to: usize, from: usize) -> ([usize; 4], [f32; 4]) {
    let place = (at as f64 + 0.5) * from as f64 / to as f64 - 0.5;
    let first = place.floor();
    let t = (place - first) as f32;
    let taps = [-1.0, 0.0, 1.0, 2.0].map(|offset| (first + offset).clamp(0.0, (from - 1) as f64) as usize);
    let (t2, t3) = (t * t, t * t * t);
    let weights = [
        (-t3 + 2.0 * t2 - t) / 2.0,
        (3.0 * t3 - 5.0 * t2 + 2.0) / 2.0,
        (-3.0 * t3 + 4.0 * t2 + t) / 2.0,
        (t3 - t2) / 2.0,
    ];
    (taps, weights)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_and_ramps_stay() {
        let rows = Rows { samples: (0..24).map(|at| (at / 2 % 4) as f32).collect(), width: 4, height: 3, channels: 2 };
        let row = rows.enlarged(5, 16, 12);
        assert_eq!(row.len(), 32);
        // In the middle, where no edge is near, the ramp goes on in steps of a quarter.
        assert!((row[2 * 8] - 1.625).abs() < 1e-5 && (row[2 * 8 + 1] - 1.625).abs() < 1e-5, "{row:?}");
        assert_eq!(rows.enlarged(1, 4, 3), rows.samples[8..16]);
    }
}
