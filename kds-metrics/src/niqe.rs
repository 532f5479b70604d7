//! NIQE: Mittal, Soundararajan and Bovik, *Making a "Completely Blind" Image Quality Analyzer*, SPL 2013, in the details of
//! BasicSR: rounded BT.601 luma, bicubic reduction with antialiasing, no border.

use std::path::Path;
use std::sync::OnceLock;

use image::RgbImage;
use libm::lgamma;

use crate::error::{Error, Result};
use crate::plane::{Plane, gaussian};
use crate::weights::Weights;

/// Side in pixels of the blocks that features are taken of.
pub const BLOCK: usize = 96;
/// Features of a block: 18 at full size and 18 at half size.
const FEATURES: usize = 36;

/// The statistics of photographs, which those of a picture are compared with.
#[derive(Debug, Clone)]
pub struct Niqe {
    mean: Vec<f64>,
    /// `FEATURES x FEATURES`.
    covariance: Vec<f64>,
}

/// Statistics of the features of several blocks.
struct Distribution {
    mean: Vec<f64>,
    covariance: Vec<f64>,
}

impl Niqe {
    /// Statistics of the photographs that this project was trained on. Values are comparable with one another, not with
    /// those by the statistics of the authors.
    pub fn bundled() -> Result<Self> {
        let path = Path::new("kds-metrics/data/niqe_photographs.safetensors");
        Self::new(Weights::of(path, include_bytes!("../data/niqe_photographs.safetensors"))?)
    }

    /// Statistics from a safetensors file: `mean` (36) and `covariance` (36 x 36).
    pub fn load(path: &Path) -> Result<Self> {
        Self::new(Weights::read(path)?)
    }

    fn new(mut weights: Weights) -> Result<Self> {
        let mean = weights.take("mean", &[FEATURES])?;
        Ok(Self { mean, covariance: weights.take("covariance", &[FEATURES, FEATURES])? })
    }

    /// Statistics of these photographs: of their blocks that are at least three quarters as sharp as the sharpest of the
    /// same photograph. `None` where there are too few blocks.
    pub fn fit<'a>(photographs: impl IntoIterator<Item = &'a RgbImage>) -> Option<Self> {
        let mut blocks = Vec::new();
        for photograph in photographs {
            let features = features(&rounded_luma(photograph));
            let sharpest = features.iter().map(|block| block.sharpness).fold(0.0, f64::max);
            blocks.extend(
                features.into_iter().filter(|block| block.sharpness > 0.75 * sharpest).map(|block| block.values),
            );
        }
        let Distribution { mean, covariance } = Distribution::of(&blocks).filter(|_| blocks.len() > FEATURES)?;
        Some(Self { mean, covariance })
    }

    /// The statistics as [`Niqe::load`] reads them: mean and covariance.
    pub fn statistics(&self) -> (&[f64], &[f64]) {
        (&self.mean, &self.covariance)
    }

    /// Distance of the statistics of a picture from those of photographs; lower is more natural. The picture needs at least
    /// two whole blocks of [`BLOCK`] pixels, and is compared better the more it has.
    pub fn value(&self, picture: &RgbImage) -> Result<f64> {
        let (width, height) = picture.dimensions();
        let needs = format!("two blocks of {BLOCK} x {BLOCK} pixels that are not flat");
        let too_small = || Error::TooSmall { metric: "NIQE", width, height, needs };
        let blocks: Vec<_> = features(&rounded_luma(picture)).into_iter().map(|block| block.values).collect();
        let of_picture = Distribution::of(&blocks).ok_or_else(too_small)?;
        let difference: Vec<f64> = self.mean.iter().zip(&of_picture.mean).map(|(a, b)| a - b).collect();
        let pooled = self.covariance.iter().zip(&of_picture.covariance).map(|(a, b)| (a + b) / 2.0).collect();
        let whitened = whiten(pooled, &difference).ok_or(Error::Singular)?;
        Ok(whitened.iter().map(|value| value * value).sum::<f64>().sqrt())
    }
}

impl Distribution {
    /// Features that are not finite, of blocks without any texture, do not count. `None` for fewer than two blocks.
    fn of(blocks: &[Vec<f64>]) -> Option<Self> {
        let column_mean = |column: usize| {
            let finite = || blocks.iter().map(|block| block[column]).filter(|value| value.is_finite());
            finite().sum::<f64>() / finite().count() as f64
        };
        let mean: Vec<f64> = (0..FEATURES).map(column_mean).collect();
        let whole: Vec<_> = blocks.iter().filter(|block| block.iter().all(|value| value.is_finite())).collect();
        if whole.len() < 2 {
            return None;
        }
        let centre: Vec<f64> =
            (0..FEATURES).map(|i| whole.iter().map(|block| block[i]).sum::<f64>() / whole.len() as f64).collect();
        let mut covariance = vec![0.0; FEATURES * FEATURES];
        for block in &whole {
            for (i, row) in covariance.chunks_exact_mut(FEATURES).enumerate() {
                for (j, value) in row.iter_mut().enumerate() {
                    *value += (block[i] - centre[i]) * (block[j] - centre[j]) / (whole.len() - 1) as f64;
                }
            }
        }
        Some(Self { mean, covariance })
    }
}

fn rounded_luma(picture: &RgbImage) -> Plane {
    Plane::luma(picture).map(f64::round)
}

struct BlockFeatures {
    values: Vec<f64>,
    /// Mean local deviation at full size.
    sharpness: f64,
}

fn features(luma: &Plane) -> Vec<BlockFeatures> {
    let (across, down) = (luma.width / BLOCK, luma.height / BLOCK);
    if across * down == 0 {
        return Vec::new();
    }
    let full = luma.cut(0, 0, across * BLOCK, down * BLOCK);
    let half = halved(&full);
    let scales = [(normalized(&full), BLOCK), (normalized(&half), BLOCK / 2)];
    let block = |index: usize| {
        let (column, row) = (index % across, index / across);
        let cut = |plane: &Plane, side: usize| plane.cut(column * side, row * side, side, side);
        let values = scales.iter().flat_map(|((coefficients, _), side)| of_block(&cut(coefficients, *side))).collect();
        let deviation = cut(&scales[0].0.1, BLOCK);
        BlockFeatures { values, sharpness: deviation.values.iter().sum::<f64>() / deviation.values.len() as f64 }
    };
    (0..across * down).map(block).collect()
}

/// Picture without its local mean and deviation (MSCN), and that deviation.
fn normalized(plane: &Plane) -> (Plane, Plane) {
    let window = gaussian(3, 7.0 / 6.0);
    let mean = plane.filtered(&window);
    let squares = plane.map(|value| value * value).filtered(&window);
    let deviation = squares.zip(&mean, |square, mean| (square - mean * mean).abs().sqrt());
    let centred = plane.zip(&mean, |value, mean| value - mean);
    (centred.zip(&deviation, |value, deviation| value / (deviation + 1.0)), deviation)
}

/// Half the size: bicubic (a = -0.5), widened against aliasing, the picture mirrored at its edges.
fn halved(plane: &Plane) -> Plane {
    fn rows(plane: &Plane) -> Plane {
        let cubic = |x: f64| match x.abs() {
            x @ ..=1.0 => (1.5 * x - 2.5) * x * x + 1.0,
            x @ ..=2.0 => ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0,
            _ => 0.0,
        };
        let weights: Vec<f64> = (0..8).map(|tap| cubic((f64::from(tap) - 3.5) / 2.0) / 2.0).collect();
        let sum: f64 = weights.iter().sum();
        let (width, period) = (plane.width / 2, 2 * plane.width as isize);
        let mut values = Vec::with_capacity(width * plane.height);
        for row in plane.values.chunks_exact(plane.width) {
            for x in 0..width as isize {
                let tap = |(tap, weight): (isize, &f64)| {
                    let place = (2 * x - 3 + tap).rem_euclid(period);
                    let place = if place < plane.width as isize { place } else { period - 1 - place };
                    weight / sum * row[place as usize]
                };
                values.push((0..).zip(&weights).map(tap).sum());
            }
        }
        Plane { width, height: plane.height, values }
    }
    rows(&rows(plane).transposed()).transposed()
}

/// 18 features of a block of normalised coefficients: the shape of their distribution, and of that of their products with
/// their neighbours in four directions.
fn of_block(block: &Plane) -> Vec<f64> {
    let (alpha, left, right) = asymmetric_gaussian(&block.values);
    let mut features = vec![alpha, (left + right) / 2.0];
    let (width, height) = (block.width as isize, block.height as isize);
    for (down, across) in [(0, 1), (1, 0), (1, 1), (1, -1)] {
        let product = |index: usize| {
            let (y, x) = (index as isize / width, index as isize % width);
            // The neighbour beyond the edge is that at the other edge, as the authors have it.
            let (y, x) = ((y - down).rem_euclid(height), (x - across).rem_euclid(width));
            block.values[index] * block.values[(y * width + x) as usize]
        };
        let products: Vec<f64> = (0..block.values.len()).map(product).collect();
        let (alpha, left, right) = asymmetric_gaussian(&products);
        let mean = (right - left) * (lgamma(2.0 / alpha) - lgamma(1.0 / alpha)).exp();
        features.extend([alpha, mean, left, right]);
    }
    features
}

/// Shape and both widths of the asymmetric generalised Gaussian whose moments these values have; not finite where none
/// lie on one side of 0.
fn asymmetric_gaussian(values: &[f64]) -> (f64, f64, f64) {
    /// Shapes that are tried, and the ratio of moments of each.
    static RATIOS: OnceLock<Vec<(f64, f64)>> = OnceLock::new();
    let ratios = RATIOS.get_or_init(|| {
        let shapes = (200..=10_000).map(|thousandth| f64::from(thousandth) / 1000.0);
        shapes.map(|g| (g, (2.0 * lgamma(2.0 / g) - lgamma(1.0 / g) - lgamma(3.0 / g)).exp())).collect()
    });
    let deviation = |side: fn(&f64) -> bool| {
        let squares = || values.iter().filter(|value| side(value)).map(|value| value * value);
        (squares().sum::<f64>() / squares().count() as f64).sqrt()
    };
    let (left, right) = (deviation(|value| *value < 0.0), deviation(|value| *value > 0.0));
    let count = values.len() as f64;
    let mean = values.iter().map(|value| value.abs()).sum::<f64>() / count;
    let squares = values.iter().map(|value| value * value).sum::<f64>() / count;
    let skew = left / right;
    let ratio = mean * mean / squares * (skew.powi(3) + 1.0) * (skew + 1.0) / (skew * skew + 1.0).powi(2);
    let distance = |entry: &&(f64, f64)| (entry.1 - ratio).abs();
    let nearest = ratios.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)));
    let alpha = nearest.filter(|_| ratio.is_finite()).map_or(f64::NAN, |(shape, _)| *shape);
    let width = (lgamma(1.0 / alpha) - lgamma(3.0 / alpha)).exp().sqrt();
    (alpha, left * width, right * width)
}

/// `L⁻¹ v` where `matrix = L Lᵀ`, so that its square is `vᵀ matrix⁻¹ v`; `None` where the matrix is not positive definite.
fn whiten(mut matrix: Vec<f64>, vector: &[f64]) -> Option<Vec<f64>> {
    let n = vector.len();
    let mut whitened = vector.to_vec();
    for i in 0..n {
        for j in 0..=i {
            let sum: f64 = (0..j).map(|k| matrix[i * n + k] * matrix[j * n + k]).sum();
            let rest = matrix[i * n + j] - sum;
            if i == j {
                if rest.is_nan() || rest <= 0.0 {
                    return None;
                }
                matrix[i * n + i] = rest.sqrt();
            } else {
                matrix[i * n + j] = rest / matrix[j * n + j];
            }
        }
        let sum: f64 = (0..i).map(|k| matrix[i * n + k] * whitened[k]).sum();
        whitened[i] = (whitened[i] - sum) / matrix[i * n + i];
    }
    Some(whitened)
}
