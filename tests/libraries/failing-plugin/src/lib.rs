//! For tests: a backbone that fails in the way the name of its file says, such as `predict-panics.so`.

use std::path::Path;

use kds_plugin_api::backbone::{Backbone, Prediction, Spec, Tensor, TensorMut, Tile, cosine_schedule};
use kds_plugin_api::{Error, Status};

struct Failing {
    way: String,
}

fn fail(way: &str, stage: &str) -> Result<(), Error> {
    match way.strip_prefix(stage) {
        Some("-fails") => Err(Error::new(Status::INTERNAL, format!("the {stage} stage is out of order"))),
        Some("-panics") => panic!("the {stage} stage fell over"),
        _ => Ok(()),
    }
}

fn open(library: &Path) -> Result<Failing, Error> {
    let way = library.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    fail(&way, "open")?;
    Ok(Failing { way })
}

impl Backbone for Failing {
    fn spec(&self) -> Spec {
        fail(&self.way, "spec").unwrap();
        let mut spec = Spec { prediction: Prediction::X0, ..Spec::new(1, cosine_schedule(1000)) };
        match self.way.as_str() {
            "no-channels" => spec.latent_channels = 0,
            "no-scale" => spec.scale = 0,
            "huge" => spec.downscale = usize::MAX,
            "misaligned" => (spec.downscale, spec.multiple) = (4, 6),
            "no-spread" => spec.latent_std = f64::NAN,
            "unknown-prediction" => spec.prediction = Prediction(77),
            "no-schedule" => spec.alphas_cumprod.clear(),
            "wrong-schedule" => spec.alphas_cumprod[500] = 2.0,
            "four-times" => spec.scale = 4,
            _ => {}
        }
        spec
    }

    fn tile(&self, _image: Tensor<'_>, _mask: Option<Tensor<'_>>) -> Result<Box<dyn Tile>, Error> {
        fail(&self.way, "tile")?;
        Ok(Box::new(FailingTile { way: self.way.clone() }))
    }
}

struct FailingTile {
    way: String,
}

impl Tile for FailingTile {
    fn predict(&self, _x: Tensor<'_>, _timestep: f64, output: TensorMut<'_>) -> Result<(), Error> {
        fail(&self.way, "predict")?;
        match self.way.as_str() {
            "predicts-nothing" => {}
            "predicts-infinity" => output.values.fill(f32::INFINITY),
            _ => output.values.fill(0.0),
        }
        Ok(())
    }

    fn decode(&self, _latents: Tensor<'_>, output: TensorMut<'_>) -> Result<(), Error> {
        fail(&self.way, "decode")?;
        output.values.fill(0.5);
        if self.way == "decodes-half" {
            let half = output.values.len() / 2;
            output.values[half..].fill(f32::NAN);
        }
        Ok(())
    }
}

kds_plugin_api::export_backbone!(open);
