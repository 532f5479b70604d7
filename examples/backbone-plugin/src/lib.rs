//! A backbone without a network: the posterior mean of a Gaussian mixture, in closed form.
//!
//! It believes of every block of 8 x 8 pixels that it truly was, with some deviation, the picture as it is, or the
//! picture smoothed a little, or smoothed a lot, each as likely as the others. What a denoiser should answer is then
//! known exactly, which makes it a model to learn from and to test with: the particles spread over the three guesses
//! where they differ, and Kernel Density Steering brings them to agree.
//!
//! Build it with `cargo build -p mixture-backbone` and name `libmixture_backbone.so` in a registry:
//!
//! ```toml
//! [[model]]
//! id = "mixture"
//! title = "Smooth, or not"
//! task = "restoration"
//! scale = 1
//! backbone = "plugin"
//! path = "/absolute/path/of/libmixture_backbone.so"
//! ```

use std::path::Path;

use kds_plugin_api::Error;
use kds_plugin_api::backbone::{Backbone, Prediction, Spec, Tensor, TensorMut, Tile, cosine_schedule};

/// Side of the blocks that are decided as a whole, in pixels.
pub const BLOCK: usize = 8;
/// How far the truth deviates from a guess, in values of -1..1.
pub const DEVIATION: f64 = 0.02;
/// Reach of the smoothing of each guess, in pixels.
pub const RADII: [usize; 3] = [0, 1, 3];

/// The model: it has nothing to remember but its noise schedule.
pub struct Mixture {
    alphas_cumprod: Vec<f64>,
}

impl Mixture {
    /// Opens it; a model with weights would read them from beside `library`.
    pub fn open(_library: &Path) -> Result<Self, Error> {
        Ok(Self { alphas_cumprod: cosine_schedule(1000) })
    }
}

impl Backbone for Mixture {
    fn spec(&self) -> Spec {
        Spec {
            latent_channels: 3,
            multiple: BLOCK,
            latent_std: 0.5,
            prediction: Prediction::X0,
            ..Spec::new(1, self.alphas_cumprod.clone())
        }
    }

    fn tile(&self, image: Tensor<'_>, _mask: Option<Tensor<'_>>) -> Result<Box<dyn Tile>, Error> {
        let guesses = RADII.map(|radius| smooth(image, radius));
        Ok(Box::new(MixtureTile { alphas_cumprod: self.alphas_cumprod.clone(), guesses }))
    }
}

struct MixtureTile {
    alphas_cumprod: Vec<f64>,
    /// Three planes each.
    guesses: [Vec<f32>; 3],
}

impl Tile for MixtureTile {
    fn predict(&self, x: Tensor<'_>, timestep: f64, output: TensorMut<'_>) -> Result<(), Error> {
        let last = self.alphas_cumprod.len() - 1;
        let alpha_cumprod = self.alphas_cumprod[(timestep.round() as usize).min(last)];
        let (alpha, noise) = (alpha_cumprod.sqrt(), 1.0 - alpha_cumprod);
        // Of x = alpha x0 + sigma n, where x0 deviates from a guess.
        let variance = alpha_cumprod * DEVIATION.powi(2) + noise;
        let gain = alpha * DEVIATION.powi(2) / variance;

        let [_, channels, height, width] = x.shape;
        let picture = channels * height * width;
        for (x, output) in x.values.chunks_exact(picture).zip(output.values.chunks_exact_mut(picture)) {
            for pixels in blocks(channels, height, width) {
                let likelihoods = self.guesses.each_ref().map(|guess| {
                    let distance = |&index: &usize| (f64::from(x[index]) - alpha * f64::from(guess[index])).powi(2);
                    -pixels.iter().map(distance).sum::<f64>() / (2.0 * variance)
                });
                let most = likelihoods.into_iter().fold(f64::MIN, f64::max);
                let weights = likelihoods.map(|likelihood| (likelihood - most).exp());
                let total: f64 = weights.iter().sum();
                for index in pixels {
                    let expected = self.guesses.iter().zip(weights).map(|(guess, weight)| {
                        let guess = f64::from(guess[index]);
                        weight / total * (guess + gain * (f64::from(x[index]) - alpha * guess))
                    });
                    output[index] = expected.sum::<f64>() as f32;
                }
            }
        }
        Ok(())
    }

    fn decode(&self, latents: Tensor<'_>, output: TensorMut<'_>) -> Result<(), Error> {
        output.values.copy_from_slice(latents.values);
        Ok(())
    }
}

/// The places of the values of each block of a picture, in all channels.
fn blocks(channels: usize, height: usize, width: usize) -> impl Iterator<Item = Vec<usize>> {
    let corners = (0..height).step_by(BLOCK).flat_map(move |y| (0..width).step_by(BLOCK).map(move |x| (x, y)));
    corners.map(move |(left, top)| {
        let rows =
            (0..channels).flat_map(move |c| (top..(top + BLOCK).min(height)).map(move |y| (c * height + y) * width));
        rows.flat_map(|row| row + left..row + (left + BLOCK).min(width)).collect()
    })
}

/// The mean over a square around each pixel, as much of it as lies in the picture.
fn smooth(image: Tensor<'_>, radius: usize) -> Vec<f32> {
    let [_, _, height, width] = image.shape;
    let around = |centre: usize, length: usize| centre.saturating_sub(radius)..(centre + radius + 1).min(length);
    let mut smoothed = Vec::with_capacity(image.values.len());
    for plane in image.values.chunks_exact(height * width) {
        for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
            let (rows, columns) = (around(y, height), around(x, width));
            let count = rows.len() * columns.len();
            let sum: f32 = rows.flat_map(|row| &plane[row * width..][columns.clone()]).sum();
            smoothed.push(sum / count as f32);
        }
    }
    smoothed
}

kds_plugin_api::export_backbone!(Mixture::open);
