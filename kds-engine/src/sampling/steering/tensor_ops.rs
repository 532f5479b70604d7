//! Steering by operations on whole tensors: any device, any stride.
//!
//! Nothing is unfolded, and the picture is worked through in bands of rows, so that what all pairs of particles need at
//! once is bounded whatever their number. The squared difference of two particles, summed over channels and pooled, is every patch
//! distance of the pair at once; and the mean over the patches that cover a pixel of their moves is the move by the mean
//! of their weights, so that weights are spread back over the pixels instead of patches.

use kds_parameters::Bandwidth;
use tch::{Device, Kind, Tensor};

use super::Steering;
use crate::Result;

/// Temporaries of one band may take about as much, in bytes: enough to keep a GPU busy.
pub(crate) const TEMPORARIES: i64 = 256 << 20;

pub(super) fn apply(steering: &Steering, strength: f64, x0: &Tensor) -> Result<Tensor> {
    apply_within(steering, strength, x0, TEMPORARIES)
}

/// As [`apply`], in bands whose temporaries take about so many bytes.
pub(super) fn apply_within(steering: &Steering, strength: f64, x0: &Tensor, temporaries: i64) -> Result<Tensor> {
    let (particles, channels, height, width) = x0.size4()?;
    let (patch, stride) = (steering.patch as i64, steering.stride as i64);
    let pairs = AllPairs::new(particles, x0.device())?;
    // Per row of pixels: distances, weights and shares of all pairs a few times over, and differences of one particle.
    let row = 4 * width * (6 * particles * particles + 3 * particles * channels);
    let rows = (temporaries / row.max(1) / patch).max(1) * patch;
    let mut x = x0.f_detach()?;
    for _ in 0..steering.iterations {
        if rows >= height {
            x = mean_shift(steering, strength, &pairs, &x)?;
            continue;
        }
        let mut moved = Vec::new();
        for first in (0..height).step_by(rows as usize) {
            let last = height.min(first + rows);
            // Every patch that covers a row of the band, whole.
            let start = ((first - patch + 1).max(0) + stride - 1) / stride * stride;
            let end = height.min(last - 1 + patch);
            let band = mean_shift(steering, strength, &pairs, &x.f_narrow(2, start, end - start)?)?;
            moved.push(band.f_narrow(2, first - start, last - first)?);
        }
        x = Tensor::f_cat(&moved, 2)?;
    }
    Ok(x)
}

/// One move of all particles.
fn mean_shift(steering: &Steering, strength: f64, pairs: &AllPairs, x: &Tensor) -> Result<Tensor> {
    let (particles, _, height, width) = x.size4()?;
    let grid = Grid { patch: steering.patch as i64, stride: steering.stride as i64, height, width };
    let distances = grid.sum_over_patches(&pairwise_squares(x)?)?;
    let squared_bandwidth = match steering.bandwidth {
        Bandwidth::Auto(factor) => median(&distances)?.f_mul_scalar(factor * factor)?,
        Bandwidth::Fixed(width) => distances.f_select(0, 0)?.f_full_like(width * width)?,
    };
    let weights = steering.kernel.of_tensor(&distances.f_div(&squared_bandwidth)?)?;
    let weights = pairs.of(&weights)?;

    // A bandwidth that is zero to the number format moves nothing.
    let motionless = squared_bandwidth.f_ge(f64::from(f32::MIN_POSITIVE))?.f_logical_not()?;
    let shares = weights
        .f_div(&weights.f_sum_dim_intlist(1, true, Kind::Float)?)?
        .f_mul_scalar(strength)?
        .f_masked_fill(&motionless, 0.0)?;
    let shares = grid.mean_over_patches(&shares)?;

    // x_i · (1 − Σ shares) + Σ shares_k · x_k, one partner of all particles at a time.
    let mut moved = x.f_mul(&shares.f_sum_dim_intlist(1, true, Kind::Float)?.f_rsub_scalar(1.0)?)?;
    for partner in 0..particles {
        let _ = moved.f_addcmul_(&x.f_narrow(0, partner, 1)?, &shares.f_narrow(1, partner, 1)?)?;
    }
    Ok(moved)
}

/// Squared differences of all pairs i < k, summed over channels: [N, C, H, W] gives [N(N−1)/2, H, W].
fn pairwise_squares(x: &Tensor) -> Result<Tensor> {
    let particles = x.size()[0];
    let rows = (0..particles - 1).map(|particle| {
        let later = x.f_narrow(0, particle + 1, particles - particle - 1)?;
        Ok(later.f_sub(&x.f_narrow(0, particle, 1)?)?.f_square()?.f_sum_dim_intlist(1, false, Kind::Float)?)
    });
    Ok(Tensor::f_cat(&rows.collect::<Result<Vec<_>>>()?, 0)?)
}

/// Median over the first dimension, of an even count the mean of the two middle values.
fn median(values: &Tensor) -> Result<Tensor> {
    let count = values.size()[0];
    // Selection needs no sorting, and is several times faster where the values lie side by side.
    let values = values.f_movedim_int(0, -1)?.f_contiguous()?;
    let middle = |index: i64| values.f_kthvalue(index + 1, -1, false).map(|(value, _)| value);
    Ok(middle((count - 1) / 2)?.f_add(&middle(count / 2)?)?.f_mul_scalar(0.5)?)
}

/// Where the pairs i < k stand among all pairs.
struct AllPairs {
    particles: i64,
    /// For each of N² pairs its place among the N(N−1)/2 and, after them, the one of a particle with itself.
    positions: Tensor,
}

impl AllPairs {
    /// Made by arithmetic on the device: a table would have to be waited for at every step.
    fn new(particles: i64, device: Device) -> Result<Self> {
        let index = Tensor::f_arange(particles, (Kind::Int64, device))?;
        let (rows, columns) = (index.f_view([-1, 1])?, index.f_view([1, -1])?);
        let (i, k) = (rows.f_minimum(&columns)?, rows.f_maximum(&columns)?);
        // i · (2N − i − 1) / 2 + k − i − 1
        let before = i.f_rsub_scalar(2 * particles - 1)?.f_mul(&i)?.f_bitwise_right_shift_tensor_scalar(1)?;
        let place = before.f_add(&k.f_sub(&i)?.f_sub_scalar(1)?)?;
        let pairs = particles * (particles - 1) / 2;
        Ok(Self { particles, positions: place.f_masked_fill(&rows.f_eq_tensor(&columns)?, pairs)?.f_view([-1])? })
    }

    /// The weights of the pairs i < k [N(N−1)/2, …] as those of all pairs [N, N, …]; a particle's own weight is 1.
    fn of(&self, weights: &Tensor) -> Result<Tensor> {
        let own = weights.f_narrow(0, 0, 1)?.f_full_like(1.0)?;
        let mut size = weights.size();
        size.splice(..1, [self.particles, self.particles]);
        Ok(Tensor::f_cat(&[weights, &own], 0)?.f_index_select(0, &self.positions)?.f_view(size.as_slice())?)
    }
}

/// Where the patches lie.
struct Grid {
    patch: i64,
    stride: i64,
    height: i64,
    width: i64,
}

impl Grid {
    /// Patches along a side of this length: as few as cover it.
    fn count(&self, length: i64) -> i64 {
        1 + ((length - self.patch).max(0) + self.stride - 1) / self.stride
    }

    /// Length that the patches along a side cover, beyond the border included.
    fn covered(&self, length: i64) -> i64 {
        (self.count(length) - 1) * self.stride + self.patch
    }

    /// [K, H, W] gives [K, patches down, patches across]. A cut patch is the sum of what is there.
    fn sum_over_patches(&self, pixels: &Tensor) -> Result<Tensor> {
        if self.patch == 1 {
            return Ok(pixels.f_detach()?);
        }
        let (below, right) = (self.covered(self.height) - self.height, self.covered(self.width) - self.width);
        Ok(box_sum(&pixels.f_constant_pad_nd([0, right, 0, below])?, self.patch, self.stride)?)
    }

    /// [N, N, patches down, patches across] gives [N, N, H, W]: at each pixel the mean over the patches that cover it.
    fn mean_over_patches(&self, patches: &Tensor) -> Result<Tensor> {
        if self.patch == 1 {
            return Ok(patches.f_detach()?);
        }
        let sum = self.spread(patches)?;
        if self.stride == self.patch {
            return Ok(sum);
        }
        let one = patches.f_narrow(0, 0, 1)?.f_narrow(1, 0, 1)?.f_full_like(1.0)?;
        Ok(sum.f_div(&self.spread(&one)?)?)
    }

    /// The transpose of [`Self::sum_over_patches`]: at each pixel the sum over the patches that cover it.
    fn spread(&self, patches: &Tensor) -> Result<Tensor> {
        let (n, m, down, across) = patches.size4()?;
        let (patch, stride) = (self.patch, self.stride);
        let cells = patches.f_view([n, m, down, 1, across, 1])?;
        let pixels = if stride == patch {
            cells.f_expand([n, m, down, patch, across, patch], false)?.f_reshape([
                n,
                m,
                down * patch,
                across * patch,
            ])?
        } else {
            // Each value at its patch's upper left corner among zeros, then summed over the patch that ends at a pixel.
            let corners = cells.f_constant_pad_nd([0, stride - 1, 0, 0, 0, stride - 1])?.f_reshape([
                n,
                m,
                down * stride,
                across * stride,
            ])?;
            let margin = patch - 1;
            box_sum(&corners.f_constant_pad_nd([margin, margin, margin, margin])?, patch, 1)?
        };
        Ok(pixels.f_narrow(2, 0, self.height)?.f_narrow(3, 0, self.width)?)
    }
}

/// Sums over squares of this side. Pooling, not convolution: on a GPU the latter may round its operands to TF32.
fn box_sum(x: &Tensor, side: i64, stride: i64) -> Result<Tensor, tch::TchError> {
    x.f_avg_pool2d([side, 1], [stride, 1], [0, 0], false, true, 1)?.f_avg_pool2d(
        [1, side],
        [1, stride],
        [0, 0],
        false,
        true,
        1,
    )
}
