//! Frequency-aware fusion with the mean of the particles and the first network's estimate, and selection by local sharpness.

#[path = "reference/pixels.rs"]
mod pixels;

use kds_engine::Result;
use kds_engine::backbone::{Backbone, Prompt, Session, Spec};
use kds_engine::picture::Picture;
use kds_engine::restore::restore;
use kds_engine::schedule::Level;
use kds_engine::settings::Settings;
use kds_engine::steering::{fuse, sharpest};
use tch::Tensor;

const WIDTH: usize = 40;
const HEIGHT: usize = 28;
const SIGMA: f64 = 1.3;

/// A model whose latents are pixels, with or without a first network.
struct Pixels(Spec);

impl Pixels {
    fn new(estimates: bool) -> Self {
        Self(Spec { estimates, ..pixels::spec(4) })
    }

    /// The result, `1 x 3 x h x w` in -1..1.
    fn restored(&self, particles: usize, selection: &str, fusion: f64) -> Tensor {
        let mut settings = Settings::default();
        let values_of = [
            ("particles", particles.to_string()),
            ("steps", "2".to_owned()),
            ("selection", selection.to_owned()),
            ("fusion", fusion.to_string()),
        ];
        for (name, value) in values_of {
            settings.set(name, &value).unwrap();
        }
        let picture = Picture { width: WIDTH, height: HEIGHT, values: source() };
        let settings = settings.resolve().unwrap();
        let restored = restore(self, &settings, (&picture).into(), false, &mut |_| Ok(())).unwrap();
        tensor(&restored.picture.values)
    }
}

/// Planes in 0..1 of a photograph.
fn source() -> Vec<f32> {
    (0..3 * WIDTH * HEIGHT).map(|index| 0.3 + (index * 97 % 251) as f32 / 700.0).collect()
}

/// Planes in 0..1 as a model sees them, `1 x 3 x h x w` in -1..1.
fn tensor(planes: &[f32]) -> Tensor {
    Tensor::from_slice(planes).reshape([1, 3, HEIGHT as i64, WIDTH as i64]) * 2.0 - 1.0
}

fn first_network(image: &Tensor) -> Tensor {
    0.25 - image * 0.5
}

impl Backbone for Pixels {
    fn spec(&self) -> &Spec {
        &self.0
    }

    fn open<'a>(&'a self, image: &Tensor, _mask: Option<&Tensor>, _prompt: &Prompt) -> Result<Box<dyn Session + 'a>> {
        Ok(Box::new(PixelsSession { image: image.shallow_clone() }))
    }
}

struct PixelsSession {
    image: Tensor,
}

impl Session for PixelsSession {
    fn predict(&self, x: &Tensor, _level: &Level) -> Result<Tensor> {
        // Particles keep some of their own noise.
        Ok(x.f_tanh()?.f_mul_scalar(0.2)?.f_add(&self.image)?)
    }

    fn estimate(&self) -> Result<Tensor> {
        Ok(first_network(&self.image))
    }

    fn decode(&self, latents: &Tensor) -> Result<Tensor> {
        Ok(latents.shallow_clone())
    }

    fn tensors(&mut self) -> Vec<&mut Tensor> {
        vec![&mut self.image]
    }
}

fn difference(left: &Tensor, right: &Tensor) -> f64 {
    (left - right).abs().max().double_value(&[])
}

#[test]
fn the_mean_of_the_particles_gives_the_low_frequencies() {
    let model = Pixels::new(false);
    let [particle, mean] = ["index:2", "mean"].map(|selection| model.restored(4, selection, 0.0));
    let fused = model.restored(4, "index:2", SIGMA);
    assert!(difference(&fused, &fuse(&particle, &mean, SIGMA).unwrap()) < 1e-5);
    assert!(difference(&fused, &particle) > 1e-2);
    // Neither one particle nor the mean itself has another estimate beside it.
    assert_eq!(model.restored(1, "nearest", SIGMA), model.restored(1, "nearest", 0.0));
    assert_eq!(model.restored(4, "mean", SIGMA), mean);
}

#[test]
fn a_first_network_gives_half_of_them() {
    let model = Pixels::new(true);
    let estimate = first_network(&tensor(&source()));
    for (particles, selection) in [(1, "nearest"), (4, "index:2"), (4, "mean")] {
        let particle = model.restored(particles, selection, 0.0);
        let mean = model.restored(particles, "mean", 0.0);
        let consensus = (mean + &estimate) * 0.5;
        let expected = fuse(&particle, &consensus, SIGMA).unwrap();
        let found = model.restored(particles, selection, SIGMA);
        assert!(difference(&found, &expected) < 1e-5, "{particles} particles, {selection}");
        assert!(difference(&found, &particle) > 1e-2, "{particles} particles, {selection}");
    }
}

#[test]
fn the_sharpest_particle_gives_the_detail() {
    let model = Pixels::new(true);
    let particles = [0, 1, 2, 3].map(|index| model.restored(4, &format!("index:{index}"), 0.0));
    let expected = sharpest(&particles).unwrap();
    let found = model.restored(4, "sharpest", 0.0);
    assert!(difference(&found, &expected) < 1e-5);
    assert!(particles.iter().all(|particle| difference(&found, particle) > 1e-2));
    let consensus = (model.restored(4, "mean", 0.0) + first_network(&tensor(&source()))) * 0.5;
    assert!(difference(&model.restored(4, "sharpest", SIGMA), &fuse(&expected, &consensus, SIGMA).unwrap()) < 1e-5);
    // One particle is the sharpest of one.
    assert_eq!(model.restored(1, "sharpest", 0.0), model.restored(1, "nearest", 0.0));
}
