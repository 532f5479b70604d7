//! Restoration guidance (Lin et al., *DiffBIR*, arXiv 2308.15070, section 3.3; XPixelGroup/DiffBIR 3f8b530: diffbir/utils/cond_fn.py,
//! and its last sampler that applies it, 7a332cc^: utils/sampler.py `apply_cond_fn`): at each step x0 goes down the gradient of its
//! distance from the picture of the first network, so that the result stays nearer to that.
//!
//! The authors' distance is the mean over the whole picture. Here it is that over a picture of 512 x 512, the size of their
//! training, so that a result does not depend on the size of the tiles.

use serde::Deserialize;
use tch::{Kind, Tensor};

use super::stable_diffusion::Vae;
use crate::computing::convolution::Convolution;
use crate::schedule::Level;
use crate::{Error, Result};

/// Side of the authors' pictures, in pixels.
const SIDE: f64 = 512.0;
/// The authors' factor of every scale.
const SCALE: f64 = 3000.0;
/// Side of the blocks of pixels that share a weight.
const BLOCK: i64 = 2;

/// Options of restoration guidance, `[model.options.restoration_guidance]`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RestorationGuidance {
    /// Distance of which the gradient is followed.
    pub distance: Distance,
    /// Space in which it is measured.
    pub space: Space,
    /// Length of a step, at least 0; the authors try up to 1.
    pub scale: f64,
    /// Steps down the gradient at each step of the sampler, from 1 to 100.
    pub repeat: u32,
    /// Timestep below which it acts, of a training of 1000.
    pub from: f64,
    /// Timestep above which it acts.
    pub to: f64,
}

/// A distance between pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Distance {
    /// Mean squared error.
    Mse,
    /// The same, counting less where the first network's picture has edges: there diffusion may add detail.
    WeightedMse,
}

/// A space in which pictures are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Space {
    /// Latents: costs next to nothing.
    Latent,
    /// Decoded pictures: passes the autoencoder's decoder forwards and backwards for every particle and step.
    Picture,
}

impl Default for RestorationGuidance {
    fn default() -> Self {
        let (from, to) = (1001.0, -1.0);
        Self { distance: Distance::Mse, space: Space::Latent, scale: 0.1, repeat: 1, from, to }
    }
}

impl RestorationGuidance {
    /// Refuses values that are out of range.
    pub fn check(&self) -> std::result::Result<(), String> {
        if !(self.scale.is_finite() && self.scale >= 0.0) {
            return Err(format!("scale of restoration_guidance is {}, and must be at least 0", self.scale));
        }
        if !(1..=100).contains(&self.repeat) {
            return Err(format!("repeat of restoration_guidance is {}, and must be from 1 to 100", self.repeat));
        }
        if self.distance == Distance::WeightedMse && self.space == Space::Latent {
            return Err("distance = \"weighted_mse\" of restoration_guidance looks at edges, which latents have not: \
                        name space = \"picture\" beside it"
                .to_owned());
        }
        Ok(())
    }

    /// Target of a tile: `picture` is that of the first network, `1 x 3 x H x W` in -1..1, and `latents` are its own.
    pub(super) fn target(&self, picture: &Tensor, latents: &Tensor) -> Result<Target> {
        Ok(match (self.space, self.distance) {
            (Space::Latent, _) => Target { wanted: latents.shallow_clone(), weights: None },
            (Space::Picture, Distance::Mse) => Target { wanted: picture.shallow_clone(), weights: None },
            (Space::Picture, Distance::WeightedMse) => {
                Target { wanted: picture.shallow_clone(), weights: Some(weights(picture)?) }
            }
        })
    }

    /// `x0`, `n x C x h x w`, guided towards the target in a step from `level` to `next`; `None` where it does not act.
    pub(super) fn apply(
        &self,
        target: &Target,
        x0: &Tensor,
        level: &Level,
        next: &Level,
        vae: &Vae,
    ) -> Result<Option<Tensor>> {
        let timestep = level.timestep + 1.0;
        if self.scale == 0.0 || !(self.to < timestep && timestep < self.from) {
            return Ok(None);
        }
        // Of an ancestral step the mean moves by this share of what x0 moves by.
        let (kept, kept_after) = (level.alpha.powi(2), next.alpha.powi(2));
        let share = (1.0 - kept / kept_after) * next.alpha / level.sigma.powi(2);
        let length = self.scale * SCALE / share;
        let mut x0 = x0.shallow_clone();
        for _ in 0..self.repeat {
            let gradient = match self.space {
                Space::Latent => target.gradient(&x0, latent_samples(&x0)?)?,
                Space::Picture => {
                    let mut guided = Vec::new();
                    for particle in x0.f_split(1, 0)? {
                        guided.push(through_decoder(target, &particle, vae)?);
                    }
                    Tensor::f_cat(&guided, 0)?
                }
            };
            x0 = x0.f_sub(&gradient.f_mul_scalar(length)?)?;
        }
        Ok(Some(x0))
    }
}

/// The picture that guidance leads to, and the weight of each of its pixels.
pub(super) struct Target {
    wanted: Tensor,
    /// `1 x 1 x H x W` in 0..1; `None`: all alike.
    weights: Option<Tensor>,
}

impl Target {
    /// Gradient of the distance of `found` from the target, where a picture of [`SIDE`] has so many `samples`.
    fn gradient(&self, found: &Tensor, samples: f64) -> Result<Tensor> {
        let difference = found.f_sub(&self.wanted)?.f_mul_scalar(2.0 / samples)?;
        Ok(match &self.weights {
            Some(weights) => difference.f_mul(weights)?,
            None => difference,
        })
    }

    pub fn tensors(&mut self) -> impl Iterator<Item = &mut Tensor> {
        [&mut self.wanted].into_iter().chain(self.weights.as_mut())
    }
}

/// Samples of the latents of a picture of [`SIDE`], an eighth of it.
fn latent_samples(latents: &Tensor) -> Result<f64> {
    Ok(latents.size4()?.1 as f64 * (SIDE / 8.0).powi(2))
}

/// Gradient at one particle's latents of the distance of their picture from the target.
fn through_decoder(target: &Target, latents: &Tensor, vae: &Vae) -> Result<Tensor> {
    tch::with_grad(|| {
        let latents = latents.f_detach()?.f_set_requires_grad(true)?;
        let picture = vae.decode(&latents)?;
        let gradient = target.gradient(&picture.f_detach()?, 3.0 * SIDE.powi(2))?;
        // Its gradient is that of the distance, by the chain rule.
        let product = picture.f_mul(&gradient)?.f_sum(Kind::Float)?;
        let mut found = Tensor::f_run_backward(&[product], &[latents], false, false)?;
        found.pop().ok_or_else(|| Error::Conflict("the autoencoder has no gradient".to_owned()))
    })
}

/// Weights of the pixels of a picture in -1..1, `1 x 3 x H x W`: 1 in flats, 0 at edges (`WeightedMSEGuidance._get_weight`).
fn weights(picture: &Tensor) -> Result<Tensor> {
    let device = picture.device();
    let row = |values: &[f32], shape: &[i64]| Tensor::f_from_slice(values)?.f_view(shape)?.f_to_device(device);
    let unit = picture.f_add_scalar(1.0)?.f_div_scalar(2.0)?;
    let grey = unit.f_mul(&row(&[0.2989, 0.5870, 0.1140], &[1, 3, 1, 1])?)?.f_sum_dim_intlist(
        [1i64].as_slice(),
        true,
        None,
    )?;
    #[rustfmt::skip]
    let sobel = row(&[1.0, 0.0, -1.0, 2.0, 0.0, -2.0, 1.0, 0.0, -1.0, 1.0, 2.0, 1.0, 0.0, 0.0, 0.0, -1.0, -2.0, -1.0], &[2, 1, 3, 3])?;
    let edges = Convolution::PLAIN.of(&grey.f_replication_pad2d([1, 1, 1, 1])?, &sobel, None)?;
    let strength = edges.f_square()?.f_sum_dim_intlist([1i64].as_slice(), true, None)?.f_sqrt()?;
    let blocks = strength.f_avg_pool2d([BLOCK, BLOCK], [BLOCK, BLOCK], [0, 0], false, true, 1i64)?.f_tanh()?;
    let (_, _, height, width) = strength.size4()?;
    Ok(blocks.f_upsample_nearest2d([height, width], None::<f64>, None::<f64>)?.f_rsub_scalar(1.0)?)
}
