//! Coring: small changes of a photograph are left out, as they are more often an error of the network than a repair.
//!
//! Of a change whose mean square in a neighbourhood is e, the share max(0, 1 - t² / e) is kept: the Wiener filter for a change
//! that has noise of variance t² in it (Lee, *Digital image enhancement and noise filtering by use of local statistics*, IEEE
//! PAMI 1980). The name is that of the same idea for single samples (Rossi, *Digital techniques for reducing television noise*,
//! SMPTE Journal 1978).

use tch::Tensor;

use crate::Result;

/// Coring of the changes that a model makes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Coring {
    /// Standard deviation of the error in a change, for pixels in -1..1.
    pub threshold: f64,
    /// Side of the neighbourhood in pixels, odd.
    pub window: i64,
}

impl Coring {
    /// `restored` with small changes of `image` left out, both `1 x C x h x w`.
    pub fn apply(&self, image: &Tensor, restored: &Tensor) -> Result<Tensor> {
        let change = restored.f_sub(image)?;
        Ok(image.f_add(&change.f_mul(&self.share(&change)?)?)?)
    }

    /// Share of a change, `1 x C x h x w`, that is kept: `1 x 1 x h x w` in 0..1.
    pub fn share(&self, change: &Tensor) -> Result<Tensor> {
        let energy = self.mean(&change.f_square()?.f_mean_dim([1i64].as_slice(), true, None)?)?;
        // Where nothing changes, the share does not matter.
        let left_out = energy.f_clamp_min(1e-12)?.f_reciprocal()?.f_mul_scalar(self.threshold.powi(2))?;
        Ok(left_out.f_rsub_scalar(1.0)?.f_clamp_min(0.0)?)
    }

    /// Mean of the neighbourhood of each pixel, as far as that is in the picture.
    fn mean(&self, x: &Tensor) -> Result<Tensor> {
        let Self { window, .. } = *self;
        Ok(x.f_avg_pool2d([window, window], [1, 1], [window / 2, window / 2], false, false, None)?)
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    /// The same in loops.
    fn slowly(coring: Coring, image: &Tensor, restored: &Tensor) -> Tensor {
        let (_, channels, height, width) = image.size4().unwrap();
        let at = |x: &Tensor, c: i64, y: i64, x_: i64| x.double_value(&[0, c, y, x_]);
        let change = |c, y, x| at(restored, c, y, x) - at(image, c, y, x);
        let result = restored.copy();
        for y in 0..height {
            for x in 0..width {
                let half = coring.window / 2;
                let (mut sum, mut count) = (0.0, 0.0);
                for v in (y - half).max(0)..=(y + half).min(height - 1) {
                    for u in (x - half).max(0)..=(x + half).min(width - 1) {
                        sum += (0..channels).map(|c| change(c, v, u).powi(2)).sum::<f64>() / channels as f64;
                        count += 1.0;
                    }
                }
                let share = (1.0 - coring.threshold.powi(2) / (sum / count)).max(0.0);
                for c in 0..channels {
                    let value = at(image, c, y, x) + share * change(c, y, x);
                    let _ = result.get(0).get(c).get(y).get(x).fill_(value);
                }
            }
        }
        result
    }

    #[test]
    fn coring_agrees_with_the_formula_in_loops() {
        let _guard = tch::no_grad_guard();
        tch::manual_seed(3);
        let image = Tensor::rand([1, 3, 13, 17], (Kind::Float, Device::Cpu));
        // Changes that grow from left to right.
        let change = Tensor::randn([1, 3, 13, 17], (Kind::Float, Device::Cpu))
            * Tensor::linspace(0.0, 0.1, 17, (Kind::Float, Device::Cpu));
        let restored = &image + change;
        let coring = Coring { threshold: 0.03, window: 5 };
        let found = coring.apply(&image, &restored).unwrap();
        let error = (&found - slowly(coring, &image, &restored)).abs().max().double_value(&[]);
        assert!(error < 1e-6, "off by {error}");
        // The smallest changes are gone, the largest are there.
        assert!((&found - &image).narrow(3, 0, 3).abs().max().double_value(&[]) < 1e-6);
        assert!((&found - &image).narrow(3, 15, 2).abs().max().double_value(&[]) > 0.05);
    }

    #[test]
    fn what_is_not_changed_stays() {
        let _guard = tch::no_grad_guard();
        let image = Tensor::rand([1, 3, 8, 8], (Kind::Float, Device::Cpu));
        assert_eq!(Coring { threshold: 0.02, window: 25 }.apply(&image, &image).unwrap(), image);
    }
}
