//! Pictures that are too small for a model: enlarged before it sees them, and the result reduced.

#[path = "reference/pixels.rs"]
mod pixels;

use std::sync::{Arc, Mutex};

use kds_engine::Result;
use kds_engine::backbone::{Backbone, Prompt, Session, Spec};
use kds_engine::picture::Picture;
use kds_engine::restore::{Restored, restore};
use kds_engine::schedule::Level;
use kds_engine::settings::Settings;
use tch::Tensor;

/// A model whose latents are pixels.
struct Pixels {
    spec: Spec,
    /// Height and width of the tiles that it saw.
    seen: Arc<Mutex<Vec<(usize, usize)>>>,
}

impl Pixels {
    fn new(least_result: usize) -> Self {
        let spec = Spec { least_result, largest_side: 1024, ..pixels::spec(4) };
        Self { spec, seen: Arc::default() }
    }

    fn restored(&self, picture: &Picture) -> Restored {
        let mut settings = Settings::default();
        settings.set("particles", "3").unwrap();
        settings.set("steps", "2").unwrap();
        self.seen.lock().unwrap().clear();
        let settings = settings.resolve().unwrap();
        let restored = restore(self, &settings, picture.into(), true, &mut |_| Ok(())).unwrap();
        assert_eq!((restored.picture.width, restored.picture.height), (picture.width, picture.height));
        restored
    }

    /// Height and width of the only tile of the last run.
    fn only_tile(&self) -> (usize, usize) {
        *self.seen.lock().unwrap().last().unwrap()
    }
}

impl Backbone for Pixels {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn open<'a>(&'a self, image: &Tensor, _mask: Option<&Tensor>, _prompt: &Prompt) -> Result<Box<dyn Session + 'a>> {
        let (_, _, height, width) = image.size4()?;
        self.seen.lock().unwrap().push((height as usize, width as usize));
        Ok(Box::new(PixelsSession { image: image.shallow_clone() }))
    }
}

struct PixelsSession {
    image: Tensor,
}

impl Session for PixelsSession {
    fn predict(&self, x: &Tensor, _level: &Level) -> Result<Tensor> {
        Ok(x.f_tanh()?.f_mul_scalar(0.2)?.f_add(&self.image)?)
    }

    fn decode(&self, latents: &Tensor) -> Result<Tensor> {
        Ok(latents.shallow_clone())
    }

    fn tensors(&mut self) -> Vec<&mut Tensor> {
        vec![&mut self.image]
    }
}

fn picture(width: usize, height: usize) -> Picture {
    let values = (0..3 * width * height).map(|index| 0.3 + (index * 97 % 251) as f32 / 700.0).collect();
    Picture { width, height, values }
}

fn resized(planes: &[f32], from: (usize, usize), to: (usize, usize)) -> Vec<f32> {
    let planes = Tensor::from_slice(planes).reshape([1, -1, from.1 as i64, from.0 as i64]);
    let planes = planes.internal_upsample_bicubic2d_aa([to.1 as i64, to.0 as i64], false, None::<f64>, None::<f64>);
    Vec::<f32>::try_from(planes.clamp(0.0, 1.0).reshape([-1])).unwrap()
}

fn close(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    let worst = found.iter().zip(expected).map(|(found, expected)| (found - expected).abs()).fold(0.0, f32::max);
    assert!(worst < 1e-5, "{worst}");
}

#[test]
fn a_small_picture_is_restored_as_its_enlargement() {
    let small = picture(20, 30);
    let found = Pixels::new(64).restored(&small);
    let (from, to) = ((20, 30), (64, 96));
    let large = Picture { width: to.0, height: to.1, values: resized(&small.values, from, to) };
    let expected = Pixels::new(0).restored(&large);
    close(&found.picture.values, &resized(&expected.picture.values, to, from));
    close(&found.confidence.unwrap(), &resized(&expected.confidence.unwrap(), to, from));
}

#[test]
fn a_picture_that_is_large_enough_is_seen_as_it_is() {
    let model = Pixels::new(64);
    let enough = picture(64, 80);
    let found = model.restored(&enough);
    assert_eq!(model.only_tile(), (80, 64));
    assert_eq!(found, Pixels::new(0).restored(&enough));
}

#[test]
fn a_strip_is_not_enlarged_beyond_a_few_results() {
    let model = Pixels::new(64);
    model.restored(&picture(64, 4));
    // By 8, to the area of 128 x 128, not by 16.
    assert_eq!(model.only_tile(), (32, 512));
}
